# SPDX-License-Identifier: GPL-3.0-or-later
"""What the programs of the crash tests have in common: options, a crew, a
report, and the exit status."""

import argparse
import os
import sys

from . import crew, report, scenario, tools

SEED = 20260101


def parser(text):
    """Options that all of them have."""
    made = argparse.ArgumentParser(description=text,
                                   formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--soak", action="store_true", default="CRASH_SOAK" in os.environ,
                      help="ten times as much; also with CRASH_SOAK in the environment")
    made.add_argument("--seed", type=int, default=SEED, help="for what is sampled [%d]" % SEED)
    made.add_argument("--only", default="", metavar="WORD",
                      help="only what has WORD in its name")
    return made


def names(gang, options):
    """The scenarios that are swept."""
    return [n for n in scenario.SWEPT if gang.knows(n) and options.only in n]


def run(title, work, options, **gang):
    """Call work(gang, options, out) and exit."""
    out = report.Report(title)
    try:
        with crew.Crew(**gang) as hands:
            work(hands, options, out)
    except tools.Missing as missing:
        print("1..0 # SKIP %s" % missing)
        sys.exit(0)
    sys.exit(out.end())
