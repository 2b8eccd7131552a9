"""Array programs as equations: what stands where, in a notation of one's choice."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from math import prod
from typing import ClassVar, NamedTuple

import numpy as np

from .naming import OWN
from .program import ANYWHERE, ArrayProgram, Ints, Operand, Statement, Term
from .strides import strides_of

MANY = 8  # terms in a row that differ in numbers alone, of which not all are written
_NUMBER = re.compile(r"\d+")
PLUS, SUM, MINUS, OVER, TIMES, POWER, ATOM = range(7)  # how strongly the parts of a piece hold together


class Piece(NamedTuple):
    """A part of a formula, and the operation that would be torn apart first."""

    text: str
    binding: int = ATOM


class Index(NamedTuple):
    """What stands at one place of an index: each letter times a number, and a number added to them."""

    steps: tuple[tuple[str, int], ...]
    offset: int = 0


class Equation(NamedTuple):
    """`left` = `right`, where `out` is the array on the left and `reads` are those on the right."""

    out: int
    left: str
    right: str
    reads: tuple[int, ...]


class Notation:
    """Formulas as plain text. Another notation overrides how each piece is written."""

    times, dots = "·", "..."
    signs: ClassVar = {"sum": "Σ", "largest": "max"}

    def letter(self, name: str) -> str:
        """Return the name of an axis."""
        return name

    def element(self, name: str, indices: Sequence[str]) -> Piece:
        """Return the array `name`, or its number at `indices`."""
        return Piece(f"{name}[{','.join(indices)}]" if indices else name)

    def whole(self, name: str) -> Piece:
        """Return an array as a whole."""
        return self.element(name, ())

    def looked_up(self, letters: Sequence[str]) -> str:
        """Return a place that an index array holds, for each point along these axes."""
        return f"index[{','.join(letters)}]"

    def number(self, value: float) -> Piece:
        """Return a constant."""
        return Piece(f"{value:.6g}", MINUS if value < 0 else ATOM)

    def apply(self, op: str, args: Sequence[Piece]) -> Piece:
        """Return the operation `op` of ops.TABLE, or its like, of these arguments."""
        if op == "sub":
            return Piece(f"{self.within(args[0], PLUS)} - {self.within(args[1], OVER)}", PLUS)
        if op == "mul":
            return self.product(args)
        if op == "div":
            return Piece(f"{self.within(args[0], TIMES)} / {self.within(args[1], POWER)}", OVER)
        if op == "pow":
            return Piece(f"{self.within(args[0], ATOM)}**{self.within(args[1], ATOM)}", POWER)
        if op == "neg":
            return Piece(f"-{self.within(args[0], POWER)}", MINUS)
        return Piece(f"{op}({', '.join(arg.text for arg in args)})")

    def product(self, factors: Sequence[Piece]) -> Piece:
        """Return one factor as it is, several multiplied."""
        first, *others = factors
        texts = [self.within(first, TIMES), *(self.within(other, POWER) for other in others)]
        return Piece(self.times.join(texts), TIMES) if others else first

    def over(self, op: str, letters: Sequence[str], piece: Piece) -> Piece:
        """Return the sum of `piece` over the axes `letters`; of another operation than "sum", its like."""
        signs = "".join(f"{self.signs[op]}_{letter} " for letter in letters)
        return Piece(f"{signs}{self.within(piece, OVER)}", SUM) if letters else piece

    def own(self, letters: Sequence[str]) -> str:
        """Return what stands under the signs of sums of which each, at these indices, has a length of its own."""
        return "(each its own)"

    def total(self, op: str, terms: Sequence[Piece]) -> Piece:
        """Return the sum of the terms; of another operation than "sum", its like."""
        if len(terms) == 1:
            return terms[0]
        terms = self._without_most(terms)
        if op != "sum":
            return self.apply("maximum", terms)
        texts = [terms[0].text, *(self.within(term, OVER if term.binding == MINUS else SUM) for term in terms[1:])]
        return Piece(" + ".join(texts), PLUS)

    def _without_most(self, terms: Sequence[Piece]) -> list[Piece]:
        """Return the terms with dots for all but the first two and the last of many that differ in numbers alone."""
        out: list[Piece] = []
        for _, group in groupby(terms, key=lambda term: _NUMBER.sub("1", term.text)):
            alike = list(group)
            out += alike if len(alike) < MANY else [*alike[:2], Piece(self.dots), alike[-1]]
        return out

    def within(self, piece: Piece, binding: int) -> str:
        """Return the piece, in parentheses if it holds together less strongly than `binding`."""
        return piece.text if piece.binding >= binding else f"({piece.text})"

    def index(self, index: Index) -> str:
        """Return what stands at one place of an index, such as 2i+3 or 3-i."""
        parts = [f"{'' if times == 1 else '-' if times == -1 else times}{letter}" for letter, times in index.steps]
        parts += [str(index.offset)] * (index.offset > 0 or not parts)
        return "+".join(sorted(parts, key=lambda part: part.startswith("-"))).replace("+-", "-")


def equations_of(
    program: ArrayProgram, notation: Notation, in_place: bool = True
) -> tuple[list[Equation], list[Piece]]:
    """Return the statements as equations in this notation, and the names of the results, each once.

    A result that is used once, where it stands, is written into its user, unless `in_place` is False.
    """
    writer = _Writer(program, notation, in_place)
    results = [program.arrays[array] for array in dict.fromkeys(arrays_of(program, program.outputs))]
    names = [notation.whole(array.name) if array.axes else notation.element(array.name, ()) for array in results]
    return [writer.equation(s) for s in program.statements if s.out not in writer.inlined], names


def arrays_of(program: ArrayProgram, places: Ints) -> list[int]:
    """Return the array that each input or output lies in; -1 for an input that nothing needs."""
    out: list[int] = places[:, 0].tolist()
    return out


def sources_of(program: ArrayProgram, operand: Operand) -> list[int]:
    """Return the arrays that an operand reads; none if it is one number in the code."""
    if operand.source == 0 and operand.index is None and not any(operand.strides):
        return []
    if operand.source != ANYWHERE or operand.index is None:
        return [operand.source]
    starts = np.array(program.bases[:-1])
    order = np.argsort(starts, kind="stable")
    found: list[int] = order[np.unique(np.searchsorted(starts[order], operand.index, side="right") - 1)].tolist()
    return found


class _Writer:
    def __init__(self, program: ArrayProgram, notation: Notation, in_place: bool) -> None:
        self.program, self.notation = program, notation
        self.made = {statement.out: statement for statement in program.statements}
        self.inlined: dict[int, Statement] = {}
        uses = Counter(source for s in program.statements for read in s.reads for source in sources_of(program, read))
        uses.update(set(arrays_of(program, program.outputs)))
        for statement in program.statements if in_place else ():
            for read in statement.reads:
                source = self.made.get(read.source)
                if source and uses[read.source] == 1 and self._in_place(read, source, statement):
                    self.inlined[source.out] = source

    def equation(self, statement: Statement) -> Equation:
        letters = self._letters(statement.axes)
        left = self.notation.element(self.program.arrays[statement.out].name, letters)
        reads = tuple(dict.fromkeys(self._reads(statement)))
        return Equation(statement.out, left.text, self._expression(statement).text, reads)

    def _reads(self, statement: Statement) -> list[int]:
        sources = [source for read in statement.reads for source in sources_of(self.program, read)]
        parts = [self._reads(self.inlined[s]) if s in self.inlined else [s] for s in sources]
        return [source for part in parts for source in part]

    def _in_place(self, read: Operand, source: Statement, user: Statement) -> bool:
        plain = read.index is None and source.axes == user.axes
        plain = plain and read.strides == strides_of(self.program.extents(source.axes))
        adds = bool(source.terms) or any(r.source in self.inlined for r in source.reads)
        return plain and not (adds and user.terms) and not any(term.offsets is not None for term in user.terms)

    def _letters(self, axes: Sequence[int]) -> list[str]:
        return [self.notation.letter(self.program.axes[axis].name) for axis in axes]

    def _known(self, axes: Sequence[int]) -> list[int]:
        """Return those of `axes` whose extent is known before the program runs."""
        return [axis for axis in axes if self.program.axes[axis].extent]

    def _expression(self, statement: Statement) -> Piece:
        if not statement.terms:
            return self.notation.apply(statement.op, [self._operand(r, statement.axes) for r in statement.operands])
        terms = [self._term(term, statement) for term in statement.terms]
        return self.notation.total(statement.op, terms)

    def _term(self, term: Term, statement: Statement) -> Piece:
        own = [] if term.offsets is None else [self.notation.letter(OWN)]
        factors = [self._operand(factor, statement.axes + term.axes, own) for factor in term.factors]
        letters = self._letters(term.axes)
        if own:
            letters.append(self.notation.own(self._letters(statement.axes)))
            return self.notation.over(statement.op, letters, self.notation.product(factors))
        idle = [
            axis for d, axis in enumerate(term.axes, len(statement.axes))
            if self._known([axis]) and all(f.index is None and f.strides[d] == 0 for f in term.factors)
        ]  # fmt: skip
        times = prod(self.program.extents(tuple(idle)))
        if times > 1 and statement.op == "sum":
            factors = [self.notation.number(times), *factors]
        running = [letter for axis, letter in zip(term.axes, letters, strict=True) if axis not in idle]
        return self.notation.over(statement.op, running, self.notation.product(factors))

    def _operand(self, operand: Operand, axes: tuple[int, ...], own: Sequence[str] = ()) -> Piece:
        """Return what is read at a point of the space of `axes` and of the letters in `own`."""
        if operand.source in self.inlined:
            return self._expression(self.inlined[operand.source])
        if not sources_of(self.program, operand):
            return self.notation.number(float(self.program.constants[operand.offset]))
        if operand.index is not None:
            return self._gathered(operand, axes, own)
        letters = [*self._letters(axes), *own][-len(operand.strides) :]
        steps = [(letter, stride) for letter, stride in zip(letters, operand.strides, strict=True) if stride]
        array = self.program.arrays[operand.source]
        indices = self._walked_whole(operand, axes) or self._indices(operand, steps)
        if indices is None:
            indices = [Index(tuple(steps), operand.offset)] if array.size > 1 else []
        return self.notation.element(array.name, list(map(self.notation.index, indices)))

    def _gathered(self, operand: Operand, axes: tuple[int, ...], own: Sequence[str]) -> Piece:
        letters = own or self._letters(self._known(axes))
        first = str(int(operand.index.flat[0])) if operand.index is not None else ""
        place = self.notation.looked_up(letters) if letters else first
        if operand.source == ANYWHERE:
            return self.notation.element("memory", [place])
        array = self.program.arrays[operand.source]
        batch = [axis for axis in array.axes if not self._known([axis])]
        return self.notation.element(array.name, [*self._letters(batch), place])

    def _walked_whole(self, operand: Operand, axes: tuple[int, ...]) -> list[Index]:
        """Return a letter for each dimension of given numbers that lie in a row, if they are read as such a table."""
        array, walked = self.program.arrays[operand.source], []
        if operand.source in self.made or len(array.axes) != 1 or len(operand.strides) != len(axes):
            return []
        for stride, axis in sorted(zip(operand.strides, axes, strict=True), reverse=True):
            walked += [axis] * (stride > 0)
        extents = self.program.extents(tuple(walked))
        if prod(extents) != array.size or strides_of(extents) != tuple(
            sorted(filter(None, operand.strides), reverse=True)
        ):
            return []
        return [Index(((letter, 1),)) for letter in self._letters(walked)]

    def _indices(self, operand: Operand, steps: list[tuple[str, int]]) -> list[Index] | None:
        """Return what stands at each dimension of the array that is read; None if it is not walked by dimensions."""
        array, out = self.program.arrays[operand.source], []
        extents = self.program.extents(array.axes) if operand.source else ()  # constants lie in a row
        for extent, block in zip(extents, strides_of(extents), strict=True):
            own = [(letter, stride) for letter, stride in steps if stride % block == 0 and block <= abs(stride)]
            steps = [step for step in steps if step not in own]
            place = operand.offset // block
            out.append(Index(tuple((letter, s // block) for letter, s in own), place % extent if extent else place))
        return None if steps or not out else out
