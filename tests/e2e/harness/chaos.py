# SPDX-License-Identifier: GPL-3.0-or-later
"""A daemon in a bad place: kills, reloads, signals and pauses at random, while
mail comes in for accounts of every kind of destination.

What is random comes from one seed, so that a run can be told from another; the
moments are those of the machine, and decide nothing but what is met.
"""

import collections
import os
import random
import signal
import statistics
import time

from . import agent, ledgerfile, popd, procs, readers, tap, wire
from .daemon import Daemon

SCRIPT = """#!/bin/sh
# Take a message, be killed now and then, and leave it whole or not at all.
t="$1/.$POSTRIDER_DELIVERY_ID.$$"
cat > "$t" && sleep 0.0$(($$ % 10)) && mv "$t" "$1/$POSTRIDER_ATTEMPT.$POSTRIDER_DELIVERY_ID.$$"
"""
KINDS = {"maildir": readers.maildir, "maildir-gzip": readers.maildir_gzip,
         "mbox": readers.mbox, "mbox-gzip": readers.mbox_gzip}
# What happens, and how often beside the others.
EVENTS = {"mail": 30, "kill_worker": 12, "kill_program": 8, "kill_daemon": 5, "kill_all": 3,
          "stop": 3, "reload": 6, "reload_broken": 6, "hangup": 3, "poll_all": 3,
          "freeze": 2, "pause": 5, "resume": 5, "poll": 5}


class Chaos:
    """Two accounts of each kind, one that deletes and one that keeps, and a
    daemon. DEADLY is how often processes are killed, 1 being often."""

    def __init__(self, seed, deadly=1.0):
        self.rng = random.Random(seed)
        kinds = [*KINDS, "pipe"]
        # Slow enough that most kills meet a pass.
        self.server = popd.Popd((), "--lock-wait", "5000", "--do", "on RETR * delay 30",
                                tls="none", users=2 * len(kinds))
        self.kind = {user: kinds[number // 2] for number, user in enumerate(self.server.users)}
        self.keep = {user: bool(number % 2) for number, user in enumerate(self.server.users)}
        self.one = agent.Agent()
        with open(self.one.path("mda"), "w") as file:
            file.write(SCRIPT)
        os.chmod(self.one.path("mda"), 0o755)
        for user in self.server.users:
            os.mkdir(self.one.path(user))
        self.sent = {user: [] for user in self.server.users}
        self.weights = [weight * (deadly if name in ("kill_daemon", "kill_all", "stop") else 1)
                        for name, weight in EVENTS.items()]
        self.met = collections.Counter()
        self.resident, self.slowest = [], 0
        self.configure()
        self.daemon = Daemon(self.one)

    def close(self):
        """End it all."""
        if self.daemon.alive():
            self.one.abort(self.daemon.process)
        self.server.stop()

    def place(self, user):
        """Where the mail of USER goes."""
        return self.one.path(user) + "/mail"

    def _deliver(self, user):
        kind = self.kind[user]
        if kind == "pipe":
            return {"pipe": [self.one.path("mda"), self.one.path(user)]}
        words = kind.split("-")
        return {words[0]: self.place(user), "compress": words[1] if words[1:] else None}

    def configure(self, without=(), **top):
        """Write a good configuration, WITHOUT some users."""
        self.one.configure({
            user: self.server.account(self._deliver(user), user=user, auth=["user"],
                                      interval="%ds" % self.rng.randint(1, 3),
                                      keep=self.keep[user])
            for user in self.server.users if user not in without}, **top)

    # ---- what happens ----

    def run(self, seconds, pause):
        """Let things happen for SECONDS, with a PAUSE between them at most."""
        end, look = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            (name,) = self.rng.choices(list(EVENTS), self.weights)
            if getattr(self, "_" + name)() is not False:
                self.met[name] += 1
            if time.monotonic() > look:
                look = time.monotonic() + 1
                self._look()
            time.sleep(self.rng.random() * pause)

    def _look(self):
        tap.check(self.daemon.alive(), "the daemon has ended by itself", self.daemon.log()[-3000:])
        self.resident.append(self.daemon.memory())

    def _any(self):
        return self.rng.choice(self.server.users)

    def _mail(self):
        for _ in range(self.rng.choice((1, 1, 1, 5))):
            user = self._any()
            number = len(self.sent[user])
            message = b"Subject: %s %d\n\nFrom the start\n%s\n" % (
                user.encode(), number, b"x" * self.rng.choice((1, 70, 70, 5000, 5000, 100_000)))
            path = "%s/%s/" % (self.server.root, user)
            with open(path + ".new", "wb") as file:
                file.write(message)
            os.rename(path + ".new", path + "%06d" % number)
            self.sent[user].append(message)

    def _victims(self, ours):
        workers = set(self.daemon.workers())
        if ours:
            return sorted(workers)
        return [pid for pid in procs.descendants(self.daemon.pid) if pid not in workers]

    def _kill_one(self, ours, *signals):
        end, pids = time.monotonic() + 0.5, []
        while not pids and time.monotonic() < end:
            pids = self._victims(ours)
            time.sleep(0.005)
        if pids:
            procs.kill(self.rng.choice(pids), self.rng.choice(signals))
        return bool(pids)

    def _kill_worker(self):
        return self._kill_one(True, signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM)

    def _kill_program(self):
        return self._kill_one(False, signal.SIGKILL, signal.SIGTERM)

    def _kill_daemon(self):
        self.daemon.kill()
        self.daemon.start()

    def _kill_all(self):
        self.daemon.kill(family=True)
        self.daemon.start()

    def _stop(self):
        self.slowest = max(self.slowest, self.daemon.stop())
        self.daemon.start()

    def _ask(self, *words):
        try:
            return self.daemon.ask(*words)
        except OSError as error:
            raise AssertionError("%s: %s\n%s" % (words, error, self.daemon.log()[-3000:])) from None

    def _reload(self):
        self.configure(without=self.rng.sample(self.server.users, self.rng.randint(0, 3)),
                       parallel=self.rng.randint(1, 12), per_host=self.rng.randint(1, 12))
        status, text = self._ask("reload")
        tap.equal(status, 0, "exit status of a good reload: %s" % text)

    def _reload_broken(self):
        self.one.write_config(self.rng.choice((
            "", "accounts: {{{\n", "accounts:\n  x: {host: x}\n", "state: /elsewhere\n", "\0",
            "accounts: {x: {}, x: {}}\n")))
        tap.equal(self._ask("reload")[0], 78, "exit status of a broken reload")
        self.configure()

    def _hangup(self):
        self.daemon.signal(signal.SIGHUP)

    def _poll_all(self):
        self.daemon.signal(signal.SIGUSR1)

    def _freeze(self):
        self.daemon.signal(signal.SIGSTOP)
        time.sleep(self.rng.random() / 2)
        self.daemon.signal(signal.SIGCONT)

    def _pause(self):
        self._ask("pause", self._any())

    def _resume(self):
        self._ask("resume", self._any())

    def _poll(self):
        self._ask("poll", self._any())

    # ---- and what comes of it ----

    def settle(self, patience):
        """All mail must come now. What was refused so often that it waits for
        minutes is moved back in time."""
        self.configure()
        self._ask("reload")
        worn = self._quiet(patience)
        self.daemon.stop()
        for user in self.server.users:
            path = "%s/%s/ledger" % (self.one.state, user)
            if os.path.exists(path):
                ledgerfile.move(path, 86400)
        self.daemon.start()
        procs.wait_until(self._arrived, patience, "all mail: %s" % self._missing())
        for user in self.server.users:
            self.daemon.wait_state(user, "waiting")
        tap.equal(worn, self._quiet(patience), "descriptors of the old daemon and of a new one")

    def _quiet(self, patience):
        self._ask("pause")
        procs.wait_until(lambda: not procs.descendants(self.daemon.pid), patience, "quiet")
        return self.daemon.descriptors()

    def _got(self, user):
        if self.kind[user] != "pipe":
            return KINDS[self.kind[user]](self.place(user))
        return [readers.read(path) for path in self._piped(user)]

    def _piped(self, user):
        folder = self.one.path(user)
        return ["%s/%s" % (folder, name) for name in os.listdir(folder) if name[0] != "."]

    def _missing(self):
        return {user: len(self.sent[user]) - len(self._got(user)) for user in self.server.users}

    def _arrived(self):
        return not any(wire.digests(self.sent[user]) - wire.digests(self._got(user))
                       for user in self.server.users)

    def judge(self):
        """No message lost or doubled; a program may get one twice for a crash,
        if it is told that this is not the first time."""
        for user in self.server.users:
            more = wire.digests(self._got(user)) - wire.digests(self.sent[user])
            if self.kind[user] != "pipe":
                tap.check(not more, "%s (%s): %d messages twice" % (user, self.kind[user],
                                                                    sum(more.values())))
                continue
            first = wire.digests(readers.read(path) for path in self._piped(user)
                                 if os.path.basename(path).startswith("1."))
            tap.check(max(first.values(), default=1) == 1, "%s: twice as the first time" % user)
            tap.check(set(more) <= set(wire.digests(self.sent[user])), "what nobody sent")
            self.met["twice for a program"] += sum(more.values())
        deaths = sum(self.met[name] for name in self.met if name.startswith(("kill", "stop")))
        tap.check(self.met["twice for a program"] <= deaths * 2, "more than one a crash", self.met)
        tap.equal(self.daemon.zombies(), [], "zombies")
        quarter = len(self.resident) // 4
        grown = (statistics.median(self.resident[-quarter:])
                 - statistics.median(self.resident[:quarter]))
        tap.check(agent.sanitized() or grown <= 512, "memory grew by %d KiB" % grown)

    def report(self):
        """Say what was met."""
        tap.diag(", ".join("%s %d" % pair for pair in sorted(self.met.items())))
        tap.diag("%d messages; %d to %d KiB resident, %d in the middle; the slowest stop "
                 "took %.2f s" % (sum(map(len, self.sent.values())), min(self.resident),
                                  max(self.resident), statistics.median(self.resident),
                                  self.slowest))
