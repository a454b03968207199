# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificate authorities that sign anything, made with openssl(1)."""

import os
import ssl
import subprocess
import time

from . import procs

CONFIG = """\
[req]
distinguished_name = none
[none]
[ca]
default_ca = own
[own]
database = index
new_certs_dir = .
rand_serial = yes
unique_subject = no
policy = any
default_md = sha256
email_in_dn = yes
[any]
countryName = optional
organizationName = optional
commonName = optional
"""
CA = ("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign")
LEAF = ("basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature")
SERVER = "extendedKeyUsage=serverAuth"
DAY = 86400


def openssl(directory, *args):
    """Run openssl in DIRECTORY."""
    done = subprocess.run(["openssl", *args], cwd=directory, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise RuntimeError("openssl %s: %s" % (args[0], done.stdout.decode(errors="replace")))


def when(days):
    """A time DAYS from now, as openssl reads it."""
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + days * DAY))


def key(directory, name, kind="ec"):
    """A new private key in the file NAME."""
    how = (["EC", "-pkeyopt", "ec_paramgen_curve:P-256"] if kind == "ec"
           else ["RSA", "-pkeyopt", "rsa_keygen_bits:" + kind])
    openssl(directory, "genpkey", "-algorithm", *how, "-out", name)


class Cert:
    """A certificate: its file, that of its key, and those behind it in a chain."""

    def __init__(self, path, key_path, behind=()):
        self.path, self.key, self.behind = path, key_path, list(behind)

    def text(self):
        """Its PEM text."""
        with open(self.path) as file:
            return file.read()

    def bundle(self):
        """A file with its key and its chain, as servers read it."""
        with open(self.key) as file:
            parts = [file.read(), self.text(), *(cert.text() for cert in self.behind)]
        with open(self.path + ".bundle", "w") as file:
            file.writelines(parts)
        os.chmod(self.path + ".bundle", 0o600)
        return file.name

    def context(self):
        """For a server in Python, which takes any certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.load_cert_chain(self.bundle())
        return context


class Authority:
    """An authority with a root certificate of its own, or one from PARENT."""

    def __init__(self, name="a test authority", parent=None, extensions=CA, days=(-2, 300),
                 kind="ec"):
        self.root = procs.scratch()
        for file, text in (("config", CONFIG), ("index", "")):
            with open("%s/%s" % (self.root, file), "w") as out:
                out.write(text)
        self.count = 0
        key(self.root, "ca.key", kind)
        own = {"subject": "/CN=" + name, "extensions": extensions, "days": days,
               "key_path": self.root + "/ca.key"}
        if parent:
            self.cert = parent.issue(**own)
        else:
            self.cert = self.issue(**own, sign=("-selfsign",))
        self.chain = [self.cert, *parent.chain] if parent else []
        self.path = self.cert.path

    def issue(self, san="DNS:localhost", subject="/CN=localhost", extensions=(*LEAF, SERVER),
              days=(-2, 300), key_path=None, kind="ec", digest="sha256", sign=None):
        """A certificate; SAN None leaves the names out."""
        self.count += 1
        name = "%s/%d" % (self.root, self.count)
        if not key_path:
            key_path = name + ".key"
            key(self.root, key_path, kind)
        lines = list(extensions)
        if san and extensions[0] != CA[0]:
            lines.append("subjectAltName=" + san)
        with open(name + ".ext", "w") as file:
            file.writelines(line + "\n" for line in lines)
        openssl(self.root, "req", "-new", "-config", "config", "-key", key_path,
                "-subj", subject, "-out", name + ".csr", "-sha256")
        sign = sign or ("-cert", self.path)
        openssl(self.root, "ca", "-batch", "-notext", "-config", "config", "-keyfile", "ca.key",
                *sign, "-in", name + ".csr", "-out", name + ".pem", "-md", digest,
                "-startdate", when(days[0]), "-enddate", when(days[1]), "-extfile",
                name + ".ext")
        return Cert(name + ".pem", key_path, getattr(self, "chain", ()))

    def revoke(self, cert):
        """Take CERT back."""
        openssl(self.root, "ca", "-config", "config", "-keyfile", "ca.key", "-cert",
                self.path, "-revoke", cert.path)

    def staple(self, cert):
        """The file of an OCSP response on CERT, good for a day."""
        path = cert.path + ".ocsp"
        openssl(self.root, "ocsp", "-index", "index", "-rsigner", self.path, "-rkey", "ca.key",
                "-CA", self.path, "-issuer", self.path, "-cert", cert.path, "-respout", path,
                "-ndays", "1")
        return path
