# SPDX-License-Identifier: GPL-3.0-or-later
"""What went to the server, and what the server made of it."""

import re

from . import corpus


class Wire:
    """Follows the commands of a log; one session a run."""

    def __init__(self, texts):
        self.held = dict(texts)             # what the server will serve
        self.start()

    def start(self):
        """A new session begins: numbers are given anew."""
        self.numbers = sorted(self.held)    # serial numbers, as corpus.name sorts
        self.marked, self.buffer = [], b""

    def apply(self, event):
        """Follow one call. Gives the commands that went out with it, each a
        verb and the serial number it is about, or None."""
        if event.kind != "send" or not event.ok:
            return []
        *lines, self.buffer = (self.buffer + event.data).split(b"\r\n")
        return [self._command(line) for line in lines]

    def _command(self, line):
        found = re.match(rb"(RETR|DELE|TOP) (\d+)", line)
        if found:
            number = int(found.group(2))
            serial = self.numbers[number - 1] if number <= len(self.numbers) else None
            verb = found.group(1).decode()
            if verb == "DELE":
                self.marked.append(serial)
            return verb, serial
        if line == b"QUIT":
            for serial in self.marked:
                self.held.pop(serial, None)
            self.marked = []
        return line.decode("latin-1").split(" ")[0], None


assert corpus.name(2) < corpus.name(10)     # sorted by name is sorted by number
