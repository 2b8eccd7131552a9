"""Find the loops over steps: blocks of statements that come many times in a row, each time on other numbers.

Each step of a recurrence reads the step before, so its scalars are families of their own, and its statements are its
own: a thousand steps are a thousand times the code. But all have the same statements in the same order. Such a block
is one that a shift of the program by its length leaves as it is: the same operations over the same extents, which read
what their own step made from the same place in it. What else they read may lie anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .program import ANYWHERE, ArrayProgram, Ints, Operand, Statement

LEAST_TIMES, LEAST_STATEMENTS = 8, 48  # that a block comes, and that all of them have: else it is written out
SHOWN_TIMES = 5  # that lines come, from which on not all of them are shown
MOST_STATEMENTS = 1024  # of a block
MOST_READS = 32  # of a statement in a block
FAR = 2**40  # statements back, for what no statement here makes


@dataclass(frozen=True)
class Repeat:
    """The `size` statements from `first` on come so many `times`, one block after the other."""

    first: int
    size: int
    times: int

    @property
    def end(self) -> int:
        """The statement behind the last block."""
        return self.first + self.size * self.times


def find_repeats(program: ArrayProgram, statements: Sequence[Statement]) -> list[Repeat]:
    """Return the blocks that repeat among these statements, in their order; none of them closes a batch."""
    if len(statements) < LEAST_STATEMENTS:
        return []
    return find_blocks(_Shapes.of(program, statements), LEAST_TIMES, LEAST_STATEMENTS)


def shortened(lines: Sequence[str], plain: Sequence[str], between: str) -> list[str]:
    """Return lines of equations; of blocks that come many times, with other numbers, the first and the last one.

    `plain` are the same equations as plain text. The line `between` says in its braces how often they come.
    """
    kinds: dict[str, int] = {}
    kind = [kinds.setdefault(_without_numbers(line), len(kinds)) for line in plain]
    out: list[str] = []
    done = 0
    for found in find_blocks(Things(np.array(kind, dtype=np.int64)), SHOWN_TIMES, 2 * SHOWN_TIMES):
        out += lines[done : found.first + found.size]
        out.append(between.format(f"{found.times - 2:,} times more so, with other numbers, until"))
        done = found.end - found.size
    return [*out, *lines[done:]]


def _without_numbers(line: str) -> str:
    """Return an equation with a 1 for each number, and its axes called A, B, ..., in the order in which they come."""
    letters: dict[str, str] = {}

    def index(found: re.Match[str]) -> str:
        return _AXIS.sub(lambda axis: letters.setdefault(axis[0], chr(ord("A") + len(letters))), found[0])

    return re.sub(r"\d+", "1", _INDEX.sub(index, line))


_INDEX, _AXIS = re.compile(r"(?<=\[)[^][]*(?=])|(?<=Σ_)\w+"), re.compile(r"[a-z]\d*")  # as in a[i,2n2+1] and Σ_i


@dataclass(frozen=True, eq=False)
class Things:
    """What stands in a row; `kind` is one number for all that may be the same."""

    kind: Ints

    def same(self, size: int, first: int, last: int) -> Any:
        """Return for each from `first` on whether it is the same as the one `size` behind, which is before `last`."""
        return self.kind[first + size : last] == self.kind[first : last - size]


@dataclass(frozen=True, eq=False)
class _Shapes(Things):
    """Of each statement what it does, as a number; and for each of its reads how far back that was made, and where."""

    back: Ints
    offset: Ints

    @classmethod
    def of(cls, program: ArrayProgram, statements: Sequence[Statement]) -> _Shapes:
        kinds: dict[Any, int] = {}
        place = {statement.out: number for number, statement in enumerate(statements)}
        width = min(max(len(statement.reads) for statement in statements), MOST_READS)
        kind = np.empty(len(statements), dtype=np.int64)
        back = np.full((len(statements), width), FAR)
        offset = np.zeros((len(statements), width), dtype=np.int64)
        for number, statement in enumerate(statements):
            reads = statement.reads
            if len(reads) > width:
                kind[number] = -number - 1  # like no other
                continue
            kind[number] = kinds.setdefault(_shape(program, statement), len(kinds))
            for column, read in enumerate(reads):
                if read.source in place:
                    back[number, column], offset[number, column] = number - place[read.source], read.offset
        return cls(kind, back, offset)

    def same(self, size: int, first: int, last: int) -> Any:
        """Return for each statement whether the one so many behind does the same."""
        back, offset = self.back[first:last], self.offset[first:last]
        same = super().same(size, first, last)
        at = np.flatnonzero(same)
        near, near_behind = np.minimum(back[at], size), np.minimum(back[at + size], size)
        alike = (near == near_behind) & ((offset[at] == offset[at + size]) | (near == size))
        same[at] = alike.all(axis=1)
        return same


def _shape(program: ArrayProgram, statement: Statement) -> Any:
    """Return all of a statement but which numbers it reads."""

    def steps(operand: Operand) -> Any:
        anywhere = operand.source == ANYWHERE
        batch = 0 if anywhere else program.arrays[operand.source].batch
        return batch, operand.strides if operand.index is None else anywhere

    terms = tuple(
        (tuple(map(steps, term.factors)), program.extents(term.axes), term.length,
         None if term.offsets is None else term.offsets.tobytes())
        for term in statement.terms
    )  # fmt: skip
    return statement.op, program.extents(statement.axes), tuple(map(steps, statement.operands)), terms


def find_blocks(things: Things, times: int, length: int) -> list[Repeat]:
    """Return the blocks that come at least so many `times` and have at least this `length` together, in their order.

    Of several that lie across each other, those stay that cover most; a longer block has to cover more by its length.
    """
    out: list[Repeat] = []
    waiting = [(0, len(things.kind))]
    while waiting:
        first, last = waiting.pop()
        found = _widest(things, first, last, times, length)
        if found is not None:
            out.append(found)
            waiting += [(first, found.first), (found.end, last)]
    return sorted(out, key=lambda repeat: repeat.first)


def _widest(things: Things, first: int, last: int, least: int, length: int) -> Repeat | None:
    best, covered, kind = None, 0, things.kind[first:last]
    for size in range(1, min(MOST_STATEMENTS, (last - first) // least) + 1):
        if _longest(kind[size:] == kind[:-size])[1] <= max(covered, length - 2 * size):
            continue
        start, run = _longest(things.same(size, first, last))
        times = run // size + 1
        if times >= least and size * times >= max(length, covered + size + 1):
            best, covered = Repeat(first + start, size, times), size * times
    return best


def _longest(same: Any) -> tuple[int, int]:
    """Return where the longest run of True begins, and its length."""
    edges = np.flatnonzero(np.diff(same.astype(np.int8), prepend=0, append=0))
    if not len(edges):
        return 0, 0
    starts, lengths = edges[::2], edges[1::2] - edges[::2]
    longest = int(np.argmax(lengths))
    return int(starts[longest]), int(lengths[longest])
