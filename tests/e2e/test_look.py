#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A maildrop in which nothing has changed is not listed again, and one in which
anything has is: what a look could overlook is found within the hour.
"""

import os

from harness import corpus, popd, procs, readers, shim, tap, wire
from harness.again import DAY, HOUR, SECRET, known
from harness.daemon import PATIENCE
from harness.scene import world

MANY = corpus.simple(120)
MORE = corpus.simple(124)[120:]


def settled(*options, messages=MANY, **keys):
    """A maildrop that has been fetched and looked at. STAT and LIST of popd agree, so
    the first poll is enough for that."""
    return known(*options, messages=messages, learn=2, **{"keep": True, **keys})


def listed(box, what):
    """The next poll must list all, and the one after it look."""
    poll = box.poll()
    tap.check("LIST" in poll.verbs, "not listed: " + what, poll)
    tap.check(box.poll().looked(), "listed again: " + what)
    return poll


def drop(box):
    """The files of the maildrop, in order."""
    return [os.path.join(box.server.drop, name) for name in box.server.held()]


@tap.case("nothing new: a look, in one burst, five round trips and little on the wire")
def nothing(_env):
    with settled() as box, procs.scratch_file(b"") as report:
        poll = box.poll()
        tap.equal(poll.bursts, [["AUTH", "STAT", "UIDL"], ["QUIT"], []], "bursts")
        tap.equal(poll.connections, 1, "connections")
        proxy, port = popd.wanproxy(box.server.port, 5, "--report", report)
        box.configure(port=port)
        box.polls(3)
        procs.wait_until(lambda: open(report).read().count("\n") == 3, PATIENCE, "report")
        line = open(report).read().splitlines()[-1]
        procs.kill_group(proxy.pid)
        proxy.wait()
        proxy.stdout.close()
        up, down, bursts = map(int, line.split()[-3:])
        # Connecting is one more, and the end of TLS one that nobody waits for.
        tap.equal(bursts, 5, "bursts of %r" % line)
        tap.check(up + down < 8192, "%d and %d bytes" % (up, down))
        box.here(MANY)


@tap.case("new mail, mail that has gone, mail in another's place: listed, and fetched once")
def changes(_env):
    with settled() as box:
        box.server.put(MORE[:2], 120)
        tap.equal(listed(box, "new mail").verbs.count("RETR"), 2, "messages retrieved")
        for place in (0, 60, -1):
            os.remove(drop(box)[place])
            tap.equal(listed(box, "mail gone").verbs.count("RETR"), 0, "messages retrieved")
        os.rename(drop(box)[-1], box.server.drop + "/900000")
        listed(box, "another UID")
        here = readers.maildir(box.one.path("Mail"))
        tap.equal(wire.digests(here), wire.digests(MANY + MORE[:2]), "messages")
        with open(drop(box)[50], "ab") as file:
            file.write(b"x\n")
        listed(box, "another size")
        os.remove(drop(box)[7])
        box.server.put(MORE[2:3], 122)
        tap.equal(listed(box, "one gone, one new").verbs.count("RETR"), 1, "retrieved")
        here = wire.digests(readers.maildir(box.one.path("Mail")))
        tap.check(not wire.digests(MANY + MORE[:3]) - here, "messages are missing")


@tap.case("mail exchanged in the middle for some of the same size is seen within the hour")
def middle(_env):
    with settled() as box, shim.preloaded(box.one) as clock:
        path = drop(box)[60]
        with open(path, "rb") as file:
            other = file.read().replace(b"Subject: message", b"Subject: MESSAGE")
        os.remove(path)
        with open(path[:-1] + "x", "wb") as file:
            file.write(other)
        tap.check(box.poll().looked(), "no look")
        clock.order(later=HOUR - 60, kinds=())
        tap.check(box.poll().looked(), "no look before the hour is over")
        clock.order(later=HOUR + 60, kinds=())
        tap.equal(listed(box, "after an hour").verbs.count("RETR"), 1, "retrieved")
        box.here(MANY + [other])
        # A clock that was ahead is no reason never to list again.
        clock.order(kinds=())
        tap.check("LIST" in box.poll().verbs, "the listing came from the future")


@tap.case("keep: 30m ends when it ends, though nothing has changed; marked mail stays")
def kept(_env):
    with settled(keep="30m") as box, shim.preloaded(box.one) as clock:
        tap.check(box.poll().looked(), "no look")
        clock.order(later=1700, kinds=())
        tap.check(box.poll().looked(), "no look before it ends")
        clock.order(later=1801, kinds=())
        tap.equal(box.poll().verbs.count("DELE"), len(MANY), "deleted")
        tap.equal(box.server.held(), [], "held")
        box.here(MANY)
    with known(messages=MANY, learn=0, keep="30m") as box, shim.preloaded(box.one) as clock:
        box.poll("--baseline")
        listed(box, "the first after --baseline")
        clock.order(later=1801, kinds=())
        tap.check(box.poll().looked(), "listed for marked mail, which is never due")
        tap.equal(len(box.server.held()), len(MANY), "held")


@tap.case("what waits for its turn is never overlooked: failed, refused, beyond a limit")
def waiting(_env):
    with known(messages=MANY, rules=['on RETR #5 err "no"'], learn=0) as box:
        box.poll(status=75)
        box.rules()
        poll = box.poll()
        tap.check("LIST" in poll.verbs and poll.verbs.count("RETR") == 1, "not fetched", poll)
        tap.check(box.poll().looked(), "no look when all is done")
        box.here(MANY)
    with known(messages=MANY, learn=0, keep=True, limits={"messages": 50}) as box:
        polls = [box.poll() for _ in range(4)]
        tap.equal([poll.verbs.count("RETR") for poll in polls], [50, 50, 20, 0], "retrieved")
        tap.equal([poll.looked() for poll in polls], [False] * 3 + [True], "looks")
        box.here(MANY)
    with settled(limits={"message": 2000}) as box:
        poll = box.poll()
        tap.check(poll.looked() and "skipped (too large)" in poll.result.out, "not told", poll)
        box.configure(limits={"message": 1000000})
        tap.check(box.poll().verbs.count("RETR") > 0, "a new limit is not noticed")
        box.here(MANY)


@tap.case("what a program refuses is delivered and deleted in its time, the look notwithstanding")
def deferred(_env):
    with settled(keep="30m") as box:
        helper = box.one.path("mda")
        with open(helper, "w") as file:
            file.write("#!/bin/sh\n[ -e %s.ok ] || exit 75\ncat >> %s.mail\n"
                       % (helper, helper))
        os.chmod(helper, 0o755)
        box.configure(deliver={"pipe": [helper]})
        box.server.put(MORE[:1], 120)
        box.poll(status=75)
        tap.check("LIST" in box.poll(status=75).verbs, "not listed while it waits")
        with shim.preloaded(box.one) as clock:
            # All others are kept: their time is not up.
            open(helper + ".ok", "w").close()
            clock.order(later=1200, kinds=())
            tap.check("LIST" in box.poll().verbs, "not listed when it was delivered")
            tap.check(box.poll().looked(), "no look when all is done")
            with open(helper + ".mail", "rb") as file:
                tap.equal(wire.digests([file.read()]), wire.digests(MORE[:1]), "delivered")
            clock.order(later=1900, kinds=())
            tap.equal(box.poll().verbs.count("DELE"), len(MANY), "deleted")
            clock.order(later=1200 + 1900, kinds=())
            tap.equal(box.poll().verbs.count("DELE"), 1, "deleted of what came later")
            tap.equal(box.server.held(), [], "held")


@tap.case("--baseline, --accept-new-state, another keep, no UIDL, a small maildrop: listed")
def always(_env):
    with settled() as box:
        for word in ("--baseline", "--accept-new-state"):
            tap.check("LIST" in box.poll(word).verbs, "not listed with " + word)
        tap.check(box.poll().looked(), "no look then")
        box.configure(keep="1h")
        listed(box, "another keep")
        box.configure(user="jane", host="127.0.0.1")
        listed(box, "another host")
        box.configure(keep=False)
        tap.equal(box.poll().verbs.count("DELE"), len(MANY), "deleted")
        box.here(MANY)
    with known("--without", "uidl", messages=MANY, keep=False, rules=["on DELE * ignore"],
               learn=2) as box:
        tap.check("LIST" in box.poll().verbs, "not listed without UIDL")
    with settled() as box:
        for path in drop(box)[:21]:
            os.remove(path)
        for _ in range(3):
            tap.check("LIST" in box.poll().verbs, "99 messages are not listed")


@tap.case("STAT that is not the sum of LIST: compared with itself")
def disagrees(_env):
    with known(messages=MANY, rules=['on STAT * reply "+OK 120 99999\\r\\n"']) as box:
        tap.equal([box.poll().looked() for _ in range(3)], [False, True, True], "looks")
        box.rules('on STAT * reply "+OK 120 99998\\r\\n"')
        tap.equal([box.poll().looked() for _ in range(2)], [False, True], "looks")
        box.rules('on STAT * reply "+OK 121 99998\\r\\n"')
        tap.equal([box.poll().looked() for _ in range(2)], [False, False], "looks")
        box.here(MANY)


# What is no answer to a look, the second one.
ODD = ('on STAT #2 err "Unknown command"', 'on STAT #2 reply "+OK\\r\\n"', 'on STAT #2 reply "hello\\r\\n"',
       'on STAT #2 drop-input', "on STAT #2 close", 'on UIDL #3 reply "+OK 7 000006\\r\\n"',
       'on UIDL #3 reply "+OK\\r\\n"', 'on UIDL #3 reply "+OK\\r\\n120 000119\\r\\n.\\r\\n"',
       "on UIDL #3 close")


@tap.case("a look that is answered oddly: listed in the same poll, and no look for a day")
def odd(_env):
    def play(rule):
        pipelining, rule = rule
        with settled(*([] if pipelining else ["--without", "pipelining"])) as box:
            box.rules(rule)
            box.server.put(MORE[:1], 120)
            poll = box.poll()
            tap.check(poll.connections == 2 and poll.logins == 2, "connections, logins", poll)
            box.rules()
            poll = box.poll()
            tap.equal((poll.looked(), poll.burst(), poll.connections), (False, False, 1),
                      "look, burst, connections of the next poll")
            box.ago("recall_doubted", DAY)
            tap.equal([box.poll().looked() for _ in range(2)], [True, True], "looks a day later")
            box.here(MANY + MORE[:1])
    tap.each([(True, rule) for rule in ODD] + [(False, ODD[0]), (False, ODD[-2])], play)


@tap.case("a login that is answered oddly before a look that is: one login more, not two")
def odd_twice(_env):
    with settled() as box:
        box.rules("on AUTH #3 close", "on STAT 1 close")
        poll = box.poll()
        tap.equal((poll.connections, poll.logins, poll.looked()), (2, 2, False),
                  "connections, logins, look")
        box.here(MANY)


@tap.case("a QUIT after a look that is not answered is none the worse for it")
def unanswered(_env):
    with settled() as box:
        box.rules("on QUIT close")
        tap.check(box.poll().looked(), "no look")
        tap.check(box.poll().looked(), "no look after it")
        tap.check(SECRET not in "".join(box.memory().values()), "a secret is kept")


tap.main(world)
