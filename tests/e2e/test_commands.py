#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands beside fetch: check, probe, talk, --help and --version."""

import base64
import re
import subprocess

from harness import agent, corpus, readers, tap, wire
from harness.scene import MESSAGES, fetching, told, world

COMMANDS = ("fetch", "check", "probe", "talk", "status", "poll", "pause", "resume", "reload",
            "stop")


def dialogue(text, side):
    """What SIDE, C or S, said, according to the output of talk."""
    return re.findall(r"^ %s: (.*)$" % side, text, re.MULTILINE)


@tap.case("--help and --version, with and without a configuration")
def helps(_env):
    one = agent.Agent()
    version = subprocess.run([one.program, "--version"], text=True, env=one.env,
                             stdout=subprocess.PIPE)
    tap.equal(version.returncode, 0, "exit status of --version")
    tap.check(re.match(r"postrider \d+\.\d+", version.stdout), "--version", version.stdout)
    plain = subprocess.run([one.program, "--help"], text=True, env=one.env,
                           stdout=subprocess.PIPE)
    tap.equal(plain.returncode, 0, "exit status of --help")
    for command in COMMANDS:
        tap.check(command in plain.stdout, "--help does not name " + command, plain.stdout)
        text = one.expect(0, command, "--help").out
        tap.check(command in text and len(text.splitlines()) > 2, command + " --help", text)


@tap.case("wrong usage: exit status 64 and the way to the help")
def usage(_env):
    one = agent.Agent()
    for args in ((), ("fetsh",), ("fetch", "--no-such-option"), ("probe",), ("talk",)):
        result = one.run(*args)
        tap.equal(result.status, 64, "exit status of %s\n%s" % (args, result))
        tap.check(result.err.strip() and not result.out, "said on the wrong side", result)
    tap.check("fetch" in one.run("fetsh").err, "the nearest command is not named")
    one.configure({"box": {"host": "localhost", "user": "jane", "password": "secret",
                           "deliver": {"maildir": one.path("Mail")}}})
    for args, word in ((("fetch", "--json"), "--json"), (("check", "--control", "x"), "--control")):
        told(one.run(*args), 64, "%s does not take %s" % (args[0], word))


@tap.case("output that cannot be written: exit status 74, and the mail is here all the same")
def full_output(_env):
    with fetching(keep=True) as (one, _server):
        def write(*args):
            with open("/dev/full", "w") as full:
                done = subprocess.run([one.program, "-c", one.config, *args], text=True,
                                      env=one.env, stdout=full, stderr=subprocess.PIPE)
            tap.equal(done.returncode, 74, "exit status of %s" % (args,))
            tap.check("output could be written" in done.stderr, "not told", done.stderr)
        tap.each((("fetch",), ("status",), ("status", "--json"), ("status", "--metrics"),
                  ("check",), ("probe", "box"), ("talk", "box", "STAT"), ("--help",),
                  ("--version",)), lambda args: write(*args))
        tap.equal(len(readers.maildir(one.path("Mail"))), len(MESSAGES), "delivered")


@tap.case("a terminal sees how far each account is, up to the time left, and then the result")
def progress(_env):
    with fetching("on RETR 3+ delay 900") as (one, _server):
        one.env["TERM"] = "xterm"
        seen = one.at_terminal("stty rows 24 cols 72; exec %s -c %s fetch"
                               % (one.program, one.config))
        tap.check(re.search(r"box  +\d/%d messages, .* of .*, .*/s, \d+s left\x1b"
                            % len(MESSAGES), seen), "no time left", seen)
        tap.check("\nbox: %d fetched" % len(MESSAGES) in re.sub(r"\r|\x1b\[[0-9]*.", "", seen),
                  "no result", seen)


@tap.case("probe shows greeting, TLS, capabilities and counts, and changes nothing")
def probe(_env):
    with fetching(keep=False) as (one, server):
        out = one.expect(0, "probe", "box").out
        for pattern in (r"TLS ?1\.[23]", "UIDL", "PIPELINING", r"\b%d\b" % len(MESSAGES)):
            tap.check(re.search(pattern, out), "nothing like %r" % pattern, out)
        tap.equal(server.count("RETR") + server.count("DELE"), 0, "RETR and DELE")
        tap.equal(len(server.held()), len(MESSAGES), "left on the server")
        tap.equal(readers.maildir(one.path("Mail")), [], "delivered")
        tap.equal(one.ledger("box"), "", "the ledger")


@tap.case("probe tells STLS, chain, login method, policy, and whether UIDs are stable")
def probe_tells(_env):
    options = ["--capa-extra", "EXPIRE 30", "--capa-extra", "LOGIN-DELAY 60"]
    with fetching(options=options, server_tls="starttls", auth=["user"]) as (one, _):
        out = one.expect(0, "probe", "box").out
        for pattern in (r"^addresses: .*127\.0\.0\.1: connected", r"^certificate 1: CN=localhost",
                        r"^  for: localhost, 127\.0\.0\.1, ::1", r"^  valid: from \d.* days left",
                        r"^  pin: \[sha256:[A-Za-z0-9+/]{43}=\]$",
                        r"^capabilities before TLS:.* STLS",
                        r"^capabilities before login:(?!.*STLS)", r"^capabilities after login:",
                        r"^login: user as jane \(.+\); offered: USER PLAIN",
                        r"^expire: 30, ", r"^login delay: 60 seconds",
                        r"^uids: the same at a second login$"):
            tap.check(re.search(pattern, out, re.MULTILINE), "nothing like %r" % pattern, out)
    with fetching('on UIDL #2 reply "+OK\\r\\n1 a\\r\\n2 b\\r\\n.\\r\\n"') as (one, _):
        out = one.expect(0, "probe", "box").out
        tap.check("quirk: 2 of 6 UIDs are others at a second login" in out, "UIDs", out)
        tap.check("expire: not announced" in out, "policy", out)
    with fetching('on AUTH #2 err "[LOGIN-DELAY] wait"') as (one, _):
        out = one.expect(0, "probe", "box").out
        tap.check(re.search("uids: not compared, .*LOGIN-DELAY. wait", out), "UIDs", out)


@tap.case("probe of a server that cannot be had fails as fetch does")
def probe_fails(_env):
    with fetching(password="wrong-Zx9") as (one, _):
        one.expect(77, "probe", "box")
    with fetching(options=["--cert-fault", "expired"]) as (one, server):
        result = one.run("probe", "box")
        tap.check(result.status in (76, 77, 78), "exit status", result)
        tap.equal(server.commands(), [], "commands sent")


@tap.case("talk sends its arguments, shows both sides, masks the password, quits")
def talk(_env):
    for auth in (["user"], ["plain"]):
        with fetching(auth=auth, server_password="Tr0ub4dor") as (one, server):
            out = one.expect(0, "talk", "box", "STAT", "LIST 1", "NOOP").out
            said = dialogue(out, "C")
            tap.equal(said[-4:], ["STAT", "LIST 1", "NOOP", "QUIT"], "sent, by talk")
            tap.equal(server.commands()[-4:], said[-4:], "sent, by the server's log")
            tap.check("Tr0ub4dor" not in out, "the password is shown", out)
            tap.check(not re.search(wire_form("Tr0ub4dor"), out), "shown in base64", out)
            answers = dialogue(out, "S")
            tap.check(any(re.match(r"\+OK %d \d+" % len(MESSAGES), line) for line in answers),
                      "no answer to STAT", out)


def wire_form(password):
    """AUTH PLAIN's base64, as a pattern."""
    return re.escape(base64.b64encode(b"\0jane\0" + password.encode()).decode())


@tap.case("talk RETR prints the whole message, as many lines as there are")
def talk_retr(_env):
    with fetching(messages=corpus.simple(3)) as (one, _):
        out = one.expect(0, "talk", "box", "RETR 2").out
        for line in corpus.simple(3)[1].decode().splitlines():
            tap.check(" S: " + line in out, "line missing: " + line, out)


@tap.case("talk reads commands from standard input")
def talk_stdin(_env):
    with fetching() as (one, server):
        out = one.expect(0, "talk", "box", stdin="STAT\nLIST\nUIDL 1\n").out
        tap.equal(dialogue(out, "C")[-4:], ["STAT", "LIST", "UIDL 1", "QUIT"], "sent")
        tap.equal(len(server.held()), len(MESSAGES), "left on the server")
        out = one.expect(0, "talk", "box", "list ", "uidl 1 ", "NOOP").out
        tap.equal(dialogue(out, "S").count("."), 3, "listings to their end, with those of CAPA")
        out = one.expect(0, "talk", "box", stdin="NOOP\nQUIT\n").out
        tap.equal(dialogue(out, "C").count("QUIT"), 1, "QUIT")


@tap.case("talk DELE deletes, RSET takes it back")
def talk_dele(_env):
    with fetching() as (one, server):
        one.expect(0, "talk", "box", "DELE 1", "RSET")
        tap.equal(len(server.held()), len(MESSAGES), "left on the server after RSET")
        one.expect(0, "talk", "box", "DELE 1", "DELE 3")
        tap.equal(len(server.held()), len(MESSAGES) - 2, "left on the server after DELE")


@tap.case("talk shows an error of the server, goes on, and quits")
def talk_error(_env):
    with fetching(options=["--with", "last"]) as (one, server):
        result = one.run("talk", "box", "RETR 99", "LAST", "NOOP")
        tap.check(any(line.startswith("-ERR") for line in dialogue(result.out, "S")),
                  "the error is not shown", result)
        tap.equal(server.commands()[-4:], ["RETR 99", "LAST", "NOOP", "QUIT"], "sent")
        tap.check(any(event.startswith("disconnect quit") for event in server.log()),
                  "no clean end", server.log())


@tap.case("what a hostile server says is shown without control characters")
def escapes(_env):
    words = "\\x1b]0;title\\x07\\x9b31m"
    lines = "".join(word + words + "\\r\\n" for word in (
        "SASL PLAIN ", "IMPLEMENTATION ", "EXPIRE ", "LOGIN-DELAY ", "USER\\r\\nUIDL\\r\\nX"))
    with fetching('on NOOP reply "+OK %s\\r\\n"' % words, 'on GREETING reply "+OK %s\\r\\n"' % words,
                  'on CAPA reply "+OK\\r\\n%s.\\r\\n"' % lines) as (one, _):
        for command in (["talk", "box", "NOOP"], ["probe", "box"]):
            result = one.expect(0, *command)
            bad = set(result.out + result.err) & {"\x1b", "\x07", "\x9b", "\udc9b"}
            tap.check(not bad, "control characters in the output: %r" % bad, repr(result.out))


@tap.case("an independent client finds the maildrop as talk left it")
def talk_leaves(_env):
    with fetching() as (one, server):
        one.expect(0, "talk", "box", "RETR 1", "TOP 2 0", "UIDL")
        messages = server.served()
        tap.equal(wire.digests(messages), wire.digests(MESSAGES), "messages served")


if __name__ == "__main__":
    tap.main(world)
