#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The password goes to the server and nowhere else.

Not into arguments, not into the environment of a child, not into any output,
trace, log, ledger or other file, in no form: neither plain nor in base64.
"""

import base64
import os

from harness import agent, procs, tap
from harness.scene import MESSAGES, fetching, world

PASSWORD = "Tr0ub4dor-horse"
MDA = """#!/bin/sh
env > "$0.env.$$"
tr '\\0' ' ' < /proc/$$/cmdline > "$0.args.$$"
cat > "$0.mail.$$"
"""
HELPER = """#!/bin/sh
env > "$0.env"
cat "$0.secret"
"""


def forms(user):
    """The password, and its base64 at each of the three offsets in a stream."""
    found = {PASSWORD.encode()}
    for before in range(3):
        text = base64.b64encode(b"x" * before + PASSWORD.encode())
        found.add(text[4 if before else 0:-4])
    whole = b"\0%s\0%s" % (user.encode(), PASSWORD.encode())
    found.add(base64.b64encode(whole))
    found.add(base64.b64encode(PASSWORD.encode()))
    return found


def executable(path, text):
    """Write TEXT as a program."""
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, 0o755)


class Watch:
    """Looks at the arguments and environments of all processes of a run."""

    def __init__(self, words, given):
        self.words = words
        self.given = given      # the program itself got the password this way
        self.leaks = set()

    def __call__(self, pid):
        own = procs.program(pid) == agent.binary()
        places = ["cmdline"] if self.given and own else ["cmdline", "environ"]
        for place in places:
            text = procs.read(pid, place)
            if any(word in text for word in self.words):
                self.leaks.add((pid, place, procs.program(pid)))


def source(one, kind):
    """The configuration's value for a password from a source of KIND."""
    if kind == "file":
        with open(one.path("password"), "w") as file:
            file.write(PASSWORD + "\n")
        os.chmod(one.path("password"), 0o600)
        return {"file": one.path("password")}
    if kind == "command":
        executable(one.path("helper"), HELPER)
        with open(one.path("helper.secret"), "w") as file:
            file.write(PASSWORD + "\n")
        return {"command": [one.path("helper")]}
    if kind == "env":
        one.env["BOX_PASSWORD"] = PASSWORD
        return {"env": "BOX_PASSWORD"}
    return PASSWORD


def search(one, words, allowed):
    """The files below the agent's home, but for ALLOWED, that hold a word."""
    found = []
    for folder, _, names in os.walk(one.home):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.basename(path) in allowed or not os.path.isfile(path):
                continue
            with open(path, "rb") as file:
                data = file.read()
            found += [path for word in words if word in data]
    return found


def accounts(one, server, kind, auth):
    """The account under test; beside a command, one with a password in the
    environment, which the command must not inherit."""
    executable(one.path("mda"), MDA)
    deliver = {"pipe": [one.path("mda")]}
    tree = {"box": server.account(deliver, auth=auth, password=source(one, kind))}
    if kind == "command":
        tree["other"] = server.account({"maildir": one.path("Mail")}, enabled=False,
                                       password=source(one, "env"))
    return tree


def leak_test(kind, auth, server_password=PASSWORD):
    """Fetch with a trace, then look everywhere."""
    with fetching(server_password=server_password, messages=MESSAGES[:2]) as (one, server):
        words = forms(server.USER)
        one.configure(accounts(one, server, kind, auth), log={"level": "debug"})
        watch = Watch(words, "BOX_PASSWORD" in one.env)
        result = one.run("--trace", "fetch", watch=watch)
        right = server_password == PASSWORD
        tap.equal(result.status, 0 if right else 77, "exit status of\n%s" % result)
        tap.check(not watch.leaks, "seen in a process", watch.leaks)
        ran = any(name.startswith("mda.env.") for name in os.listdir(one.home))
        tap.equal(ran, right, "whether the delivery program ran")
        tap.check("PASS" in result.err or "AUTH" in result.err, "no trace", result)
        found = search(one, words, {"config.yaml", "password", "helper.secret"})
        tap.check(not found, "found in files", found)


@tap.case("USER and PASS: no secret anywhere, from each source")
def user_pass(_env):
    for kind in ("text", "file", "command", "env"):
        leak_test(kind, ["user"])


@tap.case("AUTH PLAIN: no secret anywhere, from each source")
def auth_plain(_env):
    for kind in ("text", "file", "command", "env"):
        leak_test(kind, ["plain"])


@tap.case("a refused login and an unverified server: no secret anywhere")
def failing(_env):
    for auth in ("user", "plain"):
        leak_test("text", [auth], server_password="another")
    with fetching(options=["--cert-fault", "unknown-ca"], password=PASSWORD) as (one, server):
        result = one.run("--trace", "fetch")
        tap.check(result.status != 0, "exit status 0", result)
        found = search(one, forms(server.USER), {"config.yaml"})
        tap.check(not found, "found in files", found)


@tap.case("a source without a password: told by name, nothing sent")
def no_password(_env):
    for password in ({"file": "/nonexistent/password"}, {"env": "NOT_SET"},
                     {"command": ["/bin/false"]}, {"command": ["/bin/true"]}):
        with fetching(password=password) as (one, server):
            result = one.fetch()
            tap.check(result.status in (75, 78), "exit status", result)
            tap.check("password" in result.err, "what is missing is not told", result)
            tap.equal([line for line in server.commands() if line[:4] != "QUIT"], [],
                      "commands sent")


if __name__ == "__main__":
    tap.main(world)
