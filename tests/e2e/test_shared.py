#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""One mbox, one Maildir, and others who use them while we deliver.

Procmail delivers into the same folder; Dovecot and mutt read, flag, move and
delete. In the end what is in the folder, what the reader took out and what is
still on the server is every message exactly once, byte for byte.
"""

import re

from harness import mutt, popd, procs, readers, tap, wire
from harness.scene import world
from harness.shared import (COUNT, Fetching, Mailbox, UID, as_procmail, numbered, procmail,
                            sharing)


# Other writers.


@tap.case("procmail delivers hundreds of messages into the same folder at the same time")
def with_procmail(_env):
    tap.need("procmail")

    def play(setting):
        kind, lockfile = setting
        with sharing(kind) as shared:
            shared.put(numbered(COUNT, seed=1))
            shared.configure(limits={"messages": 8})
            theirs = [re.sub(rb"(?m)^Subject: ", b"Subject: their ", m)
                      for m in numbered(COUNT, seed=2)]
            with Fetching(shared) as fetching:
                procmail(shared, theirs, lockfile)
            fetching.check()
            tap.diag("%s, lock %r: %d passes meanwhile, %d messages left then"
                     % (kind, lockfile, fetching.passes, len(shared.server.held())))
            shared.configure()
            shared.settle()
            log = readers.read(shared.one.path("procmail.log"))
            tap.check(b"rror" not in log, "procmail is unhappy", log.decode())
            shared.judge(foreign=as_procmail(theirs, kind))
    tap.each((("mbox", ":"), ("mbox", ""), ("maildir", "")), play)


@tap.case("two accounts of ours deliver into one folder at the same time")
def with_ourselves(_env):
    for kind in ("mbox", "maildir"):
        with sharing(kind) as shared, popd.Popd((), tls="none") as second:
            shared.put(numbered(COUNT, seed=3))
            more = [re.sub(rb"(?m)^Subject: ", b"Subject: their ", m)
                    for m in numbered(COUNT, seed=4)]
            second.put(more)
            deliver = {kind: shared.path}
            shared.one.configure({
                "box": shared.server.account(deliver, keep=False, limits={"messages": 20}),
                "other": second.account(deliver, keep=False, host="127.0.0.1",
                                        limits={"messages": 20})})
            procs.wait_until(lambda: shared.one.fetch_ok() and not shared.server.held()
                             and not second.held(), 120, "all mail of both")
            shared.judge(foreign=more)


# Readers.


def rounds(shared, number):
    """NUMBER times new mail comes, and a fetch runs until the next round."""
    for turn in range(number):
        shared.put(numbered(COUNT // number, seed=100 + turn, first=turn * (COUNT // number)))
        yield turn


def dovecot(kind):
    """A person reads, flags, moves and deletes with Dovecot while mail comes."""
    with sharing(kind) as shared:
        shared.put(numbered(10, seed=99, first=10_000))
        shared.one.fetch_ok()
        mailbox = Mailbox(shared)
        with Fetching(shared) as fetching:
            for turn in rounds(shared, 15):
                procs.wait_until(lambda: len(shared.server.held()) < 10 or fetching.failures, 300,
                                 "mail to come in")
                mailbox.use()
                if turn % 4 == 3:
                    mailbox.again()
        fetching.check()
        shared.settle()
        names = [line.decode() for line in mailbox.imap.must(mailbox.imap.list())]
        tap.check(len(names) == 2, "our files are taken for folders", names)
        listed = mailbox.imap.listed()
        mailbox.imap.logout()
        tap.equal(len(listed), len(shared.read()), "messages that Dovecot sees in the end")
        tap.diag("%s: %d passes, %d deleted, %d moved, %d in the inbox" % (
            kind, fetching.passes, len(mailbox.deleted),
            len(mailbox.taken()) - len(mailbox.deleted), len(shared.read())))
        shared.judge(taken=mailbox.taken())


@tap.case("Dovecot reads, flags, moves and deletes in the mbox while we deliver")
def dovecot_mbox(_env):
    dovecot("mbox")


@tap.case("Dovecot reads, flags, moves and deletes in the Maildir while we deliver")
def dovecot_maildir(_env):
    dovecot("maildir")


# Which messages mutt moves, deletes (after a copy) and flags, by their last digit.
KEYS = ("<tag-pattern>~s\"message [0-9]*[27]$\"<enter><tag-prefix><save-message><kill-line>"
        "=moved<enter>"
        "<tag-pattern>~s\"message [0-9]*4$\"<enter><tag-prefix><flag-message>"
        "<untag-pattern>~A<enter>"
        "<tag-pattern>~s\"message [0-9]*9$\"<enter><tag-prefix><copy-message><kill-line>"
        "=trash<enter><tag-prefix><delete-message>"
        "<quit>")


def with_mutt(kind):
    """A person opens the folder in mutt, moves, flags, deletes and quits."""
    with sharing(kind) as shared:
        shared.put(numbered(10, seed=99, first=10_000))
        shared.one.fetch_ok()
        folder = shared.one.path("in")
        mutt_kind = "mbox" if kind == "mbox" else "Maildir"

        def session():
            status, screen = mutt.run(mutt_kind, shared.path, KEYS, folder, uid=UID)
            tap.check(status == 0, "mutt ended with %d; its screen ends\n%r" % (status, screen[-500:]))
        with Fetching(shared) as fetching:
            for _ in rounds(shared, 15):
                session()
        fetching.check()
        shared.settle()
        session()               # alone now, so this one could do all it wanted
        # A session that finds the folder changed at its end may leave in it what
        # it has copied, and copy it again: one is enough to count.
        taken = {}
        for name in ("moved", "trash"):
            for message in shared.read(folder + "/" + name):
                taken[wire.digest(message)] = message
        tap.check(taken, "mutt did nothing")
        tap.diag("%s: %d passes, %d moved or deleted, %d in the inbox"
                 % (kind, fetching.passes, len(taken), len(shared.read())))
        shared.judge(taken=taken.values())


@tap.case("mutt flags, moves and deletes in the mbox while we deliver")
def mutt_mbox(_env):
    with_mutt("mbox")


@tap.case("mutt flags, moves and deletes in the Maildir while we deliver")
def mutt_maildir(_env):
    with_mutt("maildir")


if __name__ == "__main__":
    tap.main(world)
