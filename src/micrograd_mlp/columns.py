"""Run the scalar code of a model on many samples at once, without a graph: each number becomes an array of numbers.

A `Column` records like a Value does, so networks and losses take it unchanged. It gives no gradients; it is what
accuracy, predictions and decision boundaries are computed with.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from .engine import Constant, Value
from .ieee import as_float
from .operators import Operators
from .ops import Op

Array = np.ndarray[Any, np.dtype[np.float64]]


class Column(Operators):
    """One number for each sample, `data` of shape (n,), and the operations of the table on it."""

    __slots__ = ("data",)

    def __init__(self, data: Any) -> None:
        self.data: Array = np.asarray(data, dtype=np.float64)

    @staticmethod
    def apply_op(op: Op, *args: Any) -> Column:
        """Return op(*args) sample by sample. Each argument is a Column, a Value or a number."""
        arrays = [arg.data if isinstance(arg, Column | Value) else as_float(arg) for arg in args]
        with np.errstate(all="ignore"):
            return Column(_on_arrays(op)(*arrays))

    def __repr__(self) -> str:
        return f"Column({self.data!r})"


@cache
def _on_arrays(op: Op) -> Callable[..., Any]:
    if op.forward in (operator.add, operator.sub, operator.mul, operator.neg):
        return op.forward  # Python's operators work on arrays as they are
    return np.vectorize(op.forward, otypes=[np.float64])


def scores_of(model: Callable[[Any], Any], X: Any) -> Array:
    """Return the outputs of `model` for the rows of `X` (n samples by n_in features): an array of shape (n, n_out)."""
    X = np.asarray(X, dtype=np.float64)
    try:
        out = model([Column(column) for column in X.T])
    except TypeError:  # a model that branches on its numbers takes one sample after the other
        rows = [model([Constant(x) for x in row]) for row in X.tolist()]
        return np.array([[float(n) for n in (row if isinstance(row, list | tuple) else [row])] for row in rows])
    outputs: Sequence[Any] = out if isinstance(out, list | tuple) else [out]
    constant = np.zeros(len(X))  # an output that does not depend on the input is one number for all
    return np.stack([constant + getattr(output, "data", output) for output in outputs], axis=1)


def losses_of(sample_loss: Callable[[Any, Any], Any], scores: Array, y: Array) -> Array:
    """Return the loss of each sample, of scores (n, outputs) and targets (n,): an array of shape (n,)."""
    columns = [Column(column) for column in scores.T]
    try:
        each = sample_loss(columns if len(columns) > 1 else columns[0], Column(y))
    except TypeError:  # as above
        rows = [[Constant(score) for score in row] for row in scores.tolist()]
        each = [float(sample_loss(row if len(row) > 1 else row[0], t)) for row, t in zip(rows, y.tolist(), strict=True)]
    out: Array = np.zeros(len(y)) + getattr(each, "data", each)
    return out
