# SPDX-License-Identifier: GPL-3.0-or-later
"""An independent POP3 client: the witness of what a server serves.

It shares no code with the program under test and with no mail library, works
on raw bytes, and ends a body only at CRLF "." CRLF.
"""

import hashlib
import re
import socket
import ssl
from collections import Counter

TIMEOUT = 60


class Client:
    """One session, over TLS when CA is given (tls="starttls": after STLS)."""

    def __init__(self, port, ca=None, tls="implicit", host="127.0.0.1",
                 name="localhost"):
        self.sock = socket.create_connection((host, port), TIMEOUT)
        self.buffer = b""
        context = ssl.create_default_context(cafile=ca) if ca else None
        if context and tls == "implicit":
            self.sock = context.wrap_socket(self.sock, server_hostname=name)
        self.greeting = self.line()
        if context and tls == "starttls":
            self.command("STLS")
            self.sock = context.wrap_socket(self.sock, server_hostname=name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def _more(self):
        data = self.sock.recv(65536)
        if not data:
            raise EOFError("the server closed the connection")
        self.buffer += data

    def line(self):
        """The next line, without its CRLF."""
        while b"\r\n" not in self.buffer:
            self._more()
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line

    def command(self, text):
        """Send TEXT and give the status line; -ERR raises."""
        self.sock.sendall(text.encode() + b"\r\n")
        line = self.line()
        if not line.startswith(b"+OK"):
            raise RuntimeError("%s: %r" % (text.split()[0], line))
        return line

    def body(self):
        """The bytes of a multi-line reply, un-stuffed, CRLF kept."""
        # With a CRLF in front, an empty body ends like any other.
        data, seen = bytearray(b"\r\n" + self.buffer), 0
        while (end := data.find(b"\r\n.\r\n", seen)) < 0:
            seen = max(0, len(data) - 4)
            more = self.sock.recv(262144)
            if not more:
                raise EOFError("the server closed the connection in a body")
            data += more
        self.buffer = bytes(data[end + 5:])
        return bytes(data[:end + 2]).replace(b"\r\n.", b"\r\n")[2:]

    def multi(self, text):
        """Send TEXT and give the body of its multi-line reply."""
        self.command(text)
        return self.body()

    def login(self, user, password):
        """Authenticate with USER and PASS."""
        self.command("USER " + user)
        self.command("PASS " + password)
        return self

    def count(self):
        """How many messages STAT announces."""
        return int(self.command("STAT").split()[1])

    def quit(self):
        """End the session the way that makes deletions final."""
        self.command("QUIT")


def normal(body):
    """The form of a message on this side: the line end CRLF becomes LF.

    Only the pair: a lone CR or LF, and the first CR of CR CR LF, are content.
    """
    return body.replace(b"\r\n", b"\n")


def digest(message):
    """The SHA-256 of MESSAGE in hex."""
    return hashlib.sha256(message).hexdigest()


def digests(messages):
    """The multiset of the digests of MESSAGES."""
    return Counter(digest(message) for message in messages)


def messages(client):
    """Every message the server has for CLIENT, in normal form."""
    return [normal(client.multi("RETR %d" % number))
            for number in range(1, client.count() + 1)]


def served(user, password, **where):
    """Log in, read every message without deleting any, and leave."""
    with Client(**where) as client:
        client.login(user, password)
        everything = messages(client)
        client.quit()
        return everything


def without_envelope(message):
    """MESSAGE less a leading `From ` line, which procmail takes for its own."""
    return re.sub(rb"\AFrom [^\n]*\n", b"", message)
