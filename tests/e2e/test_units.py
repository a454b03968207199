#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemd makes of contrib/systemd/, and the daemon of what it is given.

No service is started: systemd reads the units below a root of their own, and
the daemon runs with the environment that they would give it."""

import contextlib
import glob
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess

from harness import agent, procs, tap, trace
from harness.scene import fetching

UNITS = os.path.join(os.environ.get("srcdir", ".."), "contrib/systemd")
SYSTEM = ("postrider.service", "postrider-fetch.service", "postrider-fetch.timer")
SERVICES = ("postrider.service", "postrider-fetch.service")


def read(name):
    """The lines of a unit that say something."""
    with open(os.path.join(UNITS, name)) as file:
        lines = [line.strip() for line in file]
    return [line for line in lines if line and not line.startswith("#")]


def setting(name, key):
    """The one value that a unit gives a key."""
    values = [line.split("=", 1)[1] for line in read(name) if line.startswith(key + "=")]
    tap.equal(len(values), 1, "%s= in %s" % (key, name))
    return values[0]


def command(name, key):
    """The words of a command in a unit, without the program and -c FILE."""
    words = shlex.split(setting(name, key))
    tap.equal(words[0], "postrider", "the program of %s" % key)
    return words[3:] if words[1] == "-c" else words[1:]


def run(*words, **how):
    """Run a program of systemd; its exit status and all it said."""
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=120, **how)
    return done.returncode, done.stdout


class Root:
    """The files of a system with postrider's units."""

    def __init__(self):
        self.path = procs.scratch()
        for folder in ("etc", "usr/bin", "usr/lib/systemd/system", "usr/lib/systemd/user"):
            os.makedirs(os.path.join(self.path, folder))
        shutil.copy(agent.binary(), self.path + "/usr/bin/postrider")
        for name in SYSTEM:
            shutil.copy(os.path.join(UNITS, name), self.unit(name))

    def unit(self, name):
        """Where a unit is."""
        return os.path.join(self.path, "usr/lib/systemd/system", name)

    def verify(self, *names):
        """What systemd has to say against units; the targets are its own."""
        for place in ("/lib/systemd/system", "/usr/lib/systemd/system"):
            for target in glob.glob(place + "/*.target"):
                shutil.copy(target, self.unit(os.path.basename(target)))
        return run("systemd-analyze", "verify", "--root=" + self.path, "--man=no", *names)

    def exposure(self, name, *options):
        """What systemd-analyze security makes of a unit."""
        return run("systemd-analyze", "security", "--root=" + self.path, "--offline=true",
                   "--no-pager", *options, name)


@tap.case("systemd takes the units, without a word")
def verify(_env):
    root = Root()
    tap.equal(root.verify(*SYSTEM), (0, ""), "verify")
    with open(root.unit("postrider.service"), "a") as file:
        file.write("[Service]\nProtectHonk=yes\n")
    _, said = root.verify("postrider.service")
    tap.check("ProtectHonk" in said, "a mistake in a unit is not seen", said)


@tap.case("and the unit of a user")
def verify_user(_env):
    runtime = procs.scratch()
    programs = procs.scratch()
    shutil.copy(agent.binary(), programs + "/postrider")
    unit = runtime + "/postrider.service"
    with open(os.path.join(UNITS, "user/postrider.service")) as file:
        text = file.read()
    with open(unit, "w") as file:
        file.write(text.replace("=postrider ", "=%s/postrider " % programs))
    env = {"PATH": os.environ["PATH"], "HOME": runtime, "XDG_RUNTIME_DIR": runtime}
    tap.equal(run("systemd-analyze", "verify", "--user", "--man=no", unit, env=env), (0, ""),
              "verify")


@tap.case("it rates the services of the system 2.0 or better")
def security(_env):
    root = Root()
    for name in SERVICES:
        status, said = root.exposure(name, "--threshold=20")
        tap.check(status == 0, name, said)
        tap.diag(said.splitlines()[-1])
    with open(root.unit("postrider.service")) as file:
        text = file.read()
    with open(root.unit("postrider.service"), "w") as file:
        file.write(text.split("CapabilityBoundingSet=")[0])
    status, said = root.exposure("postrider.service", "--threshold=20")
    tap.check(status != 0, "an open service passes, too", said)


@tap.case("both services are confined alike, and may do what fetching needs")
def alike(_env):
    rules = [set(read(name)[read(name).index("CapabilityBoundingSet="):]) for name in SERVICES]
    tap.equal(rules[0] - {"[Install]", "WantedBy=multi-user.target"}, rules[1], "the rules")
    tap.equal(setting(SERVICES[0], "RestrictAddressFamilies"), "AF_UNIX AF_INET AF_INET6",
              "address families")
    for name in SERVICES:
        for key in ("PrivateNetwork", "IPAddressDeny", "ProtectKernelTunables"):
            found = [line for line in read(name) if line.startswith(key + "=")]
            tap.equal(len(found), key == "ProtectKernelTunables", key)


def allowed():
    """The system calls that the service may make."""
    _, text = run("systemd-analyze", "syscall-filter", "--no-pager")
    sets, name = {}, None
    for line in text.splitlines():
        if line.startswith("@"):
            name = line.strip()
            sets[name] = set()
        elif name and line.startswith(" ") and "#" not in line:
            sets[name].add(line.strip())

    def resolve(word):
        return set().union(*map(resolve, sets[word])) if word in sets else {word}
    words = [word for line in read("postrider.service") if line.startswith("SystemCallFilter=")
             for word in line.split("=", 1)[1].split()]
    return set().union(*map(resolve, words))


@tap.case("fetching makes no call that they forbid")
def calls(_env):
    trace.probe()
    if os.getuid() != 0:
        raise tap.Skip("a worker guards its memory; only root's strace can read there")
    with fetching(host="localhost") as (one, _server):
        one.prefix = ["strace", "-f", "-o", one.path("trace")]
        one.fetch_ok()
        with open(one.path("trace"), errors="replace") as lines:
            text = lines.read()
    made = set(re.findall(r"^\d+ +(\w+)\(", text, re.MULTILINE))
    tap.check({"connect", "renameat2", "execve"} <= made, "not all was seen", made)
    tap.equal(made - allowed(), set(), "calls that are not allowed")
    families = set(re.findall(r"\bsocket\((AF_\w+)", text))
    # Without AF_NETLINK the C library takes it that there are both IPv4 and IPv6.
    tap.equal(families - {"AF_NETLINK"}, families & set(
        setting("postrider.service", "RestrictAddressFamilies").split()), "families")
    tap.check(not re.search(r"PROT_WRITE\|PROT_EXEC", text), "memory to write and execute")


@tap.case("the user and the folders are made")
def installed(_env):
    if os.geteuid() != 0:
        raise tap.Skip("only root can make a user")
    tap.need("systemd-sysusers", "systemd-tmpfiles")
    root = Root()
    status, said = run("systemd-sysusers", "--root=" + root.path,
                       os.path.abspath(UNITS + "/sysusers.d/postrider.conf"))
    tap.check(status == 0, "sysusers", said)
    with open(root.path + "/etc/passwd") as file:
        entry = file.read().split(":")
    tap.equal((entry[0], entry[5]), ("postrider", "/var/lib/postrider"), "the user")
    status, said = run("systemd-tmpfiles", "--root=" + root.path, "--create",
                       os.path.abspath(UNITS + "/tmpfiles.d/postrider.conf"))
    tap.check(status == 0, "tmpfiles", said)
    for name, mode, owner in (("etc/postrider", 0o40750, 0),
                              ("var/lib/postrider", 0o40700, int(entry[2]))):
        made = os.stat(os.path.join(root.path, name))
        tap.equal((made.st_mode, made.st_uid, made.st_gid), (mode, owner, int(entry[3])), name)


class Manager:
    """The service manager's end: hears what the daemon tells."""

    def __init__(self, one, watchdog_ms=0):
        self.one, self.heard = one, []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(one.path("notify"))
        self.socket.settimeout(60)
        one.env.update(NOTIFY_SOCKET=one.path("notify"), RUNTIME_DIRECTORY=one.path("run"),
                       STATE_DIRECTORY=one.state)
        if watchdog_ms:
            one.env["WATCHDOG_USEC"] = str(watchdog_ms * 1000)

    def wait(self, words):
        """Wait until the daemon has said something that begins so."""
        while True:
            try:
                self.heard.append(self.socket.recv(4096).decode())
            except socket.timeout:
                tap.check(False, "the daemon never said %s" % words, self.heard)
            if self.heard[-1].startswith(words):
                return self.heard[-1]


@contextlib.contextmanager
def service(watchdog_ms=0, **account):
    """The daemon, started as the unit says, which has told that it is ready."""
    with fetching(interval="1h", **account) as (one, _server):
        manager = Manager(one, watchdog_ms)
        process = one.start(*command("postrider.service", "ExecStart"))
        try:
            manager.wait("READY=1")
            yield one, manager, process
        finally:
            if process.poll() is None:
                one.abort(process)


@tap.case("the daemon says what a service of type notify has to")
def notify(_env):
    tap.equal(setting("postrider.service", "Type"), "notify", "the type")
    with service() as (one, manager, process):
        manager.wait("STATUS=")
        process.send_signal(signal.SIGHUP)
        said = manager.wait("RELOADING=1").split("\n")
        tap.check(said[1].startswith("MONOTONIC_USEC="), "no time of the reload", said)
        manager.wait("READY=1")
        one.expect(0, *command("postrider.service", "ExecReload"))
        process.send_signal(signal.SIGTERM)
        manager.wait("STOPPING=1")
        tap.equal(process.wait(60), 0, "exit status")


@tap.case("the watchdog hears of it, and its children do not speak for it")
def watchdog(_env):
    place = procs.scratch() + "/environment"
    show = ["/bin/sh", "-c", "env >%s; echo secret" % place]
    with service(watchdog_ms=200, password={"command": show}) as (one, manager, _process):
        manager.wait("WATCHDOG=1")
        manager.wait("WATCHDOG=1")
        procs.wait_until(lambda: os.path.exists(place) and os.path.getsize(place), 60,
                         "the password command has run")
        with open(place) as file:
            text = file.read()
        tap.check("NOTIFY_SOCKET" not in text and "WATCHDOG" not in text,
                  "the environment of a child", text)


@tap.case("a reload with mistakes fails and changes nothing; a start with them is not retried")
def mistakes(_env):
    with service() as (one, _manager, process):
        with open(one.config, "a") as file:
            file.write("nonsense: 1\n")
        result = one.expect(78, *command("postrider.service", "ExecReload"))
        tap.check("nonsense" in result.err, "the mistake is not shown", result)
        tap.equal(process.poll(), None, "the daemon's exit status")
    result = one.run(*command("postrider.service", "ExecStart"))
    never = setting("postrider.service", "RestartPreventExitStatus").split()
    tap.check(str(result.status) in never, "it would be started again and again", result)


@tap.case("the journal gets priorities, and no name or time twice")
def journal(_env):
    with fetching(server_password="right", password="wrong") as (one, _server):
        one.run("check")
        # The same files as those that the next run is given.
        err = os.stat(one.path("err"))
        one.env["JOURNAL_STREAM"] = "%d:%d" % (err.st_dev, err.st_ino)
        result = one.fetch()
        lines = [line for line in result.err.splitlines() if "box" in line]
        tap.check(lines and all(line.startswith("<3>box: ") for line in lines), "lines", result)


@tap.case("a log file that was rotated is followed: at a reload at once, else soon")
def rotated(_env):
    with fetching(interval="1h") as (one, _server):
        log = one.path("log")
        with open(one.config, "a") as file:
            file.write("log: {level: debug, to: %s}\n" % log)
        manager = Manager(one)
        process = one.start("daemon")
        try:
            manager.wait("READY=1")
            os.rename(log, log + ".1")
            with open(one.config, "a") as file:
                file.write("nonsense: 1\n")
            one.expect(78, "reload")
            with open(log) as file:
                tap.check("nonsense" in file.read(), "the mistake is not in the new file")
            os.rename(log, log + ".2")

            def made():
                one.run("poll")
                return os.path.exists(log)
            procs.wait_until(made, 60, "a new file without a reload")
        finally:
            if process.poll() is None:
                one.abort(process)


@tap.case("a journal that reads no more does not stop the daemon")
def deaf_journal(_env):
    with fetching(interval="1h") as (one, server):
        manager = Manager(one)
        end, full = os.pipe()
        os.set_blocking(full, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(full, b"x" * 4096)
        os.set_blocking(full, True)
        process = subprocess.Popen(
            [one.program, "-c", one.config, "daemon"], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=full, env=one.env, start_new_session=True)
        os.close(full)
        try:
            manager.wait("READY=1")
            procs.wait_until(lambda: not server.held(), 60, "all is fetched")
            one.expect(0, "stop")
            tap.equal(process.wait(60), 0, "exit status")
        finally:
            if process.poll() is None:
                one.abort(process)
            os.close(end)


@contextlib.contextmanager
def systemd():
    """The fixture: the tool that reads units."""
    tap.need("systemd-analyze")
    agent.binary()
    yield None


if __name__ == "__main__":
    tap.main(systemd)
