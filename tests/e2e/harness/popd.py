# SPDX-License-Identifier: GPL-3.0-or-later
"""The project's own POP3 server, popd, for what a real server never does.

It is found through $POPD, else as tests/server/popd below the current (build)
directory. One Popd is one server process with its own scratch directory.
"""

import os
import re
import subprocess

from . import procs, tap, wire


def program(variable, default):
    """A helper program of the test suite, or Skip."""
    path = os.path.abspath(os.environ.get(variable, default))
    if not os.access(path, os.X_OK):
        raise tap.Skip("no %s (set %s)" % (path, variable))
    return path


def start(arguments, stderr_path):
    """Start a server that prints `listening ADDR PORT`; give it and its ports."""
    with open(stderr_path, "wb") as errors:
        process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=errors,
                                   start_new_session=True,
                                   preexec_fn=procs.die_with_parent)
    line = process.stdout.readline().decode()
    found = re.match(r"listening \S+ (\d+)", line)
    if not found:
        process.kill()
        with open(stderr_path, errors="replace") as errors:
            raise RuntimeError("%s: %s%s" % (arguments[0], line, errors.read()))
    return process, int(found.group(1))


HOLD = "@HOLD@"         # where the server looks whether to go on


def held(event):
    """A rule of a Popd: at EVENT it waits until release()."""
    return '%s hold "%s"' % (event, HOLD)


class Popd:
    """One popd with a user `jane`, whose maildrop holds MESSAGES.

    With USERS more than one there are jane1, jane2..., who have the same.
    """

    USER, PASSWORD = "jane", "secret"

    def __init__(self, messages=(), *options, tls="implicit", raw=False, password=None,
                 users=1):
        self.root = procs.scratch()
        self.password = password or self.PASSWORD
        self.users = [self.USER + str(number or "") for number in range(users)]
        self.drop = self.root + "/" + self.USER
        for user in self.users:
            os.mkdir(self.root + "/" + user)
        self.put(messages)
        self.tls = tls
        self.ca = self.root + "/ca.pem"
        arguments = [program("POPD", "tests/server/popd"), "--listen", "127.0.0.1:0",
                     "--tls", tls, "--log", self.root + "/log"]
        for user in self.users:
            arguments += ["--user", "%s:%s:%s/%s" % (user, self.password, self.root, user)]
        if tls != "none":
            arguments += ["--ca-out", self.ca]
        if raw:
            arguments.append("--raw")
        self.process, self.port = start(
            arguments + [word.replace(HOLD, self.root + "/go") for word in options],
            self.root + "/errors")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def put(self, messages, first=0):
        """Add MESSAGES to every maildrop, as the server's files."""
        for user in self.users:
            for number, message in enumerate(messages, first):
                with open("%s/%s/%06d" % (self.root, user, number), "wb") as file:
                    file.write(message)

    def stop(self):
        """End the server with all its sessions."""
        procs.kill_group(self.process.pid)
        self.process.wait()
        self.process.stdout.close()

    def release(self):
        """What was held goes on, and nothing is held from now on."""
        with open(self.root + "/go", "w"):
            pass

    def remove(self):
        """Remove its files; a test of many servers would fill the disk."""
        procs.unscratch(self.root)

    def served(self):
        """What its user is served, read by the independent client."""
        return wire.served(self.USER, self.password, port=self.port, ca=self.ca)

    def account(self, deliver, **more):
        """An account that fetches from this server; MORE overrides its keys."""
        keys = {"host": "localhost", "port": self.port, "tls": self.tls,
                "ca_file": self.ca, "user": self.USER, "password": self.password,
                "deliver": deliver}
        if self.tls == "none":
            keys.update(ca_file=None, accept_plaintext=True)
        keys.update(more)
        return keys

    def held(self):
        """The names of the messages still on the server."""
        return sorted(name for name in os.listdir(self.drop) if name[0] != ".")

    def events(self):
        """The server's events so far, each (seconds, connection, text)."""
        try:
            with open(self.root + "/log", errors="replace") as file:
                rows = [line.rstrip("\n").split(" ", 3) for line in file]
        except FileNotFoundError:
            return []
        return [(float(when), int(who), text) for when, who, _user, text in rows]

    def log(self):
        """The text of the server's events so far."""
        return [text for _when, _who, text in self.events()]

    def commands(self):
        """The commands the server received, in order."""
        return [event[len("command "):] for event in self.log()
                if event.startswith("command ")]

    def count(self, verb):
        """How many commands VERB the server received."""
        return sum(line.split(" ")[0].upper() == verb for line in self.commands())

    def silent(self):
        """The connections on which a client waits in vain: (number, when that began)."""
        events = self.events()
        gone = {who for _when, who, text in events if text.startswith("disconnect ")}
        return [(who, when) for when, who, text in events
                if text == "silent" and who not in gone]

    def forget(self):
        """Empty the log, so that what follows stands alone."""
        os.truncate(self.root + "/log", 0)


def wanproxy(port, delay, *options):
    """A relay to loopback PORT that holds every byte back for DELAY ms,
    and lets connecting take its round trip too."""
    arguments = [program("WANPROXY", "tests/tools/wanproxy"), "--listen", "127.0.0.1:0",
                 "--to", "127.0.0.1:%d" % port, "--delay", str(delay),
                 "--handshake", *options]
    return start(arguments, procs.scratch() + "/errors")
