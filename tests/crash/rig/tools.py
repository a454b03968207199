# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the programs are, and a scratch folder in memory."""

import atexit
import ctypes
import os
import re
import shutil
import signal
import subprocess
import tempfile

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TOP = os.path.dirname(os.path.dirname(HERE))
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36

_libc = ctypes.CDLL(None, use_errno=True)


class Missing(Exception):
    """Something that the tests need is not here."""


def die_with_parent():
    """Have the kernel end this process when the one that made it ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def adopt_orphans():
    """Become the parent of descendants whose parent has died."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def scratch():
    """A new folder, in memory where there is some; removed at the end."""
    base = next((d for d in (os.environ.get("CRASH_SCRATCH"), "/dev/shm")
                 if d and os.access(d, os.W_OK)), None)
    path = tempfile.mkdtemp(prefix="crash.", dir=base)
    owner = os.getpid()

    def remove():
        if os.getpid() == owner:
            shutil.rmtree(path, ignore_errors=True)
    atexit.register(remove)
    return path


def _find(variable, name):
    """A program of the build: $VARIABLE, else NAME in the build folder."""
    build = os.environ.get("builddir", os.getcwd())
    for path in (os.environ.get(variable), os.path.join(build, name),
                 os.path.join(TOP, "build", name)):
        if path and os.access(path, os.R_OK):
            return os.path.abspath(path)
    return None


def need(variable, name):
    """A program of the build, or Missing."""
    path = _find(variable, name)
    if not path:
        raise Missing("no %s (set %s)" % (name, variable))
    return path


def postrider(folder):
    """A copy of the program under test: the tree may be rebuilt meanwhile."""
    source = need("POSTRIDER", "postrider")
    with open(source, "rb") as file:
        if b"__asan_init" in file.read():
            raise Missing("a program with a sanitizer cannot be preloaded")
    return shutil.copy(source, folder)


def _compile(target, sources, *options):
    command = [os.environ.get("CC", "cc"), "-std=gnu11", "-O2", "-U_FORTIFY_SOURCE",
               "-I" + TOP, *options, "-o", target]
    done = subprocess.run(command + [os.path.join(HERE, s) for s in sources],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise Missing("%s: %s" % (target, done.stdout.decode(errors="replace")))
    return target


def shim(folder):
    """The shim: that of the build, or one made here."""
    return _find("CRASH_SHIM", "tests/crash/shim.so") or _compile(
        folder + "/shim.so", ["shim.c", "shim_calls.c", "shim_core.c", "shim_plant.c"],
        "-fPIC", "-shared", "-fvisibility=hidden")


def mda(folder):
    """The test's own MDA: that of the build, or one made here."""
    found = _find("CRASH_MDA", "tests/crash/mda")
    return found or _compile(folder + "/mda", ["mda.c"])


def planted(folder):
    """A copy of the program with old rules in it, or None."""
    found = _find("CRASH_PLANTED", "tests/crash/planted")
    return found and shutil.copy(found, folder + "/planted")


def procmail(folder):
    """A copy of procmail without its special rights, or None."""
    source = shutil.which("procmail", path=os.environ.get("PATH", "") + ":/usr/bin")
    return source and shutil.copyfile(source, folder + "/procmail") and (
        os.chmod(folder + "/procmail", 0o755) or folder + "/procmail")


def server(arguments):
    """Start a server that prints `listening ADDR PORT`; give it and its port."""
    process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, start_new_session=True,
                               preexec_fn=die_with_parent)
    line = process.stdout.readline().decode()
    found = re.match(r"listening \S+ (\d+)", line)
    if not found:
        process.kill()
        raise RuntimeError("%s: %r" % (" ".join(arguments), line))
    return process, int(found.group(1))


def popd(*options):
    """A POP3 server."""
    return server([need("POPD", "tests/server/popd"), "--lock-wait", "5000", *options])
