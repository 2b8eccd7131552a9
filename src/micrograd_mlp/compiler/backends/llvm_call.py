"""Calls of native code without a detour through ctypes, for arguments like some that were there before.

What they are like is written down as records, words that the native code of `llvm_take` reads one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from ...engine import Value
from ..given import Given
from .llvm_take import ARRAY, COLUMN, DICT, LIST, NUMBER, PLAN, SAME, TUPLE, api, function_of, layout

_FLOAT64 = np.dtype(np.float64)


@dataclass(frozen=True, eq=False)
class Code:
    """Native code: its address, and those of its frame and of what it leaves behind; `owner` has to live for that."""

    owner: Any
    run: int
    frame: int
    results: Any


def call_of(code: Code, given: Given, slots: Sequence[int]) -> Callable[..., Any] | None:
    """Return a function that calls native code; `slots` are the addresses at which it finds its columns.

    It returns False, and has run nothing, where an argument is not as the one `given`: a number (a float or a Value), a
    whole array of float64 of the same shape, lists, tuples and dicts of the same lengths and keys of such, or the same
    word. Returns None if there is no such function for these arguments, or for this interpreter.
    """
    if layout() is None:
        return None
    into, values = given.into, tuple(given.captured)
    records, parts = _Records(into.itemsize, slots), iter(given.parts)
    try:
        for arg in given.args:
            records.add(arg, parts)
    except (_Unlike, RecursionError):
        return None
    records.row(TUPLE, values, _Place(into.ctypes.data))
    for leaf in given.leaves:
        first, shape = leaf.first, leaf.shape or ()
        copy = code.results[first : first + prod(shape)].reshape(shape).copy
        records.words += first, 0 if leaf.shape is None else records.keep(copy)
    words = api() | {
        "run": code.run, "frame": code.frame, "results": code.results.ctypes.data, "busy": given.busy.ctypes.data,
        "alone": given.short, "count": len(given.args), "captured": records.keep(values), "leaves": len(given.leaves),
        "single": given.single, "value": id(Value), "float": id(float), "float64": id(np.float64),
    }  # fmt: skip
    plan = np.array([*(words[name] for name in PLAN), *records.words], dtype=np.int64).view(_Plan)
    plan.held = records.kept, code, given.parts, into, given.busy
    return function_of(plan, into.dtype.name)


class _Plan(np.ndarray[Any, np.dtype[np.int64]]):
    held: Any  # what it points to, which lives as long


class _Unlike(Exception):  # noqa: N818  # no error: there is something among the arguments that has no record
    pass


@dataclass
class _Place:
    """Where the next number of a part goes."""

    address: int


class _Records:
    """What the arguments have to be, `words` for the native code; `size` is that of a number in bytes."""

    def __init__(self, size: int, slots: Sequence[int]) -> None:
        self.size, self.slots = size, slots
        self.words: list[int] = []
        self.kept: list[Any] = []

    def add(self, thing: Any, parts: Iterator[tuple[Any, int]], place: _Place | None = None) -> None:
        """Append the record of a thing, which is of the part that goes to a `place`, or else made of `parts`."""
        kind, slot = thing.__class__, 0
        if place is None and not (kind is dict or (kind is tuple and set(map(type, thing)) != {float})):
            target, column = next(parts)
            place, slot = _Place(target.ctypes.data), self.slots[column] if column >= 0 else 0
            self.words += (COLUMN, slot, place.address) if slot else ()
        if kind is dict:
            self.words += DICT, id(kind), len(thing)
            for key, item in thing.items():
                self.words.append(self.keep(key))
                self.add(item, parts, place)
        elif place is None or kind is list or kind is tuple:
            self.sequence(thing, parts, place)
        elif kind in (float, np.float64, Value):
            self.words += NUMBER, place.address
            place.address += self.size
        elif kind is np.ndarray and thing.dtype is _FLOAT64:
            slot = slot if self.size == thing.itemsize else 0
            self.words += ARRAY, id(kind), id(_FLOAT64), slot, place.address, thing.size, thing.ndim, *thing.shape
            place.address += self.size * thing.size
        elif thing is None or kind is str:
            self.words += SAME, self.keep(thing)
        else:
            raise _Unlike

    def sequence(self, things: Sequence[Any], parts: Iterator[tuple[Any, int]], place: _Place | None) -> None:
        """Append the record of a list or tuple."""
        code = LIST if things.__class__ is list else TUPLE
        if place is not None and {*map(type, things)} <= {float, Value}:
            self.row(code, things, place)
            return
        self.words += code, id(things.__class__), len(things), 0
        for thing in things:
            self.add(thing, parts, place)

    def row(self, code: int, numbers: Sequence[Any], place: _Place) -> None:
        """Append the record of a list or tuple of nothing but numbers."""
        self.words += code, id(numbers.__class__), len(numbers), place.address
        place.address += self.size * len(numbers)

    def keep(self, thing: Any) -> int:
        """Return the address of an object, which is kept alive."""
        self.kept.append(thing)
        return id(thing)
