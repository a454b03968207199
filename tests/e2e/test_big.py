#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory does not grow with the message: 300 MB in 12 MB or less.

Measured is what the kernel itself notes as the most memory each postrider
process ever held resident (VmHWM), shared libraries and trust store included.
"""

import contextlib
import gzip
import hashlib
import os
import shutil

from harness import agent, dovecot, tap

SIZE = 300 * 1000 * 1000
LIMIT_KIB = 12 * 1024
CHUNK = 1 << 20
HEADER = b"From: a@example.org\nTo: b@example.org\nSubject: large\n\n"


def write_message(path):
    """Write SIZE bytes of lines, some of them with leading dots and `From `."""
    lines = [b"%08d %s\n" % (n, b"x" * (n % 80)) for n in range(18000)]
    lines += [b".\n", b"..\n", b"From here\n", b">From there\n"]
    block = b"".join(lines)
    with open(path, "wb") as file:
        file.write(HEADER)
        while file.tell() < SIZE:
            file.write(block)


def digest(file):
    """SHA-256 of an open file, read in pieces."""
    total = hashlib.sha256()
    for piece in iter(lambda: file.read(CHUNK), b""):
        total.update(piece)
    return total.hexdigest()


class World:
    """A Dovecot whose users all have the one large message."""

    def __init__(self, server):
        self.server = server
        server.add("maildir", [b""])
        (path,) = server.held("maildir")
        write_message(path)
        for user in ("mboxgz", "pipe"):
            server.add_like(user, "maildir")
        # Every line ends in LF, so the normal form of what is served is the file.
        with open(path, "rb") as file:
            self.wanted = digest(file)
        server.start()

    def fetch(self, user, make_deliver):
        """Fetch USER's message; every process must stay below the limit."""
        if agent.sanitized():
            raise tap.Skip("a sanitizer's memory is not the program's")
        one = agent.Agent()
        one.configure({"big": self.server.account(user, make_deliver(one), keep=False)})
        result = one.fetch_measured()
        tap.equal(result.status, 0, "exit status of\n%s\n" % result)
        tap.equal(self.server.totals(user, 1), (1, 1), "retrieved and deleted")
        tap.check(len(result.peak) >= 2, "fewer than two processes were seen", result.peak)
        tap.diag("%.1f s; peak resident KiB of each process: %s"
                 % (result.seconds, sorted(result.peak.values())))
        tap.check(max(result.peak.values()) <= LIMIT_KIB,
                  "a process held more than %d KiB" % LIMIT_KIB, result.peak)
        return one


@contextlib.contextmanager
def world():
    """One server for all cases."""
    if not os.path.exists("/proc/self/status"):
        raise tap.Skip("no /proc to read memory figures from")
    server = dovecot.Dovecot()
    try:
        yield World(server)
    finally:
        server.stop()


@tap.case("300 MB into a Maildir: at most 12 MB resident, byte for byte")
def maildir(env):
    one = env.fetch("maildir", lambda a: {"maildir": a.path("Mail")})
    (name,) = os.listdir(one.path("Mail/new"))
    with open(one.path("Mail/new/" + name), "rb") as file:
        tap.equal(digest(file), env.wanted, "SHA-256")
    shutil.rmtree(one.path("Mail"))


@tap.case("300 MB into a gzip mbox: at most 12 MB resident, byte for byte")
def mbox_gzip(env):
    one = env.fetch("mboxgz", lambda a: {"mbox": a.path("box.gz"), "compress": "gzip"})
    total = hashlib.sha256()
    with gzip.open(one.path("box.gz"), "rb") as file:
        tap.check(file.readline().startswith(b"From "), "no From_ line")
        line = file.readline()
        while line:
            after = file.readline()
            quoted = line.startswith(b">") and line.lstrip(b">").startswith(b"From ")
            if after or line != b"\n":
                total.update(line[1:] if quoted else line)
            line = after
    tap.equal(total.hexdigest(), env.wanted, "SHA-256")
    os.unlink(one.path("box.gz"))


@tap.case("300 MB into a pipe: at most 12 MB resident, byte for byte")
def pipe(env):
    def deliver(one):
        with open(one.path("mda"), "w") as file:
            file.write("#!/bin/sh\nexec sha256sum > '%s'\n" % one.path("sum"))
        os.chmod(one.path("mda"), 0o755)
        return {"pipe": [one.path("mda")]}
    one = env.fetch("pipe", deliver)
    with open(one.path("sum")) as file:
        tap.equal(file.read().split()[0], env.wanted, "SHA-256")


if __name__ == "__main__":
    tap.main(world)
