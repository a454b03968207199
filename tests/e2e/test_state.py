#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""State that is lost, old, another's, or in the wrong place.

Lost state is the commonest source of doubled mail, so it must be told from a
new account before the server is asked for anything, with the ways on.
"""

import os
import pwd
import re
import shutil
import tempfile

from harness import agent, corpus, popd, procs, readers, tap, wire
from harness.scene import MESSAGES, fetching, told, world
from harness.state import LAST, LATER, WAYS, delivering


# Lost and old state.


@tap.case("a missing ledger of a known account: told with the ways on, nothing fetched")
def missing(_env):
    def play(way):
        with delivering(way) as scene:
            scene.one.fetch_ok()
            marks = [name for name in os.listdir(scene.folder)
                     if name.startswith(".postrider-")]
            tap.equal(len(marks), 1, "marks in the folder of the mail")
            scene.server.put(LATER, first=20)
            for what in (scene.ledger, scene.one.state + "/box", scene.one.state):
                away = scene.one.path("away")
                os.rename(what, away)
                for _ in range(2):
                    scene.refused("--baseline", "--accept-new-state",
                                  re.escape(scene.one.state + "/box"),
                                  re.escape(scene.folder))
                scene.here(MESSAGES)
                shutil.rmtree(what, ignore_errors=True)
                os.rename(away, what)
            scene.quiet_fetch(retrieved=len(LATER))
            scene.here(MESSAGES + LATER)
    tap.each(WAYS, play)


@tap.case("an older copy of the ledger put back: told, nothing fetched, the right one heals it")
def older(_env):
    def play(way):
        with delivering(way) as scene:
            scene.one.fetch_ok()
            old = scene.bytes()
            scene.server.put(LATER, first=20)
            scene.one.fetch_ok()
            new = scene.bytes()
            scene.write(old)
            scene.refused("--baseline", "--accept-new-state", r"\bold")
            scene.here(MESSAGES + LATER)
            scene.write(new)
            scene.quiet_fetch()
            scene.here(MESSAGES + LATER)
    tap.each(WAYS, play)


@tap.case("an older copy that knows every message does no harm")
def older_but_whole(_env):
    def play(way):
        with delivering(way) as scene:
            scene.one.fetch_ok()
            old = scene.bytes()
            scene.set(keep=False)
            scene.quiet_fetch()
            scene.server.put(MESSAGES)          # restored on the server too
            scene.write(old)
            scene.quiet_fetch()
            scene.here(MESSAGES)
            tap.equal(scene.server.held(), [], "left on the server")
    tap.each(WAYS, play)


@tap.case("another ledger in its place: told, nothing fetched")
def foreign(_env):
    with delivering("Maildir") as other, delivering("Maildir") as scene:
        other.one.fetch_ok()
        other.server.put(LATER, first=20)
        other.one.fetch_ok()
        scene.one.fetch_ok()
        scene.write(other.bytes())
        scene.refused("--baseline", "--accept-new-state", "another ledger")
        other.one.configure({"post": other.server.account(other.deliver(other.one))})
        other.one.fetch_ok("--accept-new-state")
        scene.write(readers.read(other.one.state + "/post/ledger"))
        scene.refused(r"\bpost\b")


@tap.case("other accounts are served while one has lost its ledger")
def others_served(_env):
    with popd.Popd(MESSAGES, users=2) as server:
        one = agent.Agent()
        one.configure({user: server.account({"maildir": one.path(user)}, user=user)
                       for user in server.users})
        one.fetch_ok()
        os.unlink("%s/%s/ledger" % (one.state, server.users[0]))
        for user in server.users:
            with open("%s/%s/000099" % (server.root, user), "wb") as file:
                file.write(LAST[0])
        told(one.fetch(), 78, server.users[0], "--baseline")
        tap.equal(len(readers.maildir(one.path(server.users[0]))), len(MESSAGES), "stopped")
        tap.equal(len(readers.maildir(one.path(server.users[1]))), len(MESSAGES) + 1, "served")


@tap.case("--baseline marks what is there as seen: never fetched, never deleted")
def baseline(_env):
    def play(setting):
        way, options = setting
        with delivering(way, options=options) as scene:
            scene.one.fetch_ok()
            scene.server.put(LATER, first=20)
            os.unlink(scene.ledger)
            result = scene.quiet_fetch(0, "--baseline")
            tap.check(re.search(r"\b9 marked as seen", result.out), "not told", result)
            scene.quiet_fetch()
            old = scene.server.held()
            scene.server.put(LAST, first=30)
            scene.set(keep=False)
            scene.quiet_fetch(retrieved=1)
            scene.quiet_fetch()
            scene.here(MESSAGES + LAST)
            tap.equal(scene.server.held(), old, "left on the server")
            tap.equal(scene.server.count("DELE"), 0, "DELE commands")
    tap.each([("Maildir", ()), ("mbox", ()), ("Maildir", ("--without", "top"))], play)


@tap.case("--baseline on the first use of an account, for one account, and twice")
def baseline_first(_env):
    with popd.Popd(MESSAGES, users=2) as server:
        one = agent.Agent()
        one.configure({user: server.account({"maildir": one.path(user)}, user=user)
                       for user in server.users})
        first, second = server.users
        for _ in range(2):
            one.fetch_ok("--baseline", first)
        tap.equal(server.count("RETR"), 0, "messages retrieved")
        one.fetch_ok()
        tap.equal(readers.maildir(one.path(first)), [], "of the account marked as seen")
        tap.equal(len(readers.maildir(one.path(second))), len(MESSAGES), "of the other")


@tap.case("--baseline holds when the server gives its messages new UIDs")
def baseline_moved(_env):
    with delivering("Maildir") as scene:
        scene.one.fetch_ok("--baseline")
        with open(scene.server.drop + "/.uids", "w") as file:
            file.writelines("%s\tnew-%s\n" % (name, name) for name in scene.server.held())
        scene.set(keep=False)
        scene.quiet_fetch()
        scene.quiet_fetch()
        tap.equal(len(scene.server.held()), len(MESSAGES), "left on the server")


@tap.case("--baseline with a server that has no UIDL: refused, or kept to")
def baseline_without_uids(_env):
    for messages in (MESSAGES, [re.sub(rb"(?m)^Received:.*\n", b"", m) for m in MESSAGES]):
        with delivering("Maildir", messages=messages, options=("--without", "uidl"),
                        keep=False) as scene:
            if scene.one.fetch("--baseline").status == 0:
                scene.quiet_fetch()
                scene.here([])
            tap.equal(len(scene.server.held()), len(messages), "left on the server")


@tap.case("--accept-new-state goes on: everything comes, at most twice, then life is normal")
def accept(_env):
    def play(way):
        with delivering(way) as scene:
            scene.one.fetch_ok()
            scene.server.put(LATER, first=20)
            os.unlink(scene.ledger)
            scene.quiet_fetch(len(MESSAGES + LATER), "--accept-new-state")
            scene.here(MESSAGES + MESSAGES + LATER)
            scene.quiet_fetch()
            scene.set(keep=False)
            scene.quiet_fetch()
            scene.here(MESSAGES + MESSAGES + LATER)
            tap.equal(scene.server.held(), [], "left on the server")
    tap.each(WAYS, play)


@tap.case("--accept-new-state with an older copy fetches only what that does not know")
def accept_older(_env):
    with delivering("Maildir") as scene:
        scene.one.fetch_ok()
        old = scene.bytes()
        scene.server.put(LATER, first=20)
        scene.one.fetch_ok()
        scene.write(old)
        scene.quiet_fetch(len(LATER), "--accept-new-state")
        scene.here(MESSAGES + LATER + LATER)
        scene.quiet_fetch()


@tap.case("both ways on hold although the maildrop is empty at that moment")
def ways_on_empty(_env):
    def play(option):
        with delivering("Maildir", keep=False) as scene:
            scene.one.fetch_ok()
            os.unlink(scene.ledger)
            scene.quiet_fetch(0, option)
            scene.server.put(LATER, first=20)
            scene.quiet_fetch(len(LATER))
            scene.here(MESSAGES + LATER)
    tap.each(("--baseline", "--accept-new-state"), play)


@tap.case("--accept-new-state that is cut off need not be said again")
def accept_cut(_env):
    def play(setting):
        rule, killed = setting
        with delivering("Maildir", rule, messages=corpus.simple(12)) as scene:
            scene.one.fetch_ok()
            os.unlink(scene.ledger)
            scene.server.forget()
            if killed:
                process = scene.one.start("fetch", "--accept-new-state")
                procs.wait_until(lambda: scene.server.count(rule.split()[1]), 60, "the stall")
                scene.one.abort(process)
            else:
                scene.one.expect(75, "fetch", "--accept-new-state")
            procs.wait_until(lambda: scene.one.fetch().status != 75, 60, "a free account")
            scene.quiet_fetch()
            scene.here(2 * corpus.simple(12))
    tap.each((("on RETR #18 cut 100", False), ("on RETR #13 cut 100", False),
              # A listing that left with the login gets a second try.
              ("on UIDL #2 close\non UIDL #3 close", False), ("on RETR #18 stall", True),
              ("on UIDL #2 stall", True)), play)


# Where the state is.


def as_nobody(server):
    """A postrider of an unprivileged user, and that user's id."""
    if os.getuid() != 0:
        raise tap.Skip("only root can make what its user may not write")
    uid = pwd.getpwnam("nobody").pw_uid
    os.chmod(server.root, 0o755)
    one = agent.Agent(uid=uid)
    one.configure({"box": server.account({"maildir": one.path("Mail")}, keep=False)})
    return one, uid


def root_owned(one, _uid):
    os.mkdir(one.state, 0o755)


def root_owned_account(one, uid):
    os.mkdir(one.state)
    os.chown(one.state, uid, -1)
    os.mkdir(one.state + "/box", 0o755)


def root_owned_ledger(one, uid):
    one.fetch_ok()
    os.chown(one.state + "/box/ledger", 0, 0)


def root_owned_lock(one, uid):
    one.fetch_ok()
    os.chown(one.state + "/box/lock", 0, 0)


def not_writable(one, uid):
    one.fetch_ok()
    os.chmod(one.state + "/box", 0o500)
    os.unlink(one.state + "/box/lock")


def closed(one, uid):
    one.fetch_ok()
    os.chmod(one.state, 0)


def group_writable(one, uid):
    one.fetch_ok()
    os.chmod(one.state + "/box", 0o770)


def a_file(one, uid):
    with open(one.state, "w"):
        pass


@tap.case("a state directory that cannot be written: an error before any network")
def unwritable(_env):
    def play(make):
        with popd.Popd(MESSAGES) as server:
            one, uid = as_nobody(server)
            make(one, uid)
            delivered = len(readers.maildir(one.path("Mail")))
            server.put(LATER, first=20)
            server.forget()
            for _ in range(2):
                result = one.fetch()
                tap.check(result.status in (73, 74, 75, 77, 78), "exit status", result)
                told(result, result.status, "box", re.escape(one.state),
                     "permission denied|belongs to|others may write|not a directory")
                tap.equal(server.log(), [], "what the server saw")
            tap.equal(len(readers.maildir(one.path("Mail"))), delivered, "messages here")
    tap.each((root_owned, root_owned_account, root_owned_ledger, root_owned_lock, not_writable,
              closed, group_writable, a_file), play)


@tap.case("a directory that cannot be made or entered is named with its whole path")
def named(_env):
    one = agent.Agent()
    a_file(one, 0)
    for state, fault in (("/proc/none/deep", "make the directory /proc/none: "),
                         (one.state + "/deep", "open the directory %s: " % one.state)):
        one.configure({"box": {"host": "localhost", "user": "jane", "password": "secret",
                               "deliver": {"maildir": one.path("Mail")}}}, state=state)
        for command in ("daemon", "fetch"):
            told(one.run(command), 75, "cannot " + fault)


@tap.case("state in memory is warned of, once")
def volatile(_env):
    with open("/proc/mounts") as mounts:
        if not any(line.split()[1:3] == ["/dev/shm", "tmpfs"] for line in mounts):
            raise tap.Skip("/dev/shm is not a tmpfs")
    with fetching() as (one, server), \
            tempfile.TemporaryDirectory(prefix="pr-e2e-", dir="/dev/shm") as memory:
        one.configure({"box": server.account({"maildir": one.path("Mail")})}, state=memory)
        for number in range(3):
            result = one.fetch_ok()
            warnings = re.findall(r"(?mi)^.*%s.*memory.*$" % re.escape(memory), result.err)
            tap.check(len(warnings) == (number == 0), "%d warnings in fetch %d"
                      % (len(warnings), number + 1), result)


@tap.case("two accounts of one state directory keep their ledgers apart")
def two_accounts(_env):
    with popd.Popd(MESSAGES) as first, popd.Popd(LATER) as second:
        for name in ("Mail", "in/box"):
            one = agent.Agent()
            os.mkdir(one.path("in"))
            deliver = {"mbox" if "box" in name else "maildir": one.path(name)}
            read = readers.mbox if "box" in name else readers.maildir
            second.USER = "jane"
            one.configure({"a": first.account(deliver, keep=True),
                           "b": second.account(deliver, keep=True, host="127.0.0.1")})
            for _ in range(3):
                one.fetch_ok()
                tap.equal(wire.digests(read(one.path(name))), wire.digests(MESSAGES + LATER),
                          "messages delivered")


@tap.case("two servers behind one host name, as tunnels are, with the same user name")
def two_ports(_env):
    with popd.Popd(MESSAGES) as first, popd.Popd(LATER) as second:
        one = agent.Agent()
        deliver = {"maildir": one.path("Mail")}
        one.configure({"a": first.account(deliver), "b": second.account(deliver)})
        for _ in range(2):
            one.fetch_ok()
            tap.equal(wire.digests(readers.maildir(one.path("Mail"))),
                      wire.digests(MESSAGES + LATER), "messages delivered")


@tap.case("one account fetched by two processes: the second is told and harms nothing")
def two_processes(_env):
    with delivering("Maildir", "on RETR #3 stall") as scene:
        slow = scene.one.start("fetch")
        procs.wait_until(lambda: scene.server.count("RETR") >= 3, 60, "the third RETR")
        other = agent.Agent()
        shutil.copy(scene.one.config, other.config)
        told(other.fetch(), 75, "box", r"process \d+", re.escape(scene.one.state))
        result = other.expect(0, "status")
        tap.check(result.out.startswith("box: "), "no status while a fetch runs", result)
        scene.one.abort(slow)
        scene.one.fetch_ok()
        scene.here(MESSAGES)


@tap.case("a renamed account is told, and goes on once its state directory is renamed too")
def renamed(_env):
    with delivering("Maildir") as scene:
        one = scene.one
        one.fetch_ok()
        one.configure({"post": scene.server.account(scene.deliver(one))})
        scene.server.forget()
        told(one.fetch(), 78, "post", "--baseline", "--accept-new-state")
        tap.equal(scene.server.log(), [], "what the server saw")
        shutil.rmtree(one.state + "/post", ignore_errors=True)
        os.rename(one.state + "/box", one.state + "/post")
        result = one.fetch()
        if result.status:       # it may want to hear that this is meant
            told(result, 78, "post", r"\bbox\b", r"--accept-new-state")
            tap.equal(scene.server.log(), [], "what the server saw")
            scene.quiet_fetch(0, "--accept-new-state")
        scene.quiet_fetch()
        scene.here(MESSAGES)


@tap.case("a marker that is damaged or a link does no harm")
def strange_markers(_env):
    def play(make):
        with delivering("Maildir") as scene:
            scene.one.fetch_ok()
            (name,) = [n for n in os.listdir(scene.folder) if n.startswith(".postrider-")]
            path = scene.folder + "/" + name
            victim = scene.one.path("victim")
            with open(victim, "w") as file:
                file.write("precious")
            make(path, victim)
            scene.server.put(LATER, first=20)
            scene.quiet_fetch(len(LATER))
            scene.here(MESSAGES + LATER)
            tap.equal(readers.read(victim), b"precious", "a file it pointed to")

    def cut(path, _victim):
        os.truncate(path, 5)

    def fill(path, _victim):
        with open(path, "wb") as file:
            file.write(b"postrider " + b"9" * 70000)

    def link(path, victim):
        os.unlink(path)
        os.symlink(victim, path)

    def link_new(path, victim):
        os.symlink(victim, path + ".new")
    tap.each((cut, fill, link, link_new), play)


if __name__ == "__main__":
    tap.main(world)
