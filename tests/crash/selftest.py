#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tests of the tests: faults that are planted are found.

The shim makes a program out of ours that forgets its flushes, deletes too
early, or links and unlinks where it should rename; planted.c makes one that
recovers by rules of old; and files are spoilt by hand. Each check below must
complain.
"""

import os
import struct
import subprocess
from dataclasses import replace

from rig import cli, crew, oracle, outage, places, play, scenario, shimctl, tools

import order

GRAVE = set(oracle.WORDS) - {"litter"}


def _words(verdicts):
    """The complaints, without that of litter: it is not what counts here."""
    return sorted({word for verdict in verdicts for word in verdict.wrong} - {"litter"})


# ---- the oracle ----

def _spoil(w, how):
    """Spoil a Maildir that is right."""
    folder = w.path("mail")
    first, second = sorted(os.listdir(folder + "/new"))[:2]
    first, second = folder + "/new/" + first, folder + "/new/" + second
    if how == "lost":
        os.unlink(first)
    elif how == "doubled":
        os.link(first, folder + "/cur/again:2,S")
    elif how == "torn":
        os.truncate(second, os.path.getsize(second) - 1)
    elif how == "litter":
        os.link(first, folder + "/tmp/left")
    elif how == "held":
        w.serve({1: scenario.ALL["maildir-delete-8"].texts[1]})


def spoilt(how):
    """For a crew: the verdict on a Maildir that was spoilt."""
    name = "maildir-delete-8"
    w, scene = crew.own(), scenario.ALL[name]
    verdict = play.Verdict("spoilt: " + how)
    scene.start(w, crew.before(name))
    w.configure(scene)
    play.clean(verdict, w)
    _spoil(w, how)
    verdict.wrong.update(oracle.judge(w, scene, 0))
    return verdict


# ---- the log ----

def interrupted():
    """The calls logged behind one whose process was killed as it wrote it."""
    home = tools.scratch()
    shim = shimctl.Shim(home + "/control", tools.shim(home), log_size=1 << 16)
    shim.order(flags=("log",))
    struct.pack_into("=I", shim.map, shimctl.PAGE, 64)
    subprocess.run(["sh", "-c", ": > %s/file" % home], check=True,
                   env={**os.environ, **shim.environment()})
    events = shim.log()
    shim.order()
    return [event.kind for event in events if event.path == home + "/file"], shim.log()


# ---- planted faults ----

def killed(task):
    """For a crew: verdicts on kills in a program with a planted fault."""
    name, plant, reader = task
    _verdict, events, _count = play.baseline(name, shimctl.LASTING, plant)
    listed = list(places.with_others(name, events, "reader") if reader else places.kills(name, events))
    return [play.play(replace(place, plant=plant)) for place in listed]


def remembered(name):
    """For a crew: verdicts on a program that goes by old rules, with mail that
    resembles mail and with neighbours, until one has lost some."""
    _verdict, events, _count = play.baseline(name, shimctl.LASTING)
    verdicts = []
    for place in places.sample(places.alike(name, events, cli.SEED), 150, cli.SEED):
        verdicts.append(play.play(replace(place, program="planted")))
        if "lost" in verdicts[-1].wrong:
            break
    return verdicts


def ordered(task):
    """For a crew: the order check of a program with a planted fault."""
    name, orders = task
    return [order.follow(name, orders)]


def cut(task):
    """For a crew: power cuts of a program with a planted fault."""
    name, orders, until = task
    return outage.explore((name, "posix", False, 200, cli.SEED, orders, until))


def flushes(name):
    """For a crew: what the flushes of a scenario are about, in order."""
    w, scene = crew.own(), scenario.ALL[name]
    scene.start(w, crew.before(name))
    w.configure(scene)
    _run, events = outage.logged(w, scene)
    return [os.path.basename(os.path.dirname(e.path)) + "/" + os.path.basename(e.path)
            for e in events if e.kind in shimctl.SYNCS]


PLANTED = [
    # what, by which check, its task, a word that must come up
    ("no flush at all", "power cuts", cut,
     ("maildir-delete-8", {"flags": ("no-sync",)}, ("lost",)), "lost"),
    ("no flush at all", "power cuts, mbox", cut,
     ("mbox-delete-8", {"flags": ("no-sync",)}, ("lost",)), "lost"),
    ("no flush at all", "the order", ordered, ("maildir-delete-8", {"flags": ("no-sync",)}),
     "order"),
    ("no flush at all", "the order, mbox", ordered, ("mbox-delete-1", {"flags": ("no-sync",)}),
     "order"),
    ("no flush at all", "the order, pipe", ordered, ("pipe-delete-1", {"flags": ("no-sync",)}),
     "order"),
    ("DELE moved up", "the order", ordered, ("maildir-delete-8", {"flags": ("early-dele",)}),
     "order"),
    ("DELE moved up", "the order, mbox", ordered, ("mbox-delete-8", {"flags": ("early-dele",)}),
     "order"),
    ("DELE and QUIT moved up", "kills", killed, ("maildir-delete-8", ("early-quit",), False),
     "lost"),
    ("DELE and QUIT moved up", "kills, mbox", killed, ("mbox-delete-1", ("early-quit",), False),
     "lost"),
    ("DELE and QUIT moved up", "power cuts", cut,
     ("maildir-delete-8", {"flags": ("early-quit",)}, ("lost",)), "lost"),
    ("link and unlink for rename", "kills, with a reader", killed,
     ("maildir-keep-8", ("link",), True), "doubled"),
    ("link and unlink for rename", "the order", ordered,
     ("maildir-delete-8", {"flags": ("link",)}), "order"),
    ("a rule by which what is no longer in tmp/ was delivered", "kills, with neighbours",
     remembered, "alike-maildir-delete", "lost"),
    ("a rule by which the beginning and the end decide", "kills, with neighbours",
     remembered, "alike-mbox-delete", "lost"),
]


def one_flush(gang, out, name):
    """Each single flush of a scenario, left out, is missed by some check."""
    paths = next(gang.map(flushes, [name]))
    orders = [(name, {"skip_sync": number}) for number in range(1, len(paths) + 1)]
    cuts = [(*order, GRAVE) for order in orders]
    found = [_words(one + two) for one, two in zip(gang.map(ordered, orders, 1),
                                                   gang.map(cut, cuts, 1))]
    delivered = paths.index("mail/new") + 1 if "mail/new" in paths else len(paths)
    for number, (path, words) in enumerate(zip(paths, found)):
        # The rename shows what was delivered, so the ledger need not.
        excused = number >= delivered and path.startswith("box/ledger")
        out.test(words or excused, "%s without flush %d, of %s: %s" % (
            name, number + 1, path, ", ".join(words) or "nothing"))


def sweep(gang, options, out):
    """Plant and find."""
    ways = "lost doubled torn litter held".split()
    for how, verdict in zip(ways, gang.map(spoilt, ways)):
        out.test(how in verdict.wrong, "a spoilt Maildir is %s: %s" % (
            how, ", ".join(verdict.wrong)))
    out.test(interrupted() == (["open"], []), "a record that nobody finished is passed over")
    tools.need("CRASH_PLANTED", "tests/crash/planted")
    for what, check, function, task, word in PLANTED:
        words = _words(next(gang.map(function, [task])))
        out.test(word in words, "%s is found by %s: %s" % (
            what, check, ", ".join(words) or "nothing"))
    for name in ("maildir-delete-1", "mbox-delete-1"):
        one_flush(gang, out, name)


if __name__ == "__main__":
    cli.run("tests of the tests", sweep, cli.parser(__doc__).parse_args())
