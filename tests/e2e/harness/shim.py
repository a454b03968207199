# SPDX-License-Identifier: GPL-3.0-or-later
"""System calls that fail for a running daemon, through the crash tests' shim."""

import contextlib
import os
import sys

from . import agent, tap

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__)))) + "/crash")

from rig import shimctl, tools      # noqa: E402


@contextlib.contextmanager
def preloaded(one, log_size=4096):
    """Have the agent ONE run with the shim meanwhile; gives what orders it."""
    if agent.sanitized():
        raise tap.Skip("a program with a sanitizer cannot be preloaded")
    try:
        library = tools.shim(one.home)
    except tools.Missing as missing:
        raise tap.Skip(missing) from None
    shim = shimctl.Shim(one.path("shim"), library, log_size=log_size)
    one.env.update(shim.environment())
    try:
        yield shim
    finally:
        for name in shim.environment():
            del one.env[name]
        shim.close()


def fail(shim, kind, error, role="parent", how_long="forever"):
    """From now on the calls of KIND fail in the processes of ROLE."""
    shim.order("fail", at=1, kinds=[kind], how_long=how_long, roles=[role], error=error)
