#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the server answers decides when the daemon comes back. No account is
locked by hammering at it, and none is given up for a passing fault."""

import os

from harness import agent, popd, procs, tap
from harness.daemon import PATIENCE, accounts, play, polling, polls, running, wait_polls
from harness.popd import held
from harness.scene import MESSAGES, world

LONG = 500          # seconds; an interval that no test waits for


def pass_ended(daemon, server, tries, user="jane"):
    """Wait until the TRIESth login was answered and what follows is decided."""
    procs.wait_until(lambda: server.count("PASS") >= tries, PATIENCE, "try %d" % tries)
    daemon.wait_state(user, "waiting", "held")


def poll(daemon, server, *rules):
    """One poll, now, at a server that plays RULES."""
    play(server.script, *rules)
    daemon.one.expect(0, "poll")
    daemon.wait_state("jane", "waiting", "held")


def due_in(daemon, seconds, what):
    """The next poll must come in SECONDS, as it was a moment ago."""
    left = daemon.due("jane")
    tap.check(seconds - PATIENCE < left <= seconds + 1, "%s: polled again in %d s, not %d"
              % (what, left, seconds), daemon.log())


@tap.case("[AUTH] stops the account at once, and it stays stopped; poll tries again")
def auth(_env):
    with polling(users=2, interval="1s", password="wrong") as (daemon, server):
        good, bad = server.users
        tree = accounts(daemon.one, server, interval="1s")
        tree[bad].update(password="wrong")
        daemon.one.configure(tree)
        daemon.one.expect(0, "reload")
        daemon.wait_state(bad, "held")
        before, tries = polls(server, good), wrong(server, bad)
        wait_polls(server, before + 3, good)
        tap.equal((daemon.state(bad), wrong(server, bad)), ("held", tries), "after 3 intervals")
        tap.check(daemon.said("%s: not tried again until" % bad), "not told")
        tap.check(daemon.due(bad) > 3600 - PATIENCE, "status tells of a poll that does not come")
        daemon.one.expect(0, "poll", bad)
        procs.wait_until(lambda: wrong(server, bad) == tries + 1, PATIENCE, "another try")
        daemon.wait_state(bad, "held")


def wrong(server, user):
    """How many logins of USER were refused."""
    tries = server.commands().count("USER " + user)
    return tries - polls(server, user)


@tap.case("a held account is tried when the file of its password changes, and only then")
def secret(_env):
    with popd.Popd(MESSAGES, tls="none", users=2) as server:
        one = agent.Agent()
        write_secret(one, "wrong")
        jane, other = server.users
        tree = accounts(one, server, interval="1s")
        tree[jane].update(password={"file": one.path("password")})
        one.configure(tree)
        with running(one) as daemon:
            for tries, text in ((1, "still wrong"), (2, "secret")):
                procs.wait_until(lambda tries=tries: wrong(server, jane) == tries, PATIENCE,
                                 "try %d" % tries)
                daemon.wait_state(jane, "held")
                # It is looked at as often as the other one is polled.
                wait_polls(server, polls(server, other) + 3, other)
                tap.equal(wrong(server, jane), tries, "logins before the change")
                write_secret(one, text)
            wait_polls(server, 2)


def write_secret(one, text):
    """Replace the file of the password, as an editor does."""
    with open(one.path("password.new"), "w") as file:
        file.write(text + "\n")
    os.chmod(one.path("password.new"), 0o600)
    os.rename(one.path("password.new"), one.path("password"))


@tap.case("a password file that changes during the login that it fails in counts, too")
def secret_meanwhile(_env):
    with popd.Popd(MESSAGES, "--do", held("on PASS #1"), tls="none") as server:
        one = agent.Agent()
        write_secret(one, "wrong")
        password = {"file": one.path("password")}
        one.configure(accounts(one, server, interval="1s", password=password))
        with running(one) as daemon:
            procs.wait_until(lambda: server.count("PASS"), PATIENCE, "PASS")
            write_secret(one, "secret")
            server.release()
            daemon.wait_said("not tried again until")
            wait_polls(server, 1)


@tap.case("a refusal without a reason, never having worked, stops the account")
def refused(_env):
    with polling('on PASS err "no"', interval=LONG, options=("--without", "resp-codes")
                 ) as (daemon, server):
        pass_ended(daemon, server, 1)
        tap.equal(daemon.state("jane"), "held", "its state")


@tap.case("after it has worked, three refusals without a reason are forgiven")
def forgiven(_env):
    with polling(interval=LONG) as (daemon, server):
        pass_ended(daemon, server, 1)
        for refusals in range(1, 5):
            poll(daemon, server, 'on PASS err "no"')
            tap.equal(daemon.state("jane"), "held" if refusals == 4 else "waiting",
                      "its state after %d refusals" % refusals)


@tap.case("it has worked: also when that was another daemon")
def forgiven_later(_env):
    with polling(interval=LONG) as (daemon, server):
        pass_ended(daemon, server, 1)
        daemon.stop()
        daemon.start()
        poll(daemon, server, 'on PASS err "no"')
        tap.equal(daemon.state("jane"), "waiting", "its state")


@tap.case("[IN-USE], [SYS/TEMP] and lost connections: each time twice as long, and back")
def backoff(_env):
    def play_it(action):
        with polling(interval=LONG) as (daemon, server):
            pass_ended(daemon, server, 1)
            for factor in (1, 2, 4):
                poll(daemon, server, "on PASS " + action)
                tap.equal(daemon.state("jane"), "waiting", "its state")
                due_in(daemon, factor * LONG, "after a failure")
            poll(daemon, server)
            tap.check(daemon.due("jane") <= LONG + 1, "it is not as before")
    tap.each(('err "[IN-USE] busy"', 'err "[SYS/TEMP] soon"', "close", 'reply "what?\\r\\n"'),
             play_it)


@tap.case("a refusal with a reason is not answered with another login at once")
def no_second_try(_env):
    def play_it(code):
        with polling(interval=LONG) as (daemon, server):
            pass_ended(daemon, server, 1)
            before = server.count("PASS")
            poll(daemon, server, 'on PASS err "[%s] no"' % code)
            tap.equal(server.count("PASS") - before, 1, "logins")
    tap.each(("AUTH", "IN-USE", "LOGIN-DELAY", "SYS/TEMP", "SYS/PERM"), play_it)


@tap.case("[SYS/PERM] is reported, with the server's words, and backs off")
def sys_perm(_env):
    with polling('on PASS err "[SYS/PERM] broken"', interval=LONG) as (daemon, server):
        pass_ended(daemon, server, 1)
        daemon.wait_said(r"\[SYS/PERM\] broken")
        tap.check(daemon.said("whoever runs it must act"), "not told", daemon.log())


@tap.case("the capability LOGIN-DELAY sets the interval; a pass that fails does not unset it")
def login_delay(_env):
    with polling(interval=LONG, options=("--capa-extra", "LOGIN-DELAY 1500")
                 ) as (daemon, server):
        pass_ended(daemon, server, 1)
        due_in(daemon, 1500, "after the first pass")
        for factor, rule in ((1, "on PASS close"), (2, "on GREETING close")):
            poll(daemon, server, rule)
            due_in(daemon, factor * 1500, rule)


@tap.case("[LOGIN-DELAY] from a server that names no delay: a longer pause each time")
def told_to_wait(_env):
    with polling(interval=LONG) as (daemon, server):
        pass_ended(daemon, server, 1)
        for factor in (2, 4):
            poll(daemon, server, 'on PASS err "[LOGIN-DELAY] too soon"')
            due_in(daemon, factor * LONG, "after a refusal")
        poll(daemon, server)
        tap.check(daemon.due("jane") <= LONG + 1, "it is not as before")


@tap.case("EXPIRE shorter than keep is reported, once")
def expire(_env):
    with polling(interval="1s", keep="14d", options=("--capa-extra", "EXPIRE 3")
                 ) as (daemon, server):
        wait_polls(server, 3)
        tap.equal(daemon.said("EXPIRE"), 1, "warnings")


@tap.case("an account that fails is tried again by itself, and works when the server does")
def recovers(_env):
    with polling('on PASS #1 err "[SYS/TEMP] soon"', 'on PASS #2 err "[IN-USE] busy"',
                 interval="1s", messages=MESSAGES) as (_daemon, server):
        wait_polls(server, 2)
        tap.equal(server.count("PASS") - polls(server), 2, "refusals")


if __name__ == "__main__":
    tap.main(world)
