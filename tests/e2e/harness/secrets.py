# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a password or token must not be, in no form that gives it away."""

import base64
import os

# What surrounds a secret in the messages of the login methods.
AROUND = ("\0{user}\0{secret}", "{user}\0{user}\0{secret}",
          "user={user}\1auth=Bearer {secret}\1\1", "{secret}")


def forms(secret, user):
    """SECRET as it is, in hex, in base64 by itself and at each of the three
    offsets in a stream, and in the messages of USER's login."""
    data = secret.encode()
    found = {data, data.hex().encode(), data.hex().upper().encode()}
    for before in range(3):
        text = base64.b64encode(b"x" * before + data)
        # What depends on the neighbours of the secret, too, is not part of it.
        end = len(text) - 4 if (before + len(data)) % 3 else len(text)
        found.add(text[4 if before else 0:end])
    for text in AROUND:
        text = text.format(user=user, secret=secret)
        found.add(base64.b64encode(text.encode()))
    return found


def search(folder, words, allowed=()):
    """The files below FOLDER, but for those named ALLOWED, that hold a word."""
    found = []
    for place, _, names in os.walk(folder):
        for name in set(names) - set(allowed):
            path = os.path.join(place, name)
            if not os.path.isfile(path):
                continue
            with open(path, "rb") as file:
                data = file.read()
            found += [(path, word) for word in words if word in data]
    return found
