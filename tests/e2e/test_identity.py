#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which message is which, when a server's words for them change.

Messages whose UIDs and sizes are all others, that went away and came back, or
that another one has taken the UID of; bodies that are served otherwise each
time, or cut short. Each is here once in the end, and what was never fetched is
never deleted.
"""

import contextlib
import itertools
import re

from harness import agent, corpus, readers, tap, wire
from harness.scene import told, world
from harness.tinypop import TinyPop


def marked(count, seed=1):
    """Messages that a Received line tells apart."""
    return corpus.simple(count, seed)


def bare(count, seed=1):
    """Messages without Received."""
    return [re.sub(rb"^Received:[^\n]*\n", b"", message, flags=re.MULTILINE)
            for message in corpus.simple(count, seed)]


KINDS = {"with Received": marked, "without Received": bare}


@contextlib.contextmanager
def playing(messages, **account):
    """A TinyPop with MESSAGES and an agent with one account, `box`, there."""
    with TinyPop(messages) as server:
        one = agent.Agent()
        configure(one, server, **account)
        yield one, server


def configure(one, server, **keys):
    """The account `box` with other keys."""
    one.configure({"box": server.account({"maildir": one.path("Mail")}, **keys)})


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


# What a server writes into its messages by itself.


@tap.case("a server that writes X-UIDL, Status and X-IMAPbase into its mail: nothing comes twice")
def own_lines(_env):
    def play(setting):
        kind, keep = setting
        messages = KINDS[kind](6)
        with playing(messages, keep=keep) as (one, server):
            one.fetch_ok()
            passes = itertools.count(1)
            for number in (next(passes), next(passes)):
                for place, (uid, message) in enumerate(list(server.drop.items())):
                    lines = b"Status: RO\r\nX-UIDL: %d.%d\r\nX-UID: %d\r\n" \
                        % (number, place, place)
                    if place == 0:
                        lines += b"X-IMAPbase: %d\r\n 77\r\n" % number
                    message = re.sub(rb"(?m)^(Status|X-UIDL|X-UID|X-IMAPbase):.*\r\n(?: .*\r\n)*",
                                     b"", message)
                    server.drop[uid] = message.replace(b"Date:", lines + b"Date:", 1)
                one.fetch_ok()
                here_once(one, messages, "after the server's lines, %d" % number)
            configure(one, server, keep=False)
            one.fetch_ok()
            here_once(one, messages, "after keep: false")
            tap.equal(list(server.drop), [], "left on the server")
    tap.each(itertools.product(KINDS, (True, "14d")), play)


if __name__ == "__main__":
    tap.main(world)
