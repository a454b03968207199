# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk small enough to fill: a tmpfs that nobody else can see.

The test program moves into a mount namespace of its own, as root or through a
user namespace, so that nothing stays mounted whatever becomes of it.
"""

import contextlib
import ctypes
import os

from . import tap

CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT, MS_REC, MS_PRIVATE = 1, 2, 4, 32, 16384, 1 << 18
MNT_DETACH = 2

_libc = ctypes.CDLL(None, use_errno=True)


def _call(function, *args):
    if function(*args) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _mount(source, target, kind, flags, data):
    _call(_libc.mount, source, target.encode(), kind, ctypes.c_ulong(flags), data)


def _own_user_namespace():
    uid, gid = os.getuid(), os.getgid()
    _call(_libc.unshare, CLONE_NEWUSER | CLONE_NEWNS)
    for name, text in (("setgroups", "deny"), ("uid_map", "%d %d 1" % (uid, uid)),
                       ("gid_map", "%d %d 1" % (gid, gid))):
        with open("/proc/self/" + name, "w") as file:
            file.write(text)


def enter():
    """Move this process, and all it will start, into its own namespace."""
    try:
        try:
            _call(_libc.unshare, CLONE_NEWNS)
        except PermissionError:
            _own_user_namespace()
        _mount(b"none", "/", None, MS_REC | MS_PRIVATE, None)
    except OSError as error:
        raise tap.Skip("no small disk can be mounted here: %s" % error)


class Disk:
    """A mounted tmpfs."""

    def __init__(self, path, kib, inodes):
        self.path = path
        self._options = b"size=%dk,nr_inodes=%d,mode=755" % (kib, inodes)
        _mount(b"tmpfs", path, b"tmpfs", MS_NOSUID | MS_NODEV, self._options)

    def unmount(self):
        """Let it go; what is open stays usable."""
        _call(_libc.umount2, self.path.encode(), MNT_DETACH)

    def read_only(self, yes):
        """Remount it, as the kernel does after an I/O error."""
        flags = MS_REMOUNT | MS_NOSUID | MS_NODEV | (MS_RDONLY if yes else 0)
        _mount(b"tmpfs", self.path, b"tmpfs", flags, self._options)

    def free(self):
        """How many bytes are free."""
        fs = os.statvfs(self.path)
        return fs.f_bavail * fs.f_frsize

    def fill(self, leave=0):
        """Another program writes until only LEAVE bytes are free."""
        with open(self.path + "/filler", "ab", buffering=0) as file:
            with contextlib.suppress(OSError):
                while self.free() > leave:
                    file.write(bytes(min(65536, self.free() - leave)))

    def fill_inodes(self):
        """Another program makes files until no more can be made."""
        os.makedirs(self.path + "/many", exist_ok=True)
        with contextlib.suppress(OSError):
            for number in range(1 << 20):
                os.close(os.open("%s/many/%d" % (self.path, number), os.O_CREAT | os.O_WRONLY))

    def clear(self):
        """The other program's files are removed."""
        for name in ("filler", *("many/" + n for n in
                                 (os.listdir(self.path + "/many")
                                  if os.path.isdir(self.path + "/many") else ()))):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path + "/" + name)


@contextlib.contextmanager
def mounted(path, kib=4096, inodes=4096):
    """A Disk of so many KiB at PATH, which is made."""
    os.mkdir(path)
    disk = Disk(path, kib, inodes)
    try:
        yield disk
    finally:
        disk.unmount()
        os.rmdir(path)
