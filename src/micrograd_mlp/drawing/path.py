"""The chain rule along the way from a parameter to the loss, in numbers: each factor, and their product so far."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from ..engine import Constant, Value, grad, topological_order
from ..names import clean
from ..ops import Op
from .graph import number

SHOWN = 24  # so many rows are printed; of a longer path, its beginning and its end

Following = dict[Value, tuple[Value, int, float]]  # the next Value on the way, which argument it takes, its slope


@dataclass(frozen=True)
class Step:
    """An operation on the way: the derivative of its result by argument `index`, and the product of all so far."""

    op: Op
    index: int
    data: float
    local: float
    product: float
    label: str = ""


@dataclass(frozen=True)
class Path:
    """The path with the largest product, among `count`; `total` is the sum of the products of all, the derivative."""

    start: str
    end: str
    steps: tuple[Step, ...]
    count: int
    total: float
    grad: float  # what the parameter holds

    @property
    def product(self) -> float:
        """What this path alone contributes to the derivative."""
        return self.steps[-1].product if self.steps else float(self.count)

    def __str__(self) -> str:
        return "\n".join(_lines(self))


def trace_path(loss: Value, parameter: Value) -> Path:
    """Return the path from `parameter` to `loss` with the largest product of local derivatives, to be printed and read.

    There may be more paths than fit into any memory: they are counted and compared without being listed. Raises
    TypeError if one of the two is no Value, ValueError at an operation that has only a `_backward`, for its local
    derivatives are not known.
    """
    if not isinstance(parameter, Value):
        raise TypeError(f"expected a Value as the start of the path, got {type(parameter).__name__}: {parameter!r}")
    order = topological_order(loss)
    total = grad(loss, parameter).data
    count, following = _best(order, parameter)
    steps = tuple(_steps(parameter, following))
    start, end = clean(str(parameter.label)) or "parameter", clean(str(loss.label)) or "loss"
    return Path(start, end, steps, count, total, parameter.grad)


def _best(order: list[Value], parameter: Value) -> tuple[int, Following]:
    """Return how many paths lead from `parameter` to the last of `order`, and the next step of the best path from each.

    The best is the one whose product has the largest magnitude; added up as logarithms, for it may underflow.
    """
    counts, sizes, following = {order[-1]: 1}, {order[-1]: 0.0}, dict[Value, tuple[Value, int, float]]()
    for value in reversed(order):
        count, size = counts.get(value, 0), sizes.get(value, -math.inf)
        if value is not parameter:
            counts.pop(value, None)  # in a long chain these are numbers of many digits
        for index, (arg, slope) in enumerate(value._slopes()):
            if arg.__class__ is not Constant:
                counts[arg] = counts.get(arg, 0) + count
                candidate = _size(size, slope)
                if arg not in sizes or candidate > sizes[arg]:
                    sizes[arg], following[arg] = candidate, (value, index, slope)
    return counts.get(parameter, 0), following


def _size(size: float, slope: float) -> float:
    """Return `size` plus the logarithm of |slope|. What becomes nan counts as infinite: the path is to show it."""
    size += math.log(abs(slope)) if slope else -math.inf
    return math.inf if math.isnan(size) else size


def _steps(parameter: Value, following: Following) -> Iterator[Step]:
    value, product = parameter, 1.0
    while value in following:
        value, index, local = following[value]
        product *= local
        assert value.op is not None
        yield Step(value.op, index, value.data, local, product, str(value.label))


def _lines(path: Path) -> Iterator[str]:
    yield f"d {path.end} / d {path.start} = {number(path.total)}"
    if not path.count:
        yield f"{path.end} does not depend on {path.start}."
        return
    if path.steps:
        which = (
            "The only path" if path.count == 1 else f"The path with the largest product, of {_count(path.count)} paths"
        )
        yield f"{which}; {len(path.steps):,} step{'s' * (len(path.steps) > 1)}:"
        yield ""
        yield from _table(path.steps)
        yield ""
    if path.count > 1:
        yield f"This path gives {number(path.product)}, all paths together {number(path.total)}."
    if math.isclose(path.total, path.grad, rel_tol=1e-9) or (math.isnan(path.total) and math.isnan(path.grad)):
        yield f"{path.start}.grad holds the same number."
    else:
        yield (
            f"{path.start}.grad holds {number(path.grad)}: backward() was not called on {path.end},"
            " or the gradients of several calls add up."
        )


def _count(paths: int) -> str:
    return f"{paths:,}" if paths < 10**12 else f"about 10^{math.log10(paths):.1f}"


def _table(steps: tuple[Step, ...]) -> Iterator[str]:
    """Yield the steps in columns; of a long path the first and the last ones."""
    rows = list(_rows(steps))
    if len(rows) > SHOWN:
        rows[SHOWN // 2 : -SHOWN // 2] = [("...", "", "", "", "")]
    rows.insert(0, ("step", "operation", "result", "its derivative", "product so far"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _rows(steps: tuple[Step, ...]) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield a row for each step, and one for a run of the same operation that passes the gradient on as it is."""
    numbered = enumerate(steps, 1)
    for _, run in groupby(numbered, lambda item: (item[1].op, item[1].index) if item[1].local == 1 else item[0]):
        members = list(run)
        first, (last, step) = members[0][0], members[-1]
        argument = chr(ord("a") + step.index) if step.index < 26 else f"argument {step.index}"
        result = f"{number(step.data)} ({clean(step.label)})" if step.label else number(step.data)
        where = f"{first:,}" if first == last else f"{first:,} to {last:,}"
        yield where, step.op.formula, result, f"by {argument}: {number(step.local)}", number(step.product)
