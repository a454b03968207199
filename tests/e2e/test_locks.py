#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""An mbox that another program has locked, or that changes while we wait for it.

A program holds the locks, appends while we wait, or replaces the file: every
message is there exactly once in the end, and nobody waits for ever.
"""

import contextlib
import ctypes
import fcntl
import os
import re
import select
import struct
import time

from harness import popd, procs, readers, tap, wire
from harness.scene import told, world
from harness.shared import UID, numbered, sharing

LOCK_WAIT = 30          # seconds that we wait for another program's lock
IN_OPEN = 0x20


class Opening:
    """Notices every opening of a file, however short (inotify)."""

    def __init__(self, path):
        libc = ctypes.CDLL(None)
        self._fd = libc.inotify_init1(os.O_CLOEXEC)
        tap.check(self._fd >= 0 and libc.inotify_add_watch(self._fd, path.encode(), IN_OPEN) > 0,
                  "cannot watch " + path)

    def seen(self):
        """Whether it was opened since the last time."""
        ready = select.select([self._fd], [], [], 0)[0]
        return bool(ready and os.read(self._fd, 4096))

    def close(self):
        """Look no more."""
        os.close(self._fd)


def lock(file):
    """Lock FILE as fcntl(2) does, but for this one opening of it: an ordinary
    lock would be gone as soon as the test closes the file elsewhere."""
    whole = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    fcntl.fcntl(file, fcntl.F_OFD_SETLK, whole)


FOREIGN = b"From them Thu Jan  1 00:00:00 1970\nSubject: foreign %d\n\ntheirs\n\n"


def append(path, number):
    """Another program appends a message; give it as it must be read."""
    with open(path, "ab") as file:
        file.write(FOREIGN % number)
    return (FOREIGN % number).split(b"\n", 1)[1][:-1]


def own(path):
    """Give a file that the test made to the user of the folder."""
    if UID is not None:
        os.chown(path, UID, -1)


@contextlib.contextmanager
def waiting(shared):
    """A running fetch that waits for the fcntl lock, which we hold: it has
    written its intents down and tries again and again. Yields the process."""
    intents = shared.one.ledger("box").count(" intent ")
    with open(shared.path, "ab"):
        own(shared.path)
    with open(shared.path, "rb+") as file:
        lock(file)
        process = shared.one.start("fetch")
        procs.wait_until(lambda: process.poll() is not None
                         or shared.one.ledger("box").count(" intent ") > intents,
                         30, "our turn at the mbox")
        tap.check(process.poll() is None, "it did not wait", shared.one.result(process))
        yield process


def ends_well(shared, process):
    """The fetch that waited must succeed."""
    tap.equal(process.wait(60), 0, "exit status of\n%s" % shared.one.result(process))
    tap.equal(shared.server.held(), [], "left on the server")


@tap.case("a program appends between our opening of the mbox and our lock")
def append_meanwhile(_env):
    with sharing("mbox", numbered(5, seed=5)) as shared:
        shared.one.fetch_ok()
        shared.put(numbered(5, seed=6, first=5))
        with waiting(shared) as process:
            theirs = [append(shared.path, number) for number in range(3)]
        ends_well(shared, process)
        shared.judge(foreign=theirs)


@tap.case("a reader replaces the mbox by rename, or removes it, while we wait for its lock")
def replaced_meanwhile(_env):
    for times in (1, 4):
        with sharing("mbox", numbered(5, seed=5)) as shared:
            shared.one.fetch_ok()
            old = shared.read()
            shared.put(numbered(5, seed=6, first=5))
            with contextlib.ExitStack() as stack:
                process = stack.enter_context(waiting(shared))
                for _ in range(times):
                    replace_locked(shared, stack)
            ends_well(shared, process)
            shared.judge()
            tap.equal(wire.digests(shared.read()[:5]), wire.digests(old), "the first five")
    with sharing("mbox", numbered(5, seed=5)) as shared:
        with waiting(shared) as process:
            os.unlink(shared.path)
        ends_well(shared, process)
        shared.judge()


def replace_locked(shared, stack):
    """Replace the mbox by a copy that is locked too."""
    data = readers.read(shared.path)
    with open(shared.path + ".new", "wb") as file:
        file.write(data)
    own(shared.path + ".new")
    copy = stack.enter_context(open(shared.path + ".new", "rb+"))
    lock(copy)
    os.rename(shared.path + ".new", shared.path)


@tap.case("a dotlock is waited for")
def dotlock(_env):
    with sharing("mbox", numbered(5, seed=5)) as shared:
        with open(shared.path + ".lock", "w") as file:
            file.write("%d\n" % os.getpid())
        process = shared.one.start("fetch")
        procs.wait_until(lambda: shared.server.count("RETR") >= 5, 60, "the RETRs")
        theirs = [append(shared.path, 1)]
        own(shared.path)
        tap.equal(process.poll(), None, "exit status while the lock is held")
        tap.equal(len(readers.mbox(shared.path)), 1, "messages in the mbox under our lock")
        os.unlink(shared.path + ".lock")
        ends_well(shared, process)
        shared.judge(foreign=theirs)


PATIENCE = LOCK_WAIT - 5    # seconds that a dotlock may be held of no use to us


@tap.case("a program that takes the two locks in the other order gets both: no deadlock")
def other_order(_env):
    with sharing("mbox", numbered(5, seed=5)) as shared:
        with waiting(shared) as process:
            procs.wait_until(lambda: taken(shared.path + ".lock"), PATIENCE,
                             "the dotlock, the file itself being ours already")
            theirs = [append(shared.path, 1)]
            os.unlink(shared.path + ".lock")
        ends_well(shared, process)
        shared.judge(foreign=theirs)


def taken(path):
    """Try once to make the dotlock PATH; say whether it is ours now."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        return True
    except FileExistsError:
        return False


@tap.case("locks held for too long: try later, told, nothing lost, delivered the next time")
def held_too_long(_env):
    with sharing("mbox", numbered(5, seed=5)) as shared, popd.Popd((), tls="none") as second:
        # Both waits at once: one mbox has a dotlock, the other is locked.
        more = numbered(5, seed=6)
        second.put(more)
        other = shared.one.path("in/other")
        shared.one.configure({
            "box": shared.server.account({"mbox": shared.path}, keep=False),
            "other": second.account({"mbox": other}, keep=False)})
        open(shared.path + ".lock", "w").close()
        open(other, "w").close()
        own(other)
        with open(other, "rb+") as file:
            lock(file)
            begin = time.monotonic()
            result = shared.one.fetch()
            took = time.monotonic() - begin
            tap.equal(os.path.getsize(other), 0, "size of the locked mbox")
        tap.check(LOCK_WAIT - 1 <= took <= LOCK_WAIT + 60, "it waited %.1f s" % took)
        told(result, 75, "box: .*" + re.escape(shared.path), "other: .*" + re.escape(other))
        tap.check(not os.path.exists(shared.path) or not os.path.getsize(shared.path),
                  "delivered under a foreign dotlock")
        tap.equal((len(shared.server.held()), len(second.held())), (5, 5), "on the servers")
        tap.check(os.path.exists(shared.path + ".lock"), "the foreign dotlock was removed")
        os.unlink(shared.path + ".lock")
        for server in (shared.server, second):
            server.forget()
        shared.one.fetch_ok()
        tap.equal(shared.server.count("RETR") + second.count("RETR"), 0, "retrieved again")
        tap.equal((shared.server.held(), second.held()), ([], []), "left on the servers")
        shared.judge()
        tap.equal(wire.digests(readers.mbox(other)), wire.digests(more), "the other mbox")


@tap.case("an old dotlock that nobody cares for is taken away")
def stale(_env):
    with sharing("mbox", numbered(3, seed=5)) as shared:
        with open(shared.path + ".lock", "w") as file:
            file.write("0")             # as procmail writes it
        own(shared.path + ".lock")
        os.utime(shared.path + ".lock", (time.time() - 3600,) * 2)
        result = shared.one.fetch_ok("-v")
        tap.check("stale lock" in result.err, "not told", result)
        shared.judge()


@tap.case("an mbox whose folder is not ours to write to is locked with fcntl alone")
def closed_folder(_env):
    if UID is None:
        raise tap.Skip("only root can make what its user may not write")
    with sharing("mbox", numbered(5, seed=5)) as shared:
        with open(shared.path, "w"):
            own(shared.path)
        os.chown(os.path.dirname(shared.path), 0, -1)
        os.chmod(os.path.dirname(shared.path), 0o755)
        with waiting(shared) as process:
            theirs = [append(shared.path, 1)]
        ends_well(shared, process)
        shared.judge(foreign=theirs)
        shared.put(numbered(5, seed=6, first=5))
        shared.one.fetch_ok()
        shared.judge(foreign=theirs)


if __name__ == "__main__":
    tap.main(world)
