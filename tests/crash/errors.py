#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every error at every kind of call: nothing lost, twice or torn.

    errors.py [--soak] [--seed N] [--only WORD]

ENOSPC, EDQUOT, EIO, EINTR, EACCES, EROFS, EMFILE, ESTALE and short writes, at
each occurrence of each kind of call, once and for ever; a disk that fails
for good; memory that runs out. Then postrider runs again until nothing changes.
"""

import random

from rig import cli, places, play, scenario, shimctl

# How many places of each sort in a scenario, and in a soak.
SORTS = {"errors": (120, 1300), "dying": (15, 150), "memory": (15, 150)}


def listed(name, events, allocations, options):
    """The places in one scenario."""
    count = {sort: pair[options.soak] for sort, pair in SORTS.items()}
    seed = options.seed
    yield from places.sample(places.errors(name, events), count["errors"], seed)
    yield from places.sample(places.dying_disk(name, events), count["dying"], seed)
    yield from places.allocations(name, allocations, count["memory"], random.Random(seed))
    if name.endswith("-second"):
        # What is read must not end where memory does.
        yield from places.each_allocation(name, allocations)


def baseline(name):
    """For a crew: an undisturbed run, with all its calls."""
    return play.baseline(name, shimctl.LASTING + places.LOOKING)


def count_allocations(name):
    """For a crew: how often it asks for memory."""
    return play.baseline(name, ("malloc",))[2]


def ours(name):
    """Whether errors in a scenario hit nothing but our own programs."""
    return not (scenario.ALL[name].mda and scenario.ALL[name].kind == "procmail")


def sweep(gang, options, out):
    """All scenarios."""
    names = list(filter(ours, cli.names(gang, options)))
    runs, counts = gang.map(baseline, names), gang.map(count_allocations, names)
    for name, (_verdict, events, _count), count in zip(names, runs, counts):
        chosen = listed(name, events, count, options)
        out.judge("errors: %s" % name, gang.map(play.play, chosen))


if __name__ == "__main__":
    cli.run("errors", sweep, cli.parser(__doc__).parse_args())
