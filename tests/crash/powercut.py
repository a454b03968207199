#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Power cuts: nothing lost or twice, whatever the disk made of what was not flushed.

    powercut.py [--soak] [--seed N] [--only WORD] [PLACE...]

From the calls of a whole fetch, the states that a power cut may leave after
each of them are made, as rig/fsmodel.py explains; then the program runs on
each of them. PLACE plays single states as the reports name them.
"""

import argparse
import itertools
import sys

from rig import crew, fsmodel, outage, report, scenario, tools

SEED = 20260101
WANTED = 5000


def _modelled(scene):
    """The real procmail flushes nothing, which is not for us to prove; of the
    test's own program we must know what it did."""
    return scene.kind != "procmail" and (scene.kind != "pipe" or scene.mda)


def tasks(options):
    """What is explored: every scenario, every model, one file system or two."""
    names = [n for n in scenario.SWEPT if options.only in n
             and _modelled(scenario.ALL[n])]
    kinds = [(model, two) for model in fsmodel.MODELS for two in (False, True)]
    every = [(name, *kind) for name in names for kind in kinds]
    wanted = WANTED * (10 if options.soak else 1) * 21 // 20 // len(every) + 1
    return [(*one, wanted, options.seed + n) for n, one in enumerate(every)]


def main():
    """Do as told."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("place", nargs="*")
    parser.add_argument("--soak", action="store_true")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    out = report.Report("power cuts")
    try:
        with crew.Crew() as gang:
            for verdict in gang.map(outage.play_outage, options.place):
                out.judge(str(verdict.place), [verdict])
                out.show(verdict)
            if not options.place:
                every = tasks(options)
                results = zip(every, gang.map(outage.explore, every, 1))
                for name, some in itertools.groupby(results, lambda pair: pair[0][0]):
                    out.judge("power cuts in %s" % name, itertools.chain.from_iterable(
                        verdicts for _task, verdicts in some))
    except tools.Missing as missing:
        print("1..0 # SKIP %s" % missing)
        return 0
    return out.end()


if __name__ == "__main__":
    sys.exit(main())
