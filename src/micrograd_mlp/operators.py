"""Python's operators for a class that records: each calls its `apply_op` with the row of the table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import ops
from .ops import Op


class Operators:
    """Gives a class with an `apply_op(op, *args)` the operators + - * / ** and abs, with numbers on either side."""

    __slots__ = ()
    apply_op: Callable[..., Any]

    def __neg__(self) -> Any:
        return self.apply_op(ops.neg, self)

    def __abs__(self) -> Any:
        return self.apply_op(ops.abs, self)


def _operator(op: Op, swapped: bool) -> Callable[[Operators, Any], Any]:
    if swapped:
        return lambda self, other: self.apply_op(op, other, self)
    return lambda self, other: self.apply_op(op, self, other)


for _name, _op in (("add", ops.add), ("sub", ops.sub), ("mul", ops.mul), ("truediv", ops.div), ("pow", ops.pow)):
    setattr(Operators, f"__{_name}__", _operator(_op, swapped=False))
    setattr(Operators, f"__r{_name}__", _operator(_op, swapped=True))
