#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways to a server: a tunnel program, a SOCKS proxy, a local socket, an address."""

import os
import sys

from harness import procs, relay, socks, tap
from harness.scene import MESSAGES, QUICK, all_there, fetching, told, world

# Joins standard input and output to a server, as ssh -W does.
JOIN = """
import os, socket, sys, threading
sock = socket.create_connection((sys.argv[1], int(sys.argv[2])), 30)
def up():
    while data := os.read(0, 65536):
        sock.sendall(data)
    sock.shutdown(socket.SHUT_WR)
threading.Thread(target=up, daemon=True).start()
while data := sock.recv(65536):
    os.write(1, data)
"""


def program(one, name, text):
    """A Python program with TEXT, as the beginning of an argv."""
    with open(one.path(name), "w") as file:
        file.write(text)
    return [sys.executable, one.path(name)]


def set_way(one, server, **keys):
    """Let ONE reach SERVER in another way."""
    one.configure({"box": server.account({"maildir": one.path("Mail")}, keep=False, **keys)})


@tap.case("tunnel: a program is the connection; host, port and name in TLS are the account's")
def tunnel(_env):
    for tls in ("implicit", "starttls"):
        with fetching(server_tls=tls) as (one, server):
            argv = program(one, "join", "import sys\nprint('hello from', *sys.argv[1:4],"
                           " file=sys.stderr, flush=True)\n" + JOIN)
            set_way(one, server, tunnel=[*argv, "%h", "%p", "100%%"])
            out = one.expect(0, "-v", "probe", "box")
            tap.check("tunnel: hello from localhost %d 100%%" % server.port in out.err,
                      "its words are not in the log", out)
            all_there(one, server)
    with fetching(options=["--cert-fault", "wrong-host"]) as (one, server):
        set_way(one, server, tunnel=[*program(one, "join", JOIN), "127.0.0.1", "%p"])
        told(one.fetch(), 76, "wrong-host.invalid", "not for localhost")


@tap.case("tunnel: one that fails says why; one that cannot be started needs a person")
def tunnel_fails(_env):
    texts = (
        "import sys\nsys.exit('no route to bastion')",
        # It speaks, hangs up and stays: only the end of the connection tells.
        "import os, sys, time\nprint('no route to bastion', file=sys.stderr, flush=True)\n"
        "os.close(0); os.close(1); time.sleep(100)",
    )
    for text in texts:
        with fetching() as (one, server):
            set_way(one, server, tunnel=program(one, "fails", text))
            result = one.fetch()
            told(result, 75, "the tunnel .*no route to bastion")
            tap.check(result.seconds < 90, "it was waited for", result)
    with fetching() as (one, server):
        set_way(one, server, tunnel=["/nonexistent/ssh", "%h"])
        told(one.fetch(), 78, "tunnel: cannot start /nonexistent/ssh")


@tap.case("tunnel: a flood on standard error neither blocks it nor fills the log")
def tunnel_floods(_env):
    with fetching() as (one, server):
        argv = program(one, "join", "import sys\nfor i in range(20000):\n"
                       "    print('\\033[31mnoise', i, file=sys.stderr)\n" + JOIN)
        set_way(one, server, tunnel=[*argv, "%h", "%p"])
        result = one.fetch_ok()
        tap.check(0 < result.err.count("noise") < 50, "lines in the log", result)
        tap.check("\x1b" not in result.err, "an escape reached the terminal")


@tap.case("tunnel: it and what it started end with the session, and see no password")
def tunnel_ends(_env):
    with fetching() as (one, server):
        argv = program(one, "join", "import subprocess, os, sys\n"
                       "files = sorted(os.listdir('/proc/self/fd'))\n"
                       "child = subprocess.Popen(['sleep', '1000'])\n"
                       "with open(sys.argv[3], 'w') as file:\n"
                       "    print(os.getpid(), child.pid, sorted(os.environ), files, "
                       "file=file)\n" + JOIN)
        set_way(one, server, password={"env": "BOX_PASSWORD"},
                tunnel=[*argv, "%h", "%p", one.path("seen")])
        one.env["BOX_PASSWORD"] = "secret"
        one.fetch_ok()
        with open(one.path("seen")) as file:
            seen = file.read()
        tap.check("HOME" in seen and "BOX_PASSWORD" not in seen, "its environment", seen)
        # The fourth is the folder that it looks at.
        tap.check(seen.endswith("['0', '1', '2', '3']\n"), "its open files", seen)
        for pid in map(int, seen.split()[:2]):
            procs.wait_until(lambda pid=pid: procs.program(pid) == "", 60, "its end")


@tap.case("proxy: SOCKS 5 with and without a login; names are looked up there")
def proxy(_env):
    for login in (None, ("jane@home", "p:a/ss")):
        for host, kind in (("pop.nowhere.test", 3), ("127.0.0.1", 1), ("::1", 4)):
            with fetching(options=["--tls-name", "pop.nowhere.test"]) as (one, server), \
                    socks.Socks(login) as way:
                url = "socks5://%s127.0.0.1:%d" % ("jane%40home:p:a%2fss@" if login else "",
                                                   way.port)
                set_way(one, server, host=host, proxy=url)
                all_there(one, server)
                tap.equal(set(way.asked), {(kind, host, server.port)}, "asked of the proxy")
                tap.equal(set(way.logins), {login} - {None}, "logins")


@tap.case("proxy: what it refuses is said, and no byte goes to anybody else")
def proxy_refuses(_env):
    def play(what):
        how, status, words = what
        with fetching(timeouts=QUICK) as (one, server), socks.Socks(**how) as way:
            set_way(one, server, proxy="socks5://me:wrong@127.0.0.1:%d" % way.port)
            result = one.fetch()
            told(result, status, "proxy", words)
            tap.check("wrong" not in result.err + result.out, "its password was shown", result)
            tap.equal(server.log(), [], "what the server saw")
    tap.each((({"login": ("me", "right")}, 78, "user name and password"),
              ({"code": 2}, 78, "forbid"), ({"code": 4}, 75, "host unreachable"),
              ({"code": 5}, 75, "refused"), ({"code": 77}, 75, "unknown"),
              ({"greeting": b"H"}, 78, "does not speak SOCKS 5")), play)
    with fetching() as (one, server):
        set_way(one, server, proxy="socks5://127.0.0.1:1")
        told(one.fetch(), 75, "proxy: localhost port", "127.0.0.1: Connection refused")


@tap.case("socket: a local one, with TLS for the host's name, or without any")
def local_socket(_env):
    with fetching() as (one, server), relay.Relay(server.port, path=one.path("sock")):
        set_way(one, server, socket=one.path("sock"))
        all_there(one, server)
    with fetching(server_tls="none") as (one, server), \
            relay.Relay(server.port, path=one.path("sock")):
        set_way(one, server, socket=one.path("sock"), accept_plaintext=None)
        all_there(one, server)
        set_way(one, server, socket=one.path("none"), accept_plaintext=None)
        told(one.fetch(), 75, "cannot connect to the socket .*/none: No such file")


@tap.case("source_address: connections come from there")
def source(_env):
    with fetching() as (one, server), relay.Relay(server.port) as way:
        set_way(one, server, host="127.0.0.1", port=way.port, source_address="127.0.0.55")
        one.fetch_ok()
        tap.equal(way.peers, ["127.0.0.55"], "where it came from")
        set_way(one, server, host="127.0.0.1", port=way.port, source_address="192.0.2.1")
        told(one.fetch(), 75, "127.0.0.1: Cannot assign requested address")
        set_way(one, server, host="127.0.0.1", port=way.port, source_address="::1")
        told(one.fetch(), 75, "not of the same family as source_address")
        tap.equal(len(way.peers), 1, "connections")


if __name__ == "__main__":
    os.environ.pop("BOX_PASSWORD", None)
    tap.main(world)
