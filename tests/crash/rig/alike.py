# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages that resemble each other: what tells them apart stands in the
middle, or at the end, or nowhere.

They are posts of one list, with the same 2 KiB of header and the same footer,
that arrive in one second; copies; beginnings and ends of each other; and
posts that contain another one, with a line such as an mbox has in front of it.
"""

import time

# What the programs take for the time, so that all From_ lines are the same.
SECOND = 1767258000
ENVELOPE = time.strftime("From MAILER-DAEMON %a %b %e %T %Y\n",
                         time.gmtime(SECOND)).encode()

_HEAD = b"".join(
    b"X-Spam-Report: rule %02d of the filter in front of the list says nothing new, again\n" % n
    for n in range(24)) + b"""\
Received: from lists.example.org (lists.example.org [192.0.2.7])
\tby pop.example.com with ESMTPS id 0123456789abcdef
\tfor <jane@example.com>; Thu, 1 Jan 2026 09:00:00 +0000
From: List <list@example.org>
To: list@example.org
Date: Thu, 1 Jan 2026 09:00:00 +0000
Subject: [list] the same as ever
Message-ID: <the-same@example.org>
"""
_FOOT = b"""\
--\x20
This is the footer below each post of this list, which nobody has ever read.
From here on there is nothing new: see https://lists.example.org/the-same
"""


def post(number):
    """A post; all are of one length."""
    return _HEAD + b"\nline %06d of the only part that differs\n" % number + _FOOT


def _variants(first):
    """Fourteen messages about one post; copies of the first ones come later."""
    one, other = post(first), post(first + 1)
    within = (_HEAD + b"\nThis was sent to the list:\n\n" + ENVELOPE + one
              + b"\nFrom list@example.org Thu Jan  1 09:00:00 2026\nnot a message\n\n" + other)
    yield one
    yield within
    yield one + b"and a line more\n"
    yield other
    yield one                                   # the first again
    yield one + b"\n"                           # an empty line more
    yield b"Status: RO\n" + one                 # as a server had it
    yield b"X-Loop: list\n" + one               # ends with another one
    yield one + b"and a line more\n\n" + ENVELOPE + other
    yield within                                # the second again
    yield one                                   # and a third time
    yield one + b"and a line"                   # ends earlier than the third
    yield post(first + 2)
    yield other + b"\n" + one


def texts(count):
    """Serial number to message, from 1."""
    made = []
    while len(made) < count:
        made += _variants(10 * len(made))
    return {n: t if t.endswith(b"\n") else t + b"\n" for n, t in enumerate(made[:count], 1)}
