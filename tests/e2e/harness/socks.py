# SPDX-License-Identifier: GPL-3.0-or-later
"""A small SOCKS 5 proxy (RFC 1928, RFC 1929) that remembers what it was asked."""

import socket
import struct

from . import relay


class Socks(relay.Relay):
    """Every name leads to 127.0.0.1. LOGIN is (user, password) or None.

    With CODE other than 0 it refuses every request with that reply.
    """

    def __init__(self, login=None, code=0, greeting=b"\5"):
        self.login, self.code, self.version = login, code, greeting
        self.asked = []             # (kind of address, host, port)
        self.logins = []            # (user, password)
        super().__init__(0)

    def onward(self, client):
        methods = _take(client, _take(client, 2)[1])
        wanted = 2 if self.login else 0
        if wanted not in methods:
            client.sendall(self.version + b"\xff")
            raise OSError("no method in common")
        client.sendall(self.version + bytes([wanted]))
        if self.login:
            self._log_in(client)
        _version, _command, _, kind = _take(client, 4)
        host = self._address(client, kind)
        port, = struct.unpack("!H", _take(client, 2))
        self.asked.append((kind, host, port))
        # A bound address of each form, as real proxies give them.
        bound = {1: b"\1\x7f\0\0\1", 3: b"\3\5proxy", 4: b"\4" + bytes(16)}[kind]
        client.sendall(bytes([5, self.code, 0]) + bound + b"\0\x50")
        if self.code:
            raise OSError("refused")
        return socket.create_connection(("127.0.0.1", port), relay.LIMIT)

    def _log_in(self, client):
        user = _take(client, _take(client, 2)[1]).decode()
        password = _take(client, _take(client, 1)[0]).decode()
        self.logins.append((user, password))
        good = (user, password) == self.login
        client.sendall(b"\1" + (b"\0" if good else b"\1"))
        if not good:
            raise OSError("wrong password")

    @staticmethod
    def _address(client, kind):
        if kind == 1:
            return socket.inet_ntop(socket.AF_INET, _take(client, 4))
        if kind == 4:
            return socket.inet_ntop(socket.AF_INET6, _take(client, 16))
        return _take(client, _take(client, 1)[0]).decode()


def _take(sock, count):
    data = b""
    while len(data) < count:
        more = sock.recv(count - len(data))
        if not more:
            raise OSError("the client left")
        data += more
    return data
