#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What status says of each account: to people, to programs, as metrics."""

import contextlib
import json
import os
import re
import socket
import threading
import time

from harness import memoryfile, openmetrics, popd, procs, tap, agent
from harness.scene import MESSAGES, fetching, told, world

DAY = 86400


def stamp(seconds):
    """A moment, as people are shown it."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def as_json(one, *names):
    """The accounts of status --json, by name; and what it says of a daemon."""
    whole = json.loads(one.expect(0, "status", "--json", *names).out)
    return {account["name"]: account for account in whole["accounts"]}, whole["daemon"]


def metrics(one, *names):
    """What status --metrics says."""
    return openmetrics.Exposition(one.expect(0, "status", "--metrics", *names).out)


@tap.case("nothing is known of a new account, and asking leaves nothing behind")
def fresh(_env):
    with fetching() as (one, _server):
        accounts, daemon = as_json(one)
        box = accounts["box"]
        tap.equal((daemon, box["last_try"], box["ledger"], box["passes"]), (None, None, None, 0),
                  "known")
        tap.equal(one.expect(0, "status").out, "box: nothing fetched yet\n", "status")
        tap.equal(metrics(one).get("postrider_last_success_timestamp_seconds", account="box"), 0,
                  "last success")
        tap.check(not os.path.exists(one.state), "looking made the state directory")


@tap.case("a good fetch: last success, messages, bytes and passes, in all three forms")
def success(_env):
    with fetching() as (one, _server):
        begin = int(time.time())
        one.fetch_ok()
        one.fetch_ok()
        box = as_json(one)[0]["box"]
        tap.check(begin <= box["last_success"] <= time.time(), "last success", box)
        tap.equal(box["last_try"], box["last_success"], "last try")
        tap.equal((box["passes"], box["messages"], box["failing_since"], box["last_error"]),
                  (2, len(MESSAGES), None, None), "passes, messages, failing since, last error")
        tap.check(box["bytes"] >= sum(map(len, MESSAGES)), "bytes", box)
        tap.equal(box["ledger"]["deleted"], len(MESSAGES), "deleted")
        tap.check(box["certificate_days_left"] > 0, "nothing of the certificate", box)
        text = one.expect(0, "status").out
        for words in ("last success " + stamp(box["last_success"]),
                      "in all 2 passes, %d messages" % len(MESSAGES)):
            tap.check(words in text, "no " + words, text)
        found = metrics(one)
        tap.equal(found.get("postrider_messages_total", account="box"), len(MESSAGES), "messages")
        tap.equal(found.get("postrider_bytes_total", account="box"), box["bytes"], "bytes")
        tap.equal(found.get("postrider_passes_total", account="box"), 2, "passes")
        tap.equal(found.get("postrider_last_success_timestamp_seconds", account="box"),
                  box["last_success"], "last success")


@tap.case("a bad one: since when, how often, of what class, and the server's words")
def failure(_env):
    with fetching('on PASS 1 err "[AUTH] no such horse"', auth=["user"]) as (one, server):
        one.expect(77, "fetch")
        one.expect(77, "fetch")
        box = as_json(one)[0]["box"]
        tap.equal((box["failed_in_a_row"], box["last_success"], box["failures"]["login"]),
                  (2, None, 2), "in a row, last success, failures")
        tap.equal((box["last_error"]["class"], "no such horse" in box["last_error"]["server"]),
                  ("login", True), "last error")
        tap.check(box["failing_since"] <= box["last_error"]["time"], "failing since", box)
        since = box["failing_since"]
        text = one.expect(0, "status").out
        tap.check(re.search(r"(?m)^  ! failing since %s, 2 passes; last success never" %
                            stamp(since), text), "failing since", text)
        tap.check(re.search(r"last error .* \(login\): .*the server said: .*no such horse", text),
                  "last error", text)
        found = metrics(one)
        tap.equal(found.get("postrider_failures_total", account="box", **{"class": "login"}), 2,
                  "failures of the login")
        tap.equal(found.get("postrider_failures_total", account="box", **{"class": "retry"}), 0,
                  "other failures")
        tap.equal(found.get("postrider_failing", account="box"), 1, "failing")
        server.stop()
        one.expect(75, "fetch")
        box = as_json(one)[0]["box"]
        tap.equal((box["failing_since"], box["failures"]["retry"]), (since, 1),
                  "failing since, failures")


@tap.case("after the failure the account is well again, and its last error can still be read")
def recovery(_env):
    with fetching('on STAT #1 err "x"', 'on LIST #1 err "hard disk"') as (one, _server):
        tap.check(one.fetch().status != 0, "the first fetch went well")
        one.fetch_ok()
        box = as_json(one)[0]["box"]
        tap.equal((box["failing_since"], box["failed_in_a_row"]), (None, 0), "failing")
        tap.check(box["last_error"]["text"], "the last error is forgotten", box)
        tap.check("!" not in one.expect(0, "status").out, "somebody is called")


@tap.case("a pass that finds the lock taken leaves no trace")
def busy(_env):
    with fetching("on RETR #3 stall") as (one, server):
        slow = one.start("fetch")
        procs.wait_until(lambda: server.count("RETR") >= 3, 60, "the third RETR")
        other = agent.Agent()
        with open(one.config, encoding="utf-8") as file:
            other.write_config(file.read())
        other.expect(75, "fetch")
        tap.equal(memoryfile.read(one, "box"), {}, "remembered")
        one.abort(slow)


@tap.case("certificates: how many days are left, and a mark below 14")
def certificate(_env):
    rows = ((60 * DAY, 59, "  the server's certificate expires in 59 days"),
            (14 * DAY + 90, 14, "  the server's certificate expires in 14 days"),
            (14 * DAY - 90, 13, "  ! the server's certificate expires in 13 days"),
            (DAY + 90, 1, "  ! the server's certificate expires in 1 day, at"),
            (-90, -1, "  ! the server's certificate expired at "))
    with fetching() as (one, _server):
        one.fetch_ok()

        def play(row):
            left, days, words = row
            memoryfile.change(one, "box", cert_expiry=int(time.time()) + left - (left == 60 * DAY))
            text = one.expect(0, "status").out
            tap.check(any(line.startswith(words) for line in text.splitlines()), words, text)
            tap.equal(as_json(one)[0]["box"]["certificate_days_left"], days, "days left")
            tap.equal(metrics(one).get("postrider_certificate_days_left", account="box"), days,
                      "days left")
        tap.each(rows, play)
        members = memoryfile.read(one, "box")
        del members["cert_expiry"]
        memoryfile.write(one, "box", members)
        tap.equal(metrics(one).get("postrider_certificate_days_left", account="box"), None,
                  "days left of a certificate that nobody knows")


@tap.case("what is set aside, with a UID that needs quoting")
def set_aside(_env):
    rules = (r'on UIDL reply "+OK\r\n1 a\"\\b\r\n.\r\n"', 'on RETR err "bad disk"')
    with fetching(*rules, messages=MESSAGES[:1]) as (one, _server):
        for _ in range(3):
            one.expect(75, "fetch")
        box = as_json(one)[0]["box"]
        (aside,) = box["ledger"]["set_aside"]
        tap.equal((aside["uid"], aside["by"], aside["tries"]), ('a"\\b', "server", 3), "set aside")
        tap.check("refused" in aside["reason"], "no reason", aside)
        tap.equal((box["failing_since"], box["failures"]["message"]), (None, 3),
                  "failing because of one message")


@tap.case("a spoilt memory is forgotten, and the fetch goes on")
def spoilt(_env):
    with fetching() as (one, _server):
        one.fetch_ok()
        path = memoryfile.path(one, "box")
        for data in (b"", b"\0" * 4096, b"postrider memory 1\npasses 9\n", b"x" * 200_000):
            with open(path, "wb") as file:
                file.write(data)
            tap.equal(as_json(one)[0]["box"]["passes"], 0, "passes")
            tap.equal(as_json(one)[0]["box"]["ledger"]["deleted"], len(MESSAGES), "deleted")
            one.fetch_ok()
            tap.equal(as_json(one)[0]["box"]["passes"], 1, "passes")


@tap.case("accounts by name; an unknown one is a mistake")
def chosen(_env):
    with popd.Popd(MESSAGES, users=3) as server:
        one = agent.Agent()
        one.configure({user: server.account({"maildir": one.path(user)}, user=user)
                       for user in server.users})
        one.fetch_ok()
        first, second, third = server.users
        tap.equal(list(as_json(one, third, first, third)[0]), [third, first], "accounts")
        text = one.expect(0, "status", "--metrics", second).out
        tap.check(second in text and first + '"' not in text, "accounts of --metrics", text)
        for form in ((), ("--json",), ("--metrics",)):
            result = one.expect(64, "status", *form, "nobody")
            tap.equal(result.out, "", "output")


@tap.case("a server that expires mail too soon, or is broken for good: a warning a day")
def warnings(_env):
    def play(row):
        options, rules, keep, words = row
        with fetching(*rules, keep=keep, options=options) as (one, _server):
            result = one.fetch()
            if words is None:
                tap.check("warning" not in result.err and "EXPIRE" not in result.err,
                          "a warning without need", result)
                return
            told(result, result.status, words)
            tap.check(not re.search(words, one.fetch().err), "warned twice")
            memoryfile.earlier(one, "box", DAY)
            told(one.fetch(), result.status, words)

    def expire(value):
        return ["--capa-extra", "EXPIRE " + value]
    tap.each(((expire("30"), (), True, "EXPIRE"), (expire("7 USER"), (), "14d", "7 days only"),
              (expire("0"), (), True, "EXPIRE 0"), (expire("14"), (), "14d", None),
              (expire("NEVER"), (), True, None), (expire("0"), (), False, None),
              ([], ('on UIDL err "[SYS/PERM] the index is lost"',), True,
               "not pass by itself")), play)


# A stand-in for the daemon.


@contextlib.contextmanager
def daemon(one, answer):
    """Somebody who listens where the daemon does and gives this ANSWER."""
    path = one.path("control")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    asked = []

    def serve():
        while True:
            try:
                caller, _address = listener.accept()
            except OSError:
                return
            with caller:
                request = b""
                while not request.endswith(b"\0\0"):
                    request += caller.recv(4096) or b"\0\0"
                asked.append(request)
                caller.sendall(answer)
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    one.env["POSTRIDER_CONTROL"] = path
    try:
        yield asked
    finally:
        del one.env["POSTRIDER_CONTROL"]
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
        os.unlink(path)


@tap.case("with a daemon: the state of each account and its next poll")
def with_daemon(_env):
    with fetching() as (one, _server):
        one.fetch_ok()
        text = "daemon\t4711\t1700000000\nother\twaiting\t5\nbox\twaiting\t1900000000\n"
        with daemon(one, b"000\n" + text.encode() + b"\0") as asked:
            accounts, whole = as_json(one)
            tap.equal(whole, {"pid": 4711, "since": 1700000000}, "the daemon")
            tap.equal((accounts["box"]["state"], accounts["box"]["next_poll"]),
                      ("waiting", 1900000000), "state and next poll")
            tap.equal(asked, [b"status\0\0"], "asked")
            out = one.expect(0, "status").out
            tap.check("  waiting, next poll " + stamp(1900000000) in out, "next poll", out)
            metrics(one)
        tap.equal(as_json(one)[1], None, "a daemon that has gone")


@tap.case("with a daemon that says something else, the files are enough")
def odd_daemon(_env):
    answers = (b"", b"000\n\0", b"000\nHello\n\0", b"000\ndaemon x y\nbox waiting 5\n\0",
               b"000\ndaemon 1 2\nbox\n\0", b"000\ndaemon 1 2\nbox WAIT\x1b[2J 5\n\0",
               b"000\ndaemon 1 2\nbox waiting -5\n\0", b"075\nbusy\n\0",
               b"000\ndaemon 1 2\nbox " + b"x" * 5000 + b" 5\n\0",
               b"000\ndaemon 1 2\n" + b"nobody waiting 5\n" * 5000 + b"\0")
    with fetching() as (one, _server):
        one.fetch_ok()

        def play(answer):
            with daemon(one, answer):
                accounts, _daemon = as_json(one)
                tap.equal((accounts["box"]["passes"], accounts["box"]["state"]), (1, None),
                          "passes and state")
        tap.each(answers, play)


if __name__ == "__main__":
    tap.main(world)
