# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of identities share: a TinyPop, whose messages can be served, sized
and named otherwise each time, and an account there."""

import contextlib
import re

from . import agent, readers, tap, wire
from .scene import impatient
from .tinypop import TinyPop
from .uids import configure

DAY, YEAR = 86400, 366 * 86400


@contextlib.contextmanager
def playing(messages, **account):
    """A TinyPop with MESSAGES and an agent with one account, `box`, there."""
    with TinyPop(messages) as server:
        one = agent.Agent()
        configure(one, server, **account)
        impatient(one, server)
        yield one, server


def subject(message):
    """What names a message, however it is served."""
    found = re.search(rb"(?m)^Message-ID: ([^\r\n]*)", message)
    return found.group(1) if found else message


def here_once(one, messages, what="messages delivered"):
    """Each of MESSAGES must be here, once, and nothing else."""
    got = wire.digests(map(subject, readers.maildir(one.path("Mail"))))
    wanted = wire.digests(map(subject, messages))
    tap.check(not got - wanted, "%s: %d doubled or strange"
              % (what, sum((got - wanted).values())))
    tap.check(not wanted - got, "%s: %d missing" % (what, sum((wanted - got).values())))


def renumber(server, generation):
    """All messages get new UIDs."""
    server.drop = {"g%d-%03d" % (generation, number): message
                   for number, message in enumerate(server.drop.values())}
    server.asked.clear()
