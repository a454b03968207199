# SPDX-License-Identifier: GPL-3.0-or-later
"""Read back what was delivered, in every form, as a list of messages.

Each reader is written from the definition of the format and gives the bytes
of the messages as they were before the format wrapped them.
"""

import gzip
import os
import re
import subprocess
import zlib

from . import tap


def _files(folder):
    """The paths of the messages in FOLDER, not of the program's own marks."""
    if not os.path.isdir(folder):
        return []
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder))
            if not name.startswith(".")]


def read(path):
    """The bytes of a file."""
    with open(path, "rb") as file:
        return file.read()


def maildir(path):
    """The messages of a Maildir: every file in new/ and cur/."""
    return [read(name) for sub in ("new", "cur") for name in _files(path + "/" + sub)]


def maildir_gzip(path):
    """The messages of a Maildir whose files are one gzip member each."""
    messages = []
    for data in maildir(path):
        (message,) = members(data)
        messages.append(message)
    return messages


def litter(path):
    """What lies in the tmp/ of a Maildir."""
    return sorted(os.listdir(path + "/tmp")) if os.path.isdir(path + "/tmp") else []


def members(data):
    """The gzip members of DATA, each decompressed and its checksum proved."""
    parts = []
    while data:
        stream = zlib.decompressobj(wbits=31)
        parts.append(stream.decompress(data) + stream.flush())
        tap.check(stream.eof, "a gzip member is cut short")
        data = stream.unused_data
    return parts


def split_mbox(data):
    """The messages in the bytes of an mbox of the mboxrd kind.

    A message begins at each line that starts with `From `, for inside a message
    such a line has a `>` in front; the writer's blank line ends it.
    """
    tap.check(not data or data.startswith(b"From "), "the mbox starts with no From_ line",
              repr(data[:200]))
    messages = []
    for part in re.split(rb"^From [^\n]*\n", data, flags=re.MULTILINE)[1:]:
        tap.check(part.endswith(b"\n"), "no blank line ends a message of the mbox")
        messages.append(re.sub(rb"^>(>*From )", rb"\1", part[:-1], flags=re.MULTILINE))
    return messages


def mbox(path):
    """The messages of an mbox file; one that is not there holds none."""
    return split_mbox(read(path)) if os.path.exists(path) else []


def mbox_gzip(path):
    """The messages of a gzip mbox; each message must be one member."""
    data = read(path) if os.path.exists(path) else b""
    parts = members(data)
    for part in parts:
        tap.equal(len(split_mbox(part)), 1, "messages in one gzip member")
    tap.equal(b"".join(parts), gzip.decompress(data), "the members against the whole")
    return split_mbox(b"".join(parts))


def gunzip_reads(path):
    """Whether gunzip(1), not only a library, takes the file as whole."""
    with open(path, "rb") as file:
        return subprocess.run(["gunzip", "-t"], stdin=file,
                              stderr=subprocess.DEVNULL).returncode == 0
