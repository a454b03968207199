#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""UIDs that change, return, repeat or look odd.

A UID is the server's word for a message, and servers break it. Whatever they
do, each message comes here once, none is deleted that did not come, and what
should go still goes afterwards.
"""

import itertools
import os
import re

from harness import agent, corpus, readers, tap, wire
from harness.scene import fetching, world
from harness.tinypop import TinyPop
from harness.uids import (KINDS, WITHOUT_TOP, WITHOUT_UIDL, bare, configure, deleted_unread,
                          deletes_all, fresh, here_once, label, marked, replace, ruled,
                          set_rules)


# All UIDs change at once.


@tap.case("all UIDs change at once: nothing comes twice, and deletion still works")
def renumbered(_env):
    def play(setting):
        kind, count, options = setting
        messages = KINDS[kind](count)
        with fetching(messages=messages, keep=True, options=options) as (one, server):
            label(server, fresh(count, 1))
            one.fetch_ok()
            for generation in (2, 3):
                label(server, fresh(count, generation))
                one.fetch_ok()
                here_once(one, messages, "after generation %d" % generation)
            server.forget()
            one.fetch_ok()
            tap.equal(server.count("RETR"), 0, "RETR once the new UIDs are known")
            # A few known messages are looked at in each pass.
            tap.check(server.count("TOP") <= 32, "%d times TOP" % server.count("TOP"))
            deletes_all(one, server, messages)
    tap.each(itertools.product(KINDS, (3, 12, 60), ((), WITHOUT_TOP)), play)


@tap.case("all UIDs change while new mail comes: the old stays single, the new comes")
def renumbered_and_new(_env):
    def play(setting):
        kind, old, new = setting
        messages = KINDS[kind](old + new)
        with fetching(messages=messages[:old], keep=True) as (one, server):
            label(server, fresh(old, 1))
            one.fetch_ok()
            server.put(messages[old:], first=old)
            label(server, fresh(old + new, 2))
            one.fetch_ok()
            here_once(one, messages)
            deletes_all(one, server, messages)
    tap.each(itertools.product(KINDS, (12,), (1, 8, 30)), play)


@tap.case("known messages among new ones are cut out again of what goes into an mbox")
def renumbered_mbox(_env):
    def play(gzip, read):
        messages = bare(12)
        with fetching(messages=[], options=WITHOUT_TOP) as (one, server):
            box = one.path("box")
            deliver = {"mbox": box, **({"compress": "gzip"} if gzip else {})}
            one.configure({"box": server.account(deliver, keep=True)})
            server.put(messages[:4], first=4)
            one.fetch_ok()
            # The known ones stand between new ones.
            server.put(messages[4:8], first=0)
            server.put(messages[8:], first=8)
            label(server, fresh(12, 2))
            server.forget()
            one.fetch_ok()
            tap.equal(server.count("RETR"), 12, "RETR, the known ones among them")
            tap.equal(wire.digests(read(box)), wire.digests(messages), "messages delivered")
            tap.equal(os.listdir(one.state + "/box/stage"), [], "files left in stage/")
    play(False, readers.mbox)
    play(True, readers.mbox_gzip)


@tap.case("all UIDs change and a limit allows only a few messages a pass")
def renumbered_limited(_env):
    for kind, make in KINDS.items():
        messages = make(14)
        with fetching(messages=messages, keep=True) as (one, server):
            label(server, fresh(14, 1))
            one.fetch_ok()
            label(server, fresh(14, 2))
            configure(one, server, keep=True, limits={"messages": 5})
            for _ in range(4):
                one.fetch_ok()
                here_once(one, messages, kind)
            deletes_all(one, server, messages)


@tap.case("all UIDs change and the connection breaks while they are compared")
def renumbered_cut(_env):
    def play(setting):
        kind, cut = setting
        messages = KINDS[kind](14)
        verb = "TOP" if kind == "with Received" else "RETR"
        with ruled(messages=messages, keep=True) as (one, server, script):
            label(server, fresh(14, 1))
            one.fetch_ok()
            label(server, fresh(14, 2))
            set_rules(script, "on %s %d cut 40" % (verb, cut))
            one.expect(75, "fetch")
            set_rules(script)
            one.fetch_ok()
            here_once(one, messages)
            deletes_all(one, server, messages)
    tap.each(itertools.product(KINDS, (1, 6, 13)), play)


@tap.case("UIDs that are positions shift by one: nothing lost, nothing twice")
def shifted(_env):
    def play(setting):
        kind, same_size = setting
        messages = KINDS[kind](20)
        if same_size:
            longest = max(map(len, messages))
            messages = [m + b"x" * (longest - len(m) + 70) + b"\n" for m in messages]
        with fetching(messages=messages, keep=True) as (one, server):
            label(server, (b"%d" % n for n in range(20)))
            one.fetch_ok()
            os.unlink(server.drop + "/000000")      # by another client
            new = corpus.simple(1, seed=99)
            server.put(new, first=50)
            label(server, (b"%d" % n for n in range(20)))
            if same_size:
                new = [new[0] + b"x" * (longest - len(new[0]) + 70) + b"\n"]
                replace(server, 50, new[0])
            configure(one, server, keep=False)
            one.fetch_ok()
            here_once(one, messages + new)
            tap.equal(server.held(), [], "left on the server")
    tap.each(itertools.product(KINDS, (False, True)), play)


def without_cr(message):
    """The size of MESSAGE as many servers count it."""
    return len(message.replace(b"\r\n", b"\n"))


@tap.case("a server that begins to count sizes otherwise: nothing comes twice, and it is learnt")
def resized(_env):
    def play(setting):
        kind, before, after = setting
        messages = KINDS[kind](12)
        with TinyPop(messages) as server:
            one = agent.Agent()
            configure(one, server, keep=True)
            server.size = before
            one.fetch_ok()
            server.size = after
            for _ in range(2):
                one.fetch_ok()
                here_once(one, messages)
            server.asked.clear()
            one.fetch_ok()
            tap.equal(server.count("RETR"), 0, "RETR of the third fetch since")
            tap.check(server.count("TOP") <= 4, "%d times TOP" % server.count("TOP"))
            configure(one, server, keep=False)
            one.fetch_ok()
            here_once(one, messages, "after keep: false")
            tap.equal(list(server.drop), [], "left on the server")
    tap.each([*itertools.product(KINDS, (without_cr,), (len,)),
              *itertools.product(KINDS, (len,), (without_cr,))], play)


# A UID comes again with another message.


def another(message, same_size):
    """A different message, of the same size or not."""
    if not same_size:
        return corpus.simple(3, seed=77)[2] + b"and more\n" * 9
    changed = re.sub(rb"(?m)^(Subject: |Received: |Message-ID: <)(.)", rb"\1Z", message)
    return changed[:-2] + b"Q\n"


@tap.case("a UID used again for another message: it comes, and goes only after that")
def reused(_env):
    def play(setting):
        kind, same_size, options = setting
        messages = KINDS[kind](4)
        new = another(messages[1], same_size)
        with fetching(messages=messages, keep=False, options=options) as (one, server):
            one.fetch_ok()
            server.forget()
            replace(server, 1, new)
            one.fetch_ok()
            here_once(one, messages + [new])
            tap.equal(deleted_unread(server), [], "deleted without being fetched")
            tap.equal(server.held(), [], "left on the server")
    tap.each(itertools.product(KINDS, (False, True), ((), WITHOUT_TOP)), play)


@tap.case("a UID used again after a lost QUIT: the new message is not taken for the old")
def reused_after_lost_quit(_env):
    def play(setting):
        kind, same_size, options = setting
        messages = KINDS[kind](4)
        new = another(messages[1], same_size)
        rule = "on QUIT #1 do-then-close"
        with fetching(rule, messages=messages, keep=False, options=options) as (one, server):
            one.expect(75, "fetch")
            tap.equal(server.held(), [], "left on the server")
            server.forget()
            replace(server, 1, new)
            one.fetch_ok()
            here_once(one, messages + [new])
            tap.equal(deleted_unread(server), [], "deleted without being fetched")
            tap.equal(server.held(), [], "left on the server")
    tap.each(itertools.product(KINDS, (False, True), ((), WITHOUT_TOP, WITHOUT_UIDL)), play)


@tap.case("another message under a kept UID is never deleted unfetched")
def replaced_while_kept(_env):
    def play(setting):
        kind, same_size, options = setting
        messages = KINDS[kind](4)
        new = another(messages[1], same_size)
        with fetching(messages=messages, keep=True, options=options) as (one, server):
            one.fetch_ok()
            server.forget()
            replace(server, 1, new)
            deletes_all(one, server, messages + [new])
            unread = deleted_unread(server)
            tap.check("000001" not in unread, "deleted without being fetched", unread)
    tap.each(itertools.product(KINDS, (False, True), ((), WITHOUT_TOP)), play)


# Odd UIDs.


@tap.case("one UID for several messages: each comes once and each can be deleted")
def doubled(_env):
    def play(setting):
        kind, options = setting
        messages = KINDS[kind](5)
        messages.append(messages[0])            # the very same message too
        uids = [b"same", b"same", b"other", b"same", b"same", b"same"]
        with fetching(messages=messages[:3], keep=True, options=options) as (one, server):
            label(server, uids)
            one.fetch_ok()
            here_once(one, messages[:3])
            server.put(messages[3:], first=3)
            label(server, uids)
            one.fetch_ok()
            here_once(one, messages, "with three more of them")
            one.fetch_ok()
            here_once(one, messages, "after one more fetch")
            deletes_all(one, server, messages)
    tap.each(itertools.product(KINDS, ((), WITHOUT_TOP)), play)


LONG = b"0123456789abcdef" * 320
ODD = {
    "empty": [b""],
    "two empty": [b"", b""],
    "70, 1,000 and 1,024 bytes": [LONG[:70], LONG[:1000], LONG[:1024], LONG[:1025]],
    "5,000 bytes": [LONG[:4999] + b"x", LONG[:4999] + b"y", LONG[:5000]],
    "blanks": [b"a b", b"a  b", b"a\tb", b"ab"],
    "percent": [b"%", b"%41", b"A", b"%2541", b"%%", b"%zz", b"%0"],
    "8 bits": [b"caf\xe9", b"caf\xc3\xa9", b"\xff\xfe", b"\x80"],
    "control": [b"\x1b[31m", b"\x07", b"a\0b", b"a\0c", b"\x7f", b"a\rb"],
    "paths": [b"../../x", b"/etc/passwd", b".", b"..", b"-", b"--", b"~", b"$HOME"],
    "words of the ledger": [b"mark 1", b"gone", b"intent 1 1 x", b"delivered 1 1"],
}


@tap.case("odd UIDs: every message comes once, is known again and can be deleted")
def odd(_env):
    def play(name, kind):
        uids = ODD[name]
        messages = KINDS[kind](len(uids))
        with fetching(messages=messages, keep=True) as (one, server):
            label(server, uids)
            one.fetch_ok()
            here_once(one, messages)
            server.forget()
            one.fetch_ok()
            here_once(one, messages, "after a second fetch")
            if b"" not in uids:
                tap.equal(server.count("RETR"), 0, "retrieved the second time")
            one.expect(0, "check", "--state")
            one.expect(0, "status")
            litter = [entry for entry in os.listdir(one.home)
                      if entry not in ("state", "config.yaml", "Mail", "out", "err")]
            tap.equal(litter, [], "files nobody expects")
            deletes_all(one, server, messages)
    tap.each(itertools.product(ODD, KINDS), lambda setting: play(*setting))


@tap.case("odd UIDs do no harm to their neighbours in the same listing")
def odd_together(_env):
    uids = [uid for group in ODD.values() for uid in group]
    messages = marked(len(uids))
    with fetching(messages=messages, keep=True) as (one, server):
        label(server, uids)
        for _ in range(2):
            one.fetch_ok()
            here_once(one, messages)
        deletes_all(one, server, messages)


if __name__ == "__main__":
    tap.main(world)
