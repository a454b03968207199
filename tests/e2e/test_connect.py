#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a name to a connection: dead addresses, dead name servers, a STOP."""

import contextlib
import re
import signal
import socket
import time

from harness import memoryfile, names, popd, procs, relay, tap, wrongclock
from harness.scene import MESSAGES, fetching, told, world

NAME = "pop.test"


@contextlib.contextmanager
def named(*addresses, resolv="", **account):
    """A server known as NAME, which has these ADDRESSES."""
    with fetching(options=["--tls-name", NAME], host=NAME, **account) as (one, server):
        names.private(one, "".join("%s %s\n" % (a, NAME) for a in addresses), resolv)
        yield one, server


def story(one):
    """The line of probe on the addresses it has tried."""
    out = one.expect(0, "probe", "box").out
    return re.search(r"^addresses: (.*)$", out, re.MULTILINE).group(1)


@tap.case("an address that refuses: the other one is used")
def refused(_env):
    with named("::1", "127.0.0.1") as (one, _server):
        line = story(one)
        tap.check(re.fullmatch(r"::1: Connection refused, 127\.0\.0\.1: connected in \d+ ms",
                               line), "addresses", line)
        one.fetch_ok()


@tap.case("a dead address costs a moment, not the time limit for connecting")
def dead(_env):
    # The system prefers 127.0.0.1 to the other one, which leads to the server.
    with named("127.0.0.1", "127.0.0.9") as (one, server), \
            relay.Relay(server.port, "127.0.0.9") as way, \
            relay.black_hole("127.0.0.1", way.port):
        keys = server.account({"maildir": one.path("Mail")}, host=NAME, port=way.port,
                              timeouts={"connect": "100s"})
        one.configure({"box": keys})
        line = story(one)
        found = re.fullmatch(r"127\.0\.0\.1: no answer, 127\.0\.0\.9: connected in \d+ ms", line)
        tap.check(found, "addresses", line)
        result = one.fetch_ok()
        tap.diag("a whole fetch past the dead address: %.2f s" % result.seconds)
        tap.check(result.seconds < 50, "the dead address was waited for", result)


@tap.case("no address answers: each is named with what is wrong with it")
def none(_env):
    with named("::1", "127.0.0.1", "127.0.0.2", timeouts={"connect": "100s"}) as (one, server):
        server.stop()
        told(one.fetch(), 75, r"%s port %d: cannot connect: " % (NAME, server.port),
             r"::1: Connection refused", r"127\.0\.0\.1: Connection refused",
             r"127\.0\.0\.2: Connection refused")
        with relay.black_hole("127.0.0.1", server.port):
            clock = wrongclock.Skips(one)
            process = one.start("fetch")
            procs.wait_until(lambda: connecting(server.port), 60, "a connection attempt")
            clock.skip(101)
            process.wait()
            told(one.result(process), 75, r"::1: Connection refused",
                 r"127\.0\.0\.1: no answer")


@contextlib.contextmanager
def dead_name_server():
    """The address of a name server that does not answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind(("127.0.0.77", 53))
        except PermissionError:
            raise tap.Skip("only root may be a name server") from None
        yield sock, "nameserver 127.0.0.77\noptions timeout:60 attempts:5\n"


def wait_for_question(sock):
    sock.settimeout(60)
    sock.recv(512)


@tap.case("a name server that does not answer holds nobody longer than timeouts.connect")
def silent_name_server(_env):
    with dead_name_server() as (_sock, resolv), \
            named(resolv=resolv, timeouts={"connect": "1s"}) as (one, _server):
        result = one.fetch()
        told(result, 75, "cannot find the host " + NAME, "name servers do not answer")
        tap.check(result.seconds < 60, "it was waited for", result)


@tap.case("a STOP is heeded while a name is looked up and while connecting")
def stopped(_env):
    with dead_name_server() as (sock, resolv), \
            named(resolv=resolv, timeouts={"connect": "100s"}) as (one, _server):
        process = one.start("fetch")
        wait_for_question(sock)
        stop(one, process)
    with named("127.0.0.1", timeouts={"connect": "100s"}) as (one, server):
        server.stop()
        with relay.black_hole("127.0.0.1", server.port):
            process = one.start("fetch")
            procs.wait_until(lambda: connecting(server.port), 60, "a connection attempt")
            stop(one, process)


def connecting(port):
    """Is anybody of ours trying to reach PORT (beside what fills the hole)?"""
    with open("/proc/net/tcp") as table:
        rows = [line.split() for line in table]
    wanted = "0100007F:%04X" % port
    return sum(row[2] == wanted and row[3] == "02" for row in rows) > 3


def stop(one, process):
    process.send_signal(signal.SIGTERM)
    process.wait(60)
    tap.check(process.returncode != -9, "it had to be killed", one.result(process))
    tap.equal(procs.descendants(process.pid), [], "processes left")


@tap.case("where a verified server was found is remembered, for half an hour")
def remembered(_env):
    with named("127.0.0.1", keep=True) as (one, _server):
        one.fetch_ok()
        names.private(one)
        one.fetch_ok()
        memoryfile.change(one, "box", found_at=int(time.time()) - 1801)
        told(one.fetch(), 75, "cannot find the host " + NAME)
        tap.check("found_at" not in memoryfile.read(one, "box"), "it was kept after a failure")
    with named("127.0.0.1", server_tls="none", keep=True) as (one, _server):
        one.fetch_ok()
        names.private(one)
        told(one.fetch(), 75, "cannot find the host " + NAME)


@contextlib.contextmanager
def moving(**account):
    """A server that was found at 127.0.0.9 once, and is at 127.0.0.1 now, where
    no fetch has been: (Agent, port)."""
    with named("127.0.0.9", keep=True) as (one, server), \
            relay.Relay(server.port, "127.0.0.9") as way:
        keys = server.account({"maildir": one.path("Mail")}, host=NAME, port=way.port,
                              keep=True, **account)
        one.configure({"box": keys})
        one.fetch_ok()
        way.close()
        with relay.Relay(server.port, at=way.port):
            names.private(one, "127.0.0.1 %s\n" % NAME)
            yield one, way.port
        tap.equal(memoryfile.read(one, "box")["found_address"], "127.0.0.1", "found at")


@tap.case("a host that has moved is looked up again at once")
def moved(_env):
    with moving() as (one, _port):
        one.fetch_ok()
    with moving() as (one, port), relay.black_hole("127.0.0.9", port):
        one.fetch_ok()
    with moving() as (one, port), popd.Popd(()) as stranger, \
            relay.Relay(stranger.port, "127.0.0.9", at=port) as way:
        one.fetch_ok()
        tap.check(way.passed, "nobody went there")


@tap.case("a host that does not exist is an error that names it")
def unknown(_env):
    with named() as (one, server):
        told(one.fetch(), 75, "cannot find the host " + NAME)
        tap.equal(len(server.held()), len(MESSAGES), "messages on the server")


if __name__ == "__main__":
    tap.main(world)
