# SPDX-License-Identifier: GPL-3.0-or-later
"""What has become of an append: delivery/mbox_look.c, mbox_find.c, mbox_part.c,
mbox_search.c, mbox_canon.c and mbox_excise.c."""

from collections import namedtuple

from course import entry, note, sync

# What earlier items tell of the later ones: the next item, which append was cut
# off, do offsets mean nothing, which are to be searched for, and up to where
# all that was appended has been seen.
Look = namedtuple("Look", "next cut shifted sought seen")

ENDS = 1                        # so many line ends may come before another's


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


def ours(a, b):
    """How many letters at the beginning are the same, or NUL."""
    n = 0
    while n < min(len(a), len(b)) and a[n] in ("0", b[n]):
        n += 1
    return n


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
            shifted = entry(s, m)[2] is not None and self.fault != "offsets stay"
            yield "excise_again", self.excise_again(after.but(looked=after.looked._replace(
                shifted=look.shifted or shifted)), m)
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
        """mbox_match, and what follows from it."""
        at, before = hint[1], len(hint[2])
        first = at - before <= 1        # perhaps behind an empty line of ours
        moved = not first and at != s.looked.seen and self.fault != "any end is believed"
        start = before if first else at
        n = common(s.mbox[at:], text)
        if at >= len(s.mbox):
            return ("at its end, but of what?", self.later(s, i)) if moved else (
                "at its end", self.cut_torn(s, start, hint))
        if n == len(text) and "0" not in s.mbox[start:at]:
            seen = s.looked._replace(seen=at + n)
            return "all of it is there", self.outcome(s.but(looked=seen), i, "done")
        if moved and n == 0:
            return "something else", self.elsewhere(s, i)
        return self.look_at_part(s, i, start, hint)

    def elsewhere(self, s, i):
        return self.later(s.but(looked=s.looked._replace(shifted=True)), i)

    def look_at_part(self, s, i, start, hint):
        """mbox_part_find: how far the bytes may be ours, and who comes then?"""
        at = hint[1]
        whole = s.mbox[start:at] == "." * (at - start)
        until = start + ours(s.mbox[start:at], "." * (at - start))
        all_of_it = until == at
        for k in range(i, len(s.items)):
            text, place = self.place(s, k)
            if not all_of_it or not place or place[1] != until or place[2:] != hint[2:]:
                break
            until += ours(s.mbox[until:], text)
            all_of_it = until == place[1] + len(text)
        if until >= len(s.mbox):
            return "a part, and nothing else", self.cut_torn(s, start, hint)
        begin = self.begins_at(s, until)
        if begin is None and all_of_it:
            begin = until
        first = at if whole else start
        if begin is None or until <= first or begin <= first:
            return "something else", self.elsewhere(s, i)
        if self.fault == "a line goes on":
            return "a part in others' mail", self.elsewhere(s, i)
        return "a part, and others behind", self.excise(
            s.but(looked=s.looked._replace(shifted=True)), i, first, begin,
            "" if whole else "." * (at - start))

    @staticmethod
    def begins_at(s, until):
        """mbox_begins; a From_ line is one letter here."""
        at = until
        while at < until + ENDS and s.mbox[at:at + 1] == ".":
            at += 1
        return at if s.mbox[at:at + 1] and begins(s.mbox[at]) else None

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

    def excise(self, s, i, at, where, fresh=""):
        return self.save(s, s.items[i][0], at, where, fresh).but(i=i)

    def save(self, s, m, at, where, fresh):
        """What is saved begins with what is not in the mbox, or not whole."""
        after = note(s, m, "intent", hint=(
            "excise", at, fresh + s.mbox[where:], where, len(fresh)))
        return after.but(pc="excise_sync", out=m)

    def excise_sync(self, s):
        yield "hint_sync", self.excise_again(sync(s).but(out=""), s.out)

    def excise_again(self, s, m):
        """go_on."""
        hint = entry(s, m)[2]
        if hint is None:
            return s
        _, at, saved, where, fresh = hint
        there, rest = s.mbox[at:], saved[fresh:]
        if common(there, saved) == len(saved):
            return s.but(pc="look_sync")
        if common(s.mbox[where:], rest) == len(rest):
            if where + len(rest) != len(s.mbox):
                return self.save(s, m, at, where, saved[:fresh])
            s = s.but(mbox=s.mbox[:at])
        elif at <= len(s.mbox) <= at + ours(there, saved):
            s = s.but(mbox=s.mbox[:at])
        else:
            begin = self.begins_at(s, at + ours(there, saved))
            if begin is not None:
                return self.save(s, m, at, begin, saved)
        return s.but(pc="excise_copy", out=saved, i=0)

    def excise_copy(self, s):
        if s.out:
            yield "copy back", s.but(mbox=s.mbox + s.out[0], out=s.out[1:])
        else:
            yield "copied back", s.but(pc="look_sync")
