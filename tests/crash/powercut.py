#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Power cuts: nothing lost or twice, whatever the disk made of what was not flushed.

    powercut.py [--soak] [--seed N] [--only WORD]

From the calls of a whole fetch, the states that a power cut may leave after
each of them are made, as rig/fsmodel.py explains; then the program runs on
each of them, and sometimes meets the next power cut.
"""

import itertools

from rig import cli, fsmodel, outage, scenario

WANTED = 5000


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


def sweep(gang, options, out):
    """All scenarios."""
    every = tasks(list(filter(modelled, cli.names(gang, options))), options)
    results = zip(every, gang.map(outage.explore, every, 1))
    for name, some in itertools.groupby(results, lambda pair: pair[0][0]):
        out.judge("power cuts: %s" % name, itertools.chain.from_iterable(
            verdicts for _task, verdicts in some))


if __name__ == "__main__":
    cli.run("power cuts", sweep, cli.parser(__doc__).parse_args())
