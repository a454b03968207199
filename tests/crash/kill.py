#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""SIGKILL at every call of a fetch that lasts: nothing lost, twice or torn.

    kill.py [--soak] [--seed N] [--only WORD]

Before and after each call and half-way through each write; the process that
makes the call, another one, or all of them. Then postrider runs again until
nothing changes, in some places beside other programs, in some into a second
fault.
"""

import random

from rig import cli, places, play, scenario, shimctl

# Scenarios with too many places for every run, and how many are taken.
SOME = {"maildir-two-batches": 400, "mbox-two-batches": 400, "procmail-keep-8": 150,
        "procmail-delete-8": 150, "procmail-keep-lone": 100, "procmail-delete-lone": 100}
ALL = 10 ** 9


def others(scene):
    """Who else may come to a destination."""
    if scene.kind == "maildir":
        return ["cleaner"] if scene.gzip else ["reader", "cleaner"]
    if scene.kind != "mbox" or scene.torn_end:
        return []
    return ["writer"] if scene.gzip else ["writer", "rewriter"]


def listed(name, events, options):
    """The places in one scenario."""
    soak, seed = options.soak, options.seed

    def some(what, count):
        return places.sample(what, ALL if soak else count, seed)
    yield from some(places.kills(name, events), SOME.get(name, ALL))
    yield from some(places.other_victims(name, events), 24)
    for who in others(scenario.ALL[name]):
        yield from some(places.with_others(name, events, who), 24)
    yield from some(places.stops(name, events), 12)
    yield from some(places.hasty(name, events), 8)
    yield from places.compound(name, events, 1500 if soak else 16, random.Random(seed))


def baseline(name):
    """For a crew: an undisturbed run."""
    return play.baseline(name, shimctl.LASTING)


def sweep(gang, options, out):
    """All scenarios."""
    names = cli.names(gang, options)
    for name, (verdict, events, _count) in zip(names, gang.map(baseline, names)):
        out.judge("undisturbed: %s" % name, [verdict])
        out.judge("kill: %s" % name, gang.map(play.play, listed(name, events, options)))


if __name__ == "__main__":
    cli.run("kill", sweep, cli.parser(__doc__).parse_args())
