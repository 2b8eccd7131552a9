"""Turn families into arrays: cut the members into axes, and join those along which arrays walk together.

Every read of a family is a sequence of places in another, see `drafts`. Where it factors into nested strides it becomes
an affine operand, else an index array. The common refinement of all sequences is the shape of a family; dimensions that
walk along one another are one axis (union-find).
"""

from __future__ import annotations

from dataclasses import replace as with_changes

import numpy as np

from .drafts import Draft, Drafts, Read
from .naming import name_arrays, name_axes
from .program import (
    ANYWHERE,
    NAMES,
    Array,
    ArrayProgram,
    Axis,
    Families,
    Ints,
    Operand,
    Statement,
    Term,
)
from .strides import Cuts, blocks_of, cuts_of, extents_of, is_slice, refine


def find_axes(families: Families) -> ArrayProgram:
    """Return the arrays and statements that these families are."""
    return _Builder(families).build()


class _Builder(Drafts):
    def __init__(self, families: Families) -> None:
        super().__init__(families)
        self.cuts: list[Cuts] = [()] * families.count

    def build(self) -> ArrayProgram:
        """Return the program: cut, join, and write it all down."""
        for draft in self.drafts:
            self.cut(draft)
        while sum(map(self.spread, self.drafts)):  # until nothing changes
            pass
        return self.write()

    def cut(self, draft: Draft) -> None:
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

    def spread(self, draft: Draft) -> bool:
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

    def write(self) -> ArrayProgram:
        """Return the program of the drafts."""
        drafts, kept = self.drafts, self.kept
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
        return self.finish(joined, own, statements, given, places[outputs])

    def finish(
        self,
        joined: _Axes,
        own: dict[int, tuple[int, ...]],
        statements: list[Statement],
        inputs: Ints,
        outputs: Ints,
    ) -> ArrayProgram:
        """Name arrays and axes, and number the axes anew."""
        kept, sizes = self.kept, [self.size(family) for family in self.kept]
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

    def ragged(self, read: Read, counts: Ints, number: dict[int, int]) -> Term:
        """Return the term of sums that are not of one length."""
        length = len(read.places)
        if len(read.dims) > 1:
            read.gather()
        factor = self.operand(read, (1,), (), number)
        return Term((factor,), (), np.cumsum(counts) - counts, length)

    def positions(self, read: Read) -> Ints:
        """Return the places of a read in its source; those of a read from anywhere are places in memory."""
        if read.source == ANYWHERE:
            return self.bases[self.family[read.places]] + self.rank[read.places]
        return read.places

    def operand(
        self, read: Read, outer: tuple[int, ...], inner: tuple[int, ...],
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
        self, joined: _Axes, axes: tuple[int, ...], read: Read,
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


def _strides(read: Read, outer: tuple[int, ...], inner: tuple[int, ...]) -> tuple[int, ...]:
    start = int(read.places[0, 0])
    return (*(int(read.places[b, 0]) - start for b in outer), *(int(read.places[0, b]) - start for b in inner))
