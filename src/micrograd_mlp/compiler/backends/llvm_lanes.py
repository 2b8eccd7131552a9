"""LLVM instructions written as formulas: numbers, and the bits they are made of, in one lane or in many at once.

All of it works on `double`, `float` and on vectors of them, and none of it branches. Products are added with
`llvm.fmuladd`, which is one instruction where the machine fuses the two and two instructions where it does not: so
formulas must hold either way, and no function of a C library is called.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir


@dataclass(frozen=True)
class Format:
    """A floating-point format of IEEE 754: so many `bits`, and `digits` of them for the significand."""

    bits: int
    digits: int

    @property
    def bias(self) -> int:
        """Return what is added to an exponent before it is stored."""
        return (1 << (self.bits - self.digits - 1)) - 1

    @property
    def tiny(self) -> float:
        """Return the smallest normal number."""
        return math.ldexp(1.0, 1 - self.bias)

    @property
    def shifter(self) -> float:
        """Return the number that, added to another, rounds it to an integer and leaves this in the last bits."""
        return math.ldexp(1.5, self.digits - 1)

    def bits_of(self, number: float) -> int:
        """Return how a positive normal `number` that the format can hold is stored."""
        fraction, exponent = math.frexp(number)
        return (exponent + self.bias - 2 << self.digits - 1) + int(math.ldexp(fraction, self.digits))


DOUBLE, SINGLE = Format(64, 53), Format(32, 24)


def across(element: Any, like: Any) -> Any:
    """Return the type `element`, or a vector of as many of it as the type `like` has."""
    return ir.VectorType(element, like.count) if isinstance(like, ir.VectorType) else element


def splat(kind: Any, number: float | int) -> Any:
    """Return a constant of the type `kind`, in every lane `number`."""
    return ir.Constant(kind, [number] * kind.count if isinstance(kind, ir.VectorType) else number)


def intrinsic(builder: Any, name: str, *args: Any) -> Any:
    """Return the result of the intrinsic llvm.`name`, of the type of its arguments."""
    kind = args[0].type
    lane = getattr(kind, "element", kind)
    width = f"v{kind.count}" if isinstance(kind, ir.VectorType) else ""
    full = f"llvm.{name}.{width}{'f64' if isinstance(lane, ir.DoubleType) else 'f32'}"
    declared = builder.module.globals.get(full)
    if declared is None:
        declared = ir.Function(builder.module, ir.FunctionType(kind, [a.type for a in args]), full)
    return builder.call(declared, args)


@dataclass(frozen=True, eq=False)
class Bits:
    """Integers or truth values, in one lane or in many."""

    builder: Any
    value: Any

    def _with(self, instruction: Callable[[Any, Any], Any], other: Bits | int) -> Bits:
        right = other.value if isinstance(other, Bits) else splat(self.value.type, other)
        return Bits(self.builder, instruction(self.value, right))

    def __add__(self, other: Bits | int) -> Bits:
        return self._with(self.builder.add, other)

    def __sub__(self, other: Bits | int) -> Bits:
        return self._with(self.builder.sub, other)

    def __and__(self, other: Bits | int) -> Bits:
        return self._with(self.builder.and_, other)

    def __or__(self, other: Bits | int) -> Bits:
        return self._with(self.builder.or_, other)

    def __xor__(self, other: Bits | int) -> Bits:
        return self._with(self.builder.xor, other)

    def __lshift__(self, count: int) -> Bits:
        return self._with(self.builder.shl, count)

    def __rshift__(self, count: int) -> Bits:
        return self._with(self.builder.lshr, count)

    def __invert__(self) -> Bits:
        return Bits(self.builder, self.builder.not_(self.value))

    def any(self) -> Bits:
        """Return, lane by lane, whether any bit is set."""
        return self._with(lambda a, b: self.builder.icmp_unsigned("!=", a, b), 0)

    def as_number(self) -> Lanes:
        """Return the numbers that are stored as these bits."""
        lane = getattr(self.value.type, "element", self.value.type)
        element = ir.DoubleType() if lane.width == DOUBLE.bits else ir.FloatType()
        return Lanes(self.builder, self.builder.bitcast(self.value, across(element, self.value.type)))


@dataclass(frozen=True, eq=False)
class Lanes:
    """Floating-point numbers, in one lane or in many; an operand may be a plain number."""

    builder: Any
    value: Any

    @property
    def format(self) -> Format:
        """Return the format of the numbers."""
        lane = getattr(self.value.type, "element", self.value.type)
        return DOUBLE if isinstance(lane, ir.DoubleType) else SINGLE

    def like(self, other: Lanes | float) -> Any:
        """Return `other` as an operand: if it is a plain number, the constant of the type of these lanes."""
        return other.value if isinstance(other, Lanes) else splat(self.value.type, float(other))

    def constant(self, number: float) -> Lanes:
        """Return `number` in every lane."""
        return Lanes(self.builder, splat(self.value.type, number))

    def _with(self, instruction: Callable[[Any, Any], Any], left: Lanes | float, right: Lanes | float) -> Lanes:
        return Lanes(self.builder, instruction(self.like(left), self.like(right)))

    def __add__(self, other: Lanes | float) -> Lanes:
        return self._with(self.builder.fadd, self, other)

    def __radd__(self, other: float) -> Lanes:
        return self._with(self.builder.fadd, other, self)

    def __sub__(self, other: Lanes | float) -> Lanes:
        return self._with(self.builder.fsub, self, other)

    def __rsub__(self, other: float) -> Lanes:
        return self._with(self.builder.fsub, other, self)

    def __mul__(self, other: Lanes | float) -> Lanes:
        return self._with(self.builder.fmul, self, other)

    def __rmul__(self, other: float) -> Lanes:
        return self._with(self.builder.fmul, other, self)

    def __truediv__(self, other: Lanes | float) -> Lanes:
        return self._with(self.builder.fdiv, self, other)

    def __rtruediv__(self, other: float) -> Lanes:
        return self._with(self.builder.fdiv, other, self)

    def __neg__(self) -> Lanes:
        return Lanes(self.builder, self.builder.fneg(self.value))

    def __abs__(self) -> Lanes:
        return Lanes(self.builder, intrinsic(self.builder, "fabs", self.value))

    def _compare(self, sign: str, other: Lanes | float) -> Bits:
        return Bits(self.builder, self.builder.fcmp_ordered(sign, self.value, self.like(other)))

    def __lt__(self, other: Lanes | float) -> Bits:
        return self._compare("<", other)

    def __le__(self, other: Lanes | float) -> Bits:
        return self._compare("<=", other)

    def __gt__(self, other: Lanes | float) -> Bits:
        return self._compare(">", other)

    def __ge__(self, other: Lanes | float) -> Bits:
        return self._compare(">=", other)

    def equals(self, other: Lanes | float) -> Bits:
        """Return where the numbers are the same; nan is never."""
        return self._compare("==", other)

    def is_nan(self) -> Bits:
        """Return where there is no number."""
        return Bits(self.builder, self.builder.fcmp_unordered("uno", self.value, self.value))

    def as_bits(self) -> Bits:
        """Return the bits as which the numbers are stored."""
        kind = across(ir.IntType(self.format.bits), self.value.type)
        return Bits(self.builder, self.builder.bitcast(self.value, kind))

    def as_double(self) -> Lanes:
        """Return the same numbers as doubles."""
        if self.format is DOUBLE:
            return self
        return Lanes(self.builder, self.builder.fpext(self.value, across(ir.DoubleType(), self.value.type)))

    def as_format(self, target: Format) -> Lanes:
        """Return doubles rounded to the format `target`."""
        if target is DOUBLE:
            return self
        return Lanes(self.builder, self.builder.fptrunc(self.value, across(ir.FloatType(), self.value.type)))

    def signed_as(self, other: Lanes) -> Lanes:
        """Return the magnitudes of these lanes with the signs of `other`."""
        sign = 1 << self.format.bits - 1
        return ((self.as_bits() & sign - 1) | (other.as_bits() & sign)).as_number()

    def sqrt(self) -> Lanes:
        """Return the square roots, correctly rounded; nan below zero."""
        return Lanes(self.builder, intrinsic(self.builder, "sqrt", self.value))


def choose(condition: Bits, then: Lanes | float, otherwise: Lanes | float) -> Lanes:
    """Return, lane by lane, `then` where the condition holds and `otherwise` elsewhere. At least one is Lanes."""
    lanes = then if isinstance(then, Lanes) else otherwise
    assert isinstance(lanes, Lanes)
    b = lanes.builder
    return Lanes(b, b.select(condition.value, lanes.like(then), lanes.like(otherwise)))


def fma(a: Lanes, b: Lanes | float, c: Lanes | float) -> Lanes:
    """Return a * b + c, rounded once or twice."""
    return Lanes(a.builder, intrinsic(a.builder, "fmuladd", a.value, a.like(b), a.like(c)))


def polynomial(x: Lanes, coefficients: Sequence[float]) -> Lanes:
    """Return the polynomial at x, coefficients from the lowest power to the highest, at least two. By Horner's rule."""
    *rest, last, top = coefficients
    out = fma(x, top, last)
    for coefficient in reversed(rest):
        out = fma(out, x, coefficient)
    return out
