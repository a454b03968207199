#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mail programs read what was delivered: Dovecot, mutt, gunzip, Python.

The messages are ordinary ones; whether every odd byte is there is test_exact's
business. Here the question is whether others take the files for what they are.
"""

import contextlib
import mailbox
import os
import pty
import re
import select
import subprocess

from harness import agent, corpus, dovecot, popd, procs, readers, tap, wire

MESSAGES = corpus.simple(40, seed=3)
MUTTRC = """\
set mbox_type=Maildir folder={home} confirmcreate=no confirmappend=no
set quit=yes read_inc=0 wait_key=no move=no use_domain=no hostname=localhost
set tmpdir={home} charset=utf-8
open-hook '\\.gz$' "gunzip -c '%f' > '%t'"
"""


class World:
    """The same messages, delivered in four ways by one fetch."""

    def __init__(self, server):
        self.agent = one = agent.Agent()
        ways = {"Mail": {"maildir": one.path("Mail")},
                "MailGz": {"maildir": one.path("MailGz"), "compress": "gzip"},
                "box": {"mbox": one.path("box")},
                "box.gz": {"mbox": one.path("gz/box.gz"), "compress": "gzip"}}
        os.mkdir(one.path("gz"))
        one.configure({way: server.account(ways[way], keep=True) for way in ways},
                      parallel=1)
        one.fetch_ok()


@contextlib.contextmanager
def world():
    """Fetch once; each case has another program read."""
    with popd.Popd(MESSAGES) as server:
        yield World(server)


def mutt_copies(env, name):
    """Have mutt open NAME and copy all it sees into a new Maildir."""
    tap.need("mutt")
    home = procs.scratch()
    keys = ("<tag-pattern>~A<enter><tag-prefix><copy-message><kill-line>%s/copy<enter><exit>"
            % home)
    with open(home + "/muttrc", "w") as file:
        file.write(MUTTRC.format(home=home))
    terminal, other = pty.openpty()
    process = subprocess.Popen(
        ["mutt", "-n", "-F", home + "/muttrc", "-R", "-f", env.agent.path(name),
         "-e", "push " + keys], stdin=other, stdout=other, stderr=other, cwd=home,
        env=dict(os.environ, HOME=home, TERM="xterm", LC_ALL="C.UTF-8"),
        start_new_session=True)
    os.close(other)
    screen = drain(terminal)
    status = process.wait(60)
    tap.equal(status, 0, "mutt's exit status, its screen being\n%s\n" % screen)
    return readers.maildir(home + "/copy")


def drain(terminal):
    """Everything a program wrote to its terminal, until it is gone or
    silent for long (closing its terminal then ends it)."""
    screen = b""
    with contextlib.suppress(OSError):
        while select.select([terminal], [], [], 30)[0] and (data := os.read(terminal, 65536)):
            screen += data
    os.close(terminal)
    return screen[-2000:]


def subjects(messages):
    """The sorted Subject lines of MESSAGES."""
    return sorted(re.search(rb"^Subject: (.*)$", m, re.MULTILINE).group(1) for m in messages)


@tap.case("mutt reads the Maildir, the mbox and the gzip mbox")
def mutt(env):
    for name in ("Mail", "box", "gz/box.gz"):
        tap.equal(subjects(mutt_copies(env, name)), subjects(MESSAGES), "mutt read " + name)


@tap.case("Dovecot reads the mbox and the gzip mbox")
def dovecot_mbox(env):
    server = dovecot.Dovecot("mbox")
    try:
        server.adopt_mbox("plain", env.agent.path("box"))
        server.adopt_mbox("gz", env.agent.path("gz/box.gz"), "mail/box.gz")
        server.start()
        tap.equal(wire.digests(server.served("plain")), wire.digests(MESSAGES), "mbox")
        # Dovecot takes an mbox for gzip by the .gz of its name, so never as the inbox.
        found = server.doveadm("fetch", "-u", "gz", "hdr.subject", "mailbox", "box.gz", "all")
        found = [line.replace(b"hdr.subject=", b"") for line in found.splitlines()]
        tap.equal(sorted(found), subjects(MESSAGES), "subjects in the gzip mbox")
    finally:
        server.stop()


@tap.case("Dovecot reads the Maildir and the gzip Maildir")
def dovecot_maildir(env):
    server = dovecot.Dovecot()
    try:
        server.adopt("plain", env.agent.path("Mail"))
        server.adopt("gz", env.agent.path("MailGz"))
        server.start()
        for user in ("plain", "gz"):
            tap.equal(wire.digests(server.served(user)), wire.digests(MESSAGES), user)
    finally:
        server.stop()


@tap.case("gunzip reads every gzip file")
def gunzip(env):
    tap.check(readers.gunzip_reads(env.agent.path("gz/box.gz")), "gunzip -t refuses the mbox")
    folder = env.agent.path("MailGz/new")
    for name in os.listdir(folder):
        tap.check(readers.gunzip_reads(folder + "/" + name), "gunzip -t refuses " + name)


@tap.case("Python's mailbox module reads the Maildir and the mbox")
def python(env):
    folder = mailbox.Maildir(env.agent.path("Mail"), create=False)
    box = mailbox.mbox(env.agent.path("box"), create=False)
    for source in (folder, box):
        tap.equal(subjects(m.as_bytes() for m in source), subjects(MESSAGES), "subjects")
        source.close()


@tap.case("names and modes are what a Maildir reader expects")
def names(env):
    for folder in ("Mail", "MailGz"):
        for name in os.listdir(env.agent.path(folder + "/new")):
            tap.check(re.match(r"\d+\.[^/:]+\.[^/:]+\Z", name), "a strange name", name)
            mode = os.stat("%s/new/%s" % (env.agent.path(folder), name)).st_mode
            tap.equal(mode & 0o077, 0, "rights of others")


if __name__ == "__main__":
    tap.main(world)
