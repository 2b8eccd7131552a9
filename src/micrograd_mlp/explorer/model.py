"""From a graph of Values to what the page holds of it: plain data, arrays of numbers as base64 of their bytes.

The page computes every value and every gradient by itself from the leaves, so these are all that is written of numbers;
only what an operation of one's own made, which the page cannot compute, is written as it is.
"""

from __future__ import annotations

import sys
from array import array
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

from ..drawing.graph import Expression
from ..engine import Constant, Value
from ..ops import TABLE
from ..recording import Recording
from .arithmetic import rules, update_of
from .folds import Fold, folds_of

CODE = {name: code for code, name in enumerate(TABLE, 1)}  # of an operation; 0 is a leaf
OWN = len(CODE) + 1  # the first code of operations of one's own


def data_of(
    expression: Expression,
    *,
    record: Recording | None = None,
    optimizer: Any = None,
    lr: float = 0.05,
    select: Value | None = None,
    title: str = "",
) -> dict[str, Any]:
    """Return the data of a page, ready for JSON.

    Value i of the order has the operation `codes[i]` - 1 of `rules`, and the next few of `args`: the Values that it
    reads, or by ~k the plain number k. Raises ValueError if `select` is not in the graph, or nothing recorded is.
    """
    index = {value: place for place, value in enumerate(expression.order)}
    if select is not None and select not in index:
        raise ValueError(f"select takes a Value of this graph, got {select!r}")
    nodes = _Nodes(expression, index)
    return {
        "title": title,
        "count": len(expression.order),
        "rules": rules() + nodes.own_rules,
        "codes": packed("B" if len(CODE) + len(nodes.own_rules) < 256 else "i", nodes.codes),
        "args": packed("i", nodes.args),
        "numbers": packed("d", nodes.numbers),
        "leaves": packed("d", [value.data for value in expression.order if value.op is None]),
        "own": nodes.own,
        "outputs": [index[value] for value in expression.outputs],
        "labels": {index[value]: text for value in expression.order if (text := expression.label(value))},
        "parameters": [index[value] for value in expression.order if value in expression.parameters],
        "frozen": [index[value] for value in expression.order if value.frozen],
        "folds": [_packed_fold(fold) for fold in folds_of(expression)],
        "update": _update(expression, index, optimizer, lr),
        "record": _record(record, {place: index[value] for value, place in expression.parameters.items()}),
        "select": -1 if select is None else index[select],
    }


class _Nodes:
    """The operations and their arguments, one Value after the other."""

    def __init__(self, expression: Expression, index: Mapping[Value, int]) -> None:
        self.codes: list[int] = []
        self.args: list[int] = []
        self.numbers: list[float] = []
        self.own: dict[int, dict[str, Any]] = {}
        self.own_rules: list[dict[str, Any]] = []
        self._own_codes: dict[Any, int] = {}
        for place, value in enumerate(expression.order):
            op = value.op
            nodes = value._nodes()
            for node in nodes:
                self.args.append(~self._number(node.data) if node.__class__ is Constant else index[node])
            if op is None:
                self.codes.append(0)
            elif TABLE.get(op.name) is op:
                self.codes.append(CODE[op.name])
            else:
                self.codes.append(self._own_code(op, len(nodes)))
                slopes = [_text(slope) for _, slope in value._slopes()]
                self.own[place] = {"data": _text(value.data), "slopes": slopes}

    def _number(self, number: float) -> int:
        self.numbers.append(number)
        return len(self.numbers) - 1

    def _own_code(self, op: Any, arity: int) -> int:
        key = op.name, arity, op.selects, bool(op.partials)
        if key not in self._own_codes:
            self._own_codes[key] = OWN + len(self.own_rules)
            name = op.name or "own"
            formula = f"{name}({', '.join('abcdefghijklmnopqrstuvwxyz'[:arity])})"
            self.own_rules.append(
                {"name": name, "symbol": op.symbol or "own", "formula": formula, "note": "", "arity": arity,
                 "selects": op.selects, "flat": False, "partials": [], "own": True, "silent": not op.partials}
            )  # fmt: skip
        return self._own_codes[key]


def packed(kind: str, numbers: Sequence[float] | Any) -> dict[str, str]:
    """Return numbers as an array of unsigned bytes (B), 32-bit integers (i) or doubles (d): its kind and base64."""
    made = array(kind, numbers)
    if sys.byteorder == "big":
        made.byteswap()
    return {"kind": kind, "bytes": b64encode(made.tobytes()).decode()}


def _packed_fold(fold: Fold) -> dict[str, Any]:
    return {
        "name": fold.name,
        "titles": fold.titles,
        "kinds": fold.kinds,
        "parents": fold.parents,
        "of": packed("i", fold.of),
    }


def _text(number: float) -> float | str:
    """Return a number as JSON can hold it: those that are not finite as text."""
    return number if number - number == 0 else repr(number)


def _update(expression: Expression, index: Mapping[Value, int], optimizer: Any, lr: float) -> dict[str, Any]:
    """Return how the numbers of parameters are updated; by plain gradient descent, if there is no optimizer."""
    from ..optim import SGD

    if optimizer is None:
        rule = SGD([Value(0.0)], lr=lr)
        return {"name": "SGD", "lr": rule.lr, "step": 1, "rule": update_of(rule), "memory": {}}
    memory = {
        index[parameter]: [_text(number) for number in numbers]
        for parameter, numbers in zip(optimizer.parameters, optimizer.memories, strict=True)
        if parameter in index
    }
    rate = optimizer.lr * optimizer.schedule(optimizer.steps)
    start = [_text(number) for number in optimizer.memory]
    return {"name": type(optimizer).__name__, "lr": rate, "step": optimizer.steps + 1, "start": start,
            "rule": update_of(optimizer), "memory": memory}  # fmt: skip


def _record(record: Recording | None, places: Mapping[str, int]) -> dict[str, Any] | None:
    if record is None:
        return None
    moments = record.moments
    columns = [column for column, name in enumerate(record.names) if name in places]
    if not moments or not columns:
        raise ValueError(
            "record holds no epoch of a parameter in this graph; pass it to fit(..., record=record), and the model that"
            " was trained to explore(..., model=model)"
        )
    weights = array("d")
    for moment in moments:
        weights.extend(moment.weights[column] for column in columns)
    return {
        "epochs": [moment.epoch for moment in moments],
        "losses": [_text(moment.loss) for moment in moments],
        "parameters": [places[record.names[column]] for column in columns],
        "weights": packed("d", weights),
    }
