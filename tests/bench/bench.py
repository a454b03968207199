#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures postrider beside the other programs that are installed.

    bench.py [SCENARIO...]

Without a name all scenarios run; `bench.py list` names them. Prints one table
and writes bench.svg. $BENCH_RUNS is how often each program runs (5; the median
counts), $BENCH_PEERS which others run (all that are installed), $BENCH_DISK a
folder on the disk to measure (the current one). Needs Dovecot; servers and mail
stand in memory. These are no tests: no figure makes it fail.
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
from rig import contest, plot, programs, scenarios          # noqa: E402


def figure(value, unit=""):
    """VALUE with three digits or so."""
    if value == int(value) and value >= 10:
        text = "%d" % value
    else:
        text = "%.0f" % value if value >= 1000 else "%.3g" % value
    return (text + " " + unit).strip()


def line(row):
    """One line of the table."""
    ratio = "%.2f" % row.value if row.name else ""
    against = "%s %s" % (row.name, figure(row.theirs, row.unit)) if row.name else ""
    verdict = ""
    if row.target is not None:
        verdict = "at most %-6s %s" % (figure(row.target),
                                       "" if row.value <= row.target else "MISSED")
    return ("  %-34s %10s   %-22s %7s  %s"
            % (row.what, figure(row.ours, row.unit), against, ratio, verdict)).rstrip()


def machine():
    """One line on where this was measured."""
    versions = []
    for name in programs.installed(programs.PEERS):
        done = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Version}", name],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) \
            if shutil.which("dpkg-query") else None
        versions.append(done.stdout if done and done.stdout else name)
    return "%s, %d processors; %s" % (platform.platform(), os.cpu_count(),
                                      ", ".join(versions) or "no other program")


def run_all(names, world):
    """Run the scenarios, print each as it is done; the plot's groups."""
    groups = []
    for name in names:
        function = scenarios.SCENARIOS[name]
        print("%s: %s" % (name, function.__doc__), flush=True)
        rows = []
        for row in function(world):
            print(line(row), flush=True)
            rows.append(row)
        groups.append((function.__doc__, [r for r in rows if r.wall]))
    return [group for group in groups if group[1]]


def main():
    """The whole benchmark."""
    names = sys.argv[1:] or list(scenarios.SCENARIOS)
    unknown = [name for name in names if name not in scenarios.SCENARIOS]
    if unknown:
        sys.exit("\n".join("%-14s %s" % (name, function.__doc__)
                           for name, function in scenarios.SCENARIOS.items()))
    if os.access("/dev/shm", os.W_OK):
        tempfile.tempdir = "/dev/shm"
    procs.adopt_orphans()
    arena = contest.Arena(os.environ.get("BENCH_DISK", os.getcwd()),
                          os.path.abspath("tests/bench/flush.so"))
    world = scenarios.World(arena)
    print(machine())
    print("  %-34s %10s   %-22s %7s  %s"
          % ("", "postrider", "against", "ratio", "target"))
    try:
        groups = run_all(names, world)
        if groups:
            plot.draw(groups, "bench.svg")
    finally:
        world.stop()
        arena.remove()
        procs.clean_up()


if __name__ == "__main__":
    main()
