#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A destination that changes from fetch to fetch, each of which may go wrong.

    switch.py [--soak] [--seed N]

Maildir, mbox, with and without compression, a program that takes or refuses:
a few fetches into one after another, with a kill or an error in most. Then one
clean fetch into each, and every message is in one of them, once, and whole.
"""

import errno
import os
import random
from dataclasses import dataclass

from rig import cli, corpus, crew, oracle, play, shimctl

GAMES = 300
DELIVER = {
    "maildir": "{maildir: %(home)s/md}",
    "maildir+gzip": "{maildir: %(home)s/mdgz, compress: gzip}",
    "mbox": "{mbox: %(home)s/box}",
    "other mbox": "{mbox: %(home)s/other}",
    "mbox+gzip": "{mbox: %(home)s/boxgz, compress: gzip}",
    "refusing": "{pipe: [%(mda)s, %(home)s/out, refuse, '1']}",
    "pipe": "{pipe: [%(mda)s, %(home)s/out]}",
}
DISK = shimctl.LASTING[:shimctl.KIND["times"]]


@dataclass
class Way:
    """What a world wants to know of a scenario."""

    kind: str
    keep: bool = False
    accounts: int = 1

    def deliver(self, w):
        """The account's `deliver`."""
        return DELIVER[self.kind] % {"home": w.home, "mda": w.programs["mda"]}


def found(w, texts):
    """How often each message is there: in files of ours, in those of the
    program; and what is torn."""
    serials = {text: serial for serial, text in texts.items()}
    ours, theirs = oracle.Found(), oracle.Found()
    for name, gzip in (("md", False), ("mdgz", True)):
        oracle.see_maildir(ours, serials, w.path(name), gzip)
    for name, gzip in (("box", False), ("other", False), ("boxgz", True)):
        oracle.see_mbox(ours, serials, w.path(name), gzip)
    oracle.see_program(theirs, serials, w.path("out"))
    return ({n: len(ours.copies[n]) for n in texts}, {n: len(theirs.copies[n]) for n in texts},
            ours.torn + theirs.torn)


def _orders(w, rng):
    """What goes wrong in the next fetch."""
    action, at = rng.choice(("kill-after", "kill-before", "kill-half", "fail", "none")), \
        rng.randint(1, 90)
    kinds = {"fail": DISK, "none": ()}.get(action, shimctl.LASTING)
    w.shim.order(action, at=at, kinds=kinds, victim="all", flags=("fast-sleep",),
                 error=rng.choice((errno.ENOSPC, errno.EDQUOT, errno.EIO)),
                 how_long=rng.choice(("once", "forever")) if action == "fail" else "once",
                 clock_step=rng.choice((0, 250)))
    return "%s@%d" % (action, at)


def _fetches(verdict, w, rng, texts):
    """The fetches that may go wrong; how many."""
    count = rng.randint(2, 5)
    for _ in range(count):
        here = [sum(copies) for copies in zip(*(f.values() for f in found(w, texts)[:2]))]
        held = w.held()
        left = {n: t for (n, t), copies in zip(texts.items(), here) if n in held or not copies}
        for n in range(len(texts) + 1, len(texts) + 1 + rng.randint(0, 4)):
            left[n] = texts[n] = corpus.message(n, rng.choice((600, 900, 5000)))
        way = Way(rng.choice(list(DELIVER)), rng.choice((True, False)))
        w.configure(way)
        w.serve(left)
        what = "%s keep %s %s" % (way.kind, way.keep, _orders(w, rng))
        play.note(verdict, what, w.run(shim=True))
    return count


def _settle(verdict, w):
    """A clean fetch into each; the last one takes what was refused."""
    w.shim.order(kinds=())
    for kind in [kind for kind in DELIVER if kind != "refusing"] + ["pipe"]:
        w.configure(Way(kind))
        run = w.run()
        play.note(verdict, "clean: " + kind, run)
    if run.code != 0:
        verdict.blame("stuck", "the last clean run: status %d" % run.status)


def game(seed):
    """For a crew: one of them; its verdict."""
    w, rng, texts = crew.own(), random.Random(seed), {}
    verdict = play.Verdict("game %d" % seed)
    w.accounts = 1
    w.clear()
    os.mkdir(w.path("out"))
    crashes = _fetches(verdict, w, rng, texts)
    _settle(verdict, w)
    ours, theirs, torn = found(w, texts)
    if torn:
        verdict.blame("torn", *torn)
    for n in texts:
        if not ours[n] + theirs[n]:
            verdict.blame("stuck" if n in w.held() else "lost", "message %d" % n)
        # Only the program may have been given one again.
        if ours[n] > 1 or ours[n] + theirs[n] > 1 + crashes:
            verdict.blame("doubled", "message %d: %d and %d" % (n, ours[n], theirs[n]))
    litter = oracle.names(w.path("state/box/stage"))
    if litter:
        verdict.blame("litter", *litter)
    return verdict


def sweep(gang, options, out):
    """All games."""
    count = GAMES * (10 if options.soak else 1)
    out.judge("destinations that change", gang.map(
        game, range(options.seed, options.seed + count)))


if __name__ == "__main__":
    cli.run("switch", sweep, cli.parser(__doc__).parse_args())
