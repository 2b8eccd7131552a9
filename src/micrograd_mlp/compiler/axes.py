"""Turn families into arrays: number the members, write who reads whom as strides, and join what walks together.

Every read of a family is a sequence of places in another. Where it factors into nested strides it becomes an affine
operand, else an index array. The common refinement of all sequences is the shape of a family; dimensions that walk
along one another are one axis (union-find). A product that is only summed becomes a contraction.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from dataclasses import replace as with_changes

import numpy as np

from .levels import group, ranges
from .naming import name_arrays, name_axes
from .program import (
    ANYWHERE,
    CODE,
    CONSTANT,
    INPUT,
    NAMES,
    SUM,
    Array,
    ArrayProgram,
    Axis,
    Families,
    Ints,
    Operand,
    Statement,
    Term,
)
from .strides import Cuts, Dims, blocks_of, cuts_of, extents_of, factor, is_slice, refine


@dataclass(frozen=True, eq=False)
class _Summands:
    """What a family of sums adds from one source: rows (members, k), or if ragged rows one after the other."""

    source: int
    rows: Ints
    counts: Ints | None = None  # of a ragged sum


@dataclass(eq=False)
class _Read:
    """One operand under way: `places` (members, k) in `source`; `outer` and `inner` its strides, None if a gather."""

    source: int
    places: Ints
    outer: Dims | None = None
    inner: Dims | None = None

    def __post_init__(self) -> None:
        steps = self.places - self.places[:, :1]
        if (steps == steps[0]).all():
            self.outer, self.inner = factor(self.places[:, 0]), factor(steps[0])
        self.affine = self.outer is not None and self.inner is not None

    @property
    def dims(self) -> Dims:
        return (self.outer or []) + (self.inner or [])

    def gather(self) -> None:
        self.affine = False


@dataclass(eq=False)
class _Term:
    factors: list[_Read]
    counts: Ints | None = None
    cuts: Cuts = ()  # of the sum

    @property
    def size(self) -> int:
        return int(self.factors[0].places.shape[1])


@dataclass(eq=False)
class _Draft:
    """A statement under way: the family it computes, its operands or terms, and how its members are cut into axes."""

    family: int
    operands: list[_Read] = field(default_factory=list)
    terms: list[_Term] = field(default_factory=list)

    def spaces(self) -> Iterator[tuple[_Term | None, _Read]]:
        """Yield every operand with the term it is in; those of ragged terms walk along no axes."""
        yield from ((None, read) for read in self.operands)
        yield from ((term, read) for term in self.terms if term.counts is None for read in term.factors)


def find_axes(families: Families) -> ArrayProgram:
    """Return the arrays and statements that these families are."""
    return _Builder(families).build()


class _Builder:
    def __init__(self, families: Families) -> None:
        self.families, self.scalars, self.family = families, families.scalars, families.family
        self.order, self.first = group(self.family, families.count)
        self.sizes: list[int] = np.diff(self.first).tolist()
        self.constants = self.scalars.value[self.members(0)]
        self.rank = np.zeros(len(self.family), dtype=np.int64)
        self.cuts: list[Cuts] = [()] * families.count

    def members(self, family: int) -> Ints:
        return self.order[self.first[family] : self.first[family + 1]]

    def argument(self, rows: Ints, place: int) -> Ints:
        return self.scalars.args[self.scalars.start[rows] + place]

    def op(self, family: int) -> int:
        return int(self.scalars.op[self.order[self.first[family]]])

    def reduces(self, family: int) -> bool:
        return bool(self.scalars.reduces[self.order[self.first[family]]])

    def batch(self, family: int) -> int:
        """Return the batch that a family belongs to; that of a sum over samples is 0."""
        return int(self.scalars.batch[self.order[self.first[family]]]) if self.sizes[family] else 0

    def closes(self, family: int) -> int:
        """Return the batch over whose samples a family of sums adds up, 0 for none."""
        row = self.order[self.first[family]]
        return int(self.scalars.value[row]) if self.op(family) == SUM else 0

    def build(self) -> ArrayProgram:
        """Return the program: number, draft, cut, join, and write it all down."""
        self.number()
        self.rows = [self.sorted_members(family) for family in range(self.families.count)]
        self.fused = self.find_contractions()
        computed = [f for f in range(1, self.families.count) if f not in self.fused and self.op(f) != INPUT]
        kept = [f for f in range(self.families.count) if f not in self.fused]
        self.bases = np.zeros(self.families.count, dtype=np.int64)
        drafts = [self.draft(family) for family in computed]
        sizes = [len(self.constants), *(self.sizes[f] for f in kept[1:])]
        end = 0
        for batched in (False, True):  # as in ArrayProgram.bases
            for family, size in zip(kept, sizes, strict=True):
                if (self.batch(family) > 0) == batched:
                    self.bases[family], end = end, end + size
        for draft in drafts:
            self.cut(draft)
        while sum(map(self.spread, drafts)):  # until nothing changes
            pass
        return self.write(drafts, kept, sizes)

    # Numbers

    def number(self) -> None:
        """Give each member its rank: the order in which members were made, turned where that makes strides positive."""
        place = np.zeros(len(self.family), dtype=np.int64)
        for family in range(self.families.count):
            rows = self.members(family)
            if len(rows) > 1 and self.op(family) > CONSTANT:
                rows = rows[_best_order(self.columns(family, rows, place), len(rows))]
            self.rank[rows] = np.arange(len(rows))
            place[rows] = self.first[family] + self.rank[rows]
        self.place = place

    def columns(self, family: int, rows: Ints, place: Ints) -> list[Ints]:
        """Return for each argument the place it reads for each of `rows`; for a sum the lowest of each source."""
        if not self.reduces(family):
            count = int(self.scalars.start[rows[0] + 1] - self.scalars.start[rows[0]])
            arguments = [self.argument(rows, p) for p in range(count)]
        else:
            arguments = [_lowest(summands) for summands in self.summands(rows, place)]
        return [place[rows] for rows in arguments if self.family[rows].any()]

    def sorted_members(self, family: int) -> Ints:
        rows = self.members(family)
        out = np.empty_like(rows)
        out[self.rank[rows]] = rows
        return out

    def summands(self, rows: Ints, place: Ints) -> list[_Summands]:
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

    # Drafts

    def find_contractions(self) -> set[int]:
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
                sums = np.unique(self.family[user[rows]])
                if len(sums) == 1 and self.op(int(sums[0])) == SUM and self.can_contract(family, int(sums[0])):
                    fused.add(family)
        return fused

    def can_contract(self, family: int, into: int) -> bool:
        if self.batch(family) != (self.closes(into) or self.batch(into)):
            return False
        for summands in self.summands(self.rows[into], self.place):
            if summands.source == family and summands.counts is None:
                factors = [self.argument(summands.rows, place) for place in (0, 1)]
                return all(not self.family[rows].any() or self.read(rows).affine for rows in factors)
        return False

    def read(self, rows: Ints) -> _Read:
        """Return the operand that takes these rows (members, k); constants that differ become an array of their own."""
        source = int(self.family[rows.flat[0]])
        if (self.family[rows] != source).any():
            read = _Read(ANYWHERE, rows)
            read.gather()
            return read
        read = _Read(source, self.rank[rows])
        if source == 0 and not read.affine:
            places = len(self.constants) + np.arange(rows.size).reshape(rows.shape)
            self.constants = np.append(self.constants, self.scalars.value[rows])
            read = _Read(0, places)
        return read

    def draft(self, family: int) -> _Draft:
        """Return the statement of a family."""
        rows = self.rows[family]
        if self.reduces(family):
            return _Draft(family, terms=[self.term(summands) for summands in self.summands(rows, self.place)])
        count = int(self.scalars.start[rows[0] + 1] - self.scalars.start[rows[0]])
        return _Draft(family, operands=[self.read(self.argument(rows, p)[:, None]) for p in range(count)])

    def term(self, summands: _Summands) -> _Term:
        if summands.counts is not None:
            return _Term([self.read(summands.rows[:, None])], summands.counts)
        if summands.source in self.fused:
            return _Term([self.read(self.argument(summands.rows, place)) for place in (0, 1)])
        return _Term([self.read(summands.rows)])

    # Axes

    def cut(self, draft: _Draft) -> None:
        """Cut the members and the sums of a statement so that each of its operands has one stride along each axis."""
        for term, read in draft.spaces():
            if not read.affine:
                continue
            cuts = refine(self.cuts[draft.family], cuts_of(read.outer or []), self.sizes[draft.family])
            inner = refine(term.cuts, cuts_of(read.inner or []), term.size) if term else ()
            if cuts is None or inner is None:
                read.gather()
                continue
            self.cuts[draft.family] = cuts
            if term:
                term.cuts = inner

    def spread(self, draft: _Draft) -> bool:
        """Let a statement and the arrays that it walks along be cut alike; return whether anything changed."""
        changed = False
        for term, read in draft.spaces():
            if not read.affine or read.source <= 0:
                continue
            size, offset = self.sizes[read.source], int(read.places[0, 0])
            if not is_slice(read.dims, offset, size):
                continue
            theirs = tuple(c for extent, stride in read.dims if stride for c in (stride, stride * extent))
            changed |= self.refine_family(read.source, theirs)
            for dims, of_term in ((read.outer or [], None), (read.inner or [], term)):
                block = 1
                for extent, stride in reversed(dims):
                    inside = tuple(block * c // stride for c in self.cuts[read.source]
                                   if stride and stride < c < stride * extent and c % stride == 0)  # fmt: skip
                    block *= extent
                    if of_term is None:
                        changed |= self.refine_family(draft.family, inside)
                    elif (cuts := refine(of_term.cuts, inside, of_term.size)) not in (None, of_term.cuts):
                        of_term.cuts, changed = cuts or (), True
        return changed

    def refine_family(self, family: int, more: Cuts) -> bool:
        cuts = refine(self.cuts[family], more, self.sizes[family])
        if cuts is None or cuts == self.cuts[family]:
            return False
        self.cuts[family] = cuts
        return True

    def write(self, drafts: list[_Draft], kept: list[int], sizes: list[int]) -> ArrayProgram:
        """Return the program of these drafts."""
        joined = _Axes()
        number = {family: index for index, family in enumerate(kept)}
        numbers = sorted({0, *map(self.batch, kept), *(self.closes(draft.family) for draft in drafts)})
        along = {batch: joined.fresh(-batch, (0,)) if batch else () for batch in numbers}
        self.samples = {batch: axes[0] for batch, axes in along.items() if axes}
        own = {f: joined.fresh(f, extents_of(self.cuts[f], self.sizes[f])) for f in kept[1:]}
        statements = []
        for draft in drafts:
            outer = blocks_of(self.cuts[draft.family], self.sizes[draft.family])
            axes, terms = own[draft.family], []
            batch, closes = self.batch(draft.family), self.closes(draft.family)
            operands = [self.operand(read, outer, (), number, batch) for read in draft.operands]
            for read in draft.operands:
                self.join(joined, axes, read, outer, (), own)
            for term in draft.terms:
                inner = blocks_of(term.cuts, term.size)
                summed = joined.fresh(draft.family, extents_of(term.cuts, term.size))
                for read in term.factors if term.counts is None else ():
                    self.join(joined, axes + summed, read, outer, inner, own)
                if term.counts is None:
                    factors = tuple(self.operand(r, outer, inner, number, batch, closes) for r in term.factors)
                    terms.append(Term(factors, along[closes] + summed))
                else:
                    terms.append(with_changes(self.ragged(term.factors[0], term.counts, number), axes=along[closes]))
            op = NAMES[self.op(draft.family)]
            statements.append(Statement(number[draft.family], op, along[batch] + axes, tuple(operands), tuple(terms)))
        own |= {f: along[self.batch(f)] + axes for f, axes in own.items()}
        inputs, outputs = self.scalars.inputs, self.scalars.outputs
        array = np.array([number.get(family, -1) for family in range(self.families.count)])
        places = np.column_stack([array[self.family], self.rank])
        given = np.where(inputs[:, None] >= 0, places[inputs], -1) if len(places) else np.full((len(inputs), 2), -1)
        return self.finish(joined, kept, sizes, own, statements, given, places[outputs])

    def finish(
        self,
        joined: _Axes,
        kept: list[int],
        sizes: list[int],
        own: dict[int, tuple[int, ...]],
        statements: list[Statement],
        inputs: Ints,
        outputs: Ints,
    ) -> ArrayProgram:
        """Name arrays and axes, and number the axes anew."""
        labels = np.array(["", *self.scalars.labels], dtype=object)
        label = np.zeros(len(self.family), dtype=np.int64)
        given = self.scalars.inputs >= 0
        label[self.scalars.inputs[given]] = np.flatnonzero(given) + 1
        members: list[list[str]] = [labels[label[self.rows[f]]].tolist() for f in kept[1:]]
        names = name_arrays([(NAMES[self.op(f)], own) for f, own in zip(kept[1:], members, strict=True)])
        arrays = [Array("constants", sizes[0], ())]
        arrays += [
            Array(n, s, joined.final(own[f]), self.batch(f)) for f, n, s in zip(kept[1:], names, sizes[1:], strict=True)
        ]
        final = [
            Statement(s.out, s.op, joined.final(s.axes), s.operands,
                      tuple(with_changes(term, axes=joined.final(term.axes)) for term in s.terms))
            for s in statements
        ]  # fmt: skip
        samples = {joined.final((axis,))[0]: batch for batch, axis in self.samples.items()}
        letters = name_axes(joined.extents, arrays, final, [[], *members])
        axes = [Axis(n, e) for n, e in zip(letters, joined.extents, strict=True)]
        for axis, batch in samples.items():
            axes[axis] = with_changes(axes[axis], batch=batch)
        ends = (inputs, outputs, self.scalars.given, self.scalars.wanted)
        return ArrayProgram(tuple(axes), tuple(arrays), self.constants, tuple(final), *ends)

    def ragged(self, read: _Read, counts: Ints, number: dict[int, int]) -> Term:
        """Return the term of sums that are not of one length."""
        length = len(read.places)
        if len(read.dims) > 1:
            read.gather()
        factor = self.operand(read, (1,), (), number)
        return Term((factor,), (), np.cumsum(counts) - counts, length)

    def positions(self, read: _Read) -> Ints:
        """Return the places of a read in its source; those of a read from anywhere are places in memory."""
        if read.source == ANYWHERE:
            return self.bases[self.family[read.places]] + self.rank[read.places]
        return read.places

    def operand(
        self, read: _Read, outer: tuple[int, ...], inner: tuple[int, ...],
        number: dict[int, int], batch: int = 0, closes: int = 0,
    ) -> Operand:  # fmt: skip
        """Return the operand of a read by a statement of this batch, or by a sum that closes one."""
        source = number.get(read.source, ANYWHERE)
        if not read.affine:
            return Operand(source, 0, (), self.positions(read).reshape(-1))
        strides = _strides(read, outer, inner)
        step = (self.sizes[read.source] if read.source > 0 and self.batch(read.source) else 0,)
        at_sum = strides[: len(outer)] + step * bool(closes) + strides[len(outer) :]
        return Operand(source, int(read.places[0, 0]), step * bool(batch) + at_sum)

    def join(
        self, joined: _Axes, axes: tuple[int, ...], read: _Read,
        outer: tuple[int, ...], inner: tuple[int, ...], own: dict[int, tuple[int, ...]],
    ) -> None:  # fmt: skip
        """Join the axes of a statement with those of an array that it walks along."""
        if not read.affine or read.source not in own:
            return
        if is_slice(read.dims, int(read.places[0, 0]), self.sizes[read.source]):
            theirs = dict(
                zip(blocks_of(self.cuts[read.source], self.sizes[read.source]), own[read.source], strict=True)
            )
            for axis, stride in zip(axes, _strides(read, outer, inner), strict=True):
                if stride in theirs:
                    joined.join(axis, theirs[stride])


class _Axes:
    """Union-find over dimensions; two dimensions of one statement stay apart."""

    def __init__(self) -> None:
        self.parent: list[int] = []
        self.extent: list[int] = []
        self.spaces: list[set[int]] = []
        self.extents: list[int] = []  # of the final axes
        self.numbers: dict[int, int] = {}

    def fresh(self, space: int, extents: tuple[int, ...]) -> tuple[int, ...]:
        """Return new dimensions of a statement."""
        first = len(self.parent)
        self.parent += range(first, first + len(extents))
        self.extent += extents
        self.spaces += [{space} for _ in extents]
        return tuple(range(first, first + len(extents)))

    def find(self, axis: int) -> int:
        while self.parent[axis] != axis:
            self.parent[axis] = axis = self.parent[self.parent[axis]]
        return axis

    def join(self, a: int, b: int) -> None:
        """Let two dimensions be one, if they are of one extent and no statement has both."""
        a, b = sorted((self.find(a), self.find(b)))
        if a != b and self.extent[a] == self.extent[b] and self.spaces[a].isdisjoint(self.spaces[b]):
            self.parent[b] = a
            self.spaces[a] |= self.spaces[b]

    def final(self, axes: tuple[int, ...]) -> tuple[int, ...]:
        """Return the numbers of the axes, counted in the order in which they are asked for."""
        roots = [self.find(axis) for axis in axes]
        for root in roots:
            if root not in self.numbers:
                self.numbers[root] = len(self.extents)
                self.extents.append(self.extent[root])
        return tuple(self.numbers[root] for root in roots)


def _strides(read: _Read, outer: tuple[int, ...], inner: tuple[int, ...]) -> tuple[int, ...]:
    start = int(read.places[0, 0])
    return (*(int(read.places[b, 0]) - start for b in outer), *(int(read.places[0, b]) - start for b in inner))


def _lowest(summands: _Summands) -> Ints:
    rows, counts = summands.rows, summands.counts
    lowest: Ints = rows[:, 0] if counts is None else rows[np.cumsum(counts) - counts]
    return lowest


def _table(source: int, rows: Ints, counts: Ints) -> _Summands:
    if (counts == counts[0]).all():
        return _Summands(source, rows.reshape(len(counts), -1))
    return _Summands(source, rows, counts)


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
