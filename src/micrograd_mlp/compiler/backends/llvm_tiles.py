"""A region of a batch as native code: a tile of samples goes through all of its nests before the next tile comes.

A row of the tile holds one number of each sample, side by side in groups of a few vectors. A contraction is computed
for several results and all vectors of a group at once, so that what is loaded is used more than once: with 2 results
and 4 vectors, 8 sums stay in registers, and 8 multiply-adds need 6 loads. All that the samples have comes first, group
by group; then the sums over them, block by block of results, each over the whole tile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from llvmlite import ir

from ..loops import Nest, Region
from ..program import ArrayProgram, Ints, Operand, Statement, Term
from .llvm_code import INT, Code, Table, Turn, best_blocks, row_major
from .llvm_lanes import intrinsic, splat
from .llvm_math import RULES
from .llvm_outer import Outer, emit_outer, outer_product
from .llvm_plain import combine, neutral, reduce_two, runs

Summed = tuple[tuple[int, ...], int, tuple[Operand, ...]]  # extents, place of the samples among its axes, factors


@dataclass(frozen=True)
class Column:
    """Where numbers of a sample come from: `base` and, in it, `stride` numbers a sample.

    Row `rows[k]` of the tile is number `places[k]` of a sample. What is `given` by the user may have the samples in
    another order, by an index.
    """

    base: Any
    stride: int
    rows: Ints
    places: Ints
    given: bool = True


SHORT, FEW = 4, 4  # numbers of a sample, and columns of so few


def joined(columns: list[Column]) -> list[Column]:
    """Return columns from one base as fewer ones, where their numbers follow each other in equal steps.

    Many short ones that do not become one all the same.
    """
    out: list[Column] = []
    for column in sorted(columns, key=lambda column: int(column.places[0])):
        both = _together([*out[-1:], column])
        if out and _line(both.rows)[1] is not None and _line(both.places)[1] is not None:
            out[-1] = both
        else:
            out.append(column)
    short = [column for column in out if len(column.rows) <= SHORT]
    if len(short) > FEW:
        out = [column for column in out if len(column.rows) > SHORT] + [_together(short)]
    return out


def _together(columns: list[Column]) -> Column:
    rows, places = (np.concatenate([getattr(each, name) for each in columns]) for name in ("rows", "places"))
    return replace(columns[0], rows=rows, places=places)


@dataclass(frozen=True)
class Shape:
    """A tile is at most so many `groups` of `vectors` of `lanes` numbers; `results` are computed at once."""

    lanes: int
    vectors: int
    results: int
    groups: int = 1

    @property
    def group(self) -> int:
        """Samples in a group."""
        return self.lanes * self.vectors

    @property
    def most(self) -> int:
        """Samples in a tile, at most."""
        return self.group * self.groups

    @property
    def width(self) -> int:
        """Numbers from one row to the next: not a power of two, or all rows would meet in few lines of a cache."""
        return self.most + 2 * self.lanes


@dataclass
class Layout:
    """Where the sums over samples lie, and in the memory of tiles the rows of each array, in numbers.

    Threads have `own` sums, before their rows; else sums lie where the program has them.
    """

    program: ArrayProgram
    region: Region
    lanes: int
    own: bool
    sums: dict[int, int] = field(default_factory=dict)
    rows: dict[int, int] = field(default_factory=dict)
    outer: dict[int, Outer] = field(default_factory=dict)
    end_of_sums: int = 0
    count: int = 0

    def __post_init__(self) -> None:
        for out in self.region.sums:
            self.sums[out] = self.end_of_sums if self.own else self.program.bases[out]
            self.end_of_sums += self.program.arrays[out].size if self.own else 0
        self.end_of_sums = -(-self.end_of_sums // self.lanes) * self.lanes
        for array in (*self.region.inputs, *(r for r in self.region.results if r not in self.sums)):
            self.rows[array] = self.count
            self.count += self.program.arrays[array].size

    def size(self, width: int) -> int:
        """Return how many numbers the sums and the rows of a tile take."""
        return self.end_of_sums + self.count * width

    def find_outer(self, samples: int) -> int:
        """Find which sums are of outer products, in tiles of so many samples; return how many more numbers they take.

        They take them one after the other, each from the end of the rows on.
        """
        for nest in self.region.nests:
            for statement in nest.statements if nest.closes and 0 not in nest.extents else ():
                found = outer_product(self.program, statement, self.lanes, samples)
                if found is not None:
                    self.outer[statement.out] = found
        return max((found.width * samples for found in self.outer.values()), default=0)


class Tile:
    """Emits what happens to the groups of one tile; `valid` is how many of its samples there are, None for all.

    Where it `begins` the sums, what they held before counts for nothing.
    """

    def __init__(
        self, code: Code, layout: Layout, table: Table, shape: Shape, tile: Any, begins: Any, valid: Any = None
    ) -> None:
        self.code, self.layout, self.table, self.shape = code, layout, table, shape
        self.program, self.tile, self.begins, self.valid = layout.program, tile, begins, valid
        self.outer = layout.outer
        self.mask = self._mask() if valid is not None else None
        self.column = INT(0)  # where in the rows the group begins
        self.starts: dict[int, Any] = {}  # of operands and results, by their id, in the turn of a block

    @property
    def sums(self) -> Any:
        """The memory that holds the sums."""
        return self.tile if self.layout.own else self.code.memory

    def _mask(self) -> Any:
        b, lanes = self.code.builder, self.shape.lanes
        numbers = ir.Constant(ir.VectorType(INT, lanes), list(range(lanes)))
        return b.icmp_signed("<", numbers, _spread_integer(b, self.valid, lanes))

    def run(
        self, region: Region, first: Any, groups: Any, take: Callable[[Any], None], give: Callable[[Any], None]
    ) -> None:
        """Emit a region for so many groups from sample `first` on: all that samples have, and then the sums over them.

        `take(n)` and `give(n)` emit what a group from sample n on takes from outside and leaves there.
        """
        b, size = self.code.builder, self.shape.group

        def group(g: Any, _: Any) -> list[Any]:
            self.column = b.mul(g, INT(size), flags=["nsw"])
            n = b.add(first, self.column, flags=["nsw"])
            take(n)
            for times, block in region.blocks():
                self._repeat(region, times, [nest for _, nest in block if not nest.closes and 0 not in nest.extents])
            give(n)
            return []

        self.code.loop(INT(0), groups, 1, [], group)
        for nest in region.nests:
            for statement in nest.statements if nest.closes and 0 not in nest.extents else ():
                self._close(statement, groups)

    def _repeat(self, region: Region, times: int, nests: list[Nest]) -> None:
        """Emit the nests of a block so many times; one that is in no block comes once."""

        def turn_of(number: Any, _: Any) -> list[Any]:
            turn = Turn(self.code, self.table, number)
            for statement in (s for nest in nests for s in nest.statements):
                turns = region.all_of(statement)
                if statement.out in self.layout.rows:
                    self.starts[id(statement)] = turn.start([self._start(each.out, 0) for each in turns])
                for which, read in enumerate(statement.reads):
                    if read.source in self.layout.rows or not self.program.arrays[read.source].batch:
                        copies = (each.reads[which] for each in turns)
                        self.starts[id(read)] = turn.start([self._start(copy.source, copy.offset) for copy in copies])
            for nest in nests:
                self._points(nest)
            return []

        self.code.loop(INT(0), INT(times), 1, [], turn_of)
        self.starts.clear()

    def _start(self, array: int, offset: int) -> int:
        """Return where a number of an array lies: in the tile, that of its first sample, if it has rows there."""
        if array in self.layout.rows:
            return self.layout.end_of_sums + (self.layout.rows[array] + offset) * self.shape.width
        return self.program.bases[array] + offset

    def take(self, first: Any, column: Column, index: Any) -> None:
        """Emit the copy of numbers of the samples from `first` on into their rows; an `index` says which these are."""
        code, lanes = self.code, self.shape.lanes
        starts = [self._sample(first, lane, column, index) for lane in range(self.shape.group)]
        row, place = self._walk(column.rows - column.rows[0]), self._walk(column.places)
        begin = self.layout.end_of_sums + int(column.rows[0]) * self.shape.width

        def copy(i: Any, width: int) -> None:
            here, to = place(i), self._row(begin, (1,), [row(i)])
            for v in range(self.shape.vectors):
                of_samples = [code.load(code.at(column.base, start), here, width)
                              for start in starts[v * lanes : (v + 1) * lanes]]  # fmt: skip
                of_rows = code.transposed(of_samples) if width > 1 else [self._vector(of_samples)]
                for r, numbers in enumerate(of_rows):
                    code.store(numbers, to, r * self.shape.width + v * lanes)

        side_by_side = _line(column.rows)[1] == _line(column.places)[1] == 1
        code.in_vectors(len(column.rows), lanes if side_by_side else 1, copy)

    def _walk(self, places: Ints) -> Callable[[Any], Any]:
        """Return the function that gives the i-th of these places."""
        first, step = _line(places)
        if step is not None:
            return lambda i: self.code.place(first, (step,), [i])
        entry = self.table.add(places)
        return lambda i: self.code.entry(self.code.place(entry, (1,), [i]))

    def _sample(self, first: Any, lane: int, column: Column, index: Any) -> Any:
        """Return where the numbers of the sample in a lane begin; for a lane too many, those of the first."""
        b, code = self.code.builder, self.code
        n = INT(lane)
        if self.valid is not None:
            n = b.select(b.icmp_signed("<", n, self.valid), n, INT(0))
        n = b.add(first, n, flags=["nsw"])
        if index is not None:
            n = b.load(b.gep(index, [n], source_etype=INT), typ=INT)
        return code.place(0, (column.stride,), [n])

    def _vector(self, numbers: list[Any]) -> Any:
        if len(numbers) == 1:
            return numbers[0]
        b = self.code.builder
        out = ir.Constant(self.code.vector(len(numbers)), ir.Undefined)
        for lane, number in enumerate(numbers):
            out = b.insert_element(out, number, ir.IntType(32)(lane))
        return out

    def give(self, first: Any, array: int, base: Any) -> None:
        """Emit the copy of the rows of an array to where it is kept for all samples, one sample after the other."""
        code, size = self.code, self.program.arrays[array].size
        many = INT(self.shape.group) if self.valid is None else self.valid

        def sample(lane: Any, _: list[Any]) -> list[Any]:
            to = code.at(base, code.place(0, (size,), [code.builder.add(first, lane)]))

            def number(i: Any, _: list[Any]) -> list[Any]:
                code.store(code.load(self._row(self._start(array, 0), (1,), [i]), lane), to, i)
                return []

            return code.loop(INT(0), INT(size), 1, [], number)

        code.loop(INT(0), many, 1, [], sample)

    # What each sample has for itself

    def _points(self, nest: Nest) -> None:
        contracts = any(term.axes for s in nest.statements for term in s.terms)
        many = self.shape.results if contracts else 1
        if not nest.extents:
            self._block(nest, [], 1)
            return
        last = nest.extents[-1]

        def row(position: list[Any], _: Any) -> list[Any]:
            self.code.in_blocks(last, min(many, last), lambda i, count: self._block(nest, [*position, i], count))
            return []

        self.code.nest(nest.extents[:-1], [], row)

    def _block(self, nest: Nest, position: list[Any], many: int) -> list[Any]:
        """Emit the nest for `many` points along the last extent."""
        known: dict[int, list[list[Any]]] = {}  # for each point the vectors of the group
        reads = _Reads(self, position, [], known)
        for statement in nest.statements:
            if statement.terms:
                result = self._reduce(statement, position, many, known, reads)
            else:
                result = [[RULES[statement.op](self.code.builder, *(reads.at(o, r, v) for o in statement.operands))
                           for v in range(self.shape.vectors)] for r in range(many)]  # fmt: skip
            known[statement.out] = result
            if statement.out in nest.stored:
                to = self._row(self.starts[id(statement)], row_major(nest.extents), position)
                for r, vectors in enumerate(result):
                    for v, number in enumerate(vectors):
                        self.code.store(number, to, r * self.shape.width + v * self.shape.lanes)
        return []

    def _reduce(
        self, statement: Statement, position: list[Any], many: int, known: dict[int, Any], reads: _Reads
    ) -> list[list[Any]]:
        code, op, vectors = self.code, statement.op, self.shape.vectors
        points = [(r, v) for r in range(many) for v in range(vectors)]
        single = [term for term in statement.terms if not term.axes]
        totals = [neutral(code, op, self.shape.lanes)] * len(points)
        for place, term in enumerate(single):
            sole = Statement(0, op, (), (), (term,))
            numbers = [combine(code, sole, [reads.at(factor, r, v) for factor in term.factors]) for r, v in points]
            totals = (
                numbers if place == 0 else [reduce_two(code, op, a, b) for a, b in zip(totals, numbers, strict=True)]
            )
        for term in statement.terms:
            if term.axes:
                totals = self._contract(op, term, position, many, known, totals)
        return [totals[r * vectors : (r + 1) * vectors] for r in range(many)]

    def _contract(
        self, op: str, term: Term, position: list[Any], many: int, known: dict[int, Any], totals: list[Any]
    ) -> list[Any]:
        code = self.code
        extents = tuple(self.program.axes[axis].extent for axis in term.axes)

        def body(rest: list[Any], own: list[Any]) -> list[Any]:
            reads, vectors, sums = _Reads(self, position, rest, known), self.shape.vectors, list(own)
            points = [(r, v) for r in range(many) for v in range(vectors)]
            for r, v in sorted(points, key=lambda p: p[::-1]) if many < vectors else points:  # few stay loaded
                place = r * vectors + v
                sums[place] = accumulate(code, op, sums[place], [reads.at(factor, r, v) for factor in term.factors])
            return sums

        return code.nest(extents, totals, body)

    # Sums over samples

    def _close(self, statement: Statement, groups: Any) -> None:
        """Emit the sums of the tile, several results along the last two extents at once."""
        extents = self.program.extents(statement.axes)
        rows, columns = (1, 1, *extents)[-2:]
        outer = self.outer.get(statement.out)
        if outer is not None:
            emit_outer(self, statement, outer, groups)
        done = outer.columns if outer is not None else 0
        if done == columns:
            return
        down, along = best_blocks(rows, columns - done, self.shape.lanes)
        sums = list(self._sums_of(statement))

        def block(position: list[Any], _: Any) -> list[Any]:
            def rows_of(i: Any, height: int) -> None:
                def one(j: Any, width: int) -> None:
                    j = self.code.place(done, (1,), [j])
                    self._close_block(statement, sums, groups, position, i, j, (height, width))

                self.code.in_blocks(columns - done, along, one)

            self.code.in_blocks(rows, down, rows_of)
            return []

        self.code.nest(extents[:-2], [], block)

    def _close_block(
        self, statement: Statement, sums: list[Summed], groups: Any, outer: list[Any], i: Any, j: Any,
        block: tuple[int, int],
    ) -> list[Any]:  # fmt: skip
        code, (height, width) = self.code, block
        extents = self.program.extents(statement.axes)
        depth, lanes, b = len(extents), self.shape.lanes, code.builder
        strides = row_major(extents)
        down = (0, 0, *strides)[-2] * (depth > 1)
        points = sorted(
            np.ndindex(height, width), key=lambda p: p if height >= width else p[::-1]
        )  # the short side stays loaded
        position = [*outer, i, j] if depth > 1 else [j] if depth else []
        totals = [neutral(code, "sum", lanes)] * len(points)
        for inner, sample, operands in sums:

            def body(
                rest: list[Any], own: list[Any], operands: tuple[Operand, ...] = operands, sample: int = sample
            ) -> list[Any]:
                where = [*position, *rest]
                idle = (-0.0, 0.0)  # what lanes without a sample hold: -0 + (-0)(0) x is x, also for -0
                factors = [self._columns(f, where, depth, depth + sample, block, zero)
                           for f, zero in zip(operands, idle, strict=False)]  # fmt: skip

                def group(g: Any, sums: list[Any]) -> list[Any]:
                    start = b.mul(g, INT(self.shape.group), flags=["nsw"])
                    reads = [factor(start) for factor in factors]
                    for v in range(self.shape.vectors):
                        for place, (r, c) in enumerate(points):
                            sums[place] = accumulate(code, "sum", sums[place], [read(r, c, v) for read in reads])
                    return sums

                return code.loop(INT(0), groups, 1, own, group)

            totals = code.nest(inner, totals, body)
        base = code.at(self.sums, code.place(self.layout.sums[statement.out], strides, position))
        in_order = [totals[points.index((r, c))] for r in range(height) for c in range(width)]
        self._add_sums(in_order, base, [(r * down, width) for r in range(height)])
        return []

    def _sums_of(self, statement: Statement) -> Iterator[Summed]:
        """Yield for each term its extents without samples, the place of the samples among its axes, and its factors.

        Terms in a row that lie at one distance from each to the next are one, over an axis more, its first.
        """
        axes, depth, width = self.program.axes, len(statement.axes), self.shape.width
        for terms, steps in runs(list(statement.terms), self._steps):
            first = terms[0]
            inner = tuple(axes[axis].extent for axis in first.axes if not axes[axis].batch)
            sample = next(place for place, axis in enumerate(first.axes) if axes[axis].batch)
            if len(terms) == 1:
                yield inner, sample, first.factors
                continue
            factors = []
            for factor, step in zip(first.factors, steps, strict=True):
                along = step // width if factor.source in self.layout.rows else step
                factors.append(replace(factor, strides=(*factor.strides[:depth], along, *factor.strides[depth:])))
            yield (len(terms), *inner), sample + 1, tuple(factors)

    def _steps(self, one: Term, other: Term) -> list[int] | None:
        """Return how far from what a term reads lies what another one reads, if that is all they differ in."""
        alike = one.axes == other.axes and len(one.factors) == len(other.factors)
        pairs = list(zip(one.factors, other.factors, strict=True)) if alike else []
        rows = self.layout.rows
        if any(a.strides != b.strides or (a.source in rows) != (b.source in rows) for a, b in pairs):
            return None
        return [self._start(b.source, b.offset) - self._start(a.source, a.offset) for a, b in pairs] or None

    def _add_sums(self, totals: list[Any], base: Any, rows: list[tuple[int, int]]) -> None:
        """Emit the addition of the sums of all lanes to what is there: row after row of (place, how many)."""
        code, lanes = self.code, self.shape.lanes
        places = [place + k for place, width in rows for k in range(width)]
        for start in range(0, len(totals), lanes):
            some = totals[start : start + lanes]
            sums = code.across_each([*some, *[some[0]] * (lanes - len(some))])
            where = places[start : start + lanes]
            first = 0
            for last in range(1, len(where) + 1):
                if last == len(where) or where[last] != where[last - 1] + 1:
                    self.add_to_sum(code.part(sums, first, last - first), base, where[first])
                    first = last

    def add_to_sum(self, part: Any, base: Any, place: int) -> None:
        """Emit the addition of numbers to the sums from there on, or to nothing where the tile begins them."""
        code, lanes = self.code, getattr(part.type, "count", 1)
        before = code.load(base, place, lanes)
        before = code.builder.select(self.begins, splat(before.type, -0.0), before)
        code.store(code.add(before, part), base, place)

    def _columns(
        self, operand: Operand, where: list[Any], depth: int, sample: int, block: tuple[int, int], idle: float
    ) -> Callable[[Any], Callable[[int, int, int], Any]]:
        """Return what gives for a group the function of (row, column, vector) that loads a factor, each once."""
        code, shape = self.code, self.shape
        own = operand.strides[:sample] + operand.strides[sample + 1 :]
        down = own[depth - 2] if depth > 1 else 0
        along = own[depth - 1] if depth else 0
        batched, start = operand.source in self.layout.rows, self._start(operand.source, operand.offset)
        if batched:
            base = code.at(self.tile, code.place(start, [s * shape.width for s in own], where))
        else:
            base = code.at(code.memory, code.place(start, own, where))

        def of_group(column: Any) -> Callable[[int, int, int], Any]:
            loaded: dict[Any, Any] = {}
            here = code.at(base, column) if batched else base

            def number(r: int, c: int, v: int) -> Any:
                step = r * down + c * along
                key = (step, v if batched else 0)
                if key not in loaded:
                    if batched:
                        loaded[key] = code.load(here, step * shape.width + v * shape.lanes, shape.lanes)
                    else:
                        loaded[key] = code.spread(code.load(here, step), shape.lanes)
                    if self.mask is not None:
                        zeros = splat(loaded[key].type, idle)
                        loaded[key] = code.builder.select(self.mask, loaded[key], zeros)
                return loaded[key]

            return number

        return of_group

    def row_of(self, operand: Operand, position: Sequence[Any]) -> Any:
        """Return the address of the first sample in the row that an operand reads there, its last stride left out."""
        width = self.shape.width
        strides = [stride * width for stride in operand.strides[: len(position)]]
        return self.code.at(self.tile, self.code.place(self._start(operand.source, operand.offset), strides, position))

    def _row(self, start: Any, strides: Sequence[int], position: Sequence[Any]) -> Any:
        """Return the address of the group in a row of an array: sum of strides * position rows behind the start."""
        width = self.shape.width
        place = self.code.place(start, [*(s * width for s in strides), 1], [*position, self.column])
        return self.code.at(self.tile, place)


class _Reads:
    """Loads what a block of points reads, each number when it is first needed; valid where it is made and behind."""

    def __init__(self, tile: Tile, position: list[Any], rest: list[Any], known: dict[int, list[list[Any]]]) -> None:
        self.tile, self.position, self.rest, self.known = tile, position, rest, known
        self.loaded: dict[Any, Any] = {}

    def at(self, operand: Operand, r: int, v: int) -> Any:
        """Return vector v of what the operand reads for point r of the block."""
        if operand.source in self.known:
            return self.known[operand.source][r][v]
        tile = self.tile
        strides = _without_samples(operand, len(self.position), len(self.rest))
        step = r * strides[len(self.position) - 1] if self.position else 0
        batched, start = operand.source in tile.layout.rows, tile.starts[id(operand)]
        key = (batched, start, strides, step, v if batched else 0)
        if key not in self.loaded:
            self.loaded[key] = self._load(operand, start, strides, batched, step, v)
        return self.loaded[key]

    def _load(self, operand: Operand, start: Any, strides: tuple[int, ...], batched: bool, step: int, v: int) -> Any:
        tile, code, lanes = self.tile, self.tile.code, self.tile.shape.lanes
        if operand.source == 0 and not any(strides) and isinstance(start, int):
            return splat(code.vector(lanes), float(tile.program.constants[start]))
        base = self.loaded.get((batched, start, strides))
        if base is None:
            where = [*self.position, *self.rest]
            base = (
                tile._row(start, strides, where) if batched else code.at(code.memory, code.place(start, strides, where))
            )
            self.loaded[batched, start, strides] = base
        if batched:
            return code.load(base, step * tile.shape.width + v * lanes, lanes)
        return code.spread(code.load(base, step), lanes)


def _without_samples(operand: Operand, depth: int, more: int) -> tuple[int, ...]:
    """Return the strides along the other axes: that of the batch comes first, if the statement is of one."""
    return operand.strides[len(operand.strides) - depth - more :]


def accumulate(code: Code, op: str, total: Any, factors: list[Any]) -> Any:
    """Return the total with the product of the factors taken in."""
    if len(factors) == 1:
        return reduce_two(code, op, total, factors[0])
    return intrinsic(code.builder, "fmuladd", factors[0], factors[1], total)


def _line(places: Ints) -> tuple[int, int | None]:
    """Return first and step of places in a row; step None if they are not."""
    steps = np.diff(places)
    if len(steps) and (steps != steps[0]).any():
        return 0, None
    return int(places[0]) if len(places) else 0, int(steps[0]) if len(steps) else 1


def _spread_integer(b: Any, number: Any, lanes: int) -> Any:
    kind = ir.VectorType(INT, lanes)
    one = b.insert_element(ir.Constant(kind, ir.Undefined), number, ir.IntType(32)(0))
    return b.shuffle_vector(one, ir.Constant(kind, ir.Undefined),
                            ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes))  # fmt: skip
