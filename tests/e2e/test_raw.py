#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes that Dovecot cannot serve: bare LF on the wire, a dot first of all.

The project's own server sends its files exactly as they are; an independent
client says what that amounts to.
"""

from harness import corpus, readers, tap, wire
from harness.scene import fetching, world

# As on the wire, before dots are stuffed. A bare LF, or CR, ends no line, so the
# dots after one are content however much they look like the end.
RAW = [
    b".first\r\n", b".\r\n", b"..\r\n", b"\r\n", b"x\r\n",
    b"Subject: bare\r\n\r\na\n.\nb\n..\nc\r\n",
    b"Subject: bare\r\n\r\na\r.\rb\r\n",
    b"Subject: mixed\r\n\r\na\n.\r\nb\r\n.\nc\r\n",
    b"Subject: smuggled\r\n\r\nend\n.\n+OK 5 octets\nSubject: false\n\nfalse\n.\n\r\n",
    b"Subject: smuggled\r\n\r\nend\r.\r+OK 5 octets\rSubject: false\r\r.\r\r\n",
    b"Subject: crs\r\n\r\n\r\r\r\n\r\r\n\r\n",
    b"From a@example.org Thu Jan  1 00:00:00 1970\nFrom b\r\n\nFrom c\r\n",
    b"Subject: nul\r\n\r\n\0.\0\r\n\0\r\n",
    b"Subject: long\r\n\r\n" + b".a\n" * 40_000 + b"\r\n",
    b"Subject: dots\r\n\r\n" + b".\r\n" * 20_000,
]
WAYS = {
    "Maildir": (readers.maildir, lambda path: {"maildir": path}),
    "mbox": (readers.mbox, lambda path: {"mbox": path}),
    "gzip mbox": (readers.mbox_gzip, lambda path: {"mbox": path, "compress": "gzip"}),
}


def exact(messages, *rules, **server):
    """Serve MESSAGES as they are; every way of delivery must keep them."""
    for way, (read, deliver) in WAYS.items():
        with fetching(*rules, messages=messages, server_raw=True, **server) as (one, popd):
            served = popd.served()
            tap.check(wire.digests(served) == wire.digests(map(wire.normal, messages)),
                      "the test server does not send its files as they are")
            one.configure({"box": popd.account(deliver(one.path("delivered")), keep=False)})
            one.fetch_ok()
            got = read(one.path("delivered"))
            wrong = [m[:200] for m in got if m not in served]
            tap.check(wire.digests(got) == wire.digests(served), way, *map(repr, wrong))
            tap.equal(popd.held(), [], "left on the server")


@tap.case("bare LF, bare CR and leading dots as they came, in each destination")
def raw(_env):
    exact(RAW)


@tap.case("the corpus of awkward messages with bare LF instead of CRLF")
def bare(_env):
    exact([m + b"\r\n" for m in corpus.generate(60, seed=9)])


@tap.case("the same sent a few bytes at a time, so that every reply is torn")
def torn(_env):
    exact(RAW[:13], "on RETR split 3")
    exact(RAW[:13], "on RETR split 1", options=["--without", "pipelining"])


if __name__ == "__main__":
    tap.main(world)
