"""What a compiled function returns: the numbers in it, and how they are put together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from math import prod
from typing import Any

import numpy as np

from .arguments import is_number
from .batch import Batched, Lazy
from .program import Group
from .trace import Symbol, Tape


class Results:
    """The rows of a result, those of each batch in a group of their own."""

    def __init__(self, tape: Tape, function: Callable[..., Any]) -> None:
        self.tape, self.function = tape, function
        self.rows: list[int] = []
        self.groups: list[Group] = []

    def structure(self, thing: Any) -> Any:
        """Append the numbers of a result, and return how they are put together again."""
        if isinstance(thing, Symbol) or is_number(thing):
            self.rows.append(self.tape.index(thing))
            return "number"
        if isinstance(thing, Lazy) and thing.batch:
            thing = Batched(thing.tape, thing.batch, thing.sample(thing.batch))
        if isinstance(thing, Batched):
            first = len(self.rows)
            inner = self.structure(thing.of_each)
            self.groups.append(Group(first, len(self.rows) - first, thing.batch))
            return "batch", inner
        if isinstance(thing, np.ndarray):
            thing = thing.tolist()
        if isinstance(thing, Mapping):
            return "dict", tuple(thing), tuple(self.structure(item) for item in thing.values())
        if isinstance(thing, list | tuple | Iterator):
            parts = tuple(self.structure(item) for item in thing)
            if isinstance(thing, tuple):
                return "tuple", parts
            if any(part != parts[0] for part in parts):
                return "list", parts
            if not parts or parts[0] == "number":
                return "array", (len(parts),)
            return ("array", (len(parts), *parts[0][1])) if parts[0][0] == "array" else ("list", parts)
        code = getattr(self.function, "__code__", None)
        where = f"{code.co_filename}, line {code.co_firstlineno}: " if code else ""
        name = getattr(self.function, "__name__", repr(self.function))
        raise TypeError(
            f"{where}{name} returns {type(thing).__name__}: {thing!r}; return numbers, or lists or dicts of them"
        )


@dataclass(frozen=True)
class Leaf:
    """A number or an array among the results: where it begins, its shape, None for a number, and whose it is.

    In a `group` each sample of a batch has one of its own; -1 for none.
    """

    first: int
    shape: tuple[int, ...] | None
    group: int = -1

    def of(self, own: Any, columns: Sequence[Any]) -> Any:
        """Return it out of the results that no batch has for itself and those of each group (samples, size)."""
        last = self.first + prod(self.shape or ())
        if self.group >= 0:
            column = columns[self.group]
            return column[:, self.first : last].reshape(len(column), *(self.shape or ())).copy()
        return float(own[self.first]) if self.shape is None else own[self.first : last].reshape(self.shape).copy()


def leaves_of(structure: Any) -> list[Leaf]:
    """Return all numbers and arrays of a result, in the order of their numbers."""
    leaves: list[Leaf] = []
    _append(structure, leaves, [0], -1, count())
    return leaves


def is_leaf(structure: Any) -> bool:
    """Say whether this is a number or an array."""
    return structure[0] not in ("batch", "tuple", "list", "dict")


def _append(structure: Any, leaves: list[Leaf], at: list[int], group: int, groups: Iterator[int]) -> None:
    """Append the leaves of a part, whose numbers begin `at` there."""
    kind = structure[0]
    if kind == "batch":
        _append(structure[1], leaves, [0], next(groups), groups)
    elif not is_leaf(structure):
        for part in structure[-1]:
            _append(part, leaves, at, group, groups)
    else:
        shape = structure[1] if kind == "array" else None
        leaves.append(Leaf(at[0], shape, group))
        at[0] += prod(shape or ())


Assemble = Callable[[Iterator[Any]], Any]


def assembler_of(structure: Any) -> Assemble:
    """Return the function that puts a result together out of its leaves."""
    kind = structure[0]
    if kind == "batch":
        return assembler_of(structure[1])
    if is_leaf(structure):
        return next
    parts = [assembler_of(part) for part in structure[-1]]
    if kind == "tuple":
        return lambda leaves: tuple([part(leaves) for part in parts])
    if kind == "list":
        return lambda leaves: [part(leaves) for part in parts]
    names = structure[1]
    return lambda leaves: {name: part(leaves) for name, part in zip(names, parts, strict=True)}
