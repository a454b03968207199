#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Killed again and again while others use the same folder: every message is there
exactly once in the end, whatever the others did to the file meanwhile."""

import contextlib
import itertools
import os
import random
import re
import time

from harness import procs, tap, trace
from harness.scene import world
from harness.shared import COUNT, Fetching, Mailbox, as_procmail, numbered, procmail, sharing


class Dying(Fetching):
    """Fetch a few messages at a time, and be killed in the middle of most
    passes; a generator decides when, how fast the machine is what that hits."""

    def run(self):
        """The loop."""
        rng, self.hits = random.Random(11), 0
        while not self.enough:
            process = self.shared.one.start("fetch")
            time.sleep(rng.uniform(0.005, 0.06))
            family = procs.descendants(process.pid)
            self.hits += process.poll() is None
            procs.kill_group(process.pid)
            for pid in family:
                procs.kill(pid)
            process.wait()
            self.passes += 1


def heavy(count, seed, first=0):
    """Messages of which many take several writes."""
    rng = random.Random(seed)
    return [message + b"".join(b"%d %d\n" % (number, rng.getrandbits(60))
                               for number in range(rng.choice((0, 0, 500, 5000))))
            for message in numbered(count, seed, first)]


@tap.case("killed again and again while procmail delivers into the same folder")
def dying_with_procmail(_env):
    tap.need("procmail")

    def play(kind):
        with sharing(kind) as shared:
            shared.put(heavy(COUNT // 2, seed=1))
            shared.configure(limits={"messages": 4})
            theirs = [re.sub(rb"(?m)^Subject: ", b"Subject: their ", m)
                      for m in numbered(COUNT // 2, seed=2)]
            with Dying(shared) as dying:
                # No dotlock: those of the dead are not procmail's to break.
                procmail(shared, theirs, "")
                procs.wait_until(lambda: dying.hits >= 25 or not shared.server.held(), 300,
                                 "25 deaths")
            tap.diag("%s: killed %d times in %d passes" % (kind, dying.hits, dying.passes))
            shared.configure()
            shared.settle()
            shared.judge(foreign=as_procmail(theirs, kind))
    tap.each(("mbox", "maildir"), play)


@tap.case("killed again and again while Dovecot uses the same folder")
def dying_with_dovecot(_env):
    def play(kind):
        with sharing(kind) as shared:
            shared.put(heavy(COUNT // 2, seed=1))
            shared.configure(limits={"messages": 4})
            mailbox = Mailbox(shared)
            with Dying(shared) as dying:
                end = time.monotonic() + 300
                while dying.hits < 25 and shared.server.held() and time.monotonic() < end:
                    # From an mbox nothing is taken out: a message that we do not find
                    # again after a crash is delivered again, which is no fault.
                    mailbox.use(taking=kind == "maildir")
                    mailbox.again()
            tap.diag("%s: killed %d times in %d passes" % (kind, dying.hits, dying.passes))
            shared.configure()
            shared.settle()
            mailbox.imap.logout()
            # That a piece may stay in an mbox is told by a case of its own, below.
            shared.judge(taken=mailbox.taken(), pieces=kind == "mbox")
    tap.each(("mbox", "maildir"), play)


CALLS = ("write", "pwrite64", "fdatasync", "fsync", "ftruncate", "unlink", "unlinkat")


def each_death(messages, call):
    """Kill a fetch at each CALL in turn; Dovecot gives all that is there a
    flag, for which it rewrites the mbox; then we recover."""
    for number in itertools.count(1):
        with sharing("mbox", messages) as shared:
            shared.one.prefix = trace.killer(call, number)
            result = shared.one.fetch()
            shared.one.prefix = []
            if result.status == 0:
                tap.diag("%s: %d deaths" % (call, number - 1))
                return
            # A dead man's dotlock: others take it away when it is old enough.
            with contextlib.suppress(FileNotFoundError):
                os.unlink(shared.path + ".lock")
            if os.path.exists(shared.path) and os.path.getsize(shared.path):
                person = Mailbox(shared)
                person.flag_all()
                person.imap.logout()
            shared.settle()
            try:
                shared.judge()
            except AssertionError as error:
                raise AssertionError("killed at %s %d: %s" % (call, number, error))


@tap.case("killed at any call, then Dovecot rewrites the mbox, then we recover")
def rewritten_between(_env):
    trace.probe()
    short = b"Received: from x by y; 0\nSubject: short\n\nok\n"
    empty = b"Received: from x by y; 1\nSubject: empty\n\n"
    tap.each(CALLS, lambda call: each_death([short, *numbered(4, seed=3), empty], call))


@tap.case("killed in the middle of a message, then Dovecot rewrites the mbox, then we recover",
          known="the torn piece stays beside the whole message")
def rewritten_torn(_env):
    trace.probe()
    large = numbered(1, seed=3)[0] + b"".join(b"line %d\n" % n for n in range(9000))
    each_death([large], "write")


if __name__ == "__main__":
    tap.main(world)
