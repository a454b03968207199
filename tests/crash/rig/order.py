# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of durable effects, read from the log of a run.

For each message that is deleted on the server there is, earlier in the log,

    staged     its bytes in a staged file, and that file's name, were flushed
    intended   an intent that names those bytes was flushed to the ledger
    committed  after that: renamed, appended where the ledger says, or given to
               the program
    kept       after that: the folder, the mbox, or the ledger's note flushed

and only then DELE.
"""

import os
import re
from dataclasses import dataclass, field

from . import corpus, fsmodel, shimctl, wire

STEPS = "staged intended committed kept".split()
_NEVER = 10 ** 9


@dataclass
class Staged:
    """A message that waits for its delivery."""

    name: str
    at: int
    length: int
    serial: int = 0
    staged: int = _NEVER
    intended: int = _NEVER
    committed: int = _NEVER
    kept: int = _NEVER
    target: int = _NEVER        # where in the mbox it is to stand
    pieces: list = field(default_factory=list)


def _serial(data):
    """The serial number of the message in these bytes, or 0."""
    texts, _whole = corpus.members(data) if data[:2] == b"\x1f\x8b" else ([data], True)
    found = re.search(rb"^X-Serial: (\d+)\n", b"".join(texts), re.M)
    return int(found.group(1)) if found else 0


def behind_failure(events):
    """Complaints: DELE behind a flush that failed, or QUIT although something
    was retrieved that may not be on the disk; in each process by itself."""
    failed, retrieved = {}, set()
    for event in events:
        if event.kind in shimctl.SYNCS and not event.ok:
            failed.setdefault(event.pid, event)
        if event.kind != "send":
            continue
        if b"RETR" in event.data:
            retrieved.add(event.pid)
        flush = failed.get(event.pid)
        if flush and (b"DELE" in event.data
                      or event.pid in retrieved and b"QUIT" in event.data):
            yield "%r behind a %s of %s that failed" % (event.data, flush.kind, flush.path)


class Checker:
    """Follows a log and collects complaints."""

    def __init__(self, w, scene, before):
        self.scene = scene
        self.disk = fsmodel.Disk(w.home, before)
        self.wire = wire.Wire(scene.texts)
        self.mail = w.path("mail")
        self.ledger = w.path("state/box/ledger")
        self.staged = {}            # by the ledger's number
        self.safe = {}              # what was flushed of staged files, and when
        self.wrong, self.deleted = [], 0
        self.spawned = []
        self.calls = self.files = 0

    def check(self, events):
        """All complaints about these calls, which come after earlier ones."""
        calls, files = self.calls, self.files
        for event in events:
            event.order += calls
            event.file += files if event.file else 0
            self.calls = event.order + 1
            self.files = max(self.files, event.file)
            self._follow(event)
        return self.wrong

    def _follow(self, event):
        if event.kind == "rename" and event.ok:
            self._renamed(event)
        if event.kind == "fork" and event.role == "parent":
            self._spawned(event)
        self.disk.apply(event)
        if event.kind in ("write", "writev") and event.ok:
            self._written(event)
        if event.kind in shimctl.SYNCS and event.ok and not event.skipped:
            self._flushed(event)
        for verb, serial in self.wire.apply(event):
            self._said(event, verb, serial)

    def _renamed(self, event):
        for one in self.staged.values():
            if self.scene.kind == "maildir" and one.name == os.path.basename(event.path):
                one.committed = min(one.committed, event.order)

    def _spawned(self, event):
        self.spawned.append(event.order)

    def _written(self, event):
        """A piece of a message in the mbox; its first one commits."""
        mbox = self.disk.find(self.mail)
        if self.scene.kind == "mbox" and mbox and self.disk.files.get(event.file) is mbox:
            end = len(mbox.data)
            for one in self.staged.values():
                if one.target < end and end - event.result < one.target + one.length:
                    one.committed = min(one.committed, event.order)

    def _flushed(self, event):
        # In this order: an intent comes behind what it names.
        ledger = self.disk.find(self.ledger)
        if ledger and not ledger.versions:
            self._noted(bytes(ledger.flushed).decode("latin-1"), event)
        self._staged(event)
        self._kept(event)

    def _staged(self, event):
        """Remember the staged files that are on the disk with their names."""
        pending = {i for c in self.disk.changes if not c.durable for _f, _n, i in c.steps}
        for path in (self.mail + "/tmp", os.path.dirname(self.ledger) + "/stage"):
            folder = self.disk.find(path)
            for name, inode in self.disk.now.get(folder, {}).items():
                text = bytes(inode.flushed)
                if not inode.versions and inode not in pending \
                        and self.safe.get(name, (0, b""))[1] != text:
                    self.safe[name] = event.order, text

    def _intended(self, words, event):
        """An intent that has become durable."""
        name, at, length = words[11], int((words[13:] or [0])[0]), int(words[7])
        one = self.staged.get(words[2])
        if one and (one.name, one.at) == (name, at):
            return
        order, text = self.safe.get(name, (_NEVER, b""))
        text = text[at:at + length]
        one = Staged(name, at, length, _serial(text), intended=event.order)
        if len(text) == length:
            one.staged = order
        self.staged[words[2]] = one

    def _noted(self, text, event):
        """What the durable ledger says."""
        for line in text.splitlines():
            words = line.split(" ")
            if len(words) < 3:
                continue
            if words[1] == "intent":
                self._intended(words, event)
            one = self.staged.get(words[2])
            if one and words[1] == "hint" and words[3].startswith("at%20"):
                one.target = int(words[3].split("%20")[1])
            if one and self.scene.kind not in ("maildir", "mbox"):
                self._program_noted(one, words, event)

    def _program_noted(self, one, words, event):
        """`start` is durable before the program runs, `delivered` after."""
        if words[1] == "hint" and "start" in words[3] and one.committed == _NEVER:
            after = [order for order in self.spawned if order > event.order]
            one.pieces.append(event.order)
            if after:
                one.committed = after[0]
        if words[1] == "delivered":
            starts = one.pieces or [_NEVER]
            runs = [order for order in self.spawned if order > min(starts)]
            one.committed = min(one.committed, *(runs or [_NEVER]))
            one.kept = min(one.kept, event.order)

    def _kept(self, event):
        if self.scene.kind == "maildir":
            new = self.disk.find(self.mail + "/new")
            pending = {n for c in self.disk.changes if not c.durable
                       for f, n, _i in c.steps if f is new}
            for one in self.staged.values():
                if one.committed != _NEVER and one.kept == _NEVER and not any(
                        n.startswith(one.name) for n in pending):
                    one.kept = event.order
        if self.scene.kind == "mbox":
            mbox = self.disk.find(self.mail)
            for one in self.staged.values():
                if mbox and not mbox.versions and one.kept == _NEVER \
                        and len(mbox.flushed) >= one.target + one.length:
                    one.kept = event.order

    def _said(self, event, verb, serial):
        if verb == "DELE":
            self.deleted += 1
            self._chain(serial, event.order)

    def _chain(self, serial, dele):
        ones = [one for one in self.staged.values() if one.serial == serial]
        if not ones:
            self.wrong.append("DELE of message %s, which was never staged durably" % serial)
            return
        one = ones[-1]
        before, what = -1, "the beginning"
        for step in STEPS:
            at = getattr(one, step)
            if not before < at < dele:
                self.wrong.append("DELE of message %d at %d: %s at %s, behind %s at %d" % (
                    serial, dele, step, "no time" if at == _NEVER else at, what, before))
                return
            before, what = at, step
