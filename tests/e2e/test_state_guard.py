#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person, a disk or a backup does to state and destination behind us.

A disk that is not mounted, a lock file that is removed, a ledger that lost its
end, a copy of the state from the middle of a pass, few open files: nothing may
be lost or come twice, and what cannot be decided is told and left alone.
"""

import contextlib
import os
import re
import shutil
import subprocess
import zlib

from harness import agent, corpus, ledgerfile, procs, readers, tap, wire
from harness.scene import MESSAGES, fetching, told, world

LATER = corpus.simple(3, seed=41)
MANY = corpus.simple(300, seed=42)
DAYS = 3 * 86400
WAYS = {        # how to deliver below the folder `disk`, how to read it back
    "Maildir": (lambda disk: {"maildir": disk + "/Mail"},
                lambda disk: readers.maildir(disk + "/Mail")),
    "gzip Maildir": (lambda disk: {"maildir": disk + "/Mail", "compress": "gzip"},
                     lambda disk: readers.maildir_gzip(disk + "/Mail")),
    "Maildir, a disk of its own": (lambda disk: {"maildir": disk}, readers.maildir),
    "mbox": (lambda disk: {"mbox": disk + "/box"},
             lambda disk: readers.mbox(disk + "/box")),
    "gzip mbox": (lambda disk: {"mbox": disk + "/box.gz", "compress": "gzip"},
                  lambda disk: readers.mbox_gzip(disk + "/box.gz")),
}


class Scene:
    """A server, and an account `box` that delivers to a disk."""

    def __init__(self, one, server, way):
        self.one, self.server = one, server
        self.deliver, self.read = WAYS[way]
        self.disk, self.away = one.path("disk"), one.path("away")
        self.ledger = one.state + "/box/ledger"
        os.mkdir(self.disk, 0o700)

    def set(self, **keys):
        """Set other keys of the account."""
        self.one.configure({"box": self.server.account(self.deliver(self.disk), **keys)})

    def here(self, messages, filed=()):
        """MESSAGES must be here or FILED elsewhere, each once."""
        got, wanted = wire.digests(self.read(self.disk) + list(filed)), wire.digests(messages)
        tap.check(got == wanted, "%d missing, %d doubled or strange" %
                  (sum((wanted - got).values()), sum((got - wanted).values())))

    def refused(self, *patterns, status=78):
        """A fetch must say why it does not even connect."""
        self.server.forget()
        told(self.one.fetch(), status, r"\bbox\b", *patterns)
        tap.equal(self.server.log(), [], "what the server saw")

    def quiet_fetch(self, retrieved=0, *args):
        """A fetch that succeeds and retrieves so many messages."""
        self.server.forget()
        self.one.fetch_ok(*args)
        tap.equal(self.server.count("RETR"), retrieved, "messages retrieved")

    def bytes(self):
        """The ledger's bytes."""
        return readers.read(self.ledger)

    def write(self, data):
        """Put another ledger in its place."""
        with open(self.ledger, "wb") as file:
            file.write(data)

    def unmount(self):
        """What is left of a mounted folder: the one below it, empty."""
        os.rename(self.disk, self.away)
        os.mkdir(self.disk, 0o700)

    def mount(self):
        """The disk is back."""
        shutil.rmtree(self.disk, ignore_errors=True)
        os.rename(self.away, self.disk)


@contextlib.contextmanager
def delivering(way, *rules, messages=MESSAGES, keep=False, **special):
    """A Scene; nothing has been fetched yet."""
    with fetching(*rules, messages=messages, **special) as (one, server):
        scene = Scene(one, server, way)
        scene.set(keep=keep)
        yield scene
        one.remove()


def below(folder):
    """All that is in a folder."""
    return sorted(os.path.join(root, name) for root, dirs, files in os.walk(folder)
                  for name in dirs + files)


# The disk of the mail.


@tap.case("a disk that is not mounted: told, nothing is put below it, then all is well")
def not_mounted(_env):
    def play(way):
        with delivering(way) as scene:
            scene.one.fetch_ok()
            scene.server.put(LATER, first=20)
            scene.unmount()
            for _ in range(2):
                scene.refused("mount", "--accept-new-state box", re.escape(scene.disk))
                tap.equal(below(scene.disk), [], "below the mount point")
            os.rmdir(scene.disk)        # an automounter shows nothing at all
            scene.refused("mount", "--accept-new-state box")
            tap.check(not os.path.exists(scene.disk), "a folder was made")
            scene.mount()
            scene.quiet_fetch(len(LATER))
            scene.here(MESSAGES + LATER)
            tap.equal(scene.server.held(), [], "left on the server")
    tap.each(WAYS, play)


@tap.case("a real mount that comes and goes")
def real_mount(_env):
    with delivering("mbox") as scene:
        if subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL,
                          check=False).returncode:
            raise tap.Skip("cannot mount here")
        one, drop = scene.one, scene.server.drop
        fetch = "%s -c %s fetch" % (one.program, one.config)
        with open(one.path("later"), "wb") as file:
            file.write(LATER[0])
        # In one name space: with the disk, without it, and with it again.
        script = "\n".join((
            "mount -t tmpfs none disk || exit 9",
            fetch + " || exit 1",
            "mkdir keep && mount --move disk keep || exit 9",
            "cp later %s/000050" % drop,
            fetch, "test $? = 78 || exit 2",
            "test -z \"$(ls -A disk)\" || exit 3",
            "mount --move keep disk || exit 9",
            fetch + " || exit 4",
            "cp disk/box copy"))
        run = subprocess.run(["unshare", "-m", "--propagation", "private", "sh", "-c", script],
                             cwd=one.home, env=one.env, capture_output=True, check=False)
        if run.returncode == 9:
            raise tap.Skip("cannot mount here")
        tap.check(run.returncode == 0, "step %d" % run.returncode, run.stderr.decode())
        tap.equal(wire.digests(readers.mbox(one.path("copy"))),
                  wire.digests(MESSAGES + LATER[:1]), "messages delivered")


@tap.case("the marker is there before the first message: a pass cut off knows its disk")
def cut_then_unmounted(_env):
    def play(way):
        with delivering(way, "on QUIT #1 stall") as scene:
            slow = scene.one.start("fetch")
            procs.wait_until(lambda: scene.server.count("QUIT"), 60, "QUIT")
            scene.one.abort(slow)
            procs.wait_until(lambda: "disconnect" in str(scene.server.log()), 60, "its end")
            scene.server.put(LATER, first=20)
            scene.unmount()
            scene.refused("mount")
            tap.equal(below(scene.disk), [], "below the mount point")
            scene.mount()
            scene.one.fetch_ok()
            scene.here(MESSAGES + LATER)
    tap.each(("Maildir", "mbox"), play)


@tap.case("--accept-new-state: a folder that was made anew on purpose is the right one")
def made_anew(_env):
    def play(way):
        with delivering(way) as scene:
            scene.one.fetch_ok()
            scene.server.put(LATER, first=20)
            shutil.rmtree(scene.disk)
            os.mkdir(scene.disk, 0o700)
            scene.refused("--accept-new-state")
            scene.quiet_fetch(len(LATER), "--accept-new-state")
            scene.quiet_fetch()
            scene.here(LATER)
            scene.unmount()
            scene.refused("mount")
    tap.each(("Maildir", "mbox"), play)


@tap.case("another folder in the configuration needs no word, and is guarded too")
def other_folder(_env):
    with delivering("Maildir") as scene:
        scene.one.fetch_ok()
        scene.server.put(LATER, first=20)
        scene.deliver = lambda disk: {"mbox": disk + "/box"}
        scene.set()
        scene.quiet_fetch(len(LATER))
        tap.equal(wire.digests(readers.mbox(scene.disk + "/box")), wire.digests(LATER), "there")
        scene.unmount()
        scene.refused("mount")


# The lock.


@tap.case("the lock file removed while a fetch runs: a second one still waits")
def lock_removed(_env):
    def play(remove):
        with delivering("Maildir", "on RETR #3 stall") as scene:
            slow = scene.one.start("fetch")
            procs.wait_until(lambda: scene.server.count("RETR") >= 3, 60, "the third RETR")
            remove(scene.one.state + "/box/lock")
            other = agent.Agent()
            shutil.copy(scene.one.config, other.config)
            for _ in range(2):
                told(other.fetch(), 75, "box", r"process \d+", re.escape(scene.one.state))
            scene.one.abort(slow)
            scene.one.fetch_ok()
            scene.here(MESSAGES)

    def replace(path):
        os.unlink(path)
        open(path, "wb").close()
    tap.each((os.unlink, replace), play)


# The ledger.


def written_anew(scene):
    """Fetch twice, then have the ledger written anew, as a torn end has it."""
    scene.one.fetch_ok()
    scene.server.put(LATER, first=20)
    scene.one.fetch_ok()
    scene.write(scene.bytes() + b"torn")
    scene.one.fetch_ok()
    return scene.bytes()


@tap.case("a ledger written anew, then cut or changed by one bit: told, nothing fetched")
def anew_and_damaged(_env):
    def play(way):
        with delivering(way, keep=True) as scene:
            data = written_anew(scene)
            starts = [at.end() for at in re.finditer(b"\n", data)][:-1]
            cuts = starts + [len(data) // 2, len(data) - 1, len(data) - 20]
            damaged = [data[:cut] for cut in cuts]
            for at in range(0, len(data), 97):
                damaged.append(data[:at] + bytes([data[at] ^ 1 << at % 7]) + data[at + 1:])
            for bad in damaged:
                scene.write(bad)
                scene.refused("Nothing was changed|old copy|not written by|no beginning",
                              "--baseline|newer|this version")
                tap.equal(scene.bytes(), bad, "the ledger")
            scene.write(data)
            scene.quiet_fetch()
            scene.here(MESSAGES + LATER)
    tap.each(("Maildir", "mbox"), play)


@tap.case("the end of a ledger missing, at every line: told, or of no consequence")
def end_missing(_env):
    def play(keep):
        with delivering("Maildir", keep=keep) as scene:
            scene.one.fetch_ok()
            scene.server.put(LATER, first=20)
            scene.one.fetch_ok()
            data, marker = scene.bytes(), marker_of(scene)
            for at in re.finditer(b"\n", data):
                if not keep:
                    scene.server.put(MESSAGES)
                    scene.server.put(LATER, first=20)
                scene.write(data[:at.end()])
                shutil.copy2(marker + ".kept", marker)
                scene.server.forget()
                status = scene.one.fetch().status
                tap.check(status in (0, 78), "status %d" % status)
                tap.equal(scene.server.count("RETR"), 0, "RETR, cut at %d" % at.end())
    tap.each((True, False), play)


def marker_of(scene):
    """The marker's path; a copy of it is kept."""
    (name,) = [n for n in os.listdir(scene.disk + "/Mail") if n.startswith(".postrider-")]
    path = scene.disk + "/Mail/" + name
    shutil.copy2(path, path + ".kept")
    return path


@tap.case("a record of a newer version: told so, and nothing is cut off")
def newer_record(_env):
    with delivering("Maildir", keep=True) as scene:
        scene.one.fetch_ok()
        data = scene.bytes()
        crc = int(data.split(b"\n")[-2][:8], 16)
        newer = data + b"%08x teleported 1 2\n" % zlib.crc32(b"teleported 1 2", crc)
        scene.write(newer)
        scene.refused("newer")
        scene.one.expect(78, "check", "--state")
        tap.equal(scene.bytes(), newer, "the ledger")
        scene.write(data)
        scene.quiet_fetch()
        scene.here(MESSAGES)


# Copies of the state.


@tap.case("state copied in the middle of a pass, put back days later: nothing comes twice")
def copied_meanwhile(_env):
    def play(setting):
        way, keep = setting
        with delivering(way, keep=keep) as scene:
            scene.one.fetch_ok()
            data = scene.bytes()
            # Intents are durable, and what became of them is not noted.
            middle = data[:data.index(b"delivered")]
            middle = middle[:middle.rindex(b"\n") + 1]
            filed = scene.read(scene.disk)
            for folder in ("new", "cur"):
                for name in os.listdir(scene.disk + "/Mail/" + folder):
                    os.unlink("%s/Mail/%s/%s" % (scene.disk, folder, name))
            scene.server.put(MESSAGES)
            scene.write(ledgerfile.earlier(middle, DAYS))
            shutil.rmtree(scene.one.state + "/box/stage")
            scene.server.forget()
            status = scene.one.fetch().status
            tap.check(status in (0, 78), "status %d" % status)
            tap.equal(scene.server.count("RETR"), 0, "messages retrieved")
            if status == 78:
                scene.refused("old copy", "--baseline", "--accept-new-state")
            scene.here(MESSAGES, filed)
    tap.each([("Maildir", True), ("Maildir", False)], play)


# Open files.


@tap.case("few open files and many messages: smaller batches, and all come")
def few_files(_env):
    def play(setting):
        way, limit = setting
        with delivering(way, messages=MANY, server_tls="none") as scene:
            scene.one.prefix = ["sh", "-c", "ulimit -n %d; exec \"$@\"" % limit, "sh"]
            scene.one.fetch_ok()
            scene.here(MANY)
            tap.equal(scene.server.held(), [], "left on the server")
    tap.each([(way, limit) for limit in (100, 40)
              for way in ("Maildir", "gzip Maildir", "mbox")], play)


if __name__ == "__main__":
    tap.main(world)
