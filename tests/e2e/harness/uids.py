# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of changing UIDs share: messages that can or cannot be told apart
without reading them whole, and a server that forgets, labels and replaces."""

import contextlib
import os
import re

from . import corpus, procs, readers, tap, wire
from .scene import fetching

WITHOUT_TOP = ("--without", "top")
WITHOUT_UIDL = ("--without", "uidl")


def marked(count, seed=1):
    """Messages that a Received line tells apart without reading them whole."""
    return corpus.simple(count, seed)


def bare(count, seed=1):
    """Messages without Received: only their content tells them apart."""
    return [re.sub(rb"^Received:[^\n]*\n", b"", message, flags=re.MULTILINE)
            for message in corpus.simple(count, seed)]


KINDS = {"with Received": marked, "without Received": bare}


def label(server, uids):
    """Give the messages on the server these UIDs, in the order of their names."""
    with open(server.drop + "/.uids", "wb") as file:
        for name, uid in zip(server.held(), uids):
            file.write(name.encode() + b"\t" + uid + b"\n")


def fresh(count, generation):
    """UIDs that no other generation has."""
    return [b"g%d-%d" % (generation, number) for number in range(count)]


def configure(one, server, **keys):
    """The account `box` with other keys."""
    one.configure({"box": server.account({"maildir": one.path("Mail")}, **keys)})


def here_once(one, messages, what="messages delivered"):
    """Each of MESSAGES must be here, once, and nothing else."""
    got, wanted = wire.digests(readers.maildir(one.path("Mail"))), wire.digests(messages)
    tap.check(not got - wanted, "%s: %d doubled or strange"
              % (what, sum((got - wanted).values())))
    tap.check(not wanted - got, "%s: %d missing" % (what, sum((wanted - got).values())))


def deletes_all(one, server, messages):
    """With keep: false everything must go now, without coming twice."""
    configure(one, server, keep=False)
    one.fetch_ok()
    here_once(one, messages, "after keep: false")
    tap.equal(server.held(), [], "left on the server by keep: false")


def deleted_unread(server):
    """The names of messages that were deleted before they were ever sent."""
    sent, lost = set(), []
    for event in server.log():
        verb, _, rest = event.partition(" ")
        if verb == "sent":
            sent.add(rest.split()[0])
        elif verb == "deleted" and rest not in sent:
            lost.append(rest)
    return lost


def replace(server, number, message):
    """Another message under the name, and so the UID, of message NUMBER."""
    with open("%s/%06d" % (server.drop, number), "wb") as file:
        file.write(message)


def hide(server, names):
    """The server forgets these messages for a while."""
    os.makedirs(server.drop + "/.hidden", exist_ok=True)
    for name in names:
        os.rename(server.drop + "/" + name, server.drop + "/.hidden/" + name)


def show(server):
    """What was forgotten is there again."""
    for name in os.listdir(server.drop + "/.hidden"):
        os.rename(server.drop + "/.hidden/" + name, server.drop + "/" + name)


@contextlib.contextmanager
def ruled(*rules, messages, options=(), **account):
    """As fetching(), with RULES that set_rules() can replace later."""
    script = procs.scratch() + "/rules"
    set_rules(script, *rules)
    with fetching(messages=messages, options=["--script", script, *options],
                  **account) as (one, server):
        yield one, server, script


def set_rules(script, *rules):
    """Replace the fault rules, from the next connection on."""
    with open(script, "w") as file:
        file.writelines(rule + "\n" for rule in rules)
