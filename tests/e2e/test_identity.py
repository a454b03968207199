#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which message is which, when a server's words for them change.

Messages whose UIDs and sizes are all others, that went away and came back, or
that another one has taken the UID of; bodies that are served otherwise each
time, or cut short. Each is here once in the end, and what was never fetched is
never deleted.
"""

import contextlib
import itertools
import os
import re

from harness import agent, corpus, readers, tap, wire
from harness.scene import told, world
from harness.tinypop import TinyPop
from harness.wrongclock import wrong


def marked(count, seed=1):
    """Messages that a Received line tells apart."""
    return corpus.simple(count, seed)


def bare(count, seed=1):
    """Messages without Received."""
    return [re.sub(rb"^Received:[^\n]*\n", b"", message, flags=re.MULTILINE)
            for message in corpus.simple(count, seed)]


KINDS = {"with Received": marked, "without Received": bare}


@contextlib.contextmanager
def playing(messages, **account):
    """A TinyPop with MESSAGES and an agent with one account, `box`, there."""
    with TinyPop(messages) as server:
        one = agent.Agent()
        configure(one, server, **account)
        yield one, server


def configure(one, server, **keys):
    """The account `box` with other keys."""
    one.configure({"box": server.account({"maildir": one.path("Mail")}, **keys)})


def subject(message):
    """What names a message, however it is served."""
    found = re.search(rb"(?m)^Message-ID: ([^\r\n]*)", message)
    return found.group(1) if found else message


def here_once(one, messages, what="messages delivered"):
    """Each of MESSAGES must be here, once, and nothing else."""
    got = wire.digests(map(subject, readers.maildir(one.path("Mail"))))
    wanted = wire.digests(map(subject, messages))
    tap.check(not got - wanted, "%s: %d doubled or strange"
              % (what, sum((got - wanted).values())))
    tap.check(not wanted - got, "%s: %d missing" % (what, sum((wanted - got).values())))


def renumber(server, generation):
    """All messages get new UIDs."""
    server.drop = {"g%d-%03d" % (generation, number): message
                   for number, message in enumerate(server.drop.values())}
    server.asked.clear()


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


# Ages, by a clock that is wrong.

DAY, YEAR = 86400, 366 * 86400


def aged(one, server, *moments):
    """Fetch at each of MOMENTS (seconds ahead of now), none of which is late enough
    to delete anything."""
    for ahead in moments:
        wrong(one, ahead)
        result = one.fetch_ok()
        tap.equal(len(server.drop), 6, "on the server with the clock at %+.1f years"
                  % (ahead / YEAR))
    return result


@tap.case("keep: 14d and a clock that is wrong for one pass: nothing is deleted early")
def clock_once(_env):
    def play(years):
        messages = marked(6)
        with playing(messages, keep="14d") as (one, server):
            one.fetch_ok()
            told(aged(one, server, int(years * YEAR)), 0, "clock", "days", "age")
            aged(one, server, 60, int(years * YEAR), int(years * YEAR) + 60, 120, 13 * DAY)
            wrong(one, 30 * DAY)
            one.fetch_ok()
            tap.equal(list(server.drop), [], "left when it is time")
            here_once(one, messages)
    tap.each((20, 1, 100, -20, -1, -50), play)


@tap.case("a clock that was wrong when the mail came: nothing is deleted early, all in time")
def clock_first(_env):
    def play(setting):
        years, lost = setting
        messages = marked(6)
        with playing(messages, keep="14d") as (one, server):
            wrong(one, int(years * YEAR))
            one.fetch_ok()
            if lost:
                os.unlink(one.state + "/box/memory")
            aged(one, server, 0, 60, 10 * DAY)
            wrong(one, 16 * DAY)
            one.fetch_ok()
            tap.equal(list(server.drop), [], "left when it is time")
            here_once(one, messages)
    tap.each(itertools.product((20, 1, -20, -50), (False, True)), play)


@tap.case("a wrong clock and no file memory: nothing is deleted early")
def clock_without_memory(_env):
    def play(years):
        messages = marked(6)
        with playing(messages, keep="14d") as (one, server):
            one.fetch_ok()
            for ahead in (years * YEAR, 60, years * YEAR, 120):
                os.unlink(one.state + "/box/memory")
                aged(one, server, ahead)
    tap.each((20, -20), play)


@tap.case("a clock that is right deletes when it is time, also after a month without a pass")
def clock_right(_env):
    for days in (14.1, 15, 40):
        messages = marked(6)
        with playing(messages, keep="14d") as (one, server):
            aged(one, server, 0)
            wrong(one, int(days * DAY))
            one.fetch_ok()
            tap.equal(list(server.drop), [], "left after %s days" % days)


@tap.case("what waits for its next try does not wait for a wrong clock's time")
def clock_set_aside(_env):
    def play(years):
        messages = marked(2)
        with playing(messages, keep=True) as (one, server):
            bad = list(server.drop)[0]
            server.poison["RETR", bad] = ("refuse", "not now")
            wrong(one, years * YEAR)
            for _ in range(4):
                one.fetch()
            here_once(one, messages[1:])
            server.poison.clear()
            wrong(one, 0)
            one.fetch_ok()
            here_once(one, messages)
    tap.each((20, -20), play)


if __name__ == "__main__":
    tap.main(world)
