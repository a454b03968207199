#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Full disks, read-only disks and file size limits, made for real.

Whichever disk is full, of the mail or of the state, and whenever it happens:
try later (75), say where and how much is needed, leave the message on the
server, serve the other accounts, and go on by itself when there is room.
"""

import contextlib
import itertools
import os
import random
import re
import subprocess
import sys

from harness import agent, corpus, procs, readers, smalldisk, tap, wire
from harness.scene import told
from harness.tinypop import TinyPop

SMALL = corpus.simple(6, seed=31)
LARGE = [b"Subject: large\n\n" + bytes(random.Random(9).choices(b"abcdefgh \n", k=400_000)) + b"\n"]
OTHER = corpus.simple(3, seed=32)
MANY = corpus.simple(80, seed=33)       # their records fill pages of a ledger
WAYS = {        # the file in the folder FOLDER to deliver to, and how to read it
    "Maildir": (lambda folder: {"maildir": folder + "/Mail"},
                lambda folder: readers.maildir(folder + "/Mail")),
    "gzip Maildir": (lambda folder: {"maildir": folder + "/Mail", "compress": "gzip"},
                     lambda folder: readers.maildir_gzip(folder + "/Mail")),
    "mbox": (lambda folder: {"mbox": folder + "/box"},
             lambda folder: readers.mbox(folder + "/box")),
    "gzip mbox": (lambda folder: {"mbox": folder + "/box", "compress": "gzip"},
                  lambda folder: readers.mbox_gzip(folder + "/box")),
}
BYTES = r"\d+ (more )?bytes"


class Scene:
    """Two servers, two accounts: `box` on the small disk, `other` elsewhere."""

    def __init__(self, one, disk, server, neighbour, way, state_there, mail_there):
        self.one, self.disk, self.server, self.neighbour = one, disk, server, neighbour
        self.deliver, self._read = WAYS[way]
        self.folder = disk.path if mail_there else one.path("in")
        os.makedirs(one.path("in"), exist_ok=True)
        if state_there:         # of this account only: the other one has a link's other end
            os.makedirs(one.state, 0o700)
            os.mkdir(disk.path + "/state", 0o700)
            os.symlink(disk.path + "/state", one.state + "/box")
        self.configure()

    def configure(self, **keys):
        """Set other keys of the account."""
        other = self.neighbour.account({"maildir": self.one.path("Other")}, keep=False)
        box = self.server.account(self.deliver(self.folder), **{"keep": False, **keys})
        self.one.configure({"box": box, "other": other})

    def read(self):
        """What was delivered."""
        return self._read(self.folder)

    def here(self, messages, what="messages here"):
        """Each of MESSAGES must be here once, and nothing else."""
        got, wanted = wire.digests(self.read()), wire.digests(messages)
        tap.check(got == wanted, "%s: %d missing, %d doubled or torn" %
                  (what, sum((wanted - got).values()), sum((got - wanted).values())))

    def full(self, *patterns, stuck=("later-0",)):
        """A fetch that finds no room for the messages STUCK: 75, told, nothing
        torn or lost, and the other account served."""
        self.neighbour.put(OTHER, "o-%%d-%d" % len(self.neighbour.asked))
        before = wire.digests(self.read())
        kept = dict(self.server.drop)
        result = self.one.fetch()
        told(result, 75, "box", *patterns)
        came = wire.digests(self.read()) - before
        tap.check(not before - wire.digests(self.read()), "what was there is gone", result)
        tap.check(not came - wire.digests(m.replace(b"\r\n", b"\n") for m in kept.values()),
                  "a torn or strange message came", result)
        for uid, message in kept.items():
            tap.check(uid in self.server.drop or came[wire.digest(wire.normal(message))],
                      "%s is neither here nor on the server" % uid, result)
        tap.check(set(stuck) <= set(self.server.drop), "deleted though there was no room", result)
        tap.equal(self.neighbour.drop, {}, "left on the other account's server")
        locks = [name for name in os.listdir(self.folder) if ".lock" in name]
        tap.equal(locks, [], "dotlocks left")
        return result

    def heals(self, messages):
        """There is room again: one fetch must do."""
        self.disk.clear()
        self.server.poison.clear()
        self.one.fetch_ok()
        self.here(messages, "messages here when there is room")
        tap.equal(list(self.server.drop), [], "left on the server")
        self.one.fetch_ok()
        self.here(messages, "messages here after one more fetch")
        tap.equal(readers.litter(self.folder + "/Mail"), [], "files left in tmp/")
        tap.equal(os.listdir(self.one.state + "/box/stage"), [], "files left in stage/")
        self.one.expect(0, "check", "--state")


@contextlib.contextmanager
def scene(way, messages, state_there=False, mail_there=True, **size):
    """A Scene whose `box` has delivered SMALL already, and then finds MESSAGES."""
    one = agent.Agent()
    with TinyPop(SMALL) as server, TinyPop(OTHER) as neighbour, \
            smalldisk.mounted(one.path("disk"), **size) as disk:
        it = Scene(one, disk, server, neighbour, way, state_there, mail_there)
        it.one.fetch_ok()
        it.here(SMALL)
        server.put(messages, "later-%d")
        yield it
    one.remove()


@tap.case("a full disk for the mail is told before anything is retrieved, and heals")
def full_before(_env):
    def play(setting):
        way, leave = setting
        with scene(way, LARGE + OTHER) as it:
            it.disk.fill(leave)
            for _ in range(2):
                it.full(re.escape(it.disk.path), BYTES)
            it.heals(SMALL + LARGE + OTHER)
    tap.each(itertools.product(WAYS, (0, 12288)), play)


@tap.case("the disk for the mail becomes full in the middle of a message")
def full_meanwhile(_env):
    def play(way):
        with scene(way, LARGE + OTHER) as it:
            it.server.poison[("RETR", "later-0")] = ("call", 100_000, it.disk.fill)
            for _ in range(2):
                it.full(re.escape(it.disk.path), "no space|is full", BYTES)
            it.heals(SMALL + LARGE + OTHER)
    tap.each(WAYS, play)


def box_size(it):
    """The size of the mbox, 0 if it is none."""
    path = it.folder + "/box"
    return os.path.getsize(path) if os.path.exists(path) else 0


@tap.case("an mbox with room for half of a message is put back as it was")
def half_an_mbox(_env):
    def play(setting):
        way, leave = setting
        with scene(way, LARGE + OTHER) as it:
            it.disk.fill(leave)
            before = readers.read(it.folder + "/box")
            for _ in range(3):
                it.full(re.escape(it.folder + "/box"), BYTES)
                tap.check(readers.read(it.folder + "/box").startswith(before),
                          "what was there has changed")
            it.heals(SMALL + LARGE + OTHER)
    tap.each(itertools.product(("mbox", "gzip mbox"), (4096, 40_960, 122_880)), play)


@tap.case("what has room comes, what has not stays on the server and is told")
def partly(_env):
    for way in ("Maildir", "gzip Maildir"):
        with scene(way, [OTHER[0], *LARGE, OTHER[1]]) as it:
            fs = os.statvfs(it.disk.path)
            reserve = fs.f_blocks * fs.f_frsize // 20
            it.disk.fill(reserve + 150_000)
            result = it.one.fetch()
            told(result, 75, "box", re.escape(it.disk.path), BYTES)
            it.here(SMALL + OTHER[:2], "messages here although one is too large")
            tap.equal(list(it.server.drop), ["later-1"], "on the server")
            tap.check(it.disk.free() >= reserve, "only %d bytes are left free, the reserve "
                      "being %d" % (it.disk.free(), reserve))
            it.heals(SMALL + OTHER[:2] + LARGE)


@tap.case("no inode is left on the disk of the mail")
def no_inodes(_env):
    def play(way):
        with scene(way, OTHER, inodes=200) as it:
            it.disk.fill_inodes()
            it.full(re.escape(it.disk.path), "no space", stuck=["later-0", "later-1"])
            it.heals(SMALL + OTHER)
    tap.each(WAYS, play)


@tap.case("the disk of the state is full before the first fetch")
def state_full_first(_env):
    def play(way):
        one = agent.Agent()
        os.mkdir(one.path("in"))
        with TinyPop(SMALL) as server, smalldisk.mounted(one.path("disk")) as disk:
            one.configure({"box": server.account(WAYS[way][0](one.path("in")), keep=False)},
                          state=disk.path + "/state")
            disk.fill()
            for _ in range(2):
                told(one.fetch(), 75, "box", re.escape(disk.path), "no space|is full")
                tap.equal(server.count("RETR") + server.count("DELE"), 0, "RETR and DELE")
            disk.clear()
            one.fetch_ok()
            tap.equal(wire.digests(WAYS[way][1](one.path("in"))), wire.digests(SMALL),
                      "messages here when there is room")
            tap.equal(list(server.drop), [], "left on the server")
    tap.each(("Maildir", "mbox"), play)


@tap.case("the disk of the state is full: nothing is delivered twice or lost, and it heals")
def state_full(_env):
    def play(setting):
        way, leave = setting
        with scene(way, LARGE + MANY, state_there=True, mail_there=False) as it:
            it.disk.fill(leave)
            for _ in range(2):
                it.full(re.escape(it.one.state + "/box"), "no space|is full", BYTES)
            it.heals(SMALL + LARGE + MANY)
    tap.each(itertools.product(WAYS, (0, 4096)), play)


@tap.case("the disk of the state becomes full in the middle of a message")
def state_full_meanwhile(_env):
    def play(way):
        with scene(way, LARGE + MANY, state_there=True, mail_there=False) as it:
            it.server.poison[("RETR", "later-0")] = ("call", 100_000, it.disk.fill)
            it.full(re.escape(it.one.state + "/box"), "no space|is full", BYTES)
            it.heals(SMALL + LARGE + MANY)
    tap.each(WAYS, play)


@tap.case("the disk of the state becomes full before deletion: deleted later, not fetched twice")
def state_full_at_dele(_env):
    for way in ("Maildir", "mbox"):
        with scene(way, OTHER, state_there=True, mail_there=False) as it:
            it.server.poison[("DELE", "later-0")] = ("call", 0, it.disk.fill)
            it.one.fetch()
            it.one.fetch()
            it.here(SMALL + OTHER)
            it.heals(SMALL + OTHER)
            tap.equal(it.server.count("RETR"), len(SMALL + OTHER), "messages retrieved in all")


@tap.case("the same disk for state and mail is full, at any page")
def both_full(_env):
    def play(setting):
        way, leave = setting
        with scene(way, OTHER, state_there=True) as it:
            it.disk.fill(4096 * leave)
            result = it.one.fetch()
            tap.check(result.status == 75, "exit status", result)
            it.here(SMALL)
            tap.equal(len(it.server.drop), len(OTHER), "on the server")
            it.heals(SMALL + OTHER)
    tap.each(itertools.product(("Maildir", "mbox"), range(8)), play)


@tap.case("a disk that turned read-only is told, nothing is lost, and it heals")
def read_only(_env):
    def play(setting):
        way, state = setting
        with scene(way, OTHER, state_there=state, mail_there=not state) as it:
            it.disk.read_only(True)
            # The path on the way there may be named instead of the disk's own.
            it.full("|".join(map(re.escape, (it.disk.path, it.one.state + "/box"))), "read-only")
            it.disk.read_only(False)
            it.heals(SMALL + OTHER)
    tap.each(itertools.product(("Maildir", "mbox"), (True, False)), play)


# Limits of a process.


def limited(it, kib):
    """Fetch with a limit on the size of any file."""
    it.one.prefix = ["sh", "-c", "ulimit -f %d; exec \"$@\"" % (2 * kib), "sh"]
    result = it.one.fetch()
    it.one.prefix = []
    return result


@tap.case("a file size limit hit in a large message: told, kept, and delivered without it")
def file_size(_env):
    def play(way):
        with scene(way, OTHER[:2] + LARGE) as it:
            it.server.put(OTHER[2:], "last-%d")
            for _ in range(2):      # the third time it would be set aside
                told(limited(it, 128), 75, "box", "too large")
                got = wire.digests(it.read())
                tap.check(not wire.digests(SMALL) - got, "what was there is gone")
                tap.check(not got - wire.digests(SMALL + OTHER), "torn or doubled")
                tap.check("later-2" in it.server.drop, "the large one is gone from the server")
            small = wire.digests(it.read())
            it.heals(SMALL + OTHER + LARGE)
            if "Maildir" in way:
                tap.check(small == wire.digests(SMALL + OTHER), "the others did not come "
                          "before: %d here" % sum(small.values()))
    tap.each(WAYS, play)


@tap.case("a file size limit that not even the ledger fits in")
def tiny_limit(_env):
    def play(setting):
        way, kib = setting
        with scene(way, MANY) as it:
            for _ in range(2):
                result = limited(it, kib)
                tap.check(result.status == 75, "exit status", result)
                got = wire.digests(it.read())
                tap.check(not got - wire.digests(SMALL + MANY), "torn or doubled")
            it.heals(SMALL + MANY)
    tap.each(itertools.product(WAYS, (1, 3, 9)), play)


@tap.case("a file size limit of the mbox: what fits is there, whole, and the rest later")
def mbox_at_limit(_env):
    messages = corpus.simple(120, seed=34)
    with scene("mbox", messages) as it:
        half = box_size(it) + sum(map(len, messages)) // 2
        told(limited(it, half // 1024), 75, "box", "too large", re.escape(it.folder + "/box"))
        got = wire.digests(it.read())
        tap.check(not got - wire.digests(SMALL + messages), "torn or doubled")
        tap.equal(len(it.server.drop), len(messages), "on the server: nothing may be deleted")
        it.heals(SMALL + messages)


# Files that are always full.


@tap.case("a log or an output that is full does not hold up or double mail")
def full_output(_env):
    for way in ("Maildir", "mbox"):
        with scene(way, OTHER) as it:
            box = it.server.account(it.deliver(it.folder), keep=False)
            it.one.configure({"box": box}, log={"to": "/dev/full"})
            it.one.fetch_ok()
            it.here(SMALL + OTHER)
            it.server.put(LARGE, "large-%d")
            with open("/dev/full", "w") as full:
                done = subprocess.run([it.one.program, "-c", it.one.config, "fetch"],
                                      stdin=subprocess.DEVNULL, stdout=full, stderr=full,
                                      env=it.one.env, cwd=it.one.home, timeout=60)
            tap.check(done.returncode >= 0, "ended by signal %d" % -done.returncode)
            it.here(SMALL + OTHER + LARGE)
            tap.equal(list(it.server.drop), [], "left on the server")


@tap.case("an mbox or a ledger that is /dev/full: an error, nothing lost")
def dev_full(_env):
    with scene("mbox", OTHER) as it:
        os.rename(it.folder + "/box", it.folder + "/away")
        os.symlink("/dev/full", it.folder + "/box")
        told(it.one.fetch(), 78, "box", re.escape(it.folder + "/box"))
        os.rename(it.folder + "/away", it.folder + "/box")
        ledger = it.one.state + "/box/ledger"
        os.rename(ledger, ledger + ".away")
        os.symlink("/dev/full", ledger)
        asked = len(it.server.asked)
        result = it.one.fetch()
        tap.check(result.status in (73, 74, 75, 78), "exit status", result)
        told(result, result.status, "box", re.escape(ledger))
        tap.equal(len(it.server.asked), asked, "commands the server saw")
        os.rename(ledger + ".away", ledger)
        it.heals(SMALL + OTHER)


@contextlib.contextmanager
def world():
    """A mount namespace of our own."""
    agent.binary()
    if not sys.platform.startswith("linux"):
        raise tap.Skip("small disks are made with Linux namespaces")
    smalldisk.enter()
    yield None


if __name__ == "__main__":
    tap.main(world)
