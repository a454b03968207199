# SPDX-License-Identifier: GPL-3.0-or-later
"""Many accounts on one Dovecot, some of them broken in every way, and how late
each healthy one is polled.

When a poll has ended is in the daemon's log; when it was due is not asked of the
daemon. The polls of an account are due at equal distances, and none comes too
early, so the one that was the least late shows where they lie.
"""

import datetime
import json
import os
import re
import socket
from collections import Counter

from . import agent, corpus, dovecot, popd, procs, readers, tap, wire
from .daemon import Silent

DONE = re.compile(r"\d+ on the server")
LOGIN = re.compile(r"pop3-login: Info: Login: user=<([^>]*)>")
KINDS = ("refused", "silent", "drips", "drips late", "crashes", "wrong certificate")


class Crowd:
    """HEALTHY good accounts and BROKEN bad ones, all of them on `localhost`. The
    bad ones have TIMEOUTS."""

    def __init__(self, healthy, broken, interval, timeouts=None, **top):
        self.interval = interval
        self.server = dovecot.Dovecot()
        self.good = ["u%d" % number for number in range(healthy)]
        self.server.register(self.good)
        for name in self.good:
            self.server.own(name)
        self.server.start()
        self.silent, self.closed = Silent(), socket.socket()
        self.closed.bind(("127.0.0.1", 0))      # bound, so nobody else takes the port
        one_message = corpus.simple(1)
        self.drips = [popd.Popd(one_message, "--do", "on %s drip-ms 60000" % event, tls="none",
                                users=1 + broken // len(KINDS))
                      for event in ("GREETING", "RETR")]
        self.one = agent.Agent()
        self.sent = {}
        self.bad = {"b%d" % number: KINDS[number % len(KINDS)] for number in range(broken)}
        accounts = {name: self._good(name) for name in self.good}
        for name, kind in self.bad.items():
            accounts[name] = {**self._bad(name, kind), "timeouts": timeouts}
        # The broken ones come first, so that they get slots first.
        self.one.configure(dict(sorted(accounts.items())),
                           log={"format": "json", "level": "debug"}, **top)

    def close(self):
        """End all servers."""
        for drip in self.drips:
            drip.stop()
        self.silent.socket.close()
        self.closed.close()
        self.server.stop()

    def _good(self, name, **more):
        return self.server.account(name, {"maildir": self.one.path("Mail-" + name)},
                                   interval="%ds" % self.interval, **more)

    def _bad(self, name, kind):
        if kind == "refused":
            return self._good(name, port=self.closed.getsockname()[1])
        if kind == "silent":
            return self._good(name, port=self.silent.port)
        if kind == "drips":
            return self._good(name, port=self.drips[0].port, tls="none", accept_plaintext=True)
        if kind == "drips late":
            server = self.drips[1]
            return server.account({"maildir": self.one.path("Mail-" + name)},
                                  user=server.users[int(name[1:]) // len(KINDS)],
                                  interval="%ds" % self.interval)
        if kind == "crashes":
            return self._good(name, password={"command": ["sh", "-c", "kill -SEGV $PPID"]})
        # Nobody in the system's trust store has signed Dovecot's certificate.
        return self._good(name, ca_file=None)

    def mail(self, name):
        """A new message for NAME, put where the server finds it whole."""
        number = len(self.sent.setdefault(name, []))
        message = b"Subject: %s %d\n\ntext\n" % (name.encode(), number)
        spare = self.server.folder(name, "tmp") + "/%d" % number
        with open(spare, "wb") as file:
            file.write(message)
        os.chown(spare, self.server.uid, self.server.gid)
        os.rename(spare, "%s/%d.M%dP1.localhost" % (self.server.folder(name, "new"),
                                                    1_000_000_000 + number, number))
        self.sent[name].append(message)

    def arrived(self):
        """Whether all mail is there; twice is a failure at once."""
        whole = True
        for name, messages in self.sent.items():
            got = wire.digests(readers.maildir(self.one.path("Mail-" + name)))
            tap.check(not got - wire.digests(messages), "%s has mail twice" % name)
            whole = whole and got == wire.digests(messages)
        return whole

    def logins(self):
        """How often each healthy account has logged in, as Dovecot has it."""
        with open(self.server.root + "/log", errors="replace") as file:
            found = Counter(hit.group(1) for hit in map(LOGIN.search, file) if hit)
        return {name: found[name] for name in self.good}

    def polls(self, daemon):
        """When the polls of each healthy account ended, in seconds."""
        found = {name: [] for name in self.good}
        for line in daemon.log().splitlines():
            entry = json.loads(line)
            if DONE.match(entry["message"]) and entry["account"] in found:
                moment = datetime.datetime.strptime(entry["time"], "%Y-%m-%dT%H:%M:%S.%f%z")
                found[entry["account"]].append(moment.timestamp())
        return found

    def lateness(self, daemon):
        """How late each poll of a healthy account ended, in seconds."""
        late = []
        for moments in self.polls(daemon).values():
            shifted = [moment - number * self.interval for number, moment in enumerate(moments)]
            late += [moment - min(shifted) for moment in shifted]
        return sorted(late)

    def alive(self, daemon):
        """A healthy daemon has no child that has ended and stays a zombie."""
        tap.check(daemon.alive(), "the daemon has ended", daemon.log()[-3000:])
        before = set(daemon.zombies())
        if before:
            procs.wait_until(lambda: not before & set(daemon.zombies()), 100, "zombies to go")


def quiet(daemon):
    """Pause all accounts, wait until nothing runs, and give what is open."""
    daemon.one.expect(0, "pause")
    procs.wait_until(lambda: not daemon.workers(), 400, "all passes to end")
    return daemon.descriptors()
