"""What a compiled function is given: the numbers in it, what it is beside them, and symbols in their place."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from inspect import signature
from numbers import Real
from typing import Any

import numpy as np

from ..engine import Value
from ..ieee import as_float
from ..nn import Module
from .batch import Batched, Grid, Lazy, Rows
from .trace import Symbol, Tape, array_of


class HoldsSymbol(Exception):  # noqa: N818  # no error
    """Among the arguments is a symbol: the function is being traced inside another."""


def is_number(thing: Any) -> bool:
    """Say whether this is a Value or a real number; True and False are not."""
    return thing.__class__ is float or (isinstance(thing, Real | Value) and not isinstance(thing, bool))


@dataclass(frozen=True)
class Part:
    """Some numbers among the arguments that belong together: a list of lists, an array, a Module or a single number."""

    key: Any  # what it is beside its numbers
    numbers: Any

    @property
    def length(self) -> int:
        """How many items it has, if they are alike; else 0."""
        return int(self.key[1]) if _has_items(self.key) else 0


def _has_items(key: Any) -> bool:
    """Say whether this is the key of a list or an array whose items are alike."""
    return isinstance(key, tuple) and key[0] in ("list", "array") and len(key) == 3


def divide(thing: Any, parts: list[Part]) -> Hashable:
    """Append the parts of `thing`, and return how they are put together."""
    if isinstance(thing, tuple) and not _is_row(thing):
        return "tuple", tuple(divide(item, parts) for item in thing)
    if isinstance(thing, Mapping):
        return "dict", tuple(thing), tuple(divide(item, parts) for item in thing.values())
    numbers = array("d")
    parts.append(Part(_flatten(thing, numbers), numbers))
    return "part"


def _is_row(thing: tuple[Any, ...]) -> bool:
    return set(map(type, thing)) == {float}


def _flatten(thing: Any, numbers: array[float]) -> Hashable:
    """Append the numbers in `thing`, and return what else it is: equal for two things of one structure."""
    kind = thing.__class__
    if kind is float or is_number(thing):
        numbers.append(thing.data if isinstance(thing, Value) else as_float(thing))
        return "number"
    if isinstance(thing, Symbol | Lazy | Batched):
        raise HoldsSymbol
    if isinstance(thing, np.ndarray):
        return _flatten_array(thing, numbers)
    if isinstance(thing, list | tuple):
        word = "list" if isinstance(thing, list) else "tuple"
        if set(map(type, thing)) == {float}:
            numbers.extend(thing)
            return word, len(thing), "number"
        keys = [_flatten(item, numbers) for item in thing]
        alike = bool(keys) and all(key == keys[0] for key in keys)
        return (word, len(keys), keys[0]) if alike else (word, tuple(keys))
    if isinstance(thing, Mapping):
        return "dict", tuple(thing), tuple(_flatten(item, numbers) for item in thing.values())
    if isinstance(thing, Module):
        numbers.extend([value.data for value in _parameters(thing)])
        return _skeleton(thing, {})
    try:
        hash(thing)
    except (TypeError, ValueError):
        sentence = f"a compiled function takes numbers, lists, dicts and Modules, got {kind.__name__}: {thing!r}"
        raise TypeError(sentence) from None
    if isinstance(thing, Iterator):
        raise TypeError(f"a compiled function takes lists, got {kind.__name__}: {thing!r}; use list(...)")
    return "same", kind, thing


def _flatten_array(thing: Any, numbers: array[float]) -> Hashable:
    if isinstance(thing, np.ma.MaskedArray):
        raise TypeError(f"a compiled function takes arrays without a mask, got {thing!r}; use .filled(...)")
    if thing.dtype.kind == "O":
        key = _flatten(thing.tolist(), numbers)
        alike = key == _of_shape("list", thing.shape)
        return _of_shape("array", thing.shape) if alike else ("objects", key)
    if thing.dtype.kind not in "fiub":
        raise TypeError(f"a compiled function takes real numbers, got an array of {thing.dtype}")
    numbers.frombytes(np.ascontiguousarray(thing, dtype=np.float64).tobytes())
    return _of_shape("array", thing.shape)


def _of_shape(word: str, shape: tuple[int, ...]) -> Hashable:
    """Return the key of an array, or of lists of lists, of this shape."""
    key: Hashable = "number"
    for size in reversed(shape):
        key = (word, size, key) if size else (word, ())
    return key


def _parameters(module: Module) -> list[Value]:
    return list(dict.fromkeys(value for _, value in module.named_parameters()))


def _skeleton(thing: Any, met: dict[Value, int]) -> Hashable:
    if isinstance(thing, Value):
        return "parameter", met.setdefault(thing, len(met))
    if isinstance(thing, Module):
        return type(thing), tuple((name, _skeleton(item, met)) for name, item in vars(thing).items())
    if isinstance(thing, list | tuple):
        return type(thing), tuple(_skeleton(item, met) for item in thing)
    return (type(thing), thing) if isinstance(thing, Hashable) else repr(thing)


def names_of(function: Callable[..., Any], count: int) -> list[str]:
    """Return the names of so many positional arguments; x2 and the like where there are none."""
    try:
        parameters = list(signature(function).parameters.values())
    except ValueError:  # of a function that was not written in Python
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return [*names, *(f"x{place}" for place in range(len(names), count))][:count]


class Symbols:
    """Puts a symbol in place of each number of the arguments; `rows` are the inputs of each part, in its order."""

    def __init__(self) -> None:
        self.rows: list[list[int]] = []
        self.parts: list[Any] = []

    def inputs(self, place: int) -> list[int]:
        """Return the input of each number in a part; -1 for those of a list that the function never looked at."""
        part = self.parts[place]
        return [-1] * part.size if isinstance(part, Lazy) and not part.filled else self.rows[place]

    def of(self, thing: Any, tape: Tape, label: str) -> Any:
        """Return the arguments with symbols in them, divided into parts as `divide` does."""
        if isinstance(thing, tuple) and not _is_row(thing):
            return _tuple_like(thing, [self.of(item, tape, f"{label}[{place}]") for place, item in enumerate(thing)])
        if isinstance(thing, Mapping):
            return {key: self.of(item, tape, f"{label}[{key!r}]") for key, item in thing.items()}
        rows: list[int] = []
        self.rows.append(rows)
        part = self._rows(thing, tape, label, rows)
        self.parts.append(_symbols(thing, tape, label, rows) if part is None else part)
        return self.parts[-1]

    @staticmethod
    def _rows(thing: Any, tape: Tape, label: str, rows: list[int]) -> Lazy | None:
        """Return the items of a list or an array if they are alike, None for anything else."""
        if not isinstance(thing, list | np.ndarray):
            return None
        numbers = array("d")
        if not _has_items(_flatten(thing, numbers)):
            return None
        make = lambda item, name, batch: _symbols(item, tape, name, rows, batch)  # noqa: E731
        if isinstance(thing, list):
            return Rows(tape, thing, label, make, len(numbers))
        return Grid(tape, _plain(thing), label, make, len(numbers))


def _tuple_like(thing: Any, items: list[Any]) -> Any:
    """Return a tuple of these items, a named one if `thing` is one."""
    return type(thing)._make(items) if hasattr(thing, "_make") else tuple(items)


def _plain(thing: Any) -> Any:
    return thing if thing.dtype.kind == "O" else thing.astype(np.float64)


def _symbols(thing: Any, tape: Tape, label: str, rows: list[int], batch: int = 0) -> Any:
    """Return `thing` with a symbol in place of each number, and append their inputs in the order of `_flatten`."""
    if is_number(thing):
        symbol = tape.input(label, batch)
        rows.append(symbol.index)
        return symbol
    if isinstance(thing, np.ndarray):
        items = _symbols(_plain(thing).tolist(), tape, label, rows, batch)
        return array_of(items, thing.shape) if thing.ndim else items
    if isinstance(thing, list | tuple):
        items = [_symbols(item, tape, f"{label}[{place}]", rows, batch) for place, item in enumerate(thing)]
        return items if isinstance(thing, list) else _tuple_like(thing, items)
    if isinstance(thing, Mapping):
        return {key: _symbols(item, tape, f"{label}[{key!r}]", rows, batch) for key, item in thing.items()}
    if isinstance(thing, Module):
        for value in _parameters(thing):
            symbol = tape.input(value.label or label)
            rows.append(symbol.index)
            tape.bind(value, symbol)
    return thing
