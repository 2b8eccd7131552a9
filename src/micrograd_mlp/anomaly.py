"""Where did the inf or nan come from? Names the first Value or gradient of a computation that is not finite."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

from . import engine
from .engine import Value, topological_order


@contextmanager
def detect_anomaly() -> Iterator[None]:
    """Within this block, raise FloatingPointError at the first Value or gradient that is inf or nan, and say where."""
    before, engine.watch = engine.watch, _check
    try:
        yield
    finally:
        engine.watch = before


def first_non_finite(root: Value) -> Value | None:
    """Return the first Value in the graph of `root`, in order of computation, that is inf or nan; None if none is."""
    return next((node for node in topological_order(root) if not math.isfinite(node.data)), None)


def describe(node: Value) -> str:
    """Return one line on where a Value comes from: its operation, its arguments and itself, with their labels."""

    def name(arg: Value | float) -> str:
        return f"{arg.data} ({arg.label})" if isinstance(arg, Value) and arg.label else str(float(arg))

    made = f"{node.op.name}({', '.join(map(name, node.args))})" if node.op else "the leaf"
    return f"{made} = {node.data}" + (f", labelled {node.label!r}" if node.label else "")


def _check(node: Value) -> None:
    if not math.isfinite(node.data):
        raise FloatingPointError(f"forward: {describe(first_non_finite(node) or node)}")
    for arg in node._prev:
        if not math.isfinite(arg.grad):
            raise FloatingPointError(
                f"backward: the gradient of an argument is {arg.grad} at {describe(node)}, with gradient {node.grad}"
            )
