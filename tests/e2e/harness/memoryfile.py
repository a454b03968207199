# SPDX-License-Identifier: GPL-3.0-or-later
"""What is remembered of an account, and the past that a test wants it to have.

A first line, lines `KEY VALUE`, and `check` with the first 96 bits of the
SHA-256 of all before it.
"""

import base64
import hashlib
import os

FIRST = "postrider memory 1"


def path(one, account):
    """Where it is."""
    return "%s/%s/memory" % (one.state, account)


def read(one, account):
    """It, as a dict of strings; empty if there is none."""
    try:
        with open(path(one, account), encoding="ascii") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        return {}
    return dict(line.split(" ", 1) for line in lines[1:-1])


def write(one, account, members):
    """Put MEMBERS in its place."""
    text = FIRST + "\n" + "".join("%s %s\n" % item for item in members.items())
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()[:12])
    with open(path(one, account), "w", encoding="ascii") as file:
        file.write(text + "check " + digest.decode() + "\n")
    os.chmod(path(one, account), 0o600)


def change(one, account, **members):
    """Change some of it."""
    write(one, account, {**read(one, account), **members})


def earlier(one, account, seconds):
    """Move all its moments back in time."""
    names = ("tried", "succeeded", "failing_since", "noticed", "failed", "expire_warned",
             "fault_warned")
    write(one, account, {key: str(int(value) - seconds) if key in names else value
                         for key, value in read(one, account).items()})
