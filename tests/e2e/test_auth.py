#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every login method, against a real Dovecot as far as that has them.

`auth: auto` must take the strongest that both sides have, a list must be kept
to, a wrong password is refused with 77 after two tries at most, and the secret
must be left in no output, log or ledger. What Dovecot lacks (SCRAM tied to the
TLS connection) the project's own server plays with the server's side of GNU
SASL.
"""

import contextlib

from harness import agent, authority, corpus, dovecot_conf, kerberos, popd, readers, secrets, tap, wire
from harness.dovecot import Dovecot
from harness.tokens import Tokens

ALL = "plain login scram-sha-256 scram-sha-1 cram-md5 apop xoauth2 oauthbearer"
NAMES = ("scram-sha-256", "scram-sha-1", "cram-md5", "plain", "login", "user", "apop")
BEARERS = ("oauthbearer", "xoauth2")
LIBRARY = ("scram", "cram", "gssapi")
TOKEN = "ya29.a0AfB_by-GoodToken"
MESSAGES = corpus.simple(3)
TLS = ("implicit", "starttls")


@contextlib.contextmanager
def world():
    """A Dovecot with all mechanisms and a maildrop for each case."""
    server, tokens = Dovecot(), Tokens()
    server.mechanisms, server.tokens = ALL, tokens
    own = [name + tls for name in NAMES + BEARERS for tls in TLS]
    for user in ("auto", "listed", "wrong", *own):
        server.add(user, MESSAGES)
    tokens.valid = {TOKEN + "." + name + tls: name + tls for name in BEARERS for tls in TLS}
    server.start()
    try:
        yield server
    finally:
        server.stop()
        tokens.stop()


def without_sasl():
    """Was the program built without GNU SASL?"""
    return "not built in" in agent.Agent().run("--version").out


def fetching(server, user, **keys):
    """An agent that fetches USER's mail into a Maildir."""
    one = agent.Agent()
    deliver = {"maildir": one.path("Mail")}
    if keys.get("tls") == "starttls":
        keys["port"] = server.plain_port
    one.configure({"box": server.account(user, deliver, **keys)})
    return one


def methods(result):
    """The methods a --trace shows, in order."""
    lines = [line[4:] for line in result.err.splitlines() if line.startswith(" C: ")]
    return [line[5:].split(" ")[0].lower() if line.startswith("AUTH ")
            else line[:4].lower()
            for line in lines if line.startswith(("AUTH ", "USER ", "APOP "))]


def fetches(one, user, name, secret):
    """A fetch with method NAME must bring every message and leave the secret in
    no output, log or ledger: all of them stand below the home."""
    result = one.run("--trace", "-v", "-v", "fetch")
    tap.equal(result.status, 0, "%s: exit status of\n%s" % (name, result))
    tap.equal(methods(result), [name], "methods used")
    tap.equal(wire.digests(readers.maildir(one.path("Mail"))), wire.digests(MESSAGES),
              "%s: messages" % name)
    found = secrets.search(one.home, secrets.forms(secret, user), {"config.yaml"})
    tap.check(not found, "%s: the secret is in files" % name, found)


@tap.case("each method by name logs in and delivers, over TLS from the start and after STLS")
def by_name(server):
    lacking = without_sasl()
    for name in NAMES:
        if lacking and name.startswith(LIBRARY):
            continue
        for tls in TLS:
            user = name + tls
            fetches(fetching(server, user, auth=[name], tls=tls), user, name, server.PASSWORD)


@tap.case("tokens: OAUTHBEARER and XOAUTH2, checked at an endpoint")
def tokens(server):
    for name in BEARERS:
        for tls in TLS:
            user = name + tls
            token = "%s.%s" % (TOKEN, user)
            one = fetching(server, user, auth=[name], tls=tls, password=None, token=token)
            fetches(one, user, name, token)
            tap.check(token in server.tokens.asked, "the server has not asked for the token")


@tap.case("a bad token: 77, told in words, one try")
def bad_token(server):
    for name in BEARERS:
        one = fetching(server, name + "implicit", auth=[name], password=None,
                       token="not-good")
        result = one.run("--trace", "fetch")
        tap.equal(result.status, 77, "exit status of\n%s" % result)
        tap.equal(methods(result), [name], "methods used")
        tap.check("refused the token" in result.err and "expired" in result.err,
                  "not told in words", result)
        tap.check("not-good" not in result.err, "the token is shown", result)


@tap.case("auto takes the strongest, a list the first of its own")
def order(server):
    best = "plain" if without_sasl() else "scram-sha-256"
    tap.equal(methods(fetching(server, "auto").run("--trace", "fetch")), [best], "auto")
    listed = fetching(server, "listed", auth=["user", "plain"])
    tap.equal(methods(listed.run("--trace", "fetch")), ["user"], "a list")
    token = "%s.%s" % (TOKEN, "xoauth2implicit")
    one = fetching(server, "xoauth2implicit", password=None, token=token)
    tap.equal(methods(one.run("--trace", "fetch")), ["oauthbearer"], "auto with a token")


@tap.case("a wrong password: 77, and at most two tries")
def wrong(server):
    for auth in ("auto", ["scram-sha-1", "cram-md5", "plain", "login", "user"], ["plain", "user"],
                 ["apop", "plain"], ["user", "plain"]):
        one = fetching(server, "wrong", password="not this one", auth=auth)
        result = one.run("--trace", "fetch")
        tap.equal(result.status, 77, "exit status of\n%s" % result)
        tried = methods(result)
        most = 1 if auth != "auto" and not auth[0].startswith(LIBRARY) else 2
        tap.check(1 <= len(tried) <= most, "tries with %s: %s" % (auth, tried))


@tap.case("probe tells the method and why")
def probe(server):
    one = fetching(server, "listed", auth=["user", "plain"])
    result = one.expect(0, "probe", "box")
    tap.check("login: user as listed (the first of the account's list" in result.out,
              "not told", result)


@contextlib.contextmanager
def another(mechanisms, more):
    """A Dovecot with other settings, and mail for jane and john."""
    server = Dovecot()
    server.mechanisms, server.more = mechanisms, more
    for user in ("jane", "john"):
        server.add(user, MESSAGES)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@tap.case("EXTERNAL: a certificate instead of a password, as long as it is the user's own")
def external(_server):
    own = authority.Authority("the authority of the users")
    mine = own.issue(san=None, subject="/CN=jane", extensions=(
        *authority.LEAF, "extendedKeyUsage=clientAuth")).bundle()
    with another("plain external", dovecot_conf.CLIENT_CA.format(client_ca=own.path)) as server:
        for tls in TLS:
            for auth in ("auto", ["external"]):
                keys = {"tls": tls, "auth": auth, "client_cert": mine, "password": None}
                fetches(fetching(server, "jane", **keys), "jane", "external", "KEY-----")
        result = fetching(server, "john", **keys).run("--trace", "fetch")
        tap.equal((result.status, methods(result)), (77, ["external"]), "another's mail")
        result = fetching(server, "jane", client_cert=mine).run("--trace", "fetch")
        tap.equal(methods(result), ["plain"], "with a password, too")
        result = fetching(server, "jane", password=None, auth=["external"]).fetch()
        tap.equal(result.status, 78, "exit status without a certificate")


def binding(offered, auth, *options):
    """Fetch from popd; give the result and the gs2 flags it has seen."""
    with popd.Popd(MESSAGES, "--sasl", offered, *options) as server:
        one = agent.Agent()
        one.configure({"box": server.account({"maildir": one.path("Mail")}, auth=auth)})
        result = one.run("--trace", "fetch")
        return result, [line[4:] for line in server.log() if line.startswith("gs2 ")]


@tap.case("SCRAM tied to the TLS connection: both hashes, TLS 1.3 and 1.2")
def plus(_server):
    if without_sasl():
        raise tap.Skip("built without GNU SASL")
    old = ("--priority", "NORMAL:-VERS-TLS1.3")
    for name in ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS"):
        for options, kind in (((), "tls-exporter"), (old, "tls-unique")):
            for offered, auth in ((name + " PLAIN", "auto"), (name, [name.lower()]),
                                  ("SCRAM-SHA-1 PLAIN " + name, "auto")):
                result, flags = binding(offered, auth, *options)
                if kind == "tls-exporter" and methods(result) != [name.lower()]:
                    raise tap.Skip("this GNU SASL has no tls-exporter")
                tap.equal(result.status, 0, "exit status of\n%s" % result)
                tap.equal(methods(result), [name.lower()], "methods of %s" % offered)
                tap.equal(flags, ["p=" + kind], "flag of %s with %s" % (name, kind))


@tap.case("SCRAM without -PLUS never claims a binding; unbound lists stay unbound")
def unbound(_server):
    if without_sasl():
        raise tap.Skip("built without GNU SASL")
    result, flags = binding("SCRAM-SHA-256", "auto")
    tap.equal(result.status, 0, "exit status of\n%s" % result)
    # "y" says that we could have; not every GNU SASL can say so.
    tap.check(flags in (["y"], ["n"]), "flags", flags)
    result, flags = binding("SCRAM-SHA-256-PLUS SCRAM-SHA-256", ["scram-sha-256"])
    tap.equal((result.status, flags), (0, ["n"]), "status and flag of a list without -PLUS")


@tap.case("GSSAPI with a ticket: one's own mail and nobody else's")
def kerberos_ticket(_server):
    if without_sasl():
        raise tap.Skip("built without GNU SASL")
    realm = kerberos.Realm("jane", "pop/localhost")
    try:
        with another("plain gssapi", dovecot_conf.KERBEROS.format(realm=realm)) as server:
            for user, status in (("jane", 0), ("john", 77)):
                one = fetching(server, user, auth=["gssapi", "plain"], password=None)
                one.env.update(realm.env)
                result = one.run("--trace", "fetch")
                if "no login method in common" in result.err:
                    raise tap.Skip("this GNU SASL or Dovecot has no GSSAPI")
                tap.equal((result.status, methods(result)), (status, ["gssapi"]), user)
                tap.equal(len(readers.maildir(one.path("Mail"))),
                          0 if status else len(MESSAGES), "messages of " + user)
    finally:
        realm.stop()


@tap.case("GSSAPI without a ticket: 78, and how to get one")
def ticket(_server):
    if without_sasl():
        raise tap.Skip("built without GNU SASL")
    with popd.Popd(MESSAGES, "--sasl", "GSSAPI", "--do", 'on AUTH reply "+ \\r\\n"') as server:
        one = agent.Agent(env={"KRB5CCNAME": "/nonexistent/tickets"})
        one.configure({"box": server.account({"maildir": one.path("Mail")}, auth=["gssapi"],
                                             password=None)})
        result = one.run("--trace", "fetch")
        if "no login method in common" in result.err:
            raise tap.Skip("this GNU SASL has no GSSAPI")
        tap.equal(result.status, 78, "exit status of\n%s" % result)
        tap.check("kinit" in result.err, "what to do is not told", result)


if __name__ == "__main__":
    tap.main(world)
