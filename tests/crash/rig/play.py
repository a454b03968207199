# SPDX-License-Identifier: GPL-3.0-or-later
"""One place: the run with the fault, the clean runs, the verdict."""

import re
from dataclasses import dataclass, field

from . import crew, meanwhile, oracle, order, scenario, shimctl

CLEAN_RUNS = 3
# What our own code may say at the end (sysexits.h); anything else is a crash.
CODES = (0, 69, 70, 71, 73, 74, 75, 76, 77, 78)
_DIED = re.compile(r"killed by signal (4|5|6|7|8|11)\b|Sanitizer|double free|corrupted")


@dataclass
class Verdict:
    """What came of one place."""

    place: object
    hit: bool = True
    wrong: dict = field(default_factory=dict)       # word: complaints
    runs: list = field(default_factory=list)        # (what, status, errors)
    seconds: float = 0.0
    met: str = ""                                   # which neighbours

    def blame(self, word, *texts):
        """Complain."""
        self.wrong.setdefault(word, []).extend(texts)

    def add(self, complaints):
        """Complain as an oracle does."""
        for word, texts in complaints.items():
            self.blame(word, *texts)


def note(verdict, what, run):
    """Keep what a run came to, and complain of one that was stuck or crashed."""
    verdict.runs.append((what, run.status, run.errors))
    verdict.seconds += run.seconds
    if run.stuck:
        verdict.blame("stuck", "%s did not end within %.0f s" % (what, run.seconds))
    died = _DIED.search(run.errors)
    if (died or (run.code is not None and run.code not in CODES)
            or run.signal not in (None, 9, 15)):
        verdict.blame("crashed", "%s: status %d: %s" % (what, run.status,
                                                        died and died.group(0)))


def _faulty(verdict, w, scene, fault, what):
    flags = list(verdict.place.plant) + ["fast-sleep"] * (not fault.kills)
    flags += ["mda"] * scene.mda
    # A flush that failed must have been heeded.
    flush = fault.action == "fail" and bool(set(fault.kinds) & set(shimctl.SYNCS))
    flags += ["log"] * flush
    w.shim.order(**fault.orders(), flags=flags, clock_step=scene.clock_step)
    note(verdict, what, w.run(shim=True, leave="hasty" in verdict.place.meanwhile))
    if fault.action == "fail" and verdict.runs[-1][1] >> 8 in (76, 77):
        verdict.blame("class", "%s: the server is blamed for %s" % (what, fault.error))
    for text in order.behind_failure(w.shim.log()) if flush else ():
        verdict.blame("order", text)
    return bool(w.shim.counts()["hits"])


def clean(verdict, w, later=0):
    """Clean runs until nothing changes, at most CLEAN_RUNS; some time LATER."""
    before = None
    w.shim.order(later=later, kinds=())
    for number in range(1, CLEAN_RUNS + 1):
        run = w.run(shim=bool(later or w.pretends))
        note(verdict, "clean run %d" % number, run)
        after = oracle.picture(w)
        if run.stuck or (run.code == 0 and after == before):
            return
        before = after
    if run.code != 0:
        verdict.blame("stuck", "clean run %d: status %d: %s" % (number, run.status,
                                                               run.errors.strip()[-300:]))


def play(place):
    """Play one place in the world of this process."""
    w, scene = crew.own(), scenario.ALL[place.scenario]
    w.program = place.program
    verdict = Verdict(place)
    scene.start(w, crew.before(place.scenario))
    w.configure(scene)
    others = meanwhile.Others(w, scene)
    for number, fault in enumerate(place.faults, 1):
        hit = _faulty(verdict, w, scene, fault, "run %d" % number)
        verdict.hit = verdict.hit and hit
        verdict.add(oracle.judge_moment(w, scene))
        for word in place.meanwhile:
            others.come(word, fault.at)
    verdict.met = others.said()
    clean(verdict, w, others.later)
    verdict.add(oracle.judge(w, scene, place.crashes, others.excuse))
    return verdict


def baseline(name, kinds, flags=()):
    """A run of a scenario in which nothing goes wrong: its verdict, the calls
    it made, and how many were counted."""
    w, scene = crew.own(), scenario.ALL[name]
    verdict = Verdict(name)
    scene.start(w, crew.before(name))
    w.configure(scene)
    w.shim.order(flags=("log", *flags) + (("mda",) if scene.mda else ()), kinds=kinds,
                 clock_step=scene.clock_step)
    note(verdict, "the run", w.run(shim=True))
    events, counts = w.shim.log(), w.shim.counts()
    clean(verdict, w)
    verdict.add(oracle.judge(w, scene, 0))
    return verdict, events, counts["count"]
