# SPDX-License-Identifier: GPL-3.0-or-later
"""Awkward messages, the same ones for the same seed.

Each maker below gives one kind of message that has broken a mail program.
They are the bytes a server stores, so most lines end in LF; a server turns
those into CRLF on the wire, and what it serves (see wire.py) is the truth that
deliveries are compared with.
"""

import random

FROM_LINES = (b"From the start\n", b">From the start\n", b">>>From quoted\n",
              b"From \n", b"From: not one\n", b"from below\n", b" From indented\n",
              b"From nobody Thu Jan  1 00:00:00 1970\n", b"\n", b"\nFrom a gap\n")
DOT_LINES = (b".\n", b"..\n", b"...\n", b".text\n", b"..text\n", b". \n", b".\t.\n",
             b".\r.\n", b"\r.\n", b".\r\r\n", b"\r\n.\r\n", b"text.\n", b"\n.\n\n")


def _header(rng, number):
    return (b"Return-Path: <sender@example.org>\n"
            b"Received: from a.example.org by b.example.org; %d\n"
            b"From: Sender <sender@example.org>\nTo: rcpt@example.net\n"
            b"Subject: message %d\nMessage-ID: <%d.%d@example.org>\n"
            b"Date: Thu, 1 Jan 2026 00:00:00 +0000\n\n"
            % (number, number, number, rng.getrandbits(48)))


def _text(rng, lines):
    words = (b"mail", b"post", b"rider", b"horse", b"dispatch", b"relay")
    return b"".join(b" ".join(rng.choices(words, k=rng.randint(1, 12))) + b"\n"
                    for _ in range(lines))


def plain(rng, number):
    """Nothing special."""
    return _header(rng, number) + _text(rng, rng.randint(1, 60))


def dots(rng, number):
    """Lines that begin with a dot, in every form."""
    return _header(rng, number) + b"".join(rng.choices(DOT_LINES, k=60))


def from_lines(rng, number):
    """Lines that look like the start of the next message of an mbox."""
    return _header(rng, number) + b"".join(rng.choices(FROM_LINES, k=40))


def envelope_first(rng, number):
    """The first line is a `From ` line: an mbox entry sent as a message."""
    return b"From a@example.org Thu Jan  1 00:00:00 1970\n" + plain(rng, number)


def nuls(rng, number):
    """NUL bytes, alone and in runs."""
    return _header(rng, number) + b"a\0b\n\0\n" + bytes(rng.randint(1, 5000)) + b"\nend\n"


def eight_bit(rng, number):
    """All byte values but CR and LF, and invalid UTF-8."""
    pool = bytes(c for c in range(256) if c not in b"\r\n")
    body = b"".join(bytes(rng.choices(pool, k=70)) + b"\n" for _ in range(30))
    return _header(rng, number) + b"Caf\xe9 \xc3\x28 \xff\xfe\n" + body


def bare_ends(rng, number):
    """CR and LF outside their pair: in the middle of lines, doubled, swapped."""
    parts = (b"a\rb\n", b"\r\r\n", b"\n\r", b"x\r\n", b"\r", b"y\n", b"\n\r\n", b"\r.\r",
             b"\rFrom c\r")
    return _header(rng, number) + b"".join(rng.choices(parts, k=80)) + b"z\n"


def long_lines(rng, number):
    """Lines of 100 KB, longer than any line buffer."""
    line = bytes(rng.choices(b"abcdefgh.", k=997)) * 101
    return _header(rng, number) + line + b"\n." + line + b"\nshort\n"


def no_final_newline(rng, number):
    """The last line has no end (on the wire a server gives it one)."""
    return plain(rng, number) + b"last words"


def final_cr(rng, number):
    """A CR is the last byte."""
    return plain(rng, number) + b"last words\r"


def empty_body(rng, number):
    """A header, a blank line, nothing."""
    return _header(rng, number)


def header_only(rng, number):
    """A header without the blank line."""
    return _header(rng, number)[:-1]


def no_header(rng, number):
    """Text from the first byte on."""
    return b"%d " % number + _text(rng, 5)


def blank_first(rng, number):
    """A body alone: the first line is blank."""
    return b"\n%d " % number + _text(rng, 3)


def blank_last(rng, number):
    """Many blank lines at the end, which an mbox must not lose."""
    return plain(rng, number) + b"\n" * rng.randint(1, 9)


def tiny(rng, number):
    """One to three bytes, some of them only line ends.

    None begins with a dot: Dovecot 2.3 does not stuff a dot that is the very
    first byte of a message, so it cannot serve such a message whole.
    """
    return (b"x", b"\n", b"x.", b"\n.\n", b"\n\n", b"\0", b"\r", b"F\n")[number % 8]


def large(rng, number):
    """200 KB, so that it crosses every buffer."""
    return _header(rng, number) + _text(rng, 4500)[:200_000]


KINDS = (plain, dots, from_lines, envelope_first, nuls, eight_bit, bare_ends,
         no_final_newline, final_cr, empty_body, header_only, no_header,
         blank_first, blank_last, tiny)
HEAVY = {40: long_lines, 90: large}


def generate(count, seed=1):
    """COUNT messages; every kind comes often, the heavy ones twice a hundred."""
    rng = random.Random(seed)
    return [HEAVY.get(i % 100, KINDS[i % len(KINDS)])(rng, i) for i in range(count)]


def simple(count, seed=1):
    """COUNT small, well-formed, distinct messages."""
    rng = random.Random(seed)
    return [plain(rng, number) for number in range(count)]
