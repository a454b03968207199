# SPDX-License-Identifier: GPL-3.0-or-later
"""Move a ledger back in time, so that a test need not wait for hours.

Every line is `CRC TYPE FIELD...`; the CRC covers the text behind it and the
CRC of the line before. Moments are the only numbers of their size.
"""

import os
import time
import zlib

YEARS = 5 * 366 * 86400


def earlier(data, seconds):
    """The ledger DATA as if all of it had happened SECONDS earlier."""
    now, crc, lines = time.time(), 0, []
    for line in data.split(b"\n")[:-1]:
        words = [b"%d" % (int(word) - seconds)
                 if word.isdigit() and abs(int(word) - now) < YEARS else word
                 for word in line.split(b" ")[1:]]
        text = b" ".join(words)
        crc = zlib.crc32(text, crc)
        lines.append(b"%08x %s\n" % (crc, text))
    return b"".join(lines)


def move(path, seconds):
    """Move the ledger at PATH back in time."""
    with open(path, "rb") as file:
        data = file.read()
    with open(path + ".moved", "wb") as file:
        file.write(earlier(data, seconds))
    os.chmod(path + ".moved", 0o600)
    os.rename(path + ".moved", path)
