# SPDX-License-Identifier: GPL-3.0-or-later
"""A running postrider daemon: ask it, look at it, end it.

It is asked over its own socket, so that a test can look often; what a person
would type is for the test itself, as one.run("reload") and the like.
"""

import contextlib
import os
import re
import signal
import socket
import time

from . import agent, popd, procs, tap

PATIENCE = 100      # seconds until what must come has come


class Daemon:
    """The daemon of the agent ONE; ARGS are more words of its command line."""

    def __init__(self, one, *args):
        self.one, self.args = one, args
        self.control = one.env.setdefault("POSTRIDER_CONTROL", one.path("control"))
        self.lives = 0
        self.process = None
        self.start()

    def start(self, ready=True):
        """Start it, and wait until it answers."""
        self.lives += 1
        self.process = self.one.start(*self.args, "daemon", streams=(
            "daemon.out", "daemon.log%d" % self.lives))
        if ready:
            procs.wait_until(self._answers_or_dead, PATIENCE, "the daemon to answer")
            tap.check(self.alive(), "the daemon ended at once", self.log())
        return self

    @property
    def pid(self):
        """Its process id."""
        return self.process.pid

    def alive(self):
        """Whether it still runs."""
        return self.process.poll() is None

    def _answers_or_dead(self):
        return not self.alive() or self.answers()

    def answers(self):
        """Whether it can be asked."""
        try:
            return self.ask("status")[0] == 0
        except (OSError, ValueError):
            return False

    def ask(self, *words):
        """Ask over the socket; give the exit status and the text."""
        with socket.socket(socket.AF_UNIX) as caller:
            caller.settimeout(PATIENCE)
            caller.connect(self.control)
            caller.sendall(b"".join(word.encode() + b"\0" for word in words) + b"\0")
            answer = b""
            while more := caller.recv(65536):
                answer += more
        return int(answer[:3]), answer[4:].rstrip(b"\0").decode()

    def status(self):
        """What it says of each account: its words by name."""
        rows = [line.split("\t") for line in self.ask("status")[1].splitlines()]
        return {row[0]: row[1:] for row in rows if row[0] != "daemon"}

    def state(self, account):
        """The state of an account."""
        return self.status()[account][0]

    def due(self, account):
        """In how many seconds it is polled next; None if that is not known."""
        moment = int(self.status()[account][1])
        return moment - time.time() if moment else None

    def wait_state(self, account, *states):
        """Wait until an account is in one of STATES."""
        procs.wait_until(lambda: self.state(account) in states, PATIENCE,
                         "%s to be %s, not %s" % (account, " or ".join(states),
                                                  self.state(account)))

    def log(self):
        """All that its present life has logged."""
        with open(self.one.path("daemon.log%d" % self.lives), errors="replace") as file:
            return file.read()

    def said(self, pattern):
        """How often something like PATTERN stands in its log."""
        return len(re.findall(pattern, self.log()))

    def wait_said(self, pattern, times=1):
        """Wait until something like PATTERN stands in its log so often."""
        try:
            procs.wait_until(lambda: self.said(pattern) >= times, PATIENCE,
                             "%r in the log" % pattern)
        except AssertionError as error:
            raise AssertionError("%s\n%s" % (error, self.log()[-6000:])) from None

    def workers(self):
        """The process ids of its workers: those that run the same program."""
        table = procs.parents()
        return [pid for pid, (parent, state) in table.items() if parent == self.pid
                and state not in "ZX" and procs.program(pid) == procs.program(self.pid)]

    def signal(self, number):
        """Send it a signal."""
        self.process.send_signal(number)

    def wait(self):
        """Wait for its end; give the exit status and how long that took."""
        begin = time.monotonic()
        procs.wait_until(lambda: not self.alive(), PATIENCE, "the end of the daemon")
        return self.process.returncode, time.monotonic() - begin

    def stop(self):
        """End it as a service manager does; it must succeed."""
        self.signal(signal.SIGTERM)
        status, seconds = self.wait()
        tap.check(status == 0, "exit status %d" % status, self.log()[-3000:])
        return seconds

    def kill(self, family=False):
        """kill -9: it alone, or with all that it has started. Gives the process
        ids of the latter."""
        children = procs.descendants(self.pid)
        self.process.kill()
        for pid in children if family else ():
            procs.kill(pid)
        self.process.wait()
        return children

    def descriptors(self):
        """What it has open, in order, once the callers that have their answer
        are gone: then there is a socket to listen at, and one a worker."""
        end = time.monotonic() + PATIENCE
        while self._open().count("socket:[]") > 1 + len(self.workers()):
            if time.monotonic() > end:
                break
            time.sleep(0.02)
        return self._open()

    def _open(self):
        folder = "/proc/%d/fd" % self.pid
        found = []
        for name in os.listdir(folder):
            with contextlib.suppress(OSError):
                found.append(re.sub(r"\d+", "", os.readlink("%s/%s" % (folder, name))))
        return sorted(found)

    def zombies(self):
        """Its children that have ended and were not collected."""
        return [pid for pid, (parent, state) in procs.parents().items()
                if parent == self.pid and state == "Z"]

    def memory(self, key="VmRSS"):
        """A line of its /proc status, in KiB."""
        found = re.search(rb"%s:\s+(\d+)" % key.encode(), procs.read(self.pid, "status"))
        return int(found.group(1))


@contextlib.contextmanager
def running(one, *args):
    """A daemon of ONE that is ended when the test is over."""
    daemon = Daemon(one, *args)
    try:
        yield daemon
    except AssertionError as error:
        raise AssertionError("%s\nthe log:\n%s" % (error, daemon.log()[-6000:])) from None
    finally:
        if daemon.alive():
            daemon.one.abort(daemon.process)


def accounts(one, server, interval="1h", **more):
    """An account for each user of SERVER, of the user's name, with a Maildir."""
    return {user: server.account({"maildir": one.path(user)}, user=user,
                                 interval=interval, auth=["user"], **more)
            for user in server.users}


@contextlib.contextmanager
def polling(*rules, messages=(), users=1, options=(), top=None, **account):
    """A daemon and a popd that plays RULES, with an account for each user. Other
    keywords are keys of the accounts."""
    script = procs.scratch() + "/rules"
    arguments = ["--script", script] + [word for rule in rules for word in ("--do", rule)]
    play(script)
    with popd.Popd(messages, *arguments, *options, tls="none", users=users) as server:
        server.script = script
        one = agent.Agent()
        one.configure(accounts(one, server, **account), **(top or {}))
        with running(one) as daemon:
            yield daemon, server


def play(script, *rules):
    """Have a popd play RULES, and no others from its script, from now on."""
    with open(script + ".new", "w") as file:
        file.writelines(rule + "\n" for rule in rules)
    os.rename(script + ".new", script)


def polls(server, user="jane"):
    """How often USER has logged in at a popd."""
    return sum(line.startswith("login %s " % user) for line in server.log())


def wait_polls(server, count, user="jane"):
    """Wait until USER has logged in so often."""
    procs.wait_until(lambda: polls(server, user) >= count, PATIENCE,
                     "poll %d of %s, who has %d" % (count, user, polls(server, user)))


class Silent:
    """A server that takes connections and never says a word."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(100)
        self.port = self.socket.getsockname()[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def account(self, deliver, **more):
        """An account there, which will hang."""
        return {"host": "localhost", "port": self.port, "tls": "none",
                "accept_plaintext": True, "user": "x", "password": "x",
                "deliver": deliver, **more}
