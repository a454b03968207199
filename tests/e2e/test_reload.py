#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemon takes another configuration, whole or not at all, and no pass and
no account suffers for it."""

import signal

from harness import agent, popd, procs, readers, tap
from harness.daemon import PATIENCE, Silent, accounts, polling, polls, running, wait_polls
from harness.popd import held
from harness.scene import MESSAGES, world


def reload(daemon, tree, status=0, **top):
    """Have DAEMON take the accounts TREE; give what it said."""
    daemon.one.configure(tree, **top)
    result = daemon.one.expect(status, "reload")
    return result.err if status else result.out


@tap.case("accounts are added, removed and changed, and each change is told")
def changes(_env):
    with polling(users=3, messages=MESSAGES) as (daemon, server):
        first, second, third = server.users
        for user in server.users:
            wait_polls(server, 1, user)
            daemon.wait_state(user, "waiting")
        tree = accounts(daemon.one, server)
        fresh = server.account({"maildir": daemon.one.path("fresh")}, user=first)
        del tree[first]
        tree["fresh"] = fresh
        tree[second].update(interval="2h", keep=False)
        said = reload(daemon, tree)
        tap.equal(sorted(said.splitlines()), sorted(["fresh: added", "%s: removed" % first,
                  "%s: changed: keep, interval" % second]), "what it said")
        for line in said.splitlines():
            tap.check(line in daemon.log(), "not in the log: " + line)
        tap.equal(sorted(daemon.status()), sorted(["fresh", second, third]), "its accounts")
        wait_polls(server, 2, first)
        daemon.wait_state("fresh", "waiting")
        tap.equal(len(readers.maildir(daemon.one.path("fresh"))), len(MESSAGES), "mail")
        tap.check(3600 < daemon.due(second) + PATIENCE and daemon.due(third) <= 3600,
                  "a changed interval moves only its own account", daemon.status())
        tap.equal(polls(server, third), 1, "polls of the unchanged one")
        tap.equal(reload(daemon, tree), "nothing has changed\n", "what it said then")
        tap.equal(reload(daemon, tree, parallel=7), "changed: parallel\n", "and then")
        for words in (["true", "%{sender}"], ["true", "%{account}"]):
            tree[third]["deliver"] = {"pipe": words}
            tap.equal(reload(daemon, tree, parallel=7), "%s: changed: deliver\n" % third,
                      "and for " + words[1])


@tap.case("a shorter interval counts at once")
def shorter(_env):
    with polling() as (daemon, server):
        wait_polls(server, 1)
        daemon.wait_state("jane", "waiting")
        reload(daemon, accounts(daemon.one, server, interval="1s"))
        wait_polls(server, 3)


@tap.case("a broken file: every mistake is told, the old one stays, and polling goes on")
def broken(_env):
    with polling(interval="1s") as (daemon, server):
        wait_polls(server, 1)
        tree = accounts(daemon.one, server)
        tree["jane"].update(prot=1)
        tree["other"] = {"host": "x", "interval": "never"}
        said = reload(daemon, tree, status=78, parallel=0)
        for what in ("parallel", "accounts.jane.prot", "accounts.other.interval",
                     "the old configuration stays"):
            tap.check(what in said, what + " is not told", said)
            tap.check(what in daemon.log(), what + " is not in the log", daemon.log())
        tap.equal(list(daemon.status()), ["jane"], "its accounts")
        wait_polls(server, polls(server) + 2)
        daemon.one.write_config("")
        daemon.one.expect(78, "reload")
        daemon.one.write_config("accounts: {}\n", mode=0o666)
        daemon.signal(signal.SIGHUP)
        daemon.wait_said("the old configuration stays", 3)
        wait_polls(server, polls(server) + 2)
        reload(daemon, accounts(daemon.one, server))


@tap.case("SIGHUP reloads as the command does")
def hangup(_env):
    with polling() as (daemon, server):
        tree = accounts(daemon.one, server)
        tree["more"] = server.account({"maildir": daemon.one.path("more")})
        daemon.one.configure(tree)
        daemon.signal(signal.SIGHUP)
        daemon.wait_said("more: added")
        daemon.signal(signal.SIGHUP)
        daemon.wait_said("nothing has changed")
        wait_polls(server, 2)


@tap.case("state: cannot change while it runs, and nothing else of that file counts")
def state(_env):
    with polling() as (daemon, server):
        tree = accounts(daemon.one, server)
        tree["more"] = server.account({"maildir": daemon.one.path("more")})
        said = reload(daemon, tree, status=78, state=daemon.one.path("elsewhere"))
        tap.check("state:" in said and "anew" in said, "not told", said)
        tap.equal(list(daemon.status()), ["jane"], "its accounts")


@tap.case("a pass that runs goes on, and its account keeps its place")
def running_pass(_env):
    with polling(held("on RETR 3"), messages=MESSAGES) as (daemon, server):
        procs.wait_until(lambda: server.count("RETR"), PATIENCE, "RETR")
        worker = daemon.workers()
        tap.equal(len(worker), 1, "workers")
        reload(daemon, accounts(daemon.one, server, interval="2h"))
        tap.equal(daemon.state("jane"), "running", "its state")
        tap.equal(daemon.workers(), worker, "the worker")
        server.release()
        daemon.wait_state("jane", "waiting")
        tap.equal(len(readers.maildir(daemon.one.path("jane"))), len(MESSAGES), "mail")
        tap.equal(server.count("RETR"), len(MESSAGES), "messages fetched")
        tap.check(3600 < daemon.due("jane") + PATIENCE, "the new interval does not count",
                  daemon.status())


@tap.case("the pass of an account that is removed is asked to end; it may come back at once")
def removed_pass(_env):
    with popd.Popd(MESSAGES, tls="none") as server, Silent() as silent:
        one = agent.Agent()
        tree = accounts(one, server)
        tree["hangs"] = silent.account({"maildir": one.path("no")})
        one.configure(tree)
        with running(one) as daemon:
            daemon.wait_state("hangs", "running")
            daemon.wait_state("jane", "waiting")
            (worker,) = daemon.workers()
            tap.equal(reload(daemon, accounts(one, server)), "hangs: removed\n", "said")
            procs.wait_until(lambda: worker not in daemon.workers(), PATIENCE, "its end")
            reload(daemon, tree)
            daemon.wait_state("hangs", "running")
            reload(daemon, accounts(one, server))
            reload(daemon, tree)
            daemon.wait_state("hangs", "running")
            tap.equal(daemon.said("was killed|ERROR"), 0, "complaints")


@tap.case("paused, held and waiting accounts stay so; what held a changed one may be gone")
def states(_env):
    with polling("on PASS for jane2 reply \"+OK\\r\\n\"", users=3) as (daemon, server):
        one, (first, second, third) = daemon.one, server.users
        tree = accounts(one, server)
        tree[third].update(password="wrong")
        reload(daemon, tree)
        wait_polls(server, 1, first)
        one.expect(0, "pause", first)
        daemon.wait_state(second, "waiting")
        daemon.wait_state(first, "paused")
        daemon.wait_state(third, "held")
        tree[second].update(keep=False)
        reload(daemon, tree)
        tap.equal([daemon.state(user) for user in server.users],
                  ["paused", "waiting", "held"], "states")
        tree[third].update(password=server.PASSWORD)
        reload(daemon, tree)
        daemon.wait_state(third, "waiting")
        tap.equal(daemon.state(first), "paused", "the paused one")


@tap.case("a password that is set right during the pass that it fails in counts at once")
def mended_meanwhile(_env):
    with polling(held("on PASS #1"), password="wrong") as (daemon, server):
        procs.wait_until(lambda: server.count("PASS"), PATIENCE, "PASS")
        reload(daemon, accounts(daemon.one, server))
        server.release()
        daemon.wait_state("jane", "waiting")
        tap.equal((server.count("PASS"), polls(server)), (2, 1), "tries, and logins")


@tap.case("a host that is set right is tried at once, however long the account has failed")
def mended_host(_env):
    with polling(port=1, interval="200s") as (daemon, server):
        for times in range(1, 5):
            daemon.wait_said("cannot connect", times)
            daemon.wait_state("jane", "waiting")
            if times < 4:
                daemon.one.expect(0, "poll")
        tap.check(daemon.due("jane") > 1600 - PATIENCE, "it does not back off")
        reload(daemon, accounts(daemon.one, server))
        wait_polls(server, 1)


@tap.case("100 reloads of 50 accounts: the same memory, and the same descriptors")
def many(_env):
    with polling(messages=MESSAGES) as (daemon, server):
        wait_polls(server, 1)
        daemon.wait_state("jane", "waiting")
        trees = [accounts(daemon.one, server) for _ in range(2)]
        for number in range(50):
            for which, tree in enumerate(trees):
                tree["a%d" % (number + 25 * which)] = server.account(
                    {"maildir": daemon.one.path("no")}, interval="2h", port=1)
        figures = []
        for turn in range(120):
            if turn % 10 == 9:
                daemon.one.write_config("accounts: {jane: {prot: 1}}\n")
                daemon.one.expect(78, "reload")
            else:
                reload(daemon, trees[turn % 2])
            procs.wait_until(lambda: not daemon.workers(), PATIENCE, "quiet")
            if turn in (19, 119):
                figures.append((daemon.memory(), daemon.descriptors()))
        tap.diag("%d KiB after 20 reloads, %d after 120" % (figures[0][0], figures[1][0]))
        # The last worker is gone before its socket is closed.
        procs.wait_until(lambda: len(daemon.descriptors()) <= len(figures[0][1]), PATIENCE,
                         "no more descriptors than before")
        if not agent.sanitized():
            tap.check(figures[1][0] <= figures[0][0] + 128, "memory grew by %d KiB"
                      % (figures[1][0] - figures[0][0]))


if __name__ == "__main__":
    tap.main(world)
