#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""One message that fails each time holds up nothing else.

The server refuses it, breaks off in the middle of it or falls silent, or the
program that is to deliver it says no. All others arrive; the poison is tried
again at once a few times, then with growing pauses, is shown by `status`,
stays on the server, and is delivered once when it is no poison any more.
"""

import contextlib
import itertools
import os
import re
import time

from harness import agent, corpus, ledgerfile, popd, procs, readers, tap, wire
from harness.scene import impatient
from harness.tinypop import TinyPop

MESSAGES = corpus.simple(8, seed=17)
POISON = "uid-03"
AT_ONCE = 3             # so many failures before the first pause
PAUSES = [300, 600, 1200, 2400, 4800, 9600, 19200, 21600, 21600]
# How the server fails to hand a message over, and how often before we know
# that the message is to blame.
SERVER_FAULTS = {
    "refused": ("refuse", "I/O error on this message"),
    "refused for now": ("refuse", "[SYS/TEMP] try again"),
    "closed before the answer": ("close",),
    "reset before the answer": ("reset",),
    "closed behind the status line": ("cut", 5),
    "closed in the middle": ("cut", 90),
    "silent before the answer": ("stall",),
    "silent in the middle": ("stall-at", 90),
}
SCRIPT = """#!/bin/sh
# Take a message, unless "bad" names a line it has.
cat > "$0.in.$$"
echo "$POSTRIDER_DELIVERY_ID $POSTRIDER_ATTEMPT $POSTRIDER_ACCOUNT" >> "$0.log"
subject=$(grep -m 1 ^Subject: "$0.in.$$")
echo "$subject" >> "$0.subjects"
if grep -qxF "$subject" "$0.bad"; then
	rm "$0.in.$$"
	echo "I do not like this one" >&2
	exit 1
fi
mv "$0.in.$$" "$0.got.$$"
"""


def digests(messages):
    """The multiset of MESSAGES, which end in LF here."""
    return wire.digests(messages)


def subject(message):
    """Its Subject line."""
    return re.search(rb"(?m)^Subject: .*$", message).group(0).decode()


@contextlib.contextmanager
def serving(messages=MESSAGES, **account):
    """A TinyPop and a postrider with one account, `box`, there."""
    with TinyPop(messages) as server:
        one = agent.Agent()
        one.configure({"box": server.account({"maildir": one.path("Mail")},
                                             **{"keep": False, **account})})
        impatient(one, server)
        yield one, server
        one.remove()


def others_arrive(one, server, poison, read, passes):
    """Fetch until all but POISON are here and gone from the server."""
    wanted = digests(m for n, m in enumerate(MESSAGES) if "uid-%02d" % n not in poison)
    for number in range(1, passes + 1):
        result = one.fetch()
        tap.check(result.status in (0, 75, 76), "exit status", result)
        got = digests(read(one))
        tap.check(not got - wanted, "torn, doubled or poison", result)
        if got == wanted and set(server.drop) == set(poison):
            return number
    raise AssertionError("after %d passes %d of %d others are here, on the server: %s\n%s"
                         % (passes, sum(got.values()), sum(wanted.values()),
                            list(server.drop), result))


def maildir(one):
    """What is in the Maildir."""
    return readers.maildir(one.path("Mail"))


def all_well(one, server):
    """After a last fetch: each message here once, nothing left anywhere."""
    tap.equal(digests(maildir(one)), digests(MESSAGES), "messages here in the end")
    tap.equal(readers.litter(one.path("Mail")), [], "files left in tmp/")
    tap.equal(list(server.drop), [], "left on the server")
    tap.equal(aside(one), {}, "set aside in the end")


ASIDE = re.compile(r"set aside: UID (?P<uid>\S+), .* (?P<tries>\d+) times?, "
                   r"next try (?P<next>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d): (?P<reason>.+)")


def aside(one):
    """What `status` says is set aside: UID: (tries, next try, reason)."""
    out = one.expect(0, "status").out
    return {found["uid"]: (int(found["tries"]),
                           time.mktime(time.strptime(found["next"], "%Y-%m-%d %H:%M:%S")),
                           found["reason"])
            for found in ASIDE.finditer(out)}


def set_aside(one, retried):
    """Fetch until it is tried no more at once; it must then be shown."""
    for _ in range(AT_ONCE + 3):
        before = retried()
        one.fetch()
        if retried() == before:
            break
    tap.equal(retried(), AT_ONCE, "tries before the first pause")
    tries, when, reason = aside(one)[POISON]
    tap.equal(tries, AT_ONCE, "tries that status shows")
    tap.check(-60 <= when - time.time() - PAUSES[0] <= 5, "next try in %d s, wanted %d"
              % (when - time.time(), PAUSES[0]))
    return reason


def pauses_grow(one, retried):
    """Each time that the pause is over it is tried once, and the next is longer."""
    for number, pause in enumerate(PAUSES):
        tries, when, _ = aside(one)[POISON]
        tap.equal(tries, AT_ONCE + number, "tries that status shows")
        left = when - time.time()
        tap.check(pause - 60 <= left <= pause + 5, "pause %d lasts %d s, wanted %d"
                  % (number + 1, left, pause))
        before = retried()
        ledgerfile.move(one.state + "/box/ledger", pause - 100)
        one.fetch()
        tap.equal(retried() - before, 0, "tries 100 s before the pause is over")
        ledgerfile.move(one.state + "/box/ledger", 101)
        one.fetch()
        tap.equal(retried() - before, 1, "tries when pause %d is over" % (number + 1))


@tap.case("the server does not hand a message over: the others come, it is set aside")
def server_poison(_env):
    def play(setting):
        name, poison = setting
        with serving() as (one, server):
            server.poison[("RETR", poison)] = SERVER_FAULTS[name]
            passes = others_arrive(one, server, [poison], maildir, AT_ONCE + 2)
            tries, _when, reason = aside(one)[poison]
            tap.check(1 <= tries <= AT_ONCE and len(reason) > 5, "status: %d, %r"
                      % (tries, reason))
            tap.diag("%s, %s: %d passes; %s" % (name, poison, passes, reason))
            server.poison.clear()
            ledgerfile.move(one.state + "/box/ledger", 7 * 3600)
            one.fetch_ok()
            all_well(one, server)
    # Silence is played once.
    tap.each([(name, poison) for name in SERVER_FAULTS for poison in ("uid-00", POISON)
              if poison == POISON or "silent" not in name], play)


@tap.case("a server that hands nothing over and deletes nothing does not fill the log")
def flood(_env):
    many = corpus.simple(60)
    with popd.Popd(many, "--do", 'on RETR err "no"') as server:
        one = agent.Agent()
        one.configure({"box": server.account({"maildir": one.path("Mail")})})
        lines = one.expect(75, "fetch").err.splitlines()
        tap.check(20 < len(lines) < 30, "%d lines" % len(lines), lines)
    with popd.Popd(many, "--do", 'on DELE err "no"') as server:
        one = agent.Agent()
        one.configure({"box": server.account({"maildir": one.path("Mail")}, keep=False)})
        lines = one.expect(0, "fetch").err.splitlines()
        tap.check(20 < len(lines) < 30, "%d lines" % len(lines), lines)
        tap.equal(len(readers.maildir(one.path("Mail"))), len(many), "messages here")


@tap.case("it is tried at once a few times, then with growing pauses up to six hours")
def pauses(_env):
    for name in ("refused", "closed in the middle"):
        with serving() as (one, server):
            server.poison[("RETR", POISON)] = SERVER_FAULTS[name]

            def retried():
                return server.count("RETR", POISON)
            set_aside(one, retried)
            pauses_grow(one, retried)
            tap.equal(sorted(server.drop), [POISON], "on the server")
            tap.equal(len(maildir(one)), len(MESSAGES) - 1, "messages here")


@tap.case("a pause noted while the clock was wrong does not last for ever")
def wrong_clock(_env):
    for way in ("server", "program"):
        with serving() as (one, server):
            if way == "server":
                server.poison[("RETR", POISON)] = SERVER_FAULTS["refused"]
                set_aside(one, lambda: server.count("RETR", POISON))
            else:
                piping(one, server, [POISON])
                set_aside(one, lambda: tries_of(one, POISON))
            ledgerfile.move(one.state + "/box/ledger", -400 * 86400)
            server.poison.clear()
            dislike(one, [])
            one.fetch()
            # All it may do is to wait once more for as long as it ever does.
            ledgerfile.move(one.state + "/box/ledger", 7 * 3600)
            one.fetch()
            tap.equal(list(server.drop), [], "left on the server, refused by the %s before" % way)


@tap.case("while it is set aside, new mail comes and goes without delay")
def new_mail(_env):
    with serving() as (one, server):
        server.poison[("RETR", POISON)] = SERVER_FAULTS["closed in the middle"]
        others_arrive(one, server, [POISON], maildir, AT_ONCE + 2)
        new = corpus.simple(3, seed=18)
        for number, message in enumerate(new):
            server.put([message], "new-%d", first=number)
            one.fetch_ok()
            tap.equal(list(server.drop), [POISON], "on the server")
        got = digests(maildir(one))
        tap.check(not digests(new) - got, "new mail is missing")


@tap.case("several poison messages: all others come, each poison is set aside")
def several(_env):
    def play(setting):
        name, limits = setting
        bad = ["uid-00", "uid-01", POISON, "uid-07"]
        with serving(limits=limits) as (one, server):
            for uid in bad:
                server.poison[("RETR", uid)] = SERVER_FAULTS[name]
            passes = others_arrive(one, server, bad, maildir, 30)
            tap.diag("%s, %s: %d passes" % (name, limits, passes))
            for _ in range(4 * AT_ONCE):
                one.fetch()
            tap.equal(sorted(aside(one)), bad, "set aside")
            server.poison.clear()
            ledgerfile.move(one.state + "/box/ledger", 7 * 3600)
            procs.wait_until(lambda: one.fetch().status == 0 and not server.drop, 60,
                             "all to come when they heal")
            all_well(one, server)
    tap.each(itertools.product(("refused", "closed in the middle"),
                               ({"messages": "none"}, {"messages": 1}, {"messages": 3})), play)


@tap.case("keep: true: poison is not asked for again and again, the others are known")
def kept(_env):
    with serving(keep=True) as (one, server):
        server.poison[("RETR", POISON)] = SERVER_FAULTS["closed in the middle"]
        set_aside(one, lambda: server.count("RETR", POISON))
        server.asked.clear()
        for _ in range(3):
            one.fetch_ok()
        tap.equal(server.count("RETR"), 0, "messages retrieved")
        tap.equal(len(maildir(one)), len(MESSAGES) - 1, "messages here")


@tap.case("a header that breaks the session each time holds up neither mail nor deletion")
def top_poison(_env):
    def play(deed):
        with serving(keep=True) as (one, server):
            one.fetch_ok()
            server.poison[("TOP", POISON)] = deed
            new = corpus.simple(3, seed=18)
            server.put(new, "new-%d")
            one.configure({"box": server.account({"maildir": one.path("Mail")}, keep=False)})
            for _ in range(6):
                one.fetch()
            got = digests(maildir(one))
            tap.equal(got - digests(MESSAGES + new), digests([]), "torn or doubled")
            tap.check(not digests(MESSAGES + new) - got, "new mail does not come")
            tap.check(set(server.drop) <= {POISON}, "not deleted: %s" % list(server.drop))
    tap.each((("refuse", "no"), ("close",), ("cut", 20), ("stall-at", 20)), play)


@tap.case("a message whose DELE breaks the session holds up no mail, and no deletion for ever")
def dele_poison(_env):
    def play(deed):
        with serving() as (one, server):
            server.poison[("DELE", POISON)] = deed
            for _ in range(6):
                one.fetch()
            tap.equal(digests(maildir(one)), digests(MESSAGES), "messages here")
            tap.equal(server.count("RETR"), len(MESSAGES), "messages retrieved")
            tap.check(set(server.drop) <= {POISON}, "not deleted: %s" % list(server.drop))
    tap.each((("refuse", "no"), ("close",)), play)


@tap.case("another message under the UID of one that is set aside is not held up by it")
def same_uid(_env):
    def play(by_server):
        with serving() as (one, server):
            if by_server:
                server.poison[("RETR", POISON)] = SERVER_FAULTS["refused"]
                set_aside(one, lambda: server.count("RETR", POISON))
            else:
                piping(one, server, [POISON])
                set_aside(one, lambda: tries_of(one, POISON))
            new = corpus.simple(3, seed=18)[2] + b"and a different size\n"
            server.drop = {}
            server.put([new], first=3)
            server.poison.clear()
            one.fetch()
            got = digests(maildir(one) if by_server else piped(one))
            tap.check(not digests([new]) - got, "the new message has not come")
            tap.equal(list(server.drop), [], "left on the server")
    tap.each((True, False), play)


# The program that is to deliver says no.


def piping(one, server, bad, **account):
    """Deliver through a program that refuses the messages BAD."""
    with open(one.path("mda"), "w") as file:
        file.write(SCRIPT)
    os.chmod(one.path("mda"), 0o755)
    dislike(one, bad)
    one.configure({"box": server.account({"pipe": [one.path("mda")]},
                                         **{"keep": False, **account})})


def dislike(one, bad):
    """From now on the program refuses exactly the messages BAD."""
    with open(one.path("mda.bad"), "w") as file:
        file.writelines(subject(MESSAGES[int(uid[-2:])]) + "\n" for uid in bad)


def piped(one):
    """What the program took."""
    return [readers.read(one.path(name)) for name in sorted(os.listdir(one.home))
            if name.startswith("mda.got.")]


def runs(one):
    """Every run of the program: (subject, delivery id, attempt, account)."""
    with open(one.path("mda.log")) as log, open(one.path("mda.subjects")) as subjects:
        return [(line.rstrip("\n"), *words.split()) for line, words in zip(subjects, log)]


def tries_of(one, uid):
    """How often the program was given message UID."""
    if not os.path.exists(one.path("mda.log")):
        return 0
    return sum(run[0] == subject(MESSAGES[int(uid[-2:])]) for run in runs(one))


def staged(one):
    """The messages that wait in the stage."""
    return os.listdir(one.state + "/box/stage")


@tap.case("the delivery program refuses a message: the others come, it is set aside")
def mda_poison(_env):
    for bad in (["uid-00"], [POISON], ["uid-00", POISON, "uid-07"]):
        with serving() as (one, server):
            piping(one, server, bad)
            tap.equal(others_arrive(one, server, bad, piped, 2), 1, "passes")
            tap.equal(sorted(aside(one)), bad, "set aside")
            tap.check(all("do not like" in reason for _, _, reason in aside(one).values()),
                      "the reason is not shown", aside(one))
            tap.equal(len(staged(one)), len(bad), "messages in the stage")
            server.asked.clear()
            one.fetch()
            dislike(one, [])
            ledgerfile.move(one.state + "/box/ledger", 7 * 3600)
            one.fetch_ok()
            tap.equal(digests(piped(one)), digests(MESSAGES), "messages taken in the end")
            tap.equal(server.count("RETR"), 0, "messages retrieved a second time")
            tap.equal(list(server.drop), [], "left on the server")
            tap.equal(staged(one), [], "left in the stage")
            tap.equal(aside(one), {}, "set aside in the end")


@tap.case("the delivery program is tried at once a few times, then with growing pauses")
def mda_pauses(_env):
    with serving() as (one, server):
        piping(one, server, [POISON])
        reason = set_aside(one, lambda: tries_of(one, POISON))
        tap.check("do not like" in reason, "the reason is not shown", reason)
        pauses_grow(one, lambda: tries_of(one, POISON))
        tap.equal(sorted(server.drop), [POISON], "on the server")
        tap.equal(server.count("RETR", POISON), 1, "times it was retrieved")


@tap.case("the delivery id stays the same over all attempts, and the attempts count up")
def environment(_env):
    with serving() as (one, server):
        piping(one, server, [POISON])
        for number in range(6):
            one.fetch()
            ledgerfile.move(one.state + "/box/ledger", 7 * 3600)
        dislike(one, [])
        one.fetch_ok()
        seen = {}
        for line, *rest in runs(one):
            seen.setdefault(line, []).append(tuple(rest))
        tap.equal(len(seen), len(MESSAGES), "different messages")
        ids = [run[0][0] for run in seen.values()]
        tap.equal(len(set(ids)), len(MESSAGES), "different ids")
        for line, tries in seen.items():
            wanted = 7 if line == subject(MESSAGES[3]) else 1
            tap.equal([(identity, attempt) for identity, attempt, _ in tries],
                      [(tries[0][0], str(n)) for n in range(1, wanted + 1)],
                      "id and attempts of " + line)
            tap.equal({account for _, _, account in tries}, {"box"}, "account")
        # With another Received; with the same it would be a backup put back.
        server.put([message.replace(b"Received: ", b"Received: again ", 1)
                    for message in MESSAGES], "again-%d")
        one.fetch_ok()
        later = {run[1] for run in runs(one)} - set(ids)
        tap.equal(len(later), len(MESSAGES), "ids of the same messages, sent again")


@tap.case("killed while the program has the message: same id, next attempt, doubt is told")
def killed(_env):
    with serving(messages=MESSAGES[:1]) as (one, server):
        piping(one, server, [])
        with open(one.path("mda"), "w") as file:
            file.write(SCRIPT.replace("cat >", "test -e \"$0.go\" || "
                                      "{ echo \"$POSTRIDER_DELIVERY_ID $POSTRIDER_ATTEMPT\" "
                                      "> \"$0.first\"; sleep 600; }\ncat >"))
        process = one.start("fetch")
        procs.wait_until(lambda: os.path.exists(one.path("mda.first"))
                         and readers.read(one.path("mda.first")), 60, "the program to start")
        one.abort(process)
        with open(one.path("mda.go"), "w"):
            pass
        results = []
        procs.wait_until(lambda: results.append(one.fetch()) or results[-1].status == 0, 60,
                         "a fetch that succeeds")
        first = readers.read(one.path("mda.first")).decode().split()
        tap.equal(first[1], "1", "the first attempt")
        tap.equal(runs(one)[-1][1:3], (first[0], "2"), "id and attempt after the crash")
        tap.check(any("second time" in result.err for result in results),
                  "the doubt is not told", *results)
        tap.equal(list(server.drop), [], "left on the server")


@tap.case("a staged message that somebody removed is fetched again")
def stage_cleaned(_env):
    with serving() as (one, server):
        piping(one, server, [POISON])
        one.fetch()
        for name in staged(one):
            os.unlink(one.state + "/box/stage/" + name)
        dislike(one, [])
        procs.wait_until(lambda: one.fetch().status == 0 and not server.drop, 60,
                         "the message to come again")
        tap.equal(digests(piped(one)), digests(MESSAGES), "messages taken in the end")


@contextlib.contextmanager
def world():
    """Every case has a server of its own."""
    agent.binary()
    yield None


if __name__ == "__main__":
    tap.main(world)
