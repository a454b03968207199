# SPDX-License-Identifier: GPL-3.0-or-later
"""A program whose wall clock is wrong, or for which a time limit passes at the
moment that a test wants, however long the machine takes for anything else."""

import os
import struct
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


class Skips:
    """From now on the time that the agent ONE measures is skipped on demand. A
    program with a sanitizer cannot be preloaded, and waits."""

    def __init__(self, one):
        self._path, self._ms = one.path("skips"), 0
        self._write()
        if not agent.sanitized():
            one.env.update(LD_PRELOAD=_library(), CLOCK_SKIPS=self._path)

    def _write(self):
        # In place: it is mapped.
        with open(self._path, "r+b" if self._ms else "wb") as file:
            file.write(struct.pack("=q", self._ms))

    def skip(self, seconds):
        """SECONDS pass, also for what runs."""
        self._ms += 1000 * seconds
        self._write()


class Impatient(Skips):
    """What a server that falls silent is given is skipped as soon as it has said
    all that it will say. SILENT() gives an item for each time that it did."""

    def __init__(self, one, silent, seconds):
        super().__init__(one)
        self._silent, self._seconds, self._seen = silent, seconds, set()
        one.meanwhile = self.look

    def look(self):
        """To be called again and again while the agent runs."""
        new = set(self._silent()) - self._seen
        self._seen |= new
        if new:
            self.skip(self._seconds)
