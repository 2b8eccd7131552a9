"""What the stages of the compiler hand to each other: frozen data, and the checks that follow every stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ..ops import TABLE

Ints = np.ndarray[Any, np.dtype[np.integer[Any]]]
Floats = np.ndarray[Any, np.dtype[np.float64]]

NAMES = ("input", "constant", "sum", "largest", *TABLE)  # what an operation code stands for
CODE = {name: code for code, name in enumerate(NAMES)}
INPUT, CONSTANT, SUM, LARGEST = (CODE[name] for name in NAMES[:4])
ARITY = np.array([0, 0, 1, 1, *(len(op.partials) for op in TABLE.values())])
REDUCTIONS = {"add": SUM, "maximum": LARGEST}  # what a chain of an operation becomes
ANYWHERE = -1  # the source of an operand whose numbers lie in several arrays


@dataclass(frozen=True)
class Group:
    """Inputs or outputs that each sample of a batch has for itself: `size` of them from number `first` on."""

    first: int
    size: int
    batch: int


@dataclass(frozen=True, eq=False)
class ScalarProgram:
    """One scalar a row: `op` (n,) codes, `args` (n, 3) earlier rows or -1, `value` (n,) of the constants.

    `batch` (n,) is 0, or the number of the batch of which each sample has a scalar of its own. A sum here has a single
    argument, and adds up over all samples of the batch that is its `value`. `inputs` holds the row of each number that
    is given, -1 for one that nothing needs; `outputs` the rows wanted. Those that a batch has for each sample come in
    groups: `given` and `wanted` hold (first, how many, batch) of each.
    """

    op: Ints
    args: Ints
    value: Floats
    inputs: Ints
    outputs: Ints
    labels: tuple[str, ...]  # of the inputs
    batch: Ints
    given: tuple[Group, ...] = ()
    wanted: tuple[Group, ...] = ()

    def check(self) -> None:
        """Raise ValueError where a row reads a later one, or one too few or too many."""
        rows = np.arange(len(self.op))
        given = self.args >= 0
        _require(bool((self.args < rows[:, None]).all()), "a scalar is read before it is defined")
        _require(bool((given.sum(axis=1) == ARITY[self.op]).all()), "an operation has the wrong number of arguments")
        _require(bool((given[:, :-1] >= given[:, 1:]).all()), "the arguments of a scalar have a gap")
        read = np.where(given, self.batch[self.args], 0)
        own = np.where(self.op == SUM, self.value, self.batch)
        _require(bool(((read == 0) | (read == own[:, None])).all()), "a scalar reads those of another batch")
        _check_ends(self.op, self.inputs, self.outputs, self.labels)


@dataclass(frozen=True, eq=False)
class SumProgram:
    """Scalars with sums of any length, a level after the other: all arguments of a row lie in levels before its own.

    Row i reads `args[start[i]:start[i + 1]]`; level l holds the rows `levels[l]` to `levels[l + 1]`, level 0 the
    inputs and the constants. A sum whose `value` is not 0 adds up over the samples of that batch as well.
    """

    op: Ints
    start: Ints
    args: Ints
    value: Floats
    levels: Ints
    inputs: Ints
    outputs: Ints
    labels: tuple[str, ...]
    batch: Ints
    given: tuple[Group, ...] = ()
    wanted: tuple[Group, ...] = ()

    @cached_property
    def kind(self) -> Ints:
        """What each row does, whatever it reads: its operation, the batch it belongs to, and the batch it closes."""
        closes = np.where(self.op == SUM, self.value, 0.0).astype(np.int64)
        kinds: Ints = self.op + (self.batch.astype(np.int64) << 8) + (closes << 16)
        return kinds

    @cached_property
    def reduces(self) -> Ints:
        """Whether each row takes any number of arguments, in any order."""
        reductions: Ints = (self.op == SUM) | (self.op == LARGEST)
        return reductions

    def check(self) -> None:
        """Raise ValueError where a row reads its own or a later level, or one too few or too many."""
        counts = np.diff(self.start)
        level = np.repeat(np.arange(len(self.levels) - 1), np.diff(self.levels))
        _require(self.start[0] == 0 and self.start[-1] == len(self.args), "the rows do not cover the arguments")
        _require(bool((level[self.args] < np.repeat(level, counts)).all()), "a scalar is read before it is defined")
        wrong = (counts != ARITY[self.op]) & ~self.reduces
        _require(not wrong.any(), "an operation has the wrong number of arguments")
        _require(bool((counts[self.reduces] > 0).all()), "a sum has no arguments")
        _check_ends(self.op, self.inputs, self.outputs, self.labels)


@dataclass(frozen=True, eq=False)
class Families:
    """Who does the same thing: `family` (n,) of each row of `scalars`, numbered so that arguments come first.

    Family 0 holds all constants. In a `regular` partition all members read the same families, position by position;
    otherwise only the operation is the same.
    """

    scalars: SumProgram
    family: Ints
    count: int
    regular: bool

    def check(self) -> None:
        """Raise ValueError where a family mixes operations or reads itself or a later family."""
        op, user = self.scalars.op, np.repeat(np.arange(len(self.family)), np.diff(self.scalars.start))
        first = np.zeros(self.count, dtype=np.int64)
        first[self.family] = self.scalars.kind
        _require(bool((first[self.family] == self.scalars.kind).all()), "a family mixes operations or batches")
        _require(bool(((op == CONSTANT) == (self.family == 0)).all()), "family 0 is not that of the constants")
        before = self.family[self.scalars.args] < self.family[user]
        _require(bool(before.all()), "a family is read before it is defined")


@dataclass(frozen=True)
class Axis:
    """One direction in which arrays extend; of a batch, the `extent` is 0 as long as it is not known."""

    name: str
    extent: int
    batch: int = 0


@dataclass(frozen=True)
class Array:
    """`size` numbers in a row; `axes` are those of the program it extends along, the last one fastest.

    If it belongs to a batch, its first axis is that of the batch, and `size` is that of one sample.
    """

    name: str
    size: int
    axes: tuple[int, ...]
    batch: int = 0


@dataclass(frozen=True, eq=False)
class Operand:
    """Numbers of the array `source`: at offset + sum of strides * position, or where `index` says (a gather).

    An index leaves out the axis of a batch: the same places are read in each sample.
    """

    source: int
    offset: int
    strides: tuple[int, ...]
    index: Ints | None = None

    def positions(self, extents: tuple[int, ...]) -> Ints:
        """Return where the operand reads for each point of the space of these extents, an array of this shape."""
        if self.index is not None:
            return self.index.reshape(extents)
        out = np.full(extents, self.offset)
        for axis, (extent, stride) in enumerate(zip(extents, self.strides, strict=True)):
            out += (stride * np.arange(extent)).reshape([-1 if d == axis else 1 for d in range(len(extents))])
        return out


@dataclass(frozen=True, eq=False)
class Term:
    """One summand: the product of the `factors` summed over `axes`; if ragged, from each of `offsets` to the next.

    A ragged one has no `axes`, but that of the batch over whose samples it goes as well.
    """

    factors: tuple[Operand, ...]
    axes: tuple[int, ...] = ()
    offsets: Ints | None = None
    length: int = 0  # of all ragged sums together


@dataclass(frozen=True, eq=False)
class Statement:
    """Array `out` over `axes` is `op` of the operands, element by element; "sum" and "largest" are of the `terms`."""

    out: int
    op: str
    axes: tuple[int, ...]
    operands: tuple[Operand, ...] = ()
    terms: tuple[Term, ...] = ()

    @property
    def reads(self) -> tuple[Operand, ...]:
        """Every operand, those of the terms as well."""
        return self.operands + tuple(factor for term in self.terms for factor in term.factors)


@dataclass(frozen=True, eq=False)
class ArrayProgram:
    """Arrays one after the other in one memory, and the statements that fill them. Array 0 holds the constants.

    `inputs` and `outputs` (n, 2) are places, (array, position in it), with -1 for an input that nothing needs. What a
    batch has for each sample comes in the groups `given` and `wanted`, positions being those in one sample.
    """

    axes: tuple[Axis, ...]
    arrays: tuple[Array, ...]
    constants: Floats
    statements: tuple[Statement, ...]
    inputs: Ints
    outputs: Ints
    given: tuple[Group, ...] = ()
    wanted: tuple[Group, ...] = ()

    @cached_property
    def bases(self) -> list[int]:
        """Where each array begins in memory, those of a batch (one sample of them) last; the last entry is the end."""
        out, end = [0] * (len(self.arrays) + 1), 0
        for array in sorted(range(len(self.arrays)), key=lambda array: self.arrays[array].batch > 0):
            out[array], end = end, end + self.arrays[array].size
        out[-1] = end
        return out

    @cached_property
    def batches(self) -> dict[int, int]:
        """The axis of each batch whose length is not known."""
        return {axis.batch: number for number, axis in enumerate(self.axes) if axis.batch and not axis.extent}

    def extents(self, axes: tuple[int, ...]) -> tuple[int, ...]:
        """Return how far each of `axes` extends."""
        return tuple(self.axes[axis].extent for axis in axes)

    def addresses(self, places: Ints) -> Ints:
        """Return where places (n, 2) lie in memory; -1 for none."""
        return np.where(places[:, 0] >= 0, np.array(self.bases)[places[:, 0]] + places[:, 1], -1)

    def sized(self, lengths: Sequence[int]) -> ArrayProgram:
        """Return the same program for batches 1, 2, ... of these `lengths`.

        Its inputs are those that no batch has for itself, then the groups one after the other, sample by sample; and so
        are its outputs.
        """
        if not self.batches:
            return self
        times = {0: 1, **dict(enumerate(lengths, 1))}
        axes = tuple(replace(axis, extent=times[axis.batch]) if axis.batch else axis for axis in self.axes)
        arrays = tuple(replace(array, size=array.size * times[array.batch], batch=0) for array in self.arrays)
        sizer = _Sizer(self, axes, arrays, times)
        return ArrayProgram(
            tuple(replace(axis, batch=0) for axis in axes),
            arrays,
            self.constants,
            tuple(map(sizer.statement, self.statements)),
            sizer.places(self.inputs, self.given),
            sizer.places(self.outputs, self.wanted),
        )

    def split(self, numbers: Any, lengths: Sequence[int]) -> tuple[Any, list[Any]]:
        """Return the outputs of the `sized` program as those of its own, and an array (samples, size) of each group."""
        own = at = len(self.outputs) - sum(group.size for group in self.wanted)
        groups = []
        for group in self.wanted:
            length = lengths[group.batch - 1]
            groups.append(numbers[at : at + length * group.size].reshape(length, group.size))
            at += length * group.size
        return numbers[:own], groups

    def check(self) -> None:
        """Raise ValueError where shapes differ, an array is read before it is written, or an index is out of range."""
        if self.batches:  # checked for two samples: an index that fits two fits any number
            self.sized([2] * max(self.batches)).check()
            return
        written = {int(s.out) for s in self.statements}
        _require(len(written) == len(self.statements) and 0 not in written, "an array is written twice")
        _require(written <= set(range(len(self.arrays))), "a statement writes where there is no array")
        ready = {ANYWHERE, *range(len(self.arrays))} - written
        _require(len(self.constants) == self.arrays[0].size, "the constants do not fill their array")
        bases = self.bases
        end = 0
        for statement in self.statements:
            name, end = self.arrays[statement.out].name, bases[statement.out]
            shape = self.extents(statement.axes)
            size = int(np.prod(shape))
            _require(size == self.arrays[statement.out].size, f"{name} has not the size of its axes")
            spaces = [(operand, shape) for operand in statement.operands]
            for term in statement.terms:
                space = shape + self.extents(term.axes) if term.offsets is None else (term.length,)
                spaces += [(factor, space) for factor in term.factors]
                if term.offsets is not None:
                    starts = [0, *term.offsets.tolist(), term.length]
                    _require(starts == sorted(starts) and len(starts) == size + 2, f"{name} has wrong offsets")
            for operand, space in spaces:
                _require(operand.source in ready, f"{name} reads {operand.source} before it is defined")
                limit = end if operand.source == ANYWHERE else self.arrays[operand.source].size
                low, high = _range_of(operand, space, name)
                _require(low >= 0 and high < limit, f"{name} reads {operand.source} from {low} to {high}, of {limit}")
            ready.add(statement.out)
        sizes = np.array([array.size for array in self.arrays])
        for what, places in (("input", self.inputs), ("output", self.outputs)):
            used = places[places[:, 0] >= 0] if what == "input" else places
            inside = (used >= 0).all() and (used[:, 0] < len(sizes)).all() and (used[:, 1] < sizes[used[:, 0]]).all()
            _require(bool(inside), f"an {what} lies outside of memory")


@dataclass(frozen=True)
class Loop:
    """How results of one step become the numbers of the next: `state` of them, behind `outs` that are kept aside.

    Behind the state, the numbers are `knobs` that differ from step to step, then others, then from `counts` on the
    lengths of batches. With `gather`, the samples of a step are those that its part of an order names.
    """

    state: int
    outs: int
    knobs: int
    counts: tuple[tuple[int, int], ...]  # (place, batch)
    gather: bool


@dataclass(frozen=True)
class _Sizer:
    """Writes statements anew for batches of known lengths, `times`."""

    program: ArrayProgram
    axes: tuple[Axis, ...]
    arrays: tuple[Array, ...]
    times: dict[int, int]

    def statement(self, statement: Statement) -> Statement:
        operands = tuple(self._operand(operand, statement.axes) for operand in statement.operands)
        terms = tuple(self._term(term, statement.axes) for term in statement.terms)
        return replace(statement, operands=operands, terms=terms)

    def places(self, places: Ints, groups: tuple[Group, ...]) -> Ints:
        """Return the places outside of all groups, then those of each group for each sample."""
        single = np.ones(len(places), dtype=bool)
        parts = []
        for group in groups:
            single[group.first : group.first + group.size] = False
            own = places[group.first : group.first + group.size]
            arrays = [self.program.arrays[array] for array in own[:, 0]]
            sizes = np.array([array.size if array.batch else 0 for array in arrays], dtype=np.int64)
            samples = np.repeat(own[None], self.times[group.batch], axis=0)
            samples[:, :, 1] += np.arange(self.times[group.batch])[:, None] * sizes
            samples[:, own[:, 0] < 0] = -1
            parts.append(samples.reshape(-1, 2))
        return np.concatenate([places[single], *parts])

    def _term(self, term: Term, axes: tuple[int, ...]) -> Term:
        if term.offsets is None:
            return replace(term, factors=tuple(self._operand(f, axes + term.axes) for f in term.factors))
        (batch, *_) = [self.axes[axis].batch for axis in (*axes, *term.axes) if self.axes[axis].batch] or [0]
        many = self.times[batch]
        (factor,) = (self._gather(f, f.positions((term.length,))[None], many, 0) for f in term.factors)
        starts: Ints = (np.arange(many)[:, None] * term.length + term.offsets).ravel()
        if term.axes and factor.index is not None:  # each sum goes over all samples
            counts = np.diff(np.append(term.offsets, term.length))
            order = np.argsort(np.tile(np.repeat(np.arange(len(counts)), counts), many), kind="stable")
            factor, starts = replace(factor, index=factor.index[order]), term.offsets * many
        return Term((factor,), (), starts, many * term.length)

    def _operand(self, operand: Operand, space: tuple[int, ...]) -> Operand:
        if operand.index is None:
            return operand
        extents = [1 if self.axes[axis].batch else self.axes[axis].extent for axis in space]
        place = next((place for place, axis in enumerate(space) if self.axes[axis].batch), None)
        many = 1 if place is None else self.axes[space[place]].extent
        return self._gather(operand, operand.index.reshape(extents), many, place or 0)

    def _gather(self, operand: Operand, index: Ints, many: int, place: int) -> Operand:
        """Return the operand that reads at `index`, which has extent 1 along the batch, in each of `many` samples."""
        sample = np.arange(many).reshape([-1 if d == place else 1 for d in range(max(index.ndim, 1))])
        if operand.source != ANYWHERE:
            array = self.program.arrays[operand.source]
            return replace(operand, index=(index + sample * (array.size if array.batch else 0)).ravel())
        old, sizes = np.array(self.program.bases[:-1]), [array.size for array in self.arrays]
        order = np.argsort(old, kind="stable")
        source = order[np.searchsorted(old[order], index, side="right") - 1]
        steps = np.array([array.size if array.batch else 0 for array in self.program.arrays])[source]
        new = np.cumsum([0, *sizes[:-1]])[source]
        return replace(operand, index=(new + (index - old[source]) + sample * steps).ravel())


def _range_of(operand: Operand, space: tuple[int, ...], name: str) -> tuple[int, int]:
    if operand.index is not None:
        _require(operand.index.size == int(np.prod(space)), f"{name} has an index array of the wrong size")
        return int(operand.index.min()), int(operand.index.max())
    _require(len(operand.strides) == len(space), f"{name} has an operand with a stride too few or too many")
    reach = [stride * (extent - 1) for stride, extent in zip(operand.strides, space, strict=True)]
    return operand.offset + sum(min(r, 0) for r in reach), operand.offset + sum(max(r, 0) for r in reach)


def _check_ends(op: Ints, inputs: Ints, outputs: Ints, labels: tuple[str, ...]) -> None:
    used = inputs[inputs >= 0]
    _require(bool((op[used] == INPUT).all()) and len(used) == (op == INPUT).sum(), "the inputs are not the input rows")
    _require(len(labels) == len(inputs), "the inputs have a label too few or too many")
    _require(bool(((outputs >= 0) & (outputs < len(op))).all()), "an output is no scalar of the program")


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise ValueError(f"wrong program: {what}")
