#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long mail stays on the server, and servers that can do little.

Whatever a server lacks, every message is fetched once and deleted only when
the account says so; where that cannot be had, the account is refused.
"""

from harness import corpus, procs, readers, tap, wire
from harness.scene import MESSAGES, WANTED, fetching, told, world
from harness.wrongclock import wrong

HOUR = 3600


def here_once(one, wanted=WANTED):
    """Every message must be here, once."""
    tap.equal(wire.digests(readers.maildir(one.path("Mail"))), wanted, "messages delivered")


def fetch_again(one, server):
    """A second fetch must retrieve nothing."""
    server.forget()
    one.fetch_ok()
    tap.equal(server.count("RETR"), 0, "messages retrieved the second time")
    here_once(one)


@tap.case("keep: true leaves all, keep: false takes all, each message comes once")
def keep_or_not(_env):
    for keep in (True, False):
        with fetching(keep=keep) as (one, server):
            one.fetch_ok()
            here_once(one)
            tap.equal(len(server.held()), len(MESSAGES) if keep else 0, "left on the server")
            fetch_again(one, server)


@tap.case("keep: 2h deletes when its time since delivery has come, and not before")
def keep_for(_env):
    with fetching(keep="2h") as (one, server):
        for ahead in (0, 60, 2 * HOUR - 600):
            wrong(one, ahead)
            one.fetch_ok()
            tap.equal(len(server.held()), len(MESSAGES), "left after %d s" % ahead)
        wrong(one, 2 * HOUR)
        one.fetch_ok()
        tap.equal(server.held(), [], "left when its time has come")
        tap.equal(server.count("RETR"), len(MESSAGES), "messages retrieved in all")
        here_once(one)


@tap.case("keep: 14d keeps")
def keep_days(_env):
    with fetching(keep="14d") as (one, server):
        one.fetch_ok()
        fetch_again(one, server)
        tap.equal(len(server.held()), len(MESSAGES), "left on the server")


@tap.case("new mail between two fetches comes alone")
def new_mail(_env):
    messages = corpus.simple(10, seed=5)
    with fetching(keep=True, messages=messages[:6]) as (one, server):
        one.fetch_ok()
        server.put(messages[6:], first=6)
        server.forget()
        one.fetch_ok()
        tap.equal(server.count("RETR"), 4, "messages retrieved")
        here_once(one, wire.digests(messages))


@tap.case("identical messages all come")
def identical(_env):
    messages = MESSAGES[:1] * 5
    for keep in (True, False):
        with fetching(keep=keep, messages=messages) as (one, server):
            one.fetch_ok()
            one.fetch_ok()
            here_once(one, wire.digests(messages))


@tap.case("without UIDL, keep: false still takes everything once")
def no_uidl_delete(_env):
    for options in (["--without", "uidl"], ["--without", "uidl", "--with", "last"],
                    ["--without", "uidl,top,pipelining,capa"]):
        with fetching(options=options) as (one, server):
            one.fetch_ok()
            here_once(one)
            tap.equal(server.held(), [], "left on the server")
            fetch_again(one, server)


@tap.case("without UIDL and LAST, keep: true is refused at login, clearly")
def no_uidl_keep(_env):
    for keep in (True, "14d"):
        with fetching(keep=keep, options=["--without", "uidl"]) as (one, server):
            result = one.fetch()
            tap.check(result.status in (76, 78), "exit status", result)
            told(result, result.status, "box", "UIDL", r"keep: false|delete")
            tap.equal(server.count("RETR") + server.count("DELE"), 0, "RETR and DELE")


@tap.case("without UIDL but with LAST, keep: true fetches what is new")
def no_uidl_last(_env):
    messages = corpus.simple(9, seed=6)
    options = ["--without", "uidl", "--with", "last"]
    with fetching(keep=True, messages=messages[:6], options=options) as (one, server):
        one.fetch_ok()
        tap.check(server.count("LAST") > 0, "LAST was not asked")
        tap.equal(len(server.held()), 6, "left on the server")
        here_once(one, wire.digests(messages[:6]))


@tap.case("without UIDL but with LAST, a message that is refused once comes the next time")
def no_uidl_refused(_env):
    options = ["--without", "uidl", "--with", "last"]
    with fetching('on RETR #1 err "busy disk"', keep=True, options=options) as (one, server):
        one.expect(75, "fetch")
        one.fetch_ok()
        here_once(one, wire.digests(MESSAGES))
        tap.equal(len(server.held()), len(MESSAGES), "left on the server")


POOR = (["--without", "pipelining", "--strict-lockstep"], ["--without", "capa"],
        ["--without", "top"], ["--without", "sasl"], ["--without", "user"],
        ["--without", "resp-codes,tickets"], ["--with", "last"],
        ["--without", "capa,top,pipelining,sasl", "--strict-lockstep"])


@tap.case("without PIPELINING, CAPA, TOP, SASL or USER all the same holds")
def poor_servers(_env):
    def play(options):
        with fetching(keep=True, options=options) as (one, server):
            one.fetch_ok()
            fetch_again(one, server)
            one.configure({"box": server.account({"maildir": one.path("Mail")}, keep=False)})
            one.fetch_ok()
            here_once(one)
            tap.equal(server.held(), [], "left on the server")
            broken = [event for event in server.log() if event.startswith("violation")]
            tap.equal(broken, [], "violations of the protocol")
    tap.each(POOR, play)


@tap.case("messages above limits.message stay on the server and are told of")
def size_limit(_env):
    big = MESSAGES[0] + b"x" * 70 + b"\n" * 50_000
    messages = [MESSAGES[1], big, MESSAGES[2]]
    with fetching(messages=messages, limits={"message": "20K"}) as (one, server):
        result = one.fetch()
        tap.check(result.status in (0, 75), "exit status", result)
        tap.check("too large" in result.err + result.out, "not told", result)
        here_once(one, wire.digests(MESSAGES[1:3]))
        tap.equal(len(server.held()), 1, "left on the server")
        tap.equal(server.count("RETR"), 2, "messages retrieved")
        one.configure({"box": server.account({"maildir": one.path("Mail")}, keep=False)})
        procs.wait_until(lambda: one.fetch().status == 0 and not server.held(), 60,
                         "a fetch without the limit")
        here_once(one, wire.digests(messages))


@tap.case("limits.messages and limits.bytes leave the rest for the next fetch")
def pass_limits(_env):
    for limits in ({"messages": 2}, {"bytes": "1K"}):
        with fetching(limits=limits) as (one, server):
            one.fetch_ok()
            tap.check(0 < server.count("RETR") < len(MESSAGES), "%s: %d messages retrieved"
                      % (limits, server.count("RETR")))
            procs.wait_until(lambda: one.fetch().status == 0 and not server.held(), 60,
                             "the rest")
            here_once(one)


if __name__ == "__main__":
    tap.main(world)
