# SPDX-License-Identifier: GPL-3.0-or-later
"""Every state that a model can come to, each looked at once, nearest first."""

from collections import deque


class State:
    """A few values with names; never changed, copied with changes."""

    def __init__(self, **fields):
        self.__dict__.update(fields)

    def but(self, **changes):
        """The same with other values for some of its fields."""
        new = object.__new__(State)
        new.__dict__.update(self.__dict__)
        new.__dict__.update(changes)
        return new

    def key(self):
        """What tells it from others: `but` keeps the order of the fields."""
        return tuple(self.__dict__.values())


class Found:
    """What an exploration came to."""

    def __init__(self):
        self.states = self.moves = self.ends = 0
        self.labels = set()     # of all moves
        self.wrong = None       # what is wrong in the last state of `trace`
        self.trace = []         # (what was done, the state after it)


def _trace(came, key):
    steps = []
    while key is not None:
        before, label, state = came[key]
        steps.append((label, state))
        key = before
    return steps[::-1]


def explore(model):
    """Goes through all of `model`, to the first state that it says is wrong.

    model.start() is the first state, model.moves(state) yields (label, state)
    for all that may come next, model.judge(state) says what is wrong, or "".
    """
    found, start = Found(), model.start()
    came = {start.key(): (None, "", start)}
    queue = deque(came)
    while queue:
        here = queue.popleft()
        state, moves = came[here][2], 0
        for label, after in model.moves(state):
            moves += 1
            found.labels.add(label)
            key = after.key()
            if key in came:
                continue
            came[key] = (here, label, after)
            found.wrong = model.judge(after)
            if found.wrong:
                found.trace = _trace(came, key)
                return found
            queue.append(key)
        found.moves += moves
        found.ends += not moves
    found.states = len(came)
    return found
