"""Programs as text: a line a scalar, a line a family, or the loops of the user as equations."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from ..ops import TABLE
from .program import ANYWHERE, CONSTANT, INPUT, NAMES, Array, ArrayProgram, Families, Operand, ScalarProgram, Statement
from .strides import blocks_of

LIMIT = 200  # lines shown of scalars
_INFIX = {"sub": "-", "mul": "·", "div": "/", "pow": "**"}


def show_scalars(program: ScalarProgram) -> str:
    """Return a line for each scalar, such as `%3 = mul %0 %1`; of a long program the first ones."""
    label = dict(zip(program.inputs.tolist(), program.labels, strict=True))
    lines = []
    rows = zip(program.op.tolist(), program.args.tolist(), program.value.tolist(), strict=True)
    for row, (op, args, value) in zip(range(LIMIT), rows, strict=False):
        read = [f"%{arg}" for arg in args if arg >= 0]
        what = [f"{value:.17g}"] if op == CONSTANT else [label[row]] if op == INPUT else read
        lines.append(" ".join([f"%{row} = {NAMES[op]}", *what]).rstrip())
    more = len(program.op) - len(lines)
    lines += [f"... and {more:,} more"] * (more > 0)
    return "\n".join([*lines, "return " + " ".join(f"%{row}" for row in program.outputs[:LIMIT])])


def show_families(families: Families) -> str:
    """Return a line for each family: its number, operation, size, and the families that it reads."""
    program, lines = families.scalars, []
    sizes = np.bincount(families.family, minlength=families.count).tolist()
    first = np.full(families.count, -1)
    first[families.family[::-1]] = np.arange(len(families.family))[::-1]
    for family, (size, row) in enumerate(zip(sizes, first.tolist(), strict=True)):
        if size:
            read = families.family[program.args[program.start[row] : program.start[row + 1]]].tolist()
            shown = " ".join(f"#{other}" for other in (sorted(set(read)) if NAMES[program.op[row]] == "sum" else read))
            lines.append(f"#{family} {NAMES[program.op[row]]} × {size}{' of ' if shown else ''}{shown}")
    return "\n".join(lines)


def show_equations(program: ArrayProgram) -> str:
    """Return the statements as equations, such as `h[n,a] = relu(b[a] + Σ_i w[a,i]·X[n,i])`.

    A result that is used once, where it stands, is written into its user.
    """
    return _Writer(program).text()


@dataclass
class _Writer:
    program: ArrayProgram

    def text(self) -> str:
        bases = np.array(self.program.bases)
        outputs = np.searchsorted(bases, self.program.outputs, side="right") - 1
        uses = Counter(read.source for s in self.program.statements for read in s.reads)
        uses.update(set(outputs.tolist()))
        if any(read.source == ANYWHERE for s in self.program.statements for read in s.reads):
            uses.update(range(len(self.program.arrays)))  # nobody knows
        by_out = {s.out: s for s in self.program.statements}
        self.inlined: dict[int, Statement] = {}
        for statement in self.program.statements:
            for read in statement.reads:
                source = by_out.get(read.source)
                if source and uses[read.source] == 1 and self._in_place(read, source, statement):
                    self.inlined[source.out] = source
        lines = [
            f"{self._element(s.out, self._letters(s.axes))} = {self._expression(s)}"
            for s in self.program.statements
            if s.out not in self.inlined
        ]
        names = dict.fromkeys(self.program.arrays[array].name for array in outputs.tolist())
        return "\n".join([*lines, f"return {', '.join(names)}"])

    def _in_place(self, read: Operand, source: Statement, user: Statement) -> bool:
        array = self.program.arrays[source.out]
        own = self._blocks(array)
        plain = read.index is None and read.offset == 0 and source.axes == user.axes and read.strides == own
        sums = source.op == "sum" or any(r.source in self.inlined for r in source.reads)
        return plain and not (sums and user.op == "sum") and not any(term.offsets is not None for term in user.terms)

    def _blocks(self, array: Array) -> tuple[int, ...]:
        extents = self.program.extents(array.axes)
        cuts = tuple(int(np.prod(extents[d:])) for d in range(len(extents) - 1, 0, -1))
        return blocks_of(cuts, array.size)

    def _letters(self, axes: tuple[int, ...]) -> list[str]:
        return [self.program.axes[axis].name for axis in axes]

    def _element(self, array: int, letters: list[str]) -> str:
        name = self.program.arrays[array].name
        return f"{name}[{','.join(letters)}]" if letters else name

    def _expression(self, statement: Statement) -> str:
        letters = self._letters(statement.axes)
        if statement.op != "sum":
            args = [self._operand(operand, letters) for operand in statement.operands]
            if statement.op in _INFIX:
                return f" {_INFIX[statement.op]} ".join(map(_atom, args)).replace(" · ", "·").replace(" ** ", "**")
            return f"-{_atom(args[0])}" if statement.op == "neg" else f"{TABLE[statement.op].name}({', '.join(args)})"
        terms = []
        for term in statement.terms:
            if term.offsets is not None:
                terms.append(f"Σ_(each its own) {self._operand(term.factors[0], ['k'])}")
                continue
            summed = self._letters(term.axes)
            factors = [_atom(self._operand(factor, letters + summed)) for factor in term.factors]
            idle = [all(factor.index is None and factor.strides[len(letters) + d] == 0 for factor in term.factors)
                    for d in range(len(summed))]  # fmt: skip
            times = prod(self.program.axes[axis].extent for axis, rests in zip(term.axes, idle, strict=True) if rests)
            sums = "".join(f"Σ_{letter} " for letter, rests in zip(summed, idle, strict=True) if not rests)
            terms.append(f"{times}·" * (times > 1) + sums + "·".join(factors))
        return " + ".join(terms)

    def _operand(self, operand: Operand, letters: list[str]) -> str:
        if operand.source in self.inlined:
            return self._expression(self.inlined[operand.source])
        if operand.source == 0 and operand.index is None and not any(operand.strides):
            return f"{self.program.constants[operand.offset]:.6g}"
        name = "memory" if operand.source == ANYWHERE else self.program.arrays[operand.source].name
        if operand.index is not None:
            return f"{name}[index[{','.join(letters)}]]" if letters else f"{name}[{int(operand.index.flat[0])}]"
        array = self.program.arrays[operand.source]
        extents = self.program.extents(array.axes)
        texts: list[str] = []
        left = {d: s for d, s in enumerate(operand.strides) if s}
        blocks = self._blocks(array) if extents else ()  # constants lie in a row, whatever reads them
        for extent, block in zip(extents, blocks, strict=True):
            steps = [(d, s // block) for d, s in left.items() if s % block == 0 and block <= abs(s)]
            left = {d: s for d, s in left.items() if d not in dict(steps)}
            texts.append(_index([(letters[d], times) for d, times in steps], operand.offset // block % extent))
        if left or not texts:
            flat = _index([(letters[d], s) for d, s in enumerate(operand.strides) if s], operand.offset)
            return f"{name}[{flat}]" if array.size > 1 else name
        return f"{name}[{','.join(texts)}]"


def _index(steps: list[tuple[str, Any]], offset: int) -> str:
    parts = [letter if times == 1 else f"{times}{letter}" for letter, times in steps]
    return "+".join(parts + [str(offset)] * (offset > 0 or not parts)).replace("+-", "-")


def _atom(text: str) -> str:
    depth = 0
    for character in text:
        depth += (character in "([") - (character in ")]")
        if depth == 0 and character in " ·/":
            return f"({text})"
    return f"({text})" if text.startswith("-") else text
