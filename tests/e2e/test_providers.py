#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The login dialogues of large providers, as the public has recorded them.

Each file in dialogues/ is a script for the project's own server and names its
sources; what these do not show is left to that server, and the file says so.
Fastmail's dialogue was found in no public record, and refusals of GMX, Yahoo
and QQ were not found either: there are no files for these.
"""

import os
import re

from harness import agent, corpus, popd, readers, tap
from harness.scene import QUICK, told, world

DIALOGUES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "dialogues")
MESSAGES = corpus.simple(2)
SECRET = "Tr0ub4dor-and-3"
XOAUTH2 = {"auth": ["xoauth2"], "password": None, "token": SECRET}
USER = {"auth": ["user"]}

# File: keys of the account, exit status, what is told, commands of the login.
# An account without keys is what a person has who sets nothing.
CASES = {
    "gmail-token": (XOAUTH2, 0, (), ["AUTH XOAUTH2"]),
    "gmail-token-refused": (XOAUTH2, 77, (r"refused the token \(400\)", "expired"),
                            ["AUTH XOAUTH2"]),
    "gmail-password": (USER, 0, (), ["USER jane", "PASS ****"]),
    "gmail-password-refused": (USER, 77, (r"refused the login \(PASS\)", "not accepted"),
                               ["USER jane", "PASS ****"]),
    "microsoft-token": (XOAUTH2, 0, (), ["AUTH XOAUTH2"]),
    "microsoft-token-refused": (XOAUTH2, 77, ("unknown user name or bad password",),
                                ["AUTH XOAUTH2"]),
    "microsoft-one-line": (XOAUTH2, None, (), None),
    "microsoft-password-refused": (USER, 77, ("Logon failure",), ["USER jane", "PASS ****"]),
    "yahoo-password": ({}, 0, (), ["USER jane", "PASS ****"]),
    "gmx-password": (USER, 0, (), ["USER jane", "PASS ****"]),
    "qq-password": (USER, 0, (), ["USER jane", "PASS ****"]),
    "163-password": (USER, 0, (), ["USER jane", "PASS ****"]),
    "163-password-refused": (USER, 77, ("Unable to log on",), ["USER jane", "PASS ****"]),
    "163-too-often": (USER, 77, (r"\\xb5\\xc7",), ["USER jane", "PASS ****"]),
}


def play(name):
    """One fetch from the server of that dialogue."""
    keys, status, patterns, login = CASES[name]
    with popd.Popd(MESSAGES, "--script", os.path.join(DIALOGUES, name), "--sasl",
                   "PLAIN XOAUTH2 OAUTHBEARER", password=SECRET) as server:
        one = agent.Agent()
        one.configure({"box": server.account({"maildir": one.path("Mail")},
                                             timeouts=QUICK, **keys)})
        result = one.run("--trace", "-v", "fetch")
        if status is None:
            tap.check(result.status in (75, 76, 77), "exit status", result)
        else:
            told(result, status, *patterns)
        tap.check(SECRET not in result.err, "the secret is shown", result)
        commands = [line for line in server.commands()
                    if line.split(" ")[0] in ("AUTH", "USER", "PASS", "APOP")]
        tap.check(login is None or commands == login, "commands", commands)
        tap.equal(len(readers.maildir(one.path("Mail"))), len(MESSAGES) if status == 0 else 0,
                  "messages")


@tap.case("each dialogue is played, and has a source")
def sources(_env):
    tap.equal(sorted(os.listdir(DIALOGUES)), sorted(CASES), "files")
    for name in CASES:
        with open(os.path.join(DIALOGUES, name)) as file:
            tap.check(re.search("https://|Forums|report|program", file.read()),
                      "no source in " + name)


for provider in ("gmail", "microsoft", "yahoo", "gmx", "qq", "163"):
    @tap.case("the dialogues of " + provider)
    def dialogues(_env, prefix=provider + "-"):
        tap.each([name for name in CASES if name.startswith(prefix)], play)


@tap.case("a token is never sent in the line of the command, unless nothing else works")
def one_line(_env):
    with popd.Popd(MESSAGES, "--script", os.path.join(DIALOGUES, "microsoft-token"), "--sasl",
                   "XOAUTH2", password=SECRET) as server:
        one = agent.Agent()
        one.configure({"box": server.account({"maildir": one.path("Mail")}, **XOAUTH2)})
        one.fetch_ok()
        tap.equal([line for line in server.commands() if line[:4] == "AUTH"], ["AUTH XOAUTH2"],
                  "commands")


if __name__ == "__main__":
    tap.main(world)
