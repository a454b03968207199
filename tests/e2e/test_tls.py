#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing secret leaves before the server has proved who it is.

The witness is the log of the project's own server, which has a certificate
that is wrong in exactly one way, or an answer to STLS that is.
"""

import itertools

from harness import tap
from harness.scene import MESSAGES, QUICK, all_there, fetching, told, world

FAULTS = {          # what is wrong, and what would put it right
    "expired": (r"expired", r"renew|clock|date"),
    "not-yet": (r"not (valid )?yet", r"clock|date"),
    "wrong-host": (r"wrong-host\.invalid|not.*localhost|name", r"tls_name|host"),
    "self-signed": (r"self-signed|not trusted|unknown|issuer", r"ca_file|pin"),
    "unknown-ca": (r"not trusted|unknown|issuer|authority", r"ca_file|pin"),
}


@tap.case("a certificate not to be trusted: what is wrong, what would help, nothing sent")
def certificates(_env):
    def play(which):
        fault, tls = which
        with fetching(options=["--cert-fault", fault], server_tls=tls) as (one, server):
            result = one.fetch()
            tap.check(result.status in (76, 77, 78), "exit status", result)
            told(result, result.status, "box", "certificate", *FAULTS[fault])
            nothing_sent(server, tls)
            tap.equal(len(server.held()), len(MESSAGES), "messages on the server")
    tap.each(itertools.product(FAULTS, ("implicit", "starttls")), play)


def nothing_sent(server, tls):
    """The server must have seen no command that could carry a secret."""
    verbs = {line.split(" ")[0].upper() for line in server.commands()}
    tap.check(not verbs & {"USER", "PASS", "AUTH", "APOP"}, "sent before trust", verbs)
    tap.check(tls == "starttls" or not verbs, "sent before trust", verbs)


STLS = (
    'on STLS err "no"',
    'on STLS append "+OK injected\\r\\n"',
    'on STLS append "+OK\\r\\nUSER\\r\\n.\\r\\n"',
    'on STLS reply "+OK\\r\\n+OK\\r\\n"',
    'on STLS ignore',
    'on CAPA reply "+OK\\r\\nUSER\\r\\n.\\r\\n"; on STLS err "no"',
)


@tap.case("STLS missing, refused or answered with more than +OK: no password is sent")
def starttls(_env):
    def play(rule):
        with fetching(*rule.split("; "), server_tls="starttls", timeouts=QUICK) as (one, server):
            result = one.fetch()
            tap.check(result.status in (75, 76, 77, 78), "exit status", result)
            nothing_sent(server, "starttls")
    tap.each(STLS, play)


@tap.case("starttls and plain connections fetch when they are asked for")
def other_tls(_env):
    for tls in ("starttls", "none"):
        with fetching(server_tls=tls) as (one, server):
            all_there(one, server)


if __name__ == "__main__":
    tap.main(world)
