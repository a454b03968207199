#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing secret leaves before the server has proved who it is.

The witnesses are the log of the project's own server, which gives a wrong
answer at a chosen place, and a relay that keeps what passes in clear. T-TLS
numbers name the attacks.
"""

import contextlib
import itertools
import re
import socket
import struct
import subprocess
import threading

from harness import agent, authority, procs, readers, relay, tap
from harness.scene import MESSAGES, QUICK, all_there, fetching, nothing_lost, told, world

PASSWORD = "Zx9-hunter2!Qw"

FAULTS = {          # what is wrong, and what would put it right
    "expired": (r"expired", r"renew|clock|date"),
    "not-yet": (r"not (valid )?yet", r"clock|date"),
    "wrong-host": (r"wrong-host\.invalid|not.*localhost|name", r"tls_name|host"),
    "self-signed": (r"self-signed|not trusted|unknown|issuer", r"ca_file|pin"),
    "unknown-ca": (r"not trusted|unknown|issuer|authority", r"ca_file|pin"),
}


@contextlib.contextmanager
def watched(*rules, tls="starttls", options=(), **account):
    """As fetching(), with a relay on the way that keeps all bytes."""
    with fetching(*rules, server_tls=tls, server_password=PASSWORD, options=options,
                  timeouts=QUICK) as (one, server), relay.Relay(server.port) as way:
        keys = server.account({"maildir": one.path("Mail")}, port=way.port, keep=False,
                              timeouts=QUICK, **account)
        one.configure({"box": keys})
        yield one, server, way


def nothing_sent(server, tls):
    """The server must have seen no command that could carry a secret."""
    verbs = {line.split(" ")[0].upper() for line in server.commands()}
    tap.check(not verbs & {"USER", "PASS", "AUTH", "APOP"}, "sent before trust", verbs)
    tap.check(tls == "starttls" or not verbs, "sent before trust", verbs)


def nothing_in_clear(way):
    """No form of a secret, nor a command that carries one, can be read on the way."""
    for passed in way.passed:
        up = bytes(passed.up)
        for form in relay.forms(PASSWORD):
            tap.check(form not in up, "a secret in clear", up)
        tap.check(not re.search(rb"^(USER|PASS|AUTH|APOP)", up, re.MULTILINE), "in clear", up)


@tap.case("a certificate not to be trusted: what is wrong, what would help, nothing sent")
def certificates(_env):
    def play(which):
        fault, tls = which
        with watched(options=["--cert-fault", fault], tls=tls) as (one, server, way):
            result = one.fetch()
            told(result, 76, "box", "certificate", *FAULTS[fault])
            nothing_sent(server, tls)
            nothing_in_clear(way)
            tap.equal(len(server.held()), len(MESSAGES), "messages on the server")
    tap.each(itertools.product(FAULTS, ("implicit", "starttls")), play)


def never_trusted(*whats):
    """Each of (words of the error, rules) must end before anything secret is sent."""
    def play(what):
        words, *rules = what
        with watched(*rules) as (one, server, way):
            result = one.fetch()
            tap.check(result.status in (75, 76), "exit status", result)
            told(result, result.status, words)
            nothing_sent(server, "starttls")
            nothing_in_clear(way)
            tap.equal(readers.maildir(one.path("Mail")), [], "delivered")
            tap.check("injected" not in result.out + result.err.split("said:")[0],
                      "bytes from before TLS were used", result)
    tap.each(whats, play)


# T-TLS-01 to 06: what is behind the +OK to STLS.
BEHIND = ("+OK injected\\r\\n", "+OK\\r\\nSASL PLAIN\\r\\nUSER\\r\\n.\\r\\n", "-ERR injected\\r\\n",
          "+OK half a line", "+", "+OK " + "injected" * 8192)


@tap.case("T-TLS-01..06: bytes behind the +OK to STLS, in the same segment or the next")
def injected(_env):
    with contextlib.ExitStack() as stack:
        whats = []
        for number, text in enumerate(BEHIND):
            words = "before the TLS handshake" if number < 5 else "before|more than|clear text"
            script = stack.enter_context(procs.scratch_file(
                b"+OK\r\n" + text.replace("\\r\\n", "\r\n").encode()))
            whats.append((words, "on STLS reply-file " + script))
            if number < 5:
                whats.append(("clear text|before the TLS", 'on TLS prepend "%s"' % text))
        never_trusted(*whats)


@tap.case("T-TLS-07..16: STLS not offered, refused, answered early or not with TLS")
def downgraded(_env):
    capa = 'on CAPA reply "+OK\\r\\nUSER\\r\\nSASL PLAIN\\r\\n.\\r\\n"'
    never_trusted(
        ("refused STLS", 'on CAPA err "what?"', 'on STLS err "no"'),
        ("does not offer STLS", capa, 'on STLS err "no"'),
        ("refused STLS", 'on STLS err "no"'),
        ("clear text", "on STLS ignore"),
        ("clear text|TLS", 'on TLS reply "+OK you are jane\\r\\n"'),
        ("answers no command", 'on GREETING append "+OK injected\\r\\n"'),
        ("answers no command|not POP3|before the TLS", 'on CAPA append "+OK injected\\r\\n"'),
        ("closed the connection", "on STLS close"),
        ("refused STLS", 'on STLS err "no" then-close'),
        ("more than", "on CAPA endless"),
        ("TLS|in time", "on STLS stall"),
        ("TLS|in time", "on TLS stall"),
        ("TLS|in time|closed|clear text", "on TLS garbage 500 3"),
    )


@tap.case("a server that does not list STLS, or will not list anything, is asked for it even so")
def unlisted(_env):
    def play(rule):
        with watched(rule) as (one, server, way):
            all_there(one, server)
            tap.equal(server.commands()[:2], ["CAPA", "STLS"], "first commands")
            nothing_in_clear(way)
    tap.each(('on CAPA 1 reply "+OK\\r\\nUSER\\r\\nSASL PLAIN\\r\\n.\\r\\n"',
              'on CAPA 1 reply "+OK\\r\\n.\\r\\n"', 'on CAPA err "what?"'), play)


@tap.case("T-TLS-17: a server that says we are logged in already: TLS comes first even so")
def logged_in_already(_env):
    for rule in ('on GREETING reply "+OK jane already authenticated\\r\\n"',
                 'on GREETING reply "+OK [AUTH] maildrop has 6 messages\\r\\n"'):
        with watched(rule) as (one, server, way):
            all_there(one, server)
            tap.equal(server.commands()[:2], ["CAPA", "STLS"], "first commands")
            nothing_in_clear(way)


@tap.case("T-TLS-18: a greeting that is none ends the session before any command")
def greetings(_env):
    def play(what):
        greeting, tls = what
        with watched('on GREETING reply "%s"' % greeting, tls=tls) as (one, server, way):
            result = one.fetch()
            tap.check(result.status in (75, 76), "exit status", result)
            tap.equal(server.commands(), [], "commands that were sent")
            nothing_in_clear(way)
    tap.each(itertools.product(("* OK [PREAUTH] hello\\r\\n", "* PREAUTH\\r\\n", "\\r\\n", "\\x00\\r\\n",
                                "220 smtp\\r\\n", "+OKAY\\r\\n", "-ERR busy\\r\\n"),
                               ("starttls", "implicit")), play)


@tap.case("T-TLS-19: capabilities from before TLS are forgotten")
def capabilities(_env):
    before = 'on CAPA 1 reply "+OK\\r\\nSASL PLAIN LOGIN\\r\\nPIPELINING\\r\\nSTLS\\r\\n.\\r\\n"'
    after = 'on CAPA 2+ reply "+OK\\r\\nUSER\\r\\nSASL EXTERNAL\\r\\nUIDL\\r\\n.\\r\\n"'
    with watched(before, after, options=["--strict-lockstep"]) as (one, server, way):
        all_there(one, server)
        verbs = {line.split(" ")[0] for line in server.commands()}
        tap.check("PASS" in verbs and "AUTH" not in verbs, "the login", server.commands())
        tap.check(not [e for e in server.log() if "violation" in e], "pipelined", server.log())
        nothing_in_clear(way)
    with watched(before, after, auth=["plain"]) as (one, server, way):
        told(one.fetch(), 78, "no login method in common")
        nothing_sent(server, "starttls")
        nothing_in_clear(way)


@tap.case("T-TLS-20: one connection is for one account, one login and one policy")
def no_reuse(_env):
    with fetching(options=["--with", "tickets"]) as (one, server):
        keys = {"box%d" % n: server.account({"maildir": one.path("Mail%d" % n)}, keep=True)
                for n in range(3)}
        keys["box2"].update(ca_file=None, pin="sha256:" + "A" * 43 + "=")
        one.configure(keys)
        told(one.fetch(), 76, "box2: .*none of those in pin")
        logins = [who for _when, who, text in server.events() if text.startswith("login ")]
        tap.equal(len(logins), 2, "logins")
        tap.equal(len(set(logins)), 2, "connections with a login")
        tap.equal(sum(" resumed " in text for text in server.log()), 0, "resumed")


# T-TLS-21: what a scanner would find a weak client to accept.
WEAK = ("NORMAL:-VERS-ALL:+VERS-TLS1.1", "NORMAL:-VERS-ALL:+VERS-TLS1.0",
        "NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+3DES-CBC",
        "NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+ARCFOUR-128",
        "NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+NULL:-MAC-ALL:+SHA1",
        "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+ANON-ECDH")


@tap.case("T-TLS-21: TLS 1.2 or later, nothing below 128 bits, nothing anonymous")
def weak(_env):
    def play(priority):
        with watched(options=["--priority", priority], tls="implicit") as (one, server, _way):
            told(one.fetch(), 76, "TLS")
            nothing_sent(server, "implicit")
    tap.each(WEAK, play)
    # A client that wants it so can have it: the server does offer it.
    with watched(options=["--priority", WEAK[2]], tls="implicit",
                 priority="NORMAL:+3DES-CBC") as (one, server, _way):
        all_there(one, server)
    with watched(options=["--priority", WEAK[0]], tls="implicit",
                 priority="NORMAL:-VERS-ALL:+VERS-TLS1.1:+VERS-TLS1.0") as (one, server, _way):
        told(one.fetch(), 76, "TLS")
        nothing_sent(server, "implicit")
    for version in ("1.2", "1.3"):
        only = "NORMAL:-VERS-ALL:+VERS-TLS" + version
        with watched(options=["--priority", only], tls="implicit") as (one, server, _way):
            tap.check("TLS" + version in one.expect(0, "probe", "box").out, "version")
            all_there(one, server)


@tap.case("a priority string that GnuTLS cannot use is told, and nothing crashes")
def no_priority(_env):
    def play(text):
        with watched(tls="implicit", priority=text) as (one, server, _way):
            told(one.fetch(), 78, "priority: GnuTLS does not understand .+")
            told(one.run("probe", "box"), 78, "priority: GnuTLS does not understand .+")
            nothing_sent(server, "implicit")
    tap.each(("FOO", "NONE", "NORMAL:-VERS-ALL"), play)


@tap.case("T-TLS-22..25: a TLS close in a reply, and what may follow it")
def closed(_env):
    def play(rule):
        with watched(rule, tls="implicit") as (one, server, way):
            result = one.fetch()
            tap.check(result.status in (75, 76), "exit status", result)
            nothing_lost(one, server)
            nothing_in_clear(way)
            all_there(one, server)
    hello = "\\x16\\x03\\x01\\x00\\x05\\x01\\x00\\x00\\x01\\x03"
    tap.each([rule % after for rule in ("on GREETING #1 cut 5 notify %s",
                                        "on RETR #2 cut 90 notify %s")
              for after in ("then-close", "then-reset", 'raw "+" then-close',
                            'raw "." then-reset', 'raw "%s" then-close' % hello)], play)


@tap.case("T-TLS-26: a storm of TLS 1.3 key updates, a renegotiation of TLS 1.2")
def rekeyed(_env):
    for count in (3, 2000):
        with watched("on RETR #2 key-update %d" % count, tls="implicit") as (one, server, _way):
            result = one.fetch()
            tap.check(result.status in ((0,) if count == 3 else (0, 75, 76)), "status", result)
            nothing_lost(one, server)
            all_there(one, server)
    with renegotiating_server() as (one, account):
        one.configure({"box": account})
        told(one.fetch(), 76, "new TLS handshake, which is not allowed")


@contextlib.contextmanager
def renegotiating_server():
    """openssl as a server that greets and then asks for a new handshake."""
    tap.need("openssl")
    ca = authority.Authority()
    cert = ca.issue()
    server = subprocess.Popen(
        ["openssl", "s_server", "-tls1_2", "-crlf", "-accept", "127.0.0.1:0", "-cert",
         cert.path, "-key", cert.key], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, preexec_fn=procs.die_with_parent)

    def serve():
        for line in server.stdout:
            if b"Shared Elliptic groups" in line or b"CIPHER is" in line:
                server.stdin.write(b"+OK ready\n")
                server.stdin.flush()
            if b"CAPA" in line:
                server.stdin.write(b"R\n")
                server.stdin.flush()
                return
    port = int(wait_for(server.stdout, b"ACCEPT").rpartition(b":")[2])
    threading.Thread(target=serve, daemon=True).start()
    one = agent.Agent()
    yield one, {"host": "localhost", "port": port, "ca_file": ca.path, "user": "u",
                "password": PASSWORD, "deliver": {"maildir": one.path("Mail")},
                "timeouts": QUICK}
    server.kill()
    server.wait()


def wait_for(stream, words):
    """The first line of STREAM that has WORDS."""
    for line in stream:
        if words in line:
            return line
    raise AssertionError("never said: %r" % words)


@tap.case("T-TLS-27: a server that chooses another protocol than POP3 (ALPN)")
def other_protocol(_env):
    # The first flight of TLS 1.2, up to where the client must have noticed.
    alpn = struct.pack("!HHHB", 16, 7, 5, 4) + b"imap"
    extensions = struct.pack("!HHB", 0xff01, 1, 0) + alpn
    hello = (b"\3\3" + bytes(range(32)) + b"\0" + b"\xc0\x2b" + b"\0"
             + struct.pack("!H", len(extensions)) + extensions)
    message = b"\2" + struct.pack("!I", len(hello))[1:] + hello
    record = b"\x16\3\3" + struct.pack("!H", len(message)) + message
    with answering(record) as (one, seen):
        told(one.fetch(), 76, "protocol other than POP3")
        tap.check(b"\4pop3" in seen[0], "pop3 was not asked for", seen)


@contextlib.contextmanager
def answering(answer, at_once=False, **account):
    """A server that gives one ANSWER, to the first bytes that come or AT ONCE."""
    seen = []

    def serve():
        with contextlib.suppress(OSError):
            client = listener.accept()[0]
            with client:
                if not at_once:
                    seen.append(client.recv(65536))
                client.sendall(answer)
                while data := client.recv(65536):
                    seen.append(data)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        one = agent.Agent()
        one.configure({"box": {
            "host": "127.0.0.1", "port": listener.getsockname()[1], "user": "jane",
            "password": PASSWORD, "deliver": {"maildir": one.path("Mail")}, "timeouts": QUICK,
            **account}})
        yield one, seen


@tap.case("clear text where TLS should be, and TLS where clear text should be, are told apart")
def mistaken(_env):
    for at_once in (True, False):
        with answering(b"+OK Dovecot ready.\r\n", at_once) as (one, _seen):
            told(one.fetch(), 76, "clear text", "tls: starttls", r"said: \+OK Dovecot ready")
    with watched(tls="none", accept_plaintext=None) as (one, server, way):
        keys = server.account({"maildir": one.path("Mail")}, port=way.port, tls="implicit")
        one.configure({"box": keys})
        told(one.fetch(), 76, "clear text", "tls: starttls")
        nothing_in_clear(way)
    for tls in ({"tls": "starttls"}, {"tls": "none", "accept_plaintext": True}):
        with answering(b"\x15\3\1\0\2\2\x0a", True, **tls) as (one, _seen):
            told(one.fetch(), 76, "TLS from the first byte", "tls: implicit")
        with watched(tls="implicit") as (one, server, way):
            keys = server.account({"maildir": one.path("Mail")}, port=way.port, timeouts={
                "greeting": "1s"}, **{"ca_file": server.ca, **tls})
            one.configure({"box": keys})
            told(one.fetch(), 75, "no greeting", "tls: implicit")
            nothing_in_clear(way)


@tap.case("T-TLS-28: an end without a TLS close: an error in a reply, none after QUIT")
def cut_off(_env):
    for rules in (("on RETR #2 cut 90",), ("on RETR #2 cut -2",),
                  ("on UIDL #1 cut 9", "on UIDL #2 cut 9")):
        with watched(*rules, tls="implicit") as (one, server, _way):
            told(one.fetch(), 75, "without a TLS close")
            nothing_lost(one, server)
            all_there(one, server)
    for rule in ("on QUIT then-close", "on QUIT then-reset", "on QUIT notify then-close"):
        with watched(rule, tls="implicit") as (one, server, _way):
            all_there(one, server)


@tap.case("starttls and plain connections fetch when they are asked for")
def other_tls(_env):
    for tls in ("starttls", "none"):
        with fetching(server_tls=tls) as (one, server):
            all_there(one, server)


if __name__ == "__main__":
    tap.main(world)
