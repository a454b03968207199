# SPDX-License-Identifier: GPL-3.0-or-later
"""What has become of an append: delivery/mbox_look.c, mbox_find.c,
mbox_search.c, mbox_canon.c and mbox_excise.c."""

from collections import namedtuple

from course import entry, note, sync

# What earlier items tell of the later ones: the next item, which append was cut
# off, do offsets mean nothing, which are to be searched for, and up to where
# all that was appended has been seen.
Look = namedtuple("Look", "next cut shifted sought seen")

NEAR = 1                        # how far from what agrees another may begin


def begins(c):
    """Is it a From_ line?"""
    return c == "#" or c.isupper()


def messages(mbox):
    """The messages of an mbox, as readers divide it."""
    parts = []
    for c in mbox:
        if begins(c) or not parts:
            parts.append("")
        parts[-1] += c
    return parts


def canon(part):
    """mbox_canon: without what readers add."""
    return part.replace("s", "").rstrip(".")


def common(a, b):
    """How many letters at the beginning are the same."""
    n = 0
    while a[n:n + 1] == b[n:n + 1] != "":
        n += 1
    return n


def is_ours(part, text):
    """mbox_is_ours: all of it ours, or NUL."""
    return all(c in ("0", text[i]) for i, c in enumerate(part[:len(text)]))


class Looking:
    """The part of Mbox that recovers."""

    def look(self, s):
        return s.but(pc="sync_found", looked=Look(0, None, False, (), 0), locked=True,
                     opened=s.inode, out="", at=0)

    def sync_found(self, s):
        yield "sync_found", s.but(disk=s.mbox, pc="look_for_one")

    def place(self, s, i):
        """The item's own bytes, and its note if that tells a place."""
        m, name, _ = s.items[i]
        hint = entry(s, m)[2]
        return self.text(s, name), hint if hint and hint[0] == "at" else None

    def since(self, s, hint):
        """mbox_witness_compare: the last bytes stand for all before them."""
        _, _, before, inode = hint
        if self.fault == "offsets are believed":
            return "grown"
        if inode != s.inode or not s.mbox.startswith(before):
            return "other"
        return "same" if s.mbox == before else "grown"

    def look_for_one(self, s):
        look = s.looked
        i = look.next
        if i == len(s.items):
            yield "search", self.search(s)
            return
        after = s.but(looked=look._replace(next=i + 1))
        m, name, state = s.items[i]
        text, hint = self.place(s, i)
        if state != "staged":
            yield "done before", after
        elif s.stage[name] == "x":
            yield "no staged file", self.outcome(after, i, "void")
        elif hint is None:
            yield "excise_again", self.excise_again(after, m)
        elif self.fault == "resemblance decides":
            yield "to be searched", self.later(after, i)
        elif self.is_cut(look, hint) or self.since(s, hint) == "same":
            yield "not there", after
        elif self.since(s, hint) == "grown" and not look.shifted:
            yield self.look_at(after, i, text, hint)
        else:
            yield "to be searched", self.later(after, i)

    def is_cut(self, look, hint):
        """What was appended earlier, and found, may be in front of it."""
        return look.cut == hint[2:] or (look.cut and self.fault == "a cut is for all")

    @staticmethod
    def outcome(s, i, state):
        m, name, _ = s.items[i]
        return s.but(items=s.items[:i] + ((m, name, state),) + s.items[i + 1:])

    @staticmethod
    def later(s, i):
        return s.but(looked=s.looked._replace(sought=s.looked.sought + (i,)))

    def look_at(self, s, i, text, hint):
        """mbox_find, and what follows from it."""
        at, before = hint[1], len(hint[2])
        first = at - before <= 1        # perhaps behind an empty line of ours
        there = s.mbox[at:]
        n = common(there, text)
        if n == len(text) and first and s.mbox[before:at].strip("."):
            return self.look_at_holes(s, i, before, hint)   # it begins no line
        if n == len(text):
            seen = s.looked._replace(seen=at + n)
            return "MBOX_THERE", self.outcome(s.but(looked=seen), i, "done")
        if there == "" and not first and at != s.looked.seen \
                and self.fault != "any end is believed":
            return "MBOX_END, but of what?", self.later(s, i)
        if len(there) == n:
            return "MBOX_END or TORN", self.cut_torn(s, before if first else at, hint)
        zero = there[n] == "0"
        end = max(self.place(s, k)[1][1] + len(self.place(s, k)[0])
                  for k in range(len(s.items)) if self.place(s, k)[1])
        if zero and len(s.mbox) <= end and is_ours(there, text):
            return self.look_at_holes(s, i, before if first else at, hint)
        near = end if zero else at + n
        for where in range(max(near - NEAR, at + 1), near + NEAR + 1):
            if n and where < len(s.mbox) and begins(s.mbox[where]):
                return "MBOX_TORN_INSIDE", self.excise(
                    s.but(looked=s.looked._replace(shifted=True)), i, at, where)
        return "MBOX_FOREIGN", self.later(
            s.but(looked=s.looked._replace(shifted=True)), i)

    def look_at_holes(self, s, i, start, hint):
        """Blocks are missing. It goes, if nobody wrote where the rest was to be."""
        for k in range(len(s.items)):
            text, place = self.place(s, k)
            if place and place[1] > hint[1] and not is_ours(s.mbox[place[1]:], text):
                return "holes, and others", self.later(
                    s.but(looked=s.looked._replace(shifted=True)), i)
        return "MBOX_HOLES", self.cut_torn(s, start, hint)

    def cut_torn(self, s, start, hint):
        s = s.but(looked=s.looked._replace(cut=hint[2:]))
        if self.fault == "torn is left" or start == len(s.mbox):
            return s
        return s.but(mbox=s.mbox[:start], pc="look_sync")

    def look_sync(self, s):
        yield "fsync", s.but(disk=s.mbox, pc="look_for_one")

    # What was written anew since: by From_ line, and then the whole message.

    def is_hit(self, part, text):
        part, text = canon(part), canon(text)
        if self.fault == "resemblance decides":
            return part[:2] == text[:2] and part[-1:] == text[-1:] \
                and len(part) >= len(text)
        return part == text

    def search(self, s):
        look, at, torn = s.looked, 0, None
        parts, used = messages(s.mbox), set()
        for i in look.sought:
            text = self.place(s, i)[0]
            for k, part in enumerate(parts):
                if self.is_hit(part, text) and k not in used:
                    if self.fault != "resemblance decides":
                        used.add(k)
                    s = self.outcome(s, i, "done")
                    break
        for part in parts:
            for i in look.sought:
                text = canon(self.place(s, i)[0])
                if s.items[i][2] == "staged" and canon(part) != text \
                        and part[0] == text[0] and text.startswith(canon(part)):
                    torn = (i, at, at + len(part))
            at += len(part)
        if torn is None or self.fault in ("torn is left", "From_ lines alike",
                                          "resemblance decides"):
            return s.but(pc="commit", looked=None)
        return self.take_out_part(s, *torn)

    def take_out_part(self, s, i, at, end):
        """The last first; then the next is looked for."""
        if end == len(s.mbox):
            return s.but(mbox=s.mbox[:at], pc="look_sync")
        return self.excise(s, i, at, end)

    # mbox_excise(): what is behind a torn message is saved, then moved.

    def excise(self, s, i, at, where):
        after = note(s, s.items[i][0], "intent", hint=("excise", at, s.mbox[where:], where))
        return after.but(pc="excise_sync", i=i)

    def excise_sync(self, s):
        yield "hint_sync", self.excise_again(sync(s), s.items[s.i][0])

    def excise_again(self, s, m):
        """move_saved."""
        hint = entry(s, m)[2]
        if hint is None:
            return s
        _, at, saved, where = hint
        moved, unmoved = common(s.mbox[at:], saved), common(s.mbox[where:], saved)
        if moved == len(saved):
            return s.but(pc="look_sync")
        if unmoved == len(saved) and where + len(saved) != len(s.mbox):
            return s.but(pc="look_sync")
        if unmoved == len(saved) or at + moved == len(s.mbox):
            s = s.but(mbox=s.mbox[:at])
        return s.but(pc="excise_copy", out=saved, i=0)

    def excise_copy(self, s):
        if s.out:
            yield "copy back", s.but(mbox=s.mbox + s.out[0], out=s.out[1:])
        else:
            yield "copied back", s.but(pc="look_sync")
