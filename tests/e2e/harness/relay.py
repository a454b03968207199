# SPDX-License-Identifier: GPL-3.0-or-later
"""A relay that keeps every byte that passes, and other ends of a line.

The relay stands between the program and a server, as somebody on the way does,
and is the witness of what could be read there.
"""

import base64
import contextlib
import socket
import threading

LIMIT = 60


class Passed:
    """What passed over one connection: `up` to the server, `down` from it."""

    def __init__(self):
        self.up, self.down = bytearray(), bytearray()


class Relay:
    """Relays HOST (its own loopback address) to PORT of 127.0.0.1, from a port
    of its own, AT a certain one if that matters.

    WELCOME is called with the number of each connection, from 1, before a byte
    of it is passed on. With PATH it listens on a socket of that name instead.
    """

    def __init__(self, port, host="127.0.0.1", welcome=None, path=None, at=0):
        self._to = port
        self._welcome = welcome
        self.passed = []
        self.peers = []             # where the connections came from
        if path:
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(path)
            self._listener.listen(50)
        else:
            self._listener = socket.create_server((host, at), backlog=50)
            self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Take no more connections."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)   # accept() would hold it
        self._listener.close()

    def turn(self, port):
        """Relay to this PORT from the next connection on."""
        self._to = port

    def _accept(self):
        while True:
            try:
                client, peer = self._listener.accept()
            except OSError:
                return
            self.peers.append(peer[0] if peer else "")
            self.passed.append(Passed())
            threading.Thread(target=self._serve, args=(client, len(self.passed)),
                             daemon=True).start()

    def _serve(self, client, number):
        if self._welcome:
            self._welcome(number)
        passed = self.passed[number - 1]
        with contextlib.suppress(OSError), client, self.onward(client) as server:
            down = threading.Thread(target=_pump, args=(server, client, passed.down),
                                    daemon=True)
            down.start()
            _pump(client, server, passed.up)
            down.join(LIMIT)

    def onward(self, _client):
        """The connection to the server; other kinds of relays differ here."""
        return socket.create_connection(("127.0.0.1", self._to), LIMIT)


def _pump(source, target, kept):
    with contextlib.suppress(OSError):
        source.settimeout(LIMIT)
        while data := source.recv(65536):
            kept += data
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def forms(secret):
    """What SECRET looks like raw, in hex, and in base64 wherever it begins."""
    raw = secret.encode()
    found = [raw, raw.hex().encode(), raw.hex().upper().encode()]
    for shift in range(3):
        text = base64.b64encode(b"\0" * shift + raw)
        # What the neighbouring bytes decide is no part of it.
        found.append(text[(0, 2, 3)[shift]:len(text) - (0, 4)[text.endswith(b"=")]])
    return found


@contextlib.contextmanager
def black_hole(host, port):
    """An address that takes no connection and refuses none."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server((host, port), backlog=0))
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
