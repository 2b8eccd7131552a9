"""From a point and the weights of this moment to the scalar graph of its loss: for the explorer, and for who failed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..anomaly import describe, first_non_finite
from ..checks import checked, whole
from ..engine import Value
from ..names import refuse_unknown
from .features import FEATURES, Network
from .machine import Machine
from .problems import Points
from .settings import Settings

if TYPE_CHECKING:
    from .run import Run


def copy_of(network: Network, settings: Settings) -> Network:
    """Return a network of the same numbers that nobody trains meanwhile."""
    copy = Network(settings.features, settings.sizes, settings.activations, 0)
    copy.load_state_dict(network.state_dict())
    return copy


def loss_of(network: Network, settings: Settings, x: Any, target: Any) -> Value:
    """Return the loss of a sample as a graph in which inputs, features, units and scores bear their names."""
    point = [Value(number, label=f"x{index + 1}") for index, number in enumerate(x)]
    levels = network.units(point)
    for name, value in zip(settings.features, levels[0], strict=True):
        value.label = value.label or FEATURES[name][1]
    for index, level in enumerate(levels[1:-1]):
        for k, value in enumerate(level):
            value.label = f"layers[{index}].neurons[{k}]"
    scores = levels[-1]
    for k, score in enumerate(scores):
        score.label = "score" if len(scores) == 1 else f"score {k}"
    loss: Value = settings.sample_loss(scores if len(scores) > 1 else scores[0], target)
    loss.label = loss.label or "loss"
    return loss


def first_failure(machine: Machine, points: Points) -> str:
    """Return what is inf or nan in the loss of the first training point for which something is; "" if nothing is."""
    X, y = points.train
    _, each = machine.measure(X, y)
    for index, loss in enumerate(each.tolist()):
        if not math.isfinite(loss):
            graph = loss_of(machine.network, machine.settings, X[index].tolist(), y[index].item())
            bad = first_non_finite(graph)
            return f"at the training point ({X[index, 0]:.3g}, {X[index, 1]:.3g}), {describe(bad)}" if bad else ""
    return ""


def explorer_of(run: Run, index: Any, name: str) -> Callable[[], str]:
    """Return what makes the page of the explorer: on the loss of a point by its number, looking at a parameter.

    The weights are those of this moment. The page is made apart from the run, which goes on. Raises ValueError for a
    point or a parameter that there is not.
    """
    if run.machine is None:
        raise ValueError("there are no points yet; paint some, or load a file")
    place = checked("point", whole(0, max(0, len(run.points.X) - 1)), index)
    if name:
        refuse_unknown(name, run.machine.names, "weight")
    network, settings = copy_of(run.machine.network, run.settings), run.settings
    x, target = run.points.X[place].tolist(), run.points.y[place].item()

    def page() -> str:
        loss = loss_of(network, settings, x, target)
        loss.backward()
        return explore(loss, model=network).html()

    return page
