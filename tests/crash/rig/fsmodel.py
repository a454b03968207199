# SPDX-License-Identifier: GPL-3.0-or-later
"""A file system that can lose power: what was flushed, and what was not.

A Disk is led through the calls of a log. At any moment `crash` gives one of
the states in which the disk may be found after a power cut, as one of these
models allows:

    posix    the least that POSIX promises: each name that was not flushed
             is there or not, each 4 KiB block that was not flushed is new,
             old or zero, and so is the size; a rename is one step
    split    the same, but a rename may be found half done: both names
    ordered  like ext4: names and sizes change in the order of the calls, up
             to some moment after the last flush; data that was not flushed
             is there up to some block
"""

import os

from . import fsstate

MODELS = ("posix", "split", "ordered")


class Inode:
    """A file or a folder; contents now, and when last flushed."""

    def __init__(self, folder=False, data=b""):
        self.folder = folder
        self.data = bytearray(data)
        self.flushed = bytes(data)
        self.versions = []          # contents since the last flush
        self.dirty_size = False

    def write(self, at, data):
        """Bytes at an offset; a gap before it becomes zero."""
        self.dirty_size = self.dirty_size or at + len(data) > len(self.data)
        if at > len(self.data):
            self.data.extend(bytes(at - len(self.data)))
        self.data[at:at + len(data)] = data
        self.versions.append(bytes(self.data))

    def truncate(self, size):
        """Another size."""
        self.dirty_size = self.dirty_size or size != len(self.data)
        self.data = bytearray(bytes(self.data[:size]).ljust(size, b"\0"))
        self.versions.append(bytes(self.data))

    def flush(self):
        """All of it is on the disk."""
        self.flushed = bytes(self.data)
        self.versions = []
        self.dirty_size = False


class Change:
    """Names that change together: (folder, name, inode or None)."""

    def __init__(self, system, *steps, after=None):
        self.system, self.steps = system, steps
        self.durable = False
        self.after = after          # another change, without which not


class Disk:
    """The tree below one folder, which starts out flushed."""

    def __init__(self, home, snapshot, model="posix", two=False):
        self.home, self.model, self.two = home, model, two
        self.root = Inode(True)
        self.now = {self.root: {}}      # names as the program sees them
        self.base = {self.root: {}}     # names before the first of changes
        self.changes = []               # in order
        self.files, self.position, self.appends = {}, {}, {}
        self.modes = {}
        for path, mode in snapshot.folders:
            self._start(path, Inode(True), mode)
        for path, mode, data in snapshot.files:
            self._start(path, Inode(False, data), mode)
        for old, new in snapshot.links:
            self._start(new, self.find(home + old), self.modes[self.find(home + old)])

    def _start(self, path, inode, mode):
        folder, name = self._place(self.home + path)
        self.base[folder][name] = self.now[folder][name] = inode
        if inode not in self.modes:
            self._know(inode, mode)

    def _know(self, inode, mode):
        self.modes[inode] = mode
        if inode.folder:
            self.base[inode], self.now[inode] = {}, {}

    # ---- names ----

    def _place(self, path):
        """The folder that holds PATH, and the name in it; or None, None."""
        if not path.startswith(self.home + "/"):
            return None, None
        *folders, name = path[len(self.home) + 1:].split("/")
        at = self.root
        for part in folders:
            at = self.now.get(at, {}).get(part)
            if at is None or not at.folder:
                return None, None
        return at, name

    def find(self, path):
        """What the program sees at PATH, or None."""
        if path == self.home:
            return self.root
        folder, name = self._place(path)
        return self.now[folder].get(name) if folder else None

    def _change(self, *steps, after=None):
        self._put(self.now, steps)
        path = self._paths()[steps[0][0]]
        change = Change(self.system(path), *steps, after=after)
        self.changes.append(change)
        return change

    @staticmethod
    def _put(names, steps):
        for folder, name, inode in steps:
            if inode is None:
                names[folder].pop(name, None)
            else:
                names[folder][name] = inode

    def _paths(self):
        """A path of every inode that has a name now."""
        paths, todo = {self.root: self.home}, [self.root]
        while todo:
            folder = todo.pop()
            for name, inode in self.now[folder].items():
                paths[inode] = paths[folder] + "/" + name
                if inode.folder:
                    todo.append(inode)
        return paths

    def system(self, path):
        """Which file system PATH is on: with `two`, the state has its own."""
        return "state" if self.two and path.startswith(self.home + "/state") else "mail"

    # ---- calls ----

    def apply(self, event):
        """Do what a call of the log did."""
        if event.ok and not event.skipped:
            method = getattr(self, "_" + event.kind, None)
            if method:
                method(event)

    def _open(self, event):
        inode = self.find(event.path)
        if inode is None and event.a & os.O_CREAT:
            folder, name = self._place(event.path)
            if folder is None:
                return
            inode = Inode()
            inode.dirty_size = True
            self._know(inode, 0o600)
            self._change((folder, name, inode))
        elif inode is not None and event.a & os.O_TRUNC and inode.data:
            inode.truncate(0)
        if inode is not None:
            self.files[event.file] = inode
            self.position[event.file] = 0
            self.appends[event.file] = bool(event.a & os.O_APPEND)

    _open_read = _open

    def _write(self, event):
        inode = self.files.get(event.file)
        if inode is None or not event.result:
            return
        at = len(inode.data) if self.appends[event.file] else self.position[event.file]
        inode.write(at, event.data)
        self.position[event.file] = at + event.result

    _writev = _write

    def _pwrite(self, event):
        if event.file in self.files and event.result:
            self.files[event.file].write(event.a, event.data)

    def _truncate(self, event):
        if event.file in self.files:
            self.files[event.file].truncate(event.a)

    def _mkdir(self, event):
        folder, name = self._place(event.path)
        if folder is not None:
            inode = Inode(True)
            self._know(inode, 0o700)
            self._change((folder, name, inode))

    def _unlink(self, event):
        folder, name = self._place(event.path)
        if folder is not None:
            self._change((folder, name, None))

    def _link(self, event):
        folder, name = self._place(event.other)
        inode = self.find(event.path)
        if folder is not None and inode is not None:
            self._change((folder, name, inode))

    def _rename(self, event):
        old, new = self._place(event.path), self._place(event.other)
        inode = self.find(event.path)
        if old[0] is None or new[0] is None or inode is None:
            return
        if self.model == "split":
            self._change((*old, None), after=self._change((*new, inode)))
        else:
            self._change((*new, inode), (*old, None))

    def _fsync(self, event):
        inode = self.files.get(event.file)
        if inode is None:
            return
        mine = [c for c in self.changes if any(f is inode for f, _n, _i in c.steps)]
        if self.model != "ordered":
            self._durable(mine)
        elif inode.dirty_size or (inode.folder and mine):
            # The journal is written up to now, whoever it was for.
            system = self.system(self._paths().get(inode, self.home))
            self._durable(c for c in self.changes if c.system == system)
        inode.flush()

    _fdatasync = _fsync

    def _syncfs(self, event):
        system, paths = self.system(event.path), self._paths()
        for inode in self.modes:
            if self.system(paths.get(inode, self.home)) == system:
                inode.flush()
        self._durable(c for c in self.changes if c.system == system)

    def _durable(self, changes):
        for change in changes:
            change.durable = True
            if change.after is not None:
                change.after.durable = True
        while self.changes and self.changes[0].durable:
            self._put(self.base, self.changes.pop(0).steps)

    # ---- after the power cut ----

    def crash(self, rng, names, data):
        """A State in which the disk may be found. NAMES and DATA say how much
        of what was not flushed is there: "none", "all" or "some" of it."""
        tree = {folder: dict(entries) for folder, entries in self.base.items()}
        kept = set()
        for change in self._kept(rng, names):
            if change.after is None or change.after.durable or change.after in kept:
                kept.add(change)
                self._put(tree, change.steps)
        state, todo = fsstate.State(), [(self.root, "")]
        while todo:
            folder, path = todo.pop()
            for name, inode in sorted(tree[folder].items()):
                state.add(path + "/" + name, inode, self.modes[inode],
                          None if inode.folder else self._content(inode, rng, data))
                if inode.folder:
                    todo.append((inode, path + "/" + name))
        return state

    def _kept(self, rng, names):
        """The changes that are there."""
        open_ones = [c for c in self.changes if not c.durable]
        if self.model == "ordered":
            systems = {c.system for c in open_ones}
            last = {s: {"none": 0, "all": 10 ** 9}.get(names, rng.randint(
                0, sum(c.system == s for c in open_ones))) for s in sorted(systems)}
            seen = dict.fromkeys(systems, 0)
            for change in self.changes:
                if not change.durable:
                    seen[change.system] += 1
                if change.durable or seen[change.system] <= last[change.system]:
                    yield change
            return
        share = {"none": 0.0, "all": 1.0}.get(names, rng.choice((0.2, 0.5, 0.8)))
        for change in self.changes:
            if change.durable or rng.random() < share:
                yield change

    def _content(self, inode, rng, data):
        """What is in a file."""
        if not inode.versions or data == "none":
            return inode.flushed
        if data == "all":
            return inode.versions[-1]
        if self.model == "ordered":
            return fsstate.prefix(inode, rng)
        return fsstate.blocks(inode, rng)
