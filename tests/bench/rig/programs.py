# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs that are compared: how each is told to do the same thing.

Each leaves the messages on the server, remembers their UIDs, and verifies the
server's certificate; the rest is as the program has it by default.
"""

import os
import shutil

from harness import agent, yamlfile


class Job:
    """Fetch USERS' mail from loopback PORT into a Maildir (or what KIND says)
    below FOLDER, which is new and empty."""

    def __init__(self, server, port, users, folder, kind="maildir"):
        self.server, self.port, self.users = server, port, users
        self.folder, self.kind = folder, kind
        self.user = None        # who runs it; None: who runs this
        self.env = {}           # what it needs in its environment
        self.ca, self.password = server.ca, getattr(server, "password", server.PASSWORD)
        os.makedirs(folder)

    def path(self, name):
        """A path below the job's folder."""
        return os.path.join(self.folder, name)

    def write(self, name, text):
        """Write a configuration file; its path."""
        with open(self.path(name), "w") as file:
            file.write(text)
        os.chmod(self.path(name), 0o600)
        return self.path(name)

    def maildirs(self):
        """Make a Maildir for each user; (user, path) pairs."""
        for user in self.users:
            for sub in ("cur", "new", "tmp"):
                os.makedirs(self.path("%s/%s" % (user, sub)), exist_ok=True)
        return [(user, self.path(user)) for user in self.users]

    def give_away(self, user):
        """Let USER run the program and own all of its files."""
        self.user = user
        for folder, _subs, files in os.walk(self.folder):
            for path in [folder] + [os.path.join(folder, name) for name in files]:
                shutil.chown(path, user)

    def delivered(self):
        """How many messages have arrived."""
        total = 0
        for user in self.users:
            total += len(os.listdir(self.path(user) + "/new"))
            if os.path.exists(self.path(user) + ".mbox"):
                with open(self.path(user) + ".mbox", "rb") as file:
                    total += file.read().count(b"\nMessage-ID: <")
        return total


def postrider(job):
    """The program of this tree."""
    deliver = {"maildir": lambda p: {"maildir": p},
               "mbox": lambda p: {"mbox": p + ".mbox"},
               "gzip": lambda p: {"maildir": p, "compress": "gzip"}}[job.kind]
    accounts = {user: {"host": "localhost", "port": job.port, "ca_file": job.ca,
                       "user": user, "password": job.password, "keep": True,
                       "deliver": deliver(path)} for user, path in job.maildirs()}
    config = job.write("config.yaml", yamlfile.dump(
        {"state": job.path("state"), "parallel": 200, "per_host": 200,
         "accounts": accounts}))
    return [agent.binary(), "-q", "-c", config, "fetch"]


def mpop(job):
    """mpop with its own Maildir delivery."""
    text = ("defaults\nhost localhost\nport %d\ntls on\ntls_starttls off\n"
            "tls_trust_file %s\nkeep on\npassword %s\nuidls_file %s/uidls_%%U\n"
            % (job.port, job.ca, job.password, job.folder))
    for user, path in job.maildirs():
        text += "account %s\nuser %s\ndelivery maildir %s\n" % (user, user, path)
    return ["mpop", "-Q", "-C", job.write("mpoprc", text), "-a"]


def fdm(job):
    """fdm with its own Maildir delivery. Root's fdm fetches as another user, who
    must be able to write the cache. It trusts what OpenSSL trusts, and refuses
    messages over 32 MB unless told otherwise."""
    job.env["SSL_CERT_FILE"] = job.ca
    text = ('set verify-certificates\nset maximum-size 1G\nset lock-types flock\n'
            'set lock-file "%s"\n' % job.path("lock"))
    if os.getuid() == 0:
        text += 'set default-user "root"\n'
        os.chmod(job.folder, 0o777)
    for user, path in job.maildirs():
        text += ('action "%s" maildir "%s"\n'
                 'account "%s" pop3s server "localhost" port "%d" user "%s" pass "%s" '
                 'new-only cache "%s"\n'
                 'match account "%s" action "%s"\n'
                 % (user, path, user, job.port, user, job.password,
                    job.path("cache_" + user), user, user))
    return ["fdm", "-q", "-k", "-l", "-f", job.write("fdm.conf", text), "fetch"]


def fetchmail(job):
    """fetchmail with cat as its MDA: it has no delivery of its own."""
    text = "poll localhost protocol pop3 uidl service %d\n" % job.port + "".join(
        'user "%s" password "%s" ssl sslcertck sslcertfile "%s" keep mda "cat >> %s"\n'
        % (user, job.password, job.ca, path + ".mbox")
        for user, path in job.maildirs())
    return ["fetchmail", "-s", "-f", job.write("fetchmailrc", text), "--nosyslog",
            "--idfile", job.path("fetchids"), "--pidfile", job.path("fetchmail.pid")]


def getmail6(job):
    """getmail6 with its own Maildir delivery, which it refuses to root.
    6.18 forks for each message and only then looks out for the child's end; where
    the child is quicker it waits three minutes and gives up, within the first
    thousands of messages. So each child waits here until its parent does."""
    job.env["BENCH_HOLD_CHILDREN"] = "1"
    argv = ["getmail", "--getmaildir", job.folder]
    for user, path in job.maildirs():
        argv += ["--rcfile", job.write("rc_" + user, (
            "[retriever]\ntype = SimplePOP3SSLRetriever\nserver = localhost\n"
            "port = %d\nusername = %s\npassword = %s\nca_certs = %s\n"
            "[destination]\ntype = Maildir\npath = %s/\n"
            "[options]\nverbose = 0\nread_all = false\ndelete = false\n")
            % (job.port, user, job.password, job.ca, path))]
    if os.getuid() == 0:
        job.give_away("nobody")
    return argv


PEERS = {"mpop": mpop, "fdm": fdm, "fetchmail": fetchmail, "getmail6": getmail6}
BINARY = {"getmail6": "getmail"}
# 1 stands for "nothing new".
FINE = {"fetchmail": (0, 1)}


def installed(names):
    """Those of the peers NAMES that can be run here, and of $BENCH_PEERS."""
    wanted = os.environ.get("BENCH_PEERS", " ".join(PEERS)).split()
    return [name for name in names
            if name in wanted and shutil.which(BINARY.get(name, name))]
