# SPDX-License-Identifier: GPL-3.0-or-later
"""Two processes that share the work, each with a world and a server."""

import multiprocessing
import os
import signal

from . import scenario, tools, world

SIZE = int(os.environ.get("CRASH_JOBS", "2"))
_world = None
_before = {}


def own():
    """The world of this process."""
    return _world


def before(name):
    """The snapshot from which scenario NAME starts, made when first needed."""
    if name not in _before:
        scenario.ALL[name].prepare(_world)
        _before[name] = world.Snapshot(_world.home)
    return _before[name]


def _settle_in(queue, folder, programs):
    global _world
    number, port, refusing, encrypted = queue.get()
    tools.die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    programs = dict(programs, refusing=refusing, encrypted=encrypted)
    _world = world.World("%s/w%d" % (folder, number), port, programs)


class Crew:
    """The processes; a context manager."""

    def __init__(self, size=SIZE, network=False):
        self.folder, self.network = tools.scratch(), network
        self.programs = {
            "postrider": tools.postrider(self.folder), "shim": tools.shim(self.folder),
            "planted": tools.planted(self.folder),
            "mda": tools.mda(self.folder), "procmail": tools.procmail(self.folder)}
        self.servers = []
        context = multiprocessing.get_context("fork")
        queue = context.SimpleQueue()
        for number in range(size):
            queue.put((number, *self._serve(number)))
        self.pool = context.Pool(size, _settle_in, (queue, self.folder, self.programs))

    def _serve(self, number):
        """Start the servers of one world: a good one, whose faults come from a
        file; one that refuses to delete; and for network faults one with TLS.
        Give their ports."""
        own = "%s/w%d" % (self.folder, number)
        users = []
        for _account, user in world.ACCOUNTS:
            os.makedirs(own + "/" + user)
            users += ["--user", "%s:secret:%s/%s" % (user, own, user)]
        with open(own + "/rules", "w", encoding="utf-8"):
            pass
        kinds = [("--tls", "none", "--script", own + "/rules"),
                 ("--tls", "none", "--do", 'on DELE * err "not now"'),
                 ("--tls", "implicit", "--key-cache", self.folder,
                  "--ca-out", self.folder + "/ca.pem")]
        ports = [None] * len(kinds)
        for index, options in enumerate(kinds[:len(kinds) if self.network else 2]):
            process, ports[index] = tools.popd(*users, *options)
            self.servers.append(process)
        return ports

    def map(self, function, items, chunk=4):
        """Results in the order of the items."""
        return self.pool.imap(function, items, chunksize=chunk)

    def knows(self, name):
        """Whether scenario NAME can be played here."""
        return scenario.ALL[name].kind != "procmail" or self.programs["procmail"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.pool.terminate()
        self.pool.join()
        for server in self.servers:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
            server.stdout.close()
