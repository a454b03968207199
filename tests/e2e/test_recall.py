#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that is remembered gets login and listing in one burst; one that is
not what it was loses nothing but time, and sees at most one login more.

The witnesses are the log of the project's own server and the lines of --trace;
every poll is searched for the password. The server changes in between.
"""

import base64
import contextlib
import itertools

from harness import agent, again, dovecot, memoryfile, popd, procs, relay, secrets, tap
from harness.again import DAY, FEW, SECRET, known
from harness.daemon import PATIENCE, running, wait_polls
from harness.scene import world

LIBRARY = ("scram", "cram")
# auth: what popd has to know for it.
WAYS = {"plain": "PLAIN", "login": "LOGIN", "user": "PLAIN",
        "scram-sha-256": "SCRAM-SHA-256",
        "scram-sha-1": "SCRAM-SHA-1", "scram-sha-256-plus": "SCRAM-SHA-256-PLUS",
        "scram-sha-1-plus": "SCRAM-SHA-1-PLUS", "cram-md5": "CRAM-MD5",
        "xoauth2": "XOAUTH2", "oauthbearer": "OAUTHBEARER"}
# A refusal may be followed by more of the dialogue, so nothing leaves early.
ALONE = ("cram-md5", "xoauth2", "oauthbearer")


def lacks_sasl():
    """Was the program built without GNU SASL?"""
    return "not built in" in agent.Agent().run("--version").out


def ways():
    """The ways to log in that can be tried here."""
    return [way for way in WAYS if not (way.startswith(LIBRARY) and lacks_sasl())]


def credentials(way):
    """The keys of an account that logs in so."""
    if WAYS[way] in ("XOAUTH2", "OAUTHBEARER"):
        return {"auth": [way], "password": None, "token": SECRET}
    return {"auth": [way]}


@tap.case("with each way to log in: nothing is asked for again, the listing leaves with the login")
def each_way(_env):
    def play(what):
        way, tls = what
        with known("--sasl", WAYS[way], "--log-secrets", tls=tls, **credentials(way)) as box:
            for _ in range(2):
                poll = box.poll()
                tap.equal((poll.asked(), poll.burst(), poll.logins, poll.connections),
                          (False, way not in ALONE, 1, 1), "asked, burst, logins, connections")
                tap.equal(poll.resumed, 1, "resumed")
            box.here(FEW)
    tap.each([(way, "implicit") for way in ways()] + [("plain", "starttls")], play)


@tap.case("a server that does not pipeline is not asked again either, and gets no burst")
def lockstep(_env):
    for way in ("plain", "user"):
        with known("--without", "pipelining", "--strict-lockstep", **credentials(way)) as box:
            poll = box.poll()
            tap.equal((poll.asked(), poll.burst(), poll.connections), (False, False, 1), "poll")
            tap.check(not [text for text in poll.log if "violation" in text], "sent ahead", poll)
            box.rules('on %s #3 err "Unknown command"' % ("AUTH" if way == "plain" else "USER"))
            poll = box.poll()
            tap.equal((poll.asked(), poll.connections), (True, 2), "asked, connections")
            box.here(FEW)


@tap.case("Dovecot: one burst, resumed, five round trips, nothing twice")
def real(_env):
    server = dovecot.Dovecot()
    server.mechanisms = "plain login scram-sha-256 cram-md5"
    server.add("jane", FEW)
    server.start()
    for way in [way for way in ways() if way in ("plain", "login", "user", "scram-sha-256")]:
        one = agent.Agent()
        with procs.scratch_file(b"") as report:
            proxy, port = popd.wanproxy(server.port, 5, "--report", report)
            one.configure({"box": server.account("jane", {"maildir": one.path("Mail")},
                                                 auth=[way], port=port)})
            for _ in range(3):
                result = one.run("--trace", "-v", "fetch")
                tap.equal(result.status, 0, "exit status of\n%s" % result)
            tap.check(" C: CAPA" not in result.err, "asked again", result)
            procs.wait_until(lambda: open(report).read().count("\n") == 3, PATIENCE, "report")
            bursts = [int(line.split()[-1]) for line in open(report)]
            procs.kill_group(proxy.pid)
            proxy.wait()
            proxy.stdout.close()
        # Connecting is one more, and the end of TLS one that nobody waits for: with
        # PLAIN these are five round trips. The first time CAPA comes before and behind
        # the login, and RETR follows.
        first = {"scram-sha-256": 11, "login": 10, "user": 9, "plain": 8}[way]
        later = {"scram-sha-256": 8, "login": 7}.get(way, 5)
        tap.equal(bursts, [first, later, later], way)
        tap.equal(memoryfile.read(one, "box")["recall_mechanism"], way, "mechanism")
        for form in secrets.forms(server.PASSWORD, "jane"):
            tap.check(form.decode() not in result.err, "a secret is shown", result)
    server.stop()


# What a server does with the burst though it is what it was.
UNFIT = (
    'on AUTH #2 err "Unknown AUTH command"',
    'on AUTH #2 reply "+ \\r\\n"',
    'on AUTH #2 reply "hello\\r\\n"',
    "on AUTH #2 close",
    "on AUTH #2 reset",
    "on AUTH #2 stall",
    "on AUTH #2 drop-input",
    'on AUTH #2 append "+OK welcome\\r\\n"',
    'on GREETING #2 append "+OK welcome\\r\\n"',
    'on UIDL #2 reply "+OK\\r\\nrubbish\\r\\n.\\r\\n"',
    "on UIDL #2 do-then-close",
    "on AUTH #2 cut 2",
    "on UIDL #2 cut 40",
    "on LIST #2 cut -3",
    'on LIST #2 err "no"',
)


@tap.case("a server that cannot take the burst gets the same in lock-step, and no other for a day")
def unfit(_env):
    def play(rule):
        with known(rules=[rule]) as box:
            poll = box.poll()
            tap.check(poll.connections == 2 and poll.logins <= 2, "connections, logins", poll)
            poll = box.poll()
            tap.equal((poll.asked(), poll.burst(), poll.logins), (True, False, 1), "next poll")
            box.ago("recall_doubted", DAY)
            poll = box.polls(2)
            tap.equal((poll.asked(), poll.burst(), poll.logins), (False, True, 1), "a day later")
            box.here(FEW)
    tap.each(UNFIT, play)


# The same of a server that is met for the first time. Its CAPA #1 comes before
# the login.
NEW_AND_UNFIT = (
    "on CAPA #2 drop-input",
    "on CAPA #2 do-then-close",
    "on CAPA #2 stall",
    "on CAPA #2 cut 40",
    "on UIDL #1 stall",
    "on UIDL #1 endless-line",
    "on UIDL #1 do-then-close",
    'on AUTH #1 err "Syntax error"',
    'on AUTH #1 reply "+ \\r\\n"',
    "on AUTH #1 close",
    "on AUTH #1 reset",
    "on AUTH #1 stall",
)


@tap.case("a server met for the first time gets CAPA and listing in one burst, if it pipelines")
def first_contact(_env):
    def play(what):
        options, bursts = what
        with known(*options, learn=0) as box:
            tap.equal(box.poll().bursts[1:1 + len(bursts)], bursts, "behind the first CAPA")
            box.here(FEW)
    secret, listing = ["********"], ["CAPA", "UIDL", "LIST"]
    tap.each([((), [["AUTH"], listing]),
              (("--without", "resp-codes"), [["AUTH"], secret, listing]),
              (("--without", "pipelining", "--strict-lockstep"),
               [["AUTH"], secret, ["CAPA"], ["UIDL"], ["LIST"]])], play)
    with known(rules=['on AUTH #1+ err "[AUTH] no"'], learn=0) as box:
        poll = box.poll(status=77)
        tap.equal((poll.connections, poll.logins), (1, 1), "connections, logins when refused")


@tap.case("one that cannot take even that gets it in lock-step, and no burst for a day")
def new_and_unfit(_env):
    def play(rule):
        with known(rules=[rule], learn=0) as box:
            poll = box.poll()
            tap.equal((poll.connections, poll.logins), (2, 2), "connections, logins")
            poll = box.poll()
            tap.check(["CAPA", "UIDL", "LIST"] not in poll.bursts, "a burst again", poll)
            tap.equal((poll.connections, poll.logins), (1, 1), "connections, logins, next poll")
            box.ago("recall_doubted", DAY)
            tap.equal(box.polls(2).burst(), True, "a burst a day later")
            box.here(FEW)
    tap.each(NEW_AND_UNFIT, play)


@tap.case("a server that has learnt or forgotten something is remembered as it is now")
def changed(_env):
    capa = 'on CAPA #3+ reply "+OK\\r\\nUSER\\r\\nTOP\\r\\nUIDL\\r\\nPIPELINING\\r\\n.\\r\\n"'
    with known(rules=[capa, 'on AUTH #2+ err "Unknown command"']) as box:
        poll = box.poll()
        tap.equal((poll.logins, poll.connections), (2, 2), "logins and connections")
        tap.equal(box.poll().bursts[0], ["USER", "PASS", "UIDL", "LIST"], "the next burst")
        box.here(FEW)
    # Whatever happens, it is asked anew once a day.
    with known() as box:
        box.ago("recall_learned", DAY)
        tap.equal([box.poll().asked() for _ in range(2)], [True, False], "asked after a day")


@contextlib.contextmanager
def two_servers(first=(), second=(), keys=True, tls=("implicit", "implicit"), **account):
    """Two servers behind one name, with one certificate if KEYS, and an account that
    has polled the first; relayed() leads it to the second."""
    with contextlib.ExitStack() as stack:
        cache = procs.scratch()
        one, other = (stack.enter_context(popd.Popd(
            FEW, "--with", "tickets", "--log-secrets", *options,
            *(["--key-cache", cache] if keys else []), tls=mode, password=SECRET))
            for options, mode in zip((first, second), tls))
        way = stack.enter_context(relay.Relay(one.port))
        script = stack.enter_context(procs.scratch_file(b""))
        box = again.Again(one, script, port=way.port, **account)
        box.poll()
        way.turn(other.port)
        box.server = other
        yield box, way


@tap.case("another server behind the same name: without pipelining, with other tickets")
def another(_env):
    lone = ("--without", "pipelining", "--strict-lockstep")
    with two_servers(second=lone) as (box, _way):
        poll = box.poll()
        tap.check(poll.logins <= 2, "logins", poll)
        poll = box.poll()
        tap.equal((poll.asked(), poll.burst(), poll.connections), (False, False, 1), "later")
        tap.check(not [text for text in poll.log if "violation" in text], "sent ahead", poll)
        box.here(FEW)
    with two_servers() as (box, _way):
        poll = box.poll()
        tap.equal((poll.resumed, poll.burst(), poll.logins, poll.connections),
                  (0, True, 1, 1), "resumed, burst, logins, connections")
        tap.equal(box.poll().resumed, 1, "resumed from then on")
        box.here(FEW)


@tap.case("a server that is not to be trusted any more gets no secret for old times' sake")
def untrusted(_env):
    for tls in (("implicit", "implicit"), ("starttls", "starttls"), ("starttls", "none")):
        with two_servers(keys=False, tls=tls) as (box, way):
            for _ in range(2):
                poll = box.poll(status=76)
                tap.check(set(poll.verbs) <= {"CAPA", "STLS"}, "sent", poll.commands)
            for passed, form in itertools.product(way.passed, relay.forms(SECRET)):
                tap.check(form not in passed.up, "a secret in clear")
    with known(tls="starttls") as box:
        for rule in ('on STLS append "+OK injected\\r\\n"', 'on TLS prepend "+OK injected\\r\\n"'):
            box.rules(rule)
            poll = box.poll(status=76)
            tap.check(set(poll.verbs) <= {"CAPA", "STLS"}, "sent", poll.commands)
        box.rules()
        box.poll()
        box.here(FEW)


@tap.case("in the clear nothing is remembered of the server: what it offers now decides")
def clear(_env):
    if lacks_sasl():
        raise tap.Skip("built without GNU SASL")
    with known("--sasl", "PLAIN SCRAM-SHA-256", "--log-secrets", tls="none",
               rules=['on CAPA 1 reply "+OK\\r\\nSASL PLAIN\\r\\nPIPELINING\\r\\n.\\r\\n"']) as box:
        tap.equal(box.memory()["recall_mechanism"], "plain", "mechanism of the first poll")
        box.rules()
        poll = box.poll()
        tap.equal((poll.asked(), poll.burst()), (True, False), "asked, burst")
        tap.check("AUTH SCRAM-SHA-256" in poll.commands, "not SCRAM", poll)


@tap.case("SCRAM never says that the server cannot bind when it has not just been asked")
def binding(_env):
    if lacks_sasl():
        raise tap.Skip("built without GNU SASL")
    only, both = "SCRAM-SHA-256", "SCRAM-SHA-256 SCRAM-SHA-256-PLUS"
    with two_servers(("--sasl", only), ("--sasl", both)) as (box, _way):
        poll = box.poll()
        tap.equal((poll.asked(), poll.logins, poll.connections), (False, 1, 1), "poll")
        first = next(text[5:] for text in poll.log if text.startswith("data "))
        tap.equal(base64.b64decode(first)[:2], b"n,", "what it says of binding")
        # Asked again, it takes what binds.
        box.ago("recall_learned", DAY)
        tap.check("AUTH SCRAM-SHA-256-PLUS" in box.poll().commands, "not -PLUS")
    with two_servers(("--sasl", both), ("--sasl", only)) as (box, _way):
        poll = box.poll()
        tap.equal((poll.asked(), poll.connections), (True, 2), "asked, connections")
        box.here(FEW)


# What the server says to the login, the exit status, and how many logins it sees.
WORDS = (("[AUTH] no", 77, 1), ("[IN-USE] no", 75, 1), ("[LOGIN-DELAY] no", 75, 1),
         ("[SYS/TEMP] no", 75, 1), ("[SYS/PERM] no", 76, 1), ("mailbox is busy", 75, 1),
         ("no", 77, 2), ("wrong password", 77, 2))


@tap.case("a refusal with a reason ends it; without one there is one login more, once")
def refused(_env):
    def play(what):
        way, (words, status, logins) = what
        with known(**credentials(way)) as box:
            # The next poll asks anew, and whoever marks refusals gets one line then.
            box.rules(*(rule % words for rule in (
                ('on AUTH #2 err "%s"', 'on AUTH #3 err "%s"')[:3 - logins]
                + ('on SASL * err "%s"', 'on PASS * err "%s"'))))
            poll = box.poll(status=status)
            tap.equal((poll.logins, poll.connections), (logins, logins), "logins, connections")
            tap.equal(box.poll(status=status).logins, 1, "logins of the next poll")
            box.rules()
            tap.equal([box.poll().burst() for _ in range(2)], [False, logins == 1], "bursts")
            box.here(FEW)
    tap.each([("plain", words) for words in WORDS] + [("user", WORDS[0]), ("user", WORDS[-1])],
             play)
    words = base64.b64encode(b"\0jane\0" + SECRET.encode()).decode()
    with known() as box:
        box.rules('on AUTH #2 err "unknown argument %s"' % words)
        box.poll()
    with known() as box:        # and the one that is really wrong
        box.configure(password="not it")
        tap.equal(box.poll(status=77).logins, 1, "logins with another password")


@tap.case("SCRAM whose secret the server has lost is followed by PLAIN, as ever")
def followed(_env):
    if lacks_sasl():
        raise tap.Skip("built without GNU SASL")
    for way, step in (("scram-sha-256", 2), ("cram-md5", 1)):
        with known("--sasl", "PLAIN " + WAYS[way], auth=[way, "plain"]) as box:
            box.rules('on SASL %d err "[AUTH] no"' % step)
            poll = box.poll()
            tap.equal((poll.logins, poll.connections), (2, 1), way + ": logins, connections")
            tap.equal(box.poll().bursts[0], ["AUTH", "UIDL", "LIST"], "the next burst")
            box.here(FEW)


@tap.case("another configuration is another server: it is asked, and no ticket used")
def configured(_env):
    def play(keys):
        with known("--sasl", "PLAIN LOGIN", users=2) as box:
            box.configure(**keys)
            poll = box.poll()
            tap.equal((poll.asked(), poll.resumed, poll.connections), (True, 0, 1),
                      "asked, resumed, connections with %s" % keys)
            tap.equal(box.poll().asked(), False, "asked then")
    tap.each(({"host": "127.0.0.1"}, {"user": "jane1"}, {"auth": ["login"]}, {"auth": ["plain"]},
              {"tls_name": "127.0.0.1"}), play)
    with known() as box:
        box.configure(keep="1h", limits={"messages": 5})
        poll = box.poll()
        tap.equal((poll.asked(), poll.burst(), poll.resumed), (False, True, 1), "the same server")


@tap.case("a file that is damaged, another account's, from the future or hostile does no harm")
def files(_env):
    with known() as box:
        one, path = box.one, memoryfile.path(box.one, "box")
        with open(path, "ab") as file:
            file.write(b"x")
        tap.equal(box.poll().asked(), True, "asked with a damaged file")
        box.remember(recall_learned=int(box.memory()["recall_learned"]) + 1000)
        tap.equal(box.poll().asked(), True, "asked with one from the future")
        good = box.memory()
        for members in ({"recall_before": "; ; ;", "recall_after": "; "},
                        {"recall_before": "SASL " + "X" * 900}, {"recall_after": "PIPELINING"},
                        {"recall_mechanism": "gssapi"}, {"recall_mechanism": "x"},
                        {"recall_ticket": "AAAA"}, {"recall_ticket": "A" * 16000},
                        {"recall_ticket": good["recall_ticket"][:-8] + "AAAAAAAA"},
                        {"recall_doubted": int(good["recall_learned"]) + 1000}):
            memoryfile.write(one, "box", {**good, **members})
            poll = box.poll()
            tap.check(poll.logins <= 2 and poll.connections <= 2, str(members), poll)
        box.here(FEW)


@tap.case("a ticket is of one account: not of its neighbour, nor of another user")
def ticket(_env):
    with known(users=2) as box:
        tree = {name: {**box.keys, "deliver": {"maildir": box.one.path(name)}, "user": user}
                for name, user in (("box", "jane"), ("same", "jane"), ("other", "jane1"))}
        box.one.configure(tree)
        box.one.fetch_ok()
        memory = box.memory()
        for name in ("same", "other"):
            memoryfile.write(box.one, name, memory)
            tap.equal(box.poll(name).resumed, 0, "resumed with the file of another account")
            tap.equal(box.poll(name).resumed, 1, "resumed with its own")


@tap.case("one daemon, ten polls: nine of them are resumed, with TLS 1.2 and 1.3")
def daemon(_env):
    for version in ("1.2", "1.3"):
        options = ("--priority", "NORMAL:-VERS-ALL:+VERS-TLS" + version)
        with known(*options, learn=0, interval="1h") as box, running(box.one) as parent:
            for count in range(1, 11):
                wait_polls(box.server, count)
                parent.wait_state("box", "waiting")
                if count < 10:
                    parent.ask("poll", "box")
            tap.equal(sum(" resumed" in text for text in box.server.log()), 9,
                      "resumed, TLS " + version)
            box.here(FEW)


tap.main(world)
