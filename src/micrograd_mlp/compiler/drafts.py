"""Statements under way: who reads whom, as nested strides or as places, and products that become contractions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from .levels import distinct
from .members import Members, Summands
from .program import ANYWHERE, CODE, INPUT, SUM, Families, Ints
from .strides import Cuts, Dims, factor


@dataclass(eq=False)
class Read:
    """One operand under way: `places` (members, k) in `source`; `outer` and `inner` its strides, None if a gather."""

    source: int
    places: Ints
    outer: Dims | None = None
    inner: Dims | None = None

    def __post_init__(self) -> None:
        steps = self.places[:1] - self.places[0, 0]
        if steps.size == 1 or (self.places - self.places[:, :1] == steps).all():
            self.outer, self.inner = factor(self.places[:, 0]), factor(steps[0])
        self.affine = self.outer is not None and self.inner is not None

    @property
    def dims(self) -> Dims:
        """All strides, those along the members first."""
        return (self.outer or []) + (self.inner or [])

    def gather(self) -> None:
        """Let it be an index array."""
        self.affine = False


@dataclass(eq=False)
class DraftTerm:
    """A summand under way: one read or the product of two, for each member all of one length, or of these `counts`."""

    factors: list[Read]
    counts: Ints | None = None
    cuts: Cuts = ()  # of the sum

    @property
    def size(self) -> int:
        """How many numbers each member adds."""
        return int(self.factors[0].places.shape[1])


@dataclass(eq=False)
class Draft:
    """A statement under way: the family it computes, its operands or terms, and how its members are cut into axes."""

    family: int
    operands: list[Read] = field(default_factory=list)
    terms: list[DraftTerm] = field(default_factory=list)

    def spaces(self) -> Iterator[tuple[DraftTerm | None, Read]]:
        """Yield every operand with the term it is in; those of ragged terms walk along no axes."""
        yield from ((None, read) for read in self.operands)
        yield from ((term, read) for term in self.terms if term.counts is None for read in term.factors)


class Drafts(Members):
    """Families of which those `fused` are products that only sums read, and the others `kept`, with their `drafts`.

    `constants` grows as they are drafted; `bases` says where the array of each family begins.
    """

    def __init__(self, families: Families) -> None:
        super().__init__(families)
        self.constants = self.scalars.value[self.members(0)]
        self.fused = self._find_contractions()
        self.kept = [f for f in range(families.count) if f not in self.fused]
        self.drafts = [self._draft(family) for family in self.kept[1:] if self.op(family) != INPUT]
        self.bases = np.zeros(families.count, dtype=np.int64)
        end = 0
        for batched in (False, True):  # as in ArrayProgram.bases
            for family in self.kept:
                if (self.batch(family) > 0) == batched:
                    self.bases[family], end = end, end + self.size(family)

    def size(self, family: int) -> int:
        """Return how many numbers the array of a family holds."""
        return self.sizes[family] if family else len(self.constants)

    def _find_contractions(self) -> set[int]:
        """Return the families of products that are summed, each once and all alike, and used nowhere else."""
        if not self.families.regular:
            return set()
        uses = np.bincount(self.scalars.args, minlength=len(self.family))
        uses[self.scalars.outputs] += 1
        user = np.zeros(len(self.family), dtype=np.int64)
        user[self.scalars.args] = np.repeat(np.arange(len(self.family)), np.diff(self.scalars.start))
        fused = set()
        for family in range(1, self.families.count):
            rows = self.members(family)
            if self.op(family) == CODE["mul"] and (uses[rows] == 1).all():
                sums = distinct(self.family[user[rows]])
                if len(sums) == 1 and self.op(int(sums[0])) == SUM and self._can_contract(family, int(sums[0])):
                    fused.add(family)
        return fused

    def _can_contract(self, family: int, into: int) -> bool:
        if self.batch(family) != (self.closes(into) or self.batch(into)):
            return False
        for summands in self.sums_of(into):
            if summands.source == family and summands.counts is None:
                factors = [self.argument(summands.rows, place) for place in (0, 1)]
                return all(not self.family[rows].any() or self._read(rows).affine for rows in factors)
        return False

    def _read(self, rows: Ints) -> Read:
        """Return the operand that takes these rows (members, k); constants that differ become an array of their own."""
        source = int(self.family[rows.flat[0]])
        if (self.family[rows] != source).any():
            read = Read(ANYWHERE, rows)
            read.gather()
            return read
        read = Read(source, self.rank[rows])
        if source == 0 and not read.affine:
            places = len(self.constants) + np.arange(rows.size).reshape(rows.shape)
            self.constants = np.append(self.constants, self.scalars.value[rows])
            read = Read(0, places)
        return read

    def _draft(self, family: int) -> Draft:
        """Return the statement of a family."""
        rows = self.rows[family]
        if self.reduces(family):
            return Draft(family, terms=[self._term(summands) for summands in self.sums_of(family)])
        count = int(self.scalars.start[rows[0] + 1] - self.scalars.start[rows[0]])
        return Draft(family, operands=[self._read(self.argument(rows, p)[:, None]) for p in range(count)])

    def _term(self, summands: Summands) -> DraftTerm:
        if summands.counts is not None:
            return DraftTerm([self._read(summands.rows[:, None])], summands.counts)
        if summands.source in self.fused:
            return DraftTerm([self._read(self.argument(summands.rows, place)) for place in (0, 1)])
        return DraftTerm([self._read(summands.rows)])
