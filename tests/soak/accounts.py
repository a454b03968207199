#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""1,000 accounts on one Dovecot, 20 of them broken, for ten minutes: no healthy
one is late by more than a second and its own pass, and the daemon stays small.

	accounts.py [SECONDS [ACCOUNTS]]
"""

import contextlib
import os
import random
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + "/e2e")

from harness import agent, crowd, procs, tap        # noqa: E402
from harness.daemon import running                  # noqa: E402

NUMBERS = [int(word) for word in sys.argv[1:]] + [600, 1000][len(sys.argv) - 1:]
SECONDS, ACCOUNTS = NUMBERS
BROKEN = ACCOUNTS // 50
INTERVAL = 60
LATE = 1.0          # seconds
MEMORY = 12 * 1024  # KiB


def watch(env, daemon, rng):
    """Let mail come in, and look at the daemon every few seconds."""
    end, largest, most = time.monotonic() + SECONDS, 0, 0
    while time.monotonic() < end:
        for _ in range(10):
            env.mail(rng.choice(env.good))
        env.alive(daemon)
        largest = max(largest, daemon.memory())
        most = max(most, len(daemon.workers()))
        time.sleep(5)
    tap.diag("%d KiB resident at most, %d at its peak; %d workers at once"
             % (largest, daemon.memory("VmHWM"), most))
    return daemon.memory("VmHWM")


def about(daemon, name):
    """The lines of the log about an account."""
    return [line for line in daemon.log().splitlines() if '"%s"' % name in line]


def judge_lateness(env, daemon):
    """Report how late the polls were, and fail if one was too late."""
    late, polls = env.lateness(daemon), env.polls(daemon)
    fewest = min(map(len, polls.values()))
    tap.diag("%d polls of %d accounts, %d or more of each; late by %.3f s at most, "
             "99 of 100 by %.3f, half by %.3f" % (len(late), len(env.good), fewest, late[-1],
                                                  late[len(late) * 99 // 100],
                                                  late[len(late) // 2]))
    tap.diag("%d polls were late by more than %.0f s" % (sum(x > LATE for x in late), LATE))
    tap.check(fewest >= SECONDS // INTERVAL, "an account was polled %d times" % fewest)
    tap.check(late[-1] <= LATE, "a healthy account was late by %.3f s" % late[-1])


@tap.case("%d accounts, %d of them broken, for %d s" % (ACCOUNTS, BROKEN, SECONDS))
def accounts(env):
    rng = random.Random(1)
    with running(env.one) as daemon:
        before = sorted(set(daemon.descriptors()))
        peak = watch(env, daemon, rng)
        for name, kind in env.bad.items():
            tap.check(daemon.said('"account":"%s"' % name), "no word about %s, which is %s" % (name, kind))
        open_now = sorted(set(crowd.quiet(daemon)))
        tap.equal(open_now, before, "descriptors")
        for name, moments in env.polls(daemon).items():
            tap.check(env.logins()[name] == len(moments), "%s: %d logins, %d polls" % (
                name, env.logins()[name], len(moments)), *about(daemon, name))
        judge_lateness(env, daemon)
        daemon.one.expect(0, "poll", *env.sent)
        procs.wait_until(env.arrived, 120, "all mail")
        tap.equal(daemon.zombies(), [], "zombies")
    if not agent.sanitized():
        tap.check(peak <= MEMORY, "it needed %d KiB" % peak)


@contextlib.contextmanager
def world():
    """The crowd, and Dovecot."""
    env = crowd.Crowd(ACCOUNTS - BROKEN, BROKEN, INTERVAL, per_host=100)
    try:
        yield env
    finally:
        env.close()


if __name__ == "__main__":
    sys.argv[1:] = []
    tap.main(world, limit=SECONDS + 900)
