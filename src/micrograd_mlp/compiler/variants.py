"""A function traced for arguments of one structure, and run for all arguments like them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from math import inf
from threading import Lock
from time import perf_counter
from typing import Any

import numpy as np

from ..engine import Value
from .arguments import Part, Symbols, names_of
from .batch import Lazy
from .given import Given
from .program import Group
from .results import Results, assembler_of, is_leaf, leaves_of
from .stages import compile_scalars
from .trace import Tape, refuse_symbols

SHORT = 50e-6  # seconds, in which no other thread needs the interpreter


class Traced:
    """A function traced and compiled to arrays.

    Its inputs are the numbers of those arguments that no batch goes over (`single` lists them, by their place among the
    parts), the `captured` Values, the lengths of the batches `counted`; and then a group for each argument of a batch,
    (part, batch) in `columns`.
    """

    def __init__(
        self, function: Callable[..., Any], args: tuple[Any, ...], named: Mapping[str, Any], bound: Sequence[Value] = ()
    ) -> None:
        """Trace a function; the Values `bound` stand for the first numbers of the first argument, a list."""
        tape, made = Tape(), Symbols()
        symbols = [made.of(arg, tape, name) for arg, name in zip(args, names_of(function, len(args)), strict=True)]
        for value, symbol in zip(bound, symbols[0] if bound else (), strict=False):
            tape.bind(value, symbol)
            tape.labels[symbol.index] = value.label
        more = {name: made.of(arg, tape, name) for name, arg in named.items()}
        with refuse_symbols():
            result = function(*symbols, **more)
        tape.refuse_changes()
        results = Results(tape, function)
        self.structure = results.structure(result)
        batches = [part.batch if isinstance(part, Lazy) else 0 for part in made.parts]
        self.single = [place for place, batch in enumerate(batches) if not batch]
        self.columns = [(place, batch) for place, batch in enumerate(batches) if batch]
        self.captured, self.counted = list(tape.captured), list(tape.counts)
        inputs = [row for place in self.single for row in made.inputs(place)]
        inputs += [*tape.captured.values(), *tape.counts.values()]
        given = []
        for place, batch in self.columns:
            given.append(Group(len(inputs), len(made.rows[place]), batch))
            inputs += made.rows[place]
        self.lengths = tuple(tape.lengths)
        self.program = compile_scalars(tape.program(results.rows, inputs, given, results.groups))


class Variant:
    """A compiled program with its inputs and outputs taken from and brought into the structures of Python."""

    def __init__(self, traced: Traced, run: Callable[..., Any], parts: list[Part], dtype: str) -> None:
        self.program, self.run, self.traced, self.dtype = traced.program, run, traced, dtype
        self.keys = [part.key for part in parts]
        self.lengths: list[int] | None = None
        self._leaves, self._assemble = leaves_of(traced.structure), assembler_of(traced.structure)
        self._lock = Lock()
        self._plan: list[_Argument] | None = None
        self.call: Callable[..., Any] = refuse  # native code, for arguments like those of an earlier call
        self._calls = 0  # that went another way
        self._seconds = inf  # that the code took at best
        self._busy: Any = np.zeros(1, dtype=np.int64)

    def fits(self, parts: list[Part]) -> bool:
        """Say whether these arguments differ from those it was made for in nothing but the lengths of batches."""
        lengths: dict[int, int] = {}
        batch_of = dict(self.traced.columns)
        for place, (part, key) in enumerate(zip(parts, self.keys, strict=True)):
            batch = batch_of.get(place)
            if batch and part.length and part.key[::2] == key[::2]:
                if lengths.setdefault(batch, part.length) != part.length:
                    return False
            elif part.key != key:
                return False
        return bool(batch_of)

    def __call__(self, args: tuple[Any, ...], parts: list[Part]) -> Any:
        """Return the result for arguments that were divided into parts."""
        with self._alone(), np.errstate(over="ignore"):  # what is too large for float32 is inf there
            lengths = list(self.traced.lengths)
            for place, batch in self.traced.columns:
                lengths[batch - 1] = parts[place].length
            if lengths != self.lengths:
                self._lay_out(lengths, parts)
            for (target, _), part in zip(self._targets, parts, strict=True):
                target[...] = np.reshape(part.numbers, target.shape)
            self._columns = [self._targets[place][0] for place, _ in self.traced.columns]
            self._plan = self._planned(args)
            return self._run(args)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let no other thread run this program."""
        with self._lock:
            self._busy[0] = 1
            try:
                yield
            finally:
                self._busy[0] = 0

    def _lay_out(self, lengths: list[int], parts: list[Part]) -> None:
        """Make the arrays that the code reads; each part has a target of its own, in `_numbers` or a column."""
        traced, self.lengths, self.call, self._calls = self.traced, None, refuse, 0
        self._busy = np.ones(1, dtype=np.int64)  # what was prepared before stays locked out
        ends = np.cumsum([0, *(len(parts[place].numbers) for place in traced.single)]).tolist()
        captured = ends[-1] + len(traced.captured)
        self._numbers = np.empty(captured + len(traced.counted), dtype=self.dtype)
        self._captured = self._numbers[ends[-1] : captured]
        self._numbers[captured:] = [lengths[batch - 1] for batch in traced.counted]
        views = {place: self._numbers[a:b] for place, (a, b) in zip(traced.single, pairwise(ends), strict=True)}
        for place, _ in traced.columns:
            length = parts[place].length
            views[place] = np.empty((length, len(parts[place].numbers) // length), dtype=self.dtype)
        column_of = {place: column for column, (place, _) in enumerate(traced.columns)}
        self._targets = [(views[place], column_of.get(place, -1)) for place in range(len(parts))]
        self.lengths = lengths

    def _planned(self, args: tuple[Any, ...]) -> list[_Argument] | None:
        """Return how to take the next arguments, if these are all arrays, a part each."""
        if len(args) != len(self._targets) or any(arg.__class__ is not _ARRAY or arg.ndim == 0 for arg in args):
            return None
        return [(None, arg.shape, column) for arg, (_, column) in zip(args, self._targets, strict=True)]

    def again(self, args: tuple[Any, ...]) -> Any:
        """Return the result if the arguments are like those of the latest call, else None."""
        if self._plan is None or len(args) != len(self._plan):
            return None
        with self._alone():
            return self._of_arrays(args)

    def _of_arrays(self, args: tuple[Any, ...]) -> Any:
        """Return the result if all arguments are arrays of the same shapes as in the latest call, else None.

        Columns are read where they lie, if they are in one piece.
        """
        if (plan := self._plan) is None or len(args) != len(plan):
            return None  # another thread came between
        for place, (arg, (array, shape, column)) in enumerate(zip(args, plan, strict=True)):
            if arg.__class__ is not _ARRAY or arg.dtype is not _FLOAT64 or arg.shape != shape:
                return None
            target = self._targets[place][0]
            in_place = column >= 0 and target.dtype is _FLOAT64 and arg.flags.c_contiguous and arg.flags.aligned
            if not in_place:
                with np.errstate(over="ignore"):
                    target[...] = arg.reshape(target.shape)
                if column >= 0:
                    plan[place], self._columns[column] = (None, shape, column), target
            elif arg is not array:
                plan[place] = (arg, shape, column)
                self._columns[column] = arg.reshape(len(arg), -1)
        return self._run(args)

    def _run(self, args: tuple[Any, ...]) -> Any:
        if self.traced.captured:
            self._captured[:] = [value.data for value in self.traced.captured]
        if self.call is not refuse:
            self.run.forget()  # type: ignore[attr-defined]
        start = perf_counter()
        own, columns = self.run(self._numbers, self._columns, self.lengths)
        self._seconds, self._calls = min(self._seconds, perf_counter() - start), self._calls + 1
        if self._calls > 1 and self._calls & (self._calls - 1) == 0:  # what comes often is worth preparing for
            self._prepare(args)
        return self._assemble(iter([leaf.of(own, columns) for leaf in self._leaves]))

    def _prepare(self, args: tuple[Any, ...]) -> None:
        """Let native code take the next arguments like these by itself, where it can."""
        if self.program.arrays.wanted or not hasattr(self.run, "call_of"):
            return
        parts, short = self.traced.structure, self._seconds < SHORT
        single = is_leaf(parts)
        given = Given(args, self._targets, self.traced.captured, self._captured, self._leaves, single,
                      self._busy, short)  # fmt: skip
        native = self.run.call_of(given)
        if native is not None:
            whole = single or (parts[0] == "tuple" and all(map(is_leaf, parts[1])))
            self.call = native if short and whole else self._around(native, short, whole)

    def _around(self, native: Callable[..., Any], short: bool, whole: bool) -> Callable[..., Any]:
        """Return the call with the lock, unless it is `short`, and results put together, unless they are `whole`."""
        lock, assemble = self._lock, self._assemble

        def alone(*args: Any) -> Any:
            with lock:
                return native(*args)

        def put_together(*args: Any) -> Any:
            leaves = call(*args)
            return leaves if leaves is False else assemble(iter(leaves))

        call = native if short else alone
        return call if whole else put_together


def refuse(*_: Any) -> Any:
    """Return False: there is no native code to call."""
    return False


# An array that was given, its shape, and which column of the batch it is; -1 for none.
_Argument = tuple[Any, tuple[int, ...], int]
_ARRAY, _FLOAT64 = np.ndarray, np.dtype(np.float64)
