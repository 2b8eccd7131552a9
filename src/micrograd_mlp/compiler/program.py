"""What the stages of the compiler hand to each other: frozen data, and the checks that follow every stage."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..ops import TABLE

Ints = np.ndarray[Any, np.dtype[np.integer[Any]]]
Floats = np.ndarray[Any, np.dtype[np.float64]]

NAMES = ("input", "constant", "sum", *TABLE)  # what an operation code stands for
CODE = {name: code for code, name in enumerate(NAMES)}
INPUT, CONSTANT, SUM = CODE["input"], CODE["constant"], CODE["sum"]
ARITY = np.array([0, 0, 0, *(len(op.partials) for op in TABLE.values())])
ANYWHERE = -1  # the source of an operand whose numbers lie in several arrays


@dataclass(frozen=True, eq=False)
class ScalarProgram:
    """One scalar a row: `op` (n,) codes, `args` (n, 3) earlier rows or -1, `value` (n,) of the constants.

    `inputs` holds the row of each number that is given, -1 for one that nothing needs; `outputs` the rows wanted.
    """

    op: Ints
    args: Ints
    value: Floats
    inputs: Ints
    outputs: Ints
    labels: tuple[str, ...]  # of the inputs

    def check(self) -> None:
        """Raise ValueError where a row reads a later one, or one too few or too many."""
        rows = np.arange(len(self.op))
        given = self.args >= 0
        _require(bool((self.args < rows[:, None]).all()), "a scalar is read before it is defined")
        _require(bool((given.sum(axis=1) == ARITY[self.op]).all()), "an operation has the wrong number of arguments")
        _require(bool((given[:, :-1] >= given[:, 1:]).all()), "the arguments of a scalar have a gap")
        _check_ends(self.op, self.inputs, self.outputs, self.labels)


@dataclass(frozen=True, eq=False)
class SumProgram:
    """Scalars with sums of any length, a level after the other: all arguments of a row lie in levels before its own.

    Row i reads `args[start[i]:start[i + 1]]`; level l holds the rows `levels[l]` to `levels[l + 1]`, level 0 the
    inputs and the constants.
    """

    op: Ints
    start: Ints
    args: Ints
    value: Floats
    levels: Ints
    inputs: Ints
    outputs: Ints
    labels: tuple[str, ...]

    def check(self) -> None:
        """Raise ValueError where a row reads its own or a later level, or one too few or too many."""
        counts = np.diff(self.start)
        level = np.repeat(np.arange(len(self.levels) - 1), np.diff(self.levels))
        _require(self.start[0] == 0 and self.start[-1] == len(self.args), "the rows do not cover the arguments")
        _require(bool((level[self.args] < np.repeat(level, counts)).all()), "a scalar is read before it is defined")
        wrong = (counts != ARITY[self.op]) & (self.op != SUM)
        _require(not wrong.any(), "an operation has the wrong number of arguments")
        _require(bool((counts[self.op == SUM] > 0).all()), "a sum has no arguments")
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
        first = np.zeros(self.count, dtype=op.dtype)
        first[self.family] = op
        _require(bool((first[self.family] == op).all()), "a family mixes operations")
        _require(bool(((op == CONSTANT) == (self.family == 0)).all()), "family 0 is not that of the constants")
        before = self.family[self.scalars.args] < self.family[user]
        _require(bool(before.all()), "a family is read before it is defined")


@dataclass(frozen=True)
class Axis:
    """One direction in which arrays extend."""

    name: str
    extent: int


@dataclass(frozen=True)
class Array:
    """`size` numbers in a row; `axes` are those of the program it extends along, the last one fastest."""

    name: str
    size: int
    axes: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Operand:
    """Numbers of the array `source`: at offset + sum of strides * position, or where `index` says (a gather)."""

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
    """One summand: the product of the `factors` summed over `axes`; if ragged, from each of `offsets` to the next."""

    factors: tuple[Operand, ...]
    axes: tuple[int, ...] = ()
    offsets: Ints | None = None
    length: int = 0  # of all ragged sums together


@dataclass(frozen=True, eq=False)
class Statement:
    """Array `out` over `axes` is `op` of the operands, element by element; or, if `op` is "sum", the sum of `terms`."""

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

    `inputs` and `outputs` are places in that memory, -1 for an input that nothing needs.
    """

    axes: tuple[Axis, ...]
    arrays: tuple[Array, ...]
    constants: Floats
    statements: tuple[Statement, ...]
    inputs: Ints
    outputs: Ints

    @cached_property
    def bases(self) -> list[int]:
        """Where each array begins in memory; the last entry is the size of all."""
        return [0, *np.cumsum([array.size for array in self.arrays]).tolist()]

    def extents(self, axes: tuple[int, ...]) -> tuple[int, ...]:
        """Return how far each of `axes` extends."""
        return tuple(self.axes[axis].extent for axis in axes)

    def check(self) -> None:
        """Raise ValueError where shapes differ, an array is read before it is written, or an index is out of range."""
        written = {int(s.out) for s in self.statements}
        _require(len(written) == len(self.statements) and 0 not in written, "an array is written twice")
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
                    starts = [*term.offsets.tolist(), term.length]
                    _require(starts == sorted(starts) and len(starts) == size + 1, f"{name} has wrong offsets")
            for operand, space in spaces:
                _require(operand.source in ready, f"{name} reads {operand.source} before it is defined")
                limit = end if operand.source == ANYWHERE else self.arrays[operand.source].size
                low, high = _range_of(operand, space, name)
                _require(low >= 0 and high < limit, f"{name} reads {operand.source} from {low} to {high}, of {limit}")
            ready.add(statement.out)
        for what, places in (("input", self.inputs), ("output", self.outputs)):
            inside = (places < bases[-1]) & (places >= (-1 if what == "input" else 0))
            _require(bool(inside.all()), f"an {what} lies outside of memory")


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
