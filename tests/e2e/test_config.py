#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A wrong configuration is told whole and exactly, and touches no network."""

import contextlib
import os
import re
import socket

from harness import agent, tap, yamlfile

PASSWORD = "Zx9-hunter2"
FIVE = """\
state: %(state)s
accounts:
  right:
    host: 127.0.0.1
    port: %(port)d
    user: jane
    password: Zx9-hunter2
    deliver: {maildir: ~/Mail}
  work:
    host: 127.0.0.1
    port: 70000
    tls: sometimes
    usr: jane
    user: jane
    user: joan
    password: Zx9-hunter2
    keep: 14x
    deliver: {maildir: ~/Mail}
"""
MISTAKES = ((11, "port"), (12, "tls"), (13, "usr"), (15, "user"), (17, "keep"))


class World:
    """A listener that notices any connection, and a postrider."""

    def __init__(self, listener):
        self.listener = listener
        self.port = listener.getsockname()[1]
        self.agent = agent.Agent()

    def account(self, **more):
        """A right account, but for MORE."""
        return {"host": "127.0.0.1", "port": self.port, "user": "jane",
                "password": PASSWORD, "deliver": {"maildir": "~/Mail"}, **more}

    def untouched(self):
        """Nobody may have connected."""
        with contextlib.suppress(BlockingIOError):
            self.listener.accept()
            tap.check(False, "a connection was made")

    def refused(self, text, *patterns, mode=0o600, command="fetch"):
        """COMMAND must exit 78 with lines that match each of PATTERNS."""
        self.agent.write_config(text, mode)
        result = self.agent.expect(78, command)
        self.untouched()
        for pattern in patterns:
            tap.check(re.search(pattern, result.err + result.out, re.MULTILINE),
                      "no line like %r" % pattern, result)
        tap.check(PASSWORD not in result.err + result.out, "the password is told", result)
        return result

    def refused_account(self, pattern, **more):
        """An account with the keys MORE must be refused."""
        text = yamlfile.dump({"accounts": {"work": self.account(**more)}})
        return self.refused(text, pattern)


@contextlib.contextmanager
def world():
    """Listen, but accept nothing by ourselves."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        listener.setblocking(False)
        yield World(listener)


def five(env, command):
    """Run COMMAND on the file with five mistakes."""
    text = FIVE % {"state": env.agent.state, "port": env.port}
    name = re.escape(env.agent.config)
    result = env.refused(text, *[r"^(.*: )?%s:%d:\d+: accounts\.work\.%s: .+" % (name, line, key)
                                 for line, key in MISTAKES], command=command)
    found = re.findall(r"%s:\d+:\d+: " % name, result.err + result.out)
    tap.equal(len(found), len(MISTAKES), "mistakes told by\n%s\n" % result)
    return result


@tap.case("fetch tells all five mistakes with file:line:column and exits 78")
def fetch_five(env):
    five(env, "fetch")
    tap.check(not os.path.exists(env.agent.path("Mail")), "the destination was made")


@tap.case("check tells the same five, and the nearest key to a misspelt one")
def check_five(env):
    result = five(env, "check")
    (line,) = re.findall(r".*accounts\.work\.usr.*", result.err + result.out)
    tap.check(re.search(r"\buser\b", line), "the key `user` is not proposed", line)


@tap.case("check accepts a right file")
def check_right(env):
    env.agent.configure({"work": env.account()})
    env.agent.expect(0, "check")
    env.untouched()


@tap.case("a password in a file others can read: 78, with the chmod to run")
def readable(env):
    text = yamlfile.dump({"state": env.agent.state, "accounts": {"work": env.account()}})
    for mode in (0o644, 0o640, 0o604):
        env.refused(text, r"chmod \S+ '?%s" % re.escape(env.agent.config), mode=mode)


@tap.case("a file others can read is right when the password is elsewhere")
def readable_without(env):
    env.agent.configure({"work": env.account(password={"env": "WORK_PASSWORD"})})
    os.chmod(env.agent.config, 0o644)
    env.agent.expect(0, "check")


@tap.case("text that is no YAML, or more of YAML than is allowed, is refused in its place")
def not_yaml(env):
    name = re.escape(env.agent.config)
    env.refused("accounts: [\n  work: }\n", name + r":\d+:\d+: ")
    env.refused("accounts: {work: &a {host: x}, b: *a}\n", name + r":1:\d+: .*(alias|anchor)")
    env.refused("accounts: !x {}\n", name + r":1:\d+: .*tag")
    env.refused("state: " + "[" * 40 + "]" * 40 + "\n", name + r":1:\d+: .*deep")
    env.refused("#" + "x" * (1 << 20) + "\naccounts: {}\n", name)


@tap.case("a line end in a user name or password never reaches the wire")
def injection(env):
    text = yamlfile.dump({"accounts": {"work": env.account()}})
    for key, value in (("user", "jane"), ("password", PASSWORD)):
        for tail in (r"\r\nDELE 1", r"\nDELE 1", r"\0"):
            bad = text.replace("%s: %s" % (key, value), '%s: "%s%s"' % (key, value, tail))
            env.refused(bad, r":\d+:\d+: accounts\.work\.%s: " % key)


@tap.case("no TLS without saying so, no account without a destination, no stray values")
def others(env):
    at = r":\d+:\d+: accounts\.work"
    env.refused_account(at + r".*accept_plaintext", tls="none")
    env.refused_account(at + r".*deliver", deliver=None)
    env.refused_account(at + r".*user", user=None)
    env.refused_account(at + r"\.port: ", port=-1)
    env.refused_account(at + r"\.port: ", port="pop3")
    env.refused_account(at + r"\.limits\.message: ", limits={"message": "9Q"})
    env.refused_account(at + r"\.deliver", deliver={"maildir": "~/a", "mbox": "~/b"})


@tap.case("an account that is not in the file is an error that names the nearest")
def unknown_account(env):
    env.agent.configure({"work": env.account()})
    result = env.agent.run("fetch", "wrok")
    tap.check(result.status in (64, 78), "exit status", result)
    tap.check("wrok" in result.err and re.search(r"\bwork\b", result.err),
              "it does not name both", result)
    env.untouched()


@tap.case("a configuration that is not there: 78 and its name")
def missing(env):
    os.unlink(env.agent.config)
    result = env.agent.expect(78, "fetch")
    tap.check(env.agent.config in result.err, "the file is not named", result)


if __name__ == "__main__":
    tap.main(world)
