#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays single places as the reports name them, and shows all that was said.

    place.py PLACE...

    maildir-delete-8/kill-after@17!all/reader       kill.py, errors.py
    mbox-delete-1/fail:EIO:fdatasync@2+
    mbox-delete-8/posix@70:some:some#1513515869     powercut.py
    mbox-delete-8/kill-after@48!all/posix@50:all:all#501085429
    alike-mbox-delete/kill-half@49/near=mutt+procmail       alike.py
    maildir-net/cut-after@1000                      netfault.py
    maildir-net/on RETR 1 stall-at 3
"""

from rig import cli, network, outage, places, play


def played(text):
    """For a crew: the verdict on a place, of whichever sort it is."""
    rest = text.split("/", 1)[1]
    if "#" in rest:
        return outage.play_outage(text)
    if rest.startswith("on ") or "-after@" in rest and not rest.startswith("kill"):
        return network.play_fault(network.Fault.parse(text))
    return play.play(places.parse(text))


def work(gang, options, out):
    """All of them."""
    for text, verdict in zip(options.place, gang.map(played, options.place)):
        out.judge(text, [verdict])
        if not verdict.wrong:
            out.show(verdict)


if __name__ == "__main__":
    made = cli.parser(__doc__)
    made.add_argument("place", nargs="+")
    cli.run("places", work, made.parse_args(), network=True)
