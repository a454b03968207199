#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Byte for byte: what a real Dovecot serves is what arrives, and only once.

One Dovecot serves the same thousand awkward messages to several users over
TLS; each user's account delivers them another way. The judge is an independent
client that reads every message from the same server.
"""

import contextlib
import os
import shutil

from harness import agent, corpus, dovecot, readers, tap, wire

COUNT = 1000
PROCMAILRC = """\
SHELL=/bin/sh
LOGFILE={log}
:0r
{maildir}/
"""


class World:
    """The server, what it serves, and one account per way of delivery."""

    def __init__(self, server):
        self.server = server
        self.users = ("maildir", "mbox", "maildirgz", "mboxgz", "procmail")
        server.add("maildir", corpus.generate(COUNT))
        for user in self.users[1:] + ("fresh", "witness"):
            server.add_like(user, "maildir")
        server.start()
        self.served = server.served("witness")
        self.wanted = wire.digests(self.served)
        self.agent = agent.Agent()
        self.first = None

    def accounts(self, keep):
        """All five ways of delivery."""
        path = self.agent.path
        ways = {
            "maildir": {"maildir": path("Mail")},
            "mbox": {"mbox": path("box")},
            "maildirgz": {"maildir": path("MailGz"), "compress": "gzip"},
            "mboxgz": {"mbox": path("box.gz"), "compress": "gzip"},
            "procmail": {"pipe": [shutil.which("procmail"), "-Y", "-f", "%{sender}", "-m",
                                  path("procmailrc")]},
        }
        return {user: self.server.account(user, ways[user], keep=keep) for user in self.users}

    def procmail_setup(self):
        """An rc file that has procmail deliver into a Maildir of its own."""
        os.makedirs(self.agent.path("Procmail/tmp"))
        for sub in ("new", "cur"):
            os.makedirs(self.agent.path("Procmail/" + sub))
        with open(self.agent.path("procmailrc"), "w") as file:
            file.write(PROCMAILRC.format(log=self.agent.path("procmail.log"),
                                         maildir=self.agent.path("Procmail")))

    def compare(self, messages, wanted=None):
        """The multiset of delivered messages must be the server's."""
        tap.equal(len(messages), COUNT, "messages delivered")
        got, wanted = wire.digests(messages), wanted or self.wanted
        wrong = [m for m in messages if wire.digest(m) not in wanted]
        tap.check(got == wanted, "%d messages differ from the server's, %d of the "
                  "server's are missing" % (sum((got - wanted).values()),
                                            sum((wanted - got).values())),
                  *[repr(m[:300]) for m in wrong[:3]])

    def server_saw(self, runs, deleted, again=0):
        """After RUNS fetches the server's log must show that it sent each
        message once (AGAIN of them twice), and deleted as many as DELETED says."""
        for user in self.users:
            retrieved, gone = self.server.totals(user, runs)
            tap.check(COUNT <= retrieved <= COUNT + again,
                      "%s: %d messages retrieved" % (user, retrieved))
            tap.equal(gone, deleted, user + ": messages deleted by the server")

    def compare(self, messages, wanted=None):
        """The multiset of delivered messages must be the server's."""
        tap.equal(len(messages), COUNT, "messages delivered")
        got, wanted = wire.digests(messages), wanted or self.wanted
        wrong = [m for m in messages if wire.digest(m) not in wanted]
        tap.check(got == wanted, "%d messages differ from the server's, %d of the "
                  "server's are missing" % (sum((got - wanted).values()),
                                            sum((wanted - got).values())),
                  *[repr(m[:300]) for m in wrong[:3]])


@contextlib.contextmanager
def world():
    """Serve and fetch everything once; the cases look at the outcome."""
    tap.need("procmail", "gunzip")
    server = dovecot.Dovecot()
    try:
        env = World(server)
        env.procmail_setup()
        env.agent.configure(env.accounts(keep=True))
        env.first = env.agent.fetch()
        yield env
    finally:
        server.stop()


@tap.case("a fetch of 5 accounts with 1,000 messages each over TLS succeeds")
def fetched(env):
    tap.check(env.first.status == 0, "fetch failed", env.first)
    tap.diag("%.1f s for %d messages" % (env.first.seconds, 5 * COUNT))
    env.server_saw(1, deleted=0)


@tap.case("Maildir: every message has the server's SHA-256")
def maildir(env):
    env.compare(readers.maildir(env.agent.path("Mail")))
    tap.equal(readers.litter(env.agent.path("Mail")), [], "files left in tmp/")


@tap.case("mbox: every message has the server's SHA-256")
def mbox(env):
    env.compare(readers.mbox(env.agent.path("box")))


@tap.case("Maildir with gzip: one member a message, the server's SHA-256")
def maildir_gzip(env):
    env.compare(readers.maildir_gzip(env.agent.path("MailGz")))


@tap.case("mbox with gzip: one member a message, the server's SHA-256")
def mbox_gzip(env):
    env.compare(readers.mbox_gzip(env.agent.path("box.gz")))
    tap.check(readers.gunzip_reads(env.agent.path("box.gz")), "gunzip -t refuses the file")


@tap.case("procmail: every message has the server's SHA-256")
def procmail(env):
    # procmail itself takes a leading `From ` line for the envelope, and drops it;
    # with -f also empty lines that a message begins with.
    wanted = wire.digests(wire.without_envelope(text).lstrip(b"\n") for text in env.served)
    env.compare(readers.maildir(env.agent.path("Procmail")), wanted)


@tap.case("Dovecot serves the gzip Maildir again, byte for byte")
def dovecot_reads_gzip(env):
    env.server.adopt("reader", env.agent.path("MailGz"))
    # A CR that stood before CRLF now stands before LF, where Dovecot takes the two
    # for one line end: the normal form of the normal form is what it can serve.
    env.compare(env.server.served("reader"), wire.digests(map(wire.normal, env.served)))


@tap.case("a second fetch retrieves nothing")
def second(env):
    env.agent.fetch_ok()
    env.server_saw(2, deleted=0)
    env.compare(readers.maildir(env.agent.path("Mail")))
    env.compare(readers.mbox(env.agent.path("box")))


@tap.case("keep: false then empties the maildrops and delivers nothing again")
def empties(env):
    env.agent.configure(env.accounts(keep=False))
    env.agent.fetch_ok()
    # A message without a header can only be told by its whole text.
    bare = sum(b"Message-ID:" not in message for message in env.served)
    env.server_saw(3, deleted=COUNT, again=bare)
    env.compare(readers.maildir(env.agent.path("Mail")))
    env.compare(readers.mbox(env.agent.path("box")))


@tap.case("keep: false from the start delivers once and empties the maildrop")
def fresh(env):
    one = agent.Agent()
    deliver = {"maildir": one.path("Mail")}
    one.configure({"fresh": env.server.account("fresh", deliver, keep=False)})
    one.fetch_ok()
    env.compare(readers.maildir(one.path("Mail")))
    with wire.Client(env.server.port, ca=env.server.ca) as client:
        tap.equal(client.login("fresh", env.server.PASSWORD).count(), 0, "messages on the server")
    one.fetch_ok()
    env.compare(readers.maildir(one.path("Mail")))


if __name__ == "__main__":
    tap.main(world)
