# SPDX-License-Identifier: GPL-3.0-or-later
"""A throw-away certificate authority, made with openssl(1)."""

import os
import subprocess

_EXTENSIONS = """\
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost
"""

_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


def _openssl(directory, *args):
    done = subprocess.run(["openssl"] + list(args), cwd=directory,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    if done.returncode:
        raise RuntimeError("openssl %s: %s" % (args[0], done.stdout.decode()))


def make(directory):
    """Write ca.pem, cert.pem and key.pem (for localhost) into DIRECTORY."""
    os.makedirs(directory, mode=0o755, exist_ok=True)
    with open(os.path.join(directory, "extensions"), "w") as file:
        file.write(_EXTENSIONS)
    _openssl(directory, "req", "-x509", *_KEY, "-keyout", "ca.key",
             "-out", "ca.pem", "-days", "2", "-subj", "/CN=postrider test CA",
             "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    _openssl(directory, "req", "-new", *_KEY, "-keyout", "key.pem",
             "-out", "request.pem", "-subj", "/CN=localhost")
    _openssl(directory, "x509", "-req", "-in", "request.pem", "-CA", "ca.pem",
             "-CAkey", "ca.key", "-CAcreateserial", "-out", "cert.pem",
             "-days", "2", "-extfile", "extensions")
    return [os.path.join(directory, name)
            for name in ("ca.pem", "cert.pem", "key.pem")]
