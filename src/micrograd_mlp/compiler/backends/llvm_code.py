"""What native loops are written with: addresses, loops that carry numbers, reads of operands, tables of indices."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
from llvmlite import ir

from ..program import ANYWHERE, ArrayProgram, Ints, Operand, Statement
from .llvm_lanes import splat

INT, POINTER, VOID = ir.IntType(64), ir.PointerType(), ir.VoidType()
SUM_FLAGS = ("contract",)  # in the order written: x + x is not 2 x where that overflows


class Table:
    """Index arrays and offsets, one after the other, which the code reads."""

    def __init__(self) -> None:
        self.columns: list[Ints] = [np.zeros(1, dtype=np.int64)]
        self.size = 1

    def add(self, column: Any) -> int:
        """Append a column and return where it begins."""
        self.columns.append(np.ascontiguousarray(column, dtype=np.int64).ravel())
        self.size += len(self.columns[-1])
        return self.size - len(self.columns[-1])

    def array(self) -> Ints:
        """Return the whole table."""
        return np.concatenate(self.columns)


@dataclass(frozen=True)
class Access:
    """Where an operand reads: start + sum of strides * position, in memory or, for a gather, first in the table.

    The start is a number, or where it differs from turn to turn an integer of the code.
    """

    start: Any
    strides: tuple[int, ...]
    gathers: bool = False


def row_major(extents: Sequence[int]) -> tuple[int, ...]:
    """Return the strides of an array of these extents, the last one fastest."""
    return tuple(prod(extents[axis + 1 :]) for axis in range(len(extents)))


@dataclass(frozen=True)
class Code:
    """Where instructions go, and what they work on: `element` is the type of a number."""

    builder: Any
    element: Any
    memory: Any
    table: Any

    def vector(self, lanes: int) -> Any:
        """Return the type of so many numbers."""
        return ir.VectorType(self.element, lanes) if lanes > 1 else self.element

    @property
    def size(self) -> int:
        """Return the bytes of a number."""
        return 8 if isinstance(self.element, ir.DoubleType) else 4

    def place(self, start: Any, strides: Sequence[int], position: Sequence[Any]) -> Any:
        """Return start + sum of strides * position, an integer."""
        place, b = None, self.builder
        if isinstance(start, ir.Value):
            place, start = start, 0
        for stride, i in zip(strides, position, strict=True):
            if isinstance(i, ir.Constant):
                start += stride * i.constant
            elif stride:
                step = i if stride == 1 else b.mul(i, INT(stride), flags=["nsw"])
                place = step if place is None else b.add(place, step, flags=["nsw"])
        if place is None:
            return INT(start)
        return b.add(place, INT(start), flags=["nsw"]) if start else place

    def at(self, base: Any, place: Any) -> Any:
        """Return the address of number `place` from `base` on."""
        if isinstance(place, int):
            place = INT(place)
        return self.builder.gep(base, [place], source_etype=self.element)

    def load(self, base: Any, place: Any, lanes: int = 1) -> Any:
        """Return the numbers from there on."""
        return self.builder.load(self.at(base, place), typ=self.vector(lanes), align=self.size)

    def store(self, number: Any, base: Any, place: Any) -> None:
        """Store numbers from there on."""
        self.builder.store(number, self.at(base, place), align=self.size)

    def read(self, access: Access, position: Sequence[Any], lanes: int = 1) -> Any:
        """Return what is read there: the numbers from there on if the last stride is 1, else one for all lanes."""
        place = self.place(access.start, access.strides, position)
        if access.gathers:
            place = self.entry(place)
        if lanes > 1 and access.strides[len(position) - 1] == 1:
            return self.load(self.memory, place, lanes)
        return self.spread(self.load(self.memory, place), lanes)

    def spread(self, number: Any, lanes: int) -> Any:
        """Return a vector with the number in each lane."""
        if lanes == 1:
            return number
        kind, b = self.vector(lanes), self.builder
        if isinstance(number, ir.Constant):
            return splat(kind, number.constant)
        one = b.insert_element(ir.Constant(kind, ir.Undefined), number, ir.IntType(32)(0))
        return b.shuffle_vector(one, ir.Constant(kind, ir.Undefined),
                                ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes))  # fmt: skip

    def entry(self, place: Any) -> Any:
        """Return an integer of the table."""
        b = self.builder
        return b.load(b.gep(self.table, [place], source_etype=INT), typ=INT)

    def add(self, a: Any, b: Any) -> Any:
        """Return a + b, which may become one instruction with a product in it."""
        return self.builder.fadd(a, b, flags=SUM_FLAGS)

    def across(self, vector: Any) -> Any:
        """Return the sum of all lanes."""
        if not isinstance(vector.type, ir.VectorType):
            return vector
        b, kind = self.builder, vector.type
        name = f"llvm.vector.reduce.fadd.v{kind.count}{'f64' if self.size == 8 else 'f32'}"
        function = b.module.globals.get(name) or ir.Function(
            b.module, ir.FunctionType(self.element, [self.element, kind]), name
        )
        return b.call(function, [self.element(-0.0), vector], fastmath=("reassoc",))

    def part(self, vector: Any, first: int, lanes: int) -> Any:
        """Return so many lanes of a vector."""
        if lanes == 1:
            return self.builder.extract_element(vector, ir.IntType(32)(first))
        if lanes == vector.type.count:
            return vector
        mask = ir.Constant(ir.VectorType(ir.IntType(32), lanes), list(range(first, first + lanes)))
        return self.builder.shuffle_vector(vector, vector, mask)

    def across_each(self, vectors: list[Any]) -> Any:
        """Return the vector that holds in lane i the sum of all lanes of vector i: as many vectors as lanes.

        Pairs of vectors become one, that holds half as many partial sums of each; and so on.
        """
        b, lanes, m = self.builder, len(vectors), len(vectors)
        while m > 1:
            half = len(vectors) // 2
            parts = [[k * m + side * m // 2 + i + other for k in range(lanes // m) for other in (0, lanes)
                      for i in range(m // 2)] for side in (0, 1)]  # fmt: skip
            masks = [ir.Constant(ir.VectorType(ir.IntType(32), lanes), part) for part in parts]
            vectors = [self.add(*(b.shuffle_vector(x, y, mask) for mask in masks))
                       for x, y in zip(vectors[:half], vectors[half:], strict=True)]  # fmt: skip
            m //= 2
        return vectors[0]

    def transposed(self, vectors: list[Any]) -> list[Any]:
        """Return vectors of which number i holds lane i of each: as many vectors as lanes, a power of two.

        In each turn two vectors a step apart exchange half of their lanes, those that are such a step apart.
        """
        b, lanes, out, step = self.builder, len(vectors), list(vectors), 1
        while step < lanes:
            low = [lane if not lane & step else lanes + lane - step for lane in range(lanes)]
            high = [lane + step if not lane & step else lanes + lane for lane in range(lanes)]
            masks = [ir.Constant(ir.VectorType(ir.IntType(32), lanes), mask) for mask in (low, high)]
            for i in range(lanes):
                if not i & step:
                    pair = out[i], out[i + step]
                    out[i], out[i + step] = (b.shuffle_vector(*pair, mask) for mask in masks)
            step *= 2
        return out

    def loop(
        self, first: Any, last: Any, step: int, carried: Sequence[Any], body: Callable[[Any, list[Any]], Sequence[Any]]
    ) -> list[Any]:
        """Emit carried = body(i, carried) for i = first, first + step, ... < last, and return what is carried out.

        The loop ends with its test, so it must have a first turn if `first` and `last` are constants; else it is tested
        before as well.
        """
        b = self.builder
        if isinstance(first, ir.Constant) and isinstance(last, ir.Constant) and last.constant - first.constant <= step:
            return list(body(first, list(carried)))
        before, inside = b.block, b.append_basic_block()
        after = b.append_basic_block()
        known = isinstance(first, ir.Constant) and isinstance(last, ir.Constant)
        if known:
            b.branch(inside)
        else:
            b.cbranch(b.icmp_signed("<", first, last), inside, after)
        b.position_at_end(inside)
        i = b.phi(INT)
        i.add_incoming(first, before)
        phis = [b.phi(number.type) for number in carried]
        for phi, number in zip(phis, carried, strict=True):
            phi.add_incoming(number, before)
        results = list(body(i, list(phis)))
        following = b.add(i, INT(step), flags=["nsw"])
        i.add_incoming(following, b.block)
        for phi, number in zip(phis, results, strict=True):
            phi.add_incoming(number, b.block)
        ended = b.block
        b.cbranch(b.icmp_signed("<", following, last), inside, after)
        b.position_at_end(after)
        if known:
            return results
        out = []
        for number, result in zip(carried, results, strict=True):
            phi = b.phi(result.type)
            phi.add_incoming(number, before)
            phi.add_incoming(result, ended)
            out.append(phi)
        return out

    def in_blocks(self, size: int, width: int, body: Callable[[Any, int], Any]) -> None:
        """Emit body(i, width) for i = 0, width, ... as far as they fit in `size`, and body(i, rest) for the rest."""
        for first, last, step in blocks(size, width):

            def turn(i: Any, _: list[Any], step: int = step) -> list[Any]:
                body(i, step)
                return []

            self.loop(INT(first), INT(last), step, [], turn)

    def in_vectors(self, size: int, lanes: int, body: Callable[[Any, int], Any]) -> None:
        """Emit body(i, lanes) for i = 0, lanes, ... as they fit in `size`, and body(i, 1) for each of the rest."""
        whole = size - size % lanes
        for first, last, step in ((0, whole, lanes), (whole, size, 1)):

            def turn(i: Any, _: list[Any], step: int = step) -> list[Any]:
                body(i, step)
                return []

            if first < last:
                self.loop(INT(first), INT(last), step, [], turn)

    def nest(
        self, extents: Sequence[int], carried: Sequence[Any], body: Callable[[list[Any], list[Any]], Sequence[Any]]
    ) -> list[Any]:
        """Emit carried = body(position, carried) for each position within the extents; small ones are written out."""
        if 0 in extents:
            return list(carried)
        if not extents:
            return list(body([], list(carried)))
        if prod(extents) <= FEW:
            out = list(carried)
            for position in np.ndindex(*extents):
                out = list(body([INT(int(i)) for i in position], out))
            return out

        def inner(i: Any, numbers: list[Any]) -> list[Any]:
            return self.nest(extents[1:], numbers, lambda rest, own: body([i, *rest], own))

        return self.loop(INT(0), INT(extents[0]), 1, carried, inner) if extents[0] > 1 else inner(INT(0), list(carried))


@dataclass(frozen=True, eq=False)
class Turn:
    """Where the code is in a block that repeats: `number` is an integer of the code."""

    code: Code
    table: Table
    number: Any
    starts: dict[Any, Any] = field(default_factory=dict)  # that were computed

    def start(self, starts: list[int]) -> Any:
        """Return the start of this turn, out of those of all turns: a number if they are the same."""
        first, step = starts[0], starts[1] - starts[0] if len(starts) > 1 else 0
        affine = starts == [first + turn * step for turn in range(len(starts))]
        if affine and not step:
            return first
        key = (first, step) if affine else tuple(starts)
        if key not in self.starts:
            code = self.code
            place = code.place(first if affine else self.table.add(starts), (step if affine else 1,), [self.number])
            self.starts[key] = place if affine else code.entry(place)
        return self.starts[key]


@dataclass(frozen=True, eq=False)
class Places:
    """Where the statements of plain nests read and write.

    In a block that repeats, `turns` are the statements in all turns, by the result of the first.
    """

    turn: Turn
    program: ArrayProgram
    turns: Mapping[int, tuple[Statement, ...]]
    _reads: dict[int, list[tuple[Operand, ...]]] = field(default_factory=dict)  # of the statements of all turns

    @property
    def code(self) -> Code:
        """What instructions are written with."""
        return self.turn.code

    @property
    def table(self) -> Table:
        """Where indices and offsets are kept."""
        return self.turn.table

    def read(self, statement: Statement, number: int, space: tuple[int, ...]) -> Access:
        """Return where a statement reads its operand of this number, for each point of a space."""
        if statement.out not in self._reads:
            self._reads[statement.out] = [each.reads for each in self._all(statement)]
        reads = [each[number] for each in self._reads[statement.out]]
        bases = [0 if read.source == ANYWHERE else self.program.bases[read.source] for read in reads]
        first = reads[0]
        if first.index is None:
            starts = [base + read.offset for base, read in zip(bases, reads, strict=True)]
            return Access(self.turn.start(starts), tuple(int(stride) for stride in first.strides))
        indices = [read.index + base for base, read in zip(bases, reads, strict=True) if read.index is not None]
        at, size = self.table.add(np.concatenate(indices)), first.index.size
        begins = [at + turn * size for turn in range(len(reads))]
        return Access(self.turn.start(begins), row_major(space), gathers=True)

    def written(self, statement: Statement) -> Access:
        """Return where a statement writes its result."""
        starts = [self.program.bases[each.out] for each in self._all(statement)]
        return Access(self.turn.start(starts), row_major(self.program.extents(statement.axes)))

    def _all(self, statement: Statement) -> tuple[Statement, ...]:
        return self.turns.get(statement.out, (statement,))


FEW = 4  # turns of a loop that are written out


def blocks(size: int, width: int) -> list[tuple[int, int, int]]:
    """Return (first, last, step) of the blocks of a width within `size`, and of what is left."""
    whole = size - size % width
    return [(a, b, step) for a, b, step in ((0, whole, width), (whole, size, size - whole)) if b > a]


FEW_REGISTERS = 16


def best_blocks(rows: int, columns: int, lanes: int) -> tuple[int, int]:
    """Return the height and the width of the blocks in which rows × columns of sums take the least time, about.

    A block of h × w takes h w multiply-adds and h + w loads a vector, whichever is more; and some time by itself.
    Blocks of another size at the edges are code of their own.
    """
    most = (FEW_REGISTERS - 4) // lanes * lanes or 8  # as many are added up across the lanes at once
    sizes = [(h, w) for h in range(1, min(rows, 4) + 1) for w in range(1, min(columns, most // h) + 1)]

    def cost(size: tuple[int, int]) -> int:
        parts = [((b - a) // h * ((d - c) // w), h, w) for a, b, h in blocks(rows, size[0])
                 for c, d, w in blocks(columns, size[1])]  # fmt: skip
        return sum(times * (24 * max(h * w, h + w) + 20) for times, h, w in parts) + 200 * len(parts)

    return min(sizes, key=cost)


def copy_numbers(code: Code, to: tuple[Any, Ints], source: tuple[Any, Ints], table: Table, lanes: int) -> None:
    """Emit to[places] = source[places]: block by block where numbers lie side by side in both, else one by one."""
    (out, there), (base, here) = to, source
    orders = [np.argsort(places, kind="stable") for places in (there, here)]
    blocks = min((_blocks(there[order], here[order]) for order in orders), key=len)
    if len(blocks) > MOST_BLOCKS:
        first, second = table.add(there), table.add(here)

        def one(i: Any, _: Any) -> list[Any]:
            to_place, from_place = (code.entry(code.place(start, (1,), [i])) for start in (first, second))
            code.store(code.load(base, from_place), out, to_place)
            return []

        code.loop(INT(0), INT(len(there)), 1, [], one)
        return
    for (start, step), (origin, stride), size, times in blocks:

        def block(i: Any, _: Any, a: Any = (start, step), b: Any = (origin, stride), size: int = size) -> list[Any]:
            write, read = (code.at(p, code.place(s, (d,), [i])) for p, (s, d) in ((out, a), (base, b)))
            if size > 16 * lanes:
                copy(code, write, read, size * code.size)
                return []
            place = 0
            while place < size:
                width = lanes if size - place >= lanes else 1
                code.store(code.load(read, place, width), write, place)
                place += width
            return []

        code.loop(INT(0), INT(times), 1, [], block)


def _blocks(there: Ints, here: Ints) -> list[tuple[tuple[int, int], tuple[int, int], int, int]]:
    """Return (start, step) in both, the size, and how many there are, of blocks of one size a step apart."""
    if not len(there):
        return []
    ends = [0, *(np.flatnonzero((np.diff(there) != 1) | (np.diff(here) != 1)) + 1).tolist(), len(there)]
    runs = [(int(there[a]), int(here[a]), b - a) for a, b in pairwise(ends)]
    out, at = [], 0
    while at < len(runs):
        (to, source, size), times = runs[at], 1
        step = [b - a for a, b in zip(runs[at], runs[at + 1], strict=True)] if at + 1 < len(runs) else [0, 0, 1]
        while at + times < len(runs) and runs[at + times] == (to + times * step[0], source + times * step[1], size):
            times += 1
        out.append(((to, step[0]), (source, step[1]), size, times))
        at += times
    return out


MOST_BLOCKS = 64


def copy(code: Code, to: Any, source: Any, size: Any) -> None:
    """Emit the copy of so many bytes."""
    b = code.builder
    name = "llvm.memcpy.p0.p0.i64"
    function = b.module.globals.get(name) or ir.Function(
        b.module, ir.FunctionType(VOID, [POINTER, POINTER, INT, ir.IntType(1)]), name
    )
    b.call(function, [to, source, INT(size) if isinstance(size, int) else size, ir.IntType(1)(0)])
