#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger for life: lost, old, torn, damaged, foreign, full of history.

Lost state is the commonest source of doubled mail, so it must be told from a
new account before the server is asked for anything, with the ways on. What a
crash can do to the file heals by itself; what only a failing disk or a person
can do to it stops the account and changes nothing.
"""

import contextlib
import os
import pwd
import random
import re
import shutil
import tempfile

from harness import agent, corpus, ledgerfile, popd, procs, readers, tap, wire
from harness.scene import MESSAGES, fetching, told, world

WAYS = {        # how to configure a way of delivery, how to read it back
    "Maildir": (lambda one: {"maildir": one.path("Mail")},
                lambda one: readers.maildir(one.path("Mail"))),
    "gzip Maildir": (lambda one: {"maildir": one.path("Mail"), "compress": "gzip"},
                     lambda one: readers.maildir_gzip(one.path("Mail"))),
    "mbox": (lambda one: {"mbox": one.path("in/box")},
             lambda one: readers.mbox(one.path("in/box"))),
    "gzip mbox": (lambda one: {"mbox": one.path("in/box.gz"), "compress": "gzip"},
                  lambda one: readers.mbox_gzip(one.path("in/box.gz"))),
}
LATER = corpus.simple(3, seed=21)
LAST = corpus.simple(1, seed=22)


class Scene:
    """A server and an account `box` that delivers in one of the WAYS."""

    def __init__(self, one, server, way):
        self.one, self.server = one, server
        self.deliver, self.read = WAYS[way]
        os.mkdir(one.path("in"), 0o700)
        self.ledger = one.state + "/box/ledger"
        self.folder = one.path("Mail" if "Maildir" in way else "in")

    def set(self, **keys):
        """Set other keys of the account."""
        self.one.configure({"box": self.server.account(self.deliver(self.one), **keys)})

    def here(self, messages, what="messages delivered"):
        """What was delivered must be MESSAGES, each once."""
        got, wanted = wire.digests(self.read(self.one)), wire.digests(messages)
        tap.check(got == wanted, "%s: %d missing, %d doubled or strange" %
                  (what, sum((wanted - got).values()), sum((got - wanted).values())))

    def quiet_fetch(self, retrieved=0, *args):
        """A fetch that succeeds and retrieves so many messages."""
        self.server.forget()
        result = self.one.fetch_ok(*args)
        tap.equal(self.server.count("RETR"), retrieved, "messages retrieved")
        return result

    def refused(self, *patterns):
        """A fetch must end with 78, say why, not connect, and change nothing."""
        self.server.forget()
        before = self.bytes()
        result = self.one.fetch()
        told(result, 78, "box", *patterns)
        tap.equal(self.server.log(), [], "what the server saw")
        tap.equal(self.bytes(), before, "the ledger's bytes")
        return result

    def bytes(self):
        """The ledger's bytes, None if there is none."""
        return readers.read(self.ledger) if os.path.exists(self.ledger) else None

    def write(self, data):
        """Put another ledger in its place."""
        with open(self.ledger, "wb") as file:
            file.write(data)
        os.chmod(self.ledger, 0o600)


@contextlib.contextmanager
def delivering(way, *rules, messages=MESSAGES, keep=True, options=(), **special):
    """A Scene; nothing has been fetched yet."""
    with fetching(*rules, messages=messages, options=options, **special) as (one, server):
        scene = Scene(one, server, way)
        scene.set(keep=keep)
        yield scene
        one.remove()


# Lost and old state.


@tap.case("a missing ledger of a known account: told with the ways on, nothing fetched")
def missing(_env):
    def play(way):
        with delivering(way) as scene:
            scene.one.fetch_ok()
            marks = [name for name in os.listdir(scene.folder)
                     if name.startswith(".postrider-")]
            tap.equal(len(marks), 1, "marks in the folder of the mail")
            scene.server.put(LATER, first=20)
            for what in (scene.ledger, scene.one.state + "/box", scene.one.state):
                away = scene.one.path("away")
                os.rename(what, away)
                for _ in range(2):
                    scene.refused("--baseline", "--accept-new-state",
                                  re.escape(scene.one.state + "/box"),
                                  re.escape(scene.folder))
                scene.here(MESSAGES)
                shutil.rmtree(what, ignore_errors=True)
                os.rename(away, what)
            scene.quiet_fetch(retrieved=len(LATER))
            scene.here(MESSAGES + LATER)
    tap.each(WAYS, play)


@tap.case("an older copy of the ledger put back: told, nothing fetched, the right one heals it")
def older(_env):
    def play(way):
        with delivering(way) as scene:
            scene.one.fetch_ok()
            old = scene.bytes()
            scene.server.put(LATER, first=20)
            scene.one.fetch_ok()
            new = scene.bytes()
            scene.write(old)
            scene.refused("--baseline", "--accept-new-state", r"\bold")
            scene.here(MESSAGES + LATER)
            scene.write(new)
            scene.quiet_fetch()
            scene.here(MESSAGES + LATER)
    tap.each(WAYS, play)


@tap.case("an older copy that knows every message does no harm")
def older_but_whole(_env):
    def play(way):
        with delivering(way) as scene:
            scene.one.fetch_ok()
            old = scene.bytes()
            scene.set(keep=False)
            scene.quiet_fetch()
            scene.server.put(MESSAGES)          # restored on the server too
            scene.write(old)
            scene.quiet_fetch()
            scene.here(MESSAGES)
            tap.equal(scene.server.held(), [], "left on the server")
    tap.each(WAYS, play)


@tap.case("another ledger in its place: told, nothing fetched")
def foreign(_env):
    with delivering("Maildir") as other, delivering("Maildir") as scene:
        other.one.fetch_ok()
        other.server.put(LATER, first=20)
        other.one.fetch_ok()
        scene.one.fetch_ok()
        scene.write(other.bytes())
        scene.refused("--baseline", "--accept-new-state", "another ledger")
        other.one.configure({"post": other.server.account(other.deliver(other.one))})
        other.one.fetch_ok("--accept-new-state")
        scene.write(readers.read(other.one.state + "/post/ledger"))
        scene.refused(r"\bpost\b")


@tap.case("other accounts are served while one has lost its ledger")
def others_served(_env):
    with popd.Popd(MESSAGES, users=2) as server:
        one = agent.Agent()
        one.configure({user: server.account({"maildir": one.path(user)}, user=user)
                       for user in server.users})
        one.fetch_ok()
        os.unlink("%s/%s/ledger" % (one.state, server.users[0]))
        for user in server.users:
            with open("%s/%s/000099" % (server.root, user), "wb") as file:
                file.write(LAST[0])
        told(one.fetch(), 78, server.users[0], "--baseline")
        tap.equal(len(readers.maildir(one.path(server.users[0]))), len(MESSAGES), "stopped")
        tap.equal(len(readers.maildir(one.path(server.users[1]))), len(MESSAGES) + 1, "served")


@tap.case("--baseline marks what is there as seen: never fetched, never deleted")
def baseline(_env):
    def play(setting):
        way, options = setting
        with delivering(way, options=options) as scene:
            scene.one.fetch_ok()
            scene.server.put(LATER, first=20)
            os.unlink(scene.ledger)
            result = scene.quiet_fetch(0, "--baseline")
            tap.check(re.search(r"\b9 marked as seen", result.out), "not told", result)
            scene.quiet_fetch()
            old = scene.server.held()
            scene.server.put(LAST, first=30)
            scene.set(keep=False)
            scene.quiet_fetch(retrieved=1)
            scene.quiet_fetch()
            scene.here(MESSAGES + LAST)
            tap.equal(scene.server.held(), old, "left on the server")
            tap.equal(scene.server.count("DELE"), 0, "DELE commands")
    tap.each([("Maildir", ()), ("mbox", ()), ("Maildir", ("--without", "top"))], play)


@tap.case("--baseline on the first use of an account, for one account, and twice")
def baseline_first(_env):
    with popd.Popd(MESSAGES, users=2) as server:
        one = agent.Agent()
        one.configure({user: server.account({"maildir": one.path(user)}, user=user)
                       for user in server.users})
        first, second = server.users
        for _ in range(2):
            one.fetch_ok("--baseline", first)
        tap.equal(server.count("RETR"), 0, "messages retrieved")
        one.fetch_ok()
        tap.equal(readers.maildir(one.path(first)), [], "of the account marked as seen")
        tap.equal(len(readers.maildir(one.path(second))), len(MESSAGES), "of the other")


@tap.case("--baseline holds when the server gives its messages new UIDs")
def baseline_moved(_env):
    with delivering("Maildir") as scene:
        scene.one.fetch_ok("--baseline")
        with open(scene.server.drop + "/.uids", "w") as file:
            file.writelines("%s\tnew-%s\n" % (name, name) for name in scene.server.held())
        scene.set(keep=False)
        scene.quiet_fetch()
        scene.quiet_fetch()
        tap.equal(len(scene.server.held()), len(MESSAGES), "left on the server")


@tap.case("--baseline with a server that has no UIDL: refused, or kept to")
def baseline_without_uids(_env):
    for messages in (MESSAGES, [re.sub(rb"(?m)^Received:.*\n", b"", m) for m in MESSAGES]):
        with delivering("Maildir", messages=messages, options=("--without", "uidl"),
                        keep=False) as scene:
            if scene.one.fetch("--baseline").status == 0:
                scene.quiet_fetch()
                scene.here([])
            tap.equal(len(scene.server.held()), len(messages), "left on the server")


@tap.case("--accept-new-state goes on: everything comes, at most twice, then life is normal")
def accept(_env):
    def play(way):
        with delivering(way) as scene:
            scene.one.fetch_ok()
            scene.server.put(LATER, first=20)
            os.unlink(scene.ledger)
            scene.quiet_fetch(len(MESSAGES + LATER), "--accept-new-state")
            scene.here(MESSAGES + MESSAGES + LATER)
            scene.quiet_fetch()
            scene.set(keep=False)
            scene.quiet_fetch()
            scene.here(MESSAGES + MESSAGES + LATER)
            tap.equal(scene.server.held(), [], "left on the server")
    tap.each(WAYS, play)


@tap.case("--accept-new-state with an older copy fetches only what that does not know")
def accept_older(_env):
    with delivering("Maildir") as scene:
        scene.one.fetch_ok()
        old = scene.bytes()
        scene.server.put(LATER, first=20)
        scene.one.fetch_ok()
        scene.write(old)
        scene.quiet_fetch(len(LATER), "--accept-new-state")
        scene.here(MESSAGES + LATER + LATER)
        scene.quiet_fetch()


@tap.case("both ways on hold although the maildrop is empty at that moment")
def ways_on_empty(_env):
    def play(option):
        with delivering("Maildir", keep=False) as scene:
            scene.one.fetch_ok()
            os.unlink(scene.ledger)
            scene.quiet_fetch(0, option)
            scene.server.put(LATER, first=20)
            scene.quiet_fetch(len(LATER))
            scene.here(MESSAGES + LATER)
    tap.each(("--baseline", "--accept-new-state"), play)


@tap.case("--accept-new-state that is cut off need not be said again")
def accept_cut(_env):
    def play(setting):
        rule, killed = setting
        with delivering("Maildir", rule, messages=corpus.simple(12)) as scene:
            scene.one.fetch_ok()
            os.unlink(scene.ledger)
            scene.server.forget()
            if killed:
                process = scene.one.start("fetch", "--accept-new-state")
                procs.wait_until(lambda: scene.server.count(rule.split()[1]), 60, "the stall")
                scene.one.abort(process)
            else:
                scene.one.expect(75, "fetch", "--accept-new-state")
            procs.wait_until(lambda: scene.one.fetch().status != 75, 60, "a free account")
            scene.quiet_fetch()
            scene.here(2 * corpus.simple(12))
    tap.each((("on RETR #18 cut 100", False), ("on RETR #13 cut 100", False),
              # A listing that left with the login gets a second try.
              ("on UIDL #2 close\non UIDL #3 close", False), ("on RETR #18 stall", True),
              ("on UIDL #2 stall", True)), play)


# Torn and damaged files.


def tears(data):
    """What may have become of the last 300 bytes of DATA in a power cut."""
    for size in range(len(data) - 300, len(data)):
        yield data[:size]
    for junk in (b"\0", b"\0" * 512, b"\0" * 4096, b"x", b"x\n", b"\n", b"garbage " * 50 + b"\n"):
        yield data + junk
        yield data[:-17] + junk


@tap.case("a torn end heals at every byte: nothing comes twice, nothing is lost")
def torn(_env):
    messages = corpus.simple(20, seed=5)

    def play(setting):
        way, keep, restored = setting
        with delivering(way, messages=messages, keep=keep, server_tls="none") as scene:
            scene.one.fetch_ok()
            data = scene.bytes()
            for number, torn_data in enumerate(tears(data)):
                if restored:            # QUIT did not come through
                    scene.server.put(messages)
                scene.write(torn_data)
                if number % 25 == 0:
                    looks_only(scene)
                scene.server.forget()
                scene.one.fetch_ok()
                tap.equal(scene.server.count("RETR"), 0, "RETR, torn at %d (%d of %d bytes)"
                          % (number, len(torn_data), len(data)))
                tap.equal(len(scene.server.held()), len(messages) if keep else 0,
                          "left on the server")
            scene.one.expect(0, "check", "--state")
            scene.here(messages)
    tap.each((("Maildir", True, False), ("Maildir", False, True), ("mbox", False, True)), play)


def looks_only(scene):
    """`status` and `check --state` of a torn ledger leave it as it is."""
    data = scene.bytes()
    for words in (("status",), ("check", "--state")):
        scene.one.expect(0, *words)
        tap.equal(scene.bytes(), data, "the ledger after " + words[0])


def with_history(scene):
    """Fetch in five passes, so that the ledger has marks; its lines."""
    scene.one.fetch_ok()
    for number in range(5):
        scene.server.put(corpus.simple(3, seed=30 + number), first=30 + 3 * number)
        scene.one.fetch_ok()
    lines = scene.bytes().split(b"\n")[:-1]
    marks = [n for n, line in enumerate(lines) if line.split(b" ")[1] == b"mark"]
    return lines[:marks[-1]], lines[marks[-1]:]


def flip(line, rng):
    """LINE with one bit changed."""
    at = rng.randrange(len(line))
    return line[:at] + bytes([line[at] ^ 1 << rng.randrange(8)]) + line[at + 1:]


@tap.case("a bit that has changed before the last mark: 78, line named, file untouched")
def flipped(_env):
    rng = random.Random(4)

    def play(way):
        with delivering(way) as scene:
            lines, tail = with_history(scene)
            held, here = scene.server.held(), wire.digests(scene.read(scene.one))
            for number in rng.sample(range(len(lines)), min(50, len(lines))):
                bad = flip(lines[number], rng)
                scene.write(b"\n".join(lines[:number] + [bad] + lines[number + 1:] + tail)
                            + b"\n")
                damaged(scene, number + 1, "%r was %r" % (bad, lines[number]))
            tap.equal(scene.server.held(), held, "on the server")
            tap.equal(wire.digests(scene.read(scene.one)), here, "messages here")
    tap.each(("Maildir", "mbox"), play)


def damaged(scene, line, what):
    """Fetch, check --state and status must refuse the ledger and name LINE."""
    try:
        before = scene.bytes()
        for words in ((), ("check", "--state"), ("status",)):
            result = scene.one.run(*words) if words else scene.refused()
            told(result, 78, r"\bline %d\b" % line if line > 1 else "ledger",
                 re.escape(scene.ledger), "--baseline .*--accept-new-state")
        tap.equal(scene.bytes(), before, "the ledger's bytes")
    except AssertionError as error:
        raise AssertionError("line %d: %s\n%s" % (line, what, error))


@tap.case("every bit of a line is guarded")
def every_bit(_env):
    with delivering("Maildir") as scene:
        lines, tail = with_history(scene)
        number = next(n for n, line in enumerate(lines) if b" delivered " in line)
        whole, unseen = lines[number], []
        for bit in range(8 * len(whole)):
            bad = bytearray(whole)
            bad[bit // 8] ^= 1 << bit % 8
            scene.write(b"\n".join(lines[:number] + [bytes(bad)] + lines[number + 1:] + tail)
                        + b"\n")
            result = scene.one.run("check", "--state")
            if result.status != 78 or "line %d" % (number + 1) not in result.err:
                unseen.append(bytes(bad))
        tap.equal(unseen, [], "changes of %r that went unseen" % whole)


@tap.case("lines lost, swapped or doubled in the middle: 78, file untouched")
def shuffled(_env):
    with delivering("Maildir") as scene:
        lines, tail = with_history(scene)
        third = len(lines) // 3
        for name, other in (
                ("lost", lines[:third] + lines[third + 1:]),
                ("doubled", lines[:third] + lines[third:third + 1] + lines[third:]),
                ("swapped", lines[:third] + lines[third:third + 2][::-1] + lines[third + 2:]),
                ("empty", lines[:third] + [b""] + lines[third:]),
                ("zeros", lines[:third] + [b"\0" * 512] + lines[third:]),
                ("two parts", lines[:third] + lines[third + 5:])):
            scene.write(b"\n".join(other + tail) + b"\n")
            damaged(scene, third + 1 + (name == "doubled"), name)


@tap.case("a ledger without its beginning is not taken for an empty one")
def no_beginning(_env):
    with delivering("Maildir") as scene:
        scene.one.fetch_ok()
        data = scene.bytes()
        first = data.index(b"\n") + 1
        for part in (b"", b"\n", data[:first - 1], data[:10], data[first:], b"\0" * len(data)):
            scene.write(part)
            scene.refused(re.escape(scene.ledger))
            scene.here(MESSAGES)


# Where the state is.


def as_nobody(server):
    """A postrider of an unprivileged user, and that user's id."""
    if os.getuid() != 0:
        raise tap.Skip("only root can make what its user may not write")
    uid = pwd.getpwnam("nobody").pw_uid
    os.chmod(server.root, 0o755)
    one = agent.Agent(uid=uid)
    one.configure({"box": server.account({"maildir": one.path("Mail")}, keep=False)})
    return one, uid


def root_owned(one, _uid):
    os.mkdir(one.state, 0o755)


def root_owned_account(one, uid):
    os.mkdir(one.state)
    os.chown(one.state, uid, -1)
    os.mkdir(one.state + "/box", 0o755)


def root_owned_ledger(one, uid):
    one.fetch_ok()
    os.chown(one.state + "/box/ledger", 0, 0)


def root_owned_lock(one, uid):
    one.fetch_ok()
    os.chown(one.state + "/box/lock", 0, 0)


def not_writable(one, uid):
    one.fetch_ok()
    os.chmod(one.state + "/box", 0o500)
    os.unlink(one.state + "/box/lock")


def closed(one, uid):
    one.fetch_ok()
    os.chmod(one.state, 0)


def group_writable(one, uid):
    one.fetch_ok()
    os.chmod(one.state + "/box", 0o770)


def a_file(one, uid):
    with open(one.state, "w"):
        pass


@tap.case("a state directory that cannot be written: an error before any network")
def unwritable(_env):
    def play(make):
        with popd.Popd(MESSAGES) as server:
            one, uid = as_nobody(server)
            make(one, uid)
            delivered = len(readers.maildir(one.path("Mail")))
            server.put(LATER, first=20)
            server.forget()
            for _ in range(2):
                result = one.fetch()
                tap.check(result.status in (73, 74, 75, 77, 78), "exit status", result)
                told(result, result.status, "box", re.escape(one.state),
                     "permission denied|belongs to|others may write|not a directory")
                tap.equal(server.log(), [], "what the server saw")
            tap.equal(len(readers.maildir(one.path("Mail"))), delivered, "messages here")
    tap.each((root_owned, root_owned_account, root_owned_ledger, root_owned_lock, not_writable,
              closed, group_writable, a_file), play)


@tap.case("a directory that cannot be made or entered is named with its whole path")
def named(_env):
    one = agent.Agent()
    a_file(one, 0)
    for state, fault in (("/proc/none/deep", "make the directory /proc/none: "),
                         (one.state + "/deep", "open the directory %s: " % one.state)):
        one.configure({"box": {"host": "localhost", "user": "jane", "password": "secret",
                               "deliver": {"maildir": one.path("Mail")}}}, state=state)
        for command in ("daemon", "fetch"):
            told(one.run(command), 75, "cannot " + fault)


@tap.case("state in memory is warned of, once")
def volatile(_env):
    with open("/proc/mounts") as mounts:
        if not any(line.split()[1:3] == ["/dev/shm", "tmpfs"] for line in mounts):
            raise tap.Skip("/dev/shm is not a tmpfs")
    with fetching() as (one, server), \
            tempfile.TemporaryDirectory(prefix="pr-e2e-", dir="/dev/shm") as memory:
        one.configure({"box": server.account({"maildir": one.path("Mail")})}, state=memory)
        for number in range(3):
            result = one.fetch_ok()
            warnings = re.findall(r"(?mi)^.*%s.*memory.*$" % re.escape(memory), result.err)
            tap.check(len(warnings) == (number == 0), "%d warnings in fetch %d"
                      % (len(warnings), number + 1), result)


@tap.case("two accounts of one state directory keep their ledgers apart")
def two_accounts(_env):
    with popd.Popd(MESSAGES) as first, popd.Popd(LATER) as second:
        for name in ("Mail", "in/box"):
            one = agent.Agent()
            os.mkdir(one.path("in"))
            deliver = {"mbox" if "box" in name else "maildir": one.path(name)}
            read = readers.mbox if "box" in name else readers.maildir
            second.USER = "jane"
            one.configure({"a": first.account(deliver, keep=True),
                           "b": second.account(deliver, keep=True, host="127.0.0.1")})
            for _ in range(3):
                one.fetch_ok()
                tap.equal(wire.digests(read(one.path(name))), wire.digests(MESSAGES + LATER),
                          "messages delivered")


@tap.case("two servers behind one host name, as tunnels are, with the same user name")
def two_ports(_env):
    with popd.Popd(MESSAGES) as first, popd.Popd(LATER) as second:
        one = agent.Agent()
        deliver = {"maildir": one.path("Mail")}
        one.configure({"a": first.account(deliver), "b": second.account(deliver)})
        for _ in range(2):
            one.fetch_ok()
            tap.equal(wire.digests(readers.maildir(one.path("Mail"))),
                      wire.digests(MESSAGES + LATER), "messages delivered")


@tap.case("one account fetched by two processes: the second is told and harms nothing")
def two_processes(_env):
    with delivering("Maildir", "on RETR #3 stall") as scene:
        slow = scene.one.start("fetch")
        procs.wait_until(lambda: scene.server.count("RETR") >= 3, 60, "the third RETR")
        other = agent.Agent()
        shutil.copy(scene.one.config, other.config)
        told(other.fetch(), 75, "box", r"process \d+", re.escape(scene.one.state))
        result = other.expect(0, "status")
        tap.check(result.out.startswith("box: "), "no status while a fetch runs", result)
        scene.one.abort(slow)
        scene.one.fetch_ok()
        scene.here(MESSAGES)


@tap.case("a renamed account is told, and goes on once its state directory is renamed too")
def renamed(_env):
    with delivering("Maildir") as scene:
        one = scene.one
        one.fetch_ok()
        one.configure({"post": scene.server.account(scene.deliver(one))})
        scene.server.forget()
        told(one.fetch(), 78, "post", "--baseline", "--accept-new-state")
        tap.equal(scene.server.log(), [], "what the server saw")
        shutil.rmtree(one.state + "/post", ignore_errors=True)
        os.rename(one.state + "/box", one.state + "/post")
        result = one.fetch()
        if result.status:       # it may want to hear that this is meant
            told(result, 78, "post", r"\bbox\b", r"--accept-new-state")
            tap.equal(scene.server.log(), [], "what the server saw")
            scene.quiet_fetch(0, "--accept-new-state")
        scene.quiet_fetch()
        scene.here(MESSAGES)


@tap.case("a marker that is damaged or a link does no harm")
def strange_markers(_env):
    def play(make):
        with delivering("Maildir") as scene:
            scene.one.fetch_ok()
            (name,) = [n for n in os.listdir(scene.folder) if n.startswith(".postrider-")]
            path = scene.folder + "/" + name
            victim = scene.one.path("victim")
            with open(victim, "w") as file:
                file.write("precious")
            make(path, victim)
            scene.server.put(LATER, first=20)
            scene.quiet_fetch(len(LATER))
            scene.here(MESSAGES + LATER)
            tap.equal(readers.read(victim), b"precious", "a file it pointed to")

    def cut(path, _victim):
        os.truncate(path, 5)

    def fill(path, _victim):
        with open(path, "wb") as file:
            file.write(b"postrider " + b"9" * 70000)

    def link(path, victim):
        os.unlink(path)
        os.symlink(victim, path)

    def link_new(path, victim):
        os.symlink(victim, path + ".new")
    tap.each((cut, fill, link, link_new), play)


# History.


def grow(scene, rounds):
    """Fetch until the ledger shrinks; give its largest and its last size."""
    largest = 0
    for _ in range(rounds):
        scene.one.fetch_ok()
        size = os.path.getsize(scene.ledger)
        if size < largest:
            return largest, size
        largest = size
    raise AssertionError("no smaller after %d passes: %d bytes" % (rounds, largest))


@tap.case("compaction comes after many passes, and loses nothing")
def compaction(_env):
    messages = corpus.simple(64, seed=6)
    script = procs.scratch() + "/rules"
    with open(script, "w") as file:
        file.write("on DELE ignore\n")
    with delivering("Maildir", messages=messages, keep=False,
                    options=("--script", script)) as scene:
        largest, size = grow(scene, 100)
        tap.diag("%d bytes became %d" % (largest, size))
        scene.one.expect(0, "check", "--state")
        tap.equal(scene.server.count("RETR"), len(messages), "messages retrieved in all")
        scene.server.put(LATER, first=100)
        scene.quiet_fetch(len(LATER))
        scene.here(messages + LATER)
        os.truncate(script, 0)
        scene.quiet_fetch()
        scene.here(messages + LATER)
        tap.equal(scene.server.held(), [], "left on the server")


@tap.case("the ledger of a test is what the program writes")
def time_machine(_env):
    with delivering("Maildir", keep=False) as scene:
        scene.one.fetch_ok()
        tap.equal(ledgerfile.earlier(scene.bytes(), 0), scene.bytes(), "the ledger")
        scene.write(ledgerfile.earlier(scene.bytes(), 86400))
        scene.one.expect(0, "check", "--state")
        scene.quiet_fetch()


@tap.case("after a month of silence old history goes, and the account goes on")
def month_later(_env):
    def play(way):
        with delivering(way, keep=False) as scene:
            scene.one.fetch_ok()
            # A torn end has the ledger written anew, without what is old.
            scene.write(ledgerfile.earlier(scene.bytes(), 40 * 86400) + b"x")
            scene.quiet_fetch()
            scene.quiet_fetch()
            tap.check(len(scene.bytes()) < 400, "history is kept", scene.bytes().decode())
            scene.server.put(LATER, first=20)
            scene.quiet_fetch(len(LATER))
            scene.here(MESSAGES + LATER)
    tap.each(("Maildir", "mbox"), play)


def of_ledger(status):
    """The lines of a status that come from the ledger."""
    return "".join(re.findall(r"(?m)^(?:\S+: .*|  set aside: .*)\n", status))


@tap.case("compaction keeps set-aside, marked and waiting messages as they are")
def compaction_keeps(_env):
    with delivering("Maildir", "on RETR 1 err \"bad disk\"", messages=MESSAGES,
                    keep="14d") as scene:
        scene.one.fetch("--baseline")
        scene.server.put(LATER, first=20)
        for _ in range(4):
            scene.one.fetch()
        before = of_ledger(scene.one.expect(0, "status").out)
        tap.check("set aside" in before, "nothing is set aside", before)
        scene.write(scene.bytes() + b"torn")
        scene.server.stop()
        scene.one.expect(75, "fetch")
        tap.check(b"torn" not in scene.bytes(), "the torn end is still there")
        tap.equal(of_ledger(scene.one.expect(0, "status").out), before,
                  "status after compaction")


# What a person is shown.


@tap.case("status and check --state say what there is")
def shown(_env):
    with popd.Popd(MESSAGES, users=2) as server:
        one = agent.Agent()
        one.configure({user: server.account({"maildir": one.path(user)}, user=user,
                                            keep=user == server.users[0])
                       for user in server.users})
        first, second = server.users
        new = one.expect(0, "status")
        tap.check(re.search(r"(?m)^%s: nothing fetched yet$" % first, new.out), "at first", new)
        check = one.expect(0, "check", "--state")
        tap.check(re.search(r"(?m)^%s: nothing fetched yet$" % first, check.out), "at first", check)
        tap.check(not os.path.exists(one.state), "looking made the state directory")
        one.fetch_ok()
        status = one.expect(0, "status")
        day = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
        for pattern in (r"%s: 6 seen, 0 deleted on the server, 0 not delivered yet, "
                        r"last delivery %s" % (first, day), r"%s: 0 seen, 6 deleted" % second):
            tap.check(re.search("(?m)^" + pattern, status.out), "no " + pattern, status)
        only = one.expect(0, "status", second)
        tap.check(first + ":" not in only.out, "an account that was not asked for", only)
        one.expect(64, "status", "nonsense")
        check = one.expect(0, "check", "--state")
        for user in server.users:
            tap.check(re.search(r"(?m)^%s: ledger in order, 6 entries$" % user, check.out),
                      "no word of " + user, check)
        os.truncate("%s/%s/ledger" % (one.state, first), 0)
        check = one.expect(78, "check", "--state")
        tap.check(first in check.err and "%s: ledger in order" % second in check.out,
                  "one bad ledger hides the other", check)


if __name__ == "__main__":
    tap.main(world)
