#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens and the programs that print them.

A token is asked for at each login, once more when it was refused, and never
tried twice; what the program says when it cannot help must reach the person.
"""

import contextlib
import os

from harness import agent, corpus, popd, readers, tap
from harness.scene import QUICK

MESSAGES = corpus.simple(2)
TOKEN = "ya29.a0AfB_by-" + "t0ken" * 20
LONGEST = 12 * 1024
# Counts its runs, and prints the line of "tokens" of that number, or the last.
HELPER = """#!/bin/sh
echo >> "$0.runs"
line=$(sed -n "$(wc -l < "$0.runs")p" "$0.tokens")
echo "${line:-$(tail -n 1 "$0.tokens")}"
"""
HANGS = "#!/bin/sh\necho 'waiting for the key ring' >&2\nexec sleep 60\n"


@contextlib.contextmanager
def world():
    """A run with a helper that hangs goes on beside the other cases."""
    popd.program("POPD", "tests/server/popd")
    slow = agent.Agent()
    program(slow, HANGS)
    with popd.Popd(MESSAGES, password=TOKEN) as server:
        configure(slow, server)
        yield slow, slow.start("fetch")


def program(one, text, *tokens):
    """Write the helper of an agent."""
    with open(one.path("helper"), "w") as file:
        file.write(text)
    os.chmod(one.path("helper"), 0o755)
    with open(one.path("helper.tokens"), "w") as file:
        file.writelines(token + "\n" for token in tokens)


def runs(one):
    """How often the helper has run."""
    try:
        with open(one.path("helper.runs")) as file:
            return len(file.read())
    except FileNotFoundError:
        return 0


def configure(one, server, **keys):
    """An account whose token the helper prints."""
    keys = {"auth": ["xoauth2"], "password": None, "timeouts": QUICK,
            "token": {"command": [one.path("helper")]}, **keys}
    one.configure({"box": server.account({"maildir": one.path("Mail")}, **keys)})


@contextlib.contextmanager
def scene(*rules, text=HELPER, tokens=(TOKEN,), secret=TOKEN, **keys):
    """A server that knows SECRET and plays RULES, an agent with a helper."""
    arguments = [word for rule in rules for word in ("--do", rule)]
    with popd.Popd(MESSAGES, "--sasl", "XOAUTH2 OAUTHBEARER PLAIN", *arguments,
                   password=secret) as server:
        one = agent.Agent()
        program(one, text, *tokens)
        configure(one, server, **keys)
        yield one, server


@tap.case("the helper runs at each login")
def each(_env):
    for auth in (["xoauth2"], ["oauthbearer"], "auto"):
        with scene(auth=auth) as (one, server):
            one.fetch_ok()
            one.fetch_ok()
            tap.equal((runs(one), server.count("AUTH")), (2, 2), "runs and logins")
            tap.equal(len(readers.maildir(one.path("Mail"))), len(MESSAGES), "messages")


@tap.case("a token that was refused: another one is asked for, and gets another try")
def renewed(_env):
    for auth in (["xoauth2"], ["oauthbearer"]):
        with scene(tokens=("stale", TOKEN), auth=auth) as (one, server):
            result = one.run("--trace", "-v", "fetch")
            tap.equal(result.status, 0, "exit status of\n%s" % result)
            tap.equal((runs(one), server.count("AUTH")), (2, 2), "runs and logins")
            tap.check("trying the new one" in result.err, "not told", result)
            tap.check("stale" not in result.err, "a token is shown", result)


@tap.case("the same token again is not tried again; a third is not asked for")
def stale(_env):
    for tokens, logins in ((("stale",), 1), (("stale", "stale too", TOKEN), 1),
                           (("stale", "stale2", TOKEN), 2)):
        with scene(tokens=tokens) as (one, server):
            result = one.run("fetch")
            tap.check(result.status in (77, 78), "exit status", result)
            tap.equal((runs(one), server.count("AUTH")), (2, logins), "runs and logins")


@tap.case("a refusal that is not about the token brings no other")
def elsewhere(_env):
    for code, status in (("IN-USE", 75), ("SYS/TEMP", 75), ("SYS/PERM", 76)):
        with scene('on SASL reply "-ERR [%s] not now\\r\\n"' % code) as (one, server):
            tap.equal(one.run("fetch").status, status, "exit status after " + code)
            tap.equal((runs(one), server.count("AUTH")), (1, 1), "runs and logins")


@tap.case("what a failing helper says is part of the error")
def words(_env):
    script = ("#!/bin/sh\necho 'Token unavailable:' >&2\n"
              "printf 'open \\033[1mhttps://x/\\n' >&2\nexit 1\n")
    with scene(text=script) as (one, server):
        result = one.run("fetch")
        tap.equal(result.status, 75, "exit status of\n%s" % result)
        said = "token: %s exited with status 1: Token unavailable:;open \\x1b[1mhttps://x/" % (
            one.path("helper"))
        tap.check(said in result.err, "not told: " + said, result)
        tap.equal(server.commands(), [], "commands")


@tap.case("what it says beside a token is no error, and is not the token")
def chatty(_env):
    with scene(text="#!/bin/sh\necho refreshed >&2\ncat \"$0.tokens\"\necho bye >&2\n") as (one, _):
        result = one.run("fetch")
        tap.equal((result.status, result.err), (0, ""), "status and standard error")


@tap.case("a helper that fails and shows the token on standard error shows it to nobody")
def traced(_env):
    script = "#!/bin/sh\ncat \"$0.tokens\"\necho token: $(cat \"$0.tokens\") >&2\nexit 1\n"
    with scene(text=script) as (one, _):
        result = one.run("--trace", "-v", "fetch")
        tap.equal(result.status, 75, "exit status of\n%s" % result)
        tap.check(TOKEN not in result.err, "the token is shown", result)


@tap.case("the longest token logs in, a longer one is refused here")
def longest(_env):
    for auth in (["xoauth2"], ["oauthbearer"]):
        token = "t" * LONGEST
        with scene(tokens=(token,), secret=token, auth=auth) as (one, _):
            one.fetch_ok()
    with scene(tokens=("t" * (LONGEST + 1),)) as (one, server):
        result = one.run("fetch")
        tap.equal(result.status, 75, "exit status of\n%s" % result)
        tap.check("wrote more than" in result.err, "not told", result)
        tap.equal(server.commands(), [], "commands")


@tap.case("a server that knows one line only gets one line, however long")
def one_line(_env):
    for auth, name in ((["xoauth2"], "XOAUTH2"), (["oauthbearer"], "OAUTHBEARER")):
        for token in (TOKEN, "t" * LONGEST):
            with scene('on AUTH 1 err "syntax"', tokens=(token,), secret=token,
                       auth=auth) as (one, server):
                one.fetch_ok()
                tap.equal([line for line in server.commands() if line.startswith("AUTH")],
                          ["AUTH " + name, "AUTH %s ****" % name], "commands")


@tap.case("two lines are the rule: nothing secret is in the command")
def two_lines(_env):
    with scene() as (one, server):
        one.fetch_ok()
        tap.equal([line for line in server.commands() if line.startswith("AUTH")],
                  ["AUTH XOAUTH2"], "commands")


@tap.case("a token with a blank is none: 78, nothing sent")
def blank(_env):
    with scene(tokens=("not a token",)) as (one, server):
        result = one.run("fetch")
        tap.equal(result.status, 78, "exit status of\n%s" % result)
        tap.check("blank" in result.err, "not told", result)
        tap.equal(server.count("AUTH"), 0, "logins")


@tap.case("a helper that hangs has ten seconds where nobody can be asked")
def hangs(env):
    slow, process = env
    process.wait(60)
    result = slow.result(process)
    tap.equal(result.status, 75, "exit status of\n%s" % result)
    tap.check("took too long: waiting for the key ring" in result.err, "not told", result)


if __name__ == "__main__":
    tap.main(world)
