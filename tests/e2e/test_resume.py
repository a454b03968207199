#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS sessions that go on where the last one ended, and are judged as it was."""

import contextlib
import os
import re
import shutil
import time

from harness import agent, authority, corpus, dovecot, popd, procs, relay, tap
from harness.scene import MESSAGES, fetching, world
from harness.wrongclock import wrong

VERSIONS = ("1.2", "1.3")
HOUR = 3600


def handshakes(server):
    """The kinds of the server's handshakes, in order."""
    return [text.split(" ")[2] for text in server.log() if text.startswith("tls ")]


def probe(one):
    """What probe says of the second connection and of UIDs."""
    out = one.expect(0, "probe", "box").out
    return re.findall(r"^(?:second connection|uids): .*$", out, re.MULTILINE)


@tap.case("a second session is resumed, with TLS 1.2 and 1.3, implicit and STLS")
def resumed(_env):
    for version in VERSIONS:
        for tls in ("implicit", "starttls"):
            options = ["--priority", "NORMAL:-VERS-ALL:+VERS-TLS" + version]
            with fetching(options=options, server_tls=tls) as (one, server):
                tap.equal(probe(one), ["second connection: TLS resumed",
                                       "uids: the same at a second login"], "probe")
                tap.equal(handshakes(server), ["full", "resumed"], "handshakes")


@tap.case("against Dovecot, 10 of 10")
def with_dovecot(_env):
    server = dovecot.Dovecot()
    server.add("jane", corpus.simple(2))
    # Each login process of Dovecot has a key of its own for tickets.
    server.logins = 1
    server.start()
    try:
        one = agent.Agent()
        one.configure({"box": server.account("jane", {"maildir": one.path("Mail")})})
        said = [probe(one)[0] for _ in range(10)]
        tap.equal(said, ["second connection: TLS resumed"] * 10, "probe")
    finally:
        server.stop()


@tap.case("no ticket is offered where the server has none to give")
def none_given(_env):
    with fetching(options=["--without", "tickets"]) as (one, server):
        tap.check("full handshake" in probe(one)[0], "resumed")
        tap.equal(handshakes(server), ["full", "full"], "handshakes")


@tap.case("a certificate that demands a staple demands it each time")
def must_staple(_env):
    ca = authority.Authority()
    cert = ca.issue(extensions=(*authority.LEAF, authority.SERVER,
                                "tlsfeature=status_request"))
    with popd.Popd(MESSAGES, "--cert-key", cert.bundle(), "--ocsp", ca.staple(cert)) as server:
        one = agent.Agent()
        one.configure({"box": server.account({"maildir": one.path("Mail")}, ca_file=ca.path)})
        probe(one)
        tap.equal(handshakes(server), ["full", "full"], "handshakes")


@tap.case("a resumed session is judged by what is trusted now, and then by a full handshake")
def judged_again(_env):
    for version in VERSIONS:
        options = ["--priority", "NORMAL:-VERS-ALL:+VERS-TLS" + version]
        with fetching(options=options, server_tls="starttls") as (one, server):
            def welcome(number):
                # The trust in it goes after its ticket was given.
                if number == 2:
                    shutil.copy(other.path, one.path("trusted"))
            other = authority.Authority("nobody known")
            shutil.copy(server.ca, one.path("trusted"))
            with relay.Relay(server.port, welcome=welcome) as way:
                keys = server.account({"maildir": one.path("Mail")}, port=way.port,
                                      ca_file=one.path("trusted"))
                one.configure({"box": keys})
                said = probe(one)
            tap.check(len(said) == 1 and "second login failed" in said[0]
                      and "nothing in" in said[0], "it was trusted", said)
            kinds = handshakes(server)
            tap.check(kinds[:2] == ["full", "resumed"], "handshakes", server.log())
            tap.equal(len(way.passed), 3, "connections")
            logins = [who for _when, who, text in server.events()
                      if text.startswith("login ")]
            tap.equal(len(logins), 1, "logins")


# Those of the line that is logged, with -vv, when a ticket does for a judgement.
VOUCHED = "was judged when it gave the ticket"


def vouched(one):
    """Fetch; does the ticket do?"""
    done = one.expect(0, "-vv", "fetch")
    return VOUCHED in done.err


@contextlib.contextmanager
def judged(signer, cert):
    """A server with CERT that was judged once by the root of SIGNER, which nobody
    has touched for a moment: (Agent, Popd)."""
    with popd.Popd(MESSAGES, "--cert-key", cert.bundle()) as server:
        one = agent.Agent()
        path = one.path("trusted")
        shutil.copy(signer.path, path)
        keys = server.account({"maildir": one.path("Mail")}, ca_file=path, keep=True)
        one.configure({"box": keys})
        procs.wait_until(lambda: time.time() - os.stat(path).st_ctime > 4, 60, "4 seconds")
        tap.check(not vouched(one), "nobody had judged it")
        yield one, server


@tap.case("a judgement holds as long as what it was judged by, and no certificate expires")
def judgement(_env):
    ca = authority.Authority()
    with judged(ca, ca.issue()) as (one, server):
        tap.check(vouched(one) and vouched(one), "it is judged each time", server.log())
        # A moment ago, however long the fetches take.
        os.utime(one.path("trusted"), (time.time() + HOUR,) * 2)
        tap.check(not vouched(one), "the file might be another one")
        tap.check(not vouched(one), "it was changed a moment ago, and may be again")
        tap.equal(handshakes(server), ["full"] + ["resumed"] * 4, "handshakes")
        shutil.copy(authority.Authority("nobody known").path, one.path("trusted"))
        result = one.fetch()
        tap.equal(result.status, 76, "exit status")
        tap.check("nothing in" in result.err, "it was trusted", result)


@tap.case("a certificate of the chain expires: the ticket does not hide it")
def expires(_env):
    soon = HOUR / authority.DAY
    lasting, short = authority.Authority(), authority.Authority(days=(-2, soon))
    with judged(lasting, lasting.issue(days=(-2, soon))) as (one, _server), \
            judged(short, short.issue()) as (other, _other_server), \
            judged(lasting, lasting.issue()) as (third, _third_server):
        tap.check(vouched(one) and vouched(other), "they are judged each time")
        for who in (one, other, third):
            wrong(who, HOUR + 60)
        tap.check(vouched(third), "its ticket is too old, whatever expires")
        for who, words in ((one, "has expired"), (other, "expired")):
            result = who.fetch()
            tap.equal(result.status, 76, "exit status")
            tap.check(words in result.err, "nobody noticed", result)


if __name__ == "__main__":
    tap.main(world)
