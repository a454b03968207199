#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A delivery program has delivered when it ends with 0, and in no other way.

However else it ends, the message stays on the server, and is delivered by a
later fetch.
"""

import os
import re

from harness import agent, corpus, popd, procs, readers, tap, wire
from harness.scene import MESSAGES, fetching, world

SCRIPT = """#!/bin/sh
# Keep what comes in, then end as the file "how" says.
cat > "$0.in.$$"
. "$0.how"
mv "$0.in.$$" "$0.got.$$"
"""


def piping(one, server, how):
    """Deliver through a program that ends as the line HOW of shell says."""
    for name, text in (("mda", SCRIPT), ("mda.how", how + "\n")):
        with open(one.path(name), "w") as file:
            file.write(text)
        os.chmod(one.path(name), 0o755)
    one.configure({"box": server.account({"pipe": [one.path("mda")]}, keep=False)})


def piped(one):
    """What the program took and reported as delivered."""
    got = []
    for name in os.listdir(one.home):
        if name.startswith("mda.got."):
            with open(one.path(name), "rb") as file:
                got.append(file.read())
    return got


ENDS = (("exit 1", r"\b1\b"), ("exit 75", r"\b75\b"), ("exit 73", r"\b73\b"),
        ("exit 67", r"\b67\b"), ("exit 99", r"\b99\b"), ("exit 127", r"\b127\b"),
        ("kill -9 $$", r"signal|killed"), ("kill -TERM $$", r"signal|terminated"),
        ("echo why not >&2; exit 77", r"why not"))


@tap.case("a delivery program that ends with anything but 0 leaves the mail on the server")
def mda_fails(_env):
    def play(end):
        how, pattern = end
        with fetching(messages=MESSAGES[:2]) as (one, server):
            piping(one, server, how)
            result = one.fetch()
            tap.check(result.status != 0, "exit status 0", result)
            tap.check(re.search(pattern, result.err, re.IGNORECASE), "not told", result)
            tap.equal(len(server.held()), 2, "messages on the server")
            tap.equal(server.count("DELE"), 0, "DELE commands")
    tap.each(ENDS, play)


@tap.case("a delivery program that is not there leaves the mail on the server")
def mda_missing(_env):
    with fetching() as (one, server):
        one.configure({"box": server.account({"pipe": ["/nonexistent/mda"]}, keep=False)})
        result = one.fetch()
        tap.check(result.status != 0, "exit status 0", result)
        tap.check("/nonexistent/mda" in result.err, "not named", result)
        tap.equal(len(server.held()), len(MESSAGES), "messages on the server")


@tap.case("a delivery program that is repaired gets the message, byte for byte")
def mda_repaired(_env):
    messages = corpus.generate(30)
    with fetching(messages=messages) as (one, server):
        wanted = wire.digests(server.served())
        piping(one, server, "exit 75")
        one.expect(75, "fetch")
        piping(one, server, "true")
        procs.wait_until(lambda: one.fetch().status == 0 and not server.held(), 60,
                         "a fetch that delivers what was deferred")
        tap.equal(wire.digests(piped(one)), wanted, "what was delivered")


ENDLESS = [b"", b"Subject: no end\n\nlast line", b"Subject: header alone",
           b"Subject: x\n\nends in CR\r", b"Subject: x\n\nends\n"]


@tap.case("a delivery program gets a last line that ends, even of nothing")
def last_lines(_env):
    with fetching(messages=ENDLESS) as (one, server):
        served = server.served()
        piping(one, server, "true")
        one.fetch_ok()
        taken = piped(one)
        tap.check(all(text.endswith(b"\n") for text in taken), "a last line without an end", taken)
        tap.equal(wire.digests(taken), wire.digests(text or b"\n" for text in served), "taken")


@tap.case("a delivery program runs without a shell, in an environment of few words")
def mda_environment(_env):
    with fetching(messages=MESSAGES[:1]) as (one, server):
        piping(one, server, "env > \"$0.env\"; echo \"$*\" > \"$0.args\"")
        odd = ["$(touch x)", ";", "`x`", "a b"]
        one.configure({"box": server.account({"pipe": [one.path("mda")] + odd})})
        one.env["UNRELATED"] = "1"
        one.fetch_ok()
        with open(one.path("mda.args")) as file:
            tap.equal(file.read(), " ".join(odd) + "\n", "arguments")
        with open(one.path("mda.env")) as file:
            names = {line.split("=")[0] for line in file}
        tap.check("UNRELATED" not in names, "our environment was inherited", names)
        tap.check({"HOME", "PATH"} <= names, "HOME or PATH is missing", names)


# Return-Path lines, and the sender that they stand for: None is nobody's.
SENDERS = ((b"Return-Path: <jane@example.org>\n", "jane@example.org"),
           (b"Received: x\n\ty\nRETURN-PATH: jane+tag=x@example.org\n", "jane+tag=x@example.org"),
           (b"Return-Path:\n <jane@example.org>\nReturn-Path: <x@y>\n", "jane@example.org"),
           (b"Return-Path: <>\n", ""), (b"", None), (b"Sender: <x@y>\n", None),
           (b"X: y\n Return-Path: <x@y>\n", None),
           (b"Return-Path: <jane>\n", None), (b"Return-Path: <-jane@example.org>\n", None),
           (b"Return-Path: <--help>\nReturn-Path: <x@y>\n", None),
           (b"Return-Path: <a b@example.org>\n", None),
           (b"Return-Path: <$(touch x)@example.org>\n", None),
           (b"Return-Path: <a;touch@example.org>\n", None),
           (b"Return-Path: </../a@example.org>\n", None),
           (b"Return-Path: <%{account}@example.org>\n", None),
           (b"Return-Path: <a\x00b@example.org>\n", None),
           (b"Return-Path: <a\rb@example.org>\n", None),
           (b"Return-Path: <\xc3\xa4@example.org>\n", None),
           (b"Return-Path: <a\x1b@example.org>\n", None),
           (b"Return-Path: <%s@x>\n" % (b"a" * 252), "a" * 252 + "@x"),
           (b"Return-Path: <%s@x>\n" % (b"a" * 253), None))


@tap.case("a delivery program is told the sender: in its arguments, where asked, and in SENDER")
def mda_sender(_env):
    messages = [head + b"Subject: x\n\nReturn-Path: <body@example.org>\n"
                for head, _sender in SENDERS]
    with fetching(messages=messages) as (one, server):
        words = ["-f", "%{sender}", "--by=%{account}:%{sender}", "%%{sender}", "100%"]
        piping(one, server, "for a; do printf '[%s]' \"$a\"; done >> \"$0.told\"; "
               "echo \" ${SENDER-nobody}\" >> \"$0.told\"")
        one.configure({"box": server.account({"pipe": [one.path("mda")] + words})})
        one.fetch_ok()
        told = readers.read(one.path("mda.told")).decode().splitlines()
        tap.equal(told, ["[-f][%s][--by=box:%s][%%{sender}][100%%] %s"
                         % (sender or "-", sender or "-", "nobody" if sender is None else sender)
                         for _head, sender in SENDERS], "what the program was told")


@tap.case("the parent is killed while a delivery program runs: the accounts are free again")
def parent_killed(_env):
    with popd.Popd(MESSAGES[:2], users=3) as server:
        one = agent.Agent()
        piping(one, server, "while [ ! -e \"$0.go\" ]; do sleep 0.1; done")
        deliver = {"pipe": [one.path("mda")]}
        one.configure({user: server.account(deliver, user=user) for user in server.users})
        process = one.start("fetch")
        procs.wait_until(lambda: len(waiting(one)) == 3, 60, "three delivery programs")
        process.kill()
        process.wait()
        with open(one.path("mda.go"), "w"):
            pass
        procs.wait_until(lambda: one.fetch().status == 0, 60, "a fetch after the kill")
        tap.check(not wire.digests(MESSAGES[:2] * 3) - wire.digests(piped(one)), "mail lost")
        tap.check(len(piped(one)) <= 2 * 3 + 3, "more than one message a crash came twice")


def waiting(one):
    """The delivery programs that have read their message and not ended."""
    return [name for name in os.listdir(one.home) if name.startswith("mda.in.")]


if __name__ == "__main__":
    tap.main(world)
