#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong on the way to the server gets one clear line, loses nothing.

The server is the project's own, told to misbehave; its log is the witness of
what was sent to it.
"""

import os
import socket

from harness import agent, procs, readers, tap, wire
from harness.scene import MESSAGES, QUICK, WANTED, all_there, fetching, nothing_lost, told, world


@tap.case("two fetches at once: the second exits 75 at once, and names the first")
def at_once(_env):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(1)
        one = agent.Agent()
        one.configure({"box": {
            "host": "127.0.0.1", "port": silent.getsockname()[1], "user": "jane",
            "password": "secret", "deliver": {"maildir": one.path("Mail")}}})
        first = one.start("fetch")
        silent.settimeout(30)
        connection, _ = silent.accept()         # it holds the lock by now
        pids = [first.pid] + procs.descendants(first.pid)
        result = one.fetch()
        told(result, 75, r"\b(%s)\b" % "|".join(map(str, pids)))
        tap.equal(first.poll(), None, "exit status of the first, which was not waited for")
        one.abort(first)
        connection.close()
    tap.diag("the second exits after %.2f s" % result.seconds)


@tap.case("an unreachable host: 75, and which one")
def unreachable(_env):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        with fetching(port=port) as (one, _server):
            told(one.fetch(), 75, "box", r"localhost.*%d" % port, "refused")


@tap.case("a refused login: 77, with the server's words, tried once")
def refused(_env):
    with fetching(password="wrong-Zx9") as (one, server):
        result = one.fetch()
        told(result, 77, "box")
        tap.check("wrong-Zx9" not in result.err + result.out, "the password is told", result)
        logins = server.count("PASS") + server.count("AUTH")
        tap.check(1 <= logins <= 2, "%d logins tried" % logins, server.commands())
        tap.equal(len(server.held()), len(MESSAGES), "messages on the server")
    with fetching('on PASS err "[AUTH] \\x1b[31mno such account"', auth=["user"]) as (one, _):
        result = one.fetch()
        told(result, 77, "no such account")
        tap.check("\x1b" not in result.err, "the server's escape reached the terminal")


@tap.case("a maildrop in use or a login delayed is no refusal: 75")
def in_use(_env):
    def play(code):
        with fetching('on PASS #1 err "%s later"' % code, auth=["user"]) as (one, server):
            told(one.fetch(), 75, "later")
            all_there(one, server)
    tap.each(("[IN-USE]", "[LOGIN-DELAY]", "[SYS/TEMP]"), play)


MALFORMED = (
    'on GREETING #1 reply "HELLO\\r\\n"',
    'on GREETING #1 endless-line',
    'on CAPA #1 endless',
    'on UIDL #1 reply "+OK\\r\\n1 a\\r\\nbanana\\r\\n.\\r\\n"',
    'on UIDL #1 reply "+OK\\r\\n99999999999999999999 a\\r\\n.\\r\\n"',
    'on LIST #1 endless-line',
    'on RETR #2 reply "HELLO\\r\\n"',
    'on RETR #2 garbage 2000 7',
    'on UIDL #1 append "+OK stray\\r\\n"',
)


@tap.case("malformed replies: 76, nothing lost, and all is well the next time")
def malformed(_env):
    def play(rule):
        with fetching(rule, timeouts=QUICK) as (one, server):
            told(one.fetch(), 76, "box")
            nothing_lost(one, server)
            all_there(one, server)
    tap.each(MALFORMED, play)


LOST_LINES = (
    "on GREETING #1 close", "on PASS #1 close", "on AUTH #1 close", "on UIDL #1 cut 20",
    "on RETR #1 cut 100", "on RETR #3 cut -3", "on RETR #3 cut -1 then-reset",
    "on RETR #6 notify then-close", "on DELE #2 reset", "on DELE #2 do-then-close",
    "on QUIT #1 do-then-close", "on QUIT #1 close", "on RETR #4 stall-at 90",
    "on GREETING #1 stall", "on QUIT #1 stall", "on RETR #1+ split 1",
)


@tap.case("a line that breaks or falls silent anywhere: nothing lost, nothing twice")
def broken_lines(_env):
    def play(rule):
        with fetching(rule, timeouts=QUICK) as (one, server):
            result = one.fetch()
            tap.check(result.status in (0, 75), "exit status", result)
            nothing_lost(one, server)
            all_there(one, server)
    tap.each(LOST_LINES, play)


@tap.case("a server that drops what it has not read when it answers gets one command at a time")
def one_at_a_time(_env):
    def play(verb):
        rule = "on %s * drop-input" % verb
        with fetching(rule, messages=MESSAGES, timeouts=QUICK) as (one, server):
            all_there(one, server)
            tap.check(sum(line.startswith("connect ") for line in server.log()) == 2,
                      "not two sessions", server.log())
    tap.each(("ANY", "UIDL", "RETR", "DELE"), play)


@tap.case("silence, and then a destination that fails: the session is not held again")
def no_second(_env):
    with fetching("on RETR * drop-input", timeouts=QUICK) as (one, server):
        keys = server.account({"mbox": one.path("nowhere/box")}, keep=False,
                              timeouts=QUICK)
        one.configure({"box": keys})
        told(one.fetch(), 75, "nowhere")
        tap.equal(sum(line.startswith("connect ") for line in server.log()), 1, "sessions")
        tap.equal(len(server.held()), len(MESSAGES), "left on the server")
        os.mkdir(one.path("nowhere"))
        one.fetch_ok()
        tap.equal(wire.digests(readers.mbox(one.path("nowhere/box"))), WANTED, "delivered")
        tap.equal(server.held(), [], "left on the server")


@tap.case("a message that the server will not give is left there; the others come")
def refused_message(_env):
    with fetching('on RETR 3 err "cannot read it"') as (one, server):
        result = one.fetch()
        told(result, result.status, "cannot read it")
        tap.equal(len(readers.maildir(one.path("Mail"))), len(MESSAGES) - 1, "delivered")
        tap.equal(len(server.held()), 1, "left on the server")
        nothing_lost(one, server)


@tap.case("a line that always breaks at the third message brings two each time")
def poison(_env):
    with fetching("on RETR 3 cut 100") as (one, server):
        for here in (2, 4):
            told(one.fetch(), 75, "box")
            tap.equal(len(readers.maildir(one.path("Mail"))), here, "messages delivered")
            nothing_lost(one, server)


if __name__ == "__main__":
    tap.main(world)
