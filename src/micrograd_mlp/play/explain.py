"""From a point and the weights of this moment to the scalar graph of its loss: for the explorer, and for who failed."""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import copy
from typing import Any

from ..anomaly import describe, first_non_finite
from ..checks import checked, whole
from ..engine import Value
from ..explorer import Explorer, explore
from ..names import refuse_unknown
from .features import FEATURES, Network
from .machine import Machine
from .problems import Points
from .settings import Settings


def copy_of(network: Network, settings: Settings) -> Network:
    """Return a network of the same numbers that nobody trains meanwhile."""
    copy = Network(settings.features, settings.sizes, settings.activations, 0)
    copy.load_state_dict(network.state_dict())
    return copy


def loss_of(network: Network, settings: Settings, x: Any, target: Any) -> tuple[Value, dict[str, Value]]:
    """Return the loss of a sample as a graph in which everything bears its name, and what neurons give by theirs."""
    point = [Value(number, label=f"x{index + 1}") for index, number in enumerate(x)]
    levels = network.units(point)
    for name, value in zip(settings.features, levels[0], strict=True):
        value.label = value.label or FEATURES[name][1]
    units = {f"layers[{i}].neurons[{k}]": value for i, level in enumerate(levels[1:]) for k, value in enumerate(level)}
    scores = levels[-1]
    for name, value in units.items():
        value.label = name
    for k, score in enumerate(scores):
        score.label = "score" if len(scores) == 1 else f"score {k}"
    loss: Value = settings.sample_loss(scores if len(scores) > 1 else scores[0], target)
    loss.label = loss.label or "loss"
    return loss, units


def first_failure(machine: Machine, points: Points) -> str:
    """Return what is inf or nan in the loss of the first training point for which something is; "" if nothing is."""
    X, y = points.train
    _, each = machine.measure(X, y)
    for index, loss in enumerate(each.tolist()):
        if not math.isfinite(loss):
            graph, _ = loss_of(machine.network, machine.settings, X[index].tolist(), y[index].item())
            bad = first_non_finite(graph)
            return f"at the training point ({X[index, 0]:.3g}, {X[index, 1]:.3g}), {describe(bad)}" if bad else ""
    return ""


def explorer_of(machine: Machine | None, points: Points, epoch: int, index: Any, name: str) -> Callable[[], Explorer]:
    """Return what makes the explorer of the loss of a point, by its number; it opens at a weight or a neuron by name.

    The weights are those of this moment. The page is made apart from the run, which goes on meanwhile. Raises
    ValueError for a point or a name that there is not.
    """
    if machine is None:
        raise ValueError("there are no points yet; paint some, or load a file")
    place = checked("point", whole(0, max(0, len(points.X) - 1)), index)
    settings, network = machine.settings, copy_of(machine.network, machine.settings)
    rule = copy(machine.rule)  # so that the page knows the next step
    rule.parameters, rule.memories = network.parameters(), list(rule.memories)
    x, target = points.X[place].tolist(), points.y[place].item()
    neurons = [f"layers[{i}].neurons[{k}]" for i, layer in enumerate(network.layers) for k in range(len(layer.neurons))]
    if name:
        refuse_unknown(name, [*machine.names, *neurons], "weight or neuron")

    def make() -> Explorer:
        loss, units = loss_of(network, settings, x, target)
        select = {**dict(network.named_parameters()), **units}.get(name)
        title = f"The loss at point {place} after {epoch} epochs"
        return explore(loss, model=network, optimizer=rule, select=select, title=title)

    return make
