# SPDX-License-Identifier: GPL-3.0-or-later
"""What is measured. Each scenario yields Rows for the table."""

import os
import subprocess
import time

from harness import popd

from . import contest, mail, measure, programs, server
from .table import Row, peers, walls

MESSAGES, AVERAGE = 10_000, 8_400
FEW = 1_000
ACCOUNTS, EACH = 200, 5
ALL = list(programs.PEERS)
LARGE, SMALL = 300_000_000, 1_000_000
SCENARIOS = {}


def scenario(function):
    """Register a scenario by its function's name."""
    SCENARIOS[function.__name__.replace("_", "-")] = function
    return function


class World:
    """The servers of all scenarios, each made when it is first needed."""

    def __init__(self, arena):
        self.arena = arena
        self.dovecot = None
        self.lines = []

    def server(self):
        """Dovecot with `big` (10,000 messages), `some` (1,000) and u0...u199."""
        if not self.dovecot:
            made = server.Server()
            made.add("big", mail.messages(MESSAGES, AVERAGE, 1))
            made.add("some", mail.messages(FEW, AVERAGE, 2))
            made.add("u0", mail.messages(EACH, 2000, 3))
            for number in range(1, ACCOUNTS):
                made.add_like("u%d" % number, "u0")
            self.dovecot = made.start()
            for user in ("big", "some"):
                server.pull(made, made.port, user)
        return self.dovecot

    def line(self, port, rtt):
        """A long line to PORT."""
        self.lines.append(server.Line(port, rtt))
        return self.lines[-1]

    def job(self, users, kind="maildir", line=None):
        """Makes jobs for USERS of the Dovecot."""
        made = self.server()
        return lambda folder: programs.Job(made, line.port if line else made.port, users,
                                           folder, kind)

    def puller(self, user, line=None):
        """Pulls and throws away; a Sample."""
        def pull():
            if line:
                line.clear()
            made = self.server()
            seconds, _size = server.pull(made, line.port if line else made.port, user)
            sample = measure.Sample(wall=seconds)
            if line:
                sample.wire, sample.bursts = line.passed()
            return sample
        return pull

    def stop(self):
        """End all servers."""
        for line in self.lines:
            line.stop()
        if self.dovecot:
            self.dovecot.stop()


@scenario
def tmpfs(world):
    """10,000 messages, 84 MB, into a Maildir in memory"""
    m = contest.contest(world.arena, ALL, world.job(["big"]), count=MESSAGES,
                        others=[("raw pull", world.puller("big"))])
    yield from walls(m, {"mpop": 0.9, "raw pull": 1.15})
    yield from peers(m, "CPU", "cpu", "s", targets={"mpop": 0.8})


def onto_disk(world, flushes, target):
    """The same onto a disk; TARGET is mpop's."""
    m = contest.contest(world.arena, ["mpop"] if flushes else ALL, world.job(["big"]),
                        disk=True, flushes=flushes, count=MESSAGES)
    yield from walls(m, {"mpop": target})
    yield Row("flushes a message", m["postrider"].flushes / MESSAGES, "", target=0.1)
    yield from peers(m, "flushes a message", "flushes", "", MESSAGES)


@scenario
def disk(world):
    """10,000 messages, 84 MB, into a Maildir on a disk"""
    yield from onto_disk(world, None, 0.7)


@scenario
def disk_flush5(world):
    """10,000 messages into a Maildir on a disk, each flush 5 ms longer"""
    yield from onto_disk(world, world.arena.slow_flushes, 1 / 8)


def pair(world, kind, name, runner, target):
    """postrider into KIND against something else, in turn."""
    m = contest.contest(world.arena, [], world.job(["big"], kind), disk=True,
                        count=MESSAGES, others=[(name, runner)])
    yield from walls(m, {name: target}, plot=False)
    yield Row("flushes a message", m["postrider"].flushes / MESSAGES, "")


@scenario
def mbox(world):
    """10,000 messages into an mbox on a disk"""
    def maildir():
        job = world.job(["big"])(world.arena.folder(True))
        os.sync()
        return contest.once(programs.postrider, job, world.arena.flushes)
    yield from pair(world, "mbox", "our Maildir", maildir, 1.3)


def write_plain(path):
    """The bytes of the maildrop as one file."""
    with open(path, "wb") as file:
        for message in mail.messages(MESSAGES, AVERAGE, 1):
            file.write(message)


@scenario
def gzip_maildir(world):
    """10,000 messages into a compressed Maildir on a disk"""
    plain = world.arena.folder(True)
    write_plain(plain)

    def squeeze():
        os.sync()
        begin = time.monotonic()
        subprocess.run("gzip -1 <%s >%s.gz && sync %s.gz" % (3 * (plain,)), shell=True,
                       check=True)
        return measure.Sample(wall=time.monotonic() - begin)
    yield from pair(world, "gzip", "gzip -1", squeeze, 1.3)


def long_line(world, rtt, names):
    """1,000 messages over a long line."""
    line = world.line(world.server().port, rtt)
    m = contest.contest(world.arena, names, world.job(["some"], line=line), line=line,
                        count=FEW,
                        others=[("raw pull", world.puller("some", line))])
    yield from walls(m, {"raw pull": 1.25})
    yield from peers(m, "bursts", "bursts", "")


@scenario
def rtt50(world):
    """1,000 messages at 50 ms a round trip"""
    yield from long_line(world, 50, ALL)


@scenario
def rtt200(world):
    """1,000 messages at 200 ms a round trip"""
    yield from long_line(world, 200, ["mpop"])


@scenario
def nothing_new(world):
    """nothing new among 1,000 messages at 50 ms a round trip"""
    line = world.line(world.server().port, 50)
    m = contest.contest(world.arena, ALL, world.job(["some"], line=line), line=line,
                        again=True, count=FEW)
    yield from walls(m, {})
    # The TCP handshake is one more; the last burst, TLS's goodbye, is answered
    # by nobody and waited for by nobody.
    yield Row("round trips", m["postrider"].bursts, "", target=5)
    yield from peers(m, "bursts", "bursts", "")
    yield from peers(m, "bytes on the wire", "wire", "")


@scenario
def kept100k(world):
    """nothing new among 100,000 messages that stay on the server"""
    with popd.Popd((), "--generate", "100000", "--generate-size", "100",
                   "--idle", "3600") as kept:
        line = world.line(kept.port, 50)

        def make(folder):
            job = programs.Job(Witness(kept), line.port, [kept.USER], folder)
            argv = programs.postrider(job)
            measure.run(argv + ["--baseline"], folder)
            return job
        m = contest.contest(world.arena, [], make, line=line,
                            again=True)["postrider"]
    yield Row("bytes on the wire", m.wire, "", target=8192)
    yield Row("wall time", m.wall, "s")
    yield Row("CPU", m.cpu, "s")


@scenario
def accounts200(world):
    """200 accounts with nothing new at 50 ms a round trip, all at once if possible"""
    line = world.line(world.server().port, 50)
    users = ["u%d" % n for n in range(ACCOUNTS)]
    make = world.job(users, line=line)
    m = contest.contest(world.arena, ALL, make, line=line, again=True,
                        count=ACCOUNTS * EACH)
    yield Row("wall time", m["postrider"].wall, "s", target=3.0)
    yield from walls(m, {})
    yield Row("CPU an empty poll", m["postrider"].cpu / ACCOUNTS * 1000, "ms", target=1.0)
    yield from peers(m, "CPU an empty poll", "cpu", "ms", ACCOUNTS / 1000)
    job = make(world.arena.folder())
    contest.once(programs.postrider, job, world.arena.flushes)
    sample = contest.once(programs.postrider, job, None, watch=True)
    yield Row("private memory of a worker", sample.private / 1024, "MB", target=1.5)


class Witness:
    """What a Job wants to know of a popd."""

    def __init__(self, popd_):
        self.ca, self.PASSWORD = popd_.ca, popd_.password


def uids_run(world, count):
    """(first, later) Samples of a maildrop with COUNT messages: the first run
    marks them as seen, later they are known."""
    uidl, sizes = world.arena.folder(), world.arena.folder()
    with open(uidl, "w") as file:
        file.write("+OK\r\n")
        file.writelines("%d %08x%08x%04x\r\n" % (n, n, 0x5f3c2d1b, n % 4099)
                        for n in range(1, count + 1))
        file.write(".\r\n")
    with open(sizes, "w") as file:
        file.write("+OK\r\n")
        file.writelines("%d %d\r\n" % (n, 1000 + n * 7919 % 50000)
                        for n in range(1, count + 1))
        file.write(".\r\n")
    with popd.Popd((), "--without", "top", "--do", "on UIDL reply-file " + uidl,
                   "--do", "on LIST reply-file " + sizes) as many:
        job = programs.Job(Witness(many), many.port, [many.USER], world.arena.folder())
        argv = programs.postrider(job)

        def run(*options, **more):
            # What is remembered of the maildrop would spare us the listing.
            if os.path.exists(job.path("state/%s/memory" % many.USER)):
                os.remove(job.path("state/%s/memory" % many.USER))
            return measure.run(argv + list(options), job.folder, **more)
        first = run("--baseline")
        later = measure.median([run() for _ in range(contest.ROUNDS)])
        later.peak = run(watch=True).peak
        os.remove(job.path("state/%s/ledger" % many.USER))
        first.peak = run("--baseline", watch=True).peak
    return first, later


@scenario
def uids(world):
    """nothing new among 100,000 and 1,000,000 messages: CPU and memory"""
    _first, less = uids_run(world, 100_000)
    first, more = uids_run(world, 1_000_000)
    yield Row("CPU, 1,000,000 against 100,000", more.cpu, "s", "100,000", less.cpu, 11)
    yield Row("CPU, 1,000,000", more.cpu, "s", target=3.0)
    yield Row("memory, 1,000,000", more.peak / 1024, "MB", target=110)
    yield Row("CPU, 1,000,000 marked as seen", first.cpu, "s", target=3.0)
    yield Row("memory, 1,000,000 marked as seen", first.peak / 1024, "MB", target=110)


@scenario
def big300(world):
    """one message of 300 MB: the memory that it takes"""
    made = server.Server()
    made.add("large", mail.messages(1, LARGE, 4))
    made.add("small", mail.messages(1, SMALL, 4))
    made.start()

    def maker(user):
        return lambda folder: programs.Job(made, made.port, [user], folder)
    try:
        m = contest.contest(world.arena, ALL, maker("large"), count=1, watch=True)
        small = contest.contest(world.arena, [], maker("small"), count=1, watch=True)
    finally:
        made.stop()
    ours, less = m["postrider"], small["postrider"]
    yield Row("peak memory, all processes", ours.peaks / 1024, "MB", target=16)
    yield Row("peak memory, all processes", ours.peaks / 1024, "MB", "a message of 1 MB:",
              less.peaks / 1024, 1.1)
    yield from peers(m, "peak memory, largest process", "peak", "MB", 1024, plot=True)
