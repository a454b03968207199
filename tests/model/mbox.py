# SPDX-License-Identifier: GPL-3.0-or-later
"""The mbox: delivery/mbox.c, mbox_append.c and mbox_place.c; what recovery does
with it is in mbox_look.py.

A file is a string, a letter standing for a few lines: a capital is a From_ line
of ours, "#" another program's, "." the empty line that ends a message, "s" a
Status field, "0" a block of NULs that the disk never got; the rest are lines
of mail.
"""

from course import HERE, Course, entry, note, sync
from mbox_look import Looking, begins, canon, messages

OLD = "A"                       # the From_ line of what was delivered before
FOREIGN = "#f."


def holds(part, text, finished):
    """Is it this message, perhaps with NULs behind it that a disk has left and
    another program's mail has covered; or, before recovery has put things
    right, with a part of ours?"""
    rest = part[len(text):]
    return part.startswith(text) and (
        rest.lstrip(".")[:1] in ("", "0") or (rest[0] == "." and not finished))


def holes(old, new):
    """What a disk may have of a file that grew from old to new: any length, and
    any one run of blocks missing."""
    seen = {old}
    for end in range(len(old), len(new) + 1):
        for a in range(len(old), end + 1):
            for b in range(a, end + 1):
                seen.add(new[:a] + "0" * (b - a) + new[b:end])
    return seen


class Mbox(Looking, Course):
    """`texts` are the messages' lines; of one more, `old`, the mbox holds a copy
    from before, which ends with `end`. `tidy`: no part of ours may be left."""

    shows_delivery, tidy, end = False, True, "."

    def __init__(self, texts, old="", **rest):
        super().__init__(len(texts), **rest)
        self.texts, self.old = texts, old

    def world(self):
        begin = OLD + self.old + self.end if self.old else ""
        # Names are numbers, and stand for From_ lines, "B" and on. names[i]:
        # the message that is staged so; stage: its file.
        return {"mbox": begin, "disk": begin, "inode": 1, "names": (), "stage": "",
                "locked": False, "opened": 0, "out": "", "at": 0, "read": (),
                "looked": None}

    def dead(self, s):
        return s.but(locked=False, opened=0, out="", at=0, looked=None)

    def cut(self, s):
        """The file as it was, as it is, or on its way."""
        common = 0
        while s.mbox[common:common + 1] == s.disk[common:common + 1] != "":
            common += 1
        for mbox in {s.disk, s.mbox} | holes(s.mbox[:common], s.mbox):
            for stage in {s.stage.replace("-", "+"), s.stage.replace("-", "x")}:
                yield s.but(mbox=mbox, disk=mbox, stage=stage)

    # Staging: "-" is not yet durable, "+" is, "x" is no more.

    def text(self, s, name):
        mark = "B" if self.fault in ("resemblance decides", "From_ lines alike") \
            else chr(ord("B") + name)
        return mark + self.texts[s.names[name]] + "."

    def stage(self, s, m):
        return s.but(names=s.names + (m,), stage=s.stage + "-"), len(s.names)

    def is_staged(self, s, name):
        return s.stage[name] != "x"

    def staged(self, s):
        return s.but(stage=s.stage.replace("-", "+"))

    def sweep(self, s, wanted):
        return s.but(stage="".join(c if i in wanted else "x" for i, c in enumerate(s.stage)))

    def sync_intents(self, s):
        """ledger_flush: hint_sync takes them along."""
        yield "ledger_flush", s.but(flushed=len(s.tail), pc="commit")

    # mbox_append().

    def commit(self, s):
        """lock_file, mbox_witness_take, missing_ends, note_places."""
        left = [(m, name) for m, name, state in s.items if state == "staged"]
        if not left:
            yield "all is delivered", s.but(pc="batch_finish")
            return
        if not s.mounted:
            yield "delivered below the mount point", self.served(s)
            return
        out = "" if s.mbox[-1:] in ("", ".") else "."
        at = len(s.mbox) + len(out)
        after = s.but(locked=True, opened=s.inode, at=len(s.mbox))
        for m, name in left:
            after = note(after, m, "intent", hint=("at", at, s.mbox, s.inode))
            text = self.text(s, name)
            out, at = out + text, at + len(text)
        yield "note_places", after.but(pc="hint_sync", out=out)

    def hint_sync(self, s):
        if self.fault == "hint unflushed":
            yield "not synced", s.but(pc="append_run")
            return
        yield "ledger_sync", sync(s).but(pc="append_run")

    def append_run(self, s):
        """A piece at a time; what goes to a replaced file is seen by nobody."""
        if not s.out:
            yield "all is written", s.but(pc="fsx_sync")
            return
        after = s.but(out=s.out[1:], at=s.at + 1)
        if s.opened == s.inode:
            after = after.but(mbox=s.mbox + s.out[0])
            if len(after.mbox) != after.at and self.fault != "no look after the append":
                after = after.but(pc="is_in_place", at=len(after.mbox))
        yield "append " + s.out[0], after

    def is_in_place(self, s):
        """Another has written: no more, and the piece goes, if it is the last."""
        mbox = s.mbox[:-1] if len(s.mbox) == s.at and s.opened == s.inode else s.mbox
        yield "the piece is taken back", s.but(mbox=mbox, pc="fsx_sync", out="")

    def fsx_sync(self, s):
        ours = s.opened == s.inode and self.fault != "append unflushed"
        yield "fsync", s.but(disk=s.mbox if ours else s.disk, pc="arrived")

    def served(self, s):
        return s.but(pc="batch_finish", items=tuple(
            (m, name, "done" if state == "staged" else state) for m, name, state in s.items))

    def arrived(self, s):
        """Under the file's name, where it is to be?"""
        good = s.opened == s.inode and all(s.mbox.startswith(
            self.text(s, name), entry(s, m)[2][1])
            for m, name, state in s.items if state == "staged")
        if good or self.fault == "no look after the append":
            yield "it is there", self.served(s)
        else:
            yield "look_again", self.look(s)

    def fail(self, s):
        """cut_back, if all that follows is ours."""
        ways = [s]
        if s.pc in ("append_run", "fsx_sync") and s.opened == s.inode:
            ours = [(m, name) for m, name, state in s.items if state == "staged"]
            _, at, before, _ = entry(s, ours[0][0])[2]
            text = "".join(self.text(s, name) for _, name in ours)
            if text.startswith(s.mbox[at:]):
                # Its own flush may fail as well.
                ways += [s.but(mbox=before), s.but(mbox=before, disk=before)]
        for way in ways:
            for after in super().fail(way):
                yield self.dead(after)

    def released(self, s):
        stage = "".join("x" if any(name == i and state == "done" for _, name, state in s.items)
                        else c for i, c in enumerate(s.stage))
        return s.but(stage=stage, locked=False, opened=0, at=0)

    # Neighbours. Honest ones lock, and flush what they write.

    def lda(self, s):
        """Another agent appends."""
        if not s.locked:
            yield from self.cat(s)

    def cat(self, s):
        """The same without a lock."""
        mbox = s.mbox + FOREIGN
        yield "another program appends", s.but(mbox=mbox, disk=mbox)

    def reader(self, s):
        """Writes the file anew, in place or by rename, with Status fields; or
        without a message that has come to rest."""
        if s.locked:
            return
        parts = messages(s.mbox)
        seen = "".join(p[0] + "s" + p[1:].lstrip("s").rstrip(".") + "." for p in parts)
        for inode, how in ((s.inode, "in place"), (3 - s.inode, "by rename")):
            yield "reader: written " + how, s.but(mbox=seen, disk=seen, inode=inode)
        for i, part in enumerate(parts):
            if self.at_rest(s, part):
                rest = "".join(parts[:i] + parts[i + 1:])
                yield "reader: takes " + part, s.but(
                    mbox=rest, disk=rest, read=s.read + (canon(part)[1:],))

    def at_rest(self, s, part):
        """Nobody deletes what a death has left open, before the next run."""
        if part[0] == OLD or not part[0].isupper():
            return part[0] == OLD
        name = ord(part[0]) - ord("B")
        m = s.names[name]
        return s.base[m][0] in HERE or (
            s.pc in ("sync_notes", "release") and (m, name, "done") in s.items)

    def replace(self, s):
        """Puts a copy of it in its place, without a lock."""
        yield "replaced by a copy", s.but(disk=s.mbox, inode=3 - s.inode,
                                          opened=-1 if s.opened else 0)

    def judge_destination(self, s, kept, finished):
        """By content: copies are as good as one another."""
        there = [p[1:].replace("s", "") for p in messages(s.mbox) if begins(p[0])]
        there += s.read
        for text in set(self.texts) | {self.old} - {""}:
            same = [m for m, other in enumerate(self.texts) if other == text]
            count = sum(holds(p, text, finished) for p in there)
            old = text == self.old
            if count < old + sum(kept[m] for m in same):
                return "lost: " + text
            whole = sum(p.rstrip(".") == text for p in there)
            if finished and whole > old + len(same) and not self.quiet:
                return "doubled: " + text
        if finished and self.tidy and any(
                p.rstrip(".") not in self.texts + (self.old, "f") for p in there):
            return "torn: " + s.mbox
        return ""
