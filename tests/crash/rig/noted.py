# SPDX-License-Identifier: GPL-3.0-or-later
"""What an account's ledger has noted as delivered, as far as it is whole."""

import zlib

from . import world

_DELIVERED = ("delivered", "deleting", "gone")
_SEEN = "seen"


def lines(data):
    """The words of each line, up to the first whose checksum does not fit."""
    crc = 0
    for line in data.split(b"\n")[:-1]:
        crc = zlib.crc32(line[9:], crc)
        if line[:9] != b"%08x " % crc:
            return
        yield line[9:].decode("ascii").split(" ")


def _account(path):
    serials, noted = {}, set()
    try:
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        return noted
    for kind, number, *rest in (words for words in lines(data) if len(words) > 2):
        if kind in ("intent", _SEEN) and rest[1][:1] == "m":
            serials[number] = int(rest[1][1:])
        if kind in _DELIVERED + (_SEEN,) and number in serials:
            noted.add(serials[number])
        elif kind == "void" and number in serials:
            noted.discard(serials[number])
    return noted


def delivered(w):
    """Serial numbers of the messages that a world's ledgers know to be here."""
    return set().union(*(_account(w.path("state/%s/ledger" % account))
                         for account, _user in world.ACCOUNTS))
