#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moving in from other programs, each as Debian has it: what they have fetched is
not fetched again, and what they have not is.

They fetch a part of the mail and leave it there; then postrider imports, more mail
comes, and each message is here once.
"""

import contextlib
import os
import pwd
import re
import shutil
import subprocess

from harness import agent, corpus, popd, readers, tap, wire

SEEN, MISSED, NEW = 12, 3, 4
MAIL = corpus.simple(SEEN + MISSED + NEW, seed=7)
LATER = MAIL[SEEN:]


def give(one, path):
    """What the other program is to have for its own: none of them delivers as root."""
    if one.uid is not None:
        os.chown(path, one.uid, one.gid)


def home(one, name, text):
    """A file of the other program, and the folder it is in."""
    path = one.path(name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    give(one, os.path.dirname(path))
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, 0o600)
    give(one, path)


def old_maildir(one, name):
    """A Maildir for the other program."""
    for folder in "", "/tmp", "/new", "/cur":
        os.mkdir(one.path(name) + folder)
        give(one, one.path(name) + folder)
    return one.path(name)


def write_fetchmail(one, server, users, limit):
    """fetchmail's files; it delivers into the air."""
    text = "poll localhost proto pop3 service %d uidl\n" % server.port
    for user in users:
        text += ("  user '%s' there with password \"%s\" is joe here ssl keep sslcertfile '%s'\n"
                 "    mda \"/bin/sh -c 'cat >>%s/old-%s'\" fetchlimit %d\n"
                 % (user, server.password, server.ca, one.home, user, limit))
    home(one, ".fetchmailrc", text)
    return ["fetchmail", "--nosyslog", "--nodetach", "--pidfile", one.path("pid")]


def write_mpop(one, server, users, limit):
    """mpop's files."""
    assert limit >= SEEN
    text = ("defaults\ntls on\ntls_starttls off\ntls_trust_file %s\nkeep on\n"
            "received_header off\n" % server.ca)
    for user in users:
        text += ("account %s\nhost localhost\nport %d\nuser %s\npassword %s\n"
                 "delivery maildir %s\n" % (user, server.port, user, server.password,
                                            old_maildir(one, "old-" + user)))
    home(one, ".mpoprc", text)
    return ["mpop", "--all-accounts"]


def write_getmail(one, server, users, limit):
    """getmail's files."""
    names = []
    for user in users:
        names += ["--rcfile", "rc-" + user]
        home(one, ".getmail/rc-" + user, "[retriever]\ntype = SimplePOP3SSLRetriever\n"
             "server = localhost\nport = %d\nusername = %s\npassword = %s\nca_certs = %s\n\n"
             "[destination]\ntype = Maildir\npath = %s/\n\n[options]\nread_all = false\n"
             "delete = false\nreceived = false\ndelivered_to = false\n"
             "max_messages_per_session = %d\n"
             % (server.port, user, server.password, server.ca, old_maildir(one, "old-" + user), limit))
    return ["getmail", "--getmaildir", one.path(".getmail")] + names


def write_fdm(one, server, users, limit):
    """fdm's files."""
    assert limit >= SEEN
    text = "set lock-file \"%s\"\naction \"into\" maildir \"%s\"\n" \
        % (one.path("lock"), old_maildir(one, "old-all"))
    for user in users:
        text += ("account \"%s\" pop3s server \"localhost\" port %d user \"%s\" pass \"%s\"\n"
                 "  new-only cache \"%s\" no-verify keep\n"
                 % (user, server.port, user, server.password, one.path("cache-" + user)))
    home(one, ".fdm.conf", text + "match all action \"into\"\n")
    return ["fdm", "-f", one.path(".fdm.conf"), "fetch"]


def run(one, command, statuses=(0,)):
    """Run a program of others in the home of ONE."""
    tap.need(command[0])
    try:
        done = subprocess.run(command, env=dict(one.env, PATH=os.environ["PATH"]), cwd=one.home,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=90, user=one.uid, group=one.gid,
                              extra_groups=None if one.uid is None else [])
    except subprocess.TimeoutExpired:
        raise tap.Skip(command[0] + " does not come to an end here") from None
    tap.check(done.returncode in statuses, "%s: exit status %d" % (command[0], done.returncode),
              done.stdout.decode(errors="replace"))


@contextlib.contextmanager
def moved(write, program, users=1):
    """After PROGRAM has fetched, and the import: the agent, the server, the users."""
    with popd.Popd(MAIL[:SEEN], users=users) as server:
        os.chmod(server.root, 0o755)
        user = pwd.getpwnam("nobody") if os.getuid() == 0 else None
        one = agent.Agent(uid=user and user.pw_uid)
        one.gid = user and user.pw_gid
        os.unlink(one.config)
        run(one, write(one, server, server.users, 1000), (0, 1))
        server.put(MAIL[SEEN:SEEN + MISSED], SEEN)
        shown = one.expect(0, "import", program)
        tap.check(not os.path.exists(one.config), "written without --write", shown)
        yield one, server, shown


def deliver_here(one, server):
    """The configuration that was written, with folders and trust of the test's own."""
    with open(one.config) as file:
        text = file.read()
    count = 0

    def folder(_match):
        nonlocal count
        count += 1
        return "deliver: {maildir: \"%s\"}" % one.path("Mail-%d" % (count - 1))
    text = re.sub(r"deliver: \{.*\}", folder, text)
    tap.equal(count, len(server.users), "accounts")
    one.write_config("state: \"%s\"\ndefaults: {ca_file: \"%s\"}\n%s"
                     % (one.state, server.ca, text))


def check_round_trip(write, program, users=1):
    """Import, new mail, fetch: all that PROGRAM has not fetched, and once."""
    with moved(write, program, users) as (one, server, shown):
        one.env["STATE_DIRECTORY"] = one.state
        one.expect(0, "import", "--write", program)
        tap.check(os.stat(one.config).st_mode & 0o777 == 0o600, "its mode")
        deliver_here(one, server)
        server.put(MAIL[SEEN + MISSED:], SEEN + MISSED)
        result = one.fetch_ok()
        for number in range(users):
            tap.equal(wire.digests(readers.maildir(one.path("Mail-%d" % number))), wire.digests(LATER),
                      "what %s had not fetched" % program)
        tap.check("%d marked as seen" % SEEN in result.out, "what was fetched", result, shown)
        one.fetch_ok()
        for number in range(users):
            tap.equal(wire.digests(readers.maildir(one.path("Mail-%d" % number))), wire.digests(LATER),
                      "after another fetch")


@tap.case("fetchmail: two accounts, nothing twice, nothing forgotten")
def from_fetchmail(_):
    check_round_trip(write_fetchmail, "fetchmail", 2)


@tap.case("mpop: two accounts, nothing twice, nothing forgotten")
def from_mpop(_):
    check_round_trip(write_mpop, "mpop", 2)


@tap.case("getmail: nothing twice, nothing forgotten")
def from_getmail(_):
    check_round_trip(write_getmail, "getmail")


@tap.case("fdm: two accounts, nothing twice, nothing forgotten")
def from_fdm(_):
    check_round_trip(write_fdm, "fdm", 2)


def rc(one, server, user="jane", more=""):
    """A .fetchmailrc of one account."""
    home(one, ".fetchmailrc", "poll localhost proto pop3 service %d\n user %s password %s ssl keep "
         "sslcertfile %s mda /bin/true\n%s" % (server.port, user, server.password, server.ca, more))


def seen(one, uids, user="jane"):
    """A .fetchids with UIDS."""
    home(one, ".fetchids", "".join("%s@LocalHost %s\n" % (user, uid) for uid in uids))


@contextlib.contextmanager
def with_account(uids, *rules, **keys):
    """A server, and an agent whose account is to learn from a .fetchids with UIDS."""
    options = [word for rule in rules for word in ("--do", rule)]
    with popd.Popd(MAIL, *options) as server:
        one = agent.Agent()
        rc(one, server)
        seen(one, uids)
        one.configure({"box": server.account({"maildir": one.path("Mail")}, **keys)})
        yield one, server


def uids_of(server):
    """The UIDs that the server gives, in order."""
    with wire.Client(server.port, server.ca) as client:
        client.login(server.USER, server.password)
        return [line.split()[1].decode() for line in client.multi("UIDL").splitlines()]


@tap.case("a configuration of one's own: its account learns what was fetched, by host and user")
def own_configuration(_):
    with popd.Popd(MAIL) as server:
        uids = uids_of(server)
    with with_account(uids[:SEEN]) as (one, _server):
        one.expect(0, "import", "--write", "fetchmail")
        one.fetch_ok()
        tap.equal(wire.digests(readers.maildir(one.path("Mail"))), wire.digests(LATER), "fetched")
        tap.check(not os.path.exists(one.state + "/box/imported"), "the list is used up")
        refused = one.expect(78, "import", "--write", "fetchmail")
        tap.check("has fetched mail already" in refused.err, "why", refused)


@tap.case("keep counts from the import: what was imported leaves the server, its header compared")
def keep_counts(_):
    with popd.Popd(MAIL) as server:
        uids = uids_of(server)
    with with_account(uids[:SEEN], keep=False) as (one, server):
        one.expect(0, "import", "--write", "fetchmail")
        one.fetch_ok()
        tap.equal(len(server.held()), SEEN, "left until it was looked at")
        one.fetch_ok()
        tap.equal(server.held(), [], "left on the server")
        tap.equal(wire.digests(readers.maildir(one.path("Mail"))), wire.digests(LATER), "fetched")


@tap.case("a line that breaks while it learns: learnt the next time, nothing twice")
def broken_line(_):
    with popd.Popd(MAIL) as server:
        uids = uids_of(server)
    with with_account(uids[:SEEN], "on TOP #5 close") as (one, _server):
        one.expect(0, "import", "--write", "fetchmail")
        one.expect(75, "fetch")
        one.fetch_ok()
        tap.equal(wire.digests(readers.maildir(one.path("Mail"))), wire.digests(LATER), "fetched")


@tap.case("a list of another maildrop, or a damaged one: 78, and nothing is fetched")
def wrong_list(_):
    with with_account(["nobody-has-this", "nor-this"]) as (one, _server):
        one.expect(0, "import", "--write", "fetchmail")
        refused = one.expect(78, "fetch")
        tap.check("none of the 2 messages that fetchmail has fetched" in refused.err, "why", refused)
        with open(one.state + "/box/imported", "a") as file:
            file.write("more\n")
        damaged = one.expect(78, "fetch")
        tap.check("damaged" in damaged.err, "why", damaged)
        tap.equal(readers.maildir(one.path("Mail")), [], "fetched")
        os.unlink(one.state + "/box/imported")
        one.fetch_ok()
        tap.equal(len(readers.maildir(one.path("Mail"))), len(MAIL), "fetched")


@tap.case("while the other program runs nothing is imported")
def running(_):
    with with_account(["x"]) as (one, _server):
        shutil.copy(shutil.which("sleep"), one.path("fetchmail"))
        other = subprocess.Popen([one.path("fetchmail"), "600"])
        try:
            refused = one.expect(78, "import", "--write", "fetchmail")
            tap.check("fetchmail is running (process %d)" % other.pid in refused.err, "why", refused)
        finally:
            other.kill()
            other.wait()
        one.expect(0, "import", "--write", "fetchmail")


TOLD = """set daemon 300
set postmaster "joe"
defaults proto pop3 timeout 120
poll isp.example.org via pop.example.org service 995 interval 3, envelope X-To
  user "joe" there with password "a\\"b" is joe.l here
  options ssl no sslcertck keep limit 2000 fetchlimit 50 fetchall
  mda "/usr/bin/procmail -d %T -f %F" preconnect "date >> /tmp/log; true"
  user ann password x nokeep
skip old.example.net proto pop3 user joe2 pass "x # no comment" sslproto ''
poll imap.example.net proto imap user nobody pass y
"""
CONVERTED = r'''accounts:
  "isp.example.org":
    host: "pop.example.org"
    user: "joe"
    port: 995
    tls: implicit
    password: "a\"b"
    keep: true
    interval: 900s
    limits: {message: 2000, messages: 50}
    deliver: {pipe: ["/usr/bin/procmail", "-d", "joe.l", "-f", "%{sender}"]}
  "isp.example.org-2":
    host: "pop.example.org"
    user: "ann"
    port: 995
    tls: implicit
    password: "x"
    keep: false
    interval: 900s
    deliver: {pipe: ["/usr/sbin/sendmail", "-i", "-f", "%{sender}", "--", "ann"]}
  "old.example.net":
    host: "old.example.net"
    user: "joe2"
    enabled: false
    tls: none
    accept_plaintext: true
    password: "x # no comment"
    keep: false
    interval: 300s
    deliver: {pipe: ["/usr/sbin/sendmail", "-i", "-f", "%{sender}", "--", "joe2"]}
'''


@tap.case("what a .fetchmailrc says is kept or told, word by word")
def told(_):
    one = agent.Agent()
    os.unlink(one.config)
    home(one, ".fetchmailrc", TOLD)
    shown = one.expect(0, "import", "fetchmail")
    tap.equal(shown.out.split("\n\n", 1)[1], CONVERTED, "the configuration")
    for words in ("envelope has no counterpart", "fetchall has no counterpart",
                  "preconnect has no counterpart", "certificates are checked now",
                  "protocol imap is not POP3", "no list of fetched messages"):
        tap.check(words in shown.err, words, shown)


if __name__ == "__main__":
    tap.main(contextlib.nullcontext)
