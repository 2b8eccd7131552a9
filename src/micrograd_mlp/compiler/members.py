"""The members of families in an order in which they read one another by rising strides, and what sums of them add."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .levels import group, ranges
from .program import ANYWHERE, CONSTANT, SUM, Families, Ints
from .strides import Cuts, blocks_of, cuts_of, extents_of, factor, refine


@dataclass(frozen=True, eq=False)
class Summands:
    """What a family of sums adds from one source: rows (members, k), or if ragged rows one after the other."""

    source: int
    rows: Ints
    counts: Ints | None = None  # of a ragged sum


class Members:
    """Families with their members in order: `rank` of each scalar in its family, and `rows` of each family by rank."""

    def __init__(self, families: Families) -> None:
        self.families, self.scalars, self.family = families, families.scalars, families.family
        self.order, self.first = group(self.family, families.count)
        self.sizes: list[int] = np.diff(self.first).tolist()
        self.rank = np.zeros(len(self.family), dtype=np.int64)
        self._number()
        self.rows = [self._sorted_members(family) for family in range(families.count)]
        self._sums: dict[int, list[Summands]] = {}

    def members(self, family: int) -> Ints:
        """Return the members of a family as they were made."""
        return self.order[self.first[family] : self.first[family + 1]]

    def argument(self, rows: Ints, place: int) -> Ints:
        """Return what each of `rows` reads at a place."""
        return self.scalars.args[self.scalars.start[rows] + place]

    def op(self, family: int) -> int:
        """Return the operation of a family."""
        return int(self.scalars.op[self.order[self.first[family]]])

    def reduces(self, family: int) -> bool:
        """Say whether the members of a family take any number of arguments."""
        return bool(self.scalars.reduces[self.order[self.first[family]]])

    def batch(self, family: int) -> int:
        """Return the batch that a family belongs to; that of a sum over samples is 0."""
        return int(self.scalars.batch[self.order[self.first[family]]]) if self.sizes[family] else 0

    def closes(self, family: int) -> int:
        """Return the batch over whose samples a family of sums adds up, 0 for none."""
        row = self.order[self.first[family]]
        return int(self.scalars.value[row]) if self.op(family) == SUM else 0

    def sums_of(self, family: int) -> list[Summands]:
        """Return what the members of a family of sums add, in the order of their ranks."""
        if family not in self._sums:
            self._sums[family] = self._summands(self.rows[family], self.place)
        return self._sums[family]

    def _number(self) -> None:
        """Give each member its rank: the order in which members were made, turned where that makes strides positive."""
        place = np.zeros(len(self.family), dtype=np.int64)
        for family in range(self.families.count):
            rows = self.members(family)
            if len(rows) > 1 and self.op(family) > CONSTANT:
                rows = rows[_best_order(self._columns(family, rows, place), len(rows))]
            self.rank[rows] = np.arange(len(rows))
            place[rows] = self.first[family] + self.rank[rows]
        self.place = place

    def _columns(self, family: int, rows: Ints, place: Ints) -> list[Ints]:
        """Return for each argument the place it reads for each of `rows`; for a sum the lowest of each source."""
        if not self.reduces(family):
            count = int(self.scalars.start[rows[0] + 1] - self.scalars.start[rows[0]])
            arguments = [self.argument(rows, p) for p in range(count)]
        else:
            arguments = [_lowest(summands) for summands in self._summands(rows, place)]
        return [place[rows] for rows in arguments if self.family[rows].any()]

    def _sorted_members(self, family: int) -> Ints:
        rows = self.members(family)
        out = np.empty_like(rows)
        out[self.rank[rows]] = rows
        return out

    def _summands(self, rows: Ints, place: Ints) -> list[Summands]:
        """Return what these sums add, by source; from anywhere if not all of them read the same families."""
        counts = self.scalars.start[rows + 1] - self.scalars.start[rows]
        args = self.scalars.args[ranges(self.scalars.start[rows], counts)]
        owner = np.repeat(np.arange(len(rows)), counts)
        args = args[np.lexsort((place[args], self.family[args], owner))]
        kinds, which = np.unique(self.family[args], return_inverse=True)
        table = np.zeros((len(rows), len(kinds)), dtype=np.int64)
        np.add.at(table, (owner, which), 1)
        if not table.all():
            return [_table(ANYWHERE, args, counts)]
        return [_table(int(kind), args[which == k], table[:, k]) for k, kind in enumerate(kinds)]


def _lowest(summands: Summands) -> Ints:
    rows, counts = summands.rows, summands.counts
    lowest: Ints = rows[:, 0] if counts is None else rows[np.cumsum(counts) - counts]
    return lowest


def _table(source: int, rows: Ints, counts: Ints) -> Summands:
    if (counts == counts[0]).all():
        return Summands(source, rows.reshape(len(counts), -1))
    return Summands(source, rows, counts)


def _best_order(columns: list[Ints], size: int) -> Ints:
    """Return an order of the members in which they read the columns by nested, rising strides, as far as there is one.

    The order in which they were made comes first, each dimension turned where most strides fall along it; then the
    order by what they read.
    """
    turned: Ints | None = _turned(columns, size)
    if turned is not None:
        return turned
    by_arguments: Ints = np.lexsort(columns[::-1])
    if _turned([column[by_arguments] for column in columns], size) is not None:
        return by_arguments
    falls = sum(int(np.sign(np.diff(column)).sum()) < 0 for column in columns)
    return np.arange(size)[:: -1 if 2 * falls > len(columns) else 1]


def _turned(columns: list[Ints], size: int) -> Ints | None:
    """Return the order made, each dimension turned where most strides fall; None if the columns are not affine."""
    cuts: Cuts | None = ()
    for column in columns:
        dims = factor(column)
        cuts = None if dims is None or cuts is None else refine(cuts, cuts_of(dims), size)
    if cuts is None:
        return None
    votes = [sum(int(np.sign(column[b] - column[0])) for column in columns) for b in blocks_of(cuts, size)]
    flips = tuple(slice(None, None, -1 if vote < 0 else 1) for vote in votes)
    order: Ints = np.arange(size).reshape(extents_of(cuts, size))[flips].ravel()
    return order
