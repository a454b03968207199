# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be found at the end, and what may not.

The rules, in order of weight: no message is lost; none is torn; none is
there twice (from a program: once more an account and crash, and marked as
another attempt); the server holds what was agreed; no litter is left.

Messages of the same bytes are counted: as many copies as there were. What
other programs did (neighbours.py) excuses as much as it explains.
"""

import functools
import os
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from . import corpus, world

STATUS = b"Status: O\n"         # what our mail reader puts behind a header
# What readers write into the headers of an mbox.
_READERS = re.compile(rb"(?im)^(?:Status|X-Status|X-UID|X-Keywords|X-IMAPbase|Content-Length"
                      rb"|Lines): .*\n")
WORDS = "lost torn doubled stuck held litter crashed".split()


@dataclass
class Found:
    """What stands in a destination."""

    copies: dict = field(default_factory=lambda: defaultdict(list))
    torn: list = field(default_factory=list)
    form: object = bytes                            # in which texts are compared

    def see(self, texts, data, label):
        """A message that a reader would see."""
        data = self.form(data)
        serial = texts.get(data)
        if serial is None:
            self.torn.append("%s: %d bytes, %r..." % (label, len(data), data[:60]))
        else:
            self.copies[serial].append(label)


@dataclass
class Excuse:
    """What cannot be held against postrider, because of what others did. Messages
    are named by the first of all that have the same bytes."""

    taken: list = field(default_factory=list)       # somebody took it: here once
    # It may come once more: it went before anything said that it was here.
    more: Counter = field(default_factory=Counter)
    # It may be missing: it was here for certain, and somebody put back a copy
    # of the destination that is older.
    less: Counter = field(default_factory=Counter)
    foreign: dict = field(default_factory=dict)     # other programs' messages
    # Where a person put an mbox away, and what was wrong with it then.
    archives: dict = field(default_factory=dict)


@functools.lru_cache(4096)
def bare(text):
    """A message without what readers write into its header."""
    head, gap, body = text.partition(b"\n\n")
    return _READERS.sub(b"", head + b"\n") + gap[1:] + body


def firsts(texts, form=bytes):
    """The first serial number of each text."""
    found = {}
    for serial, text in sorted(texts.items()):
        found.setdefault(form(text), serial)
    return found


def _read(path):
    with open(path, "rb") as file:
        return file.read()


def names(folder):
    """What is in a folder, if it is there."""
    try:
        return sorted(os.listdir(folder))
    except FileNotFoundError:
        return []


def see_maildir(found, texts, folder, gzip):
    """What a Maildir holds."""
    for sub in _message_folders(folder):
        for name in names(folder + "/" + sub):
            data, whole = _read("%s/%s/%s" % (folder, sub, name)), True
            if gzip:
                members, whole = corpus.members(data)
                data = b"".join(members)
                whole = whole and len(members) == 1
            size = re.search(r",S=(\d+)", name)
            if not whole or (size and int(size.group(1)) != len(data)):
                found.torn.append("%s/%s: not what its name or its trailer says" % (sub, name))
            found.see(texts, data, sub + "/" + name)


def _message_folders(folder):
    """new and cur of a Maildir, and of the folders in it."""
    for inner in ["."] + [name for name in names(folder)
                          if name[0] == "." and os.path.isdir(folder + "/" + name)]:
        for sub in ("new", "cur"):
            yield os.path.normpath(inner + "/" + sub)


_ENVELOPE = re.compile(rb"^From \S+ (?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) ")


def see_mbox(found, texts, path, gzip):
    """What an mbox holds, if it is there."""
    if not os.path.exists(path):
        return
    data, whole = _read(path), True
    if gzip:
        members, whole = corpus.members(data)
        data = b"".join(members)
    if not whole:
        found.torn.append("%s: gzip -t would complain" % path)
    for number, text in enumerate(mbox_messages(data, found)):
        found.see(texts, text, "message %d" % number)


def mbox_messages(data, found):
    """The messages of an mboxrd, without From_ line, quoting and blank line."""
    if data and not _ENVELOPE.match(data):
        found.torn.append("mbox: begins with %r" % data[:60])
    lines = data.split(b"\n")
    starts = [i for i, line in enumerate(lines) if line.startswith(b"From ")]
    for at, end in zip(starts, starts[1:] + [len(lines) - 1]):
        body = lines[at + 1:end]
        if not body or body[-1] != b"":
            found.torn.append("mbox: no blank line before line %d" % end)
        text = b"\n".join(body[:-1]) + b"\n"
        yield re.sub(rb"^>(>*From )", rb"\1", text.replace(b"\n" + STATUS + b"\n", b"\n\n", 1),
                     flags=re.M)
    if data and lines[-1] != b"":
        found.torn.append("mbox: ends without a line end")


def see_program(found, texts, folder):
    """What the test's own MDA has taken."""
    for name in names(folder):
        if name[0] != ".":
            found.see(texts, _read(folder + "/" + name), name)


def _procmail(found, texts, home):
    for name in names(home):
        if re.match(r"p\d*$", name):
            for file in names("%s/%s/new" % (home, name)):
                # As the other program's labels: ID:ATTEMPT:PID.
                found.see(texts, _read("%s/%s/new/%s" % (home, name, file)),
                          "procmail:%s:%s" % (name[1:], file))


def form_of(scenario):
    """How its messages are compared: some sweeps have readers that write Status
    lines and more."""
    return bare if scenario.kind == "mbox" and scenario.alike else bytes


def look(w, scenario, foreign=(), excuse=None):
    """What a reader finds in the destination; FOREIGN may be there, too."""
    excuse = excuse or Excuse()
    found = Found(form=form_of(scenario))
    texts = firsts({**scenario.texts, **dict(foreign)}, found.form)
    if scenario.kind == "maildir":
        see_maildir(found, texts, w.path(w.mail), scenario.gzip)
    elif scenario.kind == "mbox":
        see_mbox(found, texts, w.path(w.mail), scenario.gzip)
        for path, halves in excuse.archives.items():
            before = len(found.torn)
            see_mbox(found, texts, w.path(path), scenario.gzip)
            if found.torn[before:] == halves:
                del found.torn[before:]
    elif scenario.kind == "pipe":
        see_program(found, texts, w.path("out"))
    else:
        _procmail(found, texts, w.home)
    return found


def litter(w, scenario):
    """Files that should not be there when nothing is under way."""
    stages = ["state/%s/stage/" % account for account, _user in world.ACCOUNTS]
    files = [stage + n for stage in stages for n in names(w.path(stage))]
    if scenario.kind == "maildir":
        files += [w.mail + "/tmp/" + n for n in names(w.path(w.mail + "/tmp"))]
    if scenario.kind == "mbox":
        files += [n for n in names(w.home) if n.startswith(w.mail + ".")]
    return files


def _doubled(scenario, what, labels, wanted, crashes):
    """Complaints about the copies of one text; a program may have been given a
    message once more, marked, for each crash."""
    if len(labels) <= wanted:
        return []
    text = "%s is there %d times, not %d: %s" % (what, len(labels), wanted, ", ".join(labels))
    if scenario.kind not in ("pipe", "procmail"):
        return [text]
    attempts = defaultdict(list)
    for label in labels:
        attempts[label.split(":")[0]].append(int(label.split(":")[1] or 0))
    marked = all(attempt >= 2 for one in attempts.values() for attempt in sorted(one)[1:])
    if not marked or len(attempts) > wanted or len(labels) > wanted + crashes:
        return [text + " after %d crashes" % crashes]
    return []


def judge(w, scenario, crashes=1, excuse=None):
    """Everything that is wrong once the last clean run is over, but for what
    has an EXCUSE."""
    excuse = excuse or Excuse()
    form, held = form_of(scenario), w.held()
    foreign = {**scenario.foreign, **excuse.foreign}
    found = look(w, scenario, foreign, excuse)
    wrong = {word: [] for word in WORDS}
    wrong["torn"] = found.torn
    texts, extra = {**scenario.texts, **foreign}, 0
    for text, first in firsts(texts, form).items():
        serials = [serial for serial, one in texts.items() if form(one) == text]
        labels = found.copies[first] + ["taken"] * excuse.taken.count(first)
        what = "message %d" % first if serials == [first] else "each of the messages %s" % serials
        missing = len(serials) - len(labels) - excuse.less[first]
        if missing > 0:
            stuck = len(held & set(serials)) >= missing
            wrong["stuck" if stuck else "lost"].append("%s: %d of %d%s" % (
                what, missing, len(serials), " never leave the server" * stuck))
        extra += max(0, len(labels) - len(serials))
        wrong["doubled"] += _doubled(scenario, what, labels,
                                     len(serials) + excuse.more[first], crashes)
    if scenario.kind in ("pipe", "procmail") and extra > crashes * scenario.accounts \
            and not wrong["doubled"]:
        wrong["doubled"].append("%d copies too many after %d crashes" % (extra, crashes))
    wrong["held"] = _server(scenario, held)
    wrong["litter"] = litter(w, scenario)
    return {word: list for word, list in wrong.items() if list}


def _server(scenario, held):
    wanted = set(scenario.texts) if scenario.keep else set()
    return (["message %d is still on the server" % n for n in sorted(held - wanted)]
            + ["message %d is no longer on the server" % n for n in sorted(wanted - held)])


def judge_moment(w, scenario):
    """What must hold at any moment, also right after a crash: what a reader
    sees is whole, and what the server has let go is here or staged here."""
    wrong = {}
    if scenario.kind == "mbox":
        return wrong            # a torn end is cut off by the next run
    found = look(w, scenario)
    if found.torn:
        wrong["torn"] = found.torn
    return wrong


def picture(w):
    """Names and sizes of all files but the state's own, to see changes."""
    files = []
    for folder, _inner, plain in os.walk(w.home):
        if os.path.dirname(folder) == w.home + "/state":
            plain = []
        files += [(folder, n, os.lstat(folder + "/" + n).st_size) for n in plain]
    return sorted(files), w.held_paths()
