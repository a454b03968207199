#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recovery believes proof: not what resembles a message, not that one is gone.

The mail here is alike: posts of one list with long equal headers and equal
footers, copies, beginnings of each other. A fetch is cut off or disturbed at
one call; others change the folder; then every message is delivered, and as
often as it was on the server.
"""

import contextlib
import os
import re
import signal
import subprocess
import time

from harness import agent, popd, procs, readers, shim, tap, wire
from harness.scene import told

POSTS = 230             # more than one batch


def post(number, serial):
    """A post of a list: what differs stands in the middle."""
    return (b"X-Spam-Status: No, score=-2.3 " + b"X" * 900 + b"\nReceived: from list by mx; today\n"
            + b"X-Spam-Report: " + b"Y" * 900 + b"\nFrom: List <list@example.org>\n"
            b"Subject: [list] the same\n\n" + b"text %d %d\n" % (number, serial)
            + b"-- \n" + b"the footer below each post of this list\n" * 4)


def resembling(count, seed=0):
    """Posts, with copies and beginnings of one another among them."""
    texts = [post(n, seed) for n in range(count)]
    for n in range(0, count - 3, 10):
        texts[n + 1] = texts[n]
        texts[n + 2] = texts[n] + b"and a line more\n"
        texts[n + 3] = texts[n + 2] + b"\n>From a quoted line\n" + texts[n]
    return texts


MESSAGES = resembling(POSTS)
WHERE = {"mbox": "/box$", "maildir": "/box/tmp/"}
WAYS = {"mbox": readers.mbox, "maildir": readers.maildir}


@contextlib.contextmanager
def scene(kind, messages=MESSAGES, **keys):
    """A server, an account with keep: false that delivers to one folder."""
    with popd.Popd(messages) as server:
        one = agent.Agent()
        box = one.path("box")
        keys = {"keep": False, **keys}
        one.configure({"box": server.account({kind: box}, **keys)})
        try:
            yield one, server, box
        finally:
            one.remove()
            server.remove()


def exact(got, wanted):
    """Every message as often as it should be there, whole."""
    got, wanted = wire.digests(got), wire.digests(wanted)
    missing, more = sum((wanted - got).values()), sum((got - wanted).values())
    tap.check(not missing and not more, "%d of %d are missing, %d are too much"
              % (missing, sum(wanted.values()), more))


def calls(kind, messages, call, where):
    """The numbers of the worker's CALLs in a whole fetch that are about paths
    that match WHERE."""
    paths, numbers, count = {}, [], 0
    with scene(kind, messages) as (one, _server, _box):
        with shim.preloaded(one, 16 << 20) as orders:
            # A file is known by its last opening: inodes are used again.
            orders.order(kinds=["open", call], roles=["worker"], flags=["log"])
            one.fetch_ok()
            for event in orders.log():
                if event.kind == "open" and event.ok and event.file:
                    paths[event.file] = event.path
                elif event.kind == call:
                    count += 1
                    if re.search(where, paths.get(event.file) or event.path):
                        numbers.append(count)
    tap.check(numbers, "no %s of %s was seen" % (call, where))
    return numbers


def cut_off(one, action, call, number):
    """A fetch that ends at one call of the worker."""
    with shim.preloaded(one) as orders:
        orders.order(action, at=number, kinds=[call], roles=["worker"], victim="all")
        result = one.fetch()
        tap.check(orders.counts()["hits"] == 1, "the call did not come", result)


def with_status(path):
    """What mutt makes of an mbox when it is closed."""
    parts = re.split(rb"(?<=\n\n)(?=From )", readers.read(path))
    with open(path, "wb") as file:
        for part in parts:
            file.write(part.replace(b"\n\n", b"\nStatus: O\nContent-Length: %d\nLines: 9\n\n"
                                    % len(part), 1))


def bare(message):
    """Without a reader's own lines."""
    head, gap, body = message.partition(b"\n\n")
    lines = [line for line in head.split(b"\n")
             if not re.match(rb"(?i)(status|content-length|lines):", line)]
    return b"\n".join(lines) + gap + body


@contextlib.contextmanager
def standing_still(one, kind, number):
    """A fetch whose worker stands still before one call; then it goes on."""
    with shim.preloaded(one) as orders:
        orders.order("stop", at=number, kinds=[kind], roles=["worker"])
        process = one.start("fetch")
        procs.wait_until(lambda: orders.counts()["hits"] == 1, 60, "the call")
        pid = procs.wait_until(lambda: stopped(process.pid), 60, "the worker to stand still")
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)
        process.wait(60)
        result = one.result(process)
    tap.check(result.status in (0, 75), "exit status %d" % result.status, result)


def stopped(parent):
    """The child of a process that stands still."""
    with open("/proc/%d/task/%d/children" % (parent, parent), encoding="ascii") as file:
        for pid in map(int, file.read().split()):
            with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as stat:
                if stat.read().rpartition(")")[2].split()[0] == "T":
                    return pid
    return None


@tap.case("an mbox that could not grow: posts that resemble what is there are not there")
def limited(_env):
    for limit in (100, 300):        # KiB
        with scene("mbox") as (one, server, box):
            one.prefix = ["sh", "-c", "ulimit -f %d; exec \"$@\"" % (2 * limit), "sh"]
            for _ in range(3):
                told(one.fetch(), 75, "too large")
            one.prefix = []
            one.fetch_ok()
            exact(readers.mbox(box), MESSAGES)
            tap.equal(server.held(), [], "left on the server")


@tap.case("an mbox over quota: the same")
def quota(_env):
    numbers = calls("mbox", MESSAGES, "write", WHERE["mbox"])
    for error, number in ((122, numbers[-1]), (122, numbers[1]), (28, numbers[-2])):
        with scene("mbox") as (one, server, box):
            with shim.preloaded(one) as orders:     # EDQUOT, ENOSPC
                orders.order("fail", at=number, kinds=["write"], roles=["worker"],
                             how_long="forever", error=error)
                told(one.fetch(), 75, "cannot write")
            one.fetch_ok()
            exact(readers.mbox(box), MESSAGES)
            tap.equal(server.held(), [], "left on the server")


@tap.case("an mbox: killed at an append, then written anew by a reader")
def rewritten(_env):
    numbers = calls("mbox", MESSAGES, "write", WHERE["mbox"])
    for action in ("kill-before", "kill-half", "kill-after"):
        for number in numbers[:2] + numbers[-2:]:
            with scene("mbox") as (one, server, box):
                cut_off(one, action, "write", number)
                if os.path.exists(box):
                    with_status(box)
                one.fetch_ok()
                exact([bare(m) for m in readers.mbox(box)], MESSAGES)
                tap.equal(server.held(), [], "left on the server")


def their_procmail(one, box, text):
    """Real procmail appends TEXT, however BOX ends."""
    with open(one.path("rc"), "w", encoding="utf-8") as file:
        file.write("DEFAULT=%s\nORGMAIL=%s\n" % (box, box))
    subprocess.run(["procmail", "-f", "them@example.org", "-m", one.path("rc")], input=text,
                   env=one.env, check=True)


def their_maildrop(one, box, text):
    """The same with maildrop, which writes From_ lines that begin as ours do."""
    with open(os.open(one.path("filter"), os.O_WRONLY | os.O_CREAT, 0o600), "w",
              encoding="utf-8") as file:
        file.write("to \"%s\"\n" % box)
    subprocess.run(["maildrop", one.path("filter")], input=text, env=one.env, check=True)


@tap.case("an mbox: what a power cut left of an append, and real mail behind it in one line")
def glued(_env):
    theirs = b"Subject: theirs\n\ntheirs\n"
    messages = MESSAGES[:30]
    numbers = calls("mbox", messages, "write", WHERE["mbox"])
    for program in (their_procmail, their_maildrop):
        tap.need(program.__name__[6:])
        for zeros in (0, 1, 2, 99):             # of the last blocks, and what is behind them
            with scene("mbox", messages) as (one, server, box):
                cut_off(one, "kill-half", "write", numbers[-1])
                os.unlink(box + ".lock")
                with open(box, "r+b") as file:
                    end = file.seek(0, os.SEEK_END) - 7
                    file.truncate(end)
                    if zeros:
                        file.seek(max(0, end // 4096 - zeros + 1) * 4096)
                        file.write(bytes(end - file.tell()))
                program(one, box, theirs)
                glue = readers.read(box)[end - 1:end + 5]
                tap.check(glue[:1] != b"\n" and glue[1:] == b"From ", "a new line", glue)
                one.fetch_ok()
                got = readers.mbox(box)
                tap.equal(got.count(theirs), 1, "their message, %s" % program.__name__)
                exact([m for m in got if m != theirs], messages)
                tap.equal(server.held(), [], "left on the server")


@tap.case("a Maildir: staged files that are gone are fetched again")
def cleaned(_env):
    messages = MESSAGES[:20]
    numbers = calls("maildir", messages, "rename", WHERE["maildir"])
    for action, number in [(action, numbers[n]) for action in ("kill-before", "fail")
                           for n in (0, 7)]:
        with scene("maildir", messages) as (one, server, box):
            with shim.preloaded(one) as orders:
                orders.order(action, at=number, kinds=["rename"], roles=["worker"],
                             victim="all", how_long="forever", error=122)
                told(one.fetch(), 75 if action == "fail" else -9)
            for name in os.listdir(box + "/tmp"):
                os.unlink(box + "/tmp/" + name)
            told(one.fetch_ok(), 0, "is gone, and the message is nowhere in the Maildir")
            exact(readers.maildir(box), messages)
            tap.equal(server.held(), [], "left on the server")


HEAD = (b"Received: from a by b; Thu, 1 Jan 2026 09:00:00 +0000\nFrom: l@example.org\n"
        b"Subject: [list] the same\nMessage-ID: <same@x>\n")


def of_one_header():
    """Messages of one size and one header, and two that resemble one other."""
    yield [HEAD + b"\nline %06d\n" % n for n in range(12)]
    some = [HEAD.replace(b"same@", b"%d@" % n) + b"\nx\n" for n in range(12)]
    some[7] = b"Status: RO\n" + some[3]
    some[9] = some[3] + b"and a line\n"
    yield some


@tap.case("a message that recovery gives up comes, though others have its header")
def given_up(_env):
    for messages in of_one_header():
        number = calls("maildir", messages, "rename", WHERE["maildir"])[4]
        with scene("maildir", messages) as (one, server, box):
            cut_off(one, "kill-before", "rename", number)
            (staged,) = [name for name in os.listdir(box + "/tmp")
                         if readers.read(box + "/tmp/" + name) == messages[7]]
            os.unlink(box + "/tmp/" + staged)
            told(one.fetch_ok(), 0, "cannot be shown to have arrived")
            exact(readers.maildir(box), messages)
            tap.equal(server.held(), [], "left on the server")


@tap.case("a Maildir: what a reader has filed meanwhile is found in its folders")
def filed(_env):
    messages = MESSAGES[:20]
    with scene("maildir", messages) as (one, server, box):
        cut_off(one, "kill-before", "rename",
                calls("maildir", messages, "rename", WHERE["maildir"])[12])
        for folder in ("cur", ".Archive/cur", ".Lists.Some/new", "Old/2026/cur"):
            os.makedirs("%s/%s" % (box, folder), exist_ok=True)
            for name in sorted(os.listdir(box + "/new"))[:3]:
                os.rename("%s/new/%s" % (box, name), "%s/%s/%s,U=5:2,S" % (box, folder, name))
        one.fetch_ok()
        got = readers.maildir(box)
        for folder in (".Archive/cur", ".Lists.Some/new", "Old/2026/cur"):
            got += [readers.read("%s/%s/%s" % (box, folder, name))
                    for name in os.listdir(box + "/" + folder)]
        exact(got, messages)
        tap.equal(server.held(), [], "left on the server")


@tap.case("an mbox: a program that does not lock appends while we do")
def appended(_env):
    messages = MESSAGES[:30]
    theirs = b"From x Thu Jan  1 00:00:00 1970\nSubject: theirs\n\ntheirs\n\n"
    for kind, number in [(call, number) for call in ("write", "fdatasync")
                         for number in calls("mbox", messages, call, WHERE["mbox"])]:
        with scene("mbox", messages) as (one, server, box):
            with standing_still(one, kind, number):
                with open(box, "ab") as file:
                    file.write(theirs)
            one.fetch_ok()
            got = readers.mbox(box)
            tap.equal(got.count(b"Subject: theirs\n\ntheirs\n"), 1, "their message, %s" % kind)
            exact([m for m in got if not m.startswith(b"Subject: theirs")], messages)
            tap.equal(server.held(), [], "left on the server")


@tap.case("an mbox: another file takes its place while we append")
def replaced(_env):
    messages = MESSAGES[:30]
    numbers = calls("mbox", messages, "fdatasync", WHERE["mbox"])
    for with_ours in (True, False):
        with scene("mbox", messages) as (one, server, box):
            with standing_still(one, "fdatasync", numbers[-1]):
                with open(box + ".new", "wb") as file:
                    file.write(readers.read(box) if with_ours else b"")
                os.rename(box + ".new", box)
            one.fetch_ok()
            exact(readers.mbox(box), messages)
            tap.equal(server.held(), [], "left on the server")


@tap.case("a folder that was moved while deliveries were open is known at its new place")
def moved(_env):
    messages = MESSAGES[:30]
    for kind, call in (("mbox", "fdatasync"), ("maildir", "rename")):
        numbers = calls(kind, messages, call, WHERE[kind])
        for action in ("kill-before", "kill-after"):
            for number in (numbers[0], numbers[len(numbers) // 2], numbers[-1]):
                with scene(kind, messages) as (one, server, box):
                    cut_off(one, action, call, number)
                    os.rename(box, box + ".moved")
                    one.configure({"box": server.account({kind: box + ".moved"}, keep=False)})
                    one.fetch_ok()
                    exact(WAYS[kind](box + ".moved"), messages)
                    tap.check(not os.path.exists(box), "the former one was made again")
                    tap.equal(server.held(), [], "left on the server")
                    tap.equal(os.listdir(one.state + "/box/stage"), [], "files left in stage/")


@tap.case("another destination while deliveries were open: the rest goes there")
def changed(_env):
    messages = MESSAGES[:30]
    for kind, call in (("mbox", "fdatasync"), ("maildir", "rename")):
        number = calls(kind, messages, call, WHERE[kind])[-1]
        for then, more in (("mbox", {}), ("mbox", {"compress": "gzip"}), ("maildir", {}),
                           ("maildir", {"compress": "gzip"})):
            with scene(kind, messages) as (one, server, box):
                cut_off(one, "kill-before", call, number)
                here = WAYS[kind](box)
                other = one.path("other")
                one.configure({"box": server.account({then: other, **more}, keep=False)})
                one.fetch_ok()
                read = {"mbox": readers.mbox_gzip, "maildir": readers.maildir_gzip} if more \
                    else WAYS
                exact(WAYS[kind](box) + read[then](other), messages)
                exact(WAYS[kind](box), here)
                tap.equal(server.held(), [], "left on the server")
                tap.equal(os.listdir(one.state + "/box/stage"), [], "files left in stage/")


@contextlib.contextmanager
def world():
    """Every case has a server of its own."""
    popd.program("POPD", "tests/server/popd")
    begin = time.monotonic()
    yield None
    tap.diag("%.0f s" % (time.monotonic() - begin))


if __name__ == "__main__":
    tap.main(world)
