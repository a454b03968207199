# SPDX-License-Identifier: GPL-3.0-or-later
"""The plot: how many times as much as postrider each program needs."""

import math

from .table import figure

LEFT, WIDTH, RIGHT, TOP, BAR, GAP = 90, 520, 170, 64, 17, 32
TICKS = (0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
COLOURS = {"mpop": "#4878a8", "fdm": "#6a9f58", "fetchmail": "#d1615d",
           "getmail6": "#a87c9f", "raw pull": "#9a9a9a"}
TEXT = '<text x="%.0f" y="%d"%s>%s</text>'
END, BOLD, GREY = ' text-anchor="end"', ' font-weight="bold"', ' fill="#555"'
MIDDLE = ' text-anchor="middle"' + GREY


class Scale:
    """A logarithmic scale that has room for all of RATIOS, and for 1."""

    def __init__(self, ratios):
        low, high = min(ratios + [0.9]), max(ratios + [1.1])
        first = max([t for t in TICKS if t <= low], default=TICKS[0])
        last = min([t for t in TICKS if t >= high], default=TICKS[-1])
        self.ticks = [t for t in TICKS if first <= t <= last]
        self.low, self.high = math.log(self.ticks[0]), math.log(self.ticks[-1])

    def at(self, ratio):
        """Where RATIO is."""
        part = (math.log(ratio) - self.low) / (self.high - self.low)
        return LEFT + WIDTH * min(max(part, 0), 1)


def _bar(scale, row, y):
    """One program: from the line of postrider to where it is."""
    out = [TEXT % (LEFT - 8, y + 12, END, row.name)]
    if row.failed:
        return out + [TEXT % (scale.at(1) + 6, y + 12, GREY, "failed")]
    times = row.theirs / row.ours
    left, right = sorted((scale.at(1), scale.at(times)))
    out.append('<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"/>'
               % (left, y, max(right - left, 1), BAR - 3, COLOURS.get(row.name, "#777")))
    text = "%.0f" % times if times >= 10 else "%.2g" % times
    return out + [TEXT % (right + 6, y + 12, "", "%s× (%s)"
                          % (text, figure(row.theirs, row.unit)))]


def _groups(scale, groups):
    """The bars of all groups, and where they end."""
    out, y = [], TOP + 18
    for title, rows in groups:
        out.append('<rect x="0" y="%d" width="100%%" height="22" fill="white"/>' % (y - 15))
        out.append(TEXT % (10, y, BOLD, title))
        out.append(TEXT % (LEFT + WIDTH + RIGHT - 10, y, END + GREY, "postrider: "
                           + figure(rows[0].ours, rows[0].unit)))
        y += 8
        for row in rows:
            out += _bar(scale, row, y)
            y += BAR
        y += GAP - 8
    return out, y - GAP + 8


def _grid(scale, height):
    out = []
    for tick in scale.ticks:
        x = scale.at(tick)
        out.append('<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="%s"/>'
                   % (x, TOP, x, height, "#444" if tick == 1 else "#ddd"))
        out.append(TEXT % (x, TOP - 6, MIDDLE, "%g×" % tick))
    return out


def draw(groups, path):
    """Write the plot of GROUPS, (title, rows) pairs, to PATH."""
    scale = Scale([row.theirs / row.ours for _title, rows in groups for row in rows
                   if not row.failed])
    bars, end = _groups(scale, groups)
    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" '
           'font-family="sans-serif" font-size="12">' % (LEFT + WIDTH + RIGHT, end + 12),
           '<rect width="100%" height="100%" fill="white"/>',
           TEXT % (10, 20, ' font-size="15"' + BOLD,
                   "Time (or memory) that other programs need, postrider = 1"),
           TEXT % (10, 38, GREY, "Logarithmic; to the right of 1 they need more. raw pull: "
                   "the same bytes, pulled and thrown away.")]
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(out + _grid(scale, end) + bars + ["</svg>"]) + "\n")
