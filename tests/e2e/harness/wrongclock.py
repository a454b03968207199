# SPDX-License-Identifier: GPL-3.0-or-later
"""A program whose wall clock is wrong."""

import os
import subprocess

from . import agent, procs, tap

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools",
                      "wrongclock.c")
_made = []


def _library():
    """The library that makes it so, made once."""
    if not _made:
        path = procs.scratch() + "/wrongclock.so"
        done = subprocess.run([os.environ.get("CC", "cc"), "-O2", "-fPIC", "-shared", "-o", path,
                               SOURCE], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode:
            raise tap.Skip(done.stdout.decode(errors="replace"))
        _made.append(path)
    return _made[0]


def wrong(one, seconds):
    """From now on the agent ONE runs with a clock SECONDS ahead; 0 is right."""
    if agent.sanitized():
        raise tap.Skip("a program with a sanitizer cannot be preloaded")
    one.env.update(LD_PRELOAD=_library(), CLOCK_AHEAD=str(seconds))
