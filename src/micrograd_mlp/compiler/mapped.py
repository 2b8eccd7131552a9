"""A function of one sample, compiled for any number of them: what each of them gets, a row of numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..engine import Value
from . import kept
from .batch import vmap
from .jit import lower
from .variants import Traced

Array = np.ndarray[Any, np.dtype[Any]]


class Mapped:
    """`function(state, *sample)` compiled: it gets a list of numbers and one sample, and returns a list of numbers."""

    def __init__(
        self,
        function: Callable[..., Any],
        state: Sequence[float],
        columns: Sequence[Any],
        *,
        bound: Sequence[Value] = (),
        backend: str = "llvm",
        known: str = "",
    ) -> None:
        """Trace and compile a function for samples like those of these columns, and about as many.

        The Values `bound` stand for the first numbers of the state. Machine code is kept in a folder under the text
        `known`, if there is one, see `Steps`.
        """
        arrays = [np.ascontiguousarray(column, dtype=np.float64) for column in columns]
        many = 1 << max(len(arrays[0]), 1).bit_length() - 1
        known = known and repr((known, len(state), [array.shape[1:] for array in arrays], many))
        self._captured: list[Value] = []
        self._run: Any = kept.find(known) if backend == "llvm" else None
        if self._run is None:

            def mapped(state: Any, *samples: Any) -> Any:
                return vmap(lambda *sample: function(state, *sample))(*samples)

            traced = Traced(mapped, (list(state), *arrays), {}, bound)
            if len(traced.columns) != len(columns) or traced.counted or traced.structure[0] != "batch":
                raise ValueError(
                    "a function of each sample takes its samples as they come, and returns numbers of each"
                )
            self._captured = traced.captured
            self._run = lower(traced.program.arrays, backend, "float64", samples=many)
            if backend == "llvm" and self.is_closed:
                kept.keep(known, self._run)

    @property
    def is_closed(self) -> bool:
        """Whether the function reads nothing but what it is given."""
        return not self._captured

    def __call__(self, state: Sequence[float], *columns: Any) -> Array:
        """Return what it gives for each sample of these columns, an array (samples, numbers)."""
        arrays = [np.ascontiguousarray(column, dtype=np.float64) for column in columns]
        numbers = np.array([*state, *(value.data for value in self._captured)], dtype=np.float64)
        rows = [array.reshape(len(array), -1) for array in arrays]
        _, (out,) = self._run(numbers, rows, [len(arrays[0])])
        found: Array = out
        return found
