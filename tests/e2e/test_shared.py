#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""One mbox, one Maildir, and others who use them while we deliver.

Procmail delivers into the same folder; Dovecot and mutt read, flag, move and
delete; a program holds the locks, appends while we wait, or replaces the
file. In the end what is in the folder, what the reader took out and what is
still on the server is every message exactly once, byte for byte.
"""

import contextlib
import ctypes
import fcntl
import itertools
import os
import pwd
import random
import re
import select
import struct
import subprocess
import threading
import time

from harness import agent, corpus, imapd, mutt, popd, procs, readers, tap, trace, wire
from harness.scene import told

# What readers of an mbox keep in the header.
READERS_OWN = re.compile(rb"(?i)(Status|X-Status|X-Keywords|X-UID|X-IMAP|X-IMAPbase|Content-Length"
                         rb"|Lines):[^\n]*\n")
UID = pwd.getpwnam("nobody").pw_uid if os.getuid() == 0 else None
LOCK_WAIT = 30          # seconds that we wait for another program's lock
COUNT = int(os.environ.get("E2E_SHARED", "200"))


def numbered(count, seed, first=0):
    """Messages with a Subject of their own and, some, awkward bodies; without
    CR, which IMAP would not show as it is."""
    rng = random.Random(seed)
    makers = (corpus.plain, corpus.from_lines, corpus.plain, corpus.dots, corpus.blank_last)
    return [makers[n % len(makers)](rng, n).replace(b"\r", b"")
            for n in range(first, first + count)]


def bare(message):
    """MESSAGE without the header lines that belong to readers."""
    head, gap, body = message.partition(b"\n\n")
    kept = [line for line in (head + b"\n").splitlines(True) if not READERS_OWN.match(line)]
    return b"".join(kept)[:-1] + gap + body


def subject_of(message):
    """Its Subject line."""
    found = re.search(rb"(?m)^Subject: (.*)$", message)
    return found.group(1).decode("latin-1") if found else repr(message[:60])


class Shared:
    """A server with a maildrop, and a folder that others use too."""

    def __init__(self, kind, one, server):
        self.kind, self.one, self.server = kind, one, server
        self.path = one.path("in/box" if kind == "mbox" else "in/Mail")
        os.mkdir(one.path("in"), 0o700)
        if UID is not None:
            os.chown(one.path("in"), UID, -1)
        self.wanted = {}        # subject: bytes
        self.configure()

    def configure(self, **keys):
        """The account, delivering to the shared folder."""
        self.one.configure({"box": self.server.account({self.kind: self.path},
                                                       **{"keep": False, **keys})})

    def put(self, messages):
        """New mail on the server, which may be in use."""
        for message in messages:
            name = "%s/%%s%06d" % (self.server.drop, len(self.wanted))
            self.wanted[subject_of(message)] = message
            with open(name % ".", "wb") as file:
                file.write(message)
            os.rename(name % ".", name % "")

    def read(self, path=None):
        """The messages in the folder, without what readers added."""
        read = readers.mbox if self.kind == "mbox" else readers.maildir
        return [bare(message) for message in read(path or self.path)]

    def judge(self, taken=(), foreign=(), pieces=False):
        """Folder, what was TAKEN out, and server: every message exactly once;
        with PIECES the beginning of one may be there besides."""
        here = self.read() + [bare(message) for message in taken]
        if pieces:
            here = self._without_pieces(here)
        left = [readers.read(self.server.drop + "/" + name) for name in self.server.held()]
        wanted = {**self.wanted, **{subject_of(m): m for m in foreign}}
        got = wire.digests([wire.normal(message) for message in left] + here)
        right = wire.digests(map(bare, wanted.values()))
        strange = [m for m in here if wire.digest(m) not in right]
        tap.check(got == right, "%d lost, %d doubled, %d of other bytes" % (
            sum((right - got).values()), sum(n - 1 for n in got.values() if n > 1), len(strange)),
            *["missing: " + s for s, m in wanted.items() if not got[wire.digest(bare(m))]][:5],
            *["strange: %r" % m[:400] for m in strange[:3]])
        tap.check(not os.path.exists(self.path + ".lock"), "a dotlock is left")

    def _without_pieces(self, messages):
        """MESSAGES less those that are only the beginning of one of ours."""
        whole = list(map(bare, self.wanted.values()))
        kept = [m for m in messages if m in whole
                or not any(w.startswith(m.rstrip(b"\n")) for w in whole)]
        tap.diag("%d pieces" % (len(messages) - len(kept)))
        return kept

    def settle(self):
        """The last fetch, with nobody else about."""
        procs.wait_until(lambda: self.one.fetch().status == 0 and not self.server.held(), 60,
                         "the rest of the mail")


@contextlib.contextmanager
def sharing(kind, messages=()):
    """A Shared folder with MESSAGES on the server."""
    with popd.Popd((), tls="none") as server:
        one = agent.Agent(uid=UID)
        shared = Shared(kind, one, server)
        shared.put(messages)
        yield shared
        one.remove()
        server.remove()


class Fetching(threading.Thread):
    """Fetch again and again until told to stop; keeps what went wrong."""

    def __init__(self, shared):
        super().__init__(daemon=True)
        self.shared, self.enough, self.failures, self.passes = shared, False, [], 0

    def run(self):
        """The loop."""
        while not self.enough:
            result = self.shared.one.fetch()
            self.passes += 1
            if result.status not in (0, 75):
                self.failures.append(result)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.enough = True
        self.join(120)

    def check(self):
        """There must have been no failure but `try later`."""
        tap.check(not self.failures, "%d fetches failed" % len(self.failures),
                  *self.failures[:2])


# Other writers.

PROCMAILRC = """\
SHELL=/bin/sh
LOCKSLEEP=1
LOGFILE={log}
LOGABSTRACT=no
:0{lock}
{path}
"""


def procmail(shared, messages, lockfile):
    """Deliver MESSAGES to the shared folder with procmail, one after another."""
    rc = shared.one.path("procmailrc")
    with open(rc, "w") as file:
        file.write(PROCMAILRC.format(log=shared.one.path("procmail.log"), lock=lockfile,
                                     path=shared.path + ("/" if shared.kind == "maildir" else "")))
    os.chmod(rc, 0o644)
    for message in messages:
        # It has no use for the home of `nobody`, but says so each time.
        subprocess.run(["procmail", "-f", "them@example.org", "-m", rc], input=message, check=True, env=shared.one.env,
                       cwd=shared.one.home, stderr=subprocess.DEVNULL, user=UID,
                       extra_groups=None if UID is None else [], timeout=100)


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


def as_procmail(messages, kind):
    """MESSAGES as our reader sees what procmail stored: in an mbox it adds no
    blank line to one that ends in one, and quotes `From ` but not `>From `."""
    if kind == "maildir":
        return messages
    return [re.sub(rb"(?m)^>(>*From )", rb"\1", re.sub(rb"(?m)^From ", b">From ",
                                                       re.sub(rb"\n\n\Z", b"\n", m)))
            for m in messages]


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


# Locks.


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


# Death.


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


# Readers.


def rounds(shared, number):
    """NUMBER times new mail comes, and a fetch runs until the next round."""
    for turn in range(number):
        shared.put(numbered(COUNT // number, seed=100 + turn, first=turn * (COUNT // number)))
        yield turn


class Mailbox:
    """What a person does in Dovecot's INBOX, and what of it was taken out."""

    def __init__(self, shared):
        self.shared = shared
        self.imap = imapd.Imap(shared.kind, shared.path, UID)
        self.rng = random.Random(7)
        self.deleted = []
        self.imap.must(self.imap.create("Archive"))
        self.imap.must(self.imap.select("INBOX"))

    def use(self, taking=True):
        """Look, flag, and if TAKING move and delete, like a person with quick
        fingers."""
        uids = sorted(self.imap.listed())
        self.rng.shuffle(uids)
        some = len(uids) // 4
        for uid in uids[:some] if taking else ():
            self._delete(uid)
        for uid in uids[some:2 * some] if taking else ():
            self.imap.must(self.imap.uid("MOVE", str(uid), "Archive"))
        for uid in uids[2 * some:3 * some]:
            flags = self.rng.choice(("\\Seen", "\\Flagged \\Seen", "\\Answered", "$Label"))
            self.imap.must(self.imap.uid("STORE", str(uid), "+FLAGS.SILENT", "(%s)" % flags))

    def flag_all(self):
        """Give every message a flag, for which Dovecot writes into its header."""
        self.imap.must(self.imap.store("1:*", "+FLAGS.SILENT", "(\\Seen \\Flagged)"))
        self.again()

    def _delete(self, uid):
        message = self.imap.whole(uid)
        self.imap.must(self.imap.uid("STORE", str(uid), "+FLAGS.SILENT", "(\\Deleted)"))
        self.imap.must(self.imap.uid("EXPUNGE", str(uid)))
        if self.shared.kind == "mbox":
            message = re.sub(rb"(?m)^>(>*From )", rb"\1", message)
        self.deleted.append(message)

    def taken(self):
        """What was deleted or moved."""
        archive = (self.shared.path + ".more/Archive" if self.shared.kind == "mbox"
                   else self.shared.path + "/.Archive")
        return self.deleted + self.shared.read(archive)

    def again(self):
        """Close the mailbox and open it anew, as after a new login."""
        self.imap.must(self.imap.close())
        self.imap.must(self.imap.select("INBOX"))


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


@contextlib.contextmanager
def world():
    """Every case has a server and a folder of its own."""
    popd.program("POPD", "tests/server/popd")
    agent.binary()
    yield None


if __name__ == "__main__":
    tap.main(world)
