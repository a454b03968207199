# SPDX-License-Identifier: GPL-3.0-or-later
"""A private Dovecot POP3 server that knows nothing of the system's own.

It runs in the foreground from a directory of its own, on loopback ports it
finds itself, as root or as an ordinary user, and speaks POP3S and POP3.
"""

import grp
import os
import pwd
import re
import shutil
import socket
import subprocess
from functools import partial

from . import certs, dovecot_conf, procs, tap, wire

PATH = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
SUBS = ("tmp", "cur", "new")
LOGOUT = re.compile(r"pop3\((?P<user>[^)]*)\).*retr=(?P<retr>\d+)/\d+, del=(?P<gone>\d+)/")


def version():
    """The version that is installed: its first two numbers."""
    text = subprocess.run([shutil.which("dovecot", path=PATH), "--version"], text=True,
                          stdout=subprocess.PIPE).stdout
    return tuple(map(int, re.findall(r"\d+", text)[:2]))


def free_port():
    """A loopback port that was free a moment ago."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Dovecot:
    """One server. Fill the maildrops, start it, and stop it in the end."""

    PASSWORD = "secret"

    def __init__(self, driver="maildir"):
        """DRIVER says where mail is: in ~/Maildir, or as mbox in ~/inbox."""
        tap.need("dovecot", "openssl")
        self.binary = shutil.which("dovecot", path=PATH)
        self.root = procs.scratch()
        self.ca, self.cert, self.key = certs.make(self.root + "/tls")
        self.process = None
        self.users = set()
        self.driver = driver
        self.mechanisms = "plain"
        self.tokens = None          # a tokens.Tokens, for XOAUTH2 and OAUTHBEARER
        self.more = ""              # settings in the language before 2.4
        self.logins = 2             # processes that take connections
        self._identities()

    def _identities(self):
        """As root, mail belongs to nobody: Dovecot refuses to serve as root."""
        me = pwd.getpwuid(os.getuid())
        mail = pwd.getpwnam("nobody") if me.pw_uid == 0 else me
        own = me.pw_uid != 0
        self.uid, self.gid = mail.pw_uid, mail.pw_gid
        self.internal = me.pw_name if own else "dovecot"
        self.login = me.pw_name if own else "dovenull"
        group = pwd.getpwnam(self.internal).pw_gid
        self.internal_group = grp.getgrgid(group).gr_name

    def add(self, user, messages):
        """Give USER a maildrop with MESSAGES, in this order."""
        new = self._mailbox(user)
        for number, message in enumerate(messages):
            path = "%s/%d.M%06dP1.localhost" % (new, 1_000_000_000 + number, number)
            with open(path, "wb") as file:
                file.write(message)
            os.chown(path, self.uid, self.gid)

    def add_like(self, user, other):
        """Give USER the same maildrop as OTHER (before either logs in)."""
        new = self._mailbox(user)
        old = "%s/home/%s/Maildir/new" % (self.root, other)
        for name in os.listdir(old):
            os.link(old + "/" + name, new + "/" + name)

    def adopt(self, user, maildir):
        """Serve a copy of MAILDIR, which some program delivered, to USER."""
        new = self._mailbox(user)
        for name in os.listdir(maildir + "/new"):
            shutil.copy(maildir + "/new/" + name, new + "/" + name)
            os.chown(new + "/" + name, self.uid, self.gid)

    def adopt_mbox(self, user, mbox, name="inbox"):
        """Serve a copy of the file MBOX to USER; needs the driver mbox."""
        self._mailbox(user)
        path = "%s/home/%s/%s" % (self.root, user, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        shutil.copy(mbox, path)
        for owned in (path, os.path.dirname(path)):
            os.chown(owned, self.uid, self.gid)

    def doveadm(self, *args):
        """What `doveadm ARGS` prints, one NAME=VALUE line a result."""
        command = [shutil.which("doveadm", path=PATH), "-c", self.root + "/dovecot.conf",
                   "-f", "flow", *args]
        return subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout

    def register(self, users):
        """Let USERS log in, each with PASSWORD; one who has no mail may."""
        self.users.update(users)
        with open(self.root + "/passwd.new", "w") as file:
            file.writelines("%s:{PLAIN}%s\n" % (user, self.PASSWORD)
                            for user in sorted(self.users))
        os.chmod(self.root + "/passwd.new", 0o644)
        os.rename(self.root + "/passwd.new", self.root + "/passwd")

    def folder(self, user, sub):
        """A folder of the Maildir that USER is served from."""
        return "%s/home/%s/Maildir/%s" % (self.root, user, sub)

    def _mailbox(self, user):
        if user not in self.users:
            self.register([user])
        return self.own(user)

    def own(self, user):
        """Make the folders of USER; give the one that new mail is put into."""
        home = "%s/home/%s" % (self.root, user)
        for path in (home, home + "/Maildir", *map(partial(self.folder, user), SUBS)):
            os.makedirs(path, exist_ok=True)
            os.chown(path, self.uid, self.gid)
        return self.folder(user, "new")

    def held(self, user):
        """The paths of the messages the server still has for USER."""
        return [entry.path for sub in ("new", "cur")
                for entry in os.scandir(self.folder(user, sub))]

    def account(self, user, deliver, **more):
        """An account that fetches USER's mail; MORE overrides its keys."""
        keys = {"host": "localhost", "port": self.port, "tls": "implicit",
                "ca_file": self.ca, "user": user, "password": self.PASSWORD,
                "deliver": deliver}
        keys.update(more)
        return keys

    def served(self, user):
        """What USER is served, read by the independent client."""
        return wire.served(user, self.PASSWORD, port=self.port, ca=self.ca)

    def _configure(self):
        new = version() >= (2, 4)
        self.plain_port, self.port = free_port(), free_port()
        if new and self.more:
            raise tap.Skip("this is not written for Dovecot 2.4")
        extras = self.more
        if self.tokens:
            extras += (dovecot_conf.NEW_OAUTH2 if new else dovecot_conf.OLD_OAUTH2).format(
                root=self.root, url=self.tokens.url)
            with open(self.root + "/oauth2.conf", "w") as file:
                file.write(dovecot_conf.OAUTH2.format(url=self.tokens.url))
        text = (dovecot_conf.NEW if new else dovecot_conf.OLD).format(
            **vars(self), plugins="mail_compress" if new else "zlib", extras=extras,
            tls_port=self.port, **dovecot_conf.LOCATIONS[self.driver])
        for sub in ("run", "state"):
            os.makedirs("%s/%s" % (self.root, sub), mode=0o755, exist_ok=True)
        with open(self.root + "/dovecot.conf", "w") as file:
            file.write(text)

    def start(self):
        """Start, on other ports if someone took ours, and wait until it talks."""
        for _ in range(5):
            self._configure()
            self.process = subprocess.Popen(
                [self.binary, "-F", "-c", self.root + "/dovecot.conf"],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=open(self.root + "/errors", "w"),
                start_new_session=True, preexec_fn=procs.die_with_parent)
            if procs.wait_until(self._ready_or_dead, 100, "Dovecot") == "ready":
                return self
        raise RuntimeError("Dovecot does not start:\n" + self.errors())

    def _ready_or_dead(self):
        if self.process.poll() is not None:
            return "dead"
        try:
            with socket.create_connection(("127.0.0.1", self.plain_port), 100) as sock:
                return "ready" if sock.recv(3) == b"+OK" else None
        except OSError:
            return None

    def stop(self):
        """End the server and every process it started."""
        if self.process and self.process.poll() is None:
            family = procs.descendants(self.process.pid)
            self.process.terminate()
            self.process.wait(100)
            for pid in family:
                procs.kill(pid)

    def errors(self):
        """What it printed and logged, for a diagnostic."""
        parts = []
        for name in ("errors", "log"):
            if os.path.exists(self.root + "/" + name):
                with open(self.root + "/" + name, errors="replace") as file:
                    parts.append(file.read()[-4000:])
        return "\n".join(parts)

    def sessions(self, user):
        """(retrieved, deleted) of every session of USER that has ended."""
        with open(self.root + "/log", errors="replace") as file:
            hits = map(LOGOUT.search, file)
            return [(int(h["retr"]), int(h["gone"]))
                    for h in hits if h and h["user"] == user]

    def totals(self, user, runs):
        """(retrieved, deleted) over all sessions of USER, of which there must
        be RUNS or more; the log may come a moment after a session's end."""
        procs.wait_until(lambda: len(self.sessions(user)) >= runs, 100,
                         "session %d of %s in Dovecot's log" % (runs, user))
        retrieved, deleted = zip(*self.sessions(user))
        return sum(retrieved), sum(deleted)
