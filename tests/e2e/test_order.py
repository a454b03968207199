#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is durable before what: the order behind "never lose mail".

Nothing is visible before it is whole and flushed and the ledger knows of it;
nothing is deleted on the server before its name is flushed; QUIT, by which
some servers take a message for read, comes after all of that.
"""

import os
import re

from harness import readers, tap, trace, wire
from harness.scene import MESSAGES, WANTED, fetching, told, world

FLUSHES = ("fsync", "fdatasync", "syncfs")


class Order:
    """Follows the calls of a fetch and checks each in turn.

    TMP is where messages are written first and NEW where they become visible;
    without a NEW they must at least be safe in TMP before QUIT.
    """

    def __init__(self, tmp, new=None):
        self.tmp, self.new = tmp, new
        self.written, self.flushed = set(), set()
        self.intended, self.recorded = set(), set()     # in the ledger; flushed too
        self.renamed, self.durable = set(), set()
        self.deleted = self.quits = 0

    def follow(self, calls):
        """Check every call against those before it."""
        for call in calls:
            if call.failed:
                continue
            if call.name in FLUSHES:
                self._flush(call)
            elif call.name.startswith("rename"):
                self._rename(call)
            elif call.name.startswith(("write", "pwrite", "send")):
                self._write(call)
        return self

    def _flush(self, call):
        everything = call.name == "syncfs"
        if everything or call.path.startswith(self.tmp + "/"):
            self.flushed |= self.written if everything else {call.path[len(self.tmp) + 1:]}
        if everything or call.path.endswith("/ledger"):
            self.recorded |= self.intended
        if everything or call.path == self.new:
            self.durable |= self.renamed

    def _rename(self, call):
        source = re.search(r'"([^"]*)"', call.text).group(1).rpartition("/")[2]
        if source not in self.written:
            return                      # the ledger's own, for one
        tap.check(source in self.flushed, "visible before its bytes are durable", call)
        tap.check(source in self.recorded, "visible before the ledger knows durably", call)
        self.renamed.add(source)

    def _write(self, call):
        if call.path.startswith(self.tmp + "/"):
            self.written.add(call.path[len(self.tmp) + 1:])
            self.flushed.discard(call.path[len(self.tmp) + 1:])
        elif call.path.endswith("/ledger"):
            self.intended |= {name for name in self.written if name in call.text}
        elif call.path.startswith(("socket:", "TCP:")):
            self._send(call)

    def _send(self, call):
        self.deleted += len(re.findall(r"DELE \d+\\r\\n", call.text))
        tap.check(self.deleted <= len(self.durable), "DELE %d sent when %d are durable"
                  % (self.deleted, len(self.durable)), call)
        if "QUIT" in call.text:
            self.quits += 1
            safe = self.durable if self.new else self.flushed & self.recorded
            tap.equal(safe, self.written, "durable at QUIT, of those retrieved")


@tap.case("Maildir: flushed, recorded, renamed, flushed, and only then DELE and QUIT")
def maildir(_env):
    for keep in (False, True):
        with fetching(server_tls="none", keep=keep) as (one, server):
            result, calls = trace.record(one, "fetch")
            tap.equal(result.status, 0, "exit status of\n%s" % result)
            order = Order(one.path("Mail/tmp"), one.path("Mail/new")).follow(calls)
            tap.equal(len(order.durable), len(MESSAGES), "messages seen in the trace")
            tap.equal(order.deleted, 0 if keep else len(MESSAGES), "DELEs in the trace")
            tap.equal(order.quits, 1, "QUITs in the trace")
            tap.equal(wire.digests(readers.maildir(one.path("Mail"))), WANTED, "messages")


@tap.case("Maildir: what a pass noted that was killed before the flush is flushed, then renamed")
def unflushed(_env):
    for number in range(1, 20):
        with fetching(server_tls="none", keep=True) as (one, _server):
            one.prefix = trace.killer("fdatasync", number)
            tap.check(one.fetch().status != 0, "it never came to an unflushed intent")
            one.prefix = []
            left = set(readers.litter(one.path("Mail")))
            if " intent " not in one.ledger("box") or len(left) != len(MESSAGES):
                continue
            result, calls = trace.record(one, "fetch")
            tap.equal(result.status, 0, "exit status of\n%s" % result)
            order = Order(one.path("Mail/tmp"), one.path("Mail/new"))
            order.written = order.flushed = order.intended = {os.path.basename(f) for f in left}
            tap.equal(len(order.follow(calls).durable), len(MESSAGES), "messages in the trace")
            return


@tap.case("mbox: the ledger first, then the append, its flush, and only then DELE")
def mbox(_env):
    with fetching(server_tls="none") as (one, server):
        path = one.path("box")
        one.configure({"box": server.account({"mbox": path}, keep=False)})
        result, calls = trace.record(one, "fetch")
        tap.equal(result.status, 0, "exit status of\n%s" % result)
        recorded = appended = flushed = deleted = False
        for call in calls:
            if call.name in FLUSHES and call.path.endswith("/ledger"):
                recorded = True
            elif call.path == path and "write" in call.name:
                tap.check(recorded, "appended before the ledger is durable", call)
                appended, flushed = True, False
            elif call.name in FLUSHES and call.path == path:
                flushed = appended
            elif call.path.startswith(("socket:", "TCP:")) and "DELE" in call.text:
                tap.check(flushed, "DELE before the mbox is durable", call)
                deleted = True
        tap.check(deleted, "no DELE in the trace")
        tap.equal(wire.digests(readers.mbox(path)), WANTED, "messages")


@tap.case("a refused message is safe here before QUIT, and not deleted there")
def refused(_env):
    with fetching(server_tls="none") as (one, server):
        one.configure({"box": server.account({"pipe": ["/bin/false"]}, keep=False)})
        result, calls = trace.record(one, "fetch")
        tap.equal(result.status, 75, "exit status of\n%s" % result)
        order = Order(one.state + "/box/stage").follow(calls)
        tap.equal(len(order.written), len(MESSAGES), "messages seen in the trace")
        tap.equal(server.count("DELE"), 0, "DELE")


@tap.case("a message that could not be written: no QUIT after it, all there later")
def no_quit(_env):
    big = b"Subject: big\n\n" + b"x" * 200_000 + b"\n"
    with fetching(messages=MESSAGES[:3] + [big] + MESSAGES[3:]) as (one, server):
        one.prefix = ["sh", "-c", "trap '' XFSZ; ulimit -f 64; exec \"$@\"", "sh"]
        told(one.fetch(), 75, "box", "too large")
        tap.check(server.count("RETR") > 0, "no message was retrieved")
        tap.equal(server.count("QUIT"), 0, "QUIT after a message that is nowhere")
        one.prefix = []
        one.fetch_ok()
        tap.equal(wire.digests(readers.maildir(one.path("Mail"))),
                  WANTED + wire.digests([big]), "messages")
        tap.equal(server.held(), [], "left on the server")


@tap.case("a poll with nothing new flushes nothing, and writes what it remembers alone")
def nothing_new(_env):
    with fetching(keep=True, server_tls="none") as (one, _server):
        one.fetch_ok()
        result, calls = trace.record(one, "fetch")
        tap.equal(result.status, 0, "exit status")
        files = [call for call in calls if call.path.startswith(one.state)]
        tap.equal([str(call) for call in calls if call.name in FLUSHES], [], "flushes")
        tap.equal({call.path.rpartition("/")[2] for call in files
                   if call.name.startswith(("write", "pwrite"))},
                  {"memory.new", "lock"}, "files that are written")


if __name__ == "__main__":
    tap.main(world)
