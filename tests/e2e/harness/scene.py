# SPDX-License-Identifier: GPL-3.0-or-later
"""The scene of most tests: one misbehaving popd and one postrider account."""

import contextlib
import re

from . import agent, corpus, popd, readers, tap, wire, wrongclock

MESSAGES = corpus.simple(6)
WANTED = wire.digests(MESSAGES)
# For servers that may fall silent. These times are not waited for, but skipped;
# for all else they are long enough on a busy machine.
PATIENCE = 30
QUICK = dict.fromkeys(("connect", "tls", "greeting", "command", "login", "body", "quit"),
                      "%ds" % PATIENCE)


@contextlib.contextmanager
def fetching(*rules, keep=False, messages=MESSAGES, options=(), **account):
    """A popd that plays RULES and a postrider with one account, `box`, there.

    Other keywords are keys of the account, or, as server_KEY, of the server.
    """
    arguments = [word for rule in rules for word in ("--do", rule)]
    special = {key: account.pop("server_" + key) for key in ("tls", "password", "raw")
               if "server_" + key in account}
    with popd.Popd(messages, *arguments, *options, **special) as server:
        one = agent.Agent()
        deliver = {"maildir": one.path("Mail")}
        one.configure({"box": server.account(deliver, keep=keep, **account)})
        if "timeouts" in account:
            impatient(one, server)
        yield one, server


def impatient(one, server):
    """Have the agent ONE not wait for SERVER to break a silence; its account has
    the time limits QUICK."""
    wrongclock.Impatient(one, server.silent, PATIENCE + 1)


def told(result, status, *patterns):
    """The run must exit with STATUS and say something that fits each pattern."""
    tap.check(result.status == status, "exit status %d, wanted %d" % (result.status, status),
              result)
    for pattern in patterns:
        tap.check(re.search(pattern, result.err, re.IGNORECASE),
                  "nothing like %r on standard error" % pattern, result)


def nothing_lost(one, server):
    """Each message is whole in the Maildir, or still on the server."""
    here = readers.maildir(one.path("Mail"))
    tap.check(not wire.digests(here) - WANTED, "a torn or doubled message was delivered")
    tap.check(len(here) + len(server.held()) >= len(MESSAGES), "messages lost: %d here, "
              "%d on the server" % (len(here), len(server.held())))


def all_there(one, server):
    """A clean fetch must then end with every message here, once."""
    one.fetch_ok()
    tap.equal(wire.digests(readers.maildir(one.path("Mail"))) - WANTED, wire.digests([]),
              "messages torn or doubled")
    tap.equal(len(readers.maildir(one.path("Mail"))), len(MESSAGES), "messages delivered")
    tap.equal(server.held(), [], "messages left on the server")
    tap.equal(readers.litter(one.path("Mail")), [], "files left in tmp/")


@contextlib.contextmanager
def world():
    """The fixture of tests whose every case has a server of its own."""
    popd.program("POPD", "tests/server/popd")
    agent.binary()
    yield None
