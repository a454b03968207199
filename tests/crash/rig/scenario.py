# SPDX-License-Identifier: GPL-3.0-or-later
"""What is fetched into what: the fetches that the faults are put into."""

import os
from dataclasses import dataclass, field, replace

from . import alike, corpus, meanwhile, world

# Each look at the clock costs more than a batch may last, so every message
# becomes a batch of its own.
LONE = 250
# A batch takes some thirty messages.
SOME = 1
FOREIGN = 9000          # serial number of a message that was there before
# More than it takes to fill a ledger with history.
_PASSES = 400


@dataclass
class Scenario:
    """One fetch, and what happened before it."""

    name: str
    kind: str                       # maildir, mbox, pipe or procmail
    keep: object = True             # True, False, or a duration
    gzip: bool = False
    count: int = 8                  # new messages
    size: int = 900                 # bytes of each
    old: int = 0                    # messages that an earlier fetch has kept
    clock_step: int = 0
    history: bool = False           # the ledger is full of it
    accounts: int = 1               # that share the messages and the destination
    mda_args: str = ""              # for the test's own MDA
    mda: bool = False               # the shim reaches the MDA, too
    torn_end: bool = False          # the mbox holds mail that lacks its blank line
    alike: bool = False             # the messages resemble each other
    texts: dict = field(default_factory=dict)
    foreign: dict = field(default_factory=dict)

    def __post_init__(self):
        serials = range(1, self.old + self.count + 1)
        self.texts = alike.texts(len(serials)) if self.alike else {
            n: corpus.message(n, self.size) for n in serials}
        if self.torn_end:
            self.foreign = {FOREIGN: corpus.message(FOREIGN, 500)}

    def deliver(self, w):
        """The account's `deliver`."""
        if self.kind == "pipe":
            return "{pipe: [%s, %s%s]}" % (w.programs["mda"], w.path("out"), self.mda_args)
        if self.kind == "procmail":
            # With -m it keeps away from this machine's own mailboxes.
            return "{pipe: [%s, -f, '%%{sender}', -p, -t, -m, %s]}" % (
                w.programs["procmail"], w.folder + "/rc")
        return "{%s: %s%s}" % (self.kind, w.path(w.mail),
                               ", compress: gzip" if self.gzip else "")

    def old_texts(self):
        """The messages that are known when the fetch begins."""
        return {n: t for n, t in self.texts.items() if n <= self.old}

    def _begin(self, w):
        w.accounts, w.mail = self.accounts, "mail"
        w.second = alike.SECOND if self.alike else 0

    def begin(self, w):
        """Lead a world to the moment before the very first fetch."""
        self._begin(w)
        w.clear()
        _files_of_mda(self, w)
        if self.torn_end:
            _mail_without_end(self, w)

    def prepare(self, w):
        """Lead a world to the moment before the fetch."""
        self.begin(w)
        if self.old:
            w.configure(self, keep=True)
            w.serve(self.old_texts())
            _must(w.run(), 0)
        if self.history:
            _age(self, w)
        w.configure(self)
        w.serve(self.texts)

    def start_anew(self, w):
        """The same, in a world that is used for other scenarios, too."""
        self._begin(w)
        self.prepare(w)

    def start(self, w, before):
        """The same, from the snapshot of a world that was prepared."""
        self._begin(w)
        w.restore(before)
        w.serve(self.texts)


def _files_of_mda(scenario, w):
    if scenario.kind == "pipe":
        os.mkdir(w.path("out"))
    if scenario.kind == "procmail":
        with open(w.folder + "/rc", "w", encoding="utf-8") as file:
            file.write("MAILDIR=%s\nLOGFILE=/dev/null\nUMASK=077\n"
                       ":0\np$POSTRIDER_ATTEMPT/\n" % w.home)


def _mail_without_end(scenario, w):
    """An mbox whose last line has no end, as some programs leave it."""
    with open(w.path("mail"), "wb") as file:
        file.write(meanwhile.quoted(scenario.foreign[FOREIGN])[:-1])


def _must(run, code):
    if run.code != code:
        raise RuntimeError("a fetch before the test: status %r\n%s" % (run.status, run.errors))


def _age(scenario, w):
    """Passes whose deletions the server refuses, which only add lines to the
    ledger, until it is as long as it may be: the next pass writes it anew."""
    port, w.port = w.port, w.programs["refusing"]
    w.configure(scenario, keep=False)
    length = 0
    for _ in range(_PASSES):
        before = world.Snapshot(w.home)
        _must(w.run(), 0)
        with open(w.path("state/box/ledger"), "rb") as file:
            lines = file.read().count(b"\n")
        if lines < length:
            break
        length = lines
    else:
        raise RuntimeError("the ledger grows and grows")
    w.port = port
    w.restore(before)


def _family(kind, gzip=False):
    name = kind + ("+gzip" if gzip else "")
    for keep in (False, True):
        word = "keep" if keep else "delete"
        base = Scenario("%s-%s-8" % (name, word), kind, keep, gzip)
        yield base
        yield replace(base, name="%s-%s-1" % (name, word), count=1)
        yield replace(base, name="%s-%s-lone" % (name, word), count=3, clock_step=LONE)


def _all():
    for kind, gzip in (("maildir", False), ("mbox", False), ("maildir", True),
                       ("mbox", True), ("pipe", False), ("procmail", False)):
        yield from _family(kind, gzip)
    for kind, gzip in (("maildir", False), ("mbox", False), ("mbox", True)):
        name = kind + ("+gzip" if gzip else "")
        yield Scenario(name + "-second", kind, False, gzip, count=3, old=3)
        yield Scenario(name + "-large", kind, False, gzip, count=2, size=150_000)
    yield Scenario("maildir-compact", "maildir", False, count=2, old=8, history=True)
    yield Scenario("mbox-compact", "mbox", False, count=2, old=8, history=True)
    yield Scenario("mbox-foreign", "mbox", False, count=3, torn_end=True)
    yield Scenario("pipe-second", "pipe", False, count=2, old=2)
    yield Scenario("pipe-refuse", "pipe", False, count=2, mda_args=", refuse, '1'")
    yield Scenario("pipe-shim", "pipe", False, count=2, mda=True)
    yield Scenario("procmail-shim", "procmail", False, count=2, mda=True)
    for kind in ("maildir", "mbox", "pipe"):
        yield Scenario(kind + "-shared", kind, False, count=6, accounts=2)
    yield Scenario("maildir-two-batches", "maildir", False, count=66, size=600,
                   clock_step=SOME)
    yield Scenario("mbox-two-batches", "mbox", False, count=66, size=600, clock_step=SOME)


def _network():
    """For faults of the network: all that the server sends fits into 4 KiB."""
    yield Scenario("maildir-net", "maildir", False, count=3)
    yield Scenario("mbox-net", "mbox", False, count=3)
    yield Scenario("maildir-net-known", "maildir", False, count=2, old=2)


def _alike():
    """Mail that resembles mail, for sweeps of their own."""
    for kind, gzip in (("maildir", False), ("mbox", False), ("maildir", True), ("mbox", True)):
        base = Scenario("alike-" + kind + ("+gzip" if gzip else ""), kind, False, gzip,
                        alike=True)
        yield replace(base, name=base.name + "-delete", count=14)
        yield replace(base, name=base.name + "-keep", keep=True, count=9)
        yield replace(base, name=base.name + "-second", old=4, count=8)
        yield replace(base, name=base.name + "-lone", old=3, count=4, clock_step=LONE)
    yield Scenario("alike-pipe", "pipe", count=5, mda=True, alike=True)


ALL = {scenario.name: scenario for scenario in _all()}
SWEPT = list(ALL)
ALIKE = [scenario.name for scenario in _alike()]
ALL.update((scenario.name, scenario) for make in (_network, _alike) for scenario in make())
