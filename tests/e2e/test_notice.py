#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages of our own: an account has failed for a while, or works again."""

import collections
import concurrent.futures
import contextlib
import email
import email.policy
import email.utils
import itertools
import os
import shutil
import time

from harness import agent, memoryfile, popd, readers, tap, trace, wire
from harness.scene import MESSAGES, WANTED, told, world

DAY = 86400
MDA = "#!/bin/sh\ntest -e \"$0.broken\" && exit 75\n" \
      "cat > \"$0.$$.new\" && mv \"$0.$$.new\" \"$0.got.$POSTRIDER_DELIVERY_ID.$$\"\n"


def mda_got(one):
    """What the delivery program took."""
    return [readers.read(one.path(name)) for name in sorted(os.listdir(one.home))
            if name.startswith("mda.got.")]


WAYS = {        # how to configure a way of delivery, how to read it back
    "Maildir": (lambda one: {"maildir": one.path("Mail")},
                lambda one: readers.maildir(one.path("Mail"))),
    "gzip Maildir": (lambda one: {"maildir": one.path("Mail"), "compress": "gzip"},
                     lambda one: readers.maildir_gzip(one.path("Mail"))),
    "mbox": (lambda one: {"mbox": one.path("box")},
             lambda one: readers.mbox(one.path("box"))),
    "pipe": (lambda one: {"pipe": [one.path("mda")]}, mda_got),
}


class Scene:
    """A server and an account, with one way of delivery, that wants notices."""

    def __init__(self, way="Maildir", options=(), server=None, **account):
        self.way = way
        self.server = server or popd.Popd(MESSAGES, *options)
        self.one = agent.Agent()
        with open(self.one.path("mda"), "w", encoding="utf-8") as file:
            file.write(MDA)
        os.chmod(self.one.path("mda"), 0o755)
        self.keys = {"notice": "1d", "keep": False, **account}
        self.configure()

    def configure(self, **keys):
        """Write the configuration, changed by KEYS."""
        deliver, self.read = WAYS[self.way]
        self.one.configure({"box": self.server.account(deliver(self.one), **{
            **self.keys, **keys})})

    def fail(self, status=77):
        """Fetch with a wrong password."""
        self.configure(password="wrong-Zx9")
        return self.one.expect(status, "fetch")

    def fail_for(self, seconds):
        """Let it have failed for so long."""
        self.fail()
        memoryfile.earlier(self.one, "box", seconds)

    def works(self):
        """Fetch with the right one."""
        self.configure()
        return self.one.expect(0, "fetch")

    def notices(self):
        """Those that came, parsed."""
        return [email.message_from_bytes(data, policy=email.policy.default)
                for data in self.read(self.one) if data.startswith(b"From: postrider <")]

    def mail(self):
        """Everything else, as digests."""
        return wire.digests([data for data in self.read(self.one)
                             if not data.startswith(b"From: postrider <")])

    def close(self):
        """End the server."""
        self.server.stop()


@contextlib.contextmanager
def scene(*args, **account):
    """A Scene that is closed."""
    made = Scene(*args, **account)
    try:
        yield made
    finally:
        made.close()


def well_formed(message, subject, *words):
    """It must be what RFC 5322 and 3834 want, and hold WORDS."""
    text = message.as_bytes()
    tap.check(all(32 <= byte < 127 or byte == 10 for byte in text), "not plain ASCII", text)
    tap.check(max(map(len, text.split(b"\n"))) <= 998, "a line is too long", text)
    tap.check(not message.defects, "defects", message.defects)
    tap.check(message["From"].addresses[0].username == "postrider", "From", text)
    tap.equal((message["Auto-Submitted"], message["MIME-Version"], message.get_content_type()),
              ("auto-generated", "1.0", "text/plain"), "headers")
    when = email.utils.parsedate_to_datetime(message["Date"])
    tap.check(abs(when.timestamp() - time.time()) < 60, "Date", message["Date"])
    tap.check(message["Message-ID"].startswith("<") and message["To"], "headers", text)
    tap.check(subject in message["Subject"], "Subject", message["Subject"])
    for word in words:
        tap.check(word in message.get_content(), "no %r" % word, message.get_content())


@tap.case("one message when it has failed for the time, one when it works again, in every form")
def both(_env):
    def play(way):
        with scene(way, ["--do", 'on PASS err "[AUTH] wrong horse"'], auth=["user"]) as s:
            s.configure()
            s.one.expect(77, "fetch")
            memoryfile.earlier(s.one, "box", DAY - 300)
            s.one.expect(77, "fetch")
            tap.equal(s.notices(), [], "too early")
            memoryfile.earlier(s.one, "box", 300)
            since = int(memoryfile.read(s.one, "box")["failing_since"])
            for _ in range(3):
                s.one.expect(77, "fetch")
            (first,) = s.notices()
            stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(since))
            well_formed(first, "box could not be fetched since " + stamp, "box (jane at localhost)",
                        "since " + stamp, "3 attempts", "the server refused", "wrong horse",
                        "postrider probe box")
            s.server.stop()
            s.server = popd.Popd(MESSAGES)
            s.works()
            s.works()
            tap.equal(len(s.notices()), 2, "notices")
            (second,) = [n for n in s.notices() if n["Message-ID"] != first["Message-ID"]]
            well_formed(second, "box is fetched again", "box (jane at localhost)",
                        "failed since " + stamp, "wrong horse")
            tap.equal(s.mail(), WANTED, "mail")
            out = s.one.expect(0, "status").out
            tap.check("box: 0 seen, 6 deleted on the server, 0 not delivered" in out, "status", out)
            found = memoryfile.read(s.one, "box")
            tap.equal((found.get("noticed"), found["messages"]), (None, "6"), "remembered")
            s.one.expect(0, "check", "--state")
    tap.each(WAYS, play)


@tap.case("off unless it is asked for; the time can be chosen; false takes a default back")
def asked_for(_env):
    rows = ((None, DAY, 0), (False, DAY, 0), (True, DAY, 1), ("2d", DAY, 0), ("2d", 2 * DAY, 1),
            ({"after": "1h"}, 3600, 1), ({"after": "1h", "mail": False}, DAY, 0),
            ({"mail": True}, DAY - 60, 0), ({"mail": True}, DAY, 1))

    def play(row):
        notice, age, wanted = row
        with scene(notice=notice) as s:
            s.fail_for(age)
            s.fail()
            tap.equal(len(s.notices()), wanted, "notices")
            s.works()
            tap.equal(len(s.notices()), 2 * wanted, "notices in the end")
    tap.each(rows, play)


@tap.case("who was not told that it fails is not told that it works")
def short(_env):
    with scene() as s:
        s.fail_for(DAY - 60)
        s.works()
        tap.equal(s.notices(), [], "notices")
        tap.equal(s.mail(), WANTED, "mail")


@tap.case("failing, well, failing: each time is told by itself")
def again(_env):
    with scene() as s:
        for number in (1, 2):
            s.fail_for(DAY + 1000 * number)
            s.fail()
            tap.equal(len(s.notices()), 2 * number - 1, "notices")
            s.works()
            tap.equal(len(s.notices()), 2 * number, "notices")
        tap.equal(len({n["Message-ID"] for n in s.notices()}), 4, "Message-IDs")


@tap.case("a pass that could not remember does not tell twice")
def forgetful(_env):
    def play(way):
        with scene(way) as s:
            s.fail_for(DAY)
            path = memoryfile.path(s.one, "box")
            for step in (s.fail, s.works):
                shutil.copy(path, path + ".old")
                step()
                told_now = len(s.notices())
                os.replace(path + ".old", path)
                step()
                tap.equal(len(s.notices()), told_now, "notices")
            tap.equal(told_now, 2, "notices in the end")
    tap.each(WAYS, play)


CALLS = ("write", "fsync", "fdatasync", "renameat", "renameat2", "unlinkat", "ftruncate",
         "sendmsg", "clone")
ITS_OWN = {"write", "renameat2", "unlinkat"}      # what the delivery program calls as well


def kill_once(server, way, call, number):
    """Kill the pass that tells at its NUMBERth CALL. Whether it came to that, and
    how often it is told too much."""
    s = Scene(way, server=server)
    s.fail_for(DAY)
    s.one.prefix = trace.killer(call, number)
    result = s.one.fetch(limit=60)
    s.one.prefix = []
    # A worker whose parent was killed may hold the lock a little.
    for _ in range(100):
        if s.one.fetch().status == 77:
            break
    s.fail()
    found = collections.Counter(n["Message-ID"] for n in s.notices())
    tap.equal(len(found), 1, "%s, killed at %s %d: notices" % (way, call, number))
    tap.equal(os.listdir(s.one.state + "/box/stage"), [], "files left in stage/")
    tap.equal(readers.litter(s.one.path("Mail")), [], "files left in tmp/")
    s.one.expect(0, "check", "--state")
    s.one.remove()
    return result.status != 77, max(found.values()) - 1


@tap.case("killed before each call that matters: still one message")
def killed(_env):
    trace.probe()

    def play(point):
        way, call = point
        with popd.Popd(MESSAGES) as server:
            for number in itertools.count(1):
                hit, doubled = kill_once(server, way, call, number)
                tap.check(not doubled or (way == "pipe" and hit), "%s, killed at %s %d: doubled"
                          % (way, call, number))
                if not hit:
                    return number - 1
    points = [(way, call) for way in ("Maildir", "mbox", "pipe") for call in CALLS
              if way != "pipe" or call not in ITS_OWN]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        crashes = list(pool.map(play, points))
    tap.diag("%d crashes" % sum(crashes))
    tap.check(sum(crashes) > 30, "killed too rarely: %s" % list(zip(points, crashes)))


@tap.case("where the destination is what fails, the log tells it, once")
def no_destination(_env):
    with scene() as s:
        s.works()
        folder = s.one.path("Mail")
        os.rename(folder, folder + ".away")
        with open(folder, "w", encoding="utf-8"):
            pass
        s.one.expect(78, "fetch")
        memoryfile.earlier(s.one, "box", DAY)
        told(s.one.fetch(), 78,
             "box: .*no mail could be fetched since .* could not be delivered")
        result = s.one.fetch()
        tap.check("could not be delivered" not in result.err, "told twice", result)
        os.unlink(folder)
        os.rename(folder + ".away", folder)
        s.works()
        (notice,) = s.notices()
        well_formed(notice, "box is fetched again")


@tap.case("a program that refuses the notice gets it again")
def refused(_env):
    with scene("pipe") as s:
        s.fail_for(DAY)
        with open(s.one.path("mda.broken"), "w", encoding="utf-8"):
            pass
        s.fail()
        s.fail()
        tap.equal(s.notices(), [], "taken")
        os.unlink(s.one.path("mda.broken"))
        s.fail()
        s.works()
        tap.equal(sorted(n["Subject"].split(" since")[0] for n in s.notices()),
                  ["mail of box could not be fetched", "mail of box is fetched again"], "notices")
        tap.equal(s.mail(), WANTED, "mail")


@tap.case("a notice that waits in the ledger is no sign that the server has UIDs")
def no_uidl(_env):
    with scene("pipe", ["--without", "uidl"]) as s:
        s.fail_for(DAY)
        with open(s.one.path("mda.broken"), "w", encoding="utf-8"):
            pass
        s.fail()
        tap.check("%0anotice" in s.one.ledger("box"), "no notice waits", s.one.ledger("box"))
        s.configure()
        result = s.one.expect(75, "fetch")
        tap.check("UIDL" not in result.err, "taken for a UID", result)
        os.unlink(s.one.path("mda.broken"))


@tap.case("odd users and what a hostile server says do no harm to the header")
def odd(_env):
    rows = (("jane", "jane@localhost"), ("jane@example.org", "jane@example.org"),
            ("Jane Doe", None), ('a"b\\c', None), ("j\u00e4ne", None), ("a@b@c", None),
            (".jane", None), ("x" * 900, None))

    def play(row):
        user, address = row
        rule = r'on %s err "\x1b[2J\xff ' + "y" * 400 + '"'
        with scene("Maildir", ["--do", rule % "AUTH"], auth=["plain"]) as s:
            s.configure(user=user)
            s.one.expect(77, "fetch")
            memoryfile.earlier(s.one, "box", DAY)
            s.one.expect(77, "fetch")
            (notice,) = s.notices()
            well_formed(notice, "box could not be fetched", "yyyy")
            found = [str(a.addr_spec) for a in notice["To"].addresses]
            tap.equal(found, [address] if address else [], "To of %r" % user)
    tap.each(rows, play)


if __name__ == "__main__":
    tap.main(world)
