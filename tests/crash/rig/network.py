# SPDX-License-Identifier: GPL-3.0-or-later
"""The network or the server goes wrong: faults at a byte of the stream, by
wanproxy, and faults around an answer, by the rules of popd."""

import os
import re
import signal
from dataclasses import dataclass

from . import crew, oracle, play, scenario, tools

# Seconds for each state, and for a whole pass whose bytes merely trickle; any other
# pass has so long that it does not hide a state without an end. A machine may be
# late by MARGIN.
DEADLINE, SESSION, MARGIN = 1, 5, 40
LONG_SESSION = 4 * MARGIN
# Servers make listings slowly, so they have three times as long.
LISTING = 3
_MORE = """limits: {message: 100K}
    timeouts: {connect: %(d)ds, tls: %(d)ds, greeting: %(d)ds, command: %(d)ds,
      login: %(d)ds, body: %(d)ds, quit: %(d)ds, session: %(s)ds}"""


@dataclass(frozen=True)
class Fault:
    """What goes wrong on the way, as the reports name it."""

    scenario: str
    how: str                # an option of wanproxy without `--`, or a rule
    at: int = 0             # byte of the stream
    tls: bool = False

    def __str__(self):
        if self.how.startswith("on "):
            return "%s/%s" % (self.scenario, self.how)
        return "%s/%s@%d%s" % (self.scenario, self.how, self.at, "/tls" * self.tls)

    @classmethod
    def parse(cls, text):
        """A fault from its text."""
        name, rest = text.split("/", 1)
        if rest.startswith("on "):
            return cls(name, rest)
        found = re.match(r"([a-z-]+)@(\d+)(/tls)?$", rest)
        return cls(name, found.group(1), int(found.group(2)), bool(found.group(3)))

    @property
    def stalls(self):
        """Whether a deadline has to end it."""
        return "stall" in self.how

    @property
    def trickles(self):
        """Whether only the end of the session ends it."""
        return "drip" in self.how or "endless" in self.how

    @property
    def limits(self):
        """What the configuration says of it."""
        return _MORE % {"d": DEADLINE, "s": SESSION if self.trickles else LONG_SESSION}

    @property
    def patience(self):
        """Seconds after which it has to end."""
        if self.trickles:
            return SESSION
        # A byte of the stream may be one of a listing.
        listing = "UIDL" in self.how or "LIST" in self.how or "@" in str(self)
        # Silence behind commands in a row gets them once more, one at a time.
        return 2 * DEADLINE * (LISTING if listing else 1)


class Relay:
    """One wanproxy, for one connection."""

    def __init__(self, program, port, *options):
        read, write = os.pipe()
        os.set_inheritable(write, True)
        self.pid = os.posix_spawn(
            program, ["wanproxy", "--to", "127.0.0.1:%d" % port, *options], {}, setpgroup=0,
            file_actions=[(os.POSIX_SPAWN_DUP2, write, 1), (os.POSIX_SPAWN_CLOSE, read)])
        os.close(write)
        with os.fdopen(read) as file:
            self.port = int(file.readline().split()[2])

    def stop(self):
        """End it."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def _rules(w, text):
    with open(w.folder + "/rules", "w", encoding="utf-8") as file:
        file.write(text + "\n")


def _faulty(verdict, w, scene, fault):
    """The run with the fault."""
    ca = os.path.dirname(w.folder) + "/ca.pem" if fault.tls else None
    if fault.how.startswith("on "):
        _rules(w, fault.how)
        w.configure(scene, more=fault.limits)
        play.note(verdict, "the run", w.run())
        _rules(w, "")
        return
    port = w.programs["encrypted"] if fault.tls else w.port
    w.relay = Relay(tools.need("WANPROXY", "tests/tools/wanproxy"), port,
                    "--" + fault.how, str(fault.at))
    w.configure(scene, port=w.relay.port, ca=ca, more=fault.limits)
    play.note(verdict, "the run", w.run())
    if w.relay:
        w.relay.stop()
    w.relay = None


def _judge_end(verdict, fault):
    """It ends in time, and says the right thing."""
    _what, status, _errors = verdict.runs[0]
    code = status >> 8
    limit = fault.patience + MARGIN
    if verdict.seconds > limit:
        verdict.blame("late", "%.1f s, allowed are %.1f s" % (verdict.seconds, limit))
    if fault.stalls and code != 0 and verdict.seconds < DEADLINE / 2:
        verdict.blame("early", "%.1f s, the deadline is %.1f s" % (verdict.seconds, DEADLINE))
    # 77 stops an account until a person looks: only a refusal may.
    if code not in (0, 75, 76) and not (code == 77 and re.search(" err |-ERR", fault.how)):
        verdict.blame("class", "exit status %d" % code)


def play_fault(fault):
    """For a crew: the verdict on one fault."""
    w, scene = crew.own(), scenario.ALL[fault.scenario]
    verdict = play.Verdict(fault)
    scene.start(w, crew.before(fault.scenario))
    _faulty(verdict, w, scene, fault)
    _judge_end(verdict, fault)
    verdict.add(oracle.judge_moment(w, scene))
    w.configure(scene)
    play.clean(verdict, w)
    verdict.add(oracle.judge(w, scene, 0))
    return verdict


def stream_length(name, tls):
    """For a crew: how many bytes the server sends in a run, about."""
    low, high = 1, 1 << 16
    while low < high:
        middle = (low + high) // 2
        verdict = play_fault(Fault(name, "cut-after", middle, tls))
        if verdict.runs[0][1] == 0:
            high = middle
        else:
            low = middle + 1
    return low
