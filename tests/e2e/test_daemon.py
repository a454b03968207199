#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemon polls, for ever, and nothing but its owner ends it."""

import contextlib
import errno
import json
import os
import re
import resource
import signal
import time

from harness import agent, popd, procs, readers, shim, tap, wire
from harness.daemon import PATIENCE, Silent, accounts, polling, polls, running, wait_polls
from harness.popd import held
from harness.scene import MESSAGES, WANTED, world


def exactly_once(one, *users):
    """Each of USERS must have every message, once."""
    for user in users:
        got = wire.digests(readers.maildir(one.path(user)))
        tap.equal(got, WANTED, "messages of " + user)


@tap.case("each account is polled on its interval while another one hangs")
def intervals(_env):
    with popd.Popd(MESSAGES, tls="none", users=2) as server, Silent() as silent:
        one = agent.Agent()
        tree = accounts(one, server, interval="1s")
        tree["hangs"] = silent.account({"maildir": one.path("no")}, interval="1s")
        one.configure(tree, parallel=2)
        begin = time.monotonic()
        with running(one) as daemon:
            for user in server.users:
                wait_polls(server, 4, user)
            most = max(polls(server, user) for user in server.users)
            tap.check(most <= time.monotonic() - begin + 1, "%d polls in %.1f s"
                      % (most, time.monotonic() - begin))
            tap.equal(daemon.state("hangs"), "running", "the one that hangs")
        exactly_once(one, *server.users)


@tap.case("interval, jitter: the next poll is neither sooner nor later than they say")
def due(_env):
    with polling(users=3, interval="5000s", jitter="1000s") as (daemon, server):
        for user in server.users:
            wait_polls(server, 1, user)
            daemon.wait_state(user, "waiting")
            left = daemon.due(user)
            tap.check(5000 - PATIENCE <= left <= 6001, "polled in %d s" % left)


@tap.case("SIGUSR1 polls all of them now")
def usr1(_env):
    with polling(users=3) as (daemon, server):
        for count in (1, 2):
            for user in server.users:
                wait_polls(server, count, user)
                daemon.wait_state(user, "waiting")
            daemon.signal(signal.SIGUSR1)
        for user in server.users:
            wait_polls(server, 3, user)


@tap.case("poll, pause and resume: one account or all, whatever they wait for")
def asked(_env):
    with polling(users=2) as (daemon, server):
        one, (jane, other) = daemon.one, server.users
        for user in server.users:
            wait_polls(server, 1, user)
            daemon.wait_state(user, "waiting")
        tap.equal(one.expect(0, "poll", jane).out, "polling %s\n" % jane, "said")
        wait_polls(server, 2, jane)
        daemon.wait_state(jane, "waiting")
        one.expect(0, "pause", jane)
        tap.equal(daemon.state(jane), "paused", "its state")
        tap.equal(daemon.due(jane), None, "when it is polled next")
        one.expect(0, "poll")
        wait_polls(server, 2, other)
        daemon.wait_state(other, "waiting")
        one.expect(0, "resume", jane)
        wait_polls(server, 3, jane)
        tap.equal(polls(server, other), 2, "polls of the other one")
        result = one.expect(64, "poll", "jane7")
        tap.check("did you mean jane" in result.err, "no hint", result)
        one.expect(64, "pause", jane, "nobody")
        tap.check(daemon.state(jane) != "paused", "paused beside one that is not known")


@tap.case("poll means all but those that are paused")
def paused_stay(_env):
    with polling(users=2) as (daemon, server):
        one, (jane, other) = daemon.one, server.users
        for user in server.users:
            wait_polls(server, 1, user)
            daemon.wait_state(user, "waiting")
        one.expect(0, "pause", jane)
        one.expect(0, "poll")
        wait_polls(server, 2, other)
        daemon.signal(signal.SIGUSR1)
        wait_polls(server, 3, other)
        tap.equal((daemon.state(jane), polls(server, jane)), ("paused", 1), "the paused one")
        one.expect(0, "poll", jane)
        wait_polls(server, 2, jane)
        daemon.wait_state(jane, "paused")


@tap.case("SIGTERM finishes the commit at hand and leaves; the rest comes later, once")
def term(_env):
    many = [b"Subject: %d\n\n%s\n" % (n, b"x" * 3000) for n in range(200)]
    # Some batches come, and no more.
    with polling("on RETR * delay 10", held("on RETR 150"), messages=many, keep=False
                 ) as (daemon, server):
        one = daemon.one
        procs.wait_until(lambda: readers.maildir(one.path("jane")), PATIENCE, "a message")
        seconds = daemon.stop()
        tap.diag("it left after %.2f s" % seconds)
        tap.check(daemon.said("stopped"), "no last word")
        tap.equal(procs.descendants(daemon.pid), [], "processes left behind")
        before = len(readers.maildir(one.path("jane")))
        tap.check(before < len(many), "all had come before")
        server.release()
        one.fetch_ok()
        tap.equal(wire.digests(readers.maildir(one.path("jane"))), wire.digests(many), "mail")
        tap.equal(server.held(), [], "messages on the server")


@tap.case("SIGTERM for all processes at once, as at a shutdown, is no failure of an account")
def group(_env):
    with Silent() as silent:
        silent.socket.settimeout(PATIENCE)
        one = agent.Agent()
        one.configure({"hangs": silent.account({"maildir": one.path("no")}, interval="1s")})
        with running(one) as daemon:
            first, _ = silent.socket.accept()
            os.killpg(daemon.pid, signal.SIGTERM)
            tap.equal(daemon.process.wait(PATIENCE), 0, "exit status")
            tap.check(not daemon.said("killed by|error"), "blamed", daemon.log())
        tap.equal(one.expect(0, "status").out.count("failing"), 0, "told by status")
        fetch = one.start("fetch")
        second, _ = silent.socket.accept()
        os.killpg(fetch.pid, signal.SIGTERM)
        tap.equal(fetch.wait(PATIENCE), 75, "exit status of fetch")
        result = one.result(fetch)
        tap.check("hangs: " in result.err and "killed" not in result.err, "blamed", result)
        first.close()
        second.close()


@tap.case("SIGTERM waits neither for silent servers nor for those that are not found")
def term_silent(_env):
    one = agent.Agent()
    with Silent() as silent:
        one.configure({"a%d" % n: silent.account({"maildir": one.path("no")})
                       for n in range(8)}, per_host=8)
        with running(one) as daemon:
            procs.wait_until(lambda: len(daemon.workers()) == 8, PATIENCE, "eight workers")
            tap.diag("it left after %.2f s" % daemon.stop())


@tap.case("stop ends it; a second one for the state directory is refused with its pid")
def second(_env):
    with polling() as (daemon, _server):
        one = daemon.one
        for control in (one.path("control"), one.path("other")):
            result = one.expect(78, "--control", control, "daemon")
            tap.check(re.search(r"\b%d\b" % daemon.pid, result.err), "no pid", result)
            tap.equal(len(result.err.splitlines()), 1, "lines of it")
        tap.check(daemon.answers(), "the first one does not answer any more")
        one.expect(0, "stop")
        tap.equal(daemon.wait()[0], 0, "exit status")
        daemon.start()
        daemon.stop()


@tap.case("fetch beside the daemon: neither counts the other one as a failure")
def beside(_env):
    with polling(held("on RETR #1"), messages=MESSAGES) as (daemon, server):
        procs.wait_until(lambda: server.count("RETR"), PATIENCE, "RETR")
        daemon.one.expect(75, "fetch")
        server.release()
        daemon.wait_state("jane", "waiting")
        exactly_once(daemon.one, "jane")
        server.put(MESSAGES, first=100)
        daemon.one.fetch_ok()
        daemon.one.expect(0, "poll", "jane")
        wait_polls(server, 3)
        tap.equal(len(readers.maildir(daemon.one.path("jane"))), 2 * len(MESSAGES), "mail")
        tap.equal(daemon.said("ERROR|error"), 0, "errors in the log")


@tap.case("a worker that is killed is reported with its account, and tried again later")
def worker_killed(_env):
    with Silent() as silent, polling(users=1) as (daemon, server):
        one = daemon.one
        wait_polls(server, 1)
        tree = accounts(one, server, interval="1s")
        tree["hangs"] = silent.account({"maildir": one.path("no")}, interval="500s")
        one.configure(tree)
        one.expect(0, "reload")
        # A sanitizer would catch the others.
        deadly = [signal.SIGKILL] + [signal.SIGSEGV, signal.SIGABRT] * (not agent.sanitized())
        for times, number in enumerate(deadly):
            daemon.wait_state("hangs", "running")
            # jane's come and go
            procs.wait_until(lambda: kill_hanging(daemon, silent, number), PATIENCE, "a kill")
            daemon.wait_state("hangs", "waiting")
            daemon.wait_said(r"hangs: .*killed by signal %d" % number)
            left = daemon.due("hangs")
            tap.check(0 < 500 * 2 ** times + 1 - left <= PATIENCE,
                      "tried again in %d s after %d" % (left, times + 1))
            one.expect(0, "poll", "hangs")
        wait_polls(server, 3)


def kill_hanging(daemon, silent, number):
    """Kill the worker that is connected to SILENT."""
    wanted = ":%04X " % silent.port
    for pid in daemon.workers():
        sockets = {os.readlink(path) for path in links("/proc/%d/fd" % pid)}
        for line in procs.read(pid, "net/tcp").decode().splitlines()[1:]:
            if wanted in line and "socket:[%s]" % line.split()[9] in sockets:
                procs.kill(pid, number)
                return True
    return False


def links(folder):
    """The symbolic links in FOLDER, none if it has gone."""
    try:
        return [os.path.join(folder, name) for name in os.listdir(folder)
                if os.path.islink(os.path.join(folder, name))]
    except OSError:
        return []


@tap.case("the daemon is killed: its workers end, and a new one picks up, once each")
def killed(_env):
    many = [b"Subject: %d\n\n%s\n" % (n, b"x" * 3000) for n in range(120)]
    with polling("on RETR * delay 5", held("on RETR 110"), messages=many, users=3, keep=False
                 ) as (daemon, server):
        one = daemon.one
        procs.wait_until(lambda: all(readers.maildir(one.path(user))
                                     for user in server.users), PATIENCE, "mail for all")
        children = daemon.kill()
        tap.equal(len(children), 3, "workers")
        server.release()
        # Nobody asks it any more: the lock and the socket are free at once.
        daemon.start()
        for user in server.users:
            procs.wait_until(lambda: wire.digests(readers.maildir(one.path(user)))
                             == wire.digests(many), PATIENCE, "all mail of " + user)
            daemon.wait_state(user, "waiting")
        procs.wait_until(lambda: all(procs.reap(pid) or not os.path.exists("/proc/%d" % pid)
                                     for pid in children), PATIENCE, "the old workers' end")
        tap.equal(server.held(), [], "messages on the server")


@tap.case("a daemon whose accounts are all disabled stays, and polls what is enabled later")
def nobody(_env):
    with popd.Popd(MESSAGES, tls="none") as server:
        one = agent.Agent()
        one.configure(accounts(one, server, enabled=False))
        with running(one) as daemon:
            tap.equal(daemon.status(), {}, "its accounts")
            one.expect(0, "poll")
            daemon.signal(signal.SIGUSR1)
            one.configure(accounts(one, server))
            tap.equal(one.expect(0, "reload").out, "jane: added\n", "said")
            wait_polls(server, 1)
            daemon.wait_state("jane", "waiting")
            exactly_once(one, "jane")
            one.configure(accounts(one, server, enabled=False))
            tap.equal(one.expect(0, "reload").out, "jane: removed\n", "said")
            tap.check(daemon.answers(), "it is gone")


@tap.case("descriptors, zombies and memory are the same after 200 polls")
def constant(_env):
    with polling(users=8, messages=MESSAGES[:1], top={"per_host": 8}) as (daemon, server):
        figures = []
        for turn in range(1, 26):
            for user in server.users:
                wait_polls(server, turn, user)
                daemon.wait_state(user, "waiting")
            if turn in (5, 25):
                figures.append((daemon.descriptors(), daemon.zombies()))
                tap.diag("%d KiB after turn %d" % (daemon.memory(), turn))
                figures[-1] += (daemon.memory(),)
            daemon.one.expect(0, "poll")
        tap.equal(figures[0][:2], figures[1][:2], "descriptors and zombies")
        tap.equal(figures[1][1], [], "zombies")
        if not agent.sanitized():
            tap.check(figures[1][2] <= figures[0][2] + 64, "memory grew by %d KiB"
                      % (figures[1][2] - figures[0][2]))


@tap.case("too few descriptors: the accounts take turns, and no one is blamed")
def few_descriptors(_env):
    with polling(held("on PASS #13+"), users=12, top={"parallel": 12, "per_host": 12}
                 ) as (daemon, server):
        every(daemon, server, 1)
        hard = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)[1]
        few = len(daemon.descriptors()) + 6
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (few, hard))
        daemon.signal(signal.SIGUSR1)
        daemon.wait_said("channel to a worker: Too many")
        server.release()
        every(daemon, server, 2)
        tap.equal(daemon.said("channel to a worker: Too many"), 1, "how often it is told")
        tap.equal(daemon.said("next try in"), 0, "accounts that were blamed")
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (hard, hard))
        daemon.one.expect(0, "poll")
        every(daemon, server, 3)


def every(daemon, server, count):
    """Wait until every user has been polled so often."""
    for user in server.users:
        wait_polls(server, count, user)
        daemon.wait_state(user, "waiting")


@contextlib.contextmanager
def failing(**account):
    """A daemon with one account, whose system calls can be made to fail."""
    with popd.Popd(MESSAGES, tls="none") as server:
        one = agent.Agent()
        one.configure(accounts(one, server, **account))
        with shim.preloaded(one) as control, running(one) as daemon:
            wait_polls(server, 1)
            daemon.wait_state("jane", "waiting")
            yield daemon, server, control


@tap.case("no process can be started for a while: the accounts wait, and go on at once")
def no_fork(_env):
    with failing() as (daemon, server, control):
        shim.fail(control, "fork", errno.EAGAIN)
        daemon.ask("poll")
        daemon.wait_said("cannot start a worker process")
        procs.wait_until(lambda: control.counts()["hits"] >= 2, PATIENCE, "two tries")
        tap.equal(daemon.said("cannot start a worker process"), 1, "how often it is told")
        tap.check(daemon.answers(), "it does not answer")
        control.order()
        wait_polls(server, 2)


@tap.case("poll(2) fails: the mail comes, signals and callers are heard, and it is told once")
def no_poll(_env):
    with failing(interval="1s") as (daemon, server, control):
        shim.fail(control, "poll", errno.EINVAL)
        daemon.wait_said("poll: Invalid argument")
        wait_polls(server, polls(server) + 2)
        exactly_once(daemon.one, "jane")
        daemon.ask("reload")
        daemon.wait_said("nothing has changed")
        daemon.signal(signal.SIGHUP)
        daemon.wait_said("nothing has changed", 2)
        tap.equal(daemon.said("poll: Invalid argument"), 1, "how often it is told")
        daemon.stop()


@tap.case("its clock of work is no busy loop: it sleeps when there is nothing to do")
def sleeps(_env):
    with Silent() as silent, failing() as (daemon, server, control):
        tree = accounts(daemon.one, server)
        tree["hangs"] = silent.account({"maildir": daemon.one.path("no")})
        daemon.one.configure(tree)
        daemon.one.expect(0, "reload")
        daemon.wait_state("hangs", "running")
        procs.wait_until(lambda: looks(control, 0) == 0, PATIENCE, "a daemon that sleeps")
        tap.check(looks(control, 3) < 30, "it was busy")
        before = looks(control, 0)
        daemon.ask("status")
        tap.check(control.counts()["count"] > before, "its looks are not counted")


def looks(control, seconds):
    """How often the daemon asks in SECONDS and a half whether there is something
    to do. However little of the processor it gets: it is often if it is busy."""
    control.order(kinds=["poll"], roles=["parent"])
    time.sleep(seconds + 0.5)
    return control.counts()["count"]


@tap.case("log: {format: json}: every line is an object, also when workers die")
def json_log(_env):
    with Silent() as silent, popd.Popd(MESSAGES, tls="none") as server:
        one = agent.Agent()
        tree = accounts(one, server)
        tree["hangs"] = silent.account({"maildir": one.path("no")})
        one.configure(tree, log={"format": "json", "level": "debug"})
        with running(one) as daemon:
            daemon.wait_state("hangs", "running")
            daemon.wait_state("jane", "waiting")
            for pid in daemon.workers():
                procs.kill(pid)
            daemon.wait_state("hangs", "waiting")
            one.write_config("accounts: {{{\n")
            one.expect(78, "reload")
            daemon.stop()
            lines = [json.loads(line) for line in daemon.log().splitlines()]
            tap.check(all(isinstance(line, dict) for line in lines), "not all are objects")
            tap.check({"jane", "hangs"} <= {line.get("account") for line in lines},
                      "an account is missing", daemon.log())


if __name__ == "__main__":
    tap.main(world)
