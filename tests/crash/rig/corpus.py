# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages that can be told apart by any part of them."""

import random
import zlib

_STARTS = ("", "", "", ".", "..", "From the ", ">From ", ">>From a ", "> ", "\t",
           "fr\u00fch ", "From ")
_LARGE = 150_000


def _line(rng, serial, number):
    """A line that says where it belongs, so that a piece can be recognised."""
    words = " ".join("%x" % rng.getrandbits(20) for _ in range(rng.randint(3, 9)))
    return "%s[%d.%d] %s\n" % (rng.choice(_STARTS), serial, number, words)


def message(serial, size):
    """The message with this serial number, of about SIZE bytes, with LF."""
    rng = random.Random(serial * 7919 + size)
    head = (
        "Received: from mx.example.org (mx.example.org [192.0.2.7])\n"
        "\tby pop.example.com with ESMTPS id %016x\n"
        "\tfor <jane@example.com>; Thu, 1 Jan 2026 09:00:00 +0000\n"
        "Date: Thu, 1 Jan 2026 09:00:00 +0000\n"
        "From: Sender <s%d@example.org>\nTo: jane@example.com\n"
        "Subject: number %d\nMessage-ID: <%d.%x@example.org>\n"
        "X-Serial: %d\n\n" % (rng.getrandbits(64), serial, serial, serial,
                              rng.getrandbits(32), serial))
    body, length, number = [], 0, 0
    while not body or length < size - len(head):
        body.append(_line(rng, serial, number))
        length += len(body[-1])
        number += 1
    return (head + "".join(body)).encode()


def large(serial):
    """A message that takes several writes."""
    return message(serial, _LARGE)


def name(serial):
    """What the server calls it; also its UID."""
    return "m%04d" % serial


def wire_size(text):
    """Its size as the server lists it."""
    return len(text) + text.count(b"\n")


def members(data):
    """The contents of gzip members that follow one another, and whether there
    is nothing else: what `gzip -t` would say, and more strictly."""
    texts = []
    while data:
        one = zlib.decompressobj(31)
        try:
            text = one.decompress(data)
        except zlib.error:
            return texts, False
        if not one.eof:
            return texts, False
        texts.append(text)
        data = one.unused_data
    return texts, True
