# SPDX-License-Identifier: GPL-3.0-or-later
"""Who else is about between a crash and the next run."""

import gzip
import os
import random
import re

from . import corpus, crew, neighbours, noted, oracle, places

FOREIGN = 9001          # serial number of a message that we did not deliver
TWO_DAYS = 48 * 3600
_ENVELOPE = b"From other@example.org Thu Jan  1 09:00:00 2026\n"


def quoted(text):
    """A message as it stands in an mboxrd, without the blank line."""
    return _ENVELOPE + re.sub(rb"^(>*From )", rb">\1", text, flags=re.M)


class Others:
    """What the others have done to a world."""

    def __init__(self, w, scene, after_cut=False, start=None):
        self.w, self.scene, self.after_cut, self.start = w, scene, after_cut, start
        self.excuse = oracle.Excuse()
        self.later = 0          # seconds that have passed
        self.mail = w.path("mail")
        self.all = None

    def come(self, word, number):
        """Do what WORD of places.MEANWHILE says; NUMBER varies it."""
        if word.startswith(places.NEAR):
            what = word[len(places.NEAR):]
            self.near(random.Random("%s@%d" % (word, number)),
                      [] if what.isdigit() else what.split("+"))
        elif word != "hasty":
            getattr(self, "_" + word)(number)

    def near(self, rng, names=()):
        """The neighbours."""
        if self.all is None:
            start = self.start or crew.before(self.scene.name)
            self.all = neighbours.Neighbours(self.w, self.scene, start, self.excuse,
                                             self.after_cut)
        self.all.come(rng, names)
        self.later = self.all.later

    def said(self):
        """Which neighbours came."""
        return " ".join(self.all.done) if self.all else ""

    def _reader(self, _number):
        texts = {text: serial for serial, text in self.scene.texts.items()}
        known = noted.delivered(self.w)
        for name in oracle.names(self.mail + "/new"):
            path = self.mail + "/new/" + name
            with open(path, "rb") as file:
                serial = texts.get(file.read(), 0)
            if serial % 2:
                os.rename(path, "%s/cur/%s:2,S" % (self.mail, name))
            else:
                os.unlink(path)
                self.excuse.taken.append(serial)
                # Nothing says that it was here: it may come once more. But
                # while it was staged, it was not to be seen.
                self.excuse.more[serial] += serial not in known and not os.path.exists(
                    neighbours.staged(self.mail, name))

    def _writer(self, number):
        """Even behind half a message; some programs see to it that a line
        begins there, others do not."""
        text = corpus.message(FOREIGN, 700)
        data = quoted(text) + b"\n"
        if self.scene.gzip:
            data = gzip.compress(data)
        elif os.path.exists(self.mail) and number % 2:
            with open(self.mail, "rb") as file:
                data = b"\n" * (file.read()[-1:] not in (b"\n", b"")) + data
        with open(self.mail, "ab") as file:
            file.write(data)
        self.excuse.foreign[FOREIGN] = text

    def _rewriter(self, number):
        """Only a whole mbox; a reader that waits for locks finds no other.
        It keeps the file, or puts a new one in its place."""
        if not os.path.exists(self.mail):
            return
        with open(self.mail, "rb") as file:
            data = file.read()
        found = oracle.look(self.w, self.scene)
        if found.torn or not data:
            return
        path = self.mail + (".tmp" if number % 2 else "")
        with open(path, "wb") as file:
            file.write(_each(data))
        os.rename(path, self.mail)

    def _cleaner(self, _number):
        for name in oracle.names(self.mail + "/tmp"):
            os.unlink(self.mail + "/tmp/" + name)
        self.later = TWO_DAYS


def _each(data):
    """An mbox with a Status line at the end of every header."""
    messages = re.split(rb"(?<=\n\n)(?=From )", data)
    return b"".join(message.replace(b"\n\n", b"\n" + oracle.STATUS + b"\n", 1)
                    for message in messages)
