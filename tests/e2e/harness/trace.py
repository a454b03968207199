# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of system calls of a run, as strace(1) saw it.

Connections without TLS let the trace show the commands that are sent, beside
the flushes that must have come before them.
"""

import os
import re
import subprocess

from . import tap

CALLS = ("write,writev,pwrite64,sendto,sendmsg,fsync,fdatasync,syncfs,rename,renameat,"
         "renameat2,link,linkat,ftruncate")
LINE = re.compile(r"(?P<pid>\d+) +(?:<\.\.\. (?P<resumed>\w+) resumed>|(?P<name>\w+)\()"
                  r"(?P<rest>.*)")
FIRST_PATH = re.compile(r"\d+<([^>]*)>")
FAILED = re.compile(r"= -1 E")


class Call:
    """One system call: its name, all its text, and the path of its first file."""

    def __init__(self, name, text):
        self.name, self.text = name, text
        path = FIRST_PATH.match(text)
        self.path = path.group(1) if path else ""
        self.failed = bool(FAILED.search(text))

    def __str__(self):
        return "%s(%s" % (self.name, self.text[:200])


def probe():
    """Skip where strace is missing or may not trace."""
    tap.need("strace")
    done = subprocess.run(["strace", "-f", "-y", "-o", os.devnull, "true"],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if done.returncode:
        raise tap.Skip("strace may not trace here")


def killer(call, number):
    """The words before a program that kill whichever of its processes comes to
    its NUMBERth CALL, before the call is carried out."""
    return ["strace", "-f", "-qq", "-o", os.devnull, "-e", "trace=" + call,
            "-e", "inject=%s:signal=SIGKILL:when=%d" % (call, number)]


def record(one, *args):
    """Run postrider with ARGS under strace; give the result and its calls."""
    probe()
    if os.getuid() != 0:
        raise tap.Skip("a worker guards its memory; only root's strace can read there")
    file = one.path("trace")
    one.prefix = ["strace", "-f", "-y", "-s", "4096", "-e", "trace=" + CALLS, "-o", file]
    result = one.run(*args)
    one.prefix = []
    with open(file, errors="replace") as lines:
        return result, list(calls(lines))


def calls(lines):
    """The calls in LINES: what is sent counts from its beginning, every other
    call from its end, for only then has it done what it is for."""
    pending = {}
    for line in lines:
        found = LINE.match(line)
        if not found:
            continue
        pid, rest = found["pid"], found["rest"]
        if found["resumed"]:
            if pid in pending:
                name, start = pending.pop(pid)
                yield Call(name, start + rest)
        elif rest.endswith("<unfinished ...>"):
            start = rest[:-len("<unfinished ...>")]
            if found["name"].startswith("send"):
                yield Call(found["name"], start)
            else:
                pending[pid] = (found["name"], start)
        else:
            yield Call(found["name"], rest)
