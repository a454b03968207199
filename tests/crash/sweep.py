#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults at every call of a fetch that lasts: nothing lost, twice or torn.

    sweep.py [--soak] [--seed N] [--only WORD] kill|errors|place PLACE...

`kill` ends processes, `errors` makes calls fail; `place` plays single places
as the reports name them and shows all that happened.
"""

import argparse
import random
import sys

from rig import crew, places, play, report, scenario, shimctl, tools

SEED = 20260101
# A scenario whose places are too many for every run: how many of them.
SOME = {"maildir-two-batches": 300, "mbox-two-batches": 300, "procmail-keep-8": 150,
        "procmail-delete-8": 150, "procmail-keep-lone": 100, "procmail-delete-lone": 100}


def _baseline(name):
    return play.baseline(name, shimctl.LASTING)


def _baseline_all(name):
    return play.baseline(name, shimctl.LASTING + places.LOOKING)


def _count_allocations(name):
    return play.baseline(name, ("malloc",))[2]


def _others(scene):
    """Who else may come to a destination."""
    if scene.kind == "maildir":
        return ["cleaner"] if scene.gzip else ["reader", "cleaner"]
    if scene.kind != "mbox" or scene.torn_end:
        return []
    return ["writer"] if scene.gzip else ["writer", "rewriter"]


def kill_places(name, events, options):
    """The places of the kill sweep in one scenario."""
    soak, seed = options.soak, options.seed
    every = list(places.kills(name, events))
    yield from every if soak else places.sample(every, SOME.get(name, 10 ** 9), seed)
    yield from places.sample(places.other_victims(name, events), 10 ** 9 if soak else 24, seed)
    for who in _others(scenario.ALL[name]):
        yield from places.sample(places.with_others(name, events, who),
                                 10 ** 9 if soak else 24, seed)
    yield from places.sample(places.stops(name, events), 10 ** 9 if soak else 12, seed)
    yield from places.sample(places.hasty(name, events), 10 ** 9 if soak else 8, seed)
    yield from places.compound(name, events, 1500 if soak else 16, random.Random(seed))


def error_places(name, events, allocations, options):
    """The places of the error sweep in one scenario."""
    soak, seed = options.soak, options.seed
    yield from places.sample(places.errors(name, events), 1300 if soak else 120, seed)
    yield from places.sample(places.dying_disk(name, events), 150 if soak else 15, seed)
    yield from places.allocations(name, allocations, 150 if soak else 15, random.Random(seed))


def _names(gang, options):
    return [n for n in scenario.SWEPT if gang.knows(n) and options.only in n]


def _ours(name):
    """Whether errors in a scenario hit nothing but our own programs."""
    return not (scenario.ALL[name].mda and scenario.ALL[name].kind == "procmail")


def sweep_kill(gang, options, out):
    """Every lasting call, before and after."""
    names = _names(gang, options)
    for name, (verdict, events, _count) in zip(names, gang.map(_baseline, names)):
        out.judge("undisturbed %s" % name, [verdict])
        out.judge("kill in %s" % name, gang.map(play.play, kill_places(name, events, options)))


def sweep_errors(gang, options, out):
    """Every error at every kind of call."""
    names = list(filter(_ours, _names(gang, options)))
    first = gang.map(_baseline_all, names)
    counts = gang.map(_count_allocations, names)
    for name, (_verdict, events, _count), count in zip(names, first, counts):
        chosen = error_places(name, events, count, options)
        out.judge("errors in %s" % name, gang.map(play.play, chosen))


def play_places(gang, options, out):
    """Single places, with everything that was said."""
    for text in options.place:
        for verdict in gang.map(play.play, [places.parse(text)]):
            out.judge(text, [verdict])
            if not verdict.wrong:
                out.show(verdict)


def main(arguments=None):
    """Do as told."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sweep", choices=("kill", "errors", "place"))
    parser.add_argument("place", nargs="*")
    parser.add_argument("--soak", action="store_true")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--only", default="")
    options = parser.parse_args(arguments)
    out = report.Report(options.sweep)
    try:
        with crew.Crew() as gang:
            {"kill": sweep_kill, "errors": sweep_errors,
             "place": play_places}[options.sweep](gang, options, out)
    except tools.Missing as missing:
        print("1..0 # SKIP %s" % missing)
        return 0
    return out.end()


if __name__ == "__main__":
    sys.exit(main())
