#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person or a system does to state and destination behind us.

Few open files: nothing may be lost or stay for ever.
"""

import contextlib
import os

from harness import corpus, readers, tap, wire
from harness.scene import MESSAGES, fetching, world

MANY = corpus.simple(300, seed=42)
WAYS = {        # how to deliver below the folder `disk`, how to read it back
    "Maildir": (lambda disk: {"maildir": disk + "/Mail"},
                lambda disk: readers.maildir(disk + "/Mail")),
    "gzip Maildir": (lambda disk: {"maildir": disk + "/Mail", "compress": "gzip"},
                     lambda disk: readers.maildir_gzip(disk + "/Mail")),
    "Maildir, a disk of its own": (lambda disk: {"maildir": disk}, readers.maildir),
    "mbox": (lambda disk: {"mbox": disk + "/box"},
             lambda disk: readers.mbox(disk + "/box")),
    "gzip mbox": (lambda disk: {"mbox": disk + "/box.gz", "compress": "gzip"},
                  lambda disk: readers.mbox_gzip(disk + "/box.gz")),
}


class Scene:
    """A server, and an account `box` that delivers to a disk."""

    def __init__(self, one, server, way):
        self.one, self.server = one, server
        self.deliver, self.read = WAYS[way]
        self.disk = one.path("disk")
        os.mkdir(self.disk, 0o700)

    def set(self, **keys):
        """Set other keys of the account."""
        self.one.configure({"box": self.server.account(self.deliver(self.disk), **keys)})

    def here(self, messages, filed=()):
        """MESSAGES must be here or FILED elsewhere, each once."""
        got, wanted = wire.digests(self.read(self.disk) + list(filed)), wire.digests(messages)
        tap.check(got == wanted, "%d missing, %d doubled or strange" %
                  (sum((wanted - got).values()), sum((got - wanted).values())))


@contextlib.contextmanager
def delivering(way, *rules, messages=MESSAGES, keep=False, **special):
    """A Scene; nothing has been fetched yet."""
    with fetching(*rules, messages=messages, **special) as (one, server):
        scene = Scene(one, server, way)
        scene.set(keep=keep)
        yield scene
        one.remove()


# Open files.


@tap.case("few open files and many messages: smaller batches, and all come")
def few_files(_env):
    def play(setting):
        way, limit = setting
        with delivering(way, messages=MANY, server_tls="none") as scene:
            scene.one.prefix = ["sh", "-c", "ulimit -n %d; exec \"$@\"" % limit, "sh"]
            scene.one.fetch_ok()
            scene.here(MANY)
            tap.equal(scene.server.held(), [], "left on the server")
    tap.each([(way, limit) for limit in (100, 40)
              for way in ("Maildir", "gzip Maildir", "mbox")], play)


if __name__ == "__main__":
    tap.main(world)
