#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that the daemon runs, hooks and delivery programs: whatever they do,
they harm nobody but their own message or event."""

import contextlib
import errno
import os
import signal

from harness import agent, memoryfile, popd, procs, readers, shim, tap, wire
from harness.daemon import PATIENCE, accounts, play, polling, polls, running, wait_polls
from harness.scene import MESSAGES, world

HOOK = """#!/bin/sh
env | grep ^POSTRIDER_ | sort > "$0.$1.$$.new"
mv "$0.$1.$$.new" "$0.$1.$$"
"""
DAY = 86400


def script(one, name, text):
    """An executable file; give its path."""
    with open(one.path(name), "w") as file:
        file.write(text)
    os.chmod(one.path(name), 0o755)
    return one.path(name)


def hooked(one, event):
    """The environments that the hook of EVENT has seen."""
    found = []
    for name in os.listdir(one.home):
        if name.startswith("hook.%s." % event) and not name.endswith(".new"):
            lines = readers.read(one.path(name)).decode().splitlines()
            found.append(dict(line.split("=", 1) for line in lines))
    return found


def with_hooks(daemon, server, **keys):
    """Give the accounts a hook for each event, and reload."""
    program = script(daemon.one, "hook", HOOK)
    hooks = {event: [program, event] for event in ("mail", "failing", "recovered")}
    daemon.one.configure(accounts(daemon.one, server, hooks=hooks, **keys))
    daemon.one.expect(0, "reload")


def poll(daemon):
    """Poll, and wait until that is over."""
    daemon.one.expect(0, "poll")
    daemon.wait_state("jane", "waiting", "held")


@tap.case("hooks: mail, once for a pass that brought some, and nothing of a message")
def mail(_env):
    with polling() as (daemon, server):
        wait_polls(server, 1)
        daemon.wait_state("jane", "waiting")
        with_hooks(daemon, server)
        for _ in range(2):
            poll(daemon)
        tap.equal(hooked(daemon.one, "mail"), [], "hooks without mail")
        server.put(MESSAGES)
        for _ in range(2):
            poll(daemon)
        tap.equal(hooked(daemon.one, "mail"), [{
            "POSTRIDER_ACCOUNT": "jane", "POSTRIDER_EVENT": "mail",
            "POSTRIDER_MESSAGES": str(len(MESSAGES)), "POSTRIDER_ERROR": ""}], "hooks")


@tap.case("hooks: failing and recovered, once each, with our words and not the server's")
def failing(_env):
    with polling() as (daemon, server):
        wait_polls(server, 1)
        daemon.wait_state("jane", "waiting")
        with_hooks(daemon, server)
        play(server.script, 'on PASS err "[SYS/TEMP] evil $(words)"')
        poll(daemon)
        tap.equal(hooked(daemon.one, "failing"), [], "hooks after a moment")
        memoryfile.earlier(daemon.one, "jane", 2 * DAY)
        for _ in range(2):
            poll(daemon)
        (seen,) = hooked(daemon.one, "failing")
        tap.equal((seen["POSTRIDER_EVENT"], seen["POSTRIDER_ACCOUNT"]), ("failing", "jane"), "it")
        tap.check(seen["POSTRIDER_ERROR"] and "evil" not in seen["POSTRIDER_ERROR"], "words", seen)
        tap.equal(hooked(daemon.one, "recovered"), [], "recovered too soon")
        play(server.script)
        for _ in range(2):
            poll(daemon)
        tap.equal([seen["POSTRIDER_EVENT"] for seen in hooked(daemon.one, "recovered")],
                  ["recovered"], "hooks then")


@tap.case("hooks: one that hangs holds up its own account, and neither others nor the end")
def hanging(_env):
    with polling(users=2, interval="1s") as (daemon, server):
        jane, other = server.users
        wait_polls(server, 1, jane)
        tree = accounts(daemon.one, server, interval="1s")
        hang = script(daemon.one, "hang", "#!/bin/sh\ntrap '' TERM\ntouch \"$0.ing\"\nsleep 1000\n")
        tree[jane]["hooks"] = {"mail": [hang]}
        daemon.one.configure(tree)
        daemon.one.expect(0, "reload")
        server.put(MESSAGES[:1])
        procs.wait_until(lambda: os.path.exists(hang + ".ing"), PATIENCE, "the hook")
        wait_polls(server, polls(server, other) + 3, other)
        tap.equal(daemon.state(jane), "running", "the account with the hook")
        children = procs.descendants(daemon.pid)
        tap.diag("it left after %.1f s" % daemon.stop())
        procs.wait_until(lambda: all(procs.reap(pid) or not procs.program(pid)
                                     for pid in children), PATIENCE, "the hook's end")


@tap.case("hooks: one that fails, dies or is not there is told, and the mail comes")
def broken_hooks(_env):
    ends = {"fails": "exit 3", "dies": "kill -SEGV $$", "away": "sleep 1000 & exit 0",
            "deaf": "exec 0<&- 1<&- 2<&-; exit 4"}
    with popd.Popd(MESSAGES, tls="none", users=len(ends) + 1) as server:
        one = agent.Agent()
        tree = accounts(one, server)
        for user, name in zip(server.users, [*ends, "missing"]):
            program = one.path(name)
            if name in ends:
                script(one, name, "#!/bin/sh\necho words of %s\n%s\n" % (name, ends[name]))
            tree[user]["hooks"] = {"mail": [program]}
        one.configure(tree)
        with running(one) as daemon:
            for user in server.users:
                wait_polls(server, 1, user)
                daemon.wait_state(user, "waiting", "held")
                tap.equal(len(readers.maildir(one.path(user))), len(MESSAGES), "mail of " + user)
            for words in ("status 3.*words of fails\n", "signal 11.*words of dies\n",
                          "status 4", "missing"):
                tap.check(daemon.said(words), "not told: " + words)
            tap.equal(daemon.zombies(), [], "zombies")


# ---- delivery programs ----

BAD = {     # what one does with a message that it does not like
    "hangs": "echo $$ > \"$1/hangs\"; sleep 1000",
    "forks away": "(sleep 1000; echo late) & cat > \"$t\" && mv \"$t\" \"$1/got.$$\"; exit 0",
    "closes its input": "exec 0<&-; exit 1",
    "closes everything": "exec 0<&- 1<&- 2<&-; sleep 1; exit 1",
    "dies": "kill -SEGV $$",
    "writes 1 GB": "head -c 1000000000 /dev/zero; exit 75",
    "writes for ever": "echo $$ > \"$1/hangs\"; exec cat /dev/zero",
}
MDA = """#!/bin/sh
t="$1/.new.$$"
grep -q "^X-Bad: yes"
bad=$?
exec < /dev/stdin
if [ $bad = 0 ]; then %s; fi
"""
GOOD = "cat > \"$t\" && mv \"$t\" \"$1/got.$$\"\n"


def picky(one, number, how):
    """A delivery program that misbehaves with one message, and its folder."""
    folder = one.path("piped%d" % number)
    os.mkdir(folder)
    return [script(one, "mda%d" % number, MDA % how + GOOD), folder]


def piped(argv):
    """What a delivery program has delivered."""
    return wire.digests(readers.read(argv[1] + "/" + name) for name in os.listdir(argv[1])
                        if name.startswith("got."))


@tap.case("a delivery program that misbehaves harms one message, and no other account")
def misbehaving(_env):
    messages = [b"Subject: 1\n\none\n", b"Subject: 2\nX-Bad: yes\n\ntwo\n", b"Subject: 3\n\nthree\n"]
    with popd.Popd(messages, tls="none", users=len(BAD) + 1) as server:
        one = agent.Agent()
        healthy = server.users[-1]
        tree = {healthy: accounts(one, server, interval="1s")[healthy]}
        programs = {}
        for number, (name, how) in enumerate(BAD.items()):
            programs[name] = picky(one, number, how)
            tree["bad%d" % number] = server.account(
                {"pipe": programs[name]}, user=server.users[number], auth=["user"], interval="1h")
        one.configure(tree, parallel=16, per_host=16)
        with running(one) as daemon:
            judge(daemon, server, programs, wire.digests(messages), wire.digests(messages[1:2]))
            tap.equal(wire.digests(readers.maildir(one.path(healthy))), wire.digests(messages),
                      "mail of the healthy one")


def judge(daemon, server, programs, whole, bad):
    """Each program must get all but the bad message, whatever the others do."""
    healthy = server.users[-1]
    for number, name in enumerate(BAD):
        if os.path.exists(programs[name][1] + "/hangs"):
            continue
        if name in ("hangs", "writes for ever"):
            procs.wait_until(lambda name=name: os.path.exists(programs[name][1] + "/hangs"),
                             PATIENCE, "the program that " + name)
            continue
        wait_polls(server, 1, server.users[number])
        daemon.wait_state("bad%d" % number, "waiting")
        tap.equal(piped(programs[name]), whole if name == "forks away" else whole - bad,
                  "messages of the program that " + name)
    wait_polls(server, polls(server, healthy) + 3, healthy)
    tap.check(daemon.answers(), "it does not answer")
    for number, name in enumerate(BAD):
        if os.path.exists(programs[name][1] + "/hangs"):
            tap.equal(daemon.state("bad%d" % number), "running", "the account whose one " + name)
            os.kill(int(readers.read(programs[name][1] + "/hangs")), signal.SIGKILL)
            daemon.wait_state("bad%d" % number, "waiting")
            tap.equal(piped(programs[name]), whole - bad, "messages of the one that " + name)
    if not agent.sanitized():
        tap.check(daemon.memory() < 8000, "it needs %d KiB" % daemon.memory())
    tap.equal(daemon.zombies(), [], "zombies")


@tap.case("a delivery program that cannot be started for want of processes: tried again later")
def no_process(_env):
    with popd.Popd((), tls="none") as server:
        one = agent.Agent()
        argv = picky(one, 0, "true")
        one.configure({"jane": server.account({"pipe": argv}, auth=["user"], interval="1h")})
        with shim.preloaded(one) as control, contextlib.ExitStack() as stack:
            daemon = stack.enter_context(running(one))
            wait_polls(server, 1)
            daemon.wait_state("jane", "waiting")
            # The next that the daemon starts is a worker, the one after the program.
            control.order("fail", at=2, kinds=["fork"], roles=["parent"], error=errno.EAGAIN)
            server.put(MESSAGES[:1])
            daemon.ask("poll")
            daemon.wait_said("cannot start .*mda0")
            daemon.wait_state("jane", "waiting")
            daemon.ask("poll")
            procs.wait_until(lambda: piped(argv) == wire.digests(MESSAGES[:1]), PATIENCE, "mail")
            tap.equal(daemon.said("not tried again"), 0, "held")


if __name__ == "__main__":
    tap.main(world)
