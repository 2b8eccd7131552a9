"""Many steps in a row: what one step returns as its state is what the next one begins with.

In native code the loop over the steps lies inside, and the samples of each step are gathered there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from itertools import pairwise
from typing import Any

import numpy as np

from ..engine import Value
from . import kept
from .jit import lower
from .program import ArrayProgram, Loop
from .stages import Compiled
from .variants import Traced

Array = np.ndarray[Any, np.dtype[Any]]


class Steps:
    """A step compiled to be taken many times, with its state between two steps: `state`, an array of numbers.

    `step(state, *samples, *knobs)` gets the state as a list of numbers, arrays with the samples, which it maps over by
    `vmap`, and single numbers that differ from step to step. It returns a list of numbers to watch, and the next state.
    """

    def __init__(
        self,
        step: Callable[..., Any],
        state: Sequence[float],
        columns: Sequence[Any],
        knobs: int = 0,
        *,
        bound: Sequence[Value] = (),
        backend: str = "llvm",
        dtype: str = "float64",
        threads: int = 1,
        shuffled: bool = True,
        batch: int = 0,
        known: str = "",
    ) -> None:
        """Trace and compile a step, for batches of about `batch` samples.

        The Values `bound` stand for the first numbers of the state. Unless `shuffled`, each step takes all samples in
        order. Machine code is kept in a folder under the text `known`, if there is one, for the next process: the text
        says all that the step depends on. What was found there has no `program` to look at. Raises ValueError if the
        step does not map over the columns, or does not return what it has to.
        """
        self.state: Array = np.array(state, dtype=dtype)
        arrays = [np.ascontiguousarray(column, dtype=dtype) for column in columns]
        self.take_columns(arrays)
        self.shuffled, widths = shuffled, [array.shape[1:] for array in arrays]
        self.program: Compiled | None = None
        self._captured: list[Value] = []
        self._run: Callable[..., Any] | None = None
        many = batch or self.length
        known = known and repr((known, len(self.state), widths, knobs, dtype, threads, shuffled, many))
        self._native = kept.find(known) if backend == "llvm" else None
        if self._native is None:
            traced = Traced(step, (self.state.tolist(), *arrays, *[1.0] * knobs), {}, bound)
            self.program, self._captured = traced.program, traced.captured
            self._loop = self._loop_of(traced, knobs)
            self._native = _native(self.program.arrays, dtype, threads, self._loop, many) if backend == "llvm" else None
            self._run = None if self._native else lower(self.program.arrays, backend, dtype)
            if self._native is not None and self.is_closed:
                kept.keep(known, self._native)
        else:
            self._loop = self._native.plan.loop
        loop = self._loop
        self._numbers: Array = np.zeros(loop.state + knobs + len(self._captured) + len(loop.counts), dtype=dtype)

    def _loop_of(self, traced: Traced, knobs: int) -> Loop:
        if len(traced.columns) != len(self.columns) or not isinstance(traced.structure, tuple):
            raise ValueError("a step maps over all of its samples by vmap, and returns numbers to watch and its state")
        size = len(self.state)
        behind = size + knobs + len(traced.captured)
        counts = tuple((behind + k, batch) for k, batch in enumerate(traced.counted))
        return Loop(size, len(traced.program.arrays.outputs) - size, knobs, counts, self.shuffled)

    def take_columns(self, columns: Sequence[Any]) -> None:
        """Take the samples of these columns from now on; there may be more or fewer of them, of the same width."""
        arrays = [np.ascontiguousarray(column, dtype=self.state.dtype) for column in columns]
        self.columns, self.length = [array.reshape(len(array), -1) for array in arrays], len(arrays[0])

    @property
    def is_closed(self) -> bool:
        """Whether the step reads nothing but what it is given."""
        return not self._captured

    def again(self, state: Sequence[float], columns: Sequence[Any]) -> Steps:
        """Return the same steps from another state and over other samples; the two share their code, not numbers."""
        other = copy(self)
        other.state, other._numbers = np.array(state, dtype=self.state.dtype), self._numbers.copy()
        other.take_columns(columns)
        return other

    def run(self, order: Any, starts: Any, knobs: Any = ()) -> Array:
        """Take steps: step k takes the samples `order[starts[k]:starts[k + 1]]`, and row k of `knobs`.

        Returns the numbers watched, a row for each step. If one of them is inf or nan, its row is the last, and the
        state is that before its step. Raises ValueError for samples that there are not. If not `shuffled`, `starts`
        only says how many samples there are, always the first ones.
        """
        order, starts = np.ascontiguousarray(order, dtype=np.int64), np.ascontiguousarray(starts, dtype=np.int64)
        self._refuse_outside(order, starts)
        count, size = len(starts) - 1, len(self.state)
        table: Array = np.ascontiguousarray(np.reshape(knobs, (count, self._loop.knobs)), dtype=self.state.dtype)
        behind = size + self._loop.knobs
        self._numbers[:size] = self.state
        self._numbers[behind : behind + len(self._captured)] = [value.data for value in self._captured]
        out = np.empty((count, self._loop.outs), dtype=self.state.dtype)
        if self._native is not None:
            done = self._native.steps(self._numbers, self.columns, self.length, order, starts, table, out)
        else:
            done = self._one_by_one(order, starts, table, out)
        self.state = self._numbers[:size].copy()
        return out[: done + 1]

    def _refuse_outside(self, order: Array, starts: Array) -> None:
        low, high = (0, len(order)) if self.shuffled else (0, self.length)
        longest, reach = int(np.diff(starts).max(initial=0)), int(starts[-1]) if self.shuffled else 0
        if (np.diff(starts) < 1).any() or starts[0] != 0 or max(longest, reach) > high:
            raise ValueError(f"the steps take samples from {low} to {high}, each at least one; got starts {starts!r}")
        if len(order) and self.shuffled and not (order.min() >= 0 and order.max() < self.length):
            raise ValueError(f"samples are numbered from 0 to {self.length - 1}, got {order.min()} to {order.max()}")

    def _one_by_one(self, order: Array, starts: Array, table: Array, out: Array) -> int:
        assert self._run is not None
        numbers, size = self._numbers, len(self.state)
        for k, (first, last) in enumerate(pairwise(starts.tolist())):
            batch = order[first:last] if self.shuffled else slice(last - first)
            numbers[size : size + self._loop.knobs] = table[k]
            for place, _ in self._loop.counts:
                numbers[place] = last - first
            results, _ = self._run(numbers, [column[batch] for column in self.columns], [last - first])
            out[k] = results[: self._loop.outs]
            if not np.isfinite(out[k]).all():
                return k
            numbers[:size] = results[self._loop.outs :]
        return len(out)


def _native(program: ArrayProgram, dtype: str, threads: int, loop: Loop, samples: int) -> Any:
    """Return the kernel of a loop over steps; None if there is no native code for it."""
    try:
        from .backends import llvm
    except ImportError:
        return None
    return llvm.compiled(program, dtype, threads, loop, samples) if llvm.is_regular(program) else None
