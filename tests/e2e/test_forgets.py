#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that forget for a while what they have, what they deleted or what they
know of UIDs, and answers to QUIT that are lost: no message comes twice, and what
should go still goes."""

import itertools

from harness import tap
from harness.scene import QUICK, fetching, world
from harness.uids import (KINDS, WITHOUT_TOP, WITHOUT_UIDL, deleted_unread, deletes_all,
                          here_once, hide, ruled, set_rules, show)


@tap.case("a server that shows nothing or less for a while: nothing comes twice")
def forgets(_env):
    def play(setting):
        kind, keep, share = setting
        messages = KINDS[kind](12)
        with fetching(messages=messages, keep=keep) as (one, server):
            one.fetch_ok()
            server.forget()
            for _ in range(2):
                hide(server, server.held()[:share])
                one.fetch_ok()
                one.fetch_ok()
                show(server)
                one.fetch_ok()
            here_once(one, messages)
            tap.equal(server.count("RETR"), 0, "retrieved again")
            tap.equal(len(server.held()), 12, "left on the server")
            deletes_all(one, server, messages)
    tap.each(itertools.product(KINDS, (True, "14d"), (12, 6)), play)


@tap.case("a server that forgets what it did not delete either: nothing comes twice")
def forgets_undeleted(_env):
    for kind, make in KINDS.items():
        messages = make(12)
        with ruled("on QUIT ignore", messages=messages, keep=False) as (one, server, script):
            one.fetch_ok()
            for _ in range(2):
                hide(server, server.held())
                one.fetch_ok()
                show(server)
                one.fetch_ok()
                here_once(one, messages, kind)
            set_rules(script)
            one.fetch_ok()
            here_once(one, messages, kind)
            tap.equal(server.held(), [], "left on the server")


@tap.case("UIDL or LIST empty for once: nothing comes twice, nothing is lost")
def lists_nothing(_env):
    def play(setting):
        kind, verb, keep = setting
        messages = KINDS[kind](12)
        with fetching("on %s #2 ignore" % verb, messages=messages[:6], keep=keep) as (one, server):
            one.fetch_ok()
            server.put(messages[6:], first=6)
            for _ in range(3):
                one.fetch_ok()
            here_once(one, messages)
            tap.equal(deleted_unread(server), [], "deleted without being fetched")
            deletes_all(one, server, messages)
    tap.each(itertools.product(KINDS, ("UIDL", "LIST"), (True, False)), play)


@tap.case("a server that loses UIDL for a moment after a lost QUIT: nothing comes twice")
def no_uidl_for_once(_env):
    for kind, make in KINDS.items():
        messages = make(6)
        with ruled("on QUIT close", messages=messages, keep=False) as (one, server, script):
            one.expect(75, "fetch")
            set_rules(script, "on UIDL err \"not now\"", "on QUIT close")
            one.fetch()
            set_rules(script)
            one.fetch_ok()
            one.fetch_ok()
            here_once(one, messages, kind)
            tap.equal(server.held(), [], "left on the server")


@tap.case("a server that does not delete: nothing comes twice, deletion is tried again")
def deletes_nothing(_env):
    def play(setting):
        kind, rule, options = setting
        messages = KINDS[kind](6)
        with ruled(rule, messages=messages, keep=False, options=options) \
                as (one, server, script):
            for number in range(4):
                server.forget()
                one.fetch_ok()
                here_once(one, messages, "after fetch %d" % (number + 1))
                tap.equal(len(server.held()), 6, "on the server")
                tap.equal(server.count("DELE"), 6, "DELE commands of fetch %d" % (number + 1))
                if number and kind == "with Received" and not options:
                    tap.equal(server.count("RETR"), 0, "retrieved again")
            set_rules(script)
            one.fetch_ok()
            here_once(one, messages, "after the deletion")
            tap.equal(server.held(), [], "left when DELE works")
    tap.each(itertools.product(KINDS, ("on DELE ignore", "on QUIT ignore",
                                       "on DELE err \"not today\""), ((), WITHOUT_TOP)), play)


LOST = {"deleted, then closed": "do-then-close", "deleted, then reset": "do-then-reset",
        "closed, nothing deleted": "close", "refused, nothing deleted": "err \"[SYS/TEMP] no\"",
        "deleted, then silence": "do-then-stall", "silence, nothing deleted": "stall"}
POOR = ((), WITHOUT_TOP, WITHOUT_UIDL, ("--without", "uidl,top"))


@tap.case("QUIT's answer is lost: what was deleted is not missed, what was not is deleted")
def lost_quit(_env):
    def play(setting):
        kind, how, options = setting
        messages = KINDS[kind](6)
        with fetching("on QUIT #1 " + LOST[how], messages=messages, keep=False,
                      options=options, timeouts=QUICK) as (one, server):
            result = one.fetch()
            tap.check(result.status in (75, 76), "exit status", result)
            done = "do-" in LOST[how]
            tap.equal(len(server.held()), 0 if done else 6, "on the server after the first")
            new = KINDS[kind](2, seed=8)
            server.put(new, first=10)
            server.forget()
            one.fetch_ok()
            here_once(one, messages + new)
            tap.equal(server.held(), [], "left on the server")
            if kind == "with Received" and not options:
                tap.equal(server.count("RETR"), 2, "retrieved by the second fetch")
    silent = [how for how in LOST if "silence" in how]
    tap.each([*itertools.product(KINDS, set(LOST) - set(silent), POOR),
              *itertools.product(["without Received"], silent, ((), WITHOUT_UIDL))], play)


@tap.case("QUIT is lost again and again: still nothing comes twice")
def lost_quits(_env):
    def play(setting):
        kind, options = setting
        messages = KINDS[kind](6)
        with ruled("on QUIT close", messages=messages, keep=False, options=options) \
                as (one, server, script):
            for _ in range(4):
                one.expect(75, "fetch")
                here_once(one, messages)
            set_rules(script)
            one.fetch_ok()
            here_once(one, messages, "in the end")
            tap.equal(server.held(), [], "left on the server")
    tap.each(itertools.product(KINDS, ((), WITHOUT_TOP, WITHOUT_UIDL)), play)


@tap.case("without UIDL, identical messages count: as many as there were, and no fewer")
def multiset(_env):
    def play(kind):
        one_kind = KINDS[kind](3)
        messages = [one_kind[0]] * 3 + one_kind[1:] + [one_kind[2]]
        with fetching("on QUIT #1 close", messages=messages, keep=False,
                      options=WITHOUT_UIDL) as (one, server):
            one.expect(75, "fetch")
            here_once(one, messages)
            more = [one_kind[0]] * 2 + [one_kind[1]]
            server.put(more, first=20)
            one.fetch_ok()
            here_once(one, messages + more, "with three more of them")
            tap.equal(server.held(), [], "left on the server")
            server.put(more, first=20)      # what is gone does not count
            one.fetch_ok()
            here_once(one, messages + more + more, "and again")
            tap.equal(server.held(), [], "left on the server in the end")
    tap.each(KINDS, play)


@tap.case("LAST alone: new mail comes, old mail does not, also after a lost QUIT")
def last_servers(_env):
    def play(setting):
        kind, how = setting
        messages = KINDS[kind](9)
        options = ["--without", "uidl", "--with", "last"]
        with fetching("on QUIT #2 " + how, messages=messages[:4], keep=True,
                      options=options) as (one, server):
            one.fetch_ok()
            server.put(messages[4:], first=4)
            one.fetch()                     # it may say that QUIT went wrong
            here_once(one, messages)
            for _ in range(2):
                one.fetch_ok()
                here_once(one, messages, "after the lost QUIT")
            deletes_all(one, server, messages)
    tap.each(itertools.product(KINDS, ("close", "do-then-close")), play)


if __name__ == "__main__":
    tap.main(world)
