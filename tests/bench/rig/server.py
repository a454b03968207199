# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers, and the long line before them."""

import contextlib
import os
import signal
import subprocess

from harness import dovecot, popd, procs

# Enough processes for many accounts at once, and old ones are used again, so
# that what is measured is the client.
MANY = """
service pop3 {
  process_limit = 400
  service_count = 1000
}
service pop3-login {
  process_min_avail = 1
}
"""


class Server(dovecot.Dovecot):
    """A Dovecot whose users have many messages."""

    def __init__(self):
        super().__init__()
        # Each of its login processes has keys of its own: with two of them
        # half of the TLS tickets would not be known. Where the processes of a
        # provider share their keys, all are.
        self.logins = 1

    def _configure(self):
        super()._configure()
        with open(self.root + "/dovecot.conf", "a") as file:
            file.write(MANY)


class Line:
    """A proxy that holds every byte back for half of RTT milliseconds, and
    counts what passes."""

    def __init__(self, port, rtt):
        self.to, self.port, self.rtt = port, 0, rtt
        self.folder = procs.scratch()
        self.report = self.folder + "/report"
        self._start(rtt)

    def _start(self, rtt):
        self.process, self.port = popd.start(
            [popd.program("WANPROXY", "tests/tools/wanproxy"),
             "--listen", "127.0.0.1:%d" % self.port,
             "--to", "127.0.0.1:%d" % self.to, "--delay", str(rtt / 2),
             "--handshake", "--buffer", str(64 << 20), "--report", self.report],
            self.folder + "/errors")

    @contextlib.contextmanager
    def short(self):
        """Without any delay for a while: for what is not measured."""
        self.stop()
        self._start(0)
        yield
        self._settle(0)
        self.stop()
        self._start(self.rtt)

    def clear(self):
        """Forget what has passed."""
        self._settle(0)
        with open(self.report, "w"):
            pass

    def _rows(self):
        if not os.path.exists(self.report):
            return []
        with open(self.report) as file:
            return [tuple(map(int, line.split())) for line in file]

    def _settle(self, least):
        """Wait for the ends of connections that are still on their way."""
        procs.wait_until(lambda: len(self._rows()) >= least
                         and not self._open(), 20, "the line to fall silent")

    def _open(self):
        with open("/proc/%d/net/tcp" % self.process.pid) as file:
            mine = ":%04X" % self.port
            return any(row.split()[1].endswith(mine) and row.split()[3] == "01"
                       for row in file.readlines()[1:])

    def passed(self, connections=1):
        """(bytes, bursts) of CONNECTIONS or more since the last clear()."""
        self._settle(connections)
        rows = self._rows()
        return sum(r[0] + r[1] for r in rows), sum(r[2] for r in rows)

    def stop(self):
        """End it."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        self.process.stdout.close()


def pull(server, port, user):
    """What the wire can do: (seconds, bytes)."""
    done = subprocess.run([popd.program("BENCH_PULL", "tests/bench/pull"), str(port), user,
                           server.PASSWORD], stdout=subprocess.PIPE,
                          check=True)
    seconds, size = done.stdout.split()
    return float(seconds), int(size)
