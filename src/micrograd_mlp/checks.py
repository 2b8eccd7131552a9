"""Checks of single values, as people and pages give them: as text, as a number, or as anything else.

A check returns the value in its own type, or raises ValueError with what is taken and what came. `option` makes a field
of a dataclass that carries its check; `check_fields` applies them, and names the field that is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import field, fields
from pathlib import Path
from typing import Any

from .names import listed, told

Check = Callable[[Any], Any]


def text(value: Any) -> str:
    """Return a text as it is, a path as text."""
    if isinstance(value, str | Path):
        return str(value)
    raise ValueError(f"a text, got {told(value)}")


def whole(low: int, high: int) -> Check:
    """Return the check for a whole number from `low` to `high`, which gives an int."""

    def check(value: Any) -> int:
        found = _as_number(value)
        if not (found == found // 1 and low <= found <= high):
            raise ValueError(f"a whole number from {low} to {high}, got {told(value)}")
        return int(found)

    return check


def number(low: float, high: float = math.inf, above: bool = False, below: bool = False) -> Check:
    """Return the check for a finite number from `low` to `high`; with `above` and `below`, these are not taken."""
    span = f"{'above' if above else 'of at least'} {low:g}" if high == math.inf else f"from {low:g} to {high:g}"
    without = f" ({' and '.join(f'{end:g}' for end, out in ((low, above), (high, below)) if out)} excluded)"

    def check(value: Any) -> float:
        found = _as_number(value)
        inside = low <= found <= high and not (above and found == low) and not (below and found == high)
        if not (inside and math.isfinite(found)):
            excluded = without if high < math.inf and (above or below) else ""
            raise ValueError(f"a number {span}{excluded}, got {told(value)}")
        return found

    return check


def _as_number(value: Any) -> float:
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            return float(value)
        except (ValueError, OverflowError):
            pass
    return math.nan


def one_of(names: Collection[str]) -> Check:
    """Return the check for one of these names."""

    def check(value: Any) -> Any:
        if value not in tuple(names):
            raise ValueError(f"one of {listed(names)}; got {told(value)}")
        return value

    return check


def flag(value: Any) -> bool:
    """Return a truth value, which as text is true or false."""
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return bool(value == "true")
    raise ValueError(f"true or false, got {told(value)}")


def parts(value: Any) -> list[Any]:
    """Return the items of a list, or of a text with commas between them; anything else is one item."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")]
    return list(value) if isinstance(value, list | tuple) else [value]


def option(default: Any, check: Check, meaning: str) -> Any:
    """Return a field of a dataclass with a check, and a few words on what it is."""
    return field(default=default, metadata={"check": check, "meaning": meaning})


def check_fields(options: Any) -> None:
    """Put what its check returns into each field of a frozen dataclass; None stays where it is the default."""
    for each in fields(options):
        value = getattr(options, each.name)
        if value is not None or each.default is not None:
            object.__setattr__(options, each.name, checked(each.name, each.metadata["check"], value))


def checked(name: str, check: Check, value: Any) -> Any:
    """Return the value as its check returns it; ValueError says which option it was, what it takes and what came."""
    try:
        return check(value)
    except ValueError as error:
        raise ValueError(f"{name.replace('_', '-')} takes {error}") from None
