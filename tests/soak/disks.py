#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Power cuts of real file systems: ext4, xfs and btrfs in images, as root.

	disks.py [ROUNDS [SEED]]

In each round a fetch is killed at some call, or stands still there, and in
that moment the file system is shut down, as the ioctl does it that its own
developers test it with: what was not flushed is gone. btrfs has none, so
there the image is copied under it, while nothing writes to it. Then it is
mounted again, neighbours may come (tests/crash/rig/neighbours.py), and
postrider runs until nothing changes. The mail resembles mail in every other
round. In the end all flushes are left out, which must be seen.
"""

import ctypes
import fcntl
import multiprocessing
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time
from collections import Counter

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + "/crash")

from rig import meanwhile, oracle, places, play, report, scenario, shimctl, tools, world  # noqa: E402

NUMBERS = [int(word) for word in sys.argv[1:]] + [600, 1][len(sys.argv) - 1:]
ROUNDS, SEED = NUMBERS
PLANTED = 20
KINDS = ("ext4", "xfs", "btrfs")
SIZE = 320 << 20
NEW_MOUNTS = 0x20000
SHUTDOWN = 0x8004587d
# Whether the log is written before: both come in a real life.
LOG_FLUSH, NO_LOG_FLUSH = 1, 2
UNLIKE = [kind + end for kind in ("maildir", "mbox", "maildir+gzip", "mbox+gzip")
          for end in ("-delete-8", "-keep-8", "-delete-lone")] + [
    "maildir-second", "mbox-second", "mbox+gzip-second", "maildir-two-batches",
    "mbox-two-batches", "mbox-foreign", "maildir-compact"]
ALIKE = [name for name in scenario.ALIKE if "pipe" not in name]


def command(*words):
    """Run a program of the system; what it printed."""
    if not shutil.which(words[0]):
        raise OSError("there is no %s" % words[0])
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise OSError("%s: %s" % (" ".join(words), done.stdout.decode(errors="replace").strip()))
    return done.stdout.decode().strip()


class Disk:
    """A file system in an image, mounted."""

    def __init__(self, folder, kind):
        self.kind, self.image, self.point = kind, "%s/%s.img" % (folder, kind), folder + "/" + kind
        self.loop = ""          # its device
        self.shuts = kind != "btrfs"

    def make(self):
        """Make and mount it."""
        os.mkdir(self.point)
        with open(self.image, "wb") as file:
            file.truncate(SIZE)
        command("mkfs." + self.kind, "-q", self.image)
        self.mount()

    def mount(self):
        """Also looks through the log of the file system."""
        self.loop = command("losetup", "--find", "--show", self.image)
        # btrfs writes by itself now and then.
        options = "commit=300" if self.kind == "btrfs" else "defaults"
        command("mount", "-t", self.kind, "-o", options, self.loop, self.point)

    def unmount(self):
        """Whatever state it is in, and whoever has mounted it."""
        with open("/proc/self/mounts", encoding="ascii") as file:
            mounted = any(line.split()[1] == self.point for line in file)
        if mounted:
            command("umount", self.point)
        for line in command("losetup", "--associated", self.image).splitlines():
            command("losetup", "--detach", line.split(":")[0])

    def shut_down(self, how):
        """From now on nothing is written to it, and every call fails."""
        fd = os.open(self.point, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, SHUTDOWN, struct.pack("I", how))
        finally:
            os.close(fd)

    def _writes(self):
        with open("/sys/block/%s/stat" % os.path.basename(self.loop), encoding="ascii") as file:
            words = file.read().split()
        return words[4], words[8]       # writes done, and under way

    def copy(self):
        """The image as it is now, from one moment."""
        for _ in range(20):
            before = self._writes()
            command("cp", "--sparse=always", self.image, self.image + ".cut")
            if before == self._writes() and before[1] == "0":
                return
        raise OSError("%s is written to all the time" % self.image)

    def come_back(self):
        """After the power cut."""
        self.unmount()
        if not self.shuts:
            os.rename(self.image + ".cut", self.image)
        self.mount()


class Cutter(threading.Thread):
    """Cuts the power when a process of the run stands still."""

    def __init__(self, w, disk, how):
        super().__init__(daemon=True)
        self.w, self.disk, self.how, self.done = w, disk, how, False

    def run(self):
        while not self.done:
            if self.w.shim.counts()["hits"] and (still := self._still()):
                self.disk.shut_down(self.how)
                os.kill(still, signal.SIGCONT)
                return
            time.sleep(0.002)

    def _still(self):
        for pid in self.w.shim.processes():
            try:
                with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as file:
                    if file.read().rpartition(")")[2].split()[0] == "T":
                        return pid
            except FileNotFoundError:
                pass
        return 0


def serve(own):
    """Two servers, a good one and one that refuses to delete: processes, ports."""
    users = []
    for _account, user in world.ACCOUNTS:
        os.makedirs(own + "/" + user)
        users += ["--user", "%s:secret:%s/%s" % (user, own, user)]
    good, port = tools.popd(*users, "--tls", "none")
    refusing, other = tools.popd(*users, "--tls", "none", "--do", 'on DELE * err "not now"')
    return (good, refusing), (port, other)


class Rounds:
    """One file system, one round after another."""

    def __init__(self, own, disk, ports):
        self.disk = disk
        programs = {"postrider": tools.postrider(own), "shim": tools.shim(own),
                    "refusing": ports[1]}
        self.w = world.World(own, ports[0], programs, disk.point + "/home")
        self.calls, self.flags = {}, ()

    def _begin(self, scene):
        scene.start_anew(self.w)
        os.sync()

    def _calls(self, scene):
        """How many calls an undisturbed fetch makes; the first and the last of
        those between retrieving and deleting."""
        if scene.name not in self.calls:
            self._begin(scene)
            self.w.shim.order(clock_step=scene.clock_step, flags=("log",))
            self.w.run(shim=True)
            sends = [(e.number, e.data) for e in self.w.shim.log() if e.kind == "send"]
            count = self.w.shim.counts()["count"]
            first = min([n for n, data in sends if b"RETR" in data], default=1)
            last = min([n for n, data in sends if b"DELE" in data], default=count)
            self.calls[scene.name] = count, first, last
        return self.calls[scene.name]

    def _cut(self, scene, rng, verdict):
        """A fetch that ends with a power cut."""
        count, first, last = self._calls(scene)
        at = rng.randint(first, last) if rng.random() < 0.7 else rng.randint(1, count)
        if self.flags:
            at = rng.randint(last, count)
        self._begin(scene)
        start = world.Snapshot(self.w.home)
        how = rng.choice((NO_LOG_FLUSH, NO_LOG_FLUSH, LOG_FLUSH))
        stands = self.disk.shuts and rng.random() < 0.4
        action = "stop" if stands else rng.choice(
            ("kill-before", "kill-after", "kill-after", "kill-half", "kill-last"))
        verdict.place = "%s: %s/%s@%d, %s" % (self.disk.kind, scene.name, action, at, (
            "copied" if not self.disk.shuts else "with the log" if how == LOG_FLUSH
            else "without the log"))
        self.w.shim.order(action, at=at, victim="all", clock_step=scene.clock_step,
                          flags=self.flags)
        cutter = Cutter(self.w, self.disk, how)
        if stands:
            cutter.start()
        run = self.w.run(shim=True)
        play.note(verdict, "the run", run)
        cutter.done = True
        verdict.hit = bool(self.w.shim.counts()["hits"])
        if not self.disk.shuts:
            self.disk.copy()
        elif not stands:
            self.disk.shut_down(how)
        else:
            cutter.join()
            if not verdict.hit:
                self.disk.shut_down(how)
        self.disk.come_back()
        return start

    def play(self, number):
        """One round: its verdict, and what there is to count."""
        rng = random.Random("%s %d %d" % (self.disk.kind, SEED, number))
        alike = number % 2 == 0
        scene = scenario.ALL[rng.choice(ALIKE if alike else UNLIKE)]
        verdict = play.Verdict(None)
        start = self._cut(scene, rng, verdict)
        here = sum(map(len, oracle.look(self.w, scene, scene.foreign).copies.values()))
        part = 0 < here < len(scene.texts)
        counts = {"rounds": 1, "alike": alike, "part": part, "alike_part": alike and part}
        self.w.configure(scene)
        verdict.add(oracle.judge_moment(self.w, scene))
        others = meanwhile.Others(self.w, scene, True, start)
        if scene.alike and rng.random() < 0.5:
            others.come("%s%d" % (places.NEAR, rng.getrandbits(30)), 0)
        verdict.met = others.said()
        play.clean(verdict, self.w, others.later)
        verdict.add(oracle.judge(self.w, scene, 1, others.excuse))
        return verdict, counts


_rounds = None


def _settle_in(own, disk, ports):
    global _rounds
    tools.die_with_parent()
    _rounds = Rounds(own, disk, ports)


def one_round(number):
    """For the process that plays them."""
    return _rounds.play(number)


def one_without_flushes(number):
    """The same, but of a program that flushes nothing."""
    _rounds.flags = ("no-sync",)
    return one_round(number)


def watched(verdicts, sums):
    """The verdicts, which are counted."""
    for verdict, counts in verdicts:
        sums.update(counts)
        yield verdict


def sweep(folder, kind, out):
    """All rounds of one file system."""
    disk, servers, sums = Disk(folder, kind), (), Counter()
    try:
        try:
            disk.make()
        except OSError as error:
            out.skip("%s: %s" % (kind, error))
            return
        servers, ports = serve(folder + "/w-" + kind)
        # What waits for all of its children must have no servers among them.
        with multiprocessing.get_context("fork").Pool(
                1, _settle_in, (folder + "/w-" + kind, disk, ports)) as pool:
            out.judge("power cuts of %s" % kind, watched(
                pool.imap(one_round, range(ROUNDS // len(KINDS))), sums))
            found = sum(bool({"lost", "torn"} & set(verdict.wrong)) for verdict, _counts
                        in pool.imap(one_without_flushes, range(PLANTED)))
            out.test(found, "%s: mail is missing in %d of %d rounds without any flush" % (
                kind, found, PLANTED))
        out.diag("%s: %d rounds, %d with mail that resembles mail; a part of the mail was here"
                 " in %d, of those %d" % (kind, *(sums[word] for word in (
                     "rounds", "alike", "part", "alike_part"))))
    finally:
        for server in servers:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
        disk.unmount()


def keep_apart():
    """Mounts of our own, which end with us, and which nobody else keeps busy."""
    if ctypes.CDLL(None, use_errno=True).unshare(NEW_MOUNTS):
        raise tools.Missing("no mounts of one's own here")
    command("mount", "--make-rprivate", "/")


def main():
    """All file systems."""
    if os.geteuid() != 0:
        print("1..0 # SKIP only root can mount a file system")
        return 0
    out, folder = report.Report("disks"), tools.scratch()
    try:
        keep_apart()
        for kind in KINDS:
            sweep(folder, kind, out)
    except tools.Missing as missing:
        print("1..0 # SKIP %s" % missing)
        return 0
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return out.end()


if __name__ == "__main__":
    sys.exit(main())
