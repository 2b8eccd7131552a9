"""Pickle and copy a graph of any depth. Python's own way would recurse from a Value to its arguments.

Here the arguments of arguments go first, in order of computation: when a Value is written, what it was made from has
been written before, and is only referred to. So what is shared stays shared, also among several outputs of one graph.
"""

from __future__ import annotations

import copyreg
from collections.abc import Iterator
from typing import Any

from .engine import Constant, Value, topological_order
from .ops import TABLE, Op

_under_way: set[Value] = set()  # their arguments have been written, or will be before them


class _Earlier:
    """Everything a Value was made from; pickled as the list of it."""

    def __init__(self, value: Value) -> None:
        self.nodes = topological_order(value)[:-1]

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (), None, self._in_order()

    def _in_order(self) -> Iterator[Value]:
        _under_way.update(self.nodes)
        try:
            yield from self.nodes
        finally:
            _under_way.difference_update(self.nodes)


def _reduce(value: Value) -> tuple[Any, ...]:
    if "_backward" in vars(value):
        raise TypeError(
            f"{value!r} has a _backward of its own, a function that cannot be saved; give local_grads instead"
        )
    earlier = _Earlier(value) if value.op is not None and value not in _under_way else None
    slots = value.op, _plain(value._a), _plain(value._b), value.data, value.grad
    return _restore, (earlier, value.__class__, *slots), vars(value) or None


def _plain(arg: Value | None) -> Value | float | None:
    return arg.data if arg.__class__ is Constant and arg is not None else arg


def _restore(earlier: Any, kind: type[Value], op: Op | None, a: Any, b: Any, data: float, grad: float) -> Value:
    value = kind.__new__(kind)
    value.op, value.data, value.grad = op, data, grad
    value._a = Constant(a) if a.__class__ is float else a
    value._b = Constant(b) if b.__class__ is float else b
    return value


def _reduce_op(op: Op) -> tuple[Any, ...]:
    if TABLE.get(op.name) is op:
        return _row, (op.name,)
    return _own_op, (op.name, tuple(partial() for partial in op.partials))


def _row(name: str) -> Op:
    return TABLE[name]


def _own_op(name: str, slopes: tuple[float, ...]) -> Op | None:
    return Value(0.0, [Value(0.0)] * max(len(slopes), 1), name, local_grads=slopes).op


copyreg.pickle(Value, _reduce)
copyreg.pickle(Constant, _reduce)
copyreg.pickle(Op, _reduce_op)
