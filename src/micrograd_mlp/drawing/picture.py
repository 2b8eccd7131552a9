"""`draw`: from a Value, or a network and one input, to a picture of how it was computed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from ..engine import Value
from ..nn import Module
from .dot import dot_of
from .folding import view
from .graph import Expression, expression_of
from .render import Drawing


def draw(
    root: Value | Sequence[Value] | Module,
    x: Any = None,
    *,
    level: str | None = None,
    rankdir: str = "LR",
    edges: bool = False,
    title: str = "",
    model: Module | None = None,
    renderer: str | None = None,
    timeout: float = 20.0,
) -> Drawing:
    """Return a drawing of how `root` was computed: a Value, several, or what the network `root` makes of one input `x`.

    A network is drawn with the gradients of its output (of their sum, if there are several) and keeps its own. `model`
    gives their places to parameters that have no labels. `level` folds many Values into one node: "scalar" (none),
    "neuron", "layer", "sample" or "depth"; without it, graphs of more than 500 Values are folded until they can be
    read, and the drawing's `note` says so. `edges` shows the derivative of each operation by each argument. `rankdir`
    is LR, TB, RL or BT. `renderer` and `timeout` (seconds) are those of the Drawing. Raises TypeError for a `root` that
    is none of these, ValueError for an empty one, another level or direction.
    """
    expression = expression_behind(root, x, model)
    if isinstance(root, Module):
        with _gradients_of(expression):
            graph = view(expression, level, edges, title)
    else:
        graph = view(expression, level, edges, title)
    return Drawing(dot_of(graph, rankdir), graph.note, renderer=renderer, timeout=timeout)


def expression_behind(root: Any, x: Any = None, model: Module | None = None, name: str = "draw") -> Expression:
    """Return the expression of `root`, as `draw` takes it; the function `name` is the one that errors speak of."""
    if isinstance(root, Module):
        return _of_network(root, x, name)
    if x is not None:
        raise TypeError(f"an input x goes with a network, {name}(model, x); got {type(root).__name__} and {x!r}")
    return expression_of(_values(root, name), _places(model), {})


def draw_dot(root: Value | Sequence[Value], format: str = "svg", rankdir: str = "LR") -> Drawing:
    """Return a drawing of `root`, as the function of this name in micrograd's notebooks; `format` is svg or png."""
    return replace(draw(root, rankdir=rankdir), format=format)


def _values(root: Any, name: str) -> list[Value]:
    values = [root] if isinstance(root, Value) else list(root) if isinstance(root, Sequence) else []
    if not values or not all(isinstance(value, Value) for value in values):
        error = ValueError if isinstance(root, Sequence) and not values else TypeError
        raise error(
            f"{name} takes a Value, a sequence of Values, or a network and an input, {name}(model, x);"
            f" got {root!r:.200}"
        )
    return values


def _places(model: Module | None) -> dict[Value, str]:
    return {value: place for place, value in model.named_parameters()} if model else {}


def _of_network(model: Any, x: Any, name: str) -> Expression:
    if x is None:
        raise TypeError(f"a network is drawn at one input: {name}(model, x); got no x for {model!r:.200}")
    inputs = [item if isinstance(item, Value) else Value(item) for item in (x if hasattr(x, "__len__") else [x])]
    made = model(inputs)
    outputs = _values(made, name)
    names = {value: f"x[{index}]" for index, value in enumerate(inputs) if not value.label}
    names |= {value: f"y[{index}]" if len(outputs) > 1 else "y" for index, value in enumerate(outputs)}
    return expression_of(outputs, _places(model), names)


@contextmanager
def _gradients_of(expression: Expression) -> Iterator[None]:
    """Within this block every gradient is that of the sum of the outputs; afterwards, what it was before."""
    before = [value.grad for value in expression.order]
    try:
        for value in expression.order:
            value.grad = 0.0
        sum(expression.outputs, Value(0.0)).backward()
        yield
    finally:
        for value, gradient in zip(expression.order, before, strict=True):
            value.grad = gradient
