#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands that are a message to the daemon: what they send, what they do
with the answer, and where they look for it. The daemon is a stand-in at first,
and then the real one."""

import contextlib
import os
import re
import signal
import socket
import threading

from harness import agent, procs, tap
from harness.scene import fetching

COMMANDS = ("poll", "pause", "resume", "reload", "stop")


class StandIn:
    """Listens at PATH and gives each caller ANSWER; notes what was asked."""

    def __init__(self, path, answer):
        self.path, self.answer, self.asked = path, answer, []
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(path)
        self.socket.listen()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                self._one(self.socket.accept()[0])

    def _one(self, caller):
        request = b""
        with caller, contextlib.suppress(OSError):
            while not request.endswith(b"\0\0"):
                some = caller.recv(4096)
                if not some:
                    return
                request += some
            self.asked.append(request[:-2].split(b"\0"))
            caller.sendall(self.answer)
            if request == b"stop\0\0":
                self.socket.shutdown(socket.SHUT_RDWR)

    def close(self):
        """Leave, and take the socket away."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.socket.close()
        os.unlink(self.path)


@contextlib.contextmanager
def talking(answer, place="run/postrider/control", env=True):
    """An agent and a stand-in at PLACE below its home."""
    one = agent.Agent()
    if env:
        one.env["XDG_RUNTIME_DIR"] = one.path("run")
    daemon = StandIn(one.path(place), answer)
    try:
        yield one, daemon
    finally:
        daemon.close()


@tap.case("without a daemon: exit status 69, and where it was looked for")
def nobody(_env):
    one = agent.Agent(env={"XDG_RUNTIME_DIR": "/nowhere"})
    for command in COMMANDS:
        result = one.expect(69, command)
        tap.equal(result.out, "", "on standard output")
        tap.equal(result.err, "postrider: no daemon is running (nobody listens at "
                  "/nowhere/postrider/control)\n", "on standard error")


@tap.case("each command goes over with its arguments, byte for byte")
def passed_on(_env):
    with talking(b"000\ndone\n\0") as (one, daemon):
        for command in COMMANDS:
            arguments = ["home", "a b", "\xe9"] if command in ("poll", "pause", "resume") else []
            if command == "stop":
                continue
            result = one.expect(0, command, *arguments)
            tap.equal((result.out, result.err), ("done\n", ""), "said")
            tap.equal(daemon.asked.pop(), [word.encode() for word in [command] + arguments],
                      "asked")


@tap.case("a refusal goes to standard error, with the daemon's exit status")
def refused(_env):
    with talking(b"078\nconfig.yaml:3:1: bad\nconfig.yaml:9:1: bad too\n\0") as (one, _daemon):
        result = one.expect(78, "reload")
        tap.equal(result.out, "", "on standard output")
        tap.equal(result.err, "config.yaml:3:1: bad\nconfig.yaml:9:1: bad too\n",
                  "on standard error")


@tap.case("they work while the configuration is broken, or is not there")
def broken(_env):
    with talking(b"000\n\0") as (one, _daemon):
        one.write_config("accounts: {{{\n")
        one.expect(0, "reload")
        os.unlink(one.config)
        one.expect(0, "poll", "home")


@tap.case("an answer that is no answer is never taken for success")
def garbled(_env):
    def one_answer(answer):
        with talking(answer) as (one, _daemon):
            result = one.expect(75, "poll")
            tap.equal(result.out, "", "on standard output")
            tap.check("did not answer" in result.err, "not said", result)
    tap.each([b"", b"0", b"000\n", b"000\npart of", b"999\n\0", b"ok\0", b"-01\n\0",
              b"HTTP/1.0 200 OK\r\n\r\n"], one_answer)


@tap.case("what a stranger answers does no harm to a terminal")
def printable(_env):
    with talking(b"000\n\x1b]0;title\x07\x9b31m\r\tfine\n\0") as (one, _daemon):
        out = one.expect(0, "poll").out
        tap.equal(out, "?]0;title??31m?\tfine\n", "on standard output")


@tap.case("stop waits until nobody listens any more")
def stop(_env):
    with talking(b"000\n\0") as (one, daemon):
        one.expect(0, "stop")
        tap.equal(daemon.asked, [[b"stop"]], "asked")
        one.expect(69, "poll")


@tap.case("--control, then $POSTRIDER_CONTROL, say where the daemon is")
def places(_env):
    with talking(b"000\n\0", place="else/where", env=False) as (one, daemon):
        one.expect(69, "--control", one.path("nowhere"), "poll")
        one.expect(0, "--control", one.path("else/where"), "poll")
        one.expect(0, "poll", "--control", one.path("else/where"))
        one.env["POSTRIDER_CONTROL"] = one.path("else/where")
        one.expect(0, "poll")
        one.expect(69, "--control", one.path("nowhere"), "poll")
        tap.equal(len(daemon.asked), 3, "asked")


@tap.case("wrong usage: exit status 64, and nothing is sent")
def usage(_env):
    with talking(b"000\n\0") as (one, daemon):
        for args in (("stop", "now"), ("reload", "home"), ("poll", "--baseline"),
                     ("--control", "x", "check"), ("poll", "--control")):
            one.expect(64, *args)
        one.expect(78, "poll", "")
        tap.equal(daemon.asked, [], "asked")


@tap.case("another user's daemon: said plainly")
def stranger(_env):
    if os.geteuid() != 0:
        raise tap.Skip("only root can become another user")
    place = procs.scratch() + "/run/control"
    daemon = StandIn(place, b"000\n\0")
    try:
        os.chmod(place, 0o600)
        for folder in (os.path.dirname(place), os.path.dirname(os.path.dirname(place))):
            os.chmod(folder, 0o755)
        one = agent.Agent(uid=65534, env={"POSTRIDER_CONTROL": place})
        result = one.expect(78, "poll")
        tap.check("only that user and root" in result.err, "not said", result)
    finally:
        daemon.close()


def answers(one, process):
    """Wait until the daemon answers; it must not end."""
    def asked():
        tap.equal(process.poll(), None, "the daemon's exit status")
        return one.run("resume").status == 0
    procs.wait_until(asked, 60, "an answer")


@contextlib.contextmanager
def running(one):
    """The real daemon of an agent, which answers."""
    process = one.start("daemon")
    try:
        answers(one, process)
        yield process
    finally:
        if process.poll() is None:
            one.abort(process)


@contextlib.contextmanager
def real():
    """An agent with an account and a place for the socket."""
    with fetching(interval="1h") as (one, _server):
        one.env["XDG_RUNTIME_DIR"] = one.path("run")
        yield one


@tap.case("the daemon makes a socket for its user alone, and takes it away")
def own_socket(_env):
    with real() as one:
        place = one.path("run/postrider/control")
        with running(one) as process:
            tap.equal(os.stat(place).st_mode & 0o7777, 0o600, "mode of the socket")
            tap.equal(os.stat(os.path.dirname(place)).st_mode & 0o7777, 0o700, "of its folder")
            one.expect(0, "stop")
            tap.equal(process.wait(60), 0, "exit status")
        tap.check(not os.path.exists(place), "the socket is still there")


@tap.case("a second daemon is refused with the number of the first")
def second(_env):
    with real() as one:
        other = agent.Agent(env={"XDG_RUNTIME_DIR": one.path("run")})
        with open(one.config) as file:
            other.write_config(file.read().replace(one.state, other.state))
        with running(one) as process:
            for which in (one, other):
                result = which.expect(78, "daemon")
                tap.check(re.search(r"\b%d\b" % process.pid, result.err), "not named", result)
            one.expect(0, "pause")


@tap.case("one that was killed leaves nothing in the way of the next")
def killed(_env):
    with real() as one:
        for _ in range(3):
            with running(one) as process:
                process.send_signal(signal.SIGKILL)
                process.wait()
            tap.check(os.path.exists(one.path("run/postrider/control")), "no socket is left")
            one.expect(69, "poll")
        with running(one):
            one.expect(0, "poll")


@tap.case("callers who send nothing, nonsense or far too much harm nobody")
def hostile(_env):
    with real() as one:
        with running(one), contextlib.ExitStack() as stack:
            for noise in (b"", b"po", b"\0\0\0", b"stop", b"stop\0", b"\0stop\0\0",
                          b"x" * 300000):
                caller = stack.enter_context(socket.socket(socket.AF_UNIX))
                caller.connect(one.path("run/postrider/control"))
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    caller.sendall(noise)
            one.expect(0, "poll")
            one.expect(64, "poll", "no-such-account")


@tap.case("another user may not stop it, even where the modes of the files let him in")
def intruder(_env):
    if os.geteuid() != 0:
        raise tap.Skip("only root can become another user")
    with real() as one:
        with running(one) as process:
            for name, mode in (("", 0o755), ("run", 0o755), ("run/postrider", 0o755),
                               ("run/postrider/control", 0o666)):
                os.chmod(one.path(name), mode)
            other = agent.Agent(uid=65534,
                                env={"POSTRIDER_CONTROL": one.path("run/postrider/control")})
            result = other.expect(77, "stop")
            tap.check("only the daemon's user and root" in result.err, "not said", result)
            tap.equal(process.poll(), None, "the daemon's exit status")


@contextlib.contextmanager
def nothing():
    """The fixture: a program to test is enough."""
    agent.binary()
    yield None


if __name__ == "__main__":
    tap.main(nothing)
