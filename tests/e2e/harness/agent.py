# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the real postrider program and see all that it did.

An Agent is one user of postrider: a home, a configuration and a state folder
of its own. Every run is a process group of its own and has a time limit.
"""

import os
import pty
import shutil
import subprocess
import time
from dataclasses import dataclass, field

from . import procs, tap, yamlfile

# Everything else of the environment stays out, so that no setting of the
# person who runs the tests changes what they prove.
KEEP_ENV = ("PATH", "TMPDIR", "LD_LIBRARY_PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS",
            "LSAN_OPTIONS", "GCOV_PREFIX")


def binary():
    """The program under test: $POSTRIDER, else the one in this directory."""
    path = os.path.realpath(os.environ.get("POSTRIDER", "postrider"))
    if not os.access(path, os.X_OK):
        raise tap.Skip("no program to test at %s (set POSTRIDER)" % path)
    return path


def sanitized():
    """Whether it was built with a sanitizer, which makes memory figures void."""
    with open(binary(), "rb") as file:
        return b"__asan_init" in file.read()


@dataclass
class Result:
    """What one run left behind."""

    status: int
    out: str
    err: str
    seconds: float
    peak: dict = field(default_factory=dict)    # pid: most resident KiB

    def __str__(self):
        return ("exit status %d after %.2f s\nstandard output:\n%s"
                "standard error:\n%s" % (self.status, self.seconds,
                                         self.out[-3000:], self.err[-6000:]))


class Agent:
    """A postrider with a home, a configuration and a state of its own."""

    def __init__(self, accounts=None, env=None, uid=None, **top):
        self.program = binary()
        self.prefix = []            # the words of a command that runs the program
        self.meanwhile = None       # called again and again while it runs
        self.home = procs.scratch()
        self.state = self.home + "/state"
        self.config = self.home + "/config.yaml"
        self.uid, self.gid = uid, None
        if uid is not None:
            self._become_other_user()
        self.env = {k: os.environ[k] for k in KEEP_ENV if k in os.environ}
        self.env.update(HOME=self.home, LC_ALL="C", USER="tester",
                        LOGNAME="tester", SHELL="/bin/sh", **(env or {}))
        self.configure(accounts or {}, **top)

    def _become_other_user(self):
        """Give UID what it needs; the build folder may be closed to it."""
        copy = self.home + "/postrider"
        shutil.copy(self.program, copy)
        self.program = copy
        os.chown(self.home, self.uid, -1)

    def remove(self):
        """Remove all its files; a test of many agents would fill the disk."""
        procs.unscratch(self.home)

    def configure(self, accounts, **top):
        """Write the configuration: accounts by name, other keys beside them."""
        tree = {"state": self.state, **top, "accounts": accounts}
        self.write_config(yamlfile.dump(tree))

    def write_config(self, text, mode=0o600):
        """Write TEXT as the configuration file."""
        with open(self.config, "w") as file:
            file.write(text)
        os.chmod(self.config, mode)
        if self.uid is not None:
            os.chown(self.config, self.uid, -1)

    def path(self, name):
        """A path below the agent's home."""
        return os.path.join(self.home, name)

    def ledger(self, account):
        """The text of an account's ledger, empty if there is none."""
        try:
            with open("%s/%s/ledger" % (self.state, account), "rb") as file:
                return file.read().decode("latin-1")
        except FileNotFoundError:
            return ""

    def start(self, *args, stdin=subprocess.DEVNULL, streams=("out", "err")):
        """Start postrider with ARGS in a process group of its own."""
        out, err = (open(self.path(name), "wb") for name in streams)
        with out, err:
            return subprocess.Popen(
                [*self.prefix, self.program, "-c", self.config, *args], stdin=stdin, stdout=out,
                stderr=err, env=self.env, cwd=self.home, user=self.uid, group=self.gid,
                extra_groups=None if self.uid is None else [],
                start_new_session=True)

    def run(self, *args, stdin=None, watch=None, limit=600):
        """Run postrider with ARGS to its end and give the Result.

        WATCH is called for every living process of the run, again and again.
        """
        begin = time.monotonic()
        pipe = subprocess.DEVNULL if stdin is None else subprocess.PIPE
        process = self.start(*args, stdin=pipe)
        if stdin is not None:
            process.stdin.write(stdin.encode())
            process.stdin.close()
        self._follow(process, watch, begin + limit)
        return self.result(process, time.monotonic() - begin)

    def _follow(self, process, watch, end):
        """Wait for the end of PROCESS, and at END make it end."""
        while process.poll() is None:
            if self.meanwhile:
                self.meanwhile()
            if watch:
                for pid in [process.pid] + procs.descendants(process.pid):
                    watch(pid)
            elif _ended(process):
                break
            if time.monotonic() > end:
                self.abort(process)
                break

    def abort(self, process):
        """End a run that takes too long; its exit status will be -9."""
        family = procs.descendants(process.pid)
        procs.kill_group(process.pid)
        for pid in family:
            procs.kill(pid)
        process.wait()

    def result(self, process, seconds=0.0):
        """The Result of a run that has ended."""
        with open(self.path("out"), encoding="utf-8", errors="surrogateescape") as file:
            out = file.read()
        with open(self.path("err"), encoding="utf-8", errors="surrogateescape") as file:
            err = file.read()
        return Result(process.returncode, out, err, seconds)

    def fetch(self, *args, **how):
        """Run `postrider fetch`."""
        return self.run("fetch", *args, **how)

    def fetch_ok(self, *args, **how):
        """Run `postrider fetch`, which must succeed."""
        return self.expect(0, "fetch", *args, **how)

    def expect(self, status, *args, **how):
        """Run postrider with ARGS, which must exit with STATUS."""
        result = self.run(*args, **how)
        tap.check(result.status == status, "postrider %s: exit status %d, wanted %d"
                  % (" ".join(args), result.status, status), result)
        return result

    def at_terminal(self, command):
        """Run a shell COMMAND as a session leader on a terminal of its own, to
        its end; what was printed there."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.home)
            os.execve("/bin/sh", ["sh", "-c", command], self.env)
        seen = b""
        try:
            while True:
                piece = os.read(terminal, 4096)
                if not piece:
                    break
                seen += piece
        except OSError:
            pass            # the last one has closed it
        os.close(terminal)
        os.waitpid(pid, 0)
        return seen.decode()

    def fetch_measured(self, *args, **how):
        """Run `postrider fetch` and note the peak memory of each process."""
        peak = {}

        def watch(pid):
            kib = resident_peak(pid, self.program)
            if kib:
                peak[pid] = max(kib, peak.get(pid, 0))
        result = self.run("fetch", *args, watch=watch, **how)
        result.peak = peak
        return result


def _ended(process):
    """Wait a little for PROCESS to end."""
    try:
        process.wait(0.05)
        return True
    except subprocess.TimeoutExpired:
        return False


def resident_peak(pid, program):
    """The most KiB PID ever held resident, 0 unless it runs PROGRAM.

    The kernel keeps this figure (VmHWM) for the life of a process, so a look
    just before the end is enough. A worker hides most of /proc from others, but
    not its name.
    """
    status = dict(line.split(b":", 1) for line in procs.read(pid, "status").splitlines())
    name = os.path.basename(program)[:15].encode()
    if status.get(b"Name", b"").strip() != name or b"VmHWM" not in status:
        return 0
    return int(status[b"VmHWM"].split()[0])
