# SPDX-License-Identifier: GPL-3.0-or-later
"""Where and how a run goes wrong: one fault, a place, and lists of places.

A place is written SCENARIO/FAULT[/FAULT...][/MEANWHILE...], a fault as

    ACTION[:ERRNO][:KINDS]@N[+|*][!VICTIM]

for the Nth call of these kinds (all lasting ones if none are named), once,
from then on (+) or every other time from then on (*). The second fault is
put into the run that recovers from the first. What else happens before that
run:

    reader    a mail reader takes away half of what it finds in the Maildir
    writer    another program appends to the mbox
    rewriter  a mail reader writes the mbox anew, with Status lines
    cleaner   two days pass, and somebody cleans the tmp/ of the Maildir
    near=N    some of the neighbours of rig/neighbours.py, as the number says, or
              those that are named: near=mutt+procmail
    hasty     nothing: it starts while what is left of the first still lives
"""

import errno
import random
import re
from dataclasses import dataclass, replace

from . import shimctl

ERRORS = ("ENOSPC", "EDQUOT", "EIO", "EINTR", "EACCES", "EROFS", "EMFILE", "ESTALE")
# Calls that may fail without anything having been changed.
LOOKING = ("open_read", "read", "stat", "recv", "poll", "socket")
NEAR = "near="
MEANWHILE = ("reader", "writer", "rewriter", "cleaner", "hasty")
_LONG = {"": "once", "+": "forever", "*": "every-other"}
_FAULT = re.compile(r"([a-z-]+)(?::(E[A-Z]+))?(?::([a-z_,]+))?@(\d+)([+*]?)(?:!(\w+))?$")


@dataclass(frozen=True)
class Fault:
    """One call that goes wrong."""

    action: str
    at: int
    kinds: tuple = ()           # all lasting ones
    error: str = ""
    how_long: str = "once"
    victim: str = "caller"

    def __str__(self):
        mark = {long: sign for sign, long in _LONG.items()}[self.how_long]
        return "%s%s%s@%d%s%s" % (
            self.action, self.error and ":" + self.error,
            ":" + ",".join(self.kinds) if self.kinds else "", self.at, mark,
            "" if self.victim == "caller" else "!" + self.victim)

    @property
    def kills(self):
        """Whether somebody dies of it."""
        return self.action.startswith("kill")

    def orders(self):
        """For Shim.order()."""
        return dict(action=self.action, at=self.at, victim=self.victim,
                    kinds=self.kinds or shimctl.LASTING, how_long=self.how_long,
                    error=getattr(errno, self.error) if self.error else 0)


def parse_fault(text):
    """A fault from its text."""
    match = _FAULT.match(text)
    if not match:
        raise ValueError("%r is no fault" % text)
    action, error, kinds, at, mark, victim = match.groups()
    return Fault(action, int(at), tuple(kinds.split(",")) if kinds else (),
                 error or "", _LONG[mark], victim or "caller")


@dataclass(frozen=True)
class Place:
    """One run with a fault, and all that follows until it is settled."""

    scenario: str
    faults: tuple
    meanwhile: tuple = ()       # of MEANWHILE
    plant: tuple = ()           # flags of the shim, for the tests of the tests
    program: str = "postrider"  # or another build of it

    def __str__(self):
        return "/".join([self.scenario, *map(str, self.faults), *self.meanwhile])

    @property
    def crashes(self):
        """How many of its faults kill, or may make a program run again."""
        return len(self.faults)


def parse(text):
    """A place from its text."""
    scenario, *rest = text.split("/")
    meanwhile = tuple(word for word in rest if word in MEANWHILE or word.startswith(NEAR))
    return Place(scenario, tuple(parse_fault(w) for w in rest if w not in meanwhile), meanwhile)


def _counted(events):
    """The counted calls of a run that went well, in their order."""
    return sorted((e for e in events if e.number), key=lambda e: e.number)


def kills(scenario, events):
    """Every lasting call, before and after, and half-way through writes."""
    for event in _counted(events):
        for action in ("kill-before", "kill-after"):
            yield Place(scenario, (Fault(action, event.number),))
        if event.kind in shimctl.WRITES and len(event.data) > 1:
            for action in ("kill-half", "kill-last"):
                yield Place(scenario, (Fault(action, event.number),))


def other_victims(scenario, events):
    """The same calls, but all processes die, or one that did not make them."""
    for event in _counted(events):
        for action in ("kill-before", "kill-after"):
            yield Place(scenario, (Fault(action, event.number, victim="all"),))
        victim = "worker" if event.role == "parent" else "parent"
        yield Place(scenario, (Fault("kill-before", event.number, victim=victim),))


def with_others(scenario, events, who):
    """Somebody else comes before postrider comes back."""
    for event in _counted(events):
        yield Place(scenario, (Fault("kill-after", event.number, victim="all"),), (who,))
        if event.kind == "write":
            for action in ("kill-half", "kill-last"):
                yield Place(scenario, (Fault(action, event.number, victim="all"),), (who,))


def hasty(scenario, events):
    """The parent dies, and the next run begins while the worker still works."""
    for event in _counted(events):
        if event.role == "worker":
            yield Place(scenario, (Fault("kill-before", event.number, victim="parent"),),
                        ("hasty",))


def stops(scenario, events):
    """Somebody asks it to stop."""
    for event in _counted(events):
        yield Place(scenario, (Fault("term", event.number),))


def errors(scenario, events):
    """Each error, at each occurrence of each kind of call, once and for ever."""
    for kind in shimctl.LASTING + LOOKING:
        count = sum(e.kind == kind and e.number > 0 for e in events)
        for at in range(1, count + 1):
            yield from _errors_at(scenario, kind, at)


def _errors_at(scenario, kind, at):
    if kind in shimctl.WRITES:
        for action in ("short-half", "short-last"):
            for how_long in ("once", "forever"):
                yield Place(scenario, (Fault(action, at, (kind,), "", how_long),))
    for error in ERRORS:
        yield Place(scenario, (Fault("fail", at, (kind,), error),))
        # A signal cannot interrupt for ever.
        long = "every-other" if error == "EINTR" else "forever"
        yield Place(scenario, (Fault("fail", at, (kind,), error, long),))


def dying_disk(scenario, events):
    """From some call on nothing that changes the disk succeeds any more."""
    disk = shimctl.LASTING[:shimctl.KIND["times"]]
    for at in range(1, sum(e.kind in disk and e.number > 0 for e in events) + 1):
        for error in ("ENOSPC", "EIO", "EROFS"):
            yield Place(scenario, (Fault("fail", at, disk, error, "forever"),))


def allocations(scenario, count, wanted, rng):
    """Memory that runs out, once and for ever."""
    for at in sorted(rng.sample(range(1, count + 1), min(wanted, count))):
        how_long = rng.choice(("once", "forever"))
        yield Place(scenario, (Fault("fail", at, ("malloc",), "ENOMEM", how_long),))


def each_allocation(scenario, count):
    """Memory that runs out once, anywhere."""
    for at in range(1, count + 1):
        yield Place(scenario, (Fault("fail", at, ("malloc",), "ENOMEM"),))


def compound(scenario, events, wanted, rng):
    """A crash, and then another fault while it is recovered from."""
    numbers = [e.number for e in _counted(events)]
    for _ in range(wanted):
        first = Fault(rng.choice(("kill-before", "kill-after")), rng.choice(numbers),
                      victim=rng.choice(("caller", "all")))
        yield Place(scenario, (first, _while_recovering(rng, len(numbers))))


# What recovery does, most of it early in the run.
_RECOVERY = ("open", "open_read", "read", "stat", "write", "truncate", "rename", "link",
             "unlink", "fsync", "fdatasync", "lock", "close", "fork", "channel")


def _while_recovering(rng, calls):
    kind = rng.random()
    if kind < 0.5:
        return Fault(rng.choice(("kill-before", "kill-after")), rng.randint(1, calls),
                     victim=rng.choice(("caller", "all")))
    how_long = rng.choice(("once", "every-other"))
    if kind < 0.7:
        return Fault("fail", rng.randint(1, calls), error=rng.choice(ERRORS),
                     how_long=how_long)
    return Fault("fail", rng.randint(1, 6), (rng.choice(_RECOVERY),), rng.choice(ERRORS),
                 how_long)


def alike(scenario, events, seed):
    """All deaths, of one and of all, with neighbours of their own."""
    for event in _counted(events):
        actions = ["kill-before", "kill-after"]
        if event.kind in shimctl.WRITES and len(event.data) > 1:
            actions += ["kill-half", "kill-last"]
        for action in actions:
            for victim in ("caller", "all"):
                seed += 1
                yield Place(scenario, (Fault(action, event.number, victim=victim),),
                            ("%s%d" % (NEAR, seed),))


def near(places, seed):
    """The same places, with neighbours."""
    for number, place in enumerate(places):
        yield replace(place, meanwhile=("%s%d" % (NEAR, seed + number),))


def sample(places, wanted, seed):
    """WANTED of the places, in their order, the same ones for the same seed."""
    places = list(places)
    if len(places) <= wanted:
        return places
    chosen = random.Random(seed).sample(range(len(places)), wanted)
    return [places[i] for i in sorted(chosen)]
