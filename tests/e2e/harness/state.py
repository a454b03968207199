# SPDX-License-Identifier: GPL-3.0-or-later
"""A server and an account that delivers in one of several ways, with its ledger."""

import contextlib
import os

from . import corpus, readers, tap, wire
from .scene import MESSAGES, fetching, told

WAYS = {        # how to configure a way of delivery, how to read it back
    "Maildir": (lambda one: {"maildir": one.path("Mail")},
                lambda one: readers.maildir(one.path("Mail"))),
    "gzip Maildir": (lambda one: {"maildir": one.path("Mail"), "compress": "gzip"},
                     lambda one: readers.maildir_gzip(one.path("Mail"))),
    "mbox": (lambda one: {"mbox": one.path("in/box")},
             lambda one: readers.mbox(one.path("in/box"))),
    "gzip mbox": (lambda one: {"mbox": one.path("in/box.gz"), "compress": "gzip"},
                  lambda one: readers.mbox_gzip(one.path("in/box.gz"))),
}
LATER = corpus.simple(3, seed=21)
LAST = corpus.simple(1, seed=22)


class Scene:
    """A server and an account `box` that delivers in one of the WAYS."""

    def __init__(self, one, server, way):
        self.one, self.server = one, server
        self.deliver, self.read = WAYS[way]
        os.mkdir(one.path("in"), 0o700)
        self.ledger = one.state + "/box/ledger"
        self.folder = one.path("Mail" if "Maildir" in way else "in")

    def set(self, **keys):
        """Set other keys of the account."""
        self.one.configure({"box": self.server.account(self.deliver(self.one), **keys)})

    def here(self, messages, what="messages delivered"):
        """What was delivered must be MESSAGES, each once."""
        got, wanted = wire.digests(self.read(self.one)), wire.digests(messages)
        tap.check(got == wanted, "%s: %d missing, %d doubled or strange" %
                  (what, sum((wanted - got).values()), sum((got - wanted).values())))

    def quiet_fetch(self, retrieved=0, *args):
        """A fetch that succeeds and retrieves so many messages."""
        self.server.forget()
        result = self.one.fetch_ok(*args)
        tap.equal(self.server.count("RETR"), retrieved, "messages retrieved")
        return result

    def refused(self, *patterns):
        """A fetch must end with 78, say why, not connect, and change nothing."""
        self.server.forget()
        before = self.bytes()
        result = self.one.fetch()
        told(result, 78, "box", *patterns)
        tap.equal(self.server.log(), [], "what the server saw")
        tap.equal(self.bytes(), before, "the ledger's bytes")
        return result

    def bytes(self):
        """The ledger's bytes, None if there is none."""
        return readers.read(self.ledger) if os.path.exists(self.ledger) else None

    def write(self, data):
        """Put another ledger in its place."""
        with open(self.ledger, "wb") as file:
            file.write(data)
        os.chmod(self.ledger, 0o600)


@contextlib.contextmanager
def delivering(way, *rules, messages=MESSAGES, keep=True, options=(), **special):
    """A Scene; nothing has been fetched yet."""
    with fetching(*rules, messages=messages, options=options, **special) as (one, server):
        scene = Scene(one, server, way)
        scene.set(keep=keep)
        yield scene
        one.remove()
