# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs in turn at the same work: A B A B, and the medians."""

import os
import shutil
import subprocess
import tempfile

from . import measure, programs

ROUNDS = int(os.environ.get("BENCH_RUNS", "5"))
# How often a program runs at most if a run takes longer than so many seconds.
SLOW = ((60, 1), (20, 3))


class Arena:
    """Folders for runs, in memory or on a disk."""

    def __init__(self, disk, library):
        self.disk = tempfile.mkdtemp(prefix="bench-", dir=disk)
        self.memory = tempfile.mkdtemp(prefix="bench-")
        for path in (self.disk, self.memory):
            os.chmod(path, 0o711)
        # ext4 searches long for a free inode where many were freed a moment
        # ago: each run gets another block group, and nothing is removed
        # before the end.
        if shutil.which("chattr"):
            subprocess.run(["chattr", "+T", self.disk], stderr=subprocess.DEVNULL)
        self.flushes = measure.Flushes(library, self.memory + "/flushes")
        self.slow_flushes = measure.Flushes(library, self.memory + "/flushes", 5)
        self.serial = 0

    def folder(self, disk=False):
        """The path of a folder that is not there yet."""
        self.serial += 1
        return "%s/%d" % (self.disk if disk else self.memory, self.serial)

    def remove(self):
        """Remove what is left."""
        for path in (self.disk, self.memory):
            shutil.rmtree(path, ignore_errors=True)


def rounds(first=0.0):
    """How often a program runs whose first run took FIRST seconds."""
    return min([ROUNDS] + [times for seconds, times in SLOW if first > seconds])


def once(program, job, flushes, line=None, watch=False):
    """One run of PROGRAM (its argv made from JOB)."""
    if line:
        line.clear()
    argv = program(job)
    sample = measure.run(argv, job.folder, flushes, watch=watch, user=job.user,
                         env=job.env, accept=programs.FINE.get(program.__name__, (0,)))
    if line:
        sample.wire, sample.bursts = line.passed(len(job.users))
    return sample


def _verify(job, count):
    """COUNT messages must be there: what fetches nothing is quick."""
    if job.delivered() != count:
        raise measure.Failed("delivered %d messages of %d" % (job.delivered(), count),
                             measure.output(job.folder))


def _fresh(arena, make, disk, count, watch):
    def run(program, flushes, line):
        job = make(arena.folder(disk))
        if disk:
            os.sync()       # what others left is not this run's business
        try:
            sample = once(program, job, flushes, line, watch)
            _verify(job, count)
        finally:
            if not disk:
                shutil.rmtree(job.folder)
        return sample
    return run


def _again(arena, make, count):
    """The same job again and again, done before it is measured."""
    jobs = {}

    def prepare(program, flushes, line):
        job = make(arena.folder())
        with line.short():
            for _ in range(2):
                once(program, job, flushes)
        _verify(job, count)
        jobs[program] = job

    def run(program, flushes, line):
        if program not in jobs:
            prepare(program, flushes, line)
        sample = once(program, jobs[program], flushes, line)
        _verify(jobs[program], count)
        return sample
    return run


def contest(arena, names, make, *, disk=False, flushes=None, line=None, again=False,
            count=0, watch=False, others=()):
    """Medians by name: postrider and NAMES at the job of COUNT messages that MAKE
    gives for a new folder, and OTHERS, (name, function that gives a Sample) pairs.
    Who fails has a Sample that says why."""
    run = _again(arena, make, count) if again else _fresh(arena, make, disk, count, watch)
    runners = {name: lambda p=p: run(p, flushes or arena.flushes, line)
               for name, p in [("postrider", programs.postrider)]
               + [(n, programs.PEERS[n]) for n in programs.installed(names)]}
    runners.update(others)
    samples, failed = {name: [] for name in runners}, {}
    for turn in range(ROUNDS):
        for name, runner in runners.items():
            if name in failed or turn >= rounds(*[s.wall for s in samples[name][:1]]):
                continue
            try:
                samples[name].append(runner())
            except measure.Failed as failure:
                if name == "postrider":
                    raise
                failed[name] = measure.Sample(failed=str(failure))
    return {name: failed.get(name) or measure.median(samples[name]) for name in runners}
