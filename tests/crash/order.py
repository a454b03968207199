#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""For each DELE on the wire there is an earlier durable chain of effects.

    order.py [--only WORD]

The calls of every scenario's fetches are logged; rig/order.py says what must
stand in which order.
"""

from rig import cli, crew, oracle, order, outage, play, scenario, world


def follow(name, orders=None):
    """For a crew: the verdict on one scenario, from its very first fetch on."""
    w, scene = crew.own(), scenario.ALL[name]
    verdict = play.Verdict(name)
    scene.begin(w)
    checker = order.Checker(w, scene, world.Snapshot(w.home))
    if scene.old:
        w.configure(scene, keep=True)
        w.serve(scene.old_texts())
        _fetch(verdict, w, scene, checker, orders)
    w.configure(scene)
    w.serve(scene.texts)
    checker.wire.held = dict(scene.texts)
    _fetch(verdict, w, scene, checker, orders)
    for text in checker.wrong:
        verdict.blame("order", text)
    wanted = 0 if scene.keep else len(scene.texts)
    if checker.deleted != wanted and not scene.mda_args:
        verdict.blame("order", "%d DELE, wanted %d" % (checker.deleted, wanted))
    play.clean(verdict, w)
    verdict.add(oracle.judge(w, scene, 0))
    return verdict


def _fetch(verdict, w, scene, checker, orders):
    checker.wire.start()
    run, events = outage.logged(w, scene, **(orders or {}))
    play.note(verdict, "a fetch", run)
    checker.check(events)


def sweep(gang, options, out):
    """All scenarios."""
    names = [n for n in cli.names(gang, options) if scenario.ALL[n].accounts == 1]
    for name, verdict in zip(names, gang.map(follow, names)):
        out.judge("order: %s" % name, [verdict])


if __name__ == "__main__":
    cli.run("order", sweep, cli.parser(__doc__).parse_args())
