#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Power cuts: nothing lost or twice, whatever the disk made of what was not flushed.

    powercut.py [--soak] [--seed N] [--only WORD]

From the calls of a whole fetch, the states that a power cut may leave after
each of them are made, as rig/fsmodel.py explains; then the program runs on
each of them, and sometimes meets the next power cut. Sometimes a kill comes
first: what the killed run left to the kernel alone must not be relied on.
"""

import itertools

from rig import cli, fsmodel, outage, places, play, scenario, shimctl

WANTED = 5000
# Kills in each scenario, and states of the run after each.
KILLS, STATES = 30, 4


def modelled(name):
    """The real procmail flushes nothing, which is not for us to prove; of the
    test's own program we must know what it did. The model follows one session."""
    scene = scenario.ALL[name]
    return scene.accounts == 1 and scene.kind != "procmail" and (scene.kind != "pipe" or scene.mda)


def tasks(names, options):
    """What is explored: every scenario, every model, one file system or two."""
    kinds = [(model, two) for model in fsmodel.MODELS for two in (False, True)]
    every = [(name, *kind) for name in names for kind in kinds]
    # A few more, since some scenarios have not so many states.
    wanted = WANTED * (10 if options.soak else 1) * 21 // 20 // len(every) + 1
    return [(*one, wanted, options.seed + n) for n, one in enumerate(every)]


def kills(name):
    """For a crew: kills in a scenario. What was made before it talks to the
    server is left out: a folder of which only the name is missing on the disk
    is known to be there by all file systems that count."""
    _verdict, events, _count = play.baseline(name, shimctl.LASTING)
    first = next(e.number for e in events if e.kind == "send")
    return [places.Fault(action, e.number, victim="all") for e in events
            for action in ("kill-after", "kill-half")
            if e.number > first and e.role == "worker"
            and (action == "kill-after" or e.kind in shimctl.WRITES)]


def after_kills(name, faults, options):
    """Power cuts behind some of the kills, every model in turn."""
    kinds = [(model, two) for model in fsmodel.MODELS for two in (False, True)]
    wanted = KILLS * (10 if options.soak else 1)
    for n, fault in enumerate(places.sample(faults, wanted, options.seed)):
        yield (name, *kinds[n % len(kinds)], STATES, options.seed + n, None, (), fault)


def sweep(gang, options, out):
    """All scenarios."""
    names = list(filter(modelled, cli.names(gang, options)))
    for name, faults in zip(names, gang.map(kills, names)):
        out.judge("power cuts after a kill: %s" % name, itertools.chain.from_iterable(
            gang.map(outage.explore, after_kills(name, faults, options), 1)))
    every = tasks(names, options)
    results = zip(every, gang.map(outage.explore, every, 1))
    for name, some in itertools.groupby(results, lambda pair: pair[0][0]):
        out.judge("power cuts: %s" % name, itertools.chain.from_iterable(
            verdicts for _task, verdicts in some))


if __name__ == "__main__":
    cli.run("power cuts", sweep, cli.parser(__doc__).parse_args())
