# SPDX-License-Identifier: GPL-3.0-or-later
"""Test Anything Protocol, and the closing summary."""

import time
from collections import Counter

from . import oracle

SHOWN = 8               # failing places of one test that are shown in full


class Report:
    """TAP on standard output, one test a scenario."""

    def __init__(self, what):
        self.what, self.tests, self.failed = what, 0, 0
        self.places = self.missed = 0
        self.total, self.before = Counter(), Counter()
        self.begin = time.monotonic()

    @staticmethod
    def diag(text):
        """Diagnostics, which a TAP reader shows but does not judge."""
        for line in str(text).splitlines():
            print("# " + line, flush=True)

    def test(self, good, title):
        """One test line."""
        self.tests += 1
        self.failed += not good
        print("%sok %d - %s" % ("" if good else "not ", self.tests, title), flush=True)

    def skip(self, title):
        """One test line for what cannot be done here."""
        self.tests += 1
        print("ok %d # SKIP %s" % (self.tests, title), flush=True)

    def judge(self, title, verdicts):
        """One test line for all verdicts of a scenario."""
        begin, bad, hit, words = time.monotonic(), 0, 0, Counter()
        for verdict in verdicts:
            self.places += verdict.hit
            self.missed += not verdict.hit
            hit += verdict.hit
            words.update(list(verdict.wrong))
            if verdict.wrong:
                bad += 1
                if bad > SHOWN:
                    self.diag("%s: %s" % (verdict.place, ", ".join(verdict.wrong)))
                else:
                    self.show(verdict)
        self.total.update(words)
        self.test(not bad, "%s: %d places%s (%.0f s)" % (
            title, hit, "".join(", %s %d" % pair for pair in words.items()),
            time.monotonic() - begin))

    def show(self, verdict):
        """All that is known of a place."""
        self.diag("---- %s" % verdict.place)
        for word, texts in verdict.wrong.items():
            for text in texts[:4]:
                self.diag("  %s: %s" % (word, text))
        if verdict.met:
            self.diag("  neighbours: %s" % verdict.met)
        for what, status, errors in verdict.runs:
            self.diag("  [%s] status %d" % (what, status))
            self.diag("\n".join("      " + line for line in errors.splitlines()[-6:]))

    def section(self, what):
        """The sums since the section before."""
        now = Counter(self.total, places=self.places)
        self.diag("%s, %s: places %d, %s" % (self.what, what, (now - self.before)["places"], ", ".join(
            "%s %d" % (word, now[word] - self.before[word])
            for word in ("lost", "doubled", "torn", "stuck"))))
        self.before = now

    def end(self):
        """The plan and the summary; the exit status."""
        print("1..%d" % self.tests)
        words = ["lost", "doubled", "torn", "stuck"]
        words += [w for w in oracle.WORDS if w not in words and self.total[w]]
        words += [w for w in self.total if w not in words and w not in oracle.WORDS]
        self.diag("%s: places %d, %s" % (self.what, self.places, ", ".join(
            "%s %d" % (word, self.total[word]) for word in words)))
        self.diag("%d not reached, %.0f s" % (self.missed, time.monotonic() - self.begin))
        return 1 if self.failed else 0
