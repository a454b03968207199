#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates that prove nothing, of every kind: nothing is sent to their owner.

T-CERT numbers name the attacks; where one is a plain mistake of a server's
owner, the error must say what it is.
"""

import base64
import functools
import hashlib
import os
import re
import subprocess

from harness import agent, authority, corpus, popd, readers, tap, tinypop
from harness.scene import told, world

MESSAGES = corpus.simple(2)
HOST = "pop.example.test"


@functools.lru_cache(maxsize=None)
def ca():
    """The authority that the program is told to trust."""
    return authority.Authority("the trusted one")


@functools.lru_cache(maxsize=None)
def shared_key():
    """A key for certificates of which nothing but their text matters."""
    path = ca().root + "/shared.key"
    authority.key(ca().root, path)
    return path


def issue(san="DNS:" + HOST, signer=None, **how):
    """A certificate that is good unless HOW says otherwise."""
    if "kind" not in how:
        how.setdefault("key_path", shared_key())
    return (signer or ca()).issue(san=san, **how)


def pin_of(cert):
    """The pin of a certificate's key."""
    der = subprocess.run(["openssl", "pkey", "-in", cert.key, "-pubout", "-outform", "der"],
                         stdout=subprocess.PIPE, check=True).stdout
    return "sha256:" + base64.b64encode(hashlib.sha256(der).digest()).decode()


def fetch(cert, **account):
    """A fetch from a server with CERT; the result, the agent and the server."""
    one = agent.Agent()
    with tinypop.TinyPop(MESSAGES, cert.context()) as server:
        keys = {"tls": "implicit", "accept_plaintext": None, "tls_name": HOST,
                "ca_file": ca().path, "keep": False, "timeouts": {"tls": "100s"}, **account}
        one.configure({"box": server.account({"maildir": one.path("Mail")}, **keys)})
        return one.fetch(), one, server


def refused(cert, *words, **account):
    """CERT must be refused with WORDS, and its owner see no command."""
    result, one, server = fetch(cert, **account)
    told(result, 76, "box: ", *words)
    tap.equal(server.asked, [], "commands that were sent")
    tap.equal(readers.maildir(one.path("Mail")), [], "delivered")
    tap.check(all(" " <= c <= "~" for c in result.err.replace("\n", "")),
              "bytes that are not printable", result)
    return result


def accepted(cert, **account):
    """CERT must be good enough."""
    result, one, _server = fetch(cert, **account)
    tap.check(result.status == 0, "it was refused", result)
    tap.equal(len(readers.maildir(one.path("Mail"))), len(MESSAGES), "delivered")


@tap.case("T-CERT: out of its time, for another name, from nobody known")
def plain_faults(_env):
    expired = refused(issue(days=(-30, -1.5)), r"expired since \d{4}-\d\d-\d\d \(1 day ago\)")
    tap.check("pin: [%s]" % pin_of(authority.Cert("", shared_key())) in expired.err,
              "the line to add is not there", expired)
    refused(issue(days=(9, 30)), r"not valid yet: from \d{4}-\d\d-\d\d\.", "clock")
    refused(issue("DNS:a.test,DNS:b.test,IP:192.0.2.1"),
            r"is for a\.test, b\.test, 192\.0\.2\.1, not for pop\.example\.test",
            r"tls_name", r"pin: \[sha256:")
    refused(issue(signer=authority.Authority("a stranger")), 'signed by "CN=a stranger"',
            r"ca\.pem|1\.pem", "intermediate", r"pin: \[sha256:")
    own = authority.Authority("self", extensions=(*authority.LEAF, "subjectAltName=DNS:" + HOST))
    refused(own.cert, "self-signed", r"pin: \[sha256:")
    accepted(issue())


@tap.case("T-CERT: names, whole and in part, as text, number and wildcard")
def names(_env):
    def play(what):
        san, name, good = what
        cert = issue(san, subject="/CN=" + HOST)
        if good:
            accepted(cert, tls_name=name)
        else:
            refused(cert, "not for " + name.replace(".", r"\."), tls_name=name)
    nul = b"\x82" + bytes([len(HOST) + 6]) + HOST.encode() + b"\0.evil"
    tap.each((
        ("DNS:*.example.test", HOST, True),
        ("DNS:POP.Example.TEST", HOST, True),
        ("DNS:xn--bcher-kva.test", "xn--bcher-kva.test", True),
        ("IP:127.0.0.1", "127.0.0.1", True),
        ("DNS:other.example.test", HOST, False),     # although the CN fits
        ("DNS:*.test", HOST, False),
        ("DNS:*.example.test", "a.pop.example.test", False),
        ("DNS:*", HOST, False),
        ("DNS:*.test", "example.test", False),
        ("DNS:p*.example.test", HOST, False),
        ("DNS:pop.*.test", HOST, False),
        ("DNS:example.test", HOST, False),
        ("IP:127.0.0.1", "127.0.0.2", False),
        ("email:" + HOST, HOST + "x", False),
        ("DER:30" + bytes([len(nul)]).hex() + nul.hex(), HOST, False),
    ), play)


@tap.case("T-CERT: weak signatures, weak keys, certificates for other purposes")
def weak(_env):
    signer = authority.Authority("one with RSA", kind="2048")
    for digest in ("md5", "sha1"):
        refused(issue(digest=digest, signer=signer), "no longer secure", ca_file=signer.path)
    accepted(issue(signer=signer), ca_file=signer.path)
    refused(issue(kind="1024"), "no longer secure")
    refused(issue(extensions=(*authority.LEAF, "extendedKeyUsage=clientAuth")),
            "not meant for servers")
    accepted(issue(kind="2048"))


@tap.case("T-CERT: chains with an authority that is none, that expired, or may not sign this")
def chains(_env):
    no_ca = authority.Authority("no authority", parent=ca(), extensions=authority.LEAF)
    refused(issue(signer=no_ca), "signed by one that may not sign it|nothing in")
    old = authority.Authority("an old one", parent=ca(), days=(-30, -1.5))
    refused(issue(signer=old), r"expired since \d{4}", "an old one")
    narrow = authority.Authority("a narrow one", parent=ca(), extensions=(
        *authority.CA, "nameConstraints=critical,permitted;DNS:other.test"))
    refused(issue(signer=narrow), "signed by one that may not sign it|cannot be verified")
    between = authority.Authority("one between", parent=ca())
    accepted(issue(signer=between))
    lost = issue(signer=between)
    lost.behind = []
    refused(lost, 'signed by "CN=one between"', "leaves an intermediate out")


@tap.case("T-CERT: a chain of 50, a certificate of a megabyte: a clean error, quickly")
def huge(_env):
    chain = ca()
    for number in range(24):
        chain = authority.Authority("number %d" % number, parent=chain)
    long = issue(signer=chain)
    long.behind = (long.behind * 3)[:50]
    result = refused(long, "box")
    tap.check(result.seconds < 60, "it took long", result)
    big = issue(extensions=(*authority.LEAF, authority.SERVER,
                            "1.3.6.1.4.1.99999.1=ASN1:UTF8String:" + "x" * (1 << 20)))
    result = refused(big, "box")
    tap.check(result.seconds < 60, "it took long", result)


@tap.case("T-CERT-25: bytes of a certificate cannot move the cursor or forge a line")
def hostile_text(_env):
    subject = "/CN=\x1b[31mred\npostrider: forged\x80\xff"
    refused(issue(None, subject=subject), r"\\x1b\[31mred\\x0apostrider: forged")
    stranger = authority.Authority("\x1b]0;title\x07\r\nforged")
    refused(issue(signer=stranger), r"\\x1b|\\\\1B", r"forged")


@tap.case("T-CERT: an OCSP staple is honoured: revoked, demanded but missing, foreign")
def staples(_env):
    must = (*authority.LEAF, authority.SERVER, "tlsfeature=status_request")

    def play(cert, staple, *words):
        options = ["--cert-key", cert.bundle(), *(["--ocsp", staple] if staple else [])]
        one = agent.Agent()
        with popd.Popd(MESSAGES, *options) as server:
            one.configure({"box": server.account({"maildir": one.path("Mail")}, tls_name=HOST,
                                                 ca_file=ca().path)})
            if not words:
                one.fetch_ok()
                return
            told(one.fetch(), 76, *words)
            tap.equal(server.commands(), [], "commands that were sent")
    good = issue()
    play(good, ca().staple(good))
    demanding = issue(extensions=must)
    play(demanding, ca().staple(demanding))
    play(demanding, None, "demands a proof", "sends none")
    play(good, ca().staple(demanding), "proof .* but that is invalid")
    gone = issue()
    ca().revoke(gone)
    play(gone, ca().staple(gone), "has been revoked")
    forger = authority.Authority("a forger of staples")
    other = issue(signer=forger)
    play(good, forger.staple(other), "proof .* but that is invalid")


@tap.case("pins: instead of the chain, beside it, current and next")
def pins(_env):
    good, spare = issue(), "sha256:" + "A" * 43 + "="
    pin = pin_of(good)
    stranger = authority.Authority("an unknown signer of pinned keys")
    foreign = issue(signer=stranger, days=(-30, -3))
    accepted(foreign, pin=[spare, pin], ca_file=None)
    accepted(foreign, pin=pin, trust="pin")
    refused(issue(kind="2048"), "none of those in pin", pin=[spare, pin])
    refused(good, "none of those in pin", r"pin: \[%s\]" % pin.replace("+", r"\+"), pin=spare)
    accepted(good, pin=[spare, pin], trust="both")
    refused(good, "none of those in pin", pin=spare, trust="both")
    refused(foreign, "an unknown signer of pinned keys", "or trust: pin", pin=pin, trust="both")
    refused(issue("DNS:other.test"), "is for other.test", pin=pin, trust="both")


@tap.case("a warning from 14 days before the end of a certificate, once in a pass")
def warning(_env):
    for days, words in ((13.5, "13 days;"), (1.5, "1 day;"), (15, None)):
        result, _one, _server = fetch(issue(days=(-30, days)))
        tap.equal(result.status, 0, "exit status")
        said = re.findall("certificate expires in (.*?;)", result.err)
        tap.equal(said, [words] if words else [], "warnings")


def client_account(one, server, **keys):
    """An account at SERVER, which demands a certificate."""
    one.configure({"box": server.account({"maildir": one.path("Mail")}, **keys)})


def client_cert():
    """A certificate for a client, with a key that nobody else can read."""
    mine = issue(extensions=(*authority.LEAF, "extendedKeyUsage=clientAuth"),
                 subject="/CN=jane", san=None, kind="2048")
    os.chmod(mine.key, 0o600)
    return mine


@tap.case("client_cert: shown to a server that asks, from one file or two")
def client_cert_files(_env):
    mine = client_cert()
    with popd.Popd(MESSAGES, "--client-ca", ca().path) as server:
        one = agent.Agent()
        client_account(one, server)
        result = one.fetch()
        tap.check(result.status in (75, 76), "without a certificate", result)
        client_account(one, server, client_cert=mine.path, client_key=mine.key)
        one.fetch_ok()
        client_account(one, server, client_cert=mine.bundle())
        one.fetch_ok()
        os.chmod(mine.key, 0o640)
        client_account(one, server, client_cert=mine.path, client_key=mine.key)
        told(one.fetch(), 78, "client_key: others can read .* chmod 600 ")
        os.chmod(mine.key, 0o600)
        client_account(one, server, client_cert=mine.path, client_key=ca().root + "/config")
        os.chmod(ca().root + "/config", 0o600)
        told(one.fetch(), 78, "client_cert .*, client_key ")


@tap.case("client_cert: the same from a PKCS#11 token")
def client_cert_token(_env):
    tap.need("softhsm2-util", "p11tool")
    with popd.Popd(MESSAGES, "--client-ca", ca().path) as server:
        one = agent.Agent()
        token = make_token(one, client_cert())
        client_account(one, server, client_cert=token + ";type=cert",
                       client_key=token + ";type=private")
        one.fetch_ok()
        client_account(one, server, client_cert=token + ";type=cert",
                       client_key=token.replace("jane", "none") + ";type=private")
        result = one.fetch()
        told(result, 78, "client_cert pkcs11:")
        tap.check("1234" not in result.err, "the PIN is shown", result)


def make_token(one, cert):
    """The URI of a token with CERT and its key."""
    os.makedirs(one.path("tokens"), exist_ok=True)
    with open(one.path("softhsm2.conf"), "w") as file:
        file.write("directories.tokendir = %s\nobjectstore.backend = file\n"
                   % one.path("tokens"))
    one.env["SOFTHSM2_CONF"] = one.path("softhsm2.conf")

    def do(*argv):
        done = subprocess.run(argv, env=one.env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            raise tap.Skip("no token: " + done.stdout.strip().splitlines()[-1])
    do("softhsm2-util", "--init-token", "--free", "--label", "box", "--pin", "1234",
       "--so-pin", "5678")
    do("softhsm2-util", "--import", cert.key, "--token", "box", "--label", "jane", "--id",
       "01", "--pin", "1234")
    do("p11tool", "--batch", "--login", "--set-pin", "1234", "--write", "--load-certificate",
       cert.path, "--label", "jane", "--id", "01", "pkcs11:token=box")
    return "pkcs11:token=box;object=jane;pin-value=1234"


if __name__ == "__main__":
    tap.need("openssl")
    tap.main(world)
