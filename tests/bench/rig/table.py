# SPDX-License-Identifier: GPL-3.0-or-later
"""The table: figures beside each other, and whether targets are met."""

from dataclasses import dataclass

from . import contest

LINE = "  %-30s %10s  %-28s %7s  %s"


@dataclass
class Row:
    """OURS measured against THEIRS: at most TARGET, as a ratio if there is
    something to compare with, else as it is."""

    what: str
    ours: float
    unit: str
    name: str = ""
    theirs: float = 0.0
    target: float = None
    runs: int = 0           # of how many THEIRS is the median, if of fewer than others
    failed: str = ""        # why THEIRS is not there
    plot: bool = False

    @property
    def value(self):
        """What TARGET is about."""
        return self.ours / self.theirs if self.name and self.theirs else self.ours


def _row(what, ours, unit, name, sample, theirs, target, plot):
    fewer = sample.runs if sample.runs < contest.ROUNDS else 0
    return Row(what, ours, unit, name, theirs, target, fewer, sample.failed, plot)


def walls(medians, targets, plot=True):
    """A row for each program's wall time; TARGETS by name."""
    ours = medians["postrider"].wall
    return [_row("wall time", ours, "s", name, m, m.wall, targets.get(name), plot)
            for name, m in medians.items() if name != "postrider"]


def peers(medians, what, name, unit, scale=1.0, targets=(), plot=False):
    """A row for each program that was measured so."""
    targets = dict(targets)
    ours = medians["postrider"].get(name) / scale
    return [_row(what, ours, unit, n, m, m.get(name) / scale, targets.get(n), plot)
            for n, m in medians.items() if n != "postrider" and m.get(name)]


def figure(value, unit=""):
    """VALUE with three digits or so."""
    if value == int(value) and value >= 10:
        text = "%d" % value
    else:
        text = "%.0f" % value if value >= 1000 else "%.3g" % value
    return (text + " " + unit).strip()


def _against(row):
    if not row.name:
        return ""
    return "%s %s%s" % (row.name, figure(row.theirs, row.unit),
                        " (%d run%s)" % (row.runs, "s"[:row.runs - 1]) if row.runs else "")


def _line(row, repeated):
    what, ours = ("", "") if repeated else (row.what, figure(row.ours, row.unit))
    if row.failed:
        return LINE.rstrip(" %7s") % (what, ours, row.name + " FAILED: " + row.failed)
    verdict = "" if row.target is None else "at most %-6s %s" % (
        figure(row.target), "met" if row.value <= row.target else "MISSED")
    ratio = "%.2f" % row.value if row.value >= 0.01 else "%.1g" % row.value
    return LINE % (what, ours, _against(row), ratio if row.name else "", verdict)


def head():
    """How to read what follows."""
    fewer = ["of %d if a run takes longer than %d s" % (most, seconds)
             for seconds, most in reversed(contest.SLOW) if most < contest.ROUNDS]
    return """\
ratio: postrider's figure divided by the other's; below 1, postrider needs less.
target: for the ratio, or for postrider's figure where nothing stands beside it.
Medians of %s.

""" % ", ".join(["%d, in turn" % contest.ROUNDS] + fewer) + LINE % (
        "", "postrider", "other", "ratio", "target")


def lines(rows):
    """ROWS as lines; what the line before has said is not repeated."""
    last = None
    for row in rows:
        yield _line(row, last == (row.what, row.ours)).rstrip()
        last = (row.what, row.ours)
