#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logging in at a server that wants the password, or wants us to break.

The witness is the log of the project's own server, with every byte of the
login in it: what may never be sent is looked for there, in every form.
"""

import base64
import os

from harness import agent, corpus, popd, readers, tap
from harness.scene import PATIENCE, QUICK, fetching, world

MESSAGES = corpus.simple(2)
PASSWORD = "Tr0ub4dor-and-3"
SCRAM = ["scram-sha-256"]
# Who does not mark a refused secret is waited for before it gets one.
INVITED = ("--without", "resp-codes")


def play(*rules, sasl="PLAIN", options=(), tls="implicit", **account):
    """One fetch from a server that plays RULES; give result, server, agent."""
    arguments = [word for rule in rules for word in ("--do", rule)]
    with popd.Popd(MESSAGES, "--sasl", sasl, "--log-secrets", *arguments, *options, tls=tls,
                   password=PASSWORD) as server:
        one = agent.Agent()
        keys = {"timeouts": QUICK, **account}
        one.configure({"box": server.account({"maildir": one.path("Mail")}, **keys)})
        result = one.run("--trace", "-v", "fetch")
        server.lines = server.log()
        return result, server, one


def sent(server):
    """All that the client sent of its login."""
    return [line.split(" ", 1)[1] for line in server.lines
            if line.startswith(("command ", "data "))]


def shown(server):
    """Did the password leave in a form from which it can be read?"""
    found = []
    for line in sent(server):
        texts = [line]
        for word in line.split(" "):
            try:
                texts.append(base64.b64decode(word, validate=True).decode("latin-1"))
            except ValueError:
                pass
        found += [line for text in texts if PASSWORD in text]
    return found


def lacks_sasl():
    """Was the program built without GNU SASL?"""
    return "not built in" in agent.Agent().run("--version").out


def ended(result, *status):
    """It must have ended by itself, with a line that says why."""
    tap.check(result.status in (status or (75, 76, 77, 78)), "exit status", result)
    tap.check("postrider: box: " in result.err and "before it could report" not in result.err,
              "no reason is told", result)


GREETING = 'on GREETING reply "+OK ready %s\\r\\n"'


@tap.case("APOP is never taken by itself (T-AUTH-01)")
def apop_auto(_env):
    result, server, _ = play(GREETING % "<1.2@localhost>")
    tap.equal(result.status, 0, "exit status of\n%s" % result)
    tap.check(not any(line.startswith("APOP") for line in sent(server)), "APOP", sent(server))
    result, server, _ = play(GREETING % "<1.2@localhost>", options=("--without", "user"),
                             sasl="GSSAPI")
    ended(result, 78)
    tap.check(not any(line.startswith("APOP") for line in sent(server)), "APOP", sent(server))


@tap.case("APOP with a timestamp that is none, or was made for an attack: 78, nothing sent"
          " (T-AUTH-02..05)")
def apop_unsafe(_env):
    def unsafe(stamp):
        result, server, _ = play(GREETING % stamp, auth=["apop"])
        ended(result, 78)
        tap.check("timestamp" in result.err, "the reason is not told", result)
        tap.equal([line for line in sent(server) if line[:4] not in ("CAPA", "QUIT")], [],
                  "sent")
    tap.each(("", "<>", "<12345>", "<a@b", "<a@b> <c@d>", "<<a@b>", "<a@b@c>", "<a b@c>",
              "<a\\x01@b>", "<\\xff\\xfe@b>", "<a\\0@b>", "<%s@b>" % ("x" * 300)), unsafe)


@tap.case("APOP that is refused is not followed by the password")
def apop_refused(_env):
    result, server, _ = play(GREETING % "<1.2@localhost>", auth=["apop", "user", "plain"])
    ended(result, 77)
    tap.equal(shown(server), [], "the password, shown")


@tap.case("SCRAM refused: in the clear never the password, over TLS once, and only if it may"
          " (T-AUTH-06)")
def downgrade(_env):
    if lacks_sasl():
        raise tap.Skip("built without GNU SASL")
    both, refuse = "SCRAM-SHA-256 PLAIN LOGIN", 'on SASL 2 err "[AUTH] no"'
    for auth in ("auto", ["scram-sha-256", "plain", "login", "user"]):
        result, server, _ = play(refuse, sasl=both, tls="none", auth=auth)
        ended(result, 77)
        tap.equal(shown(server), [], "in the clear, with auth %s" % auth)
    result, server, _ = play(refuse, sasl=both)
    tap.equal((result.status, len(shown(server))), (0, 1), "over TLS: status, passwords")
    result, server, _ = play(refuse, sasl=both, auth=["scram-sha-256", "scram-sha-1", "apop"])
    ended(result, 77)
    tap.equal(shown(server), [], "with a list of SCRAM alone")
    # What is refused in a way that has nothing to do with the password.
    for code, status in (("SYS/TEMP", 75), ("IN-USE", 75), ("SYS/PERM", 76)):
        result, server, _ = play('on SASL 2 err "[%s] no"' % code, sasl=both)
        ended(result, status)
        tap.equal(shown(server), [], "after " + code)


@tap.case("nothing but plain ways in common, and no TLS: only with accept_plaintext")
def clear(_env):
    result, server, _ = play(tls="none", auth="auto")
    tap.equal((result.status, len(shown(server))), (0, 1), "with accept_plaintext")
    result, server, one = play(tls="none", accept_plaintext=False)
    tap.equal(result.status, 78, "exit status of\n%s" % result)
    tap.equal(server.lines, [], "the server was asked")


def challenge(text):
    """A rule that answers the first command AUTH with TEXT."""
    return 'on AUTH 1 reply "%s"' % text


CHALLENGES = {      # what comes instead of the first challenge of SCRAM or CRAM-MD5
    "empty": "+\\r\\n",
    "a blank": "+ \\r\\n",
    "blanks": "+    \\r\\n",
    "two signs": "+ +\\r\\n",
    "no base64": "+ *not base64*\\r\\n",
    "broken base64": "+ YWJj\\x01YWJj\\r\\n",
    "base64 without its end": "+ YWJ\\r\\n",
    "NULs": "+ YW\\0\\0Jj\\r\\n",
    "NULs inside": "+ AAAAAAAA\\r\\n",
    "eight bits": "+ \\xff\\xfe\\xfd\\r\\n",
    "a refusal": "-ERR no\\r\\n",
    "success": "+OK welcome\\r\\n",
    "prose": "+ Ready for additional text\\r\\n",
    "nothing of POP3": "334 go on\\r\\n",
    "an empty line": "\\r\\n",
    "two challenges": "+ \\r\\n+ YWJj\\r\\n",
    "8 KiB": "+ " + "QUFB" * 2040 + "\\r\\n",
    "more than a line may have": "+ " + "QUFB" * 3000 + "\\r\\n",
}
LATER = {           # what comes instead of the server's first message of SCRAM
    "too many rounds": "r=x,s=YWJj,i=600001",
    "far too many rounds": "r=x,s=YWJj,i=4294967295",
    "no number": "r=x,s=YWJj,i=",
    "a negative number": "r=x,s=YWJj,i=-1",
    "another nonce": "r=x,s=YWJj,i=4096",
    "no nonce": "s=YWJj,i=4096",
    "an extension": "m=x,r=x,s=YWJj,i=4096",
    "an error": "e=other-error",
    "nothing": "",
    "commas": ",,,,,,,,",
    "much": "r=" + "x" * 5000 + ",s=YWJj,i=4096",
}


def broken(mech, *rules):
    """The login with MECH must end, and show the password to nobody."""
    result, server, one = play(*rules, sasl=mech.upper(), auth=[mech])
    ended(result)
    tap.equal(shown(server), [], "the password, shown")
    tap.check(len(sent(server)) < 8, "it went on and on", sent(server))
    tap.check(PASSWORD not in result.err, "in the trace", result)
    tap.equal(readers.maildir(one.path("Mail")), [], "messages delivered")
    return result, server


@tap.case("odd and hostile challenges end the login (T-AUTH-07..16)")
def challenges(_env):
    if lacks_sasl():
        raise tap.Skip("built without GNU SASL")
    one_more = 'on SASL reply "-ERR no\\r\\n"'
    tap.each([(mech, name) for mech in ("scram-sha-256", "scram-sha-1", "cram-md5")
              for name in CHALLENGES],
             lambda c: broken(c[0], challenge(CHALLENGES[c[1]]), one_more))
    for mech in ("scram-sha-256", "cram-md5"):
        result, server = broken(mech, challenge(CHALLENGES["success"]))
        tap.check("without proving" in result.err, "taken for a login", result)
        tap.equal(sent(server)[2:], [], "sent behind a login without a proof")


@tap.case("a password that stands in every challenge by chance")
def in_challenge(_env):
    if lacks_sasl():
        raise tap.Skip("built without GNU SASL")
    # "r=" of SCRAM and "<" of CRAM-MD5 in base64.
    for mech, word in (("scram-sha-256", "cj"), ("cram-md5", "P")):
        with fetching(auth=[mech], password=word, server_password=word,
                      options=("--sasl", mech.upper())) as (one, _):
            one.expect(0, "fetch")


@tap.case("the trace of SCRAM has nothing on which passwords could be tried")
def trace(_env):
    if lacks_sasl():
        raise tap.Skip("built without GNU SASL")
    result, _server, _one = play(sasl="SCRAM-SHA-256", auth=SCRAM)
    tap.equal(result.status, 0, "exit status of\n%s" % result)
    said = [line[6:] for line in result.err.splitlines() if line.startswith(" S: + ")]
    tap.equal([base64.b64decode(said[1])[:2]] + said[2:], [b"r=", "********"], "challenges")


@tap.case("hostile first messages of SCRAM, with too many rounds of hashing (T-AUTH-17, 18)")
def rounds(_env):
    if lacks_sasl():
        raise tap.Skip("built without GNU SASL")
    for name, text in LATER.items():
        line = base64.b64encode(text.encode()).decode()
        result, server = broken("scram-sha-256", 'on SASL 1 reply "+ %s\\r\\n"' % line)
        tap.check("*" in sent(server), "%s: the login is not cancelled" % name, sent(server))
        if "rounds" in name:
            tap.check("rounds of hashing" in result.err, "not told", result)
            tap.check(result.seconds < PATIENCE, "%.1f s" % result.seconds)


@tap.case("challenges without end are not answered without end")
def endless(_env):
    more = 'on SASL reply "+ %s\\r\\n"' % base64.b64encode(b"<1.2@localhost>").decode()
    ways = ["login", "plain"] + ([] if lacks_sasl() else ["cram-md5", "scram-sha-256"])
    for mech in ways:
        result, server, _ = play(challenge("+ PDEuMkBsb2NhbGhvc3Q+\\r\\n"), more,
                                 options=INVITED, sasl=mech.upper(), auth=[mech])
        ended(result, 76)
        tap.check(len(sent(server)) < 8, "%s: it went on and on" % mech, len(sent(server)))
    for mech in ("xoauth2", "oauthbearer"):
        result, server, _ = play(challenge("+ e30=\\r\\n"), 'on SASL reply "+ e30=\\r\\n"',
                                 options=INVITED, sasl=mech.upper(), password=None,
                                 token="another")
        ended(result, 76)
        tap.check(len(sent(server)) < 8, "%s: it went on and on" % mech, len(sent(server)))


UNPREPARED = ("\U0001f511key", "gr\udcfcn", "tab\there")     # Unicode 6, Latin-1, a control


@tap.case("a password that SCRAM cannot use goes with PLAIN, or is blamed itself")
def unprepared(_env):
    if lacks_sasl():
        raise tap.Skip("built without GNU SASL")
    files = agent.Agent()

    def fetch(password, mechanisms, status):
        with open(files.path("secret"), "wb") as file:
            file.write(os.fsencode(password))
        os.chmod(files.path("secret"), 0o600)
        with popd.Popd(MESSAGES, "--sasl", mechanisms, "--without", "user", tls="implicit",
                       password=password) as server:
            one = agent.Agent()
            one.configure({"box": server.account(
                {"maildir": one.path("Mail")}, password={"file": files.path("secret")})})
            result = one.fetch()
            tap.equal(result.status, status, "exit status of\n%s" % result)
            return result, server.commands()
    for password in UNPREPARED:
        _, asked = fetch(password, "SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5 PLAIN", 0)
        tap.equal([line.split()[1] for line in asked if line.startswith("AUTH")], ["PLAIN"],
                  "ways tried")
        result, asked = fetch(password, "SCRAM-SHA-256 CRAM-MD5", 78)
        tap.check("cannot use this password" in result.err, "the reason is not told", result)
        tap.equal([line for line in asked if line.startswith("AUTH")], [], "sent")
    fetch("gr\u00fcn \u2013 \u65e5", "SCRAM-SHA-256 PLAIN", 0)


LATER_LOGINS = ("can't lock mailbox file", "Could not connect to server", "[SYS/TEMP] no",
                "[LOGIN-DELAY] no", "Authentication service unavailable",
                "internal error, sorry")


@tap.case("what is no refusal of the password is for the next time, and nothing follows it")
def later(_env):
    for words in LATER_LOGINS:
        result, server, _ = play('on PASS err "%s"' % words, auth=["user"])
        ended(result, 75)
        tap.check(words in result.err, "the server's words are not told", result)
        tap.equal(len(shown(server)), 1, "passwords sent")


@tap.case("10 MiB of base64: a line that is too long (T-AUTH-19)")
def long_challenge(_env):
    one = agent.Agent()
    with open(one.path("answer"), "wb") as file:
        file.write(b"+ " + b"QUFB" * (10 << 18) + b"\r\n")
    for mech in (["scram-sha-256"] if not lacks_sasl() else []) + ["login", "plain", "xoauth2"]:
        keys = {"password": None, "token": PASSWORD} if mech == "xoauth2" else {}
        result, server, _ = play("on AUTH 1 reply-file %s" % one.path("answer"),
                                 options=INVITED, sasl=mech.upper(), auth=[mech], **keys)
        ended(result, 75, 76)
        tap.equal(shown(server), [], "the secret, shown to %s" % mech)


@tap.case("a wrong signature, or none: the server does not know the password (T-AUTH-20)")
def signature(_env):
    if lacks_sasl():
        raise tap.Skip("built without GNU SASL")
    wrong = base64.b64encode(b"v=" + base64.b64encode(b"x" * 32)).decode()
    for rule in ('on SASL 2 reply "+ %s\\r\\n"' % wrong, 'on SASL 2 reply "+OK welcome\\r\\n"',
                 'on SASL 1 reply "+OK welcome\\r\\n"'):
        result, server, _ = play(rule, sasl="SCRAM-SHA-256 PLAIN LOGIN")
        ended(result, 76)
        tap.equal(shown(server), [], "the password, shown")
        after = [line for line in server.commands()[2:] if line not in ("*", "QUIT")]
        tap.equal(after, [], "commands after the login")


@tap.case("the reason why a token is refused is answered as its method wants it")
def reason(_env):
    for mech, answer in (("xoauth2", ""), ("oauthbearer", "AQ==")):
        result, server, _ = play(sasl=mech.upper(), password=None, token="another")
        ended(result, 77)
        said = [line for line in sent(server) if line != "QUIT"]
        tap.equal((len(said), said[-1]), (4, answer), "lines, and the last one")


@tap.case("a greeting of 8 KiB of < has no timestamp (T-AUTH-21)")
def long_greeting(_env):
    result, _, _ = play(GREETING % ("<" * 8000), auth=["apop"])
    ended(result, 78)


@tap.case("CR, LF and NUL in what a helper or a file gives: told by name, nothing sent"
          " (T-AUTH-22)")
def injected(_env):
    for key in ("password", "token"):
        for text in ("x\r\nDELE 1", "x\nDELE 1\n", "x\0y", "x\r"):
            files = agent.Agent()
            with open(files.path("secret"), "wb") as file:
                file.write(text.encode())
            os.chmod(files.path("secret"), 0o600)
            for source in ({"file": files.path("secret")},
                           {"command": ["/bin/cat", files.path("secret")]}):
                keys = {"password": None, key: source}
                result, server, _ = play(sasl="PLAIN XOAUTH2", **keys)
                ended(result, 78)
                tap.check(key + ": " in result.err and "DELE" not in result.err,
                          "not told by name", result)
                tap.equal(server.lines, [], "the server was asked")


@tap.case("what is asked for in prose is answered; what comes out of turn is not")
def prose(_env):
    for mech in ("plain", "login"):
        result, _, _ = play('on AUTH 1 do reply "+ Go ahead, please\\r\\n"', sasl=mech.upper(),
                            options=INVITED, auth=[mech])
        tap.equal(result.status, 0, "exit status of\n%s" % result)
    for mech, rule in (("plain", 'on AUTH 1 reply "+OK\\r\\n"'),
                       ("login", 'on AUTH 1 reply "+OK\\r\\n"'),
                       ("login", 'on SASL 1 reply "+OK\\r\\n"'),
                       ("plain", 'on SASL 1 reply "+ again\\r\\n"'),
                       ("plain", 'on SASL 1 reply "what?\\r\\n"')):
        result, server, one = play(rule, options=INVITED, sasl=mech.upper(),
                                   auth=[mech])
        ended(result, 76)
        tap.equal(readers.maildir(one.path("Mail")), [], "messages delivered")


@tap.case("a command too long for POP3 is not sent; PLAIN carries a long password")
def lengths(_env):
    password = "x" * 300
    with popd.Popd(MESSAGES, "--sasl", "PLAIN LOGIN", password=password) as server:
        for auth, status in ((["user"], 78), (["plain"], 0), (["login"], 0)):
            one = agent.Agent()
            one.configure({"box": server.account({"maildir": one.path("Mail")}, auth=auth)})
            result = one.fetch()
            tap.equal(result.status, status, "exit status of\n%s" % result)
        tap.check("PASS ****" not in server.commands(), "PASS was sent")


if __name__ == "__main__":
    tap.main(world)
