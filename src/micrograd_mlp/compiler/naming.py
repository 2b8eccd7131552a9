"""Names for arrays and axes, from the labels of the numbers in them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, count

from .program import Array, Operand, Statement
from .strides import strides_of

OWN = "k"  # what runs through sums of different lengths; no axis is called so
_LETTERS = "niabcdefghjlmopqrstuvwxyz"
_RESULTS = {"sum": "z", "relu": "h", "tanh": "h", "sigmoid": "h", "leaky_relu": "h", "exp": "e", "softplus": "l"}
_DATA = ("x", "xs", "y", "ys", "data", "batch", "input", "inputs", "target", "targets", "sample", "samples")
_UNIT, _FEATURE, _SAMPLE = "abcdefgh", "ij", "nm"  # letters for what an index counts, the first of these that it does
_PURPOSES = (_UNIT, _FEATURE, _SAMPLE)

Place = tuple[int, int]  # a statement and a term in it, or -1; all axes that meet there have different letters


def name_axes(
    extents: Sequence[int], arrays: Sequence[Array], statements: Sequence[Statement], labels: Sequence[Sequence[str]]
) -> list[str]:
    """Return a name for each axis, given the `labels` of the numbers of each array, which may be empty.

    Axes along which the same dimension of an array is walked have the same name, but for those that meet in one sum.
    Units, as in neurons[3] or w[3][1], are a, b, ...; features, as the 1 in w[3][1] and X[5][1], i and j; samples, as
    in X[5][1], and what has an extent of 0, n and m. The others are n, i, a, b, ... as far as these are free, and then
    n2, i2, ...
    """
    kin = _Kin(extents, arrays, statements)
    shown = {kin.find(axis) for _, axes in _scopes(statements) for axis in axes}
    purposes = {kin.find(axis): _SAMPLE for axis, extent in enumerate(extents) if extent == 0}
    for axis, purpose in _purposes(extents, arrays, labels):
        if purpose and (root := kin.find(axis)) in shown:
            purposes[root] = min(purposes.get(root, purpose), purpose, key=_PURPOSES.index)
    names: dict[int, str] = {}
    taken: set[str] = set()
    letters = _letters()
    for root in dict.fromkeys([*purposes, *sorted(shown), *map(kin.find, range(len(extents)))]):
        own = chain(purposes.get(root, ""), letters)
        names[root] = next(name for name in own if name not in taken)
        taken.add(names[root])
    return [names[kin.find(axis)] for axis in range(len(extents))]


def name_arrays(arrays: Sequence[tuple[str, Sequence[str]]]) -> list[str]:
    """Return a name for each array, given its operation and the labels of its members, which may be empty.

    What the labels have in common is the name: X[0][1], X[1][1] are X; layers[0].neurons[3].w[1] and its like are w;
    p['up'][0][1] and its like are p.up. Names that meet are numbered.
    """
    names = [_common(labels) or _RESULTS.get(op, "x" if op == "input" else "t") for op, labels in arrays]
    times = Counter(names)
    taken = {name for name in names if times[name] == 1}
    free = {name: (n for n in _numbered(name) if n not in taken) for name in times}
    return [name if name in taken else next(free[name]) for name in names]


def _numbered(name: str) -> Iterator[str]:
    return (f"{name}{'_' * name[-1].isdigit()}{number}" for number in count(1))


def _common(labels: Sequence[str]) -> str:
    stems = {re.sub(r"\[\d+\]", "", label).rpartition(".")[2] for label in set(labels)}
    name = stems.pop() if len(stems) == 1 else ""
    return re.sub(r"\[[^\]]*\]", "", re.sub(r"\['(\w+)'\]", r".\1", name))


def _letters() -> Iterator[str]:
    return (letter + ("" if turn == 1 else str(turn)) for turn in count(1) for letter in _LETTERS)


def _scopes(statements: Sequence[Statement]) -> Iterator[tuple[Place, tuple[int, ...]]]:
    """Yield the axes that meet in each statement, and in each of its sums."""
    for number, statement in enumerate(statements):
        yield (number, -1), statement.axes
        for place, term in enumerate(statement.terms):
            yield (number, place), statement.axes + term.axes


class _Kin:
    """Union-find over axes: those along which the same dimension is walked, unless both meet in one place."""

    def __init__(self, extents: Sequence[int], arrays: Sequence[Array], statements: Sequence[Statement]) -> None:
        self.extents, self.arrays, self.parent = extents, arrays, list(range(len(extents)))
        self.places: list[set[Place]] = [set() for _ in extents]
        for place, axes in [*_scopes(statements), *(((-1 - a, -1), array.axes) for a, array in enumerate(arrays))]:
            for axis in axes:
                self.places[axis].add(place)
        for statement in statements:
            self.join(statement.axes, statement.operands)
        for statement in statements:
            for term in statement.terms:
                self.join(statement.axes + term.axes, term.factors)

    def join(self, axes: tuple[int, ...], reads: Sequence[Operand]) -> None:
        """Join each of `axes` with the dimension that one of `reads` walks along."""
        for read in reads:
            if read.index is None and read.source > 0 and len(read.strides) == len(axes):
                theirs = self.arrays[read.source].axes
                strides = dict(zip(strides_of([self.extents[axis] for axis in theirs]), theirs, strict=True))
                for axis, stride in zip(axes, read.strides, strict=True):
                    if stride in strides:
                        self.union(axis, strides[stride])

    def find(self, axis: int) -> int:
        while self.parent[axis] != axis:
            axis = self.parent[axis]
        return axis

    def union(self, a: int, b: int) -> None:
        a, b = sorted((self.find(a), self.find(b)))
        if a != b and self.extents[a] == self.extents[b] and self.places[a].isdisjoint(self.places[b]):
            self.parent[b] = a
            self.places[a] |= self.places[b]


def _purposes(
    extents: Sequence[int], arrays: Sequence[Array], labels: Sequence[Sequence[str]]
) -> Iterator[tuple[int, str]]:
    """Yield what each axis of a labelled array counts, array by array, as the labels have it from left to right.

    Where samples have an axis of their own already, that of a batch, the numbers of one sample are features.
    """
    for array, texts in zip(arrays, labels, strict=True):
        own = [extents[axis] for axis in array.axes]
        found = []
        for axis, extent, stride in zip(array.axes, own, strides_of(own), strict=True):
            if extent > 1 and any(texts[: extent * stride : stride]):
                found.append((*_running(texts[: extent * stride : stride]), axis))
        for _, purpose, axis in sorted(found):
            yield axis, _FEATURE if purpose == _SAMPLE and 0 in own else purpose


def _running(labels: Sequence[str]) -> tuple[int, str]:
    """Return which index runs through the labels, and the letters of what it counts; -1 and none if it is not one."""
    parts = [re.split(r"\[(\d+)\]", label) for label in labels]
    words, length = parts[0][::2], len(parts[0])
    if any(len(part) != length or part[::2] != words for part in parts):
        return -1, ""
    running = [place for place in range(len(words) - 1) if len({part[2 * place + 1] for part in parts}) > 1]
    if len(running) != 1:
        return -1, ""
    (place,) = running
    first = max(p for p in range(place + 1) if words[p])
    following = [p for p in range(first + 1, len(words)) if words[p]]
    return place, _purpose(words[first], place - first, len(words) - 1 - first, bool(following))


def _purpose(word: str, depth: int, indices: int, inside: bool) -> str:
    """Return what the index at `depth` of so many behind a word counts; `inside` if more words follow it."""
    name = word.rpartition(".")[2].lower()
    if re.fullmatch(r"x\d+", name):  # an argument without a name
        return ""
    if inside:
        return _UNIT
    if name in _DATA:
        return _SAMPLE if depth == 0 else _FEATURE if depth == indices - 1 else ""
    if indices == 1:
        return _FEATURE if name[0] == "w" else _UNIT if name[0] == "b" else ""
    return _UNIT if depth == 0 else _FEATURE if depth == indices - 1 else ""
