#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures postrider beside the other programs that are installed.

    bench.py [SCENARIO...]

Without a name all scenarios run; `bench.py list` names them. Prints one table
and writes bench.svg. $BENCH_RUNS is how often each program runs (5; the median
counts, slow ones run less often), $BENCH_PEERS which others run (all that are
installed), $BENCH_DISK a folder on the disk to measure (the current one). Needs
Dovecot; servers and mail stand in memory. These are no tests: no figure makes
it fail.
"""

import os
import platform
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))

from harness import procs                                   # noqa: E402
from rig import contest, measure, plot, programs, scenarios, table   # noqa: E402


def version(name):
    """The program NAME and its version, if the system can tell."""
    if shutil.which("dpkg-query"):
        done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", name],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        return (name + " " + done.stdout).strip()
    return name


def machine():
    """What was measured, and where."""
    there = programs.installed(programs.PEERS)
    missing = [name for name in programs.PEERS if name not in there]
    return "postrider beside %s%s\n%s, %d processors, load %.1f" % (
        ", ".join(map(version, there)) or "no other program",
        missing and "; without " + ", ".join(missing) or "",
        platform.platform(terse=True), os.cpu_count(), os.getloadavg()[0])


def run_all(names, world):
    """Run the scenarios, print each as it is done; the plot's groups."""
    groups = []
    for name in names:
        function = scenarios.SCENARIOS[name]
        print("%s: %s" % (name, function.__doc__), flush=True)
        rows = list(function(world))
        for line in table.lines(rows):
            print(line, flush=True)
        groups.append((function.__doc__, [row for row in rows if row.plot]))
    return [group for group in groups if group[1]]


def measure_all(names):
    """Run the scenarios NAMES, and draw."""
    procs.adopt_orphans()
    arena = contest.Arena(os.environ.get("BENCH_DISK", os.getcwd()),
                          os.path.abspath("tests/bench/flush.so"))
    world = scenarios.World(arena)
    print(machine(), table.head(), sep="\n")
    try:
        groups = run_all(names, world)
        if groups:
            plot.draw(groups, "bench.svg")
    except measure.Failed as failure:
        sys.exit("bench.py: postrider failed: %s" % failure)
    finally:
        world.stop()
        arena.remove()
        procs.clean_up()


def main():
    """The whole benchmark."""
    names = sys.argv[1:] or list(scenarios.SCENARIOS)
    if names == ["list"]:
        for name, function in scenarios.SCENARIOS.items():
            print("%-14s %s" % (name, function.__doc__))
        return
    unknown = [name for name in names if name not in scenarios.SCENARIOS]
    if unknown:
        sys.exit("bench.py: there is no scenario %s; `list` names them"
                 % ", ".join(unknown))
    if os.access("/dev/shm", os.W_OK):
        tempfile.tempdir = "/dev/shm"
    measure_all(names)


if __name__ == "__main__":
    main()
