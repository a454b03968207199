# SPDX-License-Identifier: GPL-3.0-or-later
"""Honest programs and people that are about between a crash and the next run:
some of them, at random, one after another.

What they do to delivered mail is theirs to answer for, and no more than that
is excused:

- who deletes a message, or puts it where nobody can know it again (another
  name, another file), may see it once more, unless the ledger had noted it
- who puts an mbox away that has half a message keeps that
- who puts back an old copy of the destination misses what came since, if the
  ledger had noted that
"""

import gzip
import os
import re
import shutil
import time
from collections import Counter

from . import alike, corpus, noted, oracle

FOREIGN = 9100          # serial numbers of what the others deliver
HOUR = 3600
_FOLDERS = (".Archive", ".Lists.Some")
_FLAGS = (":2,", ":2,S", ":2,RS", ":2,Sa")
_SPLIT = re.compile(rb"(?m)^(?=From )")
_FROM_LINE = rb"From \S+ \S+ \S+ +\d+ [\d:]+ \d{4}"
# Appended behind half a line: no reader would see that it begins there.
_GLUED = re.compile(rb"[^\n>]" + _FROM_LINE + rb"\n")


class Neighbours:
    """What they have done to one world until now."""

    def __init__(self, w, scene, start, excuse, after_cut):
        self.w, self.scene, self.start, self.excuse = w, scene, start, excuse
        self.after_cut = after_cut
        self.later = 0          # seconds that have passed
        self.done = []          # who came
        self.count = 0

    def come(self, rng, names=()):
        """Those with these names, or one to three of them."""
        kinds = {"maildir": _MAILDIR, "mbox": _MBOX}.get(self.scene.kind, _ANY)
        for who in names or [rng.choice(kinds) for _ in range(rng.randint(1, 3))]:
            self.done.append(who)
            getattr(self, "_" + who)(rng)

    @property
    def mail(self):
        """Where the destination is now."""
        return self.w.path(self.w.mail)

    def _copies(self):
        """How many copies of each text are in the destination."""
        only = oracle.Excuse(foreign=self.excuse.foreign)
        foreign = {**self.scene.foreign, **self.excuse.foreign}
        found = oracle.look(self.w, self.scene, foreign, only)
        return Counter({first: len(labels) for first, labels in found.copies.items()})

    def _noted(self):
        """How many messages of each text the ledgers have noted."""
        form = oracle.form_of(self.scene)
        firsts = oracle.firsts({**self.scene.texts, **self.scene.foreign, **self.excuse.foreign},
                               form)
        known = noted.delivered(self.w)
        have, want = Counter(), Counter()
        for serial, text in self.scene.texts.items():
            want[firsts[form(text)]] += 1
            have[firsts[form(text)]] += serial in known
        return have, want

    def _took(self, removed, here, name=""):
        """Copies are gone from where postrider looks; HERE: but are counted.
        A file with this NAME was not to be seen while it was staged, unless a
        power cut has undone the half of a rename."""
        have, want = self._noted()
        seen_early = name and not self.after_cut and os.path.exists(staged(self.mail, name))
        for first, count in removed.items():
            if not seen_early:
                self.excuse.more[first] += min(count, want[first] - have[first])
            if not here:
                self.excuse.taken += [first] * count

    # ---- anywhere ----

    def _unlocker(self, _rng):
        """A person removes the lock, since a message has named it."""
        for account in oracle.names(self.w.path("state")):
            path = self.w.path("state/%s/lock" % account)
            if os.path.exists(path):
                os.unlink(path)

    def _restorer(self, _rng):
        """All of the destination comes out of a copy: the same, elsewhere on
        the disk; so it does when a disk is replaced."""
        if not os.path.exists(self.mail):
            return
        copy = self.w.folder + "/copy"
        if os.path.isdir(self.mail):
            shutil.copytree(self.mail, copy)
            shutil.rmtree(self.mail)
        else:
            shutil.copy2(self.mail, copy)
            os.unlink(self.mail)
        shutil.move(copy, self.mail)

    def _back_in_time(self, _rng):
        """The same, but the copy is from before the fetch. Only if nobody has
        taken or changed anything: what comes back then is another matter."""
        old = [f for f in self.start.files if f[0].split("/")[1] == "mail"]
        if self.w.mail != "mail" or not old or set(self.done) - {"back_in_time", "unlocker"}:
            return
        before = self._copies()
        if self.scene.kind == "maildir":
            shutil.rmtree(self.mail)
            for path, mode in self.start.folders:
                if path.split("/")[1] == "mail":
                    os.mkdir(self.w.home + path, mode)
        elif os.path.exists(self.mail):
            os.unlink(self.mail)
        for path, mode, data in old:
            with open(os.open(self.w.home + path, os.O_WRONLY | os.O_CREAT, mode), "wb") as file:
                file.write(data)
        have, _want = self._noted()
        for first, count in (before - self._copies()).items():
            self.excuse.less[first] += min(count, have[first])

    def _mover(self, _rng):
        """A person moves it, and says so in the configuration."""
        if os.path.exists(self.mail):
            self.count += 1
            new = "moved%d" % self.count
            os.rename(self.mail, self.w.path(new))
            self.w.mail = new
            self.w.configure(self.scene)

    # ---- Maildir ----

    def _messages(self):
        """Folder and name of all that is delivered."""
        for sub in oracle._message_folders(self.mail):
            for name in oracle.names(self.mail + "/" + sub):
                yield sub, name

    def _identify(self, path):
        texts = oracle.firsts({**self.scene.texts, **self.scene.foreign})
        with open(path, "rb") as file:
            data = file.read()
        if self.scene.gzip:
            data = b"".join(corpus.members(data)[0])
        return texts.get(data)

    def _reader(self, rng):
        """Reads, flags, files away and deletes."""
        for sub, name in list(self._messages()):
            path, base = "%s/%s/%s" % (self.mail, sub, name), name.split(":")[0]
            what = rng.choice(("leave", "read", "read", "file", "file", "copy", "delete"))
            folder = ""
            if what in ("file", "copy"):
                folder = rng.choice(_FOLDERS) + "/"
                for inner in ("new", "cur", "tmp"):
                    os.makedirs(self.mail + "/" + folder + inner, exist_ok=True)
            first = self._identify(path)
            if what == "delete" and first:
                os.unlink(path)
                self._took({first: 1}, False, name)
            elif what == "copy" and first:
                # As Dovecot and mutt do: a file of their own making.
                self.count += 1
                base = "%d.M1P%d.reader" % (alike.SECOND, self.count) + (
                    ",S=" + base.split(",S=")[1].split(",")[0] if ",S=" in base else "")
                self._took({first: 1}, True, name)
            if what in ("read", "file", "copy"):
                os.rename(path, "%s/%scur/%s%s" % (self.mail, folder, base, rng.choice(_FLAGS)))

    def _cleaner(self, _rng):
        """Two days pass; somebody cleans tmp/ of what is 36 hours old."""
        self.later += 48 * HOUR
        self._clean(time.time() + self.later - 36 * HOUR, lambda _name: True)

    def _syncer(self, rng):
        """mbsync, which clears tmp/ after 24 hours, when some or all are older
        than that."""
        every = rng.random() < 0.5
        then = time.time() - 25 * HOUR
        chosen = {n for n in oracle.names(self.mail + "/tmp") if every or rng.random() < 0.5}
        for name in chosen:
            os.utime(self.mail + "/tmp/" + name, (then, then))
        self._clean(time.time() - 24 * HOUR, chosen.__contains__)

    def _clean(self, oldest, chosen):
        for name in oracle.names(self.mail + "/tmp"):
            path = self.mail + "/tmp/" + name
            if chosen(name) and os.stat(path).st_mtime < oldest:
                os.unlink(path)

    def _linker(self, _rng):
        """A snapshot of hard links, which stays."""
        self.count += 1
        if os.path.exists(self.mail):
            shutil.copytree(self.mail, self.w.path("snapshot%d" % self.count),
                            copy_function=os.link)

    # ---- mbox ----

    def _text(self):
        """The mbox, and whether readers would see messages in it, each with a
        whole From_ line, and no blocks that the disk never got: those a reader
        would make a part of some message for good."""
        if not os.path.exists(self.mail):
            return b"", False
        with open(self.mail, "rb") as file:
            data = file.read()
        if self.scene.gzip:
            texts, whole = corpus.members(data)
            if not whole:
                return b"", False
            data = b"".join(texts)
        lines = re.findall(rb"^From .*$", data, re.M)
        return data, bool(lines) and data.startswith(b"From ") and all(
            re.fullmatch(_FROM_LINE, line) for line in lines) \
            and data.rfind(b"\n") > data.rfind(b"\nFrom ") and not _GLUED.search(data) \
            and b"\0" not in data

    def _rewrite(self, rng, change):
        """Write it anew, message by message, in place or as a new file."""
        data, good = self._text()
        if not good:
            return
        before = self._copies()
        data = b"".join(filter(None, (change(n, one) for n, one in enumerate(
            _SPLIT.split(data)) if one)))
        in_place = rng.random() < 0.5
        path = self.mail + ("" if in_place else ".tmp")
        with open(path, "wb") as file:
            file.write(gzip.compress(data) if self.scene.gzip else data)
        if not in_place:
            os.rename(path, self.mail)
        if self.scene.gzip:
            # Compressed as one: no message can be told from the bytes.
            self._took(before, True)

    def _mutt(self, rng):
        """Reads some; deletes some, now and then."""
        deletes, texts = rng.random() < 0.3, oracle.firsts(self.scene.texts, oracle.bare)

        def change(_number, one):
            if deletes and rng.random() < 0.4:
                first = _first(one, texts)
                if first:
                    self._took({first: 1}, False)
                    return b""
            size, lines = len(one), one.count(b"\n")
            return _with(one, b"Status: %sO\nContent-Length: %d\nLines: %d\n"
                         % (rng.choice((b"", b"R")), size, lines))
        self._rewrite(rng, change)

    def _dovecot(self, rng):
        """Numbers them, with room for flags."""
        def change(number, one):
            first = b"X-IMAPbase: 1767258000 %010d\n" % 99 if number == 0 else b""
            return _with(one, first + b"X-UID: %d\nStatus: \nX-Keywords: %20s\n" % (number + 1, b""))
        self._rewrite(rng, change)

    def _procmail(self, rng):
        """Appends a message, perhaps one that we have, too; now and then behind
        half a line."""
        self.count += 1
        text = rng.choice((corpus.message(FOREIGN + self.count, 700),
                           *list(self.scene.texts.values())[:3]))
        data = b"From list@example.org Thu Jan  1 09:00:00 2026\n" + re.sub(
            rb"^(>*From )", rb">\1", text, flags=re.M) + b"\n"
        with open(self.mail, "ab+") as file:
            file.seek(0)
            before = file.read()
            if self.scene.gzip:
                data = gzip.compress(data)
            elif before[-1:] not in (b"\n", b"") and rng.random() < 0.5:
                data = b"\n" + data
            file.write(data)
        self.excuse.foreign[FOREIGN + self.count] = text

    def _archiver(self, _rng):
        """A person puts the mbox away; the next one who delivers makes another."""
        if not self._text()[1]:
            return
        self.count += 1
        before, name = self._copies(), "saved%d" % self.count
        # What else is in it stays there.
        self._rewrite(_Always(), lambda _number, one: one.rstrip(b"\n") + _ends(one))
        os.rename(self.mail, self.w.path(name))
        halves = oracle.Found(form=oracle.form_of(self.scene))
        oracle.see_mbox(halves, oracle.firsts({**self.scene.texts, **self.scene.foreign,
                                               **self.excuse.foreign}, halves.form),
                        self.w.path(name), self.scene.gzip)
        self.excuse.archives[name] = halves.torn
        self._took(before, True)


def staged(mail, name):
    """Where a delivered message was before."""
    return "%s/tmp/%s" % (mail, name.split(",S=")[0])


class _Always:
    """Chance that is none."""

    @staticmethod
    def random():
        """In place."""
        return 0.0


def _with(message, lines):
    """A message of an mbox with other header lines of readers."""
    head, _gap, body = message.partition(b"\n\n")
    head = oracle._READERS.sub(b"", head.rstrip(b"\n") + b"\n")
    body = body.rstrip(b"\n") + _ends(body)
    return head + lines + b"\n" + body


def _ends(body):
    """The line ends at its end: as many as there are, and a blank line at least."""
    return b"\n" * max(2, len(body) - len(body.rstrip(b"\n")))


def _first(message, texts):
    """The serial number of what stands in an mbox."""
    text = oracle.bare(message.partition(b"\n")[2])
    return texts.get(re.sub(rb"^>(>*From )", rb"\1", text[:-1], flags=re.M))


_ANY = ("unlocker",)
_BOTH = _ANY + ("restorer", "back_in_time", "mover")
_MAILDIR = _BOTH + ("reader", "reader", "cleaner", "syncer", "linker")
_MBOX = _BOTH + ("mutt", "mutt", "dovecot", "dovecot", "procmail", "procmail", "archiver")
NAMES = sorted(set(_MAILDIR + _MBOX))
