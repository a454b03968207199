#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a message has been here, by a clock that may be wrong: nothing is deleted
early, and all of it in time."""

import itertools
import os

from harness import tap
from harness.identity import DAY, YEAR, here_once, playing
from harness.scene import told, world
from harness.uids import marked
from harness.wrongclock import wrong


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
