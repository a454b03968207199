# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a program once and see what it cost."""

import os
import pwd
import signal
import statistics
import struct
import subprocess
import threading
import time
from dataclasses import dataclass

from harness import procs

CLEAN = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "USER": "jane",
         "LOGNAME": "jane", "SHELL": "/bin/sh"}
# A run that takes more seconds than this is stopped.
PATIENCE = 900


@dataclass
class Sample:
    """The cost of one run. CPU is user and system time of all processes."""

    wall: float = 0.0
    cpu: float = 0.0
    flushes: int = 0
    peak: int = 0           # KiB, of the largest process
    bursts: int = 0         # how often it spoke after it had been answered
    wire: int = 0           # bytes, both ways
    private: int = 0        # KiB, of the largest process but the first
    peaks: int = 0          # KiB, of all processes, added up
    runs: int = 1           # of how many this is the median
    failed: str = ""        # why there are no figures

    def get(self, name):
        """One figure by its name."""
        return getattr(self, name)


class Failed(Exception):
    """A program did not do what is to be measured."""

    def __str__(self):
        """What happened, and the last that the program printed."""
        happened, printed = self.args
        return ": ".join([happened] + printed.strip().splitlines()[-1:])


class Flushes:
    """The preloaded counter of flushes."""

    def __init__(self, library, path, delay_ms=0):
        self.path = path
        self.env = {"LD_PRELOAD": library, "BENCH_FLUSHES": path,
                    "BENCH_FLUSH_US": str(int(delay_ms * 1000))}

    def clear(self):
        """Begin at zero."""
        with open(self.path, "wb") as file:
            file.write(bytes(8))
        os.chmod(self.path, 0o666)

    def count(self):
        """How many since."""
        with open(self.path, "rb") as file:
            return struct.unpack("Q", file.read(8))[0]


def _kib(pid, name, prefix):
    """The sum of the lines of /proc/PID/NAME that begin with PREFIX."""
    return sum(int(line.split()[1]) for line in procs.read(pid, name).splitlines()
               if line.startswith(prefix))


def _watch(process, sample):
    """Look at the memory of all processes until the program ends."""
    peaks = {}
    while process.poll() is None:
        others = procs.descendants(process.pid)
        for pid in [process.pid] + others:
            peaks[pid] = max(peaks.get(pid, 0), _kib(pid, "status", b"VmHWM"))
        for pid in others:
            sample.private = max(sample.private, _kib(pid, "smaps_rollup", b"Private_"))
    sample.peak, sample.peaks = max(peaks.values()), sum(peaks.values())


def output(home):
    """The last that a run with this HOME printed."""
    with open(home + "/output", errors="replace") as file:
        return file.read()[-2000:]


def _stop(process):
    """Kill the whole session of PROCESS."""
    os.killpg(process.pid, signal.SIGKILL)


def _start(argv, home, env, out, user):
    return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out,
                            stderr=subprocess.STDOUT, env=env, cwd=home,
                            start_new_session=True, user=user,
                            group=user and pwd.getpwnam(user).pw_gid,
                            extra_groups=user and [])


def run(argv, home, flushes=None, *, watch=False, user=None, accept=(0,), env=()):
    """Run ARGV to its end with HOME as its home; the Sample. Only with WATCH
    there are figures of memory, and the others are spoiled."""
    env = dict(CLEAN, HOME=home, TMPDIR=home, **(flushes.env if flushes else {}),
               **dict(env))
    if flushes:
        flushes.clear()
    sample = Sample()
    with open(home + "/output", "wb") as out:
        begin = time.monotonic()
        process = _start(argv, home, env, out, user)
        patience = threading.Timer(PATIENCE, _stop, [process])
        patience.start()
        if watch:
            _watch(process, sample)
            status = process.returncode
        else:
            _pid, status, usage = os.wait4(process.pid, 0)
            process.returncode = status = os.waitstatus_to_exitcode(status)
            sample.cpu = usage.ru_utime + usage.ru_stime
        sample.wall = time.monotonic() - begin
        patience.cancel()
    if flushes:
        sample.flushes = flushes.count()
    if status not in accept:
        raise Failed("stopped after %d s" % PATIENCE if sample.wall >= PATIENCE
                     else "exit status %d" % status, output(home))
    return sample


def median(samples):
    """A Sample of the medians of SAMPLES."""
    figures = {name: statistics.median(s.get(name) for s in samples)
               for name in vars(samples[0]) if name not in ("runs", "failed")}
    return Sample(**figures, runs=len(samples))
