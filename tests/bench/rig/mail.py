# SPDX-License-Identifier: GPL-3.0-or-later
"""Maildrops made from a seed: the same bytes on every machine."""

import base64
import random

WORDS = ("the of and to in is that it was for on are with as his they at be this from "
         "have or by one had not but what all were when we there can an your which their "
         "said if do will each about how up out them then she many some so these would "
         "other into has more her two like him see time could no make than first been "
         "its who now people my made over did down only way find use may water long "
         "little very after words called just where most know").split()
LINE = 72
POOL = 1 << 20


def _text(rng):
    """A pool of plain text in lines, ending in a line end."""
    lines, line, size = [], [], 0
    while size < POOL:
        line.append(rng.choice(WORDS))
        if sum(map(len, line)) + len(line) > LINE:
            lines.append(" ".join(line) + "\n")
            size += len(lines[-1])
            line = []
    return "".join(lines).encode()


def _binary(rng):
    """A pool of base64 in lines, as attachments come."""
    return base64.encodebytes(rng.randbytes(POOL * 3 // 4))


def _piece(rng, pool, size):
    """Whole lines from somewhere in POOL, about SIZE bytes."""
    out = []
    while size > 0:
        start = pool.find(b"\n", rng.randrange(len(pool) // 2)) + 1
        end = pool.find(b"\n", min(start + size, len(pool) - 2)) + 1
        out.append(pool[start:end])
        size -= end - start
    return b"".join(out)


HEADER = """\
Return-Path: <sender%d@example.org>
Received: from mail.example.org (mail.example.org [192.0.2.%d])
\tby mx.example.com (Postfix) with ESMTPS id %016X
\tfor <jane@example.com>; Mon, 02 Sep 2024 10:%02d:%02d +0200
Message-ID: <%032x@example.org>
Date: Mon, 02 Sep 2024 10:%02d:%02d +0200
From: Sender %d <sender%d@example.org>
To: Jane Doe <jane@example.com>
Subject: Message number %d
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8

"""


def messages(count, average, seed=1):
    """COUNT messages of AVERAGE bytes: many small ones, a few large ones, two
    fifths of their bytes base64."""
    rng = random.Random(seed)
    text, binary = _text(rng), _binary(rng)
    sizes = [rng.lognormvariate(0, 1) for _ in range(count)]
    scale = max(average - 600, 1) * count / sum(sizes)
    for number, size in enumerate(sizes):
        minute, second = rng.randrange(60), rng.randrange(60)
        head = HEADER % (number, rng.randrange(256), rng.getrandbits(64), minute, second,
                         rng.getrandbits(128), minute, second, number % 97, number % 97,
                         number)
        size = int(size * scale)
        yield (head.encode() + _piece(rng, text, size * 3 // 5)
               + _piece(rng, binary, size * 2 // 5))
