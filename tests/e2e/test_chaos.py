#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Twenty seconds of kills, reloads, signals and pauses. tests/soak/daemon.py has
the hour."""

import contextlib
import os

from harness import agent, chaos, popd, tap

SEED = int(os.environ.get("E2E_SEED", "1"))


@tap.case("20 s of kills, reloads, signals and pauses: no message lost or doubled")
def everything(env):
    env.run(20, 0.15)
    env.settle(300)
    env.report()
    env.judge()


@contextlib.contextmanager
def world():
    """A daemon that does not know yet what will come."""
    popd.program("POPD", "tests/server/popd")
    agent.binary()
    env = chaos.Chaos(SEED)
    try:
        yield env
    finally:
        env.close()


if __name__ == "__main__":
    tap.main(world)
