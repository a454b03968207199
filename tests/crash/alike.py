#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mail that resembles mail, and others at work: kills, errors and power cuts.

    alike.py [--soak] [--seed N] [--only WORD]

The messages are those of rig/alike.py, all of one second. Between what goes
wrong and the next run honest neighbours come to the destination, as
rig/neighbours.py says. Every message is there at the end, as often as it was
on the server, but for what a neighbour has to answer for.
"""

from rig import cli, fsmodel, outage, places, play, scenario, shimctl

# Of each kind of run, over all scenarios.
WANTED = 6000


def share(options, ways):
    """How many in each of the ways; some are not reached."""
    return options.count * (10 if options.soak else 1) * 105 // 100 // ways + 1


def baseline(name):
    """For a crew: an undisturbed run with all its calls."""
    return play.baseline(name, shimctl.LASTING)


def look_around(name):
    """For a crew: the same, with those that only look."""
    return play.baseline(name, shimctl.LASTING + places.LOOKING)


def kills(gang, names, options, out):
    """Deaths."""
    count = share(options, len(names))
    for name, (verdict, events, _count) in zip(names, gang.map(baseline, names)):
        out.judge("undisturbed: %s" % name, [verdict])
        # Several times, each time with other neighbours.
        every = [place for n in range(1 + count // 100)
                 for place in places.alike(name, events, options.seed + 100_000 * n)]
        out.judge("kill: %s" % name, gang.map(
            play.play, places.sample(every, count, options.seed)))


def errors(gang, names, options, out):
    """Calls that fail."""
    count = share(options, len(names))
    for name, (_verdict, events, _count) in zip(names, gang.map(look_around, names)):
        every = places.sample(places.errors(name, events), count * 5 // 6, options.seed)
        every += places.sample(places.dying_disk(name, events), count - len(every), options.seed)
        out.judge("errors: %s" % name, gang.map(play.play, places.near(every, options.seed)))


def power_cuts(gang, names, options, out):
    """What a disk makes of what was not flushed."""
    kinds = [(model, two) for model in fsmodel.MODELS for two in (False, True)]
    count = share(options, len(names) * len(kinds))
    for name in names:
        tasks = [(name, *kind, count, options.seed + n) for n, kind in enumerate(kinds)]
        out.judge("power cuts: %s" % name, (
            verdict for some in gang.map(outage.explore_near, tasks, 1) for verdict in some))


def sweep(gang, options, out):
    """All scenarios, in all three ways."""
    names = [n for n in scenario.ALIKE if options.only in n]
    for what, work in (("kills", kills), ("errors", errors), ("power cuts", power_cuts)):
        if options.way in what:
            work(gang, names, options, out)
            out.section(what)


if __name__ == "__main__":
    made = cli.parser(__doc__)
    made.add_argument("--count", type=int, default=WANTED, help="of each [%d]" % WANTED)
    made.add_argument("--way", default="", help="only kills, errors or power cuts")
    cli.run("alike", sweep, made.parse_args())
