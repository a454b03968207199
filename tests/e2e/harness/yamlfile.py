# SPDX-License-Identifier: GPL-3.0-or-later
"""Write configurations the way a person would: block YAML, plain words."""

import re

PLAIN = re.compile(r"[A-Za-z0-9_./@~-][A-Za-z0-9_./@~+ -]*\Z")
WORDS = {"true", "false", "null", "yes", "no", "on", "off", "~"}
NUMBER = re.compile(r"[0-9.+-]+\Z")


def scalar(value):
    """One value on one line; only text that would be misread is quoted."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(scalar, value)) + "]"
    plain = PLAIN.match(value) and value.lower() not in WORDS
    if plain and not NUMBER.match(value) and value == value.strip():
        return value
    return '"%s"' % value.replace("\\", "\\\\").replace('"', '\\"')


def dump(tree, depth=0):
    """TREE, of dicts, lists of scalars and scalars, as block YAML."""
    lines = []
    for key, value in tree.items():
        if value is None:
            continue
        if isinstance(value, dict) and value:
            lines.append("%s%s:\n%s" % ("  " * depth, key, dump(value, depth + 1)))
        elif isinstance(value, dict):
            lines.append("%s%s: {}\n" % ("  " * depth, key))
        else:
            lines.append("%s%s: %s\n" % ("  " * depth, key, scalar(value)))
    return "".join(lines)
