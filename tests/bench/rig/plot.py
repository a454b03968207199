# SPDX-License-Identifier: GPL-3.0-or-later
"""The plot: how many times as long as postrider each program takes."""

import math

LEFT, WIDTH, BAR, GAP = 150, 480, 16, 14
COLOURS = {"mpop": "#4878a8", "fdm": "#6a9f58", "fetchmail": "#d1615d",
           "getmail6": "#a87c9f", "raw pull": "#9a9a9a"}


def _bars(groups, most):
    """SVG of all bars, and the height they take. GROUPS: (title, rows)."""
    out, y = [], 46
    for title, rows in groups:
        out.append('<text x="10" y="%d" font-weight="bold">%s</text>' % (y, title))
        y += 8
        for row in rows:
            times = row.theirs / row.ours
            width = max(2.0, WIDTH * math.log10(max(times, 0.1) * 10) / most)
            out.append('<text x="%d" y="%d" text-anchor="end">%s</text>'
                       % (LEFT - 6, y + 12, row.name))
            out.append('<rect x="%d" y="%d" width="%.0f" height="%d" fill="%s"/>'
                       % (LEFT, y, width, BAR - 3, COLOURS.get(row.name, "#777")))
            out.append('<text x="%.0f" y="%d">%.2g× (%.2f s)</text>'
                       % (LEFT + width + 6, y + 12, times, row.theirs))
            y += BAR
        y += GAP + 8
    return out, y


def draw(groups, path):
    """Write the plot of GROUPS, (title, rows of wall times) pairs, to PATH."""
    most = max([math.log10(10 * row.theirs / row.ours)
                for _title, rows in groups for row in rows] + [2.0])
    bars, height = _bars(groups, most)
    one = LEFT + WIDTH / most
    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" '
           'font-family="sans-serif" font-size="12">' % (LEFT + WIDTH + 140, height),
           '<rect width="100%" height="100%" fill="white"/>',
           '<text x="10" y="20" font-size="14">Time of other programs, postrider = 1 '
           '(logarithmic)</text>',
           '<line x1="%.0f" y1="28" x2="%.0f" y2="%d" stroke="#888" '
           'stroke-dasharray="3"/>' % (one, one, height - 8)]
    with open(path, "w") as file:
        file.write("\n".join(out + bars + ["</svg>"]) + "\n")
