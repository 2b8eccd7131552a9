r"""Equations in LaTeX, with commands that MathJax and KaTeX know: $h_{n,a} = \operatorname{relu}(b_a + \ldots)$."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import groupby
from typing import ClassVar

from .equations import ATOM, MINUS, OVER, POWER, SUM, TIMES, Notation, Piece, equations_of
from .naming import OWN
from .program import ArrayProgram
from .repeats import shortened

RESULTS = 12  # names in a line
_COMMANDS = {"exp": r"\exp", "log": r"\log", "sin": r"\sin", "cos": r"\cos", "tanh": r"\tanh",
             "maximum": r"\max", "minimum": r"\min"}  # fmt: skip


def latex_of(program: ArrayProgram, most: int | None = None) -> str:
    """Return the equations of a program, `most` of them if it is given, as an aligned environment.

    A result that is used once, where it stands, is written into its user; whole arrays are bold. Of equations that come
    many times with other numbers, the first and the last ones are shown.
    """
    equations, results = equations_of(program, _Latex())
    whole = [f"{equation.left} &= {equation.right}" for equation in equations]
    plain = [f"{equation.left} = {equation.right}" for equation in equations_of(program, Notation())[0]]
    whole = shortened(whole, plain, r"&\ldots\text{{ {}}}")
    lines = whole[:most]
    if more := len(whole) - len(lines):
        lines.append(rf"&\text{{and {more:,} more}}")
    names = [piece.text for piece in results]
    parts = [r",\ ".join(names[first : first + RESULTS]) for first in range(0, len(names), RESULTS)]
    lines.append(r"&\text{return }" + ",\\\\\n&\\quad ".join(parts))
    return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"


class _Latex(Notation):
    dots = r"\cdots"
    signs: ClassVar = {"sum": r"\sum", "largest": r"\max"}

    def letter(self, name: str) -> str:
        return f"{name[0]}_{{{name[1:]}}}" if name[1:] else name

    def element(self, name: str, indices: Sequence[str]) -> Piece:
        stem, number = _numbered(name)
        below = f"_{{{','.join(indices)}}}" if indices else ""
        return Piece(_word(stem, "mathit") + number + below, POWER if number else ATOM)

    def whole(self, name: str) -> Piece:
        stem, number = _numbered(name)
        return Piece(_word(stem, "mathbf", always=True) + number)

    def looked_up(self, letters: Sequence[str]) -> str:
        return rf"\mathrm{{index}}({','.join(letters)})"

    def number(self, value: float) -> Piece:
        if not math.isfinite(value):
            return Piece(r"\text{nan}") if math.isnan(value) else Piece(r"\infty" if value > 0 else r"-\infty", MINUS)
        mantissa, _, exponent = f"{value:.6g}".partition("e")
        power = f"10^{{{int(exponent)}}}" if exponent else ""
        text = {"1": power, "-1": f"-{power}"}.get(mantissa, rf"{mantissa} \cdot {power}") if power else mantissa
        return Piece(text, MINUS if value < 0 else ATOM if not power else POWER if mantissa == "1" else TIMES)

    def apply(self, op: str, args: Sequence[Piece]) -> Piece:
        if op in ("sub", "neg", "mul"):
            return super().apply(op, args)
        if op == "div":
            return Piece(rf"\frac{{{args[0].text}}}{{{args[1].text}}}", POWER)
        if op == "pow":
            return self.power(args[0], args[1].text)
        if op == "sqrt":
            return Piece(rf"\sqrt{{{args[0].text}}}", POWER)
        if op == "abs":
            return Piece(rf"\left|{args[0].text}\right|")
        word = rf"\mathrm{{{_escaped(op)}}}" if "_" in op else op
        name = _COMMANDS.get(op) or rf"\operatorname{{{word}}}"
        return Piece(rf"{name}\left({', '.join(arg.text for arg in args)}\right)", POWER)

    def power(self, base: Piece, exponent: str) -> Piece:
        return Piece(f"{self.within(base, ATOM)}^{{{exponent}}}", POWER)

    def product(self, factors: Sequence[Piece]) -> Piece:
        alike = [(factor, len(list(group))) for factor, group in groupby(factors)]
        first, *others = [factor if times == 1 else self.power(factor, str(times)) for factor, times in alike]
        text = self.within(first, TIMES) if others else first.text
        for other in others:
            factor = self.within(other, POWER)
            text += (r" \cdot " if factor[0].isdigit() else r" \, ") + factor
        return Piece(text, TIMES) if others else first

    def over(self, op: str, letters: Sequence[str], piece: Piece) -> Piece:
        sign = f"{self.signs[op]}_{{{','.join(letters)}}} "
        return Piece(sign + self.within(piece, OVER), SUM) if letters else piece

    def own(self, letters: Sequence[str]) -> str:
        return rf"{OWN} \in {OWN.upper()}" + (f"_{{{','.join(letters)}}}" if letters else "")

    def within(self, piece: Piece, binding: int) -> str:
        return piece.text if piece.binding >= binding else rf"\left({piece.text}\right)"


def _numbered(name: str) -> tuple[str, str]:
    """Return a name without its number, and the number as it stands above: w2 is w with (2)."""
    match = re.fullmatch(r"(.+?)_?([0-9]+)", name, re.DOTALL)
    return (match[1], f"^{{({match[2]})}}") if match else (name, "")


def _word(text: str, font: str, always: bool = False) -> str:
    return rf"\{font}{{{_escaped(text)}}}" if always or len(text) > 1 else _escaped(text)


def _escaped(text: str) -> str:
    r"""Return text for math mode: a backslash before what TeX would read as more than a sign, \ for other signs."""
    return "".join(c if c.isalnum() or c in ".'" else f"\\{c}" if c in "_#$%&{}" else r"\ " for c in text)
