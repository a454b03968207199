# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs in turn at the same work: A B A B, and the medians."""

import os
import shutil
import subprocess
import tempfile

from . import measure, programs

ROUNDS = int(os.environ.get("BENCH_RUNS", "5"))
# One run is enough for a program that takes so many times as long as the first.
HOPELESS = 4


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


def once(program, job, flushes, line=None, watch=False):
    """One run of PROGRAM (its argv made from JOB)."""
    if line:
        line.clear()
    argv = program(job)
    sample = measure.run(argv, job.folder, flushes, watch=watch, user=job.user,
                         accept=programs.FINE.get(program.__name__, (0,)))
    if line:
        sample.wire, sample.bursts = line.passed(len(job.users))
    return sample


def _fresh(arena, make, disk, count):
    def run(program, flushes, line):
        job = make(arena.folder(disk))
        if disk:
            os.sync()       # what others left is not this run's business
        sample = once(program, job, flushes, line)
        if count and program is not programs.fetchmail and job.kind != "mbox" \
                and job.delivered() != count:
            raise measure.Failed("%s delivered %d messages of %d: %s"
                                 % (program.__name__, job.delivered(), count,
                                    measure.output(job.folder)))
        if not disk:
            shutil.rmtree(job.folder)
        return sample
    return run


def _again(arena, make):
    """The same job again and again, done once before it is measured."""
    jobs = {}

    def run(program, flushes, line):
        if program not in jobs:
            jobs[program] = make(arena.folder())
            once(program, jobs[program], flushes, line)
            once(program, jobs[program], flushes, line)
        return once(program, jobs[program], flushes, line)
    return run


def contest(arena, names, make, *, disk=False, flushes=None, line=None, again=False,
            count=0, others=()):
    """Medians by name: postrider and NAMES at the job that MAKE gives for a new
    folder, and OTHERS, (name, function that gives a Sample) pairs."""
    run = _again(arena, make) if again else _fresh(arena, make, disk, count)
    runners = {name: lambda p=p: run(p, flushes or arena.flushes, line)
               for name, p in [("postrider", programs.postrider)]
               + [(n, programs.PEERS[n]) for n in programs.installed(names)]}
    runners.update(others)
    samples = {name: [] for name in runners}
    for _ in range(ROUNDS):
        for name in list(samples):
            if _hopeless(samples[name], samples["postrider"]):
                continue
            try:
                samples[name].append(runners[name]())
            except measure.Failed as failed:
                if name == "postrider":
                    raise
                print("  %s is left out: %s" % (name, str(failed).splitlines()[-1]))
                del samples[name]
    return {name: measure.median(list_) for name, list_ in samples.items()}


def _hopeless(theirs, ours):
    return bool(theirs) and theirs[0].wall > max(2, HOPELESS * ours[0].wall)
