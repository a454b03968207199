#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""{prompt: true}: a person at a terminal, played on a pseudo-terminal.

The question comes before any account is fetched, nothing that is typed is
shown, and where there is nobody to ask only that account fails.
"""

import contextlib
import fcntl
import os
import pty
import select
import signal
import subprocess
import termios
import time

from harness import agent, corpus, popd, readers, tap
from harness.scene import world

MESSAGES = corpus.simple(2)
PASSWORD = "Tr0ub4dor-and-3"


@contextlib.contextmanager
def scene(accounts=1, **keys):
    """A server, and an agent with accounts that ask and one that does not."""
    with popd.Popd(MESSAGES, users=accounts + 1, password=PASSWORD) as server:
        one = agent.Agent()
        keys = keys or {"password": {"prompt": True}}
        tree = {user: server.account({"maildir": one.path(user)}, user=user,
                                     **(keys if number < accounts else {}))
                for number, user in enumerate(server.users)}
        one.configure(tree)
        yield one, server


class Terminal:
    """A run whose standard streams, and controlling terminal, are a terminal."""

    def __init__(self, one, *args):
        self.master, slave = pty.openpty()
        self.shown = b""
        self.process = subprocess.Popen(
            [one.program, "-c", one.config, *args], stdin=slave, stdout=slave, stderr=slave,
            env={**one.env, "TERM": "dumb"}, cwd=one.home, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)

    def read(self, until=None, seconds=30):
        """Read until UNTIL is shown, or to the end."""
        end = time.monotonic() + seconds
        while until is None or until not in self.shown:
            if not select.select([self.master], [], [], max(0, end - time.monotonic()))[0]:
                raise AssertionError("waited for %r, saw %r" % (until, self.shown))
            try:
                data = os.read(self.master, 4096)
            except OSError:
                data = b""
            if not data:
                break
            self.shown += data
        tap.check(until is None or until in self.shown, "not shown: %r" % until, self.shown)

    def type(self, data):
        """What a person types."""
        os.write(self.master, data)

    def end(self):
        """Wait for the end; give the exit status and all that was shown."""
        self.read()
        status = self.process.wait(60)
        tap.check(termios.tcgetattr(self.master)[3] & termios.ECHO, "the terminal does not echo")
        os.close(self.master)
        return status, self.shown.decode("latin-1")


@tap.case("asked, answered, fetched; what is typed is not shown")
def asked(_env):
    with scene(accounts=2) as (one, server):
        run = Terminal(one, "fetch")
        for user in server.users[:2]:
            run.read(b"%s: password for %s at localhost: " % (user.encode(), user.encode()))
            tap.equal(server.log(), [], "the server was asked before the person")
            run.type(PASSWORD.encode() + b"\n")
        status, shown = run.end()
        tap.equal(status, 0, "exit status after %s" % shown)
        tap.check(PASSWORD not in shown, "the password is shown", shown)
        for user in server.users:
            tap.equal(len(readers.maildir(one.path(user))), len(MESSAGES), "mail of " + user)


@tap.case("probe and talk ask too")
def others(_env):
    with scene() as (one, server):
        for words in (("probe", server.users[0]), ("talk", server.users[0], "STAT")):
            run = Terminal(one, *words)
            run.read(b"password for ")
            run.type(PASSWORD.encode() + b"\n")
            status, shown = run.end()
            tap.equal(status, 0, "exit status after %s" % shown)
            tap.check(PASSWORD not in shown, "the password is shown", shown)


@tap.case("Ctrl-C, Ctrl-D: nothing is fetched, and the terminal echoes again")
def given_up(_env):
    for key in (b"\x03", b"half\x03", b"\x04"):
        with scene() as (one, server):
            run = Terminal(one, "fetch")
            run.read(b"password for ")
            run.type(key)
            status, shown = run.end()
            tap.equal(status, 75, "exit status after %s" % shown)
            tap.check("nothing was entered" in shown, "not told", shown)
            tap.equal(server.log(), [], "the server was asked")


@tap.case("ended while it asks: by the signal, and the terminal echoes again")
def ended(_env):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        with scene() as (one, _server):
            run = Terminal(one, "fetch")
            run.read(b"password for ")
            run.process.send_signal(number)
            status, shown = run.end()
            tap.equal(status, -number, "exit status after %s" % shown)


@tap.case("an empty answer is no password: 78")
def empty(_env):
    with scene() as (one, server):
        run = Terminal(one, "fetch")
        run.read(b"password for ")
        run.type(b"\n")
        status, shown = run.end()
        tap.equal(status, 78, "exit status after %s" % shown)
        tap.equal(server.log(), [], "the server was asked")


@tap.case("without a terminal, as in cron: 78 for that account, the other is fetched")
def nobody(_env):
    for key in ("password", "token"):
        with scene(**{"password": None, key: {"prompt": True}}) as (one, server):
            result = one.run("fetch")
            tap.equal(result.status, 78, "exit status of\n%s" % result)
            tap.check("%s: %s: {prompt: true} needs a terminal" % (server.users[0], key)
                      in result.err, "not told", result)
            tap.equal([len(readers.maildir(one.path(user))) for user in server.users],
                      [0, len(MESSAGES)], "messages")


if __name__ == "__main__":
    tap.main(world)
