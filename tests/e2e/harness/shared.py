# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder that others use while we deliver into it, and who they are: procmail, and
a person who reads with Dovecot."""

import contextlib
import os
import pwd
import random
import re
import subprocess
import threading

from . import agent, corpus, imapd, popd, procs, readers, tap, wire

# What readers of an mbox keep in the header.
READERS_OWN = re.compile(rb"(?i)(Status|X-Status|X-Keywords|X-UID|X-IMAP|X-IMAPbase|Content-Length"
                         rb"|Lines):[^\n]*\n")
UID = pwd.getpwnam("nobody").pw_uid if os.getuid() == 0 else None
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
        subprocess.run(["procmail", "-f", "them@example.org", "-m", rc], input=message,
                       check=True, env=shared.one.env, cwd=shared.one.home,
                       stderr=subprocess.DEVNULL, user=UID,
                       extra_groups=None if UID is None else [], timeout=600)


def as_procmail(messages, kind):
    """MESSAGES as our reader sees what procmail stored: in an mbox it adds no
    blank line to one that ends in one, and quotes `From ` but not `>From `."""
    if kind == "maildir":
        return messages
    return [re.sub(rb"(?m)^>(>*From )", rb"\1", re.sub(rb"(?m)^From ", b">From ",
                                                       re.sub(rb"\n\n\Z", b"\n", m)))
            for m in messages]


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
