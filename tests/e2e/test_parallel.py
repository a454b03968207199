#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts are fetched side by side, and none harms another."""

import socket

from harness import agent, corpus, popd, procs, readers, tap, wire, wrongclock
from harness.scene import world

ACCOUNTS = 20
MESSAGES = corpus.simple(20)
PATIENCE = 100      # seconds until what must come has come


def account(one, server, user, **more):
    """The account of a USER of SERVER."""
    return server.account({"maildir": one.path(user)}, user=user, **more)


def arrived(one, users):
    """Whether each of USERS has got all the messages; others are a failure."""
    whole = True
    for user in users:
        got = wire.digests(readers.maildir(one.path(user)))
        tap.check(not got - wire.digests(MESSAGES), "torn or doubled messages for " + user)
        whole = whole and got == wire.digests(MESSAGES)
    return whole


@tap.case("%d accounts are fetched at the same time: each while all others wait" % ACCOUNTS)
def side_by_side(_env):
    with popd.Popd(MESSAGES, "--do", popd.held("on RETR 10"), users=ACCOUNTS) as server:
        one = agent.Agent()
        one.configure({user: account(one, server, user) for user in server.users},
                      parallel=ACCOUNTS, per_host=ACCOUNTS)
        process = one.start("fetch")
        # Nobody gets any further before all are here.
        procs.wait_until(lambda: server.log().count("command RETR 10") == ACCOUNTS, PATIENCE,
                         "all accounts to be in the middle")
        server.release()
        tap.equal(process.wait(PATIENCE), 0, "exit status")
        tap.check(arrived(one, server.users), "not all messages are here")
        tap.equal(most_at_once(server), ACCOUNTS, "connections at once")


@tap.case("refused, unreachable and stalled accounts do not harm the others")
def harmless(_env):
    with popd.Popd(MESSAGES, users=5) as server, socket.socket() as closed, \
            socket.socket() as silent:
        one = agent.Agent()
        clock = wrongclock.Skips(one)
        seed, *good = server.users
        closed.bind(("127.0.0.1", 0))       # bound, so nobody else takes the port
        silent.bind(("127.0.0.1", 0))
        silent.listen(5)                    # the system accepts; nobody speaks
        bad = {"a-refused": {"password": "wrong"},
               "b-closed": {"port": closed.getsockname()[1]},
               "c-stalled": {"port": silent.getsockname()[1],
                             "timeouts": {"tls": "100s", "greeting": "100s"}}}
        tree = {name: account(one, server, seed, **keys) for name, keys in bad.items()}
        tree.update((user, account(one, server, user)) for user in good)
        one.configure(tree, parallel=ACCOUNTS, per_host=ACCOUNTS)
        process = one.start("fetch")
        procs.wait_until(lambda: arrived(one, good), PATIENCE, "the others' mail")
        tap.equal(process.poll(), None, "exit status while one stalls")
        clock.skip(101)
        process.wait()
    result = one.result(process)
    tap.equal(readers.maildir(one.path(seed)), [], "messages of the failing accounts")
    tap.equal(result.status, 77, "exit status (the worst account decides) of\n%s\n" % result)
    for name in bad:
        tap.check(name in result.err, "no word about " + name, result)


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
        with popd.Popd(MESSAGES, "--do", popd.held("on STAT"), "--do", popd.held("on UIDL"),
                       users=8) as server:
            one = agent.Agent()
            one.configure({user: account(one, server, user) for user in server.users},
                          **{"parallel": 16, "per_host": 16, **keys})
            process = one.start("fetch")
            procs.wait_until(lambda: logins(server) == bound, PATIENCE, "%d logins" % bound)
            server.release()
            tap.equal(process.wait(PATIENCE), 0, "exit status")
            tap.check(arrived(one, server.users), "not all messages are here")
            tap.equal(most_at_once(server), bound, "connections at once with %s" % keys)


def logins(server):
    """How many users have logged in."""
    return sum(line.startswith("login ") for line in server.log())


if __name__ == "__main__":
    tap.main(world)
