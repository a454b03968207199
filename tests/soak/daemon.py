#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""An hour of kills, reloads (half of them broken), signals and pauses, while
mail comes in for every kind of destination: no message lost or doubled, and the
daemon does not grow.

	daemon.py [SECONDS [SEED]]
"""

import contextlib
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + "/e2e")

from harness import chaos, tap      # noqa: E402

NUMBERS = [int(word) for word in sys.argv[1:]] + [3600, 1][len(sys.argv) - 1:]
SECONDS, SEED = NUMBERS


@tap.case("%d s of kills, reloads, signals and pauses, seed %d" % (SECONDS, SEED))
def everything(env):
    env.run(SECONDS, 0.5)
    env.settle(300)
    env.report()
    env.judge()


@contextlib.contextmanager
def world():
    """A daemon that lives for a minute or two between its deaths."""
    env = chaos.Chaos(SEED, deadly=0.1)
    try:
        yield env
    finally:
        env.close()


if __name__ == "__main__":
    sys.argv[1:] = []
    tap.main(world, limit=SECONDS + 1200)
