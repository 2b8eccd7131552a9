"""What a picture holds: nodes with their numbers and the edges between them, whole or with many Values folded into one.

Every picture is made by one rule: a Value is drawn by itself or as a member of its `Group`, and an edge within a group
is not drawn. With no groups at all this is the picture of micrograd: a box for a Value, a circle for an operation.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import NamedTuple

from ..engine import Constant, Value, topological_order

DETAILED = 12  # so many groups tell all about themselves; of more, only their numbers
COUNTS = 40  # so many arrows say how many edges they stand for
ASIDES = 8  # so many arrows lead parameters out of their neuron; where there were more, a row says it

_WEIGHT = re.compile(r"(?:(.*)\.)?w\[\d+\]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Node:
    """A box with a title, lines of text and rows of (what, number), or the circle of an operation.

    `tip` shows under the mouse.
    """

    name: str
    kind: str
    title: str
    rows: tuple[tuple[str, str], ...] = ()
    tip: str = ""
    folded: bool = False
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Edge:
    """An arrow; `aside` if it carries parameters out of their neuron, as to a penalty on their size."""

    tail: str
    head: str
    label: str = ""
    aside: bool = False


@dataclass(frozen=True)
class Graph:
    """What is drawn. `columns` name nodes that stand side by side; `note` says what was folded, if anything."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    columns: tuple[tuple[str, ...], ...] = ()
    title: str = ""
    note: str = ""


class _Bundle(NamedTuple):
    """The edges from one group to another that are drawn as one."""

    tail: str
    head: str
    aside: bool


class Group(NamedTuple):
    """The Values that are drawn as one node, which looks as `kind` says."""

    kind: str
    title: str


@dataclass(frozen=True)
class Folding:
    """The group of each Value (or number in code) that has one, and the products with which neurons begin."""

    groups: Mapping[Value, Group] = field(default_factory=dict)
    starts: Set[Value] = frozenset()
    note: str = ""


@dataclass(frozen=True)
class Expression:
    """Every Value behind `outputs`, arguments before their users; the place of each parameter, and names for others."""

    outputs: tuple[Value, ...]
    order: list[Value]
    parameters: Mapping[Value, str]
    names: Mapping[Value, str]

    def label(self, value: Value) -> str:
        """Return the name of `value`; empty if it has none."""
        return str(self.names.get(value) or self.parameters.get(value) or value.label or "")

    def kind(self, value: Value) -> str:
        """Return "parameter", "input", "output" or "value"."""
        if value in self.parameters:
            return "parameter"
        if value.op is None:
            return "input"
        return "output" if value in self.outputs else "value"


def expression_of(outputs: Sequence[Value], parameters: Mapping[Value, str], names: Mapping[Value, str]) -> Expression:
    """Return the expression that ends in `outputs`. Where no `parameters` are given, they are found by their labels."""
    order = topological_order(Value(0.0, outputs))[:-1]
    return Expression(tuple(outputs), order, parameters or _labelled(order), names)


def _labelled(order: list[Value]) -> dict[Value, str]:
    leaves = {value: str(value.label) for value in order if value.op is None and value.label}
    found = parameters_among(leaves.values())
    return {value: label for value, label in leaves.items() if label in found}


def parameters_among(labels: Iterable[str]) -> set[str]:
    """Return the labels that parameters have in `nn`: `w[i]` at some place, `b` where that place has a w."""
    matches = {label: _WEIGHT.fullmatch(label) for label in labels}
    places = {match[1] for match in matches.values() if match}
    biases = {"b" if place is None else f"{place}.b" for place in places}
    return {label for label, match in matches.items() if match or label in biases}


def number(x: float) -> str:
    """Return `x` with four digits after the point, or in the general form where these would hide it or be too many."""
    if x == 0 or 0.001 <= abs(x) < 10_000:
        return f"{x + 0.0:.4f}"  # + 0.0 turns -0.0 into 0.0
    return f"{x:.4g}" if abs(x) < 1 else f"{x:.6g}"


def span(numbers: Sequence[float]) -> str:
    """Return the smallest and the largest of `numbers`, and how many are nan; or the one number that they all are."""
    real = [x for x in numbers if not math.isnan(x)]
    low, high = (number(min(real)), number(max(real))) if real else ("nan", "nan")
    nans = f", {len(numbers) - len(real):,} nan" if 0 < len(real) < len(numbers) else ""
    return (low if low == high else f"{low} … {high}") + nans


def graph_of(expression: Expression, folding: Folding, slopes: bool = False, title: str = "") -> Graph:
    """Return the picture of `expression`; with `slopes`, each edge to an operation shows the derivative along it."""
    names = _names(expression, folding)
    single, merged = _edges(expression, folding, names, slopes)
    told = {key for key in merged if key.aside} if sum(key.aside for key in merged) > ASIDES else set()
    folded = _folded_boxes(expression, folding, names, merged, told)
    counted = [
        Edge(key.tail, key.head, f"{len(args):,}" if len(args) > 1 and len(merged) <= COUNTS else "", key.aside)
        for key, args in merged.items()
        if key not in told
    ]
    nodes, edges = (*_boxes(expression, folding, names), *folded), (*single, *counted)
    return Graph(nodes, edges, tuple(_columns(nodes, counted)), title, folding.note)


def _names(expression: Expression, folding: Folding) -> dict[Value, str]:
    """Return a name for each node, made from its place in the order alone, so that equal graphs give equal text."""
    groups = {group: f"g{index}" for index, group in enumerate(dict.fromkeys(folding.groups.values()))}
    names = {value: groups[group] for value, group in folding.groups.items()}
    return names | {value: f"v{index}" for index, value in enumerate(expression.order) if value not in names}


def _edges(
    expression: Expression, folding: Folding, names: Mapping[Value, str], slopes: bool
) -> tuple[list[Edge], dict[_Bundle, list[Value]]]:
    """Return the edges between what is drawn by itself, and where the edges begin that are bundled at a group."""
    single: list[Edge] = []
    merged: dict[_Bundle, list[Value]] = {}
    for value in expression.order:
        folded = value in folding.groups
        head = names[value] if folded else f"{names[value]}o"
        if value.op and not folded:
            single.append(Edge(head, names[value]))
        labels = _slope_labels(value) if slopes and not folded else ()
        for index, arg in enumerate(value._nodes()):
            if not folded and arg not in folding.groups:
                if arg in names or not _is_told(value, arg):
                    tail = names.get(arg, f"{names[value]}c{index}")
                    single.append(Edge(tail, head, labels[index] if index < len(labels) else ""))
            elif (tail := names.get(arg, "")) and (tail != head or _is_loop(arg, value, expression, folding)):
                merged.setdefault(_Bundle(tail, head, _is_aside(arg, expression, folding)), []).append(arg)
    return single, merged


def _slope_labels(value: Value) -> list[str]:
    return ["" if arg.__class__ is Constant else f"∂ {number(slope)}" for arg, slope in value._slopes()]


def _is_told(value: Value, arg: Value) -> bool:
    """Say whether the symbol of the operation holds the number `arg` already, as "**2" does."""
    return value.op is not None and value._op != value.op.symbol and arg is value._b


def _is_loop(arg: Value, value: Value, expression: Expression, folding: Folding) -> bool:
    """Say whether a neuron reads what its own group made before: the loop of a recurrent network."""
    return value in folding.starts and arg not in folding.starts and arg not in expression.parameters


def _is_aside(arg: Value, expression: Expression, folding: Folding) -> bool:
    return arg in expression.parameters and arg in folding.groups and folding.groups[arg].kind != "parameter"


def _boxes(expression: Expression, folding: Folding, names: Mapping[Value, str]) -> Iterator[Node]:
    for value in expression.order:
        if value not in folding.groups:
            name, label, kind = names[value], expression.label(value), expression.kind(value)
            tip = f"{label[:200] or kind}: data {value.data!r}, grad {value.grad!r}"
            yield Node(name, kind, label, (("data", number(value.data)), ("grad", number(value.grad))), tip)
            if value.op:
                yield Node(f"{name}o", "operation", value._op, tip=f"{value.op.name}: {value.op.formula}")
            for index, arg in enumerate(value._nodes()):
                if arg.__class__ is Constant and arg not in folding.groups and not _is_told(value, arg):
                    yield Node(f"{name}c{index}", "number", f"{arg.data:.4g}", tip=f"the number {arg.data!r}")


def _folded_boxes(
    expression: Expression,
    folding: Folding,
    names: Mapping[Value, str],
    merged: Mapping[_Bundle, list[Value]],
    told: Set[_Bundle],
) -> list[Node]:
    """Return a node for each group; the bundles `told` are not drawn, they are a row of the node that they lead to."""
    members: dict[Group, list[Value]] = {}
    for value, group in folding.groups.items():
        members.setdefault(group, []).append(value)
    read = set(expression.outputs).union(*merged.values())
    boxes = []
    for group, values in members.items():
        name = names[values[0]]
        rows = list(_summary(values, expression, read))
        tip = f"{group.title}: " + ", ".join(f"{what} {text}" for what, text in rows)
        if asides := set().union(*(merged[key] for key in told if key.head == name)):
            rows.append(("uses also", f"{len(asides):,} parameters"))
        boxes.append(
            Node(name, group.kind, group.title, tuple(rows if len(members) <= DETAILED else rows[:2]), tip, True)
        )
    return boxes


def _columns(nodes: Sequence[Node], edges: list[Edge]) -> Iterator[tuple[str, ...]]:
    """Yield the neurons of a layer, their inputs, or the samples, in order, unless one of them reads another."""
    columns: dict[tuple[str, str], list[Node]] = {}
    side_by_side = {"neuron", "output", "input"} if any(node.kind == "neuron" for node in nodes) else {"sample"}
    for node in nodes:
        if node.kind in side_by_side:
            columns.setdefault((node.kind, node.title.rpartition(".")[0]), []).append(node)
    column_of = {node.name: key for key, column in columns.items() for node in column}
    ends = [(column_of.get(edge.tail), column_of.get(edge.head)) for edge in edges]
    joined = {tail for tail, head in ends if tail == head}
    for key, column in columns.items():
        if len(column) > 1 and key not in joined:
            yield tuple(node.name for node in sorted(column, key=_in_order))


def _in_order(node: Node) -> list[tuple[str, int, str]]:
    """Return a key that puts neurons[2] before neurons[10], however many digits there are."""
    return [(text, len(digits), digits) for text, digits in re.findall(r"([^0-9]*)0*([0-9]*)", node.title)]


def _summary(values: list[Value], expression: Expression, read: Set[Value]) -> Iterator[tuple[str, str]]:
    """Yield rows on a group: what its Values hold that are read outside (parameters only if it has nothing else)."""
    parameters = [value for value in values if value in expression.parameters]
    shown = [value for value in values if value in read and value not in expression.parameters] or parameters or values
    yield "data", span([value.data for value in shown])
    if shown[0].__class__ is Constant:
        yield "numbers", f"{len(values):,}"
        return
    yield "grad", span([value.grad for value in shown])
    neurons = {expression.parameters[value].rpartition(".")[0] for value in parameters}
    for what, count in (("neurons", len(neurons)), ("parameters", len(parameters)), ("Values", len(values))):
        if count > 1:
            yield what, f"{count:,}"
    operations = Counter(value.op.name for value in values if value.op)
    if operations:
        yield "operations", " · ".join(f"{n:,} {name}" for name, n in operations.most_common(4))
