#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger for life: torn, damaged, full of history.

What a crash can do to the file heals by itself; what only a failing disk or a
person can do to it stops the account and changes nothing.
"""

import os
import random
import re

from harness import agent, corpus, ledgerfile, popd, procs, tap, wire
from harness.scene import MESSAGES, told, world
from harness.state import LATER, delivering


# Torn and damaged files.


def tears(data):
    """What may have become of the last 300 bytes of DATA in a power cut."""
    for size in range(len(data) - 300, len(data)):
        yield data[:size]
    for junk in (b"\0", b"\0" * 512, b"\0" * 4096, b"x", b"x\n", b"\n", b"garbage " * 50 + b"\n"):
        yield data + junk
        yield data[:-17] + junk


@tap.case("a torn end heals at every byte: nothing comes twice, nothing is lost")
def torn(_env):
    messages = corpus.simple(20, seed=5)

    def play(setting):
        way, keep, restored = setting
        with delivering(way, messages=messages, keep=keep, server_tls="none") as scene:
            scene.one.fetch_ok()
            data = scene.bytes()
            for number, torn_data in enumerate(tears(data)):
                if restored:            # QUIT did not come through
                    scene.server.put(messages)
                scene.write(torn_data)
                if number % 25 == 0:
                    looks_only(scene)
                scene.server.forget()
                scene.one.fetch_ok()
                tap.equal(scene.server.count("RETR"), 0, "RETR, torn at %d (%d of %d bytes)"
                          % (number, len(torn_data), len(data)))
                tap.equal(len(scene.server.held()), len(messages) if keep else 0,
                          "left on the server")
            scene.one.expect(0, "check", "--state")
            scene.here(messages)
    tap.each((("Maildir", True, False), ("Maildir", False, True), ("mbox", False, True)), play)


def looks_only(scene):
    """`status` and `check --state` of a torn ledger leave it as it is."""
    data = scene.bytes()
    for words in (("status",), ("check", "--state")):
        scene.one.expect(0, *words)
        tap.equal(scene.bytes(), data, "the ledger after " + words[0])


def with_history(scene):
    """Fetch in five passes, so that the ledger has marks; its lines."""
    scene.one.fetch_ok()
    for number in range(5):
        scene.server.put(corpus.simple(3, seed=30 + number), first=30 + 3 * number)
        scene.one.fetch_ok()
    lines = scene.bytes().split(b"\n")[:-1]
    marks = [n for n, line in enumerate(lines) if line.split(b" ")[1] == b"mark"]
    return lines[:marks[-1]], lines[marks[-1]:]


def flip(line, rng):
    """LINE with one bit changed."""
    at = rng.randrange(len(line))
    return line[:at] + bytes([line[at] ^ 1 << rng.randrange(8)]) + line[at + 1:]


@tap.case("a bit that has changed before the last mark: 78, line named, file untouched")
def flipped(_env):
    rng = random.Random(4)

    def play(way):
        with delivering(way) as scene:
            lines, tail = with_history(scene)
            held, here = scene.server.held(), wire.digests(scene.read(scene.one))
            for number in rng.sample(range(len(lines)), min(50, len(lines))):
                bad = flip(lines[number], rng)
                scene.write(b"\n".join(lines[:number] + [bad] + lines[number + 1:] + tail)
                            + b"\n")
                damaged(scene, number + 1, "%r was %r" % (bad, lines[number]))
            tap.equal(scene.server.held(), held, "on the server")
            tap.equal(wire.digests(scene.read(scene.one)), here, "messages here")
    tap.each(("Maildir", "mbox"), play)


def damaged(scene, line, what):
    """Fetch, check --state and status must refuse the ledger and name LINE."""
    try:
        before = scene.bytes()
        for words in ((), ("check", "--state"), ("status",)):
            result = scene.one.run(*words) if words else scene.refused()
            told(result, 78, r"\bline %d\b" % line if line > 1 else "ledger",
                 re.escape(scene.ledger), "--baseline .*--accept-new-state")
        tap.equal(scene.bytes(), before, "the ledger's bytes")
    except AssertionError as error:
        raise AssertionError("line %d: %s\n%s" % (line, what, error))


@tap.case("every bit of a line is guarded")
def every_bit(_env):
    with delivering("Maildir") as scene:
        lines, tail = with_history(scene)
        number = next(n for n, line in enumerate(lines) if b" delivered " in line)
        whole, unseen = lines[number], []
        for bit in range(8 * len(whole)):
            bad = bytearray(whole)
            bad[bit // 8] ^= 1 << bit % 8
            scene.write(b"\n".join(lines[:number] + [bytes(bad)] + lines[number + 1:] + tail)
                        + b"\n")
            result = scene.one.run("check", "--state")
            if result.status != 78 or "line %d" % (number + 1) not in result.err:
                unseen.append(bytes(bad))
        tap.equal(unseen, [], "changes of %r that went unseen" % whole)


@tap.case("lines lost, swapped or doubled in the middle: 78, file untouched")
def shuffled(_env):
    with delivering("Maildir") as scene:
        lines, tail = with_history(scene)
        third = len(lines) // 3
        for name, other in (
                ("lost", lines[:third] + lines[third + 1:]),
                ("doubled", lines[:third] + lines[third:third + 1] + lines[third:]),
                ("swapped", lines[:third] + lines[third:third + 2][::-1] + lines[third + 2:]),
                ("empty", lines[:third] + [b""] + lines[third:]),
                ("zeros", lines[:third] + [b"\0" * 512] + lines[third:]),
                ("two parts", lines[:third] + lines[third + 5:])):
            scene.write(b"\n".join(other + tail) + b"\n")
            damaged(scene, third + 1 + (name == "doubled"), name)


@tap.case("a ledger without its beginning is not taken for an empty one")
def no_beginning(_env):
    with delivering("Maildir") as scene:
        scene.one.fetch_ok()
        data = scene.bytes()
        first = data.index(b"\n") + 1
        for part in (b"", b"\n", data[:first - 1], data[:10], data[first:], b"\0" * len(data)):
            scene.write(part)
            scene.refused(re.escape(scene.ledger))
            scene.here(MESSAGES)


# History.


def grow(scene, rounds):
    """Fetch until the ledger shrinks; give its largest and its last size."""
    largest = 0
    for _ in range(rounds):
        scene.one.fetch_ok()
        size = os.path.getsize(scene.ledger)
        if size < largest:
            return largest, size
        largest = size
    raise AssertionError("no smaller after %d passes: %d bytes" % (rounds, largest))


@tap.case("compaction comes after many passes, and loses nothing")
def compaction(_env):
    messages = corpus.simple(64, seed=6)
    script = procs.scratch() + "/rules"
    with open(script, "w") as file:
        file.write("on DELE ignore\n")
    with delivering("Maildir", messages=messages, keep=False,
                    options=("--script", script)) as scene:
        largest, size = grow(scene, 100)
        tap.diag("%d bytes became %d" % (largest, size))
        scene.one.expect(0, "check", "--state")
        tap.equal(scene.server.count("RETR"), len(messages), "messages retrieved in all")
        scene.server.put(LATER, first=100)
        scene.quiet_fetch(len(LATER))
        scene.here(messages + LATER)
        os.truncate(script, 0)
        scene.quiet_fetch()
        scene.here(messages + LATER)
        tap.equal(scene.server.held(), [], "left on the server")


@tap.case("the ledger of a test is what the program writes")
def time_machine(_env):
    with delivering("Maildir", keep=False) as scene:
        scene.one.fetch_ok()
        tap.equal(ledgerfile.earlier(scene.bytes(), 0), scene.bytes(), "the ledger")
        scene.write(ledgerfile.earlier(scene.bytes(), 86400))
        scene.one.expect(0, "check", "--state")
        scene.quiet_fetch()


@tap.case("after a month of silence old history goes, and the account goes on")
def month_later(_env):
    def play(way):
        with delivering(way, keep=False) as scene:
            scene.one.fetch_ok()
            # A torn end has the ledger written anew, without what is old.
            scene.write(ledgerfile.earlier(scene.bytes(), 40 * 86400) + b"x")
            scene.quiet_fetch()
            scene.quiet_fetch()
            tap.check(len(scene.bytes()) < 400, "history is kept", scene.bytes().decode())
            scene.server.put(LATER, first=20)
            scene.quiet_fetch(len(LATER))
            scene.here(MESSAGES + LATER)
    tap.each(("Maildir", "mbox"), play)


def of_ledger(status):
    """The lines of a status that come from the ledger."""
    return "".join(re.findall(r"(?m)^(?:\S+: .*|  set aside: .*)\n", status))


@tap.case("compaction keeps set-aside, marked and waiting messages as they are")
def compaction_keeps(_env):
    with delivering("Maildir", "on RETR 1 err \"bad disk\"", messages=MESSAGES,
                    keep="14d") as scene:
        scene.one.fetch("--baseline")
        scene.server.put(LATER, first=20)
        for _ in range(4):
            scene.one.fetch()
        before = of_ledger(scene.one.expect(0, "status").out)
        tap.check("set aside" in before, "nothing is set aside", before)
        scene.write(scene.bytes() + b"torn")
        scene.server.stop()
        scene.one.expect(75, "fetch")
        tap.check(b"torn" not in scene.bytes(), "the torn end is still there")
        tap.equal(of_ledger(scene.one.expect(0, "status").out), before,
                  "status after compaction")


# What a person is shown.


@tap.case("status and check --state say what there is")
def shown(_env):
    with popd.Popd(MESSAGES, users=2) as server:
        one = agent.Agent()
        one.configure({user: server.account({"maildir": one.path(user)}, user=user,
                                            keep=user == server.users[0])
                       for user in server.users})
        first, second = server.users
        new = one.expect(0, "status")
        tap.check(re.search(r"(?m)^%s: nothing fetched yet$" % first, new.out), "at first", new)
        check = one.expect(0, "check", "--state")
        tap.check(re.search(r"(?m)^%s: nothing fetched yet$" % first, check.out), "at first", check)
        tap.check(not os.path.exists(one.state), "looking made the state directory")
        one.fetch_ok()
        status = one.expect(0, "status")
        day = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
        for pattern in (r"%s: 6 seen, 0 deleted on the server, 0 not delivered yet, "
                        r"last delivery %s" % (first, day), r"%s: 0 seen, 6 deleted" % second):
            tap.check(re.search("(?m)^" + pattern, status.out), "no " + pattern, status)
        only = one.expect(0, "status", second)
        tap.check(first + ":" not in only.out, "an account that was not asked for", only)
        one.expect(64, "status", "nonsense")
        check = one.expect(0, "check", "--state")
        for user in server.users:
            tap.check(re.search(r"(?m)^%s: ledger in order, 6 entries$" % user, check.out),
                      "no word of " + user, check)
        os.truncate("%s/%s/ledger" % (one.state, first), 0)
        check = one.expect(78, "check", "--state")
        tap.check(first in check.err and "%s: ledger in order" % second in check.out,
                  "one bad ledger hides the other", check)


if __name__ == "__main__":
    tap.main(world)
