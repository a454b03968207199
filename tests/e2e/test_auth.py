#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every login method, against a real Dovecot that has them all.

`auth: auto` must take the strongest that both sides have, a list must be kept
to, a wrong password is refused with 77 after two tries at most, and neither
the password nor what a mechanism makes of it may be shown by --trace.
"""

import base64
import contextlib

from harness import agent, corpus, readers, tap, wire
from harness.dovecot import Dovecot

ALL = "plain login scram-sha-256 scram-sha-1 cram-md5"
NAMES = ("scram-sha-256", "scram-sha-1", "cram-md5", "plain", "user")
MESSAGES = corpus.simple(3)


@contextlib.contextmanager
def world():
    """A Dovecot with all mechanisms and a maildrop for each case."""
    server = Dovecot()
    server.mechanisms = ALL
    for user in (*NAMES, "auto", "listed", "wrong"):
        server.add(user, MESSAGES)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def without_sasl():
    """Was the program built without GNU SASL?"""
    return "not built in" in agent.Agent().run("--version").out


def fetching(server, user, **keys):
    """An agent that fetches USER's mail into a Maildir."""
    one = agent.Agent()
    deliver = {"maildir": one.path("Mail")}
    one.configure({"box": server.account(user, deliver, **keys)})
    return one


def methods(result):
    """The methods a --trace shows, in order."""
    lines = [line[4:] for line in result.err.splitlines() if line.startswith(" C: ")]
    return [line[5:].lower() if line.startswith("AUTH ") else "user"
            for line in lines if line.startswith(("AUTH ", "USER "))]


@tap.case("each method by name logs in and delivers")
def by_name(server):
    for name in NAMES:
        if without_sasl() and name not in ("plain", "user"):
            continue
        one = fetching(server, name, auth=[name])
        result = one.run("--trace", "fetch")
        tap.equal(result.status, 0, "%s: exit status" % name)
        tap.equal(methods(result), [name], "methods used")
        tap.equal(wire.digests(readers.maildir(one.path("Mail"))), wire.digests(MESSAGES),
                  "%s: messages" % name)
        for secret in (server.PASSWORD, base64.b64encode(server.PASSWORD.encode()).decode()):
            tap.check(secret not in result.err, "%s: the password is in the trace" % name)


@tap.case("auto takes the strongest, a list the first of its own")
def order(server):
    best = "plain" if without_sasl() else "scram-sha-256"
    tap.equal(methods(fetching(server, "auto").run("--trace", "fetch")), [best], "auto")
    listed = fetching(server, "listed", auth=["user", "plain"])
    tap.equal(methods(listed.run("--trace", "fetch")), ["user"], "a list")


@tap.case("a wrong password: 77, and at most two tries")
def wrong(server):
    one = fetching(server, "wrong", password="not this one")
    result = one.run("--trace", "fetch")
    tap.equal(result.status, 77, "exit status")
    tap.check(1 <= len(methods(result)) <= 2, "tries: %s" % methods(result))


if __name__ == "__main__":
    tap.main(world)
