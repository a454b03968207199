#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""100 accounts on one server, some of them broken in every way: each healthy one
is polled again and again meanwhile. tests/soak/accounts.py has 1,000 accounts
and looks at the clock."""

import contextlib

from harness import agent, crowd, procs, tap
from harness.daemon import running

HEALTHY, INTERVAL = 94, 5
NEVER = dict.fromkeys(("connect", "tls", "greeting", "command", "login", "body"), "1h")


def hangs(daemon, env):
    """The broken accounts of which a pass runs."""
    return {name for name in env.bad if daemon.state(name) == "running"}


@tap.case("the healthy accounts are polled, and get their mail, while broken ones hang")
def polled(env):
    stuck = {name for name, kind in env.bad.items() if kind in ("silent", "drips", "drips late")}
    with running(env.one) as daemon:
        procs.wait_until(lambda: hangs(daemon, env) == stuck, 300, "%s to hang" % stuck)
        for rounds in (1, 2, 3):
            for name in env.good[rounds::3]:
                env.mail(name)
            env.alive(daemon)
            wanted = {name: len(polls) + 2 for name, polls in env.polls(daemon).items()}
            procs.wait_until(lambda wanted=wanted: not [
                name for name, polls in env.polls(daemon).items() if len(polls) < wanted[name]
            ], 300, "two more polls of each")
            procs.wait_until(env.arrived, 300, "all mail")
        tap.equal(hangs(daemon, env), stuck, "those that hang")
        for name in set(env.bad) - stuck:
            tap.check(daemon.said('"account":"%s"' % name), "no word about " + name)


@contextlib.contextmanager
def world():
    """The crowd, one of each broken kind, and Dovecot."""
    agent.binary()
    env = crowd.Crowd(HEALTHY, len(crowd.KINDS), INTERVAL, timeouts=NEVER, per_host=32)
    try:
        yield env
    finally:
        env.close()


if __name__ == "__main__":
    tap.main(world)
