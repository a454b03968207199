#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The password goes to the server and nowhere else.

Not into arguments, not into the environment of a child, not into any output,
trace, log, ledger, other file or core dump, in no form: neither plain nor in
base64 nor in hex.
"""

import os
import signal

from harness import agent, procs, secrets, tap
from harness.scene import MESSAGES, fetching, world

PASSWORD = "Tr0ub4dor-horse"
MDA = """#!/bin/sh
env > "$0.env.$$"
tr '\\0' ' ' < /proc/$$/cmdline > "$0.args.$$"
cat > "$0.mail.$$"
"""
HELPER = """#!/bin/sh
env > "$0.env"
tr '\\0' ' ' < /proc/$$/cmdline > "$0.args"
cat "$0.secret"
"""
KINDS = ("text", "file", "command", "env", "netrc", "credential")
HOLDERS = {"config.yaml", "secret", "helper.secret", "netrc"}
BEARERS = ("xoauth2", "oauthbearer")
METHODS = ("login", "cram-md5", "scram-sha-1", "scram-sha-256", "scram-sha-1-plus",
           "scram-sha-256-plus", *BEARERS)
DUMPING = ("/bin/sh", "-c", 'ulimit -c unlimited; exec "$@"', "sh")


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


def write(path, text):
    """Write TEXT as a file that only its owner may read."""
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, 0o600)


def source(one, kind):
    """The configuration's value for a secret from a source of KIND."""
    if kind == "text":
        return PASSWORD
    if kind == "command":
        executable(one.path("helper"), HELPER)
        write(one.path("helper.secret"), PASSWORD + "\n")
        return {"command": [one.path("helper")]}
    if kind == "env":
        one.env["BOX_PASSWORD"] = PASSWORD
        return {"env": "BOX_PASSWORD"}
    if kind == "netrc":
        write(one.path("netrc"), "machine localhost login jane password %s\n" % PASSWORD)
        return {"netrc": one.path("netrc")}
    write(one.path("secret"), PASSWORD + "\n")
    if kind == "file":
        return {"file": one.path("secret")}
    one.env["CREDENTIALS_DIRECTORY"] = one.home
    return {"credential": "secret"}


def accounts(one, server, kind, auth):
    """The account under test; beside a command, one with a password in the
    environment, which the command must not inherit."""
    executable(one.path("mda"), MDA)
    deliver = {"pipe": [one.path("mda")]}
    keys = {"password": None, "token" if auth in BEARERS else "password": source(one, kind)}
    tree = {"box": server.account(deliver, auth=[auth], **keys)}
    if kind == "command":
        tree["other"] = server.account({"maildir": one.path("Mail")}, enabled=False,
                                       password=source(one, "env"))
    return tree


def leak_test(kind, auth, server_password=PASSWORD):
    """Fetch with a trace, then look everywhere."""
    with fetching(options=["--sasl", "PLAIN " + auth.upper()], server_password=server_password,
                  messages=MESSAGES[:2]) as (one, server):
        words = secrets.forms(PASSWORD, server.USER)
        one.configure(accounts(one, server, kind, auth), log={"level": "debug"})
        watch = Watch(words, "BOX_PASSWORD" in one.env)
        result = one.run("--trace", "-vv", "fetch", watch=watch)
        right = server_password == PASSWORD
        tap.equal(result.status, 0 if right else 77, "exit status of\n%s" % result)
        tap.check(not watch.leaks, "seen in a process", watch.leaks)
        ran = any(name.startswith("mda.env.") for name in os.listdir(one.home))
        tap.equal(ran, right, "whether the delivery program ran")
        used = "C: PASS" if auth == "user" else "C: AUTH " + auth.upper()
        tap.check(used in result.err, "no trace of %s" % auth, result)
        found = secrets.search(one.home, words, HOLDERS)
        tap.check(not found, "found in files", found)


@tap.case("USER and PASS: no secret anywhere, from each source")
def user_pass(_env):
    tap.each(KINDS, lambda kind: leak_test(kind, "user"))


@tap.case("AUTH PLAIN: no secret anywhere, from each source")
def auth_plain(_env):
    tap.each(KINDS, lambda kind: leak_test(kind, "plain"))


@tap.case("tokens: no secret anywhere, from each source")
def tokens(_env):
    tap.each(KINDS, lambda kind: leak_test(kind, "xoauth2"))


@tap.case("each other method: no secret anywhere")
def methods(_env):
    lacking = "not built in" in agent.Agent().run("--version").out
    tap.each([auth for auth in METHODS if not lacking or auth[:5] not in ("scram", "cram-")],
             lambda auth: leak_test("command", auth))


@tap.case("a refused login and an unverified server: no secret anywhere")
def failing(_env):
    for auth in ("user", "plain", *BEARERS):
        leak_test("text", auth, server_password="another")
    with fetching(options=["--cert-fault", "unknown-ca"], password=PASSWORD) as (one, server):
        result = one.run("--trace", "-vv", "fetch")
        tap.check(result.status != 0, "exit status 0", result)
        found = secrets.search(one.home, secrets.forms(PASSWORD, server.USER), HOLDERS)
        tap.check(not found, "found in files", found)


def dumps(one):
    """The core dumps in an agent's folder."""
    return [name for name in os.listdir(one.home) if name.startswith("core")]


@tap.case("killed in the middle of a login, by a signal that dumps core: no core")
def core(_env):
    if agent.sanitized():
        raise tap.Skip("a sanitizer ends the program itself")
    control = agent.Agent()
    control.write_config("kill -SEGV $$\n")
    control.prefix = [*DUMPING, "/bin/sh", control.config]
    control.run()
    if not dumps(control):
        raise tap.Skip("no program dumps core here")
    for which in ("worker", "parent"):
        with fetching("on PASS stall", password=PASSWORD, auth=["user"]) as (one, server):
            one.prefix = list(DUMPING)
            process = one.start("fetch")
            procs.wait_until(lambda: server.count("PASS"), 60, "the password")
            worker = procs.descendants(process.pid)[0]
            procs.kill(worker if which == "worker" else process.pid, signal.SIGSEGV)
            process.wait(60)
            tap.check(process.returncode == (75 if which == "worker" else -signal.SIGSEGV),
                      "exit status %d of the parent" % process.returncode)
            tap.equal(dumps(one), [], "core dumps of the " + which)


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
