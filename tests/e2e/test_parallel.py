#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts are fetched side by side, and none harms another.

Every connection goes through a proxy that adds 25 ms in each direction, so a
fetch is made of waiting, and waiting can be shared.
"""

import contextlib
import socket

from harness import agent, corpus, dovecot, popd, readers, tap, wire

ACCOUNTS = 20
MESSAGES = 20
DELAY_MS = 25
RATIO = 3.0         # twenty accounts may take this many times as long as one
TRIES = 3           # the machine may be busy with other tests: the best counts


class World:
    """Users with equal maildrops, behind a slow line."""

    def __init__(self, server):
        self.server = server
        server.add("seed", corpus.simple(MESSAGES))
        self.wanted = None
        self.used = 0
        for number in range((ACCOUNTS + 1) * TRIES + 10):
            server.add_like("u%d" % number, "seed")
        server.start()
        self.wanted = wire.digests(server.served("seed"))
        self.proxy, self.port = popd.wanproxy(server.port, DELAY_MS)

    def accounts(self, one, count):
        """COUNT accounts of users that nobody has fetched yet."""
        names = ["u%d" % n for n in range(self.used, self.used + count)]
        self.used += count
        return {name: self.server.account(name, {"maildir": one.path(name)}, port=self.port)
                for name in names}

    def arrived(self, one, names):
        """Each of NAMES must have got all its messages."""
        for name in names:
            got = wire.digests(readers.maildir(one.path(name)))
            tap.check(got == self.wanted, "%s got %d messages right of %d"
                      % (name, sum((got & self.wanted).values()), MESSAGES))

    def timed(self, count):
        """Seconds that one fetch of COUNT accounts takes."""
        one = agent.Agent()
        accounts = self.accounts(one, count)
        one.configure(accounts, parallel=ACCOUNTS, per_host=ACCOUNTS)
        seconds = one.fetch_ok().seconds
        self.arrived(one, accounts)
        return seconds


@contextlib.contextmanager
def world():
    """Dovecot and the slow line before it."""
    server = dovecot.Dovecot()
    try:
        yield World(server)
    finally:
        server.stop()


@tap.case("%d accounts take at most %.0f times as long as one, at 50 ms a round trip"
          % (ACCOUNTS, RATIO))
def ratio(env):
    best = None
    for _ in range(TRIES):
        single, many = env.timed(1), env.timed(ACCOUNTS)
        tap.diag("one account %.2f s, %d accounts %.2f s: ratio %.2f"
                 % (single, ACCOUNTS, many, many / single))
        best = min(many / single, best or many / single)
        if best <= RATIO:
            return
    tap.check(False, "the best ratio is %.2f" % best)


@tap.case("refused, unreachable and stalled accounts do not harm the others")
def harmless(env):
    one = agent.Agent()
    accounts = env.accounts(one, 4)
    good = list(accounts)
    with socket.socket() as closed, socket.socket() as silent:
        closed.bind(("127.0.0.1", 0))       # bound, so nobody else takes the port
        silent.bind(("127.0.0.1", 0))
        silent.listen(5)                    # the system accepts; nobody speaks
        bad = {"maildir": one.path("bad")}
        new = env.server.account
        accounts = {"a-refused": new("seed", bad, password="wrong"),
                    "b-closed": new("seed", bad, port=closed.getsockname()[1]),
                    "c-stalled": new("seed", bad, port=silent.getsockname()[1],
                                     timeouts={"tls": "4s", "greeting": "4s"}),
                    **accounts}
        one.configure(accounts, parallel=ACCOUNTS, per_host=ACCOUNTS)
        result = one.fetch()
    env.arrived(one, good)
    tap.equal(readers.maildir(one.path("bad")), [], "messages of the failing accounts")
    tap.equal(result.status, 77, "exit status (the worst account decides) of\n%s\n" % result)
    for name in ("a-refused", "b-closed", "c-stalled"):
        tap.check(name in result.err, "no word about " + name, result)
    tap.check(result.seconds < 30, "the stalled account held up the fetch", result)


def most_at_once(server):
    """The most sessions SERVER had at a time, each from its connect to its QUIT:
    after QUIT the client may well be away before the server notes it."""
    steps = []
    for when, _who, text in server.events():
        if text.startswith("connect "):
            steps.append((when, 1))
        elif text == "command QUIT":
            steps.append((when, -1))
    now = most = 0
    for _when, step in sorted(steps):
        now += step
        most = max(most, now)
    return most


@tap.case("parallel and per_host bound the connections, and every account is fetched")
def bounds(_env):
    for keys, bound in (({"per_host": 1}, 1), ({"per_host": 3}, 3), ({"parallel": 2}, 2)):
        messages = corpus.simple(4)
        with popd.Popd(messages, "--do", "on STAT delay 50", "--do", "on UIDL delay 50",
                       users=8) as server:
            one = agent.Agent()
            accounts = {user: server.account({"maildir": one.path(user)}, user=user)
                        for user in server.users}
            one.configure(accounts, **{"parallel": 16, "per_host": 16, **keys})
            one.fetch_ok()
            for user in server.users:
                tap.equal(len(readers.maildir(one.path(user))), 4, "messages for " + user)
            most = most_at_once(server)
            tap.diag("%s: %d connections at once" % (keys, most))
            tap.check(most <= bound, "%d connections at once with %s" % (most, keys))


if __name__ == "__main__":
    tap.main(world)
