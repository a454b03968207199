# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Dovecot imapd over a pipe, already logged in, on files of our own.

No server process and no port: the imap program is started the way inetd
would, for one user and one folder of mail.
"""

import imaplib
import os
import pwd
import re
import shutil
import subprocess

from . import procs, tap

PLACES = ("/usr/lib/dovecot", "/usr/libexec/dovecot", "/usr/local/libexec/dovecot",
          "/usr/local/lib/dovecot")
COMMON = """
base_dir = {root}/run
log_path = {root}/log
ssl = no
first_valid_uid = 1
mail_fsync = never
mail_uid = {user}
mail_gid = {gid}
"""
OLD = COMMON + """
mail_location = {kind}:{old}
mbox_lock_timeout = 60s
"""
NEW = """dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
""" + COMMON + """
mail_driver = {kind}
{new}
"""


def program():
    """The imap program of Dovecot, and whether it is 2.4 or newer."""
    server = shutil.which("dovecot", path=os.environ.get("PATH", "") + ":/usr/sbin")
    for folder in PLACES:
        if server and os.access(folder + "/imap", os.X_OK):
            version = subprocess.run([server, "--version"], text=True,
                                     stdout=subprocess.PIPE).stdout
            return folder + "/imap", tuple(map(int, re.findall(r"\d+", version)[:2])) >= (2, 4)
    raise tap.Skip("Dovecot's imap program is not installed")


class Imap(imaplib.IMAP4_stream):
    """One session. KIND is maildir or mbox, INBOX its path; other mailboxes
    of an mbox user are files in the folder INBOX + ".more"."""

    def __init__(self, kind, inbox, uid):
        binary, new = program()
        me = pwd.getpwuid(os.getuid() if uid is None else uid)
        self._uid = uid
        self._home = procs.scratch()
        old = inbox if kind == "maildir" else "%s.more:INBOX=%s" % (inbox, inbox)
        fresh = ("mail_path = %s" % inbox if kind == "maildir" else
                 "mail_path = %s.more\nmail_inbox_path = %s" % (inbox, inbox))
        with open(self._home + "/conf", "w") as file:
            file.write((NEW if new else OLD).format(
                root=self._home, user=me.pw_name, gid=me.pw_gid, kind=kind, old=old, new=fresh))
        open(self._home + "/log", "w").close()
        for name in ("", "/log"):
            os.chown(self._home + name, me.pw_uid, me.pw_gid)
        self._words = [binary, "-c", self._home + "/conf"]
        self._env = {"PATH": os.environ["PATH"], "HOME": self._home, "USER": me.pw_name,
                     "LOGNAME": me.pw_name}
        self._gid = me.pw_gid
        super().__init__(" ".join(self._words))

    def open(self, host=None, port=None, timeout=None):
        """Start the program; called by imaplib."""
        self.process = subprocess.Popen(
            self._words, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, env=self._env, cwd=self._home, user=self._uid,
            group=None if self._uid is None else self._gid,
            extra_groups=None if self._uid is None else [], start_new_session=True)
        self.writefile = self.process.stdin
        self.readfile = open(self.process.stdout.fileno(), "rb", closefd=False)

    def must(self, answer):
        """The data of an ANSWER that must be OK."""
        status, data = answer
        tap.check(status == "OK", "Dovecot says %s %r\n%s" % (status, data, self.log()))
        return data

    def log(self):
        """What Dovecot logged."""
        with open(self._home + "/log", errors="replace") as file:
            return file.read()[-3000:]

    def listed(self):
        """UID: subject of every message in the selected mailbox."""
        self.must(self.noop())
        found = {}
        data = self.must(self.uid("FETCH", "1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])"))
        for part in data:
            if isinstance(part, tuple):
                number = int(re.search(rb"UID (\d+)", part[0]).group(1))
                found[number] = part[1].decode("latin-1").strip()
        return found

    def whole(self, uid):
        """The bytes of a message, LF at the ends of lines; None if it is gone."""
        data = self.must(self.uid("FETCH", str(uid), "(BODY.PEEK[])"))
        parts = [part[1] for part in data if isinstance(part, tuple)]
        return parts[0].replace(b"\r\n", b"\n") if parts else None
