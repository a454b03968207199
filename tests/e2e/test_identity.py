#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which message is which, when a server's words for them change.

Messages whose UIDs and sizes are all others, that went away and came back, or
that another one has taken the UID of; bodies that are served otherwise each
time, or cut short. Each is here once in the end, and what was never fetched is
never deleted.
"""

import itertools
import re

from harness import readers, tap
from harness.identity import DAY, here_once, playing, renumber
from harness.scene import told, world
from harness.uids import KINDS, configure, marked
from harness.wrongclock import wrong


# What a server writes into its messages by itself.


@tap.case("a server that writes X-UIDL, Status and X-IMAPbase into its mail: nothing comes twice")
def own_lines(_env):
    def play(setting):
        kind, keep = setting
        messages = KINDS[kind](6)
        with playing(messages, keep=keep) as (one, server):
            one.fetch_ok()
            passes = itertools.count(1)
            for number in (next(passes), next(passes)):
                for place, (uid, message) in enumerate(list(server.drop.items())):
                    lines = b"Status: RO\r\nX-UIDL: %d.%d\r\nX-UID: %d\r\n" \
                        % (number, place, place)
                    if place == 0:
                        lines += b"X-IMAPbase: %d\r\n 77\r\n" % number
                    message = re.sub(rb"(?m)^(Status|X-UIDL|X-UID|X-IMAPbase):.*\r\n(?: .*\r\n)*",
                                     b"", message)
                    server.drop[uid] = message.replace(b"Date:", lines + b"Date:", 1)
                one.fetch_ok()
                here_once(one, messages, "after the server's lines, %d" % number)
            configure(one, server, keep=False)
            one.fetch_ok()
            here_once(one, messages, "after keep: false")
            tap.equal(list(server.drop), [], "left on the server")
    tap.each(itertools.product(KINDS, (True, "14d")), play)


# All UIDs are others.


def by_lf(message):
    """The size of MESSAGE as a server counts that stores no CR."""
    return len(message.replace(b"\r\n", b"\n"))


SIZES = {"14 more": lambda message: len(message) + 14, "LF counted": by_lf,
         "all alike": lambda message: 5000}


def wandering(server):
    """From now on each answer has another body."""
    times = itertools.count()

    def alter(_verb, _uid, data):
        return data + b"served %d times\r\n" % next(times)
    server.alter = alter


def without(verb):
    """What a server does that does not know VERB; nothing if there is none."""
    return {verb} if verb else set()


@tap.case("all UIDs and all sizes change: nothing comes twice, and all can be deleted")
def migrated(_env):
    def play(setting):
        kind, count, size, lacks = setting
        messages = KINDS[kind](count)
        with playing(messages, keep=True) as (one, server):
            server.without = without(lacks)
            one.fetch_ok()
            server.size = SIZES[size]
            renumber(server, 1)
            one.fetch_ok()
            here_once(one, messages, "after the migration")
            if kind == "with Received" and not lacks:
                tap.equal(server.count("RETR"), 0, "retrieved after the migration")
            server.asked.clear()
            one.fetch_ok()
            tap.equal(server.count("RETR"), 0, "retrieved once the new UIDs are known")
            server.size = len
            renumber(server, 2)
            server.put(KINDS[kind](4, seed=9), "new-%02d")
            one.fetch_ok()
            messages = messages + KINDS[kind](4, seed=9)
            here_once(one, messages, "after another one, with new mail")
            configure(one, server, keep=False)
            one.fetch_ok()
            here_once(one, messages, "after keep: false")
            tap.equal(list(server.drop), [], "left on the server")
    tap.each([*itertools.product(KINDS, (3, 60), SIZES, (None,)),
              *itertools.product(KINDS, (12,), ("14 more",), ("TOP", "PIPELINING", "CAPA"))],
             play)


@tap.case("all UIDs and sizes change, and bodies are served otherwise each time")
def migrated_wandering(_env):
    def play(setting):
        kind, size, lacks = setting
        messages = KINDS[kind](12)
        with playing(messages, keep="14d") as (one, server):
            server.without = without(lacks)
            wandering(server)
            one.fetch_ok()
            server.size = SIZES[size]
            for generation in (1, 2):
                renumber(server, generation)
                one.fetch_ok()
                one.fetch_ok()
                here_once(one, messages, "generation %d" % generation)
            wrong(one, 15 * DAY)
            one.fetch_ok()
            here_once(one, messages, "after 15 days")
            tap.equal(list(server.drop), [], "left after 15 days")
    tap.each(itertools.product(KINDS, SIZES, (None, "TOP")), play)


@tap.case("all UIDs and sizes change, and the session breaks, or may only fetch a few")
def migrated_in_parts(_env):
    def play(setting):
        kind, place, limit = setting
        messages = KINDS[kind](24)
        with playing(messages, keep=True) as (one, server):
            one.fetch_ok()
            server.size = SIZES["14 more"]
            renumber(server, 1)
            configure(one, server, keep=True, limits={"messages": limit})
            uid = list(server.drop)[place]
            server.poison = {(verb, uid): ("reset",) for verb in ("TOP", "RETR")}
            one.fetch()
            server.poison.clear()
            for _ in range(24 // limit + 2):
                one.fetch_ok()
                here_once(one, messages)
            configure(one, server, keep=False)
            one.fetch_ok()
            here_once(one, messages, "after keep: false")
            tap.equal(list(server.drop), [], "left on the server")
    tap.each(itertools.product(KINDS, (0, 11, 23), (5, 24)), play)


# Mail that comes back.


@tap.case("keep: false, and the server is restored with new UIDs: nothing comes twice")
def restored(_env):
    def play(setting):
        kind, count, wander, lacks = setting
        messages = KINDS[kind](count)
        with playing(messages, keep=False) as (one, server):
            server.without = without(lacks)
            backup = dict(server.drop)
            if wander:
                wandering(server)
            one.fetch_ok()
            one.fetch_ok()
            tap.equal(list(server.drop), [], "left on the server")
            for generation in (1, 2):
                server.drop = dict(backup)
                renumber(server, generation)
                new = KINDS[kind](2, seed=20 + generation)
                server.put(new, "new-%02d")
                messages = messages + new
                one.fetch_ok()
                here_once(one, messages, "restored, %d" % generation)
                tap.equal(list(server.drop), [], "left on the server")
    tap.each([*itertools.product(KINDS, (4, 6, 40), (False,), (None, "TOP")),
              ("with Received", 40, True, None)], play)


@tap.case("keep: false, restored with new UIDs, and only a few may come in a pass")
def restored_in_parts(_env):
    def play(kind):
        messages = KINDS[kind](20)
        with playing(messages, keep=False) as (one, server):
            backup = dict(server.drop)
            for _ in range(2):
                one.fetch_ok()
            server.drop = backup
            renumber(server, 1)
            configure(one, server, keep=False, limits={"messages": 3})
            for _ in range(8):
                one.fetch_ok()
            here_once(one, messages)
            tap.equal(list(server.drop), [], "left on the server")
    tap.each(KINDS, play)


@tap.case("one message that somebody puts on the server again is fetched again")
def put_again(_env):
    messages = marked(6)
    with playing(messages, keep=False) as (one, server):
        for _ in range(2):
            one.fetch_ok()
        server.put(messages[2:3], "again-%d")
        one.fetch_ok()
        here_once(one, messages + messages[2:3])


@tap.case("messages moved away and back, with new UIDs: nothing comes twice")
def moved_back(_env):
    def play(setting):
        kind, count, size, keep = setting
        messages = KINDS[kind](12)
        with playing(messages, keep=keep) as (one, server):
            one.fetch_ok()
            away = {uid: server.drop.pop(uid) for uid in list(server.drop)[2:2 + count]}
            one.fetch_ok()
            server.size = size
            server.drop.update(("back-" + uid, message) for uid, message in away.items())
            server.put(KINDS[kind](2, seed=31), "new-%02d")
            messages = messages + KINDS[kind](2, seed=31)
            for _ in range(2):
                one.fetch_ok()
                here_once(one, messages)
            configure(one, server, keep=False)
            one.fetch_ok()
            here_once(one, messages, "after keep: false")
            tap.equal(list(server.drop), [], "left on the server")
    tap.each(itertools.product(KINDS, (1, 5, 12), (len, SIZES["14 more"]), (True, "14d")), play)


@tap.case("copies of one message that wait on the server are not taken for what was deleted")
def copies(_env):
    def play(setting):
        kind, lost_quit = setting
        messages = KINDS[kind](1) * 7
        with playing(messages, keep=False, limits={"messages": 2}) as (one, server):
            if lost_quit:
                server.poison["QUIT", ""] = ("close",)  # it deletes all the same
                one.fetch()
                server.poison.clear()
            for _ in range(4):
                one.fetch_ok()
            tap.equal(len(readers.maildir(one.path("Mail"))), 7, "copies delivered")
            tap.equal(list(server.drop), [], "left on the server")
    tap.each(itertools.product(KINDS, (False, True)), play)


# Another message under a known UID.


def other(message):
    """Another message of the size of MESSAGE."""
    changed = re.sub(rb"(?m)^(Subject: |Received: |Message-ID: <)(.)", rb"\1Z", message)
    return changed[:-2] + b"Q\n"


@tap.case("a known UID used again for another message of equal size: it comes")
def replaced(_env):
    def play(setting):
        kind, count, place, keep, lacks = setting
        messages = KINDS[kind](count)
        with playing(messages, keep=keep) as (one, server):
            server.without = without(lacks)
            one.fetch_ok()
            new = other(messages[place])
            uid = list(server.drop)[place]
            server.drop[uid] = new.replace(b"\n", b"\r\n")
            one.fetch_ok()
            here_once(one, messages + [new], "after the next fetch")
            for _ in range(2):
                one.fetch_ok()
            server.asked.clear()
            one.fetch_ok()
            tap.equal(server.count("RETR"), 0, "retrieved again")
            here_once(one, messages + [new], "in the end")
            configure(one, server, keep=False)
            one.fetch_ok()
            here_once(one, messages + [new], "after keep: false")
            tap.equal(list(server.drop), [], "left on the server")
    tap.each([*itertools.product(KINDS, (12,), (0, 5, 11), (True, "14d"), (None,)),
              ("with Received", 1, 0, True, None), ("with Received", 4, 1, True, "PIPELINING")],
             play)


@tap.case("all messages replaced, of equal sizes and under the same UIDs: all come")
def replaced_all(_env):
    messages = marked(6)
    with playing(messages, keep=True) as (one, server):
        one.fetch_ok()
        new = [other(message) for message in messages]
        server.drop = dict(zip(server.drop, (m.replace(b"\n", b"\r\n") for m in new)))
        one.fetch_ok()
        here_once(one, messages + new)


@tap.case("of many known messages a few are looked at in each pass, until all have been")
def audited(_env):
    messages = marked(90)
    with playing(messages, keep=True) as (one, server):
        for _ in range(2):
            one.fetch_ok()
        uid = list(server.drop)[60]
        new = other(messages[60])
        server.drop[uid] = new.replace(b"\n", b"\r\n")
        server.asked.clear()
        for number in range(40):
            one.fetch_ok()
            if len(readers.maildir(one.path("Mail"))) > 90:
                break
        here_once(one, messages + [new])
        tap.check(server.count("TOP") <= 5 * (number + 2), "%d headers in %d passes"
                  % (server.count("TOP"), number + 1))


@tap.case("a server whose headers are others each time: nothing comes twice")
def unstable(_env):
    def play(count):
        messages = marked(count)
        with playing(messages, keep=True) as (one, server):
            times = itertools.count(1)

            def alter(_verb, _uid, data):
                return b"Received: by proxy; %d\r\n" % next(times) + data
            server.alter = alter
            one.fetch_ok()
            server.asked.clear()
            for _ in range(4):
                one.fetch_ok()
                here_once(one, messages)
            tap.equal(server.count("RETR"), 0, "retrieved again")
    tap.each((1, 6), play)


@tap.case("a server that cannot answer TOP of what is known: mail comes all the same")
def audit_breaks(_env):
    def play(deed):
        messages = marked(6)
        with playing(messages, keep=True) as (one, server):
            one.fetch_ok()
            for uid in server.drop:
                server.poison["TOP", uid] = deed
            for number in range(2):
                server.put(marked(2, seed=60 + number), "new%d-%%02d" % number)
                messages = messages + marked(2, seed=60 + number)
                one.fetch_ok()
                here_once(one, messages)
    tap.each((("refuse", "no"), ("close",), ("reset",), ("cut", 20), ("stall",)), play)


# A server that tells UIDs today, and none tomorrow.


@tap.case("UIDL refused, then answered: nothing comes twice")
def uidl_comes_back(_env):
    def play(setting):
        kind, keep, lacks = setting
        messages = KINDS[kind](6)
        with playing(messages, keep=keep) as (one, server):
            server.without = {"UIDL", "LAST"} if keep is False else {"UIDL"}
            server.without |= without(lacks)
            if keep is False:
                server.poison["QUIT", ""] = ("close",)
            one.fetch()
            here_once(one, messages)
            server.poison.clear()
            server.without = without(lacks)
            server.put(KINDS[kind](2, seed=4), "new-%02d")
            messages = messages + KINDS[kind](2, seed=4)
            for _ in range(2):
                one.fetch_ok()
                here_once(one, messages, "with UIDs")
            server.asked.clear()
            one.fetch_ok()
            tap.equal(server.count("RETR"), 0, "retrieved once the UIDs are known")
            server.put(KINDS[kind](1, seed=5), "newer-%02d")
            one.fetch_ok()
            tap.check(server.count("TOP") <= 8, "old entries still ask for headers")
            configure(one, server, keep=False)
            one.fetch_ok()
            tap.equal(list(server.drop), [], "left on the server")
            here_once(one, messages + KINDS[kind](1, seed=5), "in the end")
    tap.each(itertools.product(KINDS, (True, "14d", False), (None, "TOP")), play)


# Bodies that are cut short.


def shorten(server, uids, size):
    """The messages UIDS come as if they were SIZE(bytes) long."""
    def alter(verb, uid, data):
        return data[:size(len(data))] + b"\r\n" if verb == "RETR" and uid in uids else data
    server.alter = alter


@tap.case("a body that the server cuts short, among exact sizes, stays on the server")
def cut_short(_env):
    def play(setting):
        count, cut, size, keep, lacks = setting
        messages = [message + b"more text\n" * 100 for message in marked(count)]
        with playing(messages, keep=keep) as (one, server):
            server.without = without(lacks)
            uids = list(server.drop)[-cut:]
            shorten(server, uids, size)
            told(one.fetch_ok(), 0, "shorter", "stays on the server")
            here = readers.maildir(one.path("Mail"))
            tap.equal(len(here), count, "messages delivered")
            server.asked.clear()
            for _ in range(3):
                wrong(one, 15 * DAY)
                one.fetch_ok()
            tap.equal(list(server.drop), uids, "left on the server")
            tap.equal(server.count("RETR"), 0, "retrieved again")
            new = marked(5, seed=8)
            server.put(new, "new-%02d")
            one.fetch_ok()
            wrong(one, 45 * DAY)
            one.fetch_ok()
            tap.equal(list(server.drop), uids, "left on the server, after exact ones")
            here_once(one, messages + new)
    tap.each([*itertools.product((8,), (1, 2), (lambda n: n // 2, lambda n: n - n // 10),
                                 (False, "14d"), (None,)),
              (1, 1, lambda n: n // 2, False, None), (8, 1, lambda n: n // 2, False, "PIPELINING"),
              (8, 1, lambda n: n // 2, False, "TOP")], play)


@tap.case("a server that lists all its mail too large is no reason to leave any there")
def listed_large(_env):
    def play(factor):
        messages = marked(12)
        with playing(messages, keep=False) as (one, server):
            server.size = lambda message: len(message) * factor // 10
            one.fetch_ok()
            here_once(one, messages)
            tap.equal(list(server.drop), [], "left on the server")
            server.put(marked(1, seed=3), "new-%02d")
            one.fetch_ok()
            tap.equal(list(server.drop), [], "left on the server")
    tap.each((11, 30, 9, 5), play)


if __name__ == "__main__":
    tap.main(world)
