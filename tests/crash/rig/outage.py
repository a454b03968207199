# SPDX-License-Identifier: GPL-3.0-or-later
"""Power cuts: a logged run, the states it may leave behind, what follows."""

import os
import random
import time
from dataclasses import dataclass

from . import crew, fsmodel, fsstate, meanwhile, oracle, places, play, scenario, shimctl, wire

# How much of what was not flushed is on the disk: names, contents. The first
# four are tried at every moment, the fifth as often as is wanted.
EXTREMES = (("none", "none"), ("all", "none"), ("none", "all"), ("all", "all"))
SOME = ("some", "some")
OFF = 600               # seconds that the machine was without power


@dataclass(frozen=True)
class Cut:
    """A power cut, as the reports name it."""

    model: str
    two: bool               # the state has a file system of its own
    at: int                 # after which call of the log
    names: str
    data: str
    seed: int

    def __str__(self):
        return "%s%s@%d:%s:%s#%d" % (self.model, "2" * self.two, self.at,
                                     self.names, self.data, self.seed)

    @classmethod
    def parse(cls, text):
        """A cut from its text."""
        model, rest = text.split("@")
        at, names, end = rest.split(":")
        data, seed = end.split("#")
        return cls(model.rstrip("2"), model.endswith("2"), int(at), names, data, int(seed))


@dataclass(frozen=True)
class Outage:
    """A scenario and its power cuts, one while recovering from the other; with
    a fault, they come in the run after the one that met it."""

    scenario: str
    cuts: tuple
    fault: object = None
    near: str = ""          # which neighbours come behind the last cut, if any

    def __str__(self):
        return "/".join([self.scenario, *map(str, filter(None, (self.fault,))),
                         *map(str, self.cuts)]
                        + [places.NEAR + self.near] * bool(self.near))


def logged(w, scene, **orders):
    """A run with nothing wrong but what ORDERS say; its calls."""
    flags = ("log",) + tuple(orders.pop("flags", ())) + (("mda",) if scene.mda else ())
    w.shim.order(flags=flags, clock_step=scene.clock_step, **orders)
    run = w.run(shim=True)
    w.last = w.number()
    return run, w.shim.log()


def matters(event):
    """Whether a power cut after this call can find another state."""
    return event.ok and not fsstate.is_comfort(event.path) and (event.kind in shimctl.LASTING[:shimctl.KIND["times"]]
                         or event.kind == "send" and b"QUIT" in event.data)


def moments(w, scene, base, events, model, two, earlier=()):
    """At each call that matters: its place in the log, the disk, the server.
    EARLIER are the calls of a run before it, which the kernel still knows."""
    disk = fsmodel.Disk(w.home, base, model, two)
    server = wire.Wire(scene.texts if not isinstance(base, fsstate.State) else base.served)
    for event in earlier:
        disk.apply(event)
        server.apply(event)
    server.start()
    for event in events:
        disk.apply(event)
        server.apply(event)
        if matters(event):
            yield event.order, disk, server


def crash(disk, server, cut, number):
    """The state that a cut leaves behind; NUMBER is the inode of an mbox."""
    state = disk.crash(random.Random(cut.seed), cut.names, cut.data)
    state.served, state.number = dict(server.held), number
    return state


def set_up(w, state):
    """The machine is back: its files are some time old, and the process ids
    that they name belong to somebody else."""
    w.mail = "mail"
    w.restore(state, state.number)
    w.serve(state.served)
    for path, _mode, _data in state.files:
        if path.endswith(".lock"):
            _other_owner(w.home + path)
        then = min(os.stat(w.home + path).st_mtime, w.second or time.time()) - OFF
        os.utime(w.home + path, (then, then))


def _other_owner(path):
    with open(path, "rb") as file:
        owner, blank, rest = file.read().partition(b" ")
    if owner.isdigit() and blank:
        with open(path, "wb") as file:
            file.write(b"%d %s" % (os.getppid(), rest))


def recover(w, scene, outage, state):
    """Clean runs from a state; the verdict."""
    verdict = play.Verdict(outage)
    set_up(w, state)
    w.configure(scene)
    verdict.add(oracle.judge_moment(w, scene))
    others = meanwhile.Others(w, scene, True)
    if outage.near:
        others.come(places.NEAR + outage.near, 0)
    verdict.met = others.said()
    play.clean(verdict, w, others.later)
    verdict.add(oracle.judge(w, scene, len(outage.cuts) + bool(outage.fault), others.excuse))
    return verdict


class Explorer:
    """Plays states of one scenario until there were enough."""

    def __init__(self, name, model, two, wanted, seed, orders=None, until=(), fault=None):
        self.w, self.scene, self.name = crew.own(), scenario.ALL[name], name
        self.model, self.two = model, two
        self.wanted, self.seed = wanted, seed
        self.orders, self.until = orders or {}, set(until)
        self.fault, self.earlier = fault, ()
        self.seen, self.verdicts = set(), []
        self.near = self.number = 0

    def explore(self):
        """The first run, then runs from some of the states it may leave."""
        base = crew.before(self.name)
        self.scene.start(self.w, base)
        self.w.configure(self.scene)
        if self.fault:
            _run, self.earlier = logged(self.w, self.scene, **self.fault.orders())
        _run, events = logged(self.w, self.scene, **self.orders)
        self.number = self.w.last
        if self.fault:
            self._from(base, events, (), self.wanted)
            return self.verdicts
        self._from(base, events, (), self.wanted * 2 // 3)
        rng, tried = random.Random(self.seed), 0
        while not self._enough(self.wanted) and tried < 40:
            tried += 1
            self._second(base, events, rng)
        return self.verdicts

    def _enough(self, count):
        return len(self.verdicts) >= count or (
            bool(self.verdicts) and bool(self.until & set(self.verdicts[-1].wrong)))

    def _second(self, base, events, rng):
        """A cut, and more of them while the next run recovers from it."""
        at, seed = rng.choice([e.order for e in events if matters(e)]), rng.getrandbits(31)
        cut = Cut(self.model, self.two, at, *SOME, seed)
        state = replay(self.w, self.scene, base, events, cut, self.number)
        set_up(self.w, state)
        self.w.configure(self.scene)
        _run, more = logged(self.w, self.scene, **self.orders)
        self._from(state, more, (cut,), min(self.wanted, len(self.verdicts) + 25))

    def _from(self, base, events, cuts, enough):
        count = sum(map(matters, events)) or 1
        random_ones = max(1, (enough - len(self.verdicts)) // count - 2)
        chosen, number = random.Random(self.seed), self.w.last
        picks = [c for c in EXTREMES] + [SOME] * random_ones
        share = (enough - len(self.verdicts)) / (count * len(picks) * 0.6)
        for at, disk, server in moments(self.w, self.scene, base, events,
                                        self.model, self.two, self.earlier):
            for names, data in picks:
                if self._enough(enough):
                    return
                seed = chosen.getrandbits(31)
                if chosen.random() < share:
                    self._one(disk, server, number, cuts + (Cut(
                        self.model, self.two, at, names, data, seed),))

    def _one(self, disk, server, number, cuts):
        state = crash(disk, server, cuts[-1], number)
        key = (state.key(), tuple(sorted(state.served)))
        if key not in self.seen:
            self.seen.add(key)
            near = str(self.near + len(self.verdicts)) if self.near else ""
            self.verdicts.append(recover(self.w, self.scene, Outage(
                self.name, cuts, self.fault, near), state))


def replay(w, scene, base, events, cut, number, earlier=()):
    """The state that a cut leaves behind, from the log."""
    for at, disk, server in moments(w, scene, base, events, cut.model, cut.two, earlier):
        if at == cut.at:
            return crash(disk, server, cut, number)
    raise ValueError("no call %d in the log" % cut.at)


def explore(task):
    """For a crew: the arguments of an Explorer."""
    return Explorer(*task).explore()


def explore_near(task):
    """The same, with neighbours behind each power cut."""
    explorer = Explorer(*task)
    explorer.near = explorer.seed * 1000
    return explorer.explore()


def play_outage(text):
    """For a crew: one outage, from its text."""
    name, *words = text.split("/")
    near = words.pop()[len(places.NEAR):] if words[-1].startswith(places.NEAR) else ""
    fault = places.parse_fault(words.pop(0)) if "#" not in words[0] else None
    cuts = tuple(map(Cut.parse, words))
    w, scene = crew.own(), scenario.ALL[name]
    state, earlier = crew.before(name), ()
    scene.start(w, state)
    w.configure(scene)
    if fault:
        _run, earlier = logged(w, scene, **fault.orders())
    for cut in cuts:
        w.configure(scene)
        _run, events = logged(w, scene)
        state = replay(w, scene, state, events, cut, w.last, earlier)
        earlier = ()
        set_up(w, state)
    return recover(w, scene, Outage(name, cuts, fault, near), state)


