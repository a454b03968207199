#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Network faults and answers that are wrong: the next fetch delivers all.

    netfault.py [--soak] [--seed N] [--only WORD]

The stream from the server is cut, reset, stalled or spoilt at every byte, and
every answer doubled, early, out of order, cut or dripped. Every run ends soon
after the deadline of its state, and not before it.
"""

import random

from rig import cli, network, tools

# Most runs that cost time wait for a deadline, so there may be more of them
# at once than there are processors.
AT_ONCE = 8
SCENE = "maildir-net"
FIRST = 4096            # bytes that are spoilt one by one


def at_bytes(options, length, tls):
    """Faults at bytes of the stream: every byte where that is cheap."""
    rng = random.Random(options.seed + tls)
    every = range(0, min(length, FIRST))
    few = 8 if options.soak else 1

    def some(count):
        return sorted(rng.sample(every, min(count * few, len(every))))
    step = 1 if options.soak else 16 if tls else 1
    for at in every[::step]:
        yield network.Fault(SCENE, "cut-after", at, tls)
    for at in every[::step * 4]:
        yield network.Fault(SCENE, "reset-after", at, tls)
    for at in some(60):
        yield network.Fault(SCENE, "stall-after", at, tls)
    if tls:
        # Without TLS nobody can see that a byte of a body has changed.
        for at in some(80):
            yield network.Fault(SCENE, "garbage-after", at, tls)
        for at in some(120):
            yield network.Fault(SCENE, "flip-after", at, tls)


def into_mbox(options, length):
    """Lines that break while a staged file holds other messages already."""
    for at in range(0, min(length, FIRST), 1 if options.soak else 8):
        yield network.Fault("mbox-net", "cut-after", at)
    for when in "123":
        for action in _BREAKS:
            yield network.Fault("mbox-net", "on RETR %s %s" % (when, action))


EVENTS = "GREETING CAPA AUTH SASL UIDL LIST RETR TOP DELE QUIT".split()
_BREAKS = ["close", "reset", "drop-input", 'err "[SYS/TEMP] not now"', 'err "no"',
           "do-then-close", "do-then-reset", "then-close", "then-reset",
           "cut 1", "cut 4", "cut -1", "cut -3", "split 1", "delay 300"]
_LIES = ['prepend "+OK\\r\\n"', 'prepend "-ERR no\\r\\n"', 'prepend ".\\r\\n"',
         'prepend "+OK\\r\\n.\\r\\n"', 'append "+OK\\r\\n"', 'append "-ERR no\\r\\n"',
         'append ".\\r\\n"', 'append "\\r\\n"', 'append "+OK\\r\\n.\\r\\n"', "twice",
         "garbage 64 1", "garbage 400 2", 'reply "\\r\\n"', 'reply "+OK"', 'reply "+"',
         "endless-line", "ignore"]
# A server that always does this sends another message, for all we can see.
_UNSEEN = ("RETR", 'prepend "+OK\\r\\n"')
_WAITS = ["stall", "do-then-stall", "stall-at 0", "stall-at 3", "stall-at -1",
          "stall-at -3", "drip 1", "drip-ms 400"]


def rules(options, which):
    """Faults around every answer."""
    for event in EVENTS:
        whens = ["1"] if event in ("GREETING", "AUTH", "SASL", "UIDL", "LIST", "QUIT") \
            else ["1", "2"]
        for when in whens:
            for action in which:
                if (event, action) != _UNSEEN:
                    yield network.Fault(_scene(event), "on %s %s %s" % (event, when, action))
            if which is _LIES and event != "GREETING":
                for text in ("+OK early", "-ERR early"):
                    yield network.Fault(_scene(event), 'on %s %s early "%s\\r\\n"' % (
                        event, when, text))


def _scene(event):
    """Only a message that is known already is looked at with TOP."""
    return SCENE + "-known" if event == "TOP" else SCENE


def groups(options, gang):
    """Titles and faults."""
    for tls in (False, True):
        length, = gang.map(_length, [tls])
        yield "bytes of the stream%s" % (", TLS" * tls), list(at_bytes(options, length, tls))
        if not tls:
            yield "lines that break into an mbox", list(into_mbox(options, length))
    yield "answers that break off", list(rules(options, _BREAKS))
    yield "answers that are wrong", list(rules(options, _LIES))
    yield "answers that do not come", list(rules(options, _WAITS))


def _length(tls):
    return network.stream_length(SCENE, tls)


def sweep(gang, options, out):
    """All of them."""
    tools.need("WANPROXY", "tests/tools/wanproxy")
    for title, faults in groups(options, gang):
        if options.only in title:
            out.judge(title, gang.map(network.play_fault, faults))


if __name__ == "__main__":
    cli.run("network faults", sweep, cli.parser(__doc__).parse_args(), size=AT_ONCE,
            network=True)
