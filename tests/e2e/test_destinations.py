#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Maildir or mbox that cannot be written leaves the mail on the server, whole."""

import errno
import fcntl
import os
import pwd
import re
import signal

from harness import agent, corpus, popd, procs, readers, shim, tap, wire
from harness.popd import held
from harness.scene import MESSAGES, WANTED, fetching, told, world
from harness.tinypop import TinyPop

def kept(one, server, result, *patterns):
    """The run failed clearly, and every message is still on the server."""
    tap.check(result.status in (73, 74, 75, 78), "exit status", result)
    told(result, result.status, "box", *patterns)
    tap.equal(len(server.held()), len(MESSAGES), "messages on the server")
    tap.equal(readers.maildir(one.path("Mail")), [], "messages delivered")


def repaired(one, server, read=readers.maildir, where="Mail"):
    """With the obstacle gone a fetch delivers everything, once."""
    one.fetch_ok()
    tap.equal(wire.digests(read(one.path(where))), WANTED, "what was delivered")
    tap.equal(server.held(), [], "messages left on the server")


@tap.case("a file where the Maildir should be: nothing lost, told with its path")
def file_in_the_way(_env):
    for place in ("Mail", "Mail/new", "Mail/tmp"):
        with fetching() as (one, server):
            if "/" in place:
                os.mkdir(one.path("Mail"), 0o700)
            with open(one.path(place), "w"):
                pass
            kept(one, server, one.fetch(), re.escape(one.path("Mail")),
                 "not a (directory|maildir)|file exists")
            os.unlink(one.path(place))
            repaired(one, server)


@tap.case("a Maildir without write permission: nothing lost, told with its path")
def no_permission(_env):
    uid = pwd.getpwnam("nobody").pw_uid if os.getuid() == 0 else None
    with popd.Popd(MESSAGES) as server:
        os.chmod(server.root, 0o755)
        one = agent.Agent(uid=uid)
        deliver = {"maildir": one.path("Mail")}
        one.configure({"box": server.account(deliver, keep=False)})
        folders = [one.path("Mail") + sub for sub in ("/tmp", "/new", "/cur", "")]
        for folder in folders:
            os.makedirs(folder, exist_ok=True)
        for folder in folders:
            os.chown(folder, -1 if uid is None else uid, -1)
            os.chmod(folder, 0o500)
        kept(one, server, one.fetch(), re.escape(one.path("Mail")), "permission denied")
        for folder in reversed(folders):
            os.chmod(folder, 0o700)
        repaired(one, server)


@tap.case("an mbox that is a folder, a FIFO or a link is not written to")
def strange_mbox(_env):
    for make in (os.mkdir, os.mkfifo, lambda path: os.symlink("/dev/null", path)):
        with fetching() as (one, server):
            one.configure({"box": server.account({"mbox": one.path("box")}, keep=False)})
            make(one.path("box"))
            kept(one, server, one.fetch(), re.escape(one.path("box")))
            (os.rmdir if os.path.isdir(one.path("box")) else os.unlink)(one.path("box"))
            repaired(one, server, readers.mbox, "box")


@tap.case("a folder that is not there: told of a Maildir and of an mbox, and it goes on later")
def no_folder(_env):
    for kind, read in (("maildir", readers.maildir), ("mbox", readers.mbox)):
        with fetching() as (one, server):
            one.configure({"box": server.account({kind: one.path("sub/box")}, keep=False)})
            kept(one, server, one.fetch(), "the folder (of|for) the (mbox|Maildir) "
                 + re.escape(one.path("sub/box")))
            os.mkdir(one.path("sub"))
            repaired(one, server, read, "sub/box")


@tap.case("an mbox keeps what others appended, and their locks are waited for")
def shared_mbox(_env):
    foreign = b"From x Thu Jan  1 00:00:00 1970\nSubject: theirs\n\nno final blank line\n"
    with fetching() as (one, server):
        one.configure({"box": server.account({"mbox": one.path("box")}, keep=False)})
        with open(one.path("box"), "wb") as file:
            file.write(foreign)
        with open(one.path("box"), "rb+") as file:
            fcntl.lockf(file, fcntl.LOCK_EX)
            process = one.start("fetch")
            procs.wait_until(lambda: server.count("RETR") == len(MESSAGES), 60, "the RETRs")
            tap.equal(os.path.getsize(one.path("box")), len(foreign), "size under our lock")
        tap.equal(process.wait(60), 0, "exit status of\n%s" % one.result(process))
        got = readers.mbox(one.path("box"))
        tap.check(got[0].startswith(b"Subject: theirs\n"), "their message changed", got[0])
        tap.equal(wire.digests(got[1:]), WANTED, "what was delivered")
        tap.check(not os.path.exists(one.path("box.lock")), "the dotlock was left behind")


@tap.case("one maildrop into two mbox files of one folder: each gets all, none is in doubt")
def two_files(_env):
    with popd.Popd(MESSAGES) as server:
        one = agent.Agent()
        one.configure({name: server.account({"mbox": one.path(name)}, keep=True)
                       for name in ("first", "second")}, parallel=1)
        one.fetch_ok()
        for name in ("first", "second"):
            tap.equal(wire.digests(readers.mbox(one.path(name))), WANTED, name)


def _stranded(one, server, first):
    """Fetch into an mbox that turns into a folder before anything is appended."""
    one.configure({"box": server.account({"mbox": first}, keep=False)})
    server.poison[("RETR", "uid-00")] = ("call", 1, lambda: os.mkdir(first))
    told(one.fetch(), 75, "box", re.escape(first))
    server.poison.clear()


@tap.case("what waited for a former mbox that is gone goes to the present destination")
def former_mbox(_env):
    later = corpus.simple(3, seed=7)
    for kind, read in (("mbox", readers.mbox), ("maildir", readers.maildir)):
        for remade in (os.rmdir, lambda path: None, _with_foreign_mail):
            with TinyPop(MESSAGES) as server:
                one = agent.Agent()
                first, second = one.path("first"), one.path("second")
                _stranded(one, server, first)
                remade(first)
                was = _look(first)
                server.put(later, "later-%d")
                one.configure({"box": server.account({kind: second}, keep=False)})
                told(one.fetch_ok(), 0, "waited for mbox:%s go to %s:%s" % (
                    re.escape(first), kind, re.escape(second)))
                tap.equal(wire.digests(read(second)), WANTED + wire.digests(later), "in the new one")
                tap.equal(_look(first), was, "the former one")
                tap.equal(server.drop, {}, "left on the server")
                tap.equal(os.listdir(one.state + "/box/stage"), [], "files left in stage/")


FOREIGN = b"From x Thu Jan  1 00:00:00 1970\nSubject: theirs\n\ntheirs\n\n"


def _with_foreign_mail(path):
    os.rmdir(path)
    with open(path, "wb") as file:
        file.write(FOREIGN)


def _look(path):
    """What is at PATH: contents, or "folder", or None."""
    if not os.path.exists(path):
        return None
    if os.path.isdir(path):
        return "folder"
    with open(path, "rb") as file:
        return file.read()


@tap.case("a former mbox that cannot be looked into: told, and tried again; the rest goes on")
def former_locked(_env):
    later = corpus.simple(3, seed=7)
    with TinyPop(MESSAGES) as server:
        one = agent.Agent()
        first, second = one.path("first"), one.path("second")
        _stranded(one, server, first)
        _with_foreign_mail(first)
        os.link(first, first + ".backup")
        server.put(later, "later-%d")
        one.configure({"box": server.account({"mbox": second}, keep=False)})
        for _ in range(2):
            told(one.fetch(), 75, "former destination mbox:%s wait.*hard link" % re.escape(first))
            tap.equal(wire.digests(readers.mbox(second)), wire.digests(later), "in the new one")
            tap.equal(len(server.drop), len(MESSAGES), "left on the server")
        os.unlink(first + ".backup")
        one.fetch_ok()
        tap.equal(wire.digests(readers.mbox(second)), WANTED + wire.digests(later), "in the new one")
        tap.equal(_look(first), FOREIGN, "the former one")
        tap.equal(server.drop, {}, "left on the server")


@tap.case("a former mbox that cannot be flushed, full or not: the pass ends, nothing is deleted")
def former_flush(_env):
    for error in (errno.ENOSPC, errno.EIO):
        with TinyPop(MESSAGES) as server:
            one = agent.Agent()
            first, second = one.path("first"), one.path("second")
            _stranded(one, server, first)
            _with_foreign_mail(first)
            later = corpus.simple(3, seed=7)
            server.put(later, "later-%d")
            one.configure({"box": server.account({"mbox": second}, keep=False)})
            with shim.preloaded(one) as orders:
                shim.fail(orders, "fdatasync", error, role="worker", how_long="once")
                told(one.fetch(), 75, "cannot flush %s" % re.escape(first))
                tap.equal(len(server.drop), len(MESSAGES) + 3, "left on the server")
                one.fetch_ok()
            tap.equal(_look(first), FOREIGN, "the former one")
            tap.equal(wire.digests(readers.mbox(second)), WANTED + wire.digests(later), "in the new one")
            tap.equal(server.drop, {}, "left on the server")


@tap.case("nothing is appended to an mbox of the other kind when compression comes or goes")
def other_kind(_env):
    plain, gzip = {"mbox": "box"}, {"mbox": "box", "compress": "gzip"}
    for first, then, read in ((plain, gzip, readers.mbox), (gzip, plain, readers.mbox_gzip)):
        with TinyPop(MESSAGES) as server:
            one = agent.Agent()
            box = one.path("box")
            one.configure({"box": server.account({**first, "mbox": box}, keep=False)})
            one.fetch_ok()
            os.utime(box, (1000, 2000))
            one.fetch_ok()
            tap.equal(os.stat(box).st_atime, 1000, "access time, by which readers tell new mail")
            server.put(MESSAGES, "later-%d")
            one.configure({"box": server.account({**then, "mbox": box}, keep=False)})
            asked = len(server.asked)
            told(one.fetch(), 78, "box", re.escape(box), "compress")
            tap.equal(len(server.asked), asked, "commands the server saw")
            tap.equal(wire.digests(read(box)), WANTED, "what was there")
            os.rename(box, one.path("old"))
            one.fetch_ok()
            tap.equal(server.drop, {}, "left on the server")


@tap.case("a file size limit is an error to tell, not the death of a process")
def file_size(_env):
    messages = MESSAGES + [b"Subject: big\n\n" + b"x" * 200_000 + b"\n"]
    for deliver in ({"maildir": "Mail"}, {"mbox": "box"}, {"pipe": ["/bin/true"]}):
        with fetching(messages=messages) as (one, server):
            one.configure({"box": server.account(
                {kind: one.path(to) if kind != "pipe" else to for kind, to in deliver.items()},
                keep=False)})
            one.prefix = ["sh", "-c", "ulimit -f 64; exec \"$@\"", "sh"]
            told(one.fetch(), 75, "box", "too large")
            one.prefix = []
            one.fetch_ok()
            tap.equal(server.held(), [], "left on the server")


@tap.case("a message that a quota has no room for holds up none that has, before or behind it")
def quota(_env):
    small, large = corpus.simple(8, seed=8), b"Subject: large\n\n" + b"abcdefg\n" * 100_000
    for deliver, read in (({"maildir": "Mail"}, readers.maildir), ({"mbox": "box"}, readers.mbox)):
        with TinyPop(small[:4] + [large] + small[4:]) as server:
            one = agent.Agent()
            where = one.path(*deliver.values())
            one.configure({"box": server.account(dict.fromkeys(deliver, where), keep=False)})
            with shim.preloaded(one) as orders:
                for number in range(4):
                    # Far more calls than the others take, and fewer than the large one.
                    orders.order("fail", at=30, kinds=["write"], roles=["worker"],
                                 error=errno.EDQUOT)
                    told(one.fetch(), 75, "box", "quota exceeded")
                    wanted = small[:4] if number == 0 else small
                    tap.equal(wire.digests(read(where)), wire.digests(wanted), "what has room")
                orders.order()
                one.fetch_ok()
            tap.equal(wire.digests(read(where)), wire.digests(small + [large]), "all of it")
            tap.equal(server.drop, {}, "left on the server")


@tap.case("a stop signal ends a fetch cleanly: nothing lost, nothing twice")
def stopped(_env):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        with fetching(held("on RETR #4")) as (one, server):
            process = one.start("fetch")
            procs.wait_until(lambda: server.count("RETR") >= 4, 60, "the RETRs")
            process.send_signal(number)
            process.wait(60)
            told(one.result(process), 75, "box: stopped$")
            server.release()
            repaired(one, server)


if __name__ == "__main__":
    tap.main(world)
