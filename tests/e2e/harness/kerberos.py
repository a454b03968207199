# SPDX-License-Identifier: GPL-3.0-or-later
"""A Kerberos realm of one user and one service, with MIT's key server."""

import os
import socket
import subprocess

from . import dovecot, procs, tap

CLIENT = """[libdefaults]
default_realm = TEST
dns_canonicalize_hostname = false
dns_lookup_kdc = false
rdns = false
[realms]
TEST = {{
  kdc = 127.0.0.1:{port}
}}
"""
SERVER = """[kdcdefaults]
kdc_listen = 127.0.0.1:{port}
kdc_tcp_listen = 127.0.0.1:{port}
[realms]
TEST = {{
  database_name = {root}/principal
  key_stash_file = {root}/stash
}}
"""


class Realm:
    """A key server that runs, a ticket of USER and the keys of SERVICE."""

    def __init__(self, user, service):
        tap.need("krb5kdc", "kadmin.local", "kdb5_util", "kinit")
        if not os.path.exists("/usr/lib/dovecot/modules/auth/libmech_gssapi.so"):
            raise tap.Skip("no GSSAPI for Dovecot is installed")
        self.root = procs.scratch()
        self.config, self.keytab = self.root + "/krb5.conf", self.root + "/keytab"
        self.env = {"KRB5_CONFIG": self.config, "KRB5CCNAME": "FILE:" + self.root + "/tickets"}
        self._own = {**os.environ, **self.env, "PATH": dovecot.PATH + ":/sbin",
                     "KRB5_KDC_PROFILE": self.root + "/kdc.conf"}
        self._configure()
        self._run("kdb5_util", "create", "-s", "-P", "master", "-r", "TEST")
        for words in ("addprinc -pw secret " + user, "addprinc -randkey " + service,
                      "ktadd -k %s %s" % (self.keytab, service)):
            self._run("kadmin.local", "-q", words)
        os.chmod(self.keytab, 0o644)
        self._start()
        self._run("kinit", user, text="secret\n")

    def _configure(self):
        """With a port that was free a moment ago."""
        self.port = dovecot.free_port()
        for path, text in ((self.config, CLIENT), (self.root + "/kdc.conf", SERVER)):
            with open(path, "w") as file:
                file.write(text.format(**vars(self)))

    def _start(self):
        """Start the key server, on another port if someone took ours."""
        for _ in range(5):
            self.process = subprocess.Popen(
                ["krb5kdc", "-n"], env=self._own, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
                preexec_fn=procs.die_with_parent)
            if procs.wait_until(self._answers_or_dead, 100, "the key server") == "ready":
                return
            self._configure()
        raise RuntimeError("the key server does not start")

    def _run(self, *args, text=""):
        done = subprocess.run(args, env=self._own, input=text.encode(),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode:
            raise RuntimeError("%s: %s" % (args, done.stdout.decode(errors="replace")))

    def _answers_or_dead(self):
        if self.process.poll() is not None:
            return "dead"
        with socket.socket() as sock:
            return "ready" if sock.connect_ex(("127.0.0.1", self.port)) == 0 else None

    def stop(self):
        """End the key server."""
        procs.kill_group(self.process.pid)
        self.process.wait()
