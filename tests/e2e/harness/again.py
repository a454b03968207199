# SPDX-License-Identifier: GPL-3.0-or-later
"""One account polled again and again, while its server may change in between."""

import contextlib

from . import agent, corpus, memoryfile, popd, procs, readers, scene, secrets, tap, wire

SECRET = "Zx9-hunter2!Qw"
LOGINS = ("AUTH", "PASS", "APOP")
DAY, HOUR = 86400, 3600


class Poll:
    """What one fetch did: `bursts`, the commands between two answers each, as the
    trace shows them, and what the server saw."""

    def __init__(self, result, server):
        self.result, self.log = result, server.log()
        self.commands = server.commands()
        self.verbs = [line.split(" ")[0] for line in self.commands]
        self.logins = sum(verb in LOGINS for verb in self.verbs)
        self.connections = sum(text.startswith("connect ") for text in self.log)
        self.resumed = sum(" resumed" in text for text in self.log)
        self.bursts = [[]]
        for line in result.err.splitlines():
            if line.startswith(" C: "):
                self.bursts[-1].append(line[4:].split(" ")[0])
            elif line.startswith(" S: ") and self.bursts[-1]:
                self.bursts.append([])

    def asked(self):
        """Whether the server was asked what it can do."""
        return "CAPA" in self.verbs

    def burst(self):
        """Whether the listing or the look left together with the login."""
        return any(words[-2:] in (["UIDL", "LIST"], ["STAT", "UIDL"]) and len(words) > 2
                   and words[0] != "CAPA" for words in self.bursts)

    def looked(self):
        """Whether a look was enough."""
        return "STAT" in self.verbs and "LIST" not in self.verbs

    def __str__(self):
        return "%s\n%s" % (self.commands, self.result)


class Again:
    """An agent with the account `box` at SERVER; other keywords are its keys."""

    def __init__(self, server, script, **keys):
        self.server, self._script = server, script
        self.one = agent.Agent()
        self.keys = server.account({"maildir": self.one.path("Mail")},
                                   **{"timeouts": scene.QUICK, **keys})
        self.configure()
        scene.impatient(self.one, server)

    def configure(self, **keys):
        """Change keys of the account."""
        self.keys.update(keys)
        self.one.configure({"box": {key: value for key, value in self.keys.items()
                                    if value is not None}})

    def rules(self, *rules):
        """What the server does wrong from its next connection on."""
        with open(self._script, "w") as file:
            file.writelines(rule + "\n" for rule in rules)

    def poll(self, *args, status=0):
        """Fetch, which must exit with STATUS and show no secret."""
        self.server.forget()
        result = self.one.run("--trace", "-v", "-v", "fetch", *args)
        tap.check(result.status == status, "exit status %d, wanted %d"
                  % (result.status, status), result)
        for form in secrets.forms(SECRET, self.server.USER):
            tap.check(form.decode() not in result.out + result.err, "a secret is shown", result)
        return Poll(result, self.server)

    def polls(self, count):
        """Fetch COUNT times; give the last."""
        for _ in range(count):
            poll = self.poll()
        return poll

    def memory(self):
        """What is remembered."""
        return memoryfile.read(self.one, "box")

    def remember(self, **members):
        """Change what is remembered."""
        memoryfile.change(self.one, "box", **members)

    def ago(self, name, seconds):
        """Move a moment of what is remembered back."""
        self.remember(**{name: int(self.memory()[name]) - seconds})

    def here(self, messages):
        """All of MESSAGES must be here, once."""
        tap.equal(len(readers.maildir(self.one.path("Mail"))), len(messages), "messages here")
        tap.equal(wire.digests(readers.maildir(self.one.path("Mail"))), wire.digests(messages),
                  "messages")


FEW = corpus.simple(3)


@contextlib.contextmanager
def known(*options, messages=FEW, rules=(), tls="implicit", learn=1, users=1, **keys):
    """A popd with OPTIONS, and an agent that has polled it LEARN times."""
    with procs.scratch_file(b"") as script, popd.Popd(
            messages, "--with", "tickets", "--script", script, *options, tls=tls, users=users,
            password=SECRET) as server:
        again = Again(server, script, **keys)
        again.rules(*rules)
        if learn:
            again.polls(learn)
        yield again
