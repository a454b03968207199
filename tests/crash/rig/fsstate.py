# SPDX-License-Identifier: GPL-3.0-or-later
"""The states in which a power cut may leave a file, and a whole home."""

import os

BLOCK = 4096


def is_comfort(path):
    """Whether it is what an account remembers of its passes: nothing that a
    fetch does depends on it, so states that differ in nothing else are one."""
    return os.path.basename(path) in ("memory", "memory.new")


def prefix(inode, rng):
    """The file after some of its writes, the last of them up to a block."""
    number = rng.randint(0, len(inode.versions))
    if number == 0:
        return inode.flushed
    text = inode.versions[number - 1]
    before = inode.versions[number - 2] if number > 1 else inode.flushed
    blocks = range(len(before) // BLOCK + 1, len(text) // BLOCK + 1)
    if blocks and rng.random() < 0.5:
        return text[:rng.choice(blocks) * BLOCK]
    return text


def blocks(inode, rng):
    """Each block as it was at some moment, and so the size; or zero."""
    versions = [inode.flushed, *inode.versions]
    size = len(rng.choice(versions))
    result = bytearray(size)
    for at in range(0, size, BLOCK):
        block = rng.choice(versions)[at:at + BLOCK][:size - at]
        result[at:at + len(block)] = block
    return bytes(result)


class State:
    """A home as a power cut left it; set up like a Snapshot."""

    def __init__(self):
        self.folders, self.files, self.links = [], [], []
        self._seen = {}

    def add(self, path, inode, mode, data):
        """A folder (data None) or a file; a second name becomes a link."""
        if data is None:
            self.folders.append((path, mode))
        elif inode in self._seen:
            self.links.append((self._seen[inode], path))
        else:
            self._seen[inode] = path
            self.files.append((path, mode, data))

    def key(self):
        """Equal for equal states, but for comfort."""
        files = [file for file in self.files if not is_comfort(file[0])]
        return hash((tuple(sorted(self.folders)), tuple(sorted(files)),
                     tuple(sorted(self.links))))

    def put(self, home):
        """Make it in an empty folder."""
        for path, mode in self.folders:
            os.mkdir(home + path, mode)
        for path, mode, data in self.files:
            fd = os.open(home + path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            os.write(fd, data)
            os.close(fd)
        for old, new in self.links:
            os.link(home + old, home + new)
