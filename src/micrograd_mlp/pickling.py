"""Pickle and copy a graph of any depth, as a flat list in order of computation: Python's own way would recurse."""

from __future__ import annotations

import copyreg
from typing import Any

from .engine import Constant, Value, topological_order
from .ops import TABLE, Op

# One entry a node: its operation (a name of the table, or None for a leaf, or a row of one's own as name and slopes),
# the places of its arguments in the list (or their numbers), and its attributes.
Entry = tuple[Any, tuple[Any, ...], dict[str, Any]]


def _reduce(value: Value) -> tuple[Any, ...]:
    if value.op is None:
        return _leaf, (type(value), _attributes(value))
    order = topological_order(value)
    place = {node: index for index, node in enumerate(order)}
    leaves = [node for node in order if node.op is None]
    entries = [
        (_name(node), tuple(place[arg] if isinstance(arg, Value) else (arg,) for arg in node.args), _attributes(node))
        for node in order
        if node.op is not None
    ]
    return _graph, (leaves, [place[leaf] for leaf in leaves], entries, len(order))


def _attributes(value: Value) -> dict[str, Any]:
    own = {name: what for name, what in vars(value).items() if name != "_more"}
    if "_backward" in own:
        raise TypeError(
            f"{value!r} has a _backward of its own, a function that cannot be saved; give local_grads instead"
        )
    return {"data": value.data, "grad": value.grad, **own}


def _name(node: Value) -> Any:
    assert node.op is not None
    if TABLE.get(node.op.name) is node.op:
        return node.op.name
    return node.op.name, tuple(partial() for partial in node.op.partials)


def _leaf(kind: type[Value], attributes: dict[str, Any]) -> Value:
    value = kind(0.0)
    for name, what in attributes.items():
        setattr(value, name, what)
    return value


def _graph(leaves: list[Value], places: list[int], entries: list[Entry], size: int) -> Value:
    nodes: list[Any] = [None] * size
    for place, leaf in zip(places, leaves, strict=True):
        nodes[place] = leaf
    rest = (index for index in range(size) if nodes[index] is None)
    node = None
    for index, (name, args, attributes) in zip(rest, entries, strict=True):
        made_from = [nodes[arg] if isinstance(arg, int) else arg[0] for arg in args]
        if isinstance(name, str):
            node = Value.apply_op(TABLE[name], *made_from)
        else:
            node = Value(attributes["data"], made_from, name[0], local_grads=name[1])
        for attribute, what in attributes.items():
            setattr(node, attribute, what)
        nodes[index] = node
    assert node is not None, "the graph of a Value with an operation has at least one entry"
    return node


def _row_name(op: Op) -> tuple[Any, ...]:
    return TABLE.__getitem__, (op.name,)


copyreg.pickle(Value, _reduce)
copyreg.pickle(Constant, _reduce)
copyreg.pickle(Op, _row_name)
