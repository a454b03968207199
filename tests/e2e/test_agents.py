#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real delivery programs, called as README says: procmail, maildrop, dovecot-lda.

What they store is read by other programs. And `check` warns exactly where they
would lose mail or run it together, which is seen from what they do.
"""

import contextlib
import mailbox
import os
import pwd
import re
import shutil
import subprocess

from harness import agent, corpus, dovecot, popd, procs, readers, tap, wire
from harness.scene import fetching, world

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SENDER = b"Return-Path: <jane@example.org>\n"
# What programs that write an mbox have stumbled over, and the senders of it.
# formail takes no less than two lines for a header.
ODD = [SENDER + b"Subject: first\n\nFrom here to the end\n",
       b"Return-Path: <joe@example.org>\nSubject: no end\n\nlast line",
       b"To: x\nSubject: header alone",
       SENDER + b"Subject: a lie\nContent-Length: 90\n\nbody\n\nFrom a b c\n"
       b"From x@y Mon Nov 30 00:00:00 2026\nSubject: inside\n\nmore\n",
       SENDER + b"Subject: another\nContent-Length: 3\n\nFrom one\n\nFrom two\n\n",
       b"Return-Path: <>\nSubject: a bounce\n\nx\n", SENDER + b"Subject: last\n\nx\n"]
ODD_SENDERS = [b"jane@example.org", b"joe@example.org", None, b"jane@example.org",
               b"jane@example.org", None, b"jane@example.org"]


@contextlib.contextmanager
def as_user(messages):
    """A popd and a postrider of a user. Run by root, dovecot-lda is another
    program, and procmail makes a mailbox among those of the system."""
    user = pwd.getpwnam("nobody") if os.getuid() == 0 else None
    with popd.Popd(messages) as server:
        os.chmod(server.root, 0o755)
        one = agent.Agent(uid=user and user.pw_uid)
        one.gid = user and user.pw_gid
        yield one, server


def recipe(name, program, file=None):
    """The pipe that README shows for NAME, with PROGRAM, and FILE for its file."""
    text = readers.read(TOP + "/README").decode()
    words = re.search(r"^  %s +deliver: \{pipe: \[(.*?)\]\}" % name, text, re.M | re.S).group(1)
    _old, *words = [word.strip().strip('"') for word in words.split(",")]
    return [program] + [file if word.startswith("/home/") else word for word in words]


def without_rights(one, name):
    """A copy of a program that runs with our own rights only."""
    tap.need(name)
    shutil.copyfile(shutil.which(name), one.path(name))
    os.chmod(one.path(name), 0o755)
    return one.path(name)


def write(one, path, text, mode=0o600):
    """A file that a program will take for the user's own."""
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, mode)
    os.chown(path, -1 if one.uid is None else one.uid, -1)
    return path


def procmailrc(one, box):
    """An rcfile that keeps procmail away from this machine's own mailboxes."""
    return write(one, one.path("rc"), "LOGFILE={0}/log\nORGMAIL={0}/{1}\nDEFAULT={0}/{1}\n"
                 .format(one.home, box))


def deliver(one, server, pipe, status=0):
    """Fetch through the program PIPE."""
    one.configure({"box": server.account({"pipe": pipe}, keep=False)})
    return one.expect(status, "fetch")


def warnings(one, server, pipe):
    """What `check` has against the program PIPE."""
    one.configure({"box": server.account({"pipe": pipe}, keep=False)})
    return [line for line in one.expect(0, "check").err.splitlines() if "warning: " in line]


def mails(path):
    """How many messages Python and formail see in an mbox."""
    box = mailbox.mbox(path, create=False)
    split = subprocess.run(["formail", "-Y", "-s", "sh", "-c", "cat >/dev/null; echo 1"],
                           stdin=open(path, "rb"), stdout=subprocess.PIPE, check=True)
    return len(box), split.stdout.count(b"\n")


def all_in_mbox(path, server, served):
    """Every message is one, for every reader, byte for byte, and gone there; but
    procmail takes a last line that is empty for the one that ends a message."""
    tap.equal(mails(path), (len(served), len(served)), "messages for Python and formail")
    tap.equal(*(wire.digests(text.rstrip(b"\n") for text in texts)
                for texts in (readers.mbox(path), served)), "the messages")
    tap.equal(server.held(), [], "messages on the server")


def senders(path):
    """Whom the From_ lines of an mbox name."""
    return re.findall(rb"^From (\S+)", readers.read(path), re.M)


def all_senders(path):
    """Each From_ line names the Return-Path; if there is none, whom it likes."""
    got = senders(path)
    tap.equal([one for one, known in zip(got, ODD_SENDERS) if known],
              [known for known in ODD_SENDERS if known], "senders in %r" % got)


@tap.case("procmail, as README calls it, into an mbox: each message is one and names its sender")
def procmail_mbox(_env):
    with as_user(ODD) as (one, server):
        pipe = recipe("procmail", without_rights(one, "procmail"), procmailrc(one, "box"))
        tap.equal(warnings(one, server, pipe), [], "warnings")
        served = server.served()
        deliver(one, server, pipe)
        all_in_mbox(one.path("box"), server, served)
        all_senders(one.path("box"))


@tap.case("procmail without -f makes one message of two; check warns of it")
def procmail_glues(_env):
    with as_user(corpus.simple(2)) as (one, server):
        pipe = [without_rights(one, "procmail"), "-p", "-t", procmailrc(one, "box")]
        told = warnings(one, server, pipe)
        deliver(one, server, pipe)
        tap.check(mails(one.path("box")) != (2, 2), "they are apart: do not warn", told)
        tap.check(len(told) == 1 and "without -f" in told[0], "not one warning", told)


# The mode of an rcfile, of its folder, and its owner.
RCFILES = ((0o600, 0o700, 0), (0o644, 0o755, 0), (0o664, 0o775, 0), (0o600, 0o1777, 0),
           (0o666, 0o700, 0), (0o602, 0o700, 0), (0o600, 0o777, 0), (0o644, 0o755, 1),
           (None, 0o700, 0))


def judged_file(one, name, text, form):
    """A file of commands in a folder of its own, of this FORM."""
    mode, folder, owner = form
    os.mkdir(one.path("d"))
    os.chown(one.path("d"), -1 if one.uid is None else one.uid, -1)
    path = one.path("d/" + name)
    if mode is not None:
        write(one, path, text, mode)
        os.chown(path, owner or -1, -1)
    os.chmod(one.path("d"), folder)
    return path


def forms():
    """Those that can be had: only root gives files away."""
    return [form for form in RCFILES if os.getuid() == 0 or not form[2]]


@tap.case("check warns of exactly those rcfiles that procmail ignores")
def procmail_rcfile(_env):
    def play(form):
        with as_user(corpus.simple(1)) as (one, server):
            rcfile = judged_file(one, "rc", "DEFAULT=%s\n" % one.path("right"), form)
            pipe = [without_rights(one, "procmail"), "-f", "%{sender}", "-p", "-t",
                    "ORGMAIL=" + one.path("wrong"), "DEFAULT=" + one.path("wrong"), rcfile]
            told = warnings(one, server, pipe)
            deliver(one, server, pipe)
            ignored = os.path.exists(one.path("wrong"))
            tap.check(ignored != os.path.exists(one.path("right")), "it is not in one place")
            tap.check(not ignored or form != RCFILES[0], "nothing is obeyed")
            tap.check(ignored == any("will ignore its rcfile" in line for line in told),
                      "ignored: %s" % ignored, *told)
    tap.each(forms(), play)


def maildroprc(one, place):
    """A filter of maildrop."""
    return write(one, one.path("filter"), 'to "%s"\n' % one.path(place))


@tap.case("maildrop, as README calls it, into an mbox: each message is one and names its sender")
def maildrop_mbox(_env):
    with fetching(messages=ODD) as (one, server):
        pipe = recipe("maildrop", without_rights(one, "maildrop"), maildroprc(one, "box"))
        tap.equal(warnings(one, server, pipe), [], "warnings")
        served = server.served()
        deliver(one, server, pipe)
        all_in_mbox(one.path("box"), server, served)
        all_senders(one.path("box"))


@tap.case("maildrop, as README calls it, into a Maildir: all of it, and names that tell the size")
def maildrop_maildir(_env):
    with fetching(messages=ODD + [b""]) as (one, server):
        for sub in ("", "/tmp", "/new", "/cur"):
            os.mkdir(one.path("Drop" + sub))
        pipe = recipe("maildrop", without_rights(one, "maildrop"), maildroprc(one, "Drop/"))
        served = server.served()
        deliver(one, server, pipe)
        names = os.listdir(one.path("Drop/new"))
        tap.equal([name for name in names if ",S=%d" % os.path.getsize(
            one.path("Drop/new/" + name)) not in name], [], "files of another size")
        tap.equal(wire.digests(readers.maildir(one.path("Drop"))),
                  wire.digests(text or b"\n" for text in served), "the messages")
        tap.equal(server.held(), [], "messages on the server")


@tap.case("check warns of exactly those filters that maildrop refuses")
def maildrop_filter(_env):
    def play(form):
        with fetching(messages=corpus.simple(1)) as (one, server):
            name = judged_file(one, "filter", 'to "%s"\n' % one.path("box"), form)
            pipe = recipe("maildrop", without_rights(one, "maildrop"), name)
            told = warnings(one, server, pipe)
            one.fetch()
            refused = len(server.held()) == 1
            tap.check(refused != os.path.exists(one.path("box")), "it is not in one place")
            tap.check(not refused or form != RCFILES[0], "nothing is obeyed")
            tap.check(refused == any("will refuse its filter" in line for line in told),
                      "refused: %s" % refused, *told)
    tap.each(forms(), play)


LDA = "/usr/lib/dovecot/dovecot-lda"
LDA_CONF = """protocols =
base_dir = {home}/run
log_path = {home}/lda.log
mail_location = maildir:{home}/Lda
mail_plugins = quota
postmaster_address = postmaster@example.org
sendmail_path = {home}/sendmail
plugin {{
  quota = maildir:quota
  quota_rule = *:bytes={quota}
  quota_grace = 0
}}
"""


def lda(one, quota):
    """dovecot-lda, called as README says, with a quota of so many bytes."""
    tap.need("dovecot")
    if not os.access(LDA, os.X_OK):
        raise tap.Skip("no " + LDA)
    if dovecot.version() >= (2, 4):
        raise tap.Skip("this is not written for Dovecot 2.4")
    write(one, one.path("sendmail"), "#!/bin/sh\ncat >> %s\n" % one.path("bounces"), 0o755)
    conf = write(one, one.path("lda.conf"), LDA_CONF.format(home=one.home, quota=quota))
    return recipe("Dovecot", LDA) + ["-c", conf]


LARGE = [SENDER + b"Subject: fits\n\nx\n", SENDER + b"Subject: large\n\n" + 400 * b"0123456789\n",
         b"Subject: large and from nobody\n\n" + 400 * b"0123456789\n"]


@tap.case("dovecot-lda, as README calls it: mail over quota stays on the server and comes later")
def lda_over_quota(_env):
    with as_user(LARGE) as (one, server):
        served = server.served()
        pipe = lda(one, 2000)
        tap.equal(warnings(one, server, pipe), [], "warnings")
        result = one.fetch()
        tap.check(result.status == 75 and "uota" in result.err, "not told", result,
                  readers.read(one.path("lda.log")))
        tap.equal(len(server.held()), 2, "messages on the server")
        tap.equal(wire.digests(readers.maildir(one.path("Lda"))), wire.digests(served[:1]),
                  "what is here")
        tap.check(not os.path.exists(one.path("bounces")), "a sender was told")
        lda(one, 200000)
        procs.wait_until(lambda: one.fetch().status == 0 and not server.held(), 60,
                         "a fetch that delivers what was deferred")
        tap.equal(wire.digests(readers.maildir(one.path("Lda"))), wire.digests(served), "then")


@tap.case("dovecot-lda without -e takes mail over quota that is then nowhere; check warns of it")
def lda_loses(_env):
    with as_user(LARGE) as (one, server):
        pipe = [word for word in lda(one, 2000) if word != "-e"]
        told = warnings(one, server, pipe)
        deliver(one, server, pipe)
        tap.equal(len(readers.maildir(one.path("Lda"))), 1, "messages here")
        tap.equal(server.held(), [], "messages on the server")
        bounces = readers.read(one.path("bounces"))
        tap.check(b"jane@example.org" in bounces and b"0123456789" not in bounces, "what was told",
                  bounces)
        tap.check(len(told) == 1 and "without -e" in told[0], "not one warning", told)


if __name__ == "__main__":
    tap.main(world)
