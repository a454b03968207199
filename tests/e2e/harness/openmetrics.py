# SPDX-License-Identifier: GPL-3.0-or-later
"""A strict reader of OpenMetrics text, as much of it as we write.

Families are whole and come once, each with its type before its samples; a
unit is the end of the name; counters end in _total; nothing is given twice;
`# EOF` is the last line.
"""

import re

from . import tap

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_META = re.compile(r"# (TYPE|UNIT|HELP) (%s) (.*)\Z" % _NAME)
_SAMPLE = re.compile(r"(%s)\{(.*)\} (-?\d+(?:\.\d+)?)\Z" % _NAME)
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|\Z)')
_ENDS = {"counter": ("_total",), "gauge": ("",)}


def _labels(text):
    """The labels of a sample, unescaped."""
    labels, at = {}, 0
    while at < len(text):
        match = _LABEL.match(text, at)
        tap.check(match, "no label at %r" % text[at:])
        tap.check(match[1] not in labels, "label %s twice" % match[1])
        labels[match[1]] = re.sub(r"\\(.)", lambda m: {"n": "\n"}.get(m[1], m[1]), match[2])
        at = match.end()
    tap.check(not text.endswith(","), "a comma behind the last label")
    return labels


class Exposition:
    """All samples of a text: (name, sorted labels): number."""

    def __init__(self, text):
        tap.check(text.endswith("# EOF\n"), "no # EOF at the end", text[-200:])
        self.meta, self.samples, self.now = {}, {}, None
        for line in text[:-len("# EOF\n")].split("\n")[:-1]:
            meta = _META.match(line)
            if meta:
                self._meta(*meta.groups())
            else:
                self._sample(line)

    def _meta(self, what, name, value):
        if name != self.now:
            tap.check(name not in self.meta, "family %s comes twice" % name)
            self.now, self.meta[name] = name, {}
        tap.check(what not in self.meta[name], "%s of %s twice" % (what, name))
        self.meta[name][what] = value
        if what == "TYPE":
            tap.check(value in _ENDS, "type " + value)
        if what == "UNIT":
            tap.check(name.endswith("_" + value), "unit %s of %s" % (value, name))

    def _sample(self, line):
        match = _SAMPLE.match(line)
        tap.check(match, "no sample: %r" % line)
        name, labels, number = match.groups()
        ends = _ENDS[self.meta[self.now]["TYPE"]]
        tap.check(name in [self.now + end for end in ends], "%s in family %s" % (name, self.now))
        key = (name, tuple(sorted(_labels(labels).items())))
        tap.check(key not in self.samples, "%r twice" % (key,))
        tap.check(not name.endswith("_total") or float(number) >= 0, "a negative counter")
        self.samples[key] = float(number)

    def get(self, name, **labels):
        """A sample's number, or None."""
        return self.samples.get((name, tuple(sorted(labels.items()))))
