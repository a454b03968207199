# SPDX-License-Identifier: GPL-3.0-or-later
"""The Maildir: delivery/maildir.c and maildir_find.c."""

from collections import namedtuple

from course import HERE, Course, entry, sync

# A file: the message in it; its bytes, "dirty", "whole" or "torn"; is it in
# tmp/, now and on the disk; and where else it was since that was durable, the
# last being now. Renames are atomic, so a disk has one of those.
File = namedtuple("File", "message data tmp tmp_disk been")

SUBS = ("new", "cur", "folder")
SHOWN = SUBS + ("read",)        # a reader has seen it and taken it away


def flushed(f, sub):
    """After fsync of a folder: the last rename from or to it is durable."""
    for i in range(len(f.been) - 1, 0, -1):
        if sub in f.been[i - 1:i + 1]:
            return f._replace(been=f.been[i:])
    return f


class Maildir(Course):
    """The name of a staged file is its number."""

    shows_delivery = True

    def world(self):
        return {"files": (), "found": frozenset()}

    def dead(self, s):
        return s.but(found=frozenset())

    @staticmethod
    def put(s, name, **changes):
        files = list(s.files)
        files[name] = files[name]._replace(**changes)
        return s.but(files=tuple(files))

    @staticmethod
    def every(s, change):
        return s.but(files=tuple(map(change, s.files)))

    def cut(self, s):
        """Each file is as on the disk or as it was to become."""
        states = [()]
        for f in s.files:
            data = ("whole", "torn") if f.data == "dirty" else (f.data,)
            after = {File(f.message, d, t, t, (b,)) for d in data
                     for t in (f.tmp, f.tmp_disk) for b in f.been}
            states = [done + (a,) for done in states for a in after]
        for files in states:
            yield s.but(files=files)

    # Staging and delivering.

    def stage(self, s, m):
        return s.but(files=s.files + (File(m, "dirty", True, False, ("",)),)), len(s.files)

    def is_staged(self, s, name):
        return s.files[name].tmp

    def staged(self, s):
        """Each file, then tmp/."""
        for _, name, _ in s.items:
            if s.files[name].data == "dirty":
                s = self.put(s, name, data="whole")
        return self.every(s, lambda f: f._replace(tmp_disk=f.tmp))

    def sync_intents(self, s):
        if self.fault == "intent unflushed":
            yield "not synced", s.but(pc="commit")
            return
        pc = "stage_sync" if self.fault == "intent before its file" else "commit"
        yield "ledger_sync", sync(s).but(pc=pc)

    def done(self, s, i, state):
        m, name, _ = s.items[i]
        return s.but(items=s.items[:i] + ((m, name, state),) + s.items[i + 1:])

    def commit(self, s):
        """deliver_one: renameat2(tmp/N, new/N)."""
        todo = [i for i, item in enumerate(s.items) if item[2] == "staged"]
        if not todo:
            yield "all is delivered", s.but(pc="maildir_sync")
            return
        name = s.items[todo[0]][1]
        f = s.files[name]
        if f.tmp:
            sub = "new" if s.mounted else "below"
            after = self.put(s, name, tmp=False, been=f.been + (sub,))
            if f.been[-1] in SUBS:          # it has a second name now
                after = self.put(s, name, tmp=False)
                after = after.but(files=after.files + (
                    f._replace(tmp=False, tmp_disk=False, been=("", sub)),))
            yield "rename %d to new" % name, self.done(after, todo[0], "done")
        else:
            there = f.been[-1] in SUBS
            yield "ENOENT", self.done(s, todo[0], "done" if there else "void")

    def maildir_sync(self, s):
        if self.fault == "folder unflushed":
            yield "not synced", s.but(pc="batch_finish")
            return
        yield "fsync new", self.every(s, lambda f: flushed(f, "new")).but(pc="batch_finish")

    def released(self, s):
        return s

    def sweep(self, s, wanted):
        return s.but(files=tuple(f if i in wanted else f._replace(tmp=False)
                                 for i, f in enumerate(s.files)))

    # Recovery.

    def look(self, s):
        return s.but(pc="maildir_look" if self.fault == "recovery syncs nothing"
                     else "settle")

    def settle(self, s):
        yield "ledger_sync", sync(s).but(pc="maildir_look")

    def doubtful(self, s, i):
        _, name, state = s.items[i]
        f = s.files[name]
        sure = self.fault == "tmp/ decides" and f.tmp and f.been[-1] != "new"
        return state == "staged" and not sure

    def maildir_look(self, s):
        """look_one for each; all are looked for."""
        doubt = [i for i in range(len(s.items)) if self.doubtful(s, i)]
        if self.fault == "absence counts":
            for i in doubt:
                s = self.done(s, i, "done")
            doubt = ()
        todo = tuple(s.items[i][1] for i in doubt)
        pc = "read_tree" if doubt else "commit"
        yield "to look for: %d" % len(doubt), s.but(pc=pc, i=0, todo=todo, found=frozenset())

    def read_tree(self, s):
        """new/, cur/ and the folders, twice; readers go on meanwhile."""
        sub = SUBS[s.i % len(SUBS)]
        seen = {n for n in s.todo if s.files[n].been[-1] == sub}
        after = s.but(found=s.found | seen, i=s.i + 1)
        if seen:
            after = self.every(after, lambda f: flushed(f, sub))
        rounds = 1 if self.fault == "one look only" else 2
        if after.i == rounds * len(SUBS) or (
                after.i == len(SUBS) and set(s.todo) <= after.found):
            after = after.but(pc="settle_doubt")
        yield "look into " + sub, after

    def settle_doubt(self, s):
        for i, (_, name, _) in enumerate(s.items):
            if name in s.todo and name in s.found:
                s = self.done(self.put(s, name, tmp=False), i, "done")
            elif name in s.todo and not s.files[name].tmp:
                s = self.done(s, i, "void")
        yield "found: %d" % len(s.found), s.but(pc="commit", i=0, todo=(), found=frozenset())

    # Neighbours.

    def cleaner(self, s):
        """Whoever clears tmp/, at the worst moment."""
        for name, f in enumerate(s.files):
            if f.tmp:
                yield "cleaner: tmp/%d removed" % name, self.put(s, name, tmp=False)

    def reader(self, s):
        """Marks as seen, files away and back, and takes what is known to be here."""
        ways = {"new": ("cur",), "cur": ("folder",), "folder": ("cur",)}
        for name, f in enumerate(s.files):
            ends = ways.get(f.been[-1], ())
            if f.been[-1] in ways and s.base[f.message][0] in HERE:
                ends += ("read",)
            for sub in ends:
                yield "reader: %d from %s to %s" % (name, f.been[-1], sub), self.put(
                    s, name, been=f.been + (sub,))

    def hasty(self, s):
        """A reader who takes what has only just come."""
        for name, f in enumerate(s.files):
            if f.been[-1] in SUBS:
                yield "reader: %d taken at once" % name, self.put(
                    s, name, been=f.been + ("read",))

    def restore(self, s):
        """The disk is made anew, from a copy older than what is on its way."""
        if s.pc != "off":
            return
        names = tuple(name for name, f in enumerate(s.files) if f.been[-1] == "read"
                      or entry(s, f.message)[0] in HERE)
        if s.marker:
            serial, told = s.marker
            old = (serial, tuple(name for name in told if name in names))
            s = s.but(marker=old, marker_disk=old)
        yield "an older copy restored", s.but(files=tuple(
            f if name in names else f._replace(tmp=False, tmp_disk=False, been=("",))
            for name, f in enumerate(s.files)))

    def judge_destination(self, s, kept, finished):
        shown = [f for f in s.files if f.been[-1] in SHOWN]
        if any(f.data == "torn" for f in shown):
            return "torn: half a message in the Maildir"
        for m in range(self.messages):
            copies = sum(f.message == m for f in shown)
            if kept[m] and not copies:
                return "lost: message %d" % m
            if copies > 1 and not self.quiet:
                return "doubled: message %d" % m
        return ""
