"""Find the batch in a program that was unrolled: the axis along which most of the work is the same for each sample.

The program is written anew for one sample, as `vmap` would have traced it, so that both run the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from .program import ANYWHERE, Array, ArrayProgram, Group, Ints, Operand, Statement, Term

LEAST = 8  # samples, for which it is worth it


@dataclass(frozen=True, eq=False)
class Unrolled:
    """A program for one sample, and where the numbers of all samples lie among those of the unrolled one.

    Its inputs that no batch has for itself are `numbers[single]`; group g takes `numbers[columns[g]]`, or the numbers
    in `columns[g]` themselves if these are constants. The outputs are its own and then those of each group, in the
    order `outputs`.
    """

    program: ArrayProgram
    length: int
    single: Ints
    columns: tuple[Any, ...]
    outputs: Ints

    @cached_property
    def in_place(self) -> bool:
        """Whether all inputs lie in the numbers as they are taken, and the outputs are those of the program."""
        taken = [self.single, *(column for column in self.columns if column.dtype.kind != "f")]
        plain = not self.program.wanted and np.array_equal(self.outputs, np.arange(len(self.outputs)))
        return bool(plain and all(_in_a_row(places) for places in taken))

    def take(self, numbers: Any) -> tuple[Any, list[Any]]:
        """Return the inputs of the program, `numbers` and columns."""
        columns = [column if column.dtype.kind == "f" else _taken(numbers, column) for column in self.columns]
        return _taken(numbers, self.single), columns

    def put(self, numbers: Any, columns: Sequence[Any]) -> Any:
        """Return the outputs of the unrolled program."""
        return np.concatenate([numbers, *(column.ravel() for column in columns)])[self.outputs]


def _in_a_row(places: Ints) -> bool:
    first = int(places.flat[0]) if places.size else 0
    return np.array_equal(places.ravel(), np.arange(first, first + places.size))


def _taken(numbers: Any, places: Ints) -> Any:
    first = int(places.flat[0]) if places.size else 0
    return numbers[first : first + places.size].reshape(places.shape) if _in_a_row(places) else numbers[places]


def find_samples(program: ArrayProgram) -> Unrolled | None:
    """Return the program for one sample; None if it has no batch, or not all of it can be written for one."""
    if program.batches:
        return None
    work: dict[int, int] = {}
    for statement in program.statements:
        for axes in [statement.axes + term.axes for term in statement.terms] or [statement.axes]:
            for axis in axes:
                work[axis] = work.get(axis, 0) + prod(program.extents(axes))
    whole = sum(prod(program.extents(s.axes + t.axes)) for s in program.statements for t in s.terms or (Term(()),))
    long = [axis for axis in work if program.axes[axis].extent >= LEAST and 2 * work[axis] > whole]
    for axis in sorted(long, key=lambda axis: -work[axis]):
        try:
            return _Roller(program, axis).unrolled()
        except _Irregular:
            continue
    return None


class _Irregular(Exception):  # noqa: N818  # no error: this axis is none of samples
    pass


class _Roller:
    def __init__(self, program: ArrayProgram, axis: int) -> None:
        self.program, self.axis, self.length = program, axis, program.axes[axis].extent
        self.steps = [self._step(array) for array in program.arrays]  # from one sample to the next; 0 for no batch
        self.arrays = [self._array(array, step) for array, step in zip(program.arrays, self.steps, strict=True)]
        self.constants: list[Any] = []  # a column of each read of constants that differ from sample to sample
        self.first_constant = len(self.arrays)

    def _step(self, array: Array) -> int:
        if self.axis not in array.axes:
            return 0
        place = array.axes.index(self.axis)
        return prod(self.program.extents(array.axes[place + 1 :]))

    def _array(self, array: Array, step: int) -> Array:
        if not step:
            return array
        axes = (self.axis, *(axis for axis in array.axes if axis != self.axis))
        return Array(array.name, array.size // self.length, axes, 1)

    def unrolled(self) -> Unrolled:
        """Return the program for one sample. Raises _Irregular if there is none."""
        statements = tuple(map(self._statement, self.program.statements))
        axes = list(self.program.axes)
        axes[self.axis] = replace(axes[self.axis], extent=0, batch=1)
        single, columns, given, inputs = self._inputs()
        outputs, wanted, order = self._outputs()
        rolled = ArrayProgram(tuple(axes), tuple(self.arrays), self.program.constants, statements,
                              inputs, outputs, given, wanted)  # fmt: skip
        return Unrolled(_addressed(self.program, rolled), self.length, single, columns, order)

    def _statement(self, statement: Statement) -> Statement:
        own = self.axis in statement.axes
        axes = (self.axis, *(a for a in statement.axes if a != self.axis)) if own else statement.axes
        operands = tuple(self._operand(operand, statement.axes, axes) for operand in statement.operands)
        return Statement(statement.out, statement.op, axes, operands,
                         tuple(self._term(term, statement, axes) for term in statement.terms))  # fmt: skip

    def _term(self, term: Term, statement: Statement, axes: tuple[int, ...]) -> Term:
        summed = term.axes
        if self.axis in summed:
            _demand(statement.op == "sum")
            summed = (self.axis, *(a for a in summed if a != self.axis))
        if term.offsets is not None:
            _demand(self.axis not in statement.axes)
            return replace(term, factors=tuple(self._operand(f, (-1,), (-1,)) for f in term.factors))
        factors = (self._operand(f, statement.axes + term.axes, axes + summed) for f in term.factors)
        return Term(tuple(factors), summed)

    def _operand(self, operand: Operand, space: tuple[int, ...], new: tuple[int, ...]) -> Operand:
        if operand.index is not None:
            _demand(self.axis not in space and not self._reaches_samples(operand))
            return operand
        stride = dict(zip(space, operand.strides, strict=True))
        along = stride.get(self.axis, 0)
        step = self.steps[operand.source]
        if operand.source == 0 and along:
            return self._constant(operand, space, new)
        _demand(along == step)
        if not step:
            return replace(operand, strides=tuple(stride[axis] for axis in new))
        _demand(operand.offset // step % self.length == 0)
        size = self.arrays[operand.source].size
        strides = tuple(size if axis == self.axis else self._in_sample(stride[axis], step) for axis in new)
        return Operand(operand.source, self._in_sample(operand.offset, step), strides)

    def _in_sample(self, distance: int, step: int) -> int:
        """Return the same distance in the array of one sample: what lies behind the batch moves up."""
        outer, inner = divmod(abs(distance), step * self.length)
        _demand(inner < step)
        return (1 if distance > 0 else -1) * (outer * step + inner)

    def _reaches_samples(self, operand: Operand) -> bool:
        assert operand.index is not None
        if operand.source != ANYWHERE:
            return self.steps[operand.source] > 0
        bases = np.array(self.program.bases[:-1])
        return any(self.steps[array] for array in set((np.searchsorted(bases, operand.index, "right") - 1).tolist()))

    def _constant(self, operand: Operand, space: tuple[int, ...], new: tuple[int, ...]) -> Operand:
        """Return a read of a new array, that has for each sample the constants read for it."""
        stride = dict(zip(space, operand.strides, strict=True))
        rest = [axis for axis in new if axis != self.axis and stride[axis]]
        extents = self.program.extents((self.axis, *rest))
        places = Operand(0, operand.offset, tuple(stride[axis] for axis in (self.axis, *rest))).positions(extents)
        self.constants.append(self.program.constants[places].reshape(self.length, -1))
        size = self.constants[-1].shape[1]
        self.arrays.append(Array("constants", size, (self.axis, *rest), 1))
        blocks = {axis: prod(extents[place + 2 :]) for place, axis in enumerate(rest)} | {self.axis: size}
        return Operand(len(self.arrays) - 1, 0, tuple(blocks.get(axis, 0) for axis in new))

    def _split(self, array: int, positions: Ints) -> tuple[Ints, Ints]:
        """Return of which sample each position in an array is, and where in it."""
        step = self.steps[array]
        outer, inner = np.divmod(positions, step * self.length)
        return inner // step, outer * step + inner % step

    def _inputs(self) -> tuple[Ints, tuple[Any, ...], tuple[Group, ...], Ints]:
        places = self.program.inputs
        step = np.array([*self.steps, 0])[places[:, 0]]
        single = np.flatnonzero((step == 0) | (places[:, 0] < 0))
        inputs, columns = [places[single]], []
        given: list[Group] = []
        for array in sorted(set(places[step > 0, 0].tolist()) - {-1}):
            own = np.flatnonzero(places[:, 0] == array)
            sample, within = self._split(array, places[own, 1])
            column = np.full((self.length, self.arrays[array].size), -1)
            column[sample, within] = own
            _demand(bool((column >= 0).all()))
            columns.append(column)
            self._give(array, inputs, given)
        for place, constants in enumerate(self.constants):
            columns.append(constants)
            self._give(self.first_constant + place, inputs, given)
        return single, tuple(columns), tuple(given), np.concatenate(inputs)

    def _give(self, array: int, inputs: list[Ints], given: list[Group]) -> None:
        size = self.arrays[array].size
        given.append(Group(sum(map(len, inputs)), size, 1))
        inputs.append(np.column_stack([np.full(size, array), np.arange(size)]))

    def _outputs(self) -> tuple[Ints, tuple[Group, ...], Ints]:
        places = self.program.outputs
        step = np.array(self.steps)[places[:, 0]]
        single = np.flatnonzero(step == 0)
        outputs, wanted = [places[single]], []
        order = np.zeros(len(places), dtype=np.int64)
        order[single], end = np.arange(len(single)), len(single)
        for array in sorted(set(places[step > 0, 0].tolist())):
            own = np.flatnonzero(places[:, 0] == array)
            sample, within = self._split(array, places[own, 1])
            size = self.arrays[array].size
            order[own] = end + sample * size + within
            wanted.append(Group(sum(map(len, outputs)), size, 1))
            outputs.append(np.column_stack([np.full(size, array), np.arange(size)]))
            end += size * self.length
        return np.concatenate(outputs), tuple(wanted), order


def _addressed(old: ArrayProgram, new: ArrayProgram) -> ArrayProgram:
    """Let what reads from anywhere find its arrays where they lie now."""
    bases, places = np.array(old.bases[:-1]), np.array(new.bases[:-1])

    def moved(operand: Operand) -> Operand:
        if operand.source != ANYWHERE or operand.index is None:
            return operand
        array = np.searchsorted(bases, operand.index, "right") - 1
        return replace(operand, index=places[array] + operand.index - bases[array])

    def of(statement: Statement) -> Statement:
        terms = tuple(replace(term, factors=tuple(map(moved, term.factors))) for term in statement.terms)
        return replace(statement, operands=tuple(map(moved, statement.operands)), terms=terms)

    return replace(new, statements=tuple(map(of, new.statements)))


def _demand(condition: bool) -> None:
    if not condition:
        raise _Irregular
