#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""kill -9 right before every system call that matters, one after another.

strace(1) kills the process that enters its Nth call of a kind, for every kind
and every N that a fetch comes to. Then fetches until one succeeds must leave
every message delivered once, the server empty and nothing lying about. A
delivery program is the one exception: what it did cannot be asked again, so
one message a crash may come twice.
"""

import concurrent.futures
import contextlib
import itertools
import os
import random
import time

from harness import agent, corpus, popd, readers, tap, trace, wire

MESSAGES = corpus.generate(12, seed=11)[4:9] + corpus.simple(1)
CALLS = ("write", "pwrite64", "fsync", "fdatasync", "sync_file_range",
         "renameat2", "renameat", "mkdirat", "unlinkat", "unlink", "ftruncate", "sendmsg",
         "clone", "wait4")
# The delivery program makes these too, and must not die after it has delivered.
ITS_OWN = {"write", "renameat2", "wait4"}
MDA = "#!/bin/sh\ncat > \"$0.$$.new\" && mv \"$0.$$.new\" \"$0.got.$$\"\n"
PATIENCE = 100
SEED = 20260102


def mda_got(one):
    """What the delivery program took."""
    return [readers.read(one.path(name)) for name in sorted(os.listdir(one.home))
            if name.startswith("mda.got.")]


WAYS = {        # how to configure a way of delivery, how to read it back
    "Maildir": (lambda one: {"maildir": one.path("Mail")},
                lambda one: readers.maildir(one.path("Mail"))),
    "mbox": (lambda one: {"mbox": one.path("box")},
             lambda one: readers.mbox(one.path("box"))),
    "gzip mbox": (lambda one: {"mbox": one.path("box.gz"), "compress": "gzip"},
                  lambda one: readers.mbox_gzip(one.path("box.gz"))),
    "pipe": (lambda one: {"pipe": [one.path("mda")]}, mda_got),
}


class Fetch:
    """A full maildrop and a fresh postrider that has one way of delivery."""

    def __init__(self, way, keep):
        deliver, self.read = WAYS[way]
        self.way, self.keep = way, keep
        self.server = popd.Popd(MESSAGES)
        self.one = agent.Agent()
        with open(self.one.path("mda"), "w") as file:
            file.write(MDA)
        os.chmod(self.one.path("mda"), 0o755)
        self.one.configure({"box": self.server.account(deliver(self.one), keep=keep)})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.stop()
        self.server.remove()
        self.one.remove()

    def killed(self, call, number):
        """Fetch, killed at the NUMBERth CALL; say whether it came to that."""
        self.one.prefix = trace.killer(call, number)
        result = self.one.fetch(limit=2 * PATIENCE)
        self.one.prefix = []
        tap.check(result.seconds < 2 * PATIENCE, "a process that was left alone does not end")
        return result.status != 0

    def settle(self):
        """Fetch until it succeeds: a worker may outlive its parent a little."""
        end = time.monotonic() + PATIENCE
        while (result := self.one.fetch()).status != 0:
            tap.check(result.status == 75 and time.monotonic() < end,
                      "no clean fetch after the crash", result)

    def check(self, crashes):
        """Every message here once, and nothing else anywhere."""
        got, wanted = wire.digests(self.read(self.one)), wire.digests(WIRED)
        spare = crashes if self.way == "pipe" else 0
        tap.check(not wanted - got, "messages lost", wanted - got)
        tap.check(sum((got - wanted).values()) <= spare, "messages doubled or torn",
                  got - wanted)
        tap.equal(len(self.server.held()), len(MESSAGES) if self.keep else 0, "on the server")
        tap.equal(readers.litter(self.one.path("Mail")), [], "files left in tmp/")
        stage = self.one.state + "/box/stage"
        tap.equal(os.listdir(stage) if os.path.isdir(stage) else [], [], "files left in stage/")
        locks = [name for name in os.listdir(self.one.home) if name.endswith(".lock")]
        tap.equal(locks, [], "dotlocks left")


def play(way, keep, *points):
    """Crash at each of POINTS in turn, recover, check; give the crashes."""
    with Fetch(way, keep) as fetch:
        try:
            crashes = sum(fetch.killed(*point) for point in points)
            fetch.settle()
            fetch.settle()
            fetch.check(crashes)
        except AssertionError as error:
            raise AssertionError("%s, keep %s, killed at %s: %s" % (way, keep, points, error))
        return crashes


def kinds(way, calls):
    """Those of CALLS at which only postrider is killed."""
    return [call for call in calls if way != "pipe" or call not in ITS_OWN]


def sweep(way):
    """Kill at every call of every kind; the number of crashes."""
    total = 0
    for call in kinds(way, CALLS):
        for number in itertools.count(1):
            if not play(way, bool(number % 3 == 0), (call, number)):
                break
            total += 1
    return total


def sample(way, count):
    """Kill a fetch, and then kill its recovery, at COUNT random pairs of calls."""
    rng = random.Random(SEED)
    first = kinds(way, ("fsync", "fdatasync", "renameat2", "write", "sendmsg", "unlinkat"))
    then = kinds(way, CALLS)
    return sum(play(way, rng.random() < 0.3, (rng.choice(first), rng.randint(1, 12)),
                    (rng.choice(then), rng.randint(1, 12))) for _ in range(count))


def both(work, *args):
    """WORK for every way of delivery, on two processors; a TAP diagnostic."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        jobs = {way: pool.submit(work, way, *args) for way in WAYS}
    tap.each(jobs, lambda way: tap.diag("%s: %d crashes" % (way, jobs[way].result())))


def hand_over(call, number):
    """A program refuses two messages; from then on there is an mbox, and the
    first fetch into that is killed. Say whether it came to that."""
    with Fetch("mbox", False) as fetch:
        account = fetch.server.account({"pipe": ["/bin/false"]}, limits={"messages": 2})
        fetch.one.configure({"box": account})
        fetch.one.fetch()
        fetch.one.configure({"box": fetch.server.account(WAYS["mbox"][0](fetch.one), keep=False)})
        crashed = fetch.killed(call, number)
        fetch.settle()
        fetch.settle()
        try:
            fetch.check(0)
        except AssertionError as error:
            raise AssertionError("killed at %s %d: %s" % (call, number, error))
        return crashed


WIRED = []


@contextlib.contextmanager
def world():
    """Ask an independent client once what the messages are on the wire."""
    trace.probe()
    with popd.Popd(MESSAGES) as server:
        WIRED.extend(server.served())
    yield None


@tap.case("killed before every system call in turn: nothing lost, nothing twice")
def every_call(_env):
    both(sweep)


@tap.case("killed again while it recovers: nothing lost, nothing twice")
def again(_env):
    both(sample, int(os.environ.get("E2E_CRASHES", "25")))


@tap.case("killed while an mbox takes over from a program: nothing lost, nothing twice")
def taken_over(_env):
    crashes = sum(sum(1 for _ in itertools.takewhile(lambda number: hand_over(call, number),
                                                     itertools.count(1)))
                  for call in ("write", "fsync", "fdatasync", "ftruncate", "unlinkat"))
    tap.diag("%d crashes" % crashes)


if __name__ == "__main__":
    tap.main(world)
