"""Names for arrays and axes, from the labels of the numbers in them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import count, islice

_LETTERS = "niabcdefghjklmopqrstuvwxyz"
_RESULTS = {"sum": "z", "relu": "h", "tanh": "h", "sigmoid": "h", "leaky_relu": "h", "exp": "e", "softplus": "l"}


def name_axes(size: int) -> list[str]:
    """Return a name for each of so many axes: n, i, a, b, ... and then n2, i2, ..."""
    names = (letter + ("" if turn == 1 else str(turn)) for turn in count(1) for letter in _LETTERS)
    return list(islice(names, size))


def name_arrays(arrays: Sequence[tuple[str, Sequence[str]]]) -> list[str]:
    """Return a name for each array, given its operation and the labels of its members, which may be empty.

    What the labels have in common is the name: X[0][1], X[1][1] are X; layers[0].neurons[3].w[1] and its like are w.
    Names that meet are numbered.
    """
    names = [_common(labels) or _RESULTS.get(op, "x" if op == "input" else "t") for op, labels in arrays]
    times, seen = Counter(names), Counter[str]()
    out = []
    for name in names:
        seen[name] += 1
        out.append(name if times[name] == 1 else f"{name}{seen[name]}")
    return out


def _common(labels: Sequence[str]) -> str:
    stems = {re.sub(r"\[[^\]]*\]", "", label).rpartition(".")[2] for label in labels}
    return stems.pop() if len(stems) == 1 else ""
