"""Plain nests as native loops: several points side by side in a vector where the operands lie side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from ..loops import Nest, has_loop
from ..program import Statement, Term
from .llvm_code import INT, Access, Code, Places, row_major
from .llvm_lanes import intrinsic, splat
from .llvm_math import RULES

MOST_VECTORS = 4  # at a time
LEAST_RUN = 32  # terms in a row that become a loop
Sum = tuple[tuple[int, ...], list[Access], int | None]  # extents, what its factors read, offsets if it is ragged


def emit_plain(places: Places, nest: Nest, lanes: int) -> None:
    """Emit the loops of a nest over no batch."""
    if 0 in nest.extents:
        return
    if any(map(has_loop, nest.statements)):
        for statement in nest.statements:
            _Reduction(places, statement, lanes).emit()
        return
    _Points(places, nest, lanes).emit()


class _Points:
    """Element-wise statements, from whose results only those stored go to memory."""

    def __init__(self, places: Places, nest: Nest, lanes: int) -> None:
        self.code, self.constants, self.nest = places.code, places.program.constants, nest
        own, extents = {s.out for s in nest.statements}, nest.extents
        self.reads = [
            [None if read.source in own else places.read(s, number, extents) for number, read in enumerate(s.reads)]
            for s in nest.statements
        ]
        outs = [places.written(s) for s in nest.statements]
        flat = [a for reads in self.reads for a in reads if a] + outs
        self.extents, flat = merged(extents, flat)
        again = iter(flat)
        self.reads = [[next(again) if a else None for a in reads] for reads in self.reads]
        self.outs = list(again)
        side_by_side = self.extents and all(a.strides[-1] in (0, 1) and not a.gathers for a in flat)
        self.lanes = lanes if side_by_side and self.extents[-1] >= lanes else 1

    def emit(self) -> None:
        code = self.code
        if not self.extents:
            self._at([], 1)
            return

        def row(position: list[Any], _: Any) -> list[Any]:
            def some(i: Any, width: int) -> None:
                if width == self.lanes:
                    self._at([*position, i], width)
                else:
                    code.loop(i, INT(self.extents[-1]), 1, [], lambda one, _: self._at([*position, one], 1))

            code.in_blocks(self.extents[-1], self.lanes, some)
            return []

        code.nest(self.extents[:-1], [], row)

    def _at(self, position: list[Any], lanes: int) -> list[Any]:
        known: dict[int, Any] = {}
        loaded: dict[Access, Any] = {}
        code, b = self.code, self.code.builder
        for statement, reads, out in zip(self.nest.statements, self.reads, self.outs, strict=True):
            numbers = []
            for read, access in zip(statement.reads, reads, strict=True):
                if access is None:
                    numbers.append(known[read.source])
                    continue
                if access not in loaded:
                    loaded[access] = self._load(read, access, position, lanes)
                numbers.append(loaded[access])
            number = combine(code, statement, numbers) if statement.terms else RULES[statement.op](b, *numbers)
            known[statement.out] = number
            if statement.out in self.nest.stored:
                code.store(number, code.memory, code.place(out.start, out.strides, position))
        return []

    def _load(self, read: Any, access: Access, position: list[Any], lanes: int) -> Any:
        if read.source == 0 and not access.gathers and not any(access.strides) and isinstance(access.start, int):
            return splat(self.code.vector(lanes), float(self.constants[access.start]))
        return self.code.read(access, position, lanes)


def combine(code: Code, statement: Statement, numbers: Sequence[Any]) -> Any:
    """Return the reduction of the terms of a statement, each the product of its factors, which are `numbers`."""
    rest, total = iter(numbers), None
    for term in statement.terms:
        first, *others = [next(rest) for _ in term.factors]
        for number in others:
            first = code.builder.fmul(first, number, flags=["contract"])
        total = first if total is None else reduce_two(code, statement.op, total, first)
    return total


def reduce_two(code: Code, op: str, a: Any, b: Any) -> Any:
    """Return a and b reduced to one."""
    return code.add(a, b) if op == "sum" else RULES["maximum"](code.builder, a, b)


def neutral(code: Code, op: str, lanes: int) -> Any:
    """Return what a reduction begins with."""
    return splat(code.vector(lanes), -0.0 if op == "sum" else float("-inf"))  # -0 + x is x, also for -0


class _Reduction:
    """A sum, or the largest, of many numbers: side by side along the result, or along what is summed, or one by one."""

    def __init__(self, places: Places, statement: Statement, lanes: int) -> None:
        self.code, self.places, self.statement = places.code, places, statement
        self.extents = places.program.extents(statement.axes)
        self.out = places.written(statement)
        numbers = iter(range(len(statement.reads)))
        self.terms = _in_runs([self._term(term, numbers) for term in statement.terms], len(self.extents))
        depth = len(self.extents)
        regular = [access for _, reads, ragged in self.terms if not ragged for access in reads]
        along_result = depth and all(a.strides[depth - 1] in (0, 1) and not a.gathers for a in regular)
        walks = any(a.strides[depth - 1] == 1 for a in regular) if along_result else False
        self.lanes = lanes
        self.wide = bool(walks) and self.extents[-1] >= lanes and not any(ragged for _, _, ragged in self.terms)

    def _term(self, term: Term, numbers: Iterator[int]) -> Sum:
        """Return the extents of the sum, where its factors read, and where the offsets are if it is ragged.

        Its factors are the next `numbers` among what the statement reads.
        """
        inner = self.places.program.extents(term.axes) if term.offsets is None else ()
        space = self.extents + inner if term.offsets is None else (term.length,)
        reads = [self.places.read(self.statement, next(numbers), space) for _ in term.factors]
        if term.offsets is None:
            return inner, reads, None
        return (), reads, self.places.table.add([*term.offsets.tolist(), term.length])

    def emit(self) -> None:
        code = self.code
        if not self.wide:
            code.nest(self.extents, [], lambda position, _: self._store(position, self._one(position), 1))
            return
        last, lanes = self.extents[-1], self.lanes
        many = min(MOST_VECTORS, last // lanes)
        block = many * lanes
        whole = last - last % block

        def row(position: list[Any], _: Any) -> list[Any]:
            def at(i: Any, _: Any) -> list[Any]:
                for v, total in enumerate(self._side_by_side([*position, i], many)):
                    self._store([*position, code.place(v * lanes, (1,), [i])], total, lanes)
                return []

            code.loop(INT(0), INT(whole), block, [], at)
            if whole < last:
                code.loop(
                    INT(whole), INT(last), 1, [], lambda i, _: self._store([*position, i], self._one([*position, i]), 1)
                )
            return []

        code.nest(self.extents[:-1], [], row)

    def _store(self, position: list[Any], total: Any, lanes: int) -> list[Any]:
        self.code.store(total, self.code.memory, self.code.place(self.out.start, self.out.strides, position))
        return []

    def _side_by_side(self, position: list[Any], many: int) -> list[Any]:
        """Return several vectors of results, beginning at this position."""
        code, op, depth = self.code, self.statement.op, len(self.extents)
        totals = [neutral(code, op, self.lanes)] * many
        for inner, reads, _ in self.terms:

            def body(rest: list[Any], own: list[Any], reads: list[Access] = reads) -> list[Any]:
                factors = [self._vectors(access, position, rest, many, depth) for access in reads]
                return [_accumulate(code, op, total, [f[v] for f in factors]) for v, total in enumerate(own)]

            totals = code.nest(inner, totals, body)
        return totals

    def _vectors(self, access: Access, position: list[Any], rest: list[Any], many: int, depth: int) -> list[Any]:
        code = self.code
        place = code.place(access.start, access.strides, position + rest)
        if access.strides[depth - 1] == 0:
            return [code.spread(code.load(code.memory, place), self.lanes)] * many
        base = code.at(code.memory, place)
        return [code.load(base, v * self.lanes, self.lanes) for v in range(many)]

    def _one(self, position: list[Any]) -> Any:
        """Return the result at this position."""
        code, op = self.code, self.statement.op
        total = neutral(code, op, 1)
        for inner, reads, offsets in self.terms:
            if offsets is not None:
                at = code.place(offsets, row_major(self.extents), position)
                first, last = code.entry(at), code.entry(code.builder.add(at, INT(1)))
                (total,) = code.loop(first, last, 1, [total], partial(self._ragged_step, op, reads))
                continue
            total = self._along_sum(total, position, inner, reads)
        return total

    def _ragged_step(self, op: str, reads: list[Access], i: Any, totals: list[Any]) -> list[Any]:
        return [self._step(op, totals[0], reads, [i], 1)]

    def _along_sum(self, total: Any, position: list[Any], inner: tuple[int, ...], reads: list[Access]) -> Any:
        code, op, lanes, depth = self.code, self.statement.op, self.lanes, len(position)
        inner, reads = _merged_behind(inner, reads, depth)
        near = inner and all(not a.gathers and a.strides[-1] in (0, 1) for a in reads)
        many = min(MOST_VECTORS, inner[-1] // lanes) if near and op == "sum" else 0
        if not many:
            (total,) = code.nest(inner, [total], lambda rest, own: [self._step(op, own[0], reads, position + rest, 1)])
            return total
        last, block = inner[-1], many * lanes
        whole = last - last % block

        def row(rest: list[Any], own: list[Any]) -> list[Any]:
            def vectors(i: Any, sums: list[Any]) -> list[Any]:
                at = [[*position, *rest, code.place(v * lanes, (1,), [i])] for v in range(many)]
                return [self._step(op, s, reads, p, lanes) for s, p in zip(sums, at, strict=True)]

            *sums, one = own
            sums = code.loop(INT(0), INT(whole), block, sums, vectors) if whole > block else vectors(INT(0), sums)
            if whole < last:
                (one,) = code.loop(INT(whole), INT(last), 1, [one],
                                   lambda i, o: [self._step(op, o[0], reads, [*position, *rest, i], 1)])  # fmt: skip
            return [*sums, one]

        *sums, total = code.nest(inner[:-1], [neutral(code, op, lanes)] * many + [total], row)
        while len(sums) > 1:
            sums = [code.add(a, b) for a, b in zip(sums[::2], sums[1::2], strict=False)] + sums[len(sums) & ~1 :]
        return code.add(total, code.across(sums[0]))

    def _step(self, op: str, total: Any, reads: list[Access], position: list[Any], lanes: int) -> Any:
        return _accumulate(self.code, op, total, [self.code.read(access, position, lanes) for access in reads])


def _in_runs(sums: list[Sum], depth: int) -> list[Sum]:
    """Return the same sums, those that lie in memory at one distance from each to the next as one over all of them.

    The results have `depth` axes.
    """
    out: list[Sum] = []
    for some, steps in runs(sums, _steps):
        if len(some) == 1:
            out += some
            continue
        inner, reads, _ = some[0]
        walks = [
            replace(read, strides=(*read.strides[:depth], step, *read.strides[depth:]))
            for read, step in zip(reads, steps, strict=True)
        ]
        out.append(((len(some), *inner), walks, None))
    return out


def runs(terms: list[Any], steps_of: Callable[[Any, Any], list[int] | None]) -> Iterator[tuple[list[Any], list[int]]]:
    """Yield terms that come one after the other in equal steps, with these; or each alone, where there are few.

    `steps_of` gives the steps from one term to another, None if they differ in more.
    """
    first = 0
    while first < len(terms):
        steps = steps_of(*terms[first : first + 2]) if first + 1 < len(terms) else None
        last = first + 1
        while last < len(terms) and steps is not None and steps_of(terms[last - 1], terms[last]) == steps:
            last += 1
        if last - first >= LEAST_RUN:
            yield terms[first:last], steps or []
        else:
            yield from (([term], []) for term in terms[first:last])
        first = last


def _steps(one: Sum, other: Sum) -> list[int] | None:
    """Return how far from what a sum reads lies what another one reads, if that is all they differ in."""
    alike = one[0] == other[0] and one[2] is None and other[2] is None and len(one[1]) == len(other[1])
    pairs = list(zip(one[1], other[1], strict=True)) if alike else []
    fixed = all(isinstance(a.start, int) and isinstance(b.start, int) for a, b in pairs)
    if not fixed or any(a.strides != b.strides or a.gathers or b.gathers for a, b in pairs):
        return None
    return [b.start - a.start for a, b in pairs] or None


def _accumulate(code: Code, op: str, total: Any, factors: list[Any]) -> Any:
    """Return the total with the product of the factors taken in."""
    first, *rest = factors
    if not rest:
        return reduce_two(code, op, total, first)
    for number in rest[:-1]:
        first = code.builder.fmul(first, number)
    return intrinsic(code.builder, "fmuladd", first, rest[-1], total)


def merged(extents: tuple[int, ...], accesses: list[Access]) -> tuple[tuple[int, ...], list[Access]]:
    """Return the same loops with as few axes as possible: two become one where all walk through both in one stride."""
    for axis in range(len(extents) - 1):
        inner = extents[axis + 1]
        if all(access.strides[axis] == access.strides[axis + 1] * inner for access in accesses):
            fewer = (*extents[:axis], extents[axis] * inner, *extents[axis + 2 :])
            drop = [replace(a, strides=a.strides[:axis] + a.strides[axis + 1 :]) for a in accesses]
            return merged(fewer, drop)
    return extents, accesses


def _merged_behind(inner: tuple[int, ...], reads: list[Access], depth: int) -> tuple[tuple[int, ...], list[Access]]:
    """Return the loops of a sum with as few axes as possible."""
    fewer, short = merged(inner, [replace(a, strides=a.strides[depth:]) for a in reads])
    return fewer, [replace(s, strides=a.strides[:depth] + s.strides) for a, s in zip(reads, short, strict=True)]
