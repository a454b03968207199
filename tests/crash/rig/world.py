# SPDX-License-Identifier: GPL-3.0-or-later
"""One user of postrider: a maildrop, a home, and one run after another.

The paths of a world never change, so a state of it that was taken down (a
Snapshot) can be set up again at any time: ledgers name absolute paths.
"""

import os
import shutil
import signal
import stat
import time
from dataclasses import dataclass

from . import corpus, shimctl, tools

PATIENCE = float(os.environ.get("CRASH_PATIENCE", "150"))    # seconds; a longer run is stuck
# Accounts, and the users they are on the server.
ACCOUNTS = (("box", "jane"), ("second", "joan"))

_CONFIG = """\
state: %(home)s/state
accounts:
"""
_ACCOUNT = """\
  %(account)s:
    host: 127.0.0.1
    port: %(port)d
    %(security)s
    user: %(user)s
    password: secret
    keep: %(keep)s
    deliver: %(deliver)s
    %(more)s
"""
_PLAIN = "tls: none\n    accept_plaintext: true"


@dataclass
class Run:
    """What one run of the program came to."""

    status: int             # as waitpid gives it; -1: it was stuck
    errors: str
    seconds: float

    @property
    def stuck(self):
        """Whether it had to be ended."""
        return self.status == -1

    @property
    def code(self):
        """Its exit status, or None after a signal."""
        return os.WEXITSTATUS(self.status) if os.WIFEXITED(self.status) else None

    @property
    def signal(self):
        """The signal that ended it, or None."""
        if self.stuck or not os.WIFSIGNALED(self.status):
            return None
        return os.WTERMSIG(self.status)


class _Stuck(Exception):
    pass


def _alarm(_number, _frame):
    raise _Stuck


class World:
    """Folders, configuration and processes of one user."""

    def __init__(self, folder, port, programs, home=None):
        self.folder, self.port, self.programs = folder, port, programs
        self.home = home or folder + "/home"
        self.drops = [folder + "/" + user for _account, user in ACCOUNTS]
        self.accounts = 1
        self.source = folder + "/source"
        self.config = folder + "/config.yaml"
        self.error_file = folder + "/errors"
        for path in (self.home, *self.drops, self.source):
            os.makedirs(path, exist_ok=True)
        self.shim = shimctl.Shim(folder + "/control", programs["shim"])
        self.env = {"HOME": self.home, "PATH": os.environ.get("PATH", ""),
                    "LC_ALL": "C", "USER": "jane", "LOGNAME": "jane",
                    "SHELL": "/bin/sh"}
        self.texts, self.relay = {}, None
        self.mail = "mail"      # where the destination is
        self.program = "postrider"      # or another build of it
        self.inode = (0, 0)     # of the mbox, and what it was: shim_calls.c
        self.last = 0           # the inode of the mbox behind the last run
        self.second = 0         # what time it always is, if anything
        signal.signal(signal.SIGALRM, _alarm)
        tools.adopt_orphans()

    # ---- the files ----

    def path(self, name):
        """A path below the home."""
        return self.home + "/" + name

    def configure(self, scenario, keep=None, port=None, ca=None, more=""):
        """Write the configuration of a scenario; with CA, for TLS."""
        keep = scenario.keep if keep is None else keep
        keys = {
            "port": port or self.port, "more": more,
            "security": "tls: implicit\n    ca_file: " + ca if ca else _PLAIN,
            "keep": {True: "true", False: "false"}.get(keep, keep),
            "deliver": scenario.deliver(self)}
        text = _CONFIG % {"home": self.home} + "".join(
            _ACCOUNT % dict(keys, account=account, user=user)
            for account, user in ACCOUNTS[:scenario.accounts])
        with open(self.config, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(text)

    def clear(self):
        """An empty home and empty maildrops."""
        shutil.rmtree(self.home)
        os.mkdir(self.home, 0o700)
        self.serve({})

    def serve(self, texts):
        """Make the maildrops hold these messages, serial number to text, in
        turn if there are several accounts."""
        wanted = {self.drops[serial % self.accounts] + "/" + corpus.name(serial): serial
                  for serial in texts}
        for path in self.held_paths():
            if path not in wanted:
                os.unlink(path)
        for path, serial in wanted.items():
            self._link(path, texts[serial])

    def _link(self, path, text):
        source = "%s/%s.%d" % (self.source, os.path.basename(path), len(text))
        if source not in self.texts:
            with open(source, "wb") as file:
                file.write(text)
            self.texts[source] = text
        try:
            os.link(source, path)
        except FileExistsError:
            pass

    def held_paths(self):
        """The messages on the server."""
        return sorted(drop + "/" + name for drop in self.drops
                      for name in os.listdir(drop) if name[0] != ".")

    def held(self):
        """Their serial numbers."""
        return {int(os.path.basename(path)[1:]) for path in self.held_paths()}

    @property
    def pretends(self):
        """Whether every run needs the shim."""
        return bool(self.second or self.inode[0])

    def number(self):
        """The inode of the destination, as the program sees it."""
        try:
            number = os.stat(self.path(self.mail)).st_ino
        except FileNotFoundError:
            return 0
        return self.inode[1] if number == self.inode[0] else number

    def restore(self, snapshot, number=0):
        """Set up a home that was taken down; the destination has this NUMBER."""
        self.inode = (0, 0)
        shutil.rmtree(self.home)
        os.mkdir(self.home, 0o700)
        snapshot.put(self.home)
        if number and os.path.exists(self.path(self.mail)):
            self.inode = os.stat(self.path(self.mail)).st_ino, number

    # ---- the processes ----

    def run(self, shim=False, limit=PATIENCE, leave=False):
        """Run `postrider fetch` until all its processes have ended; or with
        LEAVE, until the first one has."""
        environment = dict(self.env)
        if self.pretends and not shim:
            self.shim.order(kinds=())
        if shim or self.pretends:
            environment.update(self.shim.environment())
        if self.second:
            environment["CRASH_SECOND"] = str(self.second)
        if self.inode[0]:
            environment["CRASH_INODE"] = "%d:%d" % self.inode
        begin = time.monotonic()
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        main = os.posix_spawn(
            self.programs[self.program],
            ["postrider", "-c", self.config, "fetch"], environment, setpgroup=0,
            file_actions=[(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                          (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0),
                          (os.POSIX_SPAWN_OPEN, 2, self.error_file, flags, 0o600)])
        status = self._wait(main, limit, leave)
        with open(self.error_file, encoding="utf-8", errors="replace") as file:
            return Run(status, file.read(), time.monotonic() - begin)

    def _wait(self, main, limit, leave):
        """Wait for the process MAIN and, unless LEAVE, all that it left behind."""
        # Beside a relay of ours there is only the group of the run.
        which = -main if self.relay else -1
        signal.setitimer(signal.ITIMER_REAL, limit)
        status = None
        try:
            while True:
                pid, one = os.waitpid(which, 0)
                if pid == main:
                    status = one
                    if leave:
                        signal.setitimer(signal.ITIMER_REAL, 0)
                        return status
        except ChildProcessError:
            signal.setitimer(signal.ITIMER_REAL, 0)
            return status
        except _Stuck:
            self.relay = None
            self._end_all()
            return -1

    @staticmethod
    def _end_all():
        """End every child; those that they leave behind become ours."""
        while True:
            with open("/proc/self/task/%d/children" % os.getpid(), "rb") as file:
                children = [int(pid) for pid in file.read().split()]
            if not children:
                return
            for pid in children:
                os.kill(pid, signal.SIGKILL)
            for pid in children:
                os.waitpid(pid, 0)

    def close(self):
        """Leave nothing behind."""
        self.shim.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Snapshot:
    """A home as it was at one moment."""

    def __init__(self, home):
        self.folders, self.files, self.links = [], [], []
        for folder, names, files in os.walk(home):
            inner = folder[len(home):]
            for name in names:
                self.folders.append((inner + "/" + name,
                                     stat.S_IMODE(os.stat(folder + "/" + name).st_mode)))
            for name in files:
                path = folder + "/" + name
                with open(path, "rb") as file:
                    self.files.append((inner + "/" + name,
                                       stat.S_IMODE(os.stat(path).st_mode), file.read()))

    def put(self, home):
        """Make it again in an empty folder."""
        for path, mode in self.folders:
            os.mkdir(home + path, mode)
        for path, mode, data in self.files:
            fd = os.open(home + path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            os.write(fd, data)
            os.close(fd)
