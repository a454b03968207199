#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exactly once, proved on a model: no order of steps, deaths and neighbours
loses a message or doubles one; and with a planted fault one does.

    protocol.py [--deep] [--only WORD] [--trace]

--deep looks further, for minutes; --trace shows, behind what was done to come to
a state that is wrong, the state itself.
"""

import argparse
import gc
import multiprocessing
import sys
import time

from explore import explore
from maildir import Maildir
from mbox import Mbox

LIST, COPY = ("axz", "ayz"), ("ax", "ax")       # posts of one list; the same twice
PREFIX = ("ax.y", "ax")
LOCKING, RUDE = ("lda", "reader"), ("cat", "replace")


def maildir(messages, neighbours=(), crashes=1, errors=0, acts=0, fault="", **more):
    model = Maildir(messages, fault=fault, neighbours=neighbours, crashes=crashes,
                    errors=errors, acts=acts)
    model.__dict__.update(more)
    return model


def mbox(texts, old, neighbours=(), crashes=1, errors=0, acts=0, fault="", **more):
    model = Mbox(texts, old, fault=fault, neighbours=neighbours, crashes=crashes,
                 errors=errors, acts=acts)
    model.tidy = not neighbours
    model.__dict__.update(more)
    return model


FOLDERS = ("cleaner", "reader", "restore", "mount")

# What is explored to the end, and nothing may be wrong.
RUNS = {
    "Maildir: two crashes, an error, a neighbour": lambda: maildir(
        1, FOLDERS, crashes=2, errors=1, acts=1),
    "Maildir: two crashes": lambda: maildir(2, crashes=2),
    "Maildir: a crash and an error": lambda: maildir(2, errors=1),
    "Maildir: a crash, a neighbour": lambda: maildir(2, FOLDERS, acts=1),
    "Maildir: a crash, neighbours three times": lambda: maildir(1, FOLDERS, acts=3),
    "Maildir: new mail meanwhile": lambda: maildir(2, ("arrival", "cleaner"), acts=2, late=1),
    "Maildir: batches of one": lambda: maildir(2, FOLDERS, acts=1, batch=1),
    "Maildir: a hasty reader, none lost": lambda: maildir(
        1, ("hasty", "cleaner"), acts=2, quiet=True),
    "mbox: copies, two crashes": lambda: mbox(("a", "a"), "a", crashes=2),
    "mbox: one list, a crash and an error": lambda: mbox(LIST, "axz", errors=1),
    "mbox: copies, a crash and an error": lambda: mbox(COPY, "ax", errors=1),
    "mbox: one begins another": lambda: mbox(PREFIX, "ax", errors=1),
    "mbox: no empty line at its end": lambda: mbox(COPY, "ax", errors=1, end=""),
    "mbox: copies, locking neighbours": lambda: mbox(COPY, "ax", LOCKING, acts=1),
    "mbox: one list, locking neighbours": lambda: mbox(LIST, "axz", LOCKING, acts=1),
    "mbox: one begins another, a reader": lambda: mbox(PREFIX, "ax", ("reader",), acts=1),
    "mbox: another agent twice, nothing torn": lambda: mbox(
        ("ax",), "ax", ("lda",), crashes=2, acts=2, tidy=True),
    "mbox: copies, another agent, nothing torn": lambda: mbox(
        COPY, "ax", ("lda",), acts=1, tidy=True),
    "mbox: locking neighbours twice": lambda: mbox(("ax",), "ax", LOCKING, acts=2),
    "mbox: two crashes, a neighbour": lambda: mbox(("ax",), "ax", LOCKING, crashes=2, acts=1),
    "mbox: copies, neighbours without locks": lambda: mbox(COPY, "ax", RUDE, acts=1),
    "mbox: an error, a neighbour": lambda: mbox(
        ("ax",), "ax", LOCKING + RUDE, errors=1, acts=1),
    "mbox: new mail, batches of one": lambda: mbox(
        COPY, "ax", ("arrival", "reader"), acts=2, late=1, batch=1),
    "mbox: a disk that is not mounted": lambda: mbox(("ax",), "ax", ("mount",), acts=2),
}

DEEP = {
    "Maildir: two messages, two crashes, a neighbour": lambda: maildir(
        2, FOLDERS, crashes=2, acts=1),
    "Maildir: two crashes, neighbours twice": lambda: maildir(1, FOLDERS, crashes=2, acts=2),
    "Maildir: three messages": lambda: maildir(3, FOLDERS, acts=1),
    "Maildir: three crashes": lambda: maildir(1, ("cleaner", "reader"), crashes=3, acts=1),
    "mbox: copies, locking neighbours twice": lambda: mbox(COPY, "ax", LOCKING, acts=2),
    "mbox: two crashes, neighbours twice": lambda: mbox(
        ("ax",), "ax", ("reader",), crashes=2, acts=2),
    "mbox: copies, two crashes, a reader": lambda: mbox(
        ("a", "a"), "a", ("reader",), crashes=2, acts=1),
    "mbox: three copies": lambda: mbox(("a", "a", "a"), "a", ("reader",), acts=1, batch=3),
}

# A rule that was broken, what must come of it, and where it shows.
FAULTS = {
    "absence counts": ("lost", lambda f: maildir(1, ("cleaner",), acts=1, fault=f)),
    "DELE before the commit": ("lost", lambda f: maildir(1, fault=f)),
    "folder unflushed": ("lost", lambda f: maildir(1, fault=f)),
    "no look at the marker": ("lost", lambda f: maildir(
        1, ("mount", "arrival"), acts=2, fault=f)),
    "intent before its file": ("torn", lambda f: maildir(1, crashes=2, fault=f)),
    "intent unflushed": ("doubled", lambda f: maildir(1, fault=f)),
    "recovery syncs nothing": ("doubled", lambda f: maildir(1, crashes=2, fault=f)),
    "one look only": ("doubled", lambda f: maildir(1, ("reader",), acts=3, fault=f)),
    "tmp/ decides": ("doubled", lambda f: maildir(1, ("reader",), acts=1, fault=f)),
    "marker ahead of the ledger": ("stuck", lambda f: maildir(1, fault=f)),
    "marker noted unflushed": ("stuck", lambda f: maildir(1, fault=f)),
    "resemblance decides": ("lost", lambda f: mbox(LIST, "axz", fault=f)),
    "From_ lines alike": ("lost", lambda f: mbox(
        COPY, "", ("reader",), acts=1, batch=1, fault=f)),
    "append unflushed": ("lost", lambda f: mbox(("ax",), "", fault=f)),
    "offsets are believed": ("doubled", lambda f: mbox(
        ("ax",), "ay", ("reader",), acts=1, fault=f)),
    "no look after the append": ("lost", lambda f: mbox(("ax",), "", RUDE, acts=1, fault=f)),
    "hint unflushed": ("doubled", lambda f: mbox(
        ("ax",), "", tidy=False, fault=f)),
    "any end is believed": ("doubled", lambda f: mbox(COPY, "ax", ("reader",), acts=1, fault=f)),
    "a cut is for all": ("doubled", lambda f: mbox(
        ("a", "a"), "", ("reader",), crashes=2, acts=1, fault=f)),
    "released before it is noted": ("doubled", lambda f: mbox(
        ("ax",), "", ("reader",), acts=1, fault=f)),
    "a line goes on": ("torn", lambda f: mbox(("ax",), "", ("lda",), acts=1, tidy=True, fault=f)),
    "torn is left": ("torn", lambda f: mbox(("ax",), "", fault=f)),
}

# What a run must have come to, or it proves little.
REACHED = {
    "all of it is there", "at its end", "at its end, but of what?", "a part, and nothing else",
    "a part, and others behind", "something else", "to be searched",
    "excise_again", "copied back", "look_again", "the piece is taken back",
    "ENOENT", "no QUIT", "QUIT, unanswered", "look into folder",
    "the pass refuses to work", "an older copy restored", "reader: written in place",
    "reader: written by rename", "replaced by a copy", "another program appends",
}


def look(job):
    """One exploration, in whatever process."""
    name, planted = job
    begin = time.monotonic()
    gc.disable()            # there are no cycles, and millions of tuples
    found = explore(FAULTS[name][1](name) if planted else {**RUNS, **DEEP}[name]())
    return job, found, time.monotonic() - begin


def show(found, with_state):
    """How it comes to that."""
    for label, state in found.trace:
        print("#    %s" % (label or "at the beginning"))
    if with_state and found.trace:
        for field, value in vars(found.trace[-1][1]).items():
            print("#      %s: %s" % (field, value))


def report(number, job, found, seconds, with_state):
    """One line of the Test Anything Protocol, and the trace; was it right?"""
    name, planted = job
    wanted = FAULTS[name][0] if planted else ""
    good = (found.wrong or "").split(":")[0] == wanted
    what = "planted: %s: %s, after %d steps" % (
        name, found.wrong or "NOT FOUND", len(found.trace) - 1) if planted else \
        "%s: %d states, %d moves%s" % (name, found.states, found.moves,
                                       found.wrong and ": " + found.wrong)
    print("%sok %d - %s (%.1f s)" % ("" if good else "not ", number, what, seconds))
    show(found, with_state)
    sys.stdout.flush()
    return good


def reached(number, labels):
    """Has all happened that should?"""
    missing = sorted(REACHED - labels)
    print("%sok %d - every rule of recovery and each neighbour was met%s" % (
        "not " if missing else "", number, ": not " + ", ".join(missing) if missing else ""))
    return not missing


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deep", action="store_true")
    parser.add_argument("--only", default="", metavar="WORD")
    parser.add_argument("--trace", action="store_true")
    options = parser.parse_args()
    runs = {**RUNS, **DEEP} if options.deep else RUNS
    jobs = [(n, False) for n in runs] + [(n, True) for n in FAULTS]
    jobs = [job for job in jobs if options.only in job[0]]
    good, labels = [], set()
    print("1..%d" % (len(jobs) + (not options.only)), flush=True)
    with multiprocessing.Pool(2) as pool:
        for done in pool.imap(look, jobs):
            good.append(report(len(good) + 1, *done, options.trace))
            labels |= done[1].labels
    if not options.only:
        good.append(reached(len(good) + 1, labels))
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
