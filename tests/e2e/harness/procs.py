# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes and scratch directories: what a test starts, it also ends.

The test program makes itself the adopter of orphans, so even a worker whose
parent was killed, or a server's grandchild in its own session, stays a
descendant that can be seen, waited for and, at the end, ended.
"""

import atexit
import contextlib
import ctypes
import os
import shutil
import signal
import tempfile
import time

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

_scratch = []


def _prctl(option, value):
    try:
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)
    except (AttributeError, OSError):
        pass            # not Linux: only the tidiness after a crash is lost


def adopt_orphans():
    """Become the parent of every orphan below us."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent():
    """For preexec_fn: end this server should the test program be killed.

    Use it only for processes started by the main thread: the kernel sends the
    signal when the starting thread ends.
    """
    _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def parents():
    """Map every process id to (parent id, state)."""
    table = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open("/proc/%s/stat" % name, "rb") as stat:
                fields = stat.read().rpartition(b")")[2].split()
        except OSError:
            continue    # it ended while we looked
        table[int(name)] = (int(fields[1]), fields[0].decode())
    return table


def descendants(root, zombies=False):
    """The living processes below ROOT; also the dead ones if ZOMBIES."""
    table = parents()
    children = {}
    for pid, (parent, _state) in table.items():
        children.setdefault(parent, []).append(pid)
    found, todo = [], [root]
    while todo:
        for pid in children.get(todo.pop(), ()):
            todo.append(pid)
            if zombies or table[pid][1] not in "ZX":
                found.append(pid)
    return found


def read(pid, name):
    """The bytes of /proc/PID/NAME, empty once the process has gone."""
    try:
        with open("/proc/%d/%s" % (pid, name), "rb") as file:
            return file.read()
    except OSError:
        return b""


def program(pid):
    """The path of the program PID runs, empty when it has gone."""
    try:
        return os.readlink("/proc/%d/exe" % pid)
    except OSError:
        return ""


def kill(pid, number=signal.SIGKILL):
    """Send a signal to a process that may already have gone."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def kill_group(group, number=signal.SIGKILL):
    """Send a signal to a process group that may already have gone."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        pass


def wait_until(condition, seconds, what):
    """Poll CONDITION; give its first true value, or fail after SECONDS."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("waited %d s for %s" % (seconds, what))
        time.sleep(0.01)


def reap(pid):
    """Collect PID if it is an adopted child that has ended; say whether."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def scratch():
    """A new directory, passable by all, that is removed at the end."""
    path = tempfile.mkdtemp(prefix="pr-e2e-")
    os.chmod(path, 0o711)
    _scratch.append(path)
    return path


@contextlib.contextmanager
def scratch_file(data):
    """The path of a file with DATA (bytes), for a while."""
    root = scratch()
    with open(root + "/data", "wb") as file:
        file.write(data)
    yield file.name
    unscratch(root)


def unscratch(path):
    """Remove a scratch directory before the end."""
    _scratch.remove(path)
    shutil.rmtree(path, ignore_errors=True)


def clean_up():
    """End every process below us and remove every scratch directory."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        family = descendants(os.getpid())
        for pid in family:
            kill(pid)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass
        if not family:
            break
        time.sleep(0.01)
    while _scratch:
        shutil.rmtree(_scratch.pop(), ignore_errors=True)


atexit.register(clean_up)
