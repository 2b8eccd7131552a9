"""Arithmetic as IEEE 754 has it: where Python raises an error, these functions return inf or nan."""

import math
from collections.abc import Callable
from typing import Any


def as_float(number: Any) -> float:
    """Return `number` as a float; an int too large for one is inf or -inf. TypeError for text and other non-numbers."""
    if number.__class__ is float:
        return number
    try:
        if isinstance(number, str | bytes | bytearray) or hasattr(number, "apply_op"):
            raise TypeError
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf
    except (TypeError, ValueError):
        raise TypeError(f"expected a number, got {type(number).__name__}: {number!r}") from None


def total(function: Callable[[float], float], pole: float = math.nan) -> Callable[[float], float]:
    """Return `function` made total: inf where it overflows, -inf at its `pole`, nan where it is not defined."""

    def forward(a: float) -> float:
        try:
            return function(a)
        except OverflowError:
            return math.inf
        except ValueError:
            return -math.inf if a == pole else math.nan

    return forward


def divide(a: float, b: float) -> float:
    """Return a / b; by zero it is inf with the sign of both, and nan for 0 / 0."""
    try:
        return a / b
    except ZeroDivisionError:
        return a * math.copysign(math.inf, b)


def power(a: float, b: float) -> float:
    """Return a ** b; nan for a fractional power of a negative number, and never a complex one."""
    try:
        return math.pow(a, b)
    except (OverflowError, ValueError):  # a result beyond the largest float, 0 ** negative, or negative ** fraction
        if a < 0.0 and b != math.floor(b):
            return math.nan
        return math.copysign(math.inf, a) if math.fmod(b, 2.0) in (1.0, -1.0) else math.inf


def logistic(a: float) -> float:
    """Return 1 / (1 + e ** -a)."""
    small = math.exp(-math.fabs(a))  # at most 1, so nothing overflows
    return (1.0 if a >= 0.0 else small) / (1.0 + small)


def log1p_exp(a: float) -> float:
    """Return ln(1 + e ** a), which for large a is a."""
    return (a if a > 0.0 else 0.0) + math.log1p(math.exp(-math.fabs(a)))
