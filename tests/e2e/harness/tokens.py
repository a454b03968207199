# SPDX-License-Identifier: GPL-3.0-or-later
"""The endpoint that a mail server asks whether a token is good (RFC 7662).

It answers on loopback, from memory, in threads of the test program.
"""

import http.server
import json
import threading
import urllib.parse


class Tokens:
    """One endpoint; `valid` maps each good token to its user."""

    def __init__(self):
        self.valid = {}
        self.asked = []             # the tokens asked for, in order
        handler = type("Handler", (_Handler,), {"tokens": self})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = "http://127.0.0.1:%d/introspect" % self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self):
        """End the endpoint."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):      # pylint: disable=invalid-name
        """Say whether the token in the request is good, and whose it is."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        token = urllib.parse.parse_qs(body).get("token", [""])[0]
        self.tokens.asked.append(token)
        user = self.tokens.valid.get(token)
        answer = json.dumps({"active": True, "username": user} if user else
                            {"active": False}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        """Say nothing."""
