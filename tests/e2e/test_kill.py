#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""kill -9 at random moments of a fetch: nothing lost, nothing twice.

Each round has a maildrop of 100 messages and a fresh postrider. The fetch is
killed at a seeded random moment of its real duration, sometimes again while
it recovers, and then fetches until it succeeds. Half of the kills hit only
the parent, half every process at once; half of the rounds delete from the
server. When a moment falls after the end of a fetch, another one is drawn, so
how fast the machine is decides which moments are hit, never the verdict.
"""

import concurrent.futures
import contextlib
import os
import random
import statistics
import threading
import time

from harness import agent, corpus, dovecot, procs, readers, tap, wire

KILLS = int(os.environ.get("E2E_KILLS", "200"))
MESSAGES = 100
SEED = 20260101
AT_ONCE = 2
PATIENCE = 100      # seconds until a fetch after a kill must have succeeded


class World:
    """The server with one maildrop a round, and what is known of a fetch."""

    def __init__(self, server):
        self.server = server
        self.rounds = 2 * KILLS
        server.add("seed", corpus.generate(MESSAGES))
        server.register(map(self.user, range(self.rounds)))
        server.add_like("witness", "seed")
        server.start()
        served = server.served("witness")
        self.wanted = wire.digests(served)
        self.by_inode = self._identify(served)
        self.seconds = []
        self.lock = threading.Lock()
        self.hits = self.misses = 0
        self.states = {"nothing": 0, "a part": 0, "everything": 0}

    @staticmethod
    def user(number):
        """The user of a round."""
        return "u%d" % number

    def _identify(self, served):
        """Which message each of the server's files is, by inode: all maildrops
        are made of links to the same files, in the order of their names."""
        files = sorted(self.server.held("seed"))
        return {os.stat(file).st_ino: wire.digest(message)
                for file, message in zip(files, served)}

    def on_server(self, user):
        """The digests of the messages the server still holds for USER."""
        inodes = [entry.inode() for sub in ("new", "cur")
                  for entry in os.scandir(self.server.folder(user, sub))]
        return [self.by_inode[inode] for inode in inodes]

    def make(self, user, keep):
        """A full maildrop for USER, and a fresh postrider to fetch it."""
        self.server.add_like(user, "seed")
        one = agent.Agent()
        deliver = {"maildir": one.path("Mail")}
        one.configure({"box": self.server.account(user, deliver, keep=keep)})
        return one

    def took(self, seconds):
        """Learn how long an undisturbed fetch takes."""
        with self.lock:
            self.seconds.append(seconds)

    def moment(self, rng):
        """A moment in the life of a fetch."""
        return rng.random() * statistics.median(self.seconds)

    def count(self, hit, delivered):
        """Note a kill, and how far the fetch had come."""
        with self.lock:
            self.hits += hit
            self.misses += not hit
            if hit:
                key = ("nothing" if not delivered else
                       "everything" if delivered == MESSAGES else "a part")
                self.states[key] += 1


def kill_once(env, one, user, rng, whole):
    """Start a fetch, kill it at a moment, and look at what stands there."""
    process = one.start("fetch")
    time.sleep(env.moment(rng))
    family = procs.descendants(process.pid)
    hit = process.poll() is None
    if whole:
        procs.kill_group(process.pid)
        for pid in family:
            procs.kill(pid)
    process.kill()
    process.wait()
    held = env.on_server(user)      # first: what is deleted there is here by then
    visible = readers.maildir(one.path("Mail"))
    env.count(hit, len(visible))
    check_visible(env, visible, held)
    return family


def check_visible(env, visible, held):
    """After a kill: whole messages only, and what the server lost is here."""
    got = wire.digests(visible)
    tap.check(not got - env.wanted, "a torn or doubled message is visible after a kill")
    lost = env.wanted - got
    lost.subtract(held)
    tap.check(not +lost, "messages neither here nor on the server", +lost)


def settle(one):
    """Fetch until it succeeds; give how long the successful one took."""
    end = time.monotonic() + PATIENCE
    while True:
        result = one.fetch()
        if result.status == 0:
            return result.seconds
        tap.check(result.status == 75 and time.monotonic() < end,
                  "no clean fetch after a kill", result)


def gone(pids):
    """Reap those of PIDS that we inherited; say whether all have ended."""
    return all([procs.reap(pid) or not os.path.exists("/proc/%d" % pid) for pid in pids])


def check_end(env, one, user, keep):
    """After the last fetch: every message once, the server as agreed, no litter."""
    tap.equal(wire.digests(readers.maildir(one.path("Mail"))) - env.wanted,
              wire.digests([]), "messages delivered twice or torn")
    tap.equal(len(readers.maildir(one.path("Mail"))), MESSAGES, "messages delivered")
    tap.equal(len(env.on_server(user)), MESSAGES if keep else 0, "messages on the server")
    tap.equal(readers.litter(one.path("Mail")), [], "files left in tmp/")
    stage = one.state + "/box/stage"
    tap.equal(os.listdir(stage) if os.path.isdir(stage) else [], [], "files left in stage/")


def play(env, number):
    """One round; its number decides everything that is random in it."""
    rng = random.Random(SEED + number)
    keep, whole = bool(number & 1), bool(number & 2)
    user = env.user(number)
    one = env.make(user, keep)
    family = []
    for _ in range(3 if number % 8 == 0 else 1):
        family += kill_once(env, one, user, rng, whole)
    settle(one)
    one.fetch_ok()
    check_end(env, one, user, keep)
    procs.wait_until(lambda: gone(family), PATIENCE, "a worker whose parent was killed")
    one.remove()


def play_until_enough(env):
    """Rounds, two at a time, until enough kills have hit a living fetch."""
    numbers = iter(range(8, env.rounds))
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        running = set()
        while env.hits < KILLS:
            running |= {pool.submit(play, env, number) for _, number
                        in zip(range(AT_ONCE - len(running)), numbers)}
            if not running:
                break
            done, running = concurrent.futures.wait(
                running, return_when=concurrent.futures.FIRST_COMPLETED)
            for future in done:
                future.result()


@contextlib.contextmanager
def world():
    """The server, and four undisturbed fetches to learn their duration."""
    server = dovecot.Dovecot()
    try:
        env = World(server)
        for number in range(4):
            one = env.make(env.user(number), bool(number & 1))
            env.took(one.fetch_ok().seconds)
            check_end(env, one, env.user(number), bool(number & 1))
        yield env
    finally:
        server.stop()


@tap.case("%d kills: %d messages each, none lost, twice or torn" % (KILLS, MESSAGES))
def kills(env):
    tap.diag("an undisturbed fetch takes %.2f s" % statistics.median(env.seconds))
    play_until_enough(env)
    tap.diag("%d kills of a living fetch, %d too late; delivered by then: %s"
             % (env.hits, env.misses, env.states))
    if env.hits < KILLS:
        tap.diag("the fetches were too fast for more")


if __name__ == "__main__":
    tap.main(world)
