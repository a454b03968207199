# SPDX-License-Identifier: GPL-3.0-or-later
"""The control block of the shim, as shim.h lays it out, and its log."""

import mmap
import os
import struct
from dataclasses import dataclass

MAGIC, VERSION, PAGE = 0x50524348, 5, 4096

KINDS = ("open write pwrite writev truncate rename link unlink mkdir fsync "
         "fdatasync syncfs sync_range times close lock send channel fork exec "
         "open_read read stat recv poll socket malloc").split()
KIND = {name: number for number, name in enumerate(KINDS)}
LASTING = tuple(KINDS[:KIND["open_read"]])
WRITES = ("write", "pwrite", "writev", "send")
SYNCS = ("fsync", "fdatasync", "syncfs")

ACTIONS = ("none kill-before kill-after kill-half kill-last fail short-half "
           "short-last term stop").split()
VICTIMS = "caller parent worker all".split()
HOW_LONG = "once forever every-other".split()
ROLES = "parent worker mda".split()
FLAGS = {"log": 1, "mda": 2, "fast-sleep": 4, "no-sync": 16, "link": 32,
         "early-dele": 64, "early-quit": 128}

_ORDERS = struct.Struct("<2I 5I i 5Q q")
_COUNTS = struct.Struct("<6Q 2I")
_RECORD = struct.Struct("<IHBBiIQqqiHHII")


def bits(names):
    """The bit set of some kinds."""
    return sum(1 << KIND[name] for name in names)


@dataclass
class Event:
    """One call of the run, from the log."""

    order: int              # its place in the log
    kind: str
    role: str
    pid: int
    file: int               # which open file, over all processes; or 0
    number: int             # of the counted call, or 0
    result: int
    a: int
    error: int
    path: str
    other: str
    data: bytes
    skipped: bool
    hit: bool

    @property
    def ok(self):
        """Whether it did what it was asked to."""
        return self.result >= 0


class Shim:
    """Orders for one run after another, and what came of them."""

    def __init__(self, path, library, log_size=64 << 20):
        self.path, self.library = path, library
        self.log_size = log_size
        with open(path, "wb") as file:
            file.truncate(PAGE + log_size)
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), PAGE + log_size)
        self.order()

    def environment(self):
        """What a process needs to obey."""
        return {"LD_PRELOAD": self.library, "CRASH_CONTROL": self.path}

    def order(self, action="none", at=0, kinds=LASTING, victim="caller",
              how_long="once", roles=ROLES, flags=(), error=0, clock_step=0,
              skip_sync=0, later=0):
        """Give the orders for the next run and set all counters to nothing."""
        self._forget_log()
        self.map[:PAGE] = bytes(PAGE)
        _ORDERS.pack_into(
            self.map, 0, MAGIC, VERSION, ACTIONS.index(action),
            VICTIMS.index(victim), HOW_LONG.index(how_long),
            sum(1 << ROLES.index(role) for role in roles),
            sum(FLAGS[flag] for flag in flags), error, at, bits(kinds),
            clock_step, skip_sync, self.log_size, later)

    def _forget_log(self):
        used = self._records()[-1] - PAGE
        self.map[PAGE:PAGE + used] = bytes(used)

    def _records(self):
        """Where each record begins, and where the last one ends. What the
        block says of it is a hint: a process may be killed before it says so."""
        places = [PAGE]
        while places[-1] + _RECORD.size <= PAGE + self.log_size:
            size = struct.unpack_from("=I", self.map, places[-1])[0]
            if not size:
                break
            places.append(places[-1] + size)
        return places

    def counts(self):
        """What happened in the last run."""
        names = "count hits syncs log_used log_lost clock files pids".split()
        return dict(zip(names, _COUNTS.unpack_from(self.map, _ORDERS.size)))

    def processes(self):
        """The processes of the last run."""
        count = min(self.counts()["pids"], 256)
        at = _ORDERS.size + _COUNTS.size
        return [struct.unpack_from("<i", self.map, at + 8 * n)[0] for n in range(count)]

    def log(self):
        """The calls of the last run, if it was to be logged."""
        counts = self.counts()
        if counts["log_lost"]:
            raise RuntimeError("the log of a run does not fit")
        events = []
        for at in self._records()[:-1]:
            event = self._event(at, len(events))
            if event:
                events.append(event)
        return events

    def _event(self, at, order):
        (_size, done, role, hit, pid, file, number, result, a, error, path_len,
         other_len, data_len, skipped) = _RECORD.unpack_from(self.map, at)
        if not done:
            return None             # killed while it wrote this one
        at += _RECORD.size
        path = self.map[at:at + path_len].decode("utf-8", "surrogateescape")
        at += path_len
        other = self.map[at:at + other_len].decode("utf-8", "surrogateescape")
        at += other_len
        return Event(order, KINDS[done - 1], ROLES[role], pid, file, number, result,
                     a, error, path, other, bytes(self.map[at:at + data_len]),
                     bool(skipped), bool(hit))

    def close(self):
        """Let go of the block."""
        self.map.close()
        os.unlink(self.path)
