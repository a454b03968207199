# SPDX-License-Identifier: GPL-3.0-or-later
"""One pass after another, as far as all destinations have it in common: the
ledger, the marker, the server, and the deaths that a pass can die.

A method that takes a state and yields (label, state) is a step, named after the
function of the program that it stands for; state.pc names the next one.
"""

from explore import State

HERE = ("delivered", "deleting", "gone")
NEW = ("new", -1, None)         # of the ledger: state, staged name, hint
LISTED, AWAY, GONE = "+-x"      # a message on the server; it is yet to come


def entry(s, m):
    """What the ledger says of message m, as the process and the kernel see it."""
    for who, what in reversed(s.tail):
        if who == m:
            return what
    return s.base[m]


def note(s, m, state, name=None, hint=None):
    """Another record: in memory, until it is flushed or synced."""
    old = entry(s, m)
    what = (state, old[1] if name is None else name, hint)
    return s.but(tail=s.tail + ((m, what),))


def flush(s):
    """The records survive our death."""
    return s.but(flushed=len(s.tail))


def sync(s, count=None):
    """The first `count` records are on the disk, and nothing is behind them."""
    base = list(s.base)
    kept = s.tail if count is None else s.tail[:count]
    for who, what in kept:
        base[who] = what
    return s.but(base=tuple(base), serial=s.serial + len(kept), tail=(), flushed=0)


class Course:
    """What is known of a run: `fault` is the planted one, `neighbours` who else
    is at work; numbers bound how often each may happen."""

    batch, late, quiet = 2, 0, False
    # What a process knows, and forgets.
    process = {"pc": "off", "items": (), "todo": (), "listed": (), "marked": (),
               "i": 0, "recovering": False, "no_quit": False, "calm": False}
    # Steps that touch no disk and no line.
    pure = ("off", "refused")

    def __init__(self, messages, fault="", neighbours=(), crashes=1, errors=1, acts=1):
        self.messages, self.fault, self.neighbours = messages, fault, neighbours
        self.budget = {"crashes": crashes, "errors": errors, "acts": acts}

    def start(self):
        """Nothing fetched; the last `late` messages are yet to come."""
        n = self.messages
        server = LISTED * (n - self.late) + AWAY * self.late
        # One entry more than messages: is the marker noted?
        return State(server=server, base=(NEW,) * (n + 1), tail=(), flushed=0, serial=0,
                     marker=None, marker_disk=None, mounted=True, **self.budget,
                     **self.process, **self.world())

    def moves(self, s):
        """All that may come next."""
        yield from getattr(self, s.pc)(s)
        if s.errors and s.pc not in self.pure:
            for after in self.fail(s.but(errors=s.errors - 1, calm=False)):
                yield "error in " + s.pc, after
        if s.crashes:
            less = s.but(crashes=s.crashes - 1)
            for after in self.killed(less) if s.pc != "off" else ():
                yield "killed before " + s.pc, after
            for after in self.power(less):
                yield "power cut before " + s.pc, after
        if s.acts:
            less = s.but(acts=s.acts - 1, calm=False)
            for who in self.neighbours:
                for label, after in getattr(self, who)(less):
                    yield label, after

    # Deaths. Records may leave memory at any time, so any number may be there.

    def hang_up(self, s):
        """A cut session deletes nothing; but some servers do what they heard."""
        yield s.but(marked=())
        if s.marked:
            yield self.deleted(s)

    def killed(self, s):
        """What the kernel has stays."""
        for after in self.hang_up(s.but(**dict(self.process, marked=s.marked))):
            for kept in range(s.flushed, len(s.tail) + 1):
                yield self.dead(after.but(tail=s.tail[:kept], flushed=kept))

    def power(self, s):
        """Of what was not synced, any may be there."""
        for after in self.hang_up(s.but(**dict(self.process, marked=s.marked))):
            for kept in range(len(s.tail) + 1):
                for marker in {s.marker, s.marker_disk}:
                    yield from self.cut(self.dead(sync(after, kept).but(
                        marker=marker, marker_disk=marker)))

    def fail(self, s):
        """The pass ends without QUIT."""
        for kept in range(s.flushed, len(s.tail) + 1):
            yield s.but(pc="drop_session", tail=s.tail[:kept], flushed=kept)

    def drop_session(self, s):
        for after in self.hang_up(s):
            yield "the session is dropped", self.dead(after.but(pc="marker_write"))

    def dead(self, s):
        """For the destination: locks are gone."""
        return s

    # Before the session.

    def off(self, s):
        yield "a pass begins", s.but(pc="pass_open_ledger", calm=s.mounted)

    def pass_open_ledger(self, s):
        """marker_check_age, marker_check_place, believe_marker."""
        serial, names = s.marker if s.mounted and s.marker else (0, ())
        missing = entry(s, -1) != NEW and not (s.mounted and s.marker)
        if serial > s.serial + len(s.tail) or (
                missing and self.fault != "no look at the marker"):
            yield "the pass refuses to work", s.but(pc="refused")
            return
        after = s
        for m in range(self.messages):
            state, name, _ = entry(s, m)
            if state == "intent" and name in names and not self.is_staged(s, name):
                after = note(after, m, "delivered")
        yield "marker and ledger fit", after.but(pc="recover", recovering=True)

    def refused(self, s):
        yield "exit 78", s.but(**dict(self.process, calm=s.calm))

    def recover(self, s):
        items = tuple((m, entry(s, m)[1], "staged") for m in range(self.messages)
                      if entry(s, m)[0] == "intent")
        after = self.look(s.but(items=items, i=0)) if items else s.but(pc="stage_sweep")
        yield "open intents: %d" % len(items), after

    def stage_sweep(self, s):
        wanted = {entry(s, m)[1] for m in range(self.messages) if entry(s, m)[0] == "intent"}
        yield "ledger_sync, sweep", self.sweep(sync(s), wanted).but(pc="plan_make")

    def plan_make(self, s):
        listed = tuple(m for m in range(self.messages) if s.server[m] == LISTED)
        todo = tuple(m for m in listed if entry(s, m)[0] in ("new", "void"))
        yield "UIDL", s.but(pc="retrieve", recovering=False, listed=listed, todo=todo)

    # The batch, in the order of batch_commit() and batch_finish().

    def retrieve(self, s):
        if s.todo and len(s.items) < self.batch:
            after, name = self.stage(s, s.todo[0])
            yield "RETR %d" % s.todo[0], after.but(
                todo=s.todo[1:], items=s.items + ((s.todo[0], name, "staged"),))
        elif s.items:
            early = self.fault == "DELE before the commit"
            marked = tuple(m for m, _, _ in s.items) if early else ()
            yield "the batch is full", s.but(pc="pass_may_commit", i=0, marked=marked)
        else:
            yield "all is fetched", s.but(pc="pass_delete")

    def pass_may_commit(self, s):
        pc = "write_intents" if self.fault == "intent before its file" else "stage_sync"
        if entry(s, -1) != NEW or not s.mounted:
            yield "the marker is noted", s.but(pc=pc)
            return
        seal = self.seal(s)
        disk = s.marker_disk if self.fault == "marker noted unflushed" else seal
        yield "marker_place", note(s, -1, "noted").but(marker=seal, marker_disk=disk, pc=pc)

    def stage_sync(self, s):
        pc = "commit" if self.fault == "intent before its file" else "write_intents"
        yield "staged files are durable", self.staged(s).but(pc=pc)

    def write_intents(self, s):
        for m, name, _ in s.items:
            s = note(s, m, "intent", name)
        yield "intents", s.but(pc="sync_intents")

    def batch_finish(self, s):
        for m, _, state in s.items:
            if state != "staged":
                s = note(s, m, "delivered" if state == "done" else "void")
        void = any(state == "void" for _, _, state in s.items)
        if self.fault == "released before it is noted":
            s = self.dead(s)
        yield "outcome noted", s.but(pc="sync_notes", no_quit=s.no_quit or (
            void and not s.recovering))

    def sync_notes(self, s):
        """A Maildir shows by itself what was delivered; else before release."""
        void = any(state == "void" for _, _, state in s.items)
        after = flush(s) if self.shows_delivery and not void else sync(s)
        yield "notes kept", after.but(pc="release")

    def release(self, s):
        pc = "stage_sweep" if s.recovering else "retrieve"
        yield "release", self.released(s).but(items=(), i=0, pc=pc)

    # Deleting.

    def pass_delete(self, s):
        todo = tuple(m for m in s.listed if entry(s, m)[0] in HERE)
        yield "ledger_sync", sync(s).but(pc="send_dele" if todo else "quit", todo=todo)

    def send_dele(self, s):
        m = s.todo[0]
        yield "DELE %d" % m, note(s, m, "deleting").but(
            marked=s.marked + (m,), todo=s.todo[1:],
            pc="send_dele" if len(s.todo) > 1 else "quit")

    def quit(self, s):
        if s.no_quit:
            yield "no QUIT", s.but(pc="drop_session")
            return
        after = self.deleted(s)
        yield "QUIT, unanswered", after.but(pc="marker_write", calm=False)
        for m in range(self.messages):
            if entry(s, m)[0] == "deleting" and after.server[m] == GONE:
                after = note(after, m, "gone")
        yield "QUIT", flush(after).but(pc="marker_write")

    def deleted(self, s):
        server = "".join(GONE if m in s.marked else c for m, c in enumerate(s.server))
        return s.but(server=server, marked=())

    def seal(self, s):
        """ledger_seal: how far it was, and what was delivered then."""
        names = tuple(entry(s, m)[1] for m in range(self.messages) if entry(s, m)[0] in HERE)
        early = len(s.tail) if self.fault == "marker ahead of the ledger" else 0
        return (s.serial + early, names)

    def marker_write(self, s):
        """marker_write, ledger_close. No flush: it may lag behind."""
        seal = self.seal(s)
        if s.mounted and entry(s, -1) != NEW and s.marker and s.marker[1] != seal[1]:
            s = s.but(marker=seal)
        yield "the pass ends", flush(s).but(**dict(self.process, calm=s.calm))

    # Neighbours that every destination has.

    def arrival(self, s):
        if AWAY in s.server:
            yield "new mail", s.but(server=s.server.replace(AWAY, LISTED, 1))

    def mount(self, s):
        """Before the first delivery nothing says that there should be a disk."""
        if s.pc == "off" and s.base[-1] != NEW:
            yield "unmounted" if s.mounted else "mounted", s.but(mounted=not s.mounted)

    # What may never be.

    def judge(self, s):
        """What is wrong in this state, or ""."""
        if s.pc == "refused" and s.calm:
            return "stuck: a pass refuses to work, and nothing is amiss"
        finished = s.pc == "off" and s.calm
        if finished and (LISTED in s.server or any(
                entry(s, m)[0] == "intent" for m in range(self.messages))):
            return "stuck: a pass without any fault has left mail behind"
        kept = [s.server[m] == GONE or entry(s, m)[0] in HERE for m in range(self.messages)]
        return self.judge_destination(s, kept, finished)
