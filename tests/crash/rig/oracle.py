# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be found at the end, and what may not.

The rules, in order of weight: no message is lost; none is torn; none is
there twice (from a program: once more an account and crash, and marked as
another attempt); the server holds what was agreed; no litter is left.
"""

import os
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from . import corpus, world

STATUS = b"Status: O\n"         # what our mail reader puts behind a header
WORDS = "lost torn doubled stuck held litter crashed".split()


@dataclass
class Found:
    """What stands in a destination."""

    copies: dict = field(default_factory=lambda: defaultdict(list))
    torn: list = field(default_factory=list)

    def see(self, texts, data, label):
        """A message that a reader would see."""
        serial = texts.get(data)
        if serial is None:
            self.torn.append("%s: %d bytes, %r..." % (label, len(data), data[:60]))
        else:
            self.copies[serial].append(label)


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
    for sub in ("new", "cur"):
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


def look(w, scenario, foreign=()):
    """What a reader finds in the destination; FOREIGN may be there, too."""
    found = Found()
    texts = {text: serial for serial, text in {**scenario.texts, **dict(foreign)}.items()}
    if scenario.kind == "maildir":
        see_maildir(found, texts, w.path("mail"), scenario.gzip)
    elif scenario.kind == "mbox":
        see_mbox(found, texts, w.path("mail"), scenario.gzip)
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
        files += ["mail/tmp/" + n for n in names(w.path("mail/tmp"))]
    if scenario.kind == "mbox":
        files += [n for n in names(w.home) if n.startswith("mail.")]
    return files


def _doubled(scenario, serial, labels, crashes):
    """Complaints about the copies of one message; a program may have been
    given one more, marked, for each crash."""
    if len(labels) == 1:
        return []
    text = "message %d is there %d times: %s" % (serial, len(labels), ", ".join(labels))
    if scenario.kind not in ("pipe", "procmail"):
        return [text]
    keys = sorted((int(label.split(":")[1] or 0), label.split(":")[0]) for label in labels)
    marked = all(attempt >= 2 for attempt, _id in keys[1:])
    if not marked or len({one for _attempt, one in keys}) > 1 or len(keys) > 1 + crashes:
        return [text + " after %d crashes" % crashes]
    return []


def judge(w, scenario, crashes=1, taken=(), foreign=()):
    """Everything that is wrong once the last clean run is over.

    TAKEN are the serial numbers (a list) that a reader has taken away, FOREIGN
    the messages that another program has delivered.
    """
    foreign = {**scenario.foreign, **dict(foreign)}
    found, held = look(w, scenario, foreign), w.held()
    wrong = {word: [] for word in WORDS}
    wrong["torn"] = found.torn
    extra = 0
    for serial in scenario.texts:
        labels = found.copies[serial] + ["taken"] * Counter(taken)[serial]
        if not labels and serial in held:
            wrong["stuck"].append("message %d never leaves the server" % serial)
        elif not labels:
            wrong["lost"].append("message %d" % serial)
        else:
            extra += len(labels) - 1
            wrong["doubled"] += _doubled(scenario, serial, labels, crashes)
    if extra > crashes * scenario.accounts and not wrong["doubled"]:
        wrong["doubled"].append("%d copies too many after %d crashes" % (extra, crashes))
    for serial in foreign:
        if len(found.copies[serial]) != 1:
            wrong["doubled" if found.copies[serial] else "lost"].append(
                "a message of another program: %d copies" % len(found.copies[serial]))
    wrong["held"] = _server(scenario, held)
    wrong["litter"] = litter(w, scenario)
    return {word: list for word, list in wrong.items() if list}


def _server(scenario, held):
    wanted = set(scenario.texts) if scenario.keep else set()
    return (["message %d is still on the server" % n for n in sorted(held - wanted)]
            + ["message %d is no longer on the server" % n for n in sorted(wanted - held)])


def judge_moment(w, scenario, taken=()):
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
