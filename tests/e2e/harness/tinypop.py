# SPDX-License-Identifier: GPL-3.0-or-later
"""A small POP3 server that knows which message is poison.

The faults of popd are tied to the Nth command, whichever message that is
about. Here they are tied to a message: wherever the client comes to it, this
server refuses it, breaks off in the middle or falls silent. It serves one
user, without TLS unless it is given a context for it, from memory, in threads
of the test program.
"""

import socketserver
import struct
import socket
import sys
import threading

from . import scene

USER, PASSWORD = "jane", "secret"
CAPABILITIES = "CAPA\nUSER\nUIDL\nTOP\nPIPELINING\nRESP-CODES"


class Gone(Exception):
    """The session ends here."""


class TinyPop:
    """One server; `drop` maps UIDs to messages (bytes with CRLF line ends).

    `poison` maps (verb, UID) to what happens instead of the answer:
    ("refuse", TEXT), ("close",), ("reset",), ("stall",), or, in the middle of
    the answer, ("cut", BYTES) or ("stall-at", BYTES). With ("call", BYTES,
    FUNCTION) the answer is whole, but FUNCTION is called behind so many bytes.
    """

    def __init__(self, messages, context=None):
        self.context = context          # of module ssl, or None
        self.drop = {}
        self.put(messages)
        self.poison = {}
        self.size = len                 # how it counts a message for LIST
        self.alter = lambda verb, uid, data: data   # what it serves of one
        self.without = set()            # verbs it does not know today
        self.last = 0                   # what LAST says, where it is known
        self.asked = []                 # (verb, UID) in the order of arrival
        self.over = threading.Event()   # lets stalled sessions go
        self.stalls = 0                 # so often has a session fallen silent

    def __enter__(self):
        server = _Server(("127.0.0.1", 0), _Session,
                         bind_and_activate=False)
        server.server_bind()
        server.server_activate()
        server.tiny = self
        self.port = server.server_address[1]
        self._server = server
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self._server.shutdown()
        self._server.server_close()

    def put(self, messages, name="uid-%02d", first=0):
        """Add MESSAGES, whose lines end in LF; NAME makes their UIDs."""
        for number, message in enumerate(messages, first):
            self.drop[name % number] = message.replace(b"\n", b"\r\n")

    def account(self, deliver, **more):
        """An account that fetches from this server; MORE overrides its keys."""
        keys = {"host": "127.0.0.1", "port": self.port, "tls": "none",
                "accept_plaintext": True, "user": USER, "password": PASSWORD,
                "deliver": deliver, "timeouts": scene.QUICK}
        keys.update(more)
        return keys

    def silent(self):
        """An item for each time that a client was left waiting."""
        return range(self.stalls)

    def count(self, verb, uid=None):
        """How often VERB was asked for, of message UID or of any."""
        return sum(asked[0] == verb and uid in (None, asked[1]) for asked in self.asked)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that does not trust us is no error of ours."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Session(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def setup(self):
        if self.server.tiny.context:
            self.request.settimeout(60)
            self.request = self.server.tiny.context.wrap_socket(self.request, server_side=True)
        super().setup()
        self.connection.settimeout(60)
        self.tiny = self.server.tiny
        self.uids = list(self.tiny.drop)
        self.deleted = set()

    def handle(self):
        try:
            self._put(b"+OK tiny\r\n")
            while True:
                words = self.rfile.readline(8192).decode("latin-1").split()
                if not words:
                    return
                self._command(words[0].upper(), words[1:])
        except (Gone, OSError):
            pass

    def _put(self, data):
        self.wfile.write(data)

    def _command(self, verb, args):
        uid = ""
        if verb in ("RETR", "TOP", "DELE"):
            uid = self.uids[int(args[0]) - 1]
        self.tiny.asked.append((verb, uid))
        method = self._unknown if verb in self.tiny.without else \
            getattr(self, "_" + verb.lower(), self._unknown)
        answer = method(uid)
        self._answer(answer, *self.tiny.poison.get((verb, uid), ("",)))
        if verb == "QUIT":
            raise Gone

    def _answer(self, answer, deed, amount=0, function=None):
        if deed == "refuse":
            answer = b"-ERR %s\r\n" % amount.encode()
        elif deed:
            self._put(answer[:amount])
        if deed == "call":
            function()
            answer, deed = answer[amount:], ""
        if deed in ("stall", "stall-at"):
            self.tiny.stalls += 1
            self.tiny.over.wait(60)
        if deed == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                       struct.pack("ii", 1, 0))
        if deed and deed != "refuse":
            raise Gone
        self._put(answer)

    @staticmethod
    def _lines(lines):
        return "".join("%s\r\n" % line for line in ["+OK", *lines, "."]).encode()

    @staticmethod
    def _body(data):
        return b"+OK\r\n" + (b"\r\n" + data).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n"

    def _unknown(self, _uid):
        return b"-ERR what?\r\n"

    def _user(self, _uid):
        return b"+OK\r\n"

    _pass = _noop = _user

    def _capa(self, _uid):
        return self._lines(line for line in CAPABILITIES.split("\n")
                           if line not in self.tiny.without)

    def _last(self, _uid):
        return b"+OK %d\r\n" % self.tiny.last

    def _listed(self):
        return ((number, uid) for number, uid in enumerate(self.uids, 1)
                if uid not in self.deleted)

    def _uidl(self, _uid):
        return self._lines("%d %s" % pair for pair in self._listed())

    def _list(self, _uid):
        return self._lines("%d %d" % (number, self.tiny.size(self.tiny.drop[uid]))
                           for number, uid in self._listed())

    def _retr(self, uid):
        return self._body(self.tiny.alter("RETR", uid, self.tiny.drop[uid]))

    def _top(self, uid):
        data = self.tiny.alter("TOP", uid, self.tiny.drop[uid])
        return self._body(data.split(b"\r\n\r\n")[0] + b"\r\n\r\n")

    def _dele(self, uid):
        self.deleted.add(uid)
        return b"+OK\r\n"

    def _quit(self, _uid):
        for uid in self.deleted:
            self.tiny.drop.pop(uid, None)
        return b"+OK\r\n"
