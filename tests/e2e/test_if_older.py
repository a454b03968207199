#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetching at login: only what is due, in silence, and without a question."""

import contextlib
import os
import re
import shlex
import time

from harness import agent, memoryfile, popd, procs, readers, tap, wire
from harness.scene import MESSAGES, WANTED, fetching, told, world

LOGIN = os.path.join(os.environ.get("srcdir", ".."), "contrib", "login")
QUIET = ("fetch", "--if-older", "10m", "--quiet")


def silent(one, *args):
    """A run that must succeed and say nothing."""
    result = one.expect(0, *(args or QUIET))
    tap.equal((result.out, result.err), ("", ""), "said")


@contextlib.contextmanager
def three(*rules):
    """A server, and an account for each of its three users."""
    with popd.Popd(MESSAGES, *rules, users=3) as server:
        one = agent.Agent()
        one.configure({user: server.account({"maildir": one.path(user)}, user=user)
                       for user in server.users})
        yield one, server


@tap.case("what was fetched a moment ago is left alone; later it is polled")
def fresh(_env):
    with fetching() as (one, server):
        tap.equal(one.expect(0, *QUIET).out, "%d new messages for box\n" % len(MESSAGES), "news")
        server.forget()
        silent(one)
        tap.equal(server.log(), [], "what the server saw")
        memoryfile.earlier(one, "box", 500)
        silent(one)
        tap.equal(server.log(), [], "what the server saw")
        memoryfile.earlier(one, "box", 100)
        silent(one)
        tap.check(server.log(), "it was not polled when it was due")
        server.put(MESSAGES[:1], first=20)
        silent(one)
        tap.equal(one.expect(0, "fetch", "--if-older", "0s", "-q").out,
                  "1 new message for box\n", "news")


@tap.case("without --quiet the usual lines come, and a word when nothing is due")
def loud(_env):
    with fetching() as (one, _server):
        result = one.expect(0, "fetch", "--if-older", "10m")
        tap.check("6 fetched" in result.out and "new message" not in result.out, "lines", result)
        told(one.expect(0, "fetch", "--if-older", "10m"), 0, "polled within 10m")


@tap.case("only accounts that are older are polled, and those with mail are named")
def some(_env):
    with three() as (one, server):
        first, second, third = server.users
        one.fetch_ok(second)
        news = one.expect(0, *QUIET).out
        tap.equal(news, "12 new messages for %s, %s\n" % (first, third), "news")
        server.forget()
        memoryfile.earlier(one, third, 600)
        silent(one)
        tap.equal(server.count("QUIT"), 1, "sessions")
        silent(one, *QUIET, first, second)
        tap.equal(server.count("QUIT"), 1, "sessions")


@tap.case("the line stays short when there are many accounts")
def many(_env):
    with popd.Popd(MESSAGES[:1], users=8) as server:
        one = agent.Agent()
        one.configure({user: server.account({"maildir": one.path(user)}, user=user)
                       for user in server.users})
        tap.equal(one.expect(0, *QUIET).out, "8 new messages for %s and 3 more\n"
                  % ", ".join(server.users[:5]), "news")


@tap.case("a failure is told with its exit status, and not tried again too soon")
def failing(_env):
    with fetching(password="wrong-Zx9") as (one, server):
        told(one.expect(77, *QUIET), 77, "box")
        server.forget()
        silent(one)
        tap.equal(server.log(), [], "what the server saw")
        memoryfile.earlier(one, "box", 600)
        one.expect(77, *QUIET)
        tap.check(server.log(), "it was not tried again")


@tap.case("a wrong clock does not make an account fresh for years")
def future(_env):
    with fetching() as (one, _server):
        one.fetch_ok()
        memoryfile.earlier(one, "box", -400_000_000)
        one.expect(0, *QUIET)
        tap.equal(memoryfile.read(one, "box")["passes"], "2", "passes")


@tap.case("an account that another process works on is left to it, at once and in silence")
def busy(_env):
    with fetching("on RETR #3 stall") as (one, server):
        slow = one.start("fetch")
        procs.wait_until(lambda: server.count("RETR") >= 3, 60, "the third RETR")
        other = agent.Agent()
        with open(one.config, encoding="utf-8") as file:
            other.write_config(file.read())
        silent(other)
        silent(other, "fetch", "--if-older", "0s", "-q")
        tap.equal(len({who for _when, who, _text in server.events()}), 1, "connections")
        one.abort(slow)


@tap.case("a wrong time, or one that goes with another option, is told")
def usage(_env):
    with fetching() as (one, server):
        for words in (("--if-older", "soon"), ("--if-older", "-1m"), ("--if-older", ""),
                      ("--if-older", "10m", "--baseline"),
                      ("--accept-new-state", "--if-older", "10m")):
            tap.check("--if-older" in one.expect(64, "fetch", *words).err, "not named")
        one.expect(64, "status", "--if-older", "10m")
        one.expect(64, "fetch", "--if-older")
        tap.equal(server.log(), [], "what the server saw")


@tap.case("-q and --quiet are taken before and behind the command")
def quiet(_env):
    for words in (("-q", "fetch"), ("fetch", "-q"), ("--quiet", "fetch"), ("fetch", "--quiet"),
                  ("fetch", "box", "-q")):
        with fetching() as (one, _server):
            silent(one, *words)
            tap.equal(len(readers.maildir(one.path("Mail"))), len(MESSAGES), "messages")


# A terminal.


ASK = """#!/bin/sh
if (exec 3</dev/tty) 2>/dev/null; then echo terminal; else echo none; fi >>%(home)s/saw
echo "GPG_TTY=$GPG_TTY" >>%(home)s/saw
test -t 0 && echo "stdin is a terminal" >>%(home)s/saw
echo "what is your passphrase?" >&2
echo secret
"""


@tap.case("a password command has no terminal to ask at; with a plain fetch it has")
def asks(_env):
    with fetching() as (one, server):
        script = one.path("ask")
        with open(script, "w", encoding="utf-8") as file:
            file.write(ASK % {"home": one.home})
        os.chmod(script, 0o700)
        account = server.account({"maildir": one.path("Mail")},
                                 password={"command": [script]}, keep=False)
        one.configure({"box": account})
        one.env["GPG_TTY"] = "/dev/pts/0"
        run = "%s -c %s " % (shlex.quote(one.program), shlex.quote(one.config))
        # Not the last command, or the shell would become it.
        said = one.at_terminal(run + "fetch -q; :")
        tap.equal(readers.read(one.path("saw")), b"terminal\nGPG_TTY=/dev/pts/0\n", "seen")
        tap.check("passphrase" in said, "no question", said)
        server.put(MESSAGES[:2], first=20)
        os.unlink(one.path("saw"))
        said = one.at_terminal(run + "fetch --if-older 0s -q; :")
        tap.equal(readers.read(one.path("saw")), b"none\nGPG_TTY=\n", "seen")
        tap.equal(said, "2 new messages for box\r\n", "said")


@tap.case("{prompt: true} is not asked for")
def prompt(_env):
    with fetching() as (one, server):
        one.configure({"box": server.account({"maildir": one.path("Mail")},
                                             password={"prompt": True})})
        run = "%s -c %s " % (shlex.quote(one.program), shlex.quote(one.config))
        said = one.at_terminal(run + "fetch --if-older 0s -q; echo status $?")
        tap.check(re.search(r"box: .*terminal", said) and "status 78" in said, "said", said)


# contrib/login


def wrapped(one):
    """A `postrider` in PATH that has the agent's configuration."""
    os.mkdir(one.path("bin"))
    with open(one.path("bin/postrider"), "w", encoding="utf-8") as file:
        file.write('#!/bin/sh\n%s -c %s "$@"\nstatus=$?\necho >>%s\nexit $status\n' % (
            shlex.quote(one.program), shlex.quote(one.config), one.path("ran")))
    os.chmod(one.path("bin/postrider"), 0o700)
    one.env["PATH"] = one.path("bin") + ":" + one.env["PATH"]


@tap.case("profile.sh fetches for a person at a terminal, and for nobody else")
def profile(_env):
    script = os.path.abspath(LOGIN + "/profile.sh")
    with fetching() as (one, _server):
        wrapped(one)
        one.at_terminal(". %s >/dev/null" % shlex.quote(script))
        one.at_terminal("(. %s) | cat" % shlex.quote(script))
        tap.check(not os.path.exists(one.path("ran")), "fetched without a terminal")
        said = one.at_terminal(". %s; echo prompt; until test -s ran; do sleep 0.05; done"
                           % shlex.quote(script))
        tap.equal(wire.digests(readers.maildir(one.path("Mail"))), WANTED, "messages")
        tap.check("prompt" in said and "new messages for box" in said, "said", said)


@tap.case("the desktop file names a command that works")
def desktop(_env):
    with open(LOGIN + "/postrider-fetch.desktop", encoding="utf-8") as file:
        lines = [line for line in file.read().splitlines() if not line.startswith("#")]
    tap.equal(lines[0], "[Desktop Entry]", "the first line")
    keys = dict(line.split("=", 1) for line in lines[1:] if line)
    tap.equal((keys["Type"], keys["Terminal"]), ("Application", "false"), "Type and Terminal")
    with fetching() as (one, _server):
        wrapped(one)
        begin = time.monotonic()
        said = one.at_terminal(keys["Exec"] + "; " + keys["Exec"])
        tap.equal(said, "%d new messages for box\r\n" % len(MESSAGES), "said")
        tap.diag("both took %.1f s" % (time.monotonic() - begin))


if __name__ == "__main__":
    tap.main(world)
