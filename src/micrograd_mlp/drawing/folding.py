"""Which Values are drawn as one node: those of a neuron, a layer or a sample, or of some steps of any long computation.

A Value belongs to a neuron by how it is computed, found in three passes over the order of computation. A neuron begins
where something is multiplied by one of its parameters, goes on through the sum of these products, and ends with an
activation. What comes after that and before the next neuron belongs to the neuron it comes from; what leads to no
further neuron is the loss; and what comes before the first neuron are the inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set

from .. import ops
from ..engine import Constant, Value
from ..nn import ACTIVATIONS
from .graph import Expression, Folding, Graph, Group, graph_of

SCALARS = 500  # so many Values are still drawn one by one
NODES, EDGES = 100, 400  # so many of a folded picture can be told apart
NEAREST = 16  # of a graph without places, so many Values next to the output are drawn one by one,
BANDS = 6  # and the others in so many steps
SAMPLES = 24  # so many samples get a node of their own

INPUTS, LOSS = "\0inputs", "\0loss"  # in place of the place of a neuron, which no label can be
_ACTIVATIONS = {function for function, *_ in ACTIVATIONS.values()}


def view(expression: Expression, level: str | None, slopes: bool = False, title: str = "") -> Graph:
    """Return the picture of `expression` at `level`, a key of LEVELS; at None, the finest that can be read.

    Raises ValueError for another level, or one that goes by the place of parameters if there are none.
    """
    if level is not None and level not in LEVELS:
        raise ValueError(f"level is one of {', '.join(LEVELS)}, or None for the finest that can be read; got {level!r}")
    if level in ("neuron", "layer", "sample") and not expression.parameters:
        raise ValueError(
            f"level={level!r} goes by the places of parameters, such as layers[0].neurons[3].w[1]; no label is such a"
            " place. Name them by draw(..., model=model), or take level='depth'"
        )
    if level is not None:
        return graph_of(expression, LEVELS[level](expression), slopes, title)
    if len(expression.order) <= SCALARS:
        return graph_of(expression, Folding(), slopes, title)
    for fold in (by_neuron, by_layer) if expression.parameters else ():
        graph = graph_of(expression, fold(expression), slopes, title)
        if len(graph.nodes) <= NODES and len(graph.edges) <= EDGES:
            return graph
    return graph_of(expression, by_depth(expression), slopes, title)


def by_neuron(expression: Expression) -> Folding:
    """Fold what belongs to one neuron into one node."""
    return _by_place(expression, "neuron", lambda place: place or "neuron")


def by_layer(expression: Expression) -> Folding:
    """Fold what belongs to one layer, whatever sits one step above its neurons, into one node."""
    return _by_place(expression, "layer", lambda place: place.rpartition(".")[0] or "layer")


def _by_place(expression: Expression, level: str, title: Callable[[str], str]) -> Folding:
    homes, starts = homes_of(expression)
    few = [value for value, home in homes.items() if home == INPUTS]
    if len(few) <= 8 and not any(value.__class__ is Constant for value in few):
        homes = {value: home for value, home in homes.items() if home != INPUTS}
    groups = {home: Group(level, title(home)) for home in dict.fromkeys(homes.values())}
    ends: dict[str, list[str]] = {}
    for value in expression.outputs:
        ends.setdefault(homes[value], []).append(expression.label(value))
    for home, labels in ends.items():
        names = ", ".join(filter(None, labels))
        groups[home] = Group("output", title(home) + (f" = {names}" if names else ""))
    groups |= {INPUTS: Group("input", "inputs"), LOSS: Group("output", _end_of(expression))}
    return Folding({value: groups[home] for value, home in homes.items()}, starts, _note(expression, level))


def _end_of(expression: Expression) -> str:
    labels = [expression.label(value) for value in expression.outputs]
    return labels[0] or "loss" if len(labels) == 1 else "outputs"


def _note(expression: Expression, level: str, what: str = "") -> str:
    return f"{len(expression.order):,} Values, {what or f'folded by {level}'}. level='scalar' draws each of them."


def homes_of(expression: Expression) -> tuple[dict[Value, str], Set[Value]]:
    """Return the place of the neuron that each Value belongs to, and the products with which neurons begin."""
    homes, starts = _neurons(expression)
    leading = _leading(expression.order, expression.parameters, starts)
    rank = {value: index for index, value in enumerate(expression.order)}
    for value in expression.order:
        if value in homes:
            continue
        if value not in leading:
            homes[value] = LOSS
        elif args := [arg for arg in value._prev if homes[arg] != INPUTS]:
            homes[value] = homes[max(args, key=rank.__getitem__)]
        else:
            homes[value] = INPUTS
    for value in starts:
        homes.update((arg, INPUTS) for arg in value._nodes() if arg.__class__ is Constant)
    return homes, starts.keys()


def _neurons(expression: Expression) -> tuple[dict[Value, str], dict[Value, None]]:
    """Return the place of each Value in the sum or the activation of a neuron, and the products under these sums."""
    parameters = expression.parameters
    homes = {value: parameters[value].rpartition(".")[0] for value in expression.order if value in parameters}
    sums = set(homes)  # what a neuron may still add to
    starts: dict[Value, None] = {}  # a set that keeps its order
    for value in expression.order:
        args = value._nodes()
        own = [arg for arg in args if arg in parameters]
        if value.op is ops.mul and len(own) == 1:
            starts[value] = None
            sums.add(value)
            homes[value] = homes[own[0]]
        elif value.op is ops.add and _adds_a_product(args, homes, sums, starts):
            sums.add(value)
            homes[value] = homes[args[0]]
        elif value.op in _ACTIVATIONS and args[0] in sums and not own:
            homes[value] = homes[args[0]]
    return homes, starts


def _adds_a_product(
    args: tuple[Value, ...], homes: Mapping[Value, str], sums: Set[Value], starts: Mapping[Value, None]
) -> bool:
    a, b = args
    return a in sums and b in sums and homes[a] == homes[b] and (a in starts or b in starts)


def _leading(order: list[Value], parameters: Mapping[Value, str], starts: Iterable[Value]) -> set[Value]:
    """Return the Values from which some neuron is still to come."""
    starts = set(starts)
    leading: set[Value] = set()
    for value in reversed(order):
        if value in starts or value in leading:
            leading.update(arg for arg in value._prev if arg not in parameters)
    return leading


def by_sample(expression: Expression) -> Folding:
    """Fold all that belongs to one sample into one node, all parameters into another, what is shared into a third.

    Samples are told apart by having nothing in common before the loss but parameters. Those after the first SAMPLES
    become one node.
    """
    samples = samples_of(expression, homes_of(expression)[0])
    indices = {sample: index for index, sample in enumerate(dict.fromkeys(samples.values()))}
    parameters, end = Group("parameter", "parameters"), Group("output", _end_of(expression))
    groups = {value: parameters for value in expression.order if value in expression.parameters}
    for value in expression.order:
        if value in samples:
            groups[value] = Group("sample", _sample_title(indices[samples[value]], len(indices)))
        elif value not in groups:
            groups[value] = end
    return Folding(groups, note=_note(expression, "sample"))


def _sample_title(index: int, count: int) -> str:
    return f"sample {index}" if index < SAMPLES or count == SAMPLES + 1 else f"samples {SAMPLES} to {count - 1}"


def samples_of(expression: Expression, homes: Mapping[Value, str]) -> dict[Value, Value]:
    """Return for each Value that belongs to one sample alone a Value that stands for it; `homes` as in homes_of."""
    network = [value for value in expression.order if homes[value] != LOSS and value not in expression.parameters]
    samples: dict[Value, Value | None] = dict(_components(network))
    for value in expression.order:  # the loss of one sample is computed from this one alone
        if value not in samples and (met := {samples[arg] for arg in value._prev if arg in samples}):
            samples[value] = met.pop() if len(met) == 1 else None
    users: dict[Value, Value | None] = {}
    for value in reversed(expression.order):  # a target, and what is made of it, belongs to its only user
        sample = samples[value] if value in samples else users.get(value)
        for arg in value._prev:
            users[arg] = sample if users.get(arg, sample) is sample else None
    found = {value: sample for value, sample in (users | samples).items() if sample is not None}
    return {value: found[value] for value in expression.order if value in found and value not in expression.parameters}


def _components(values: list[Value]) -> dict[Value, Value]:
    """Return for each of `values` a representative, the same for all that are connected. Union-find, Tarjan 1975."""
    parent = {value: value for value in values}

    def find(value: Value) -> Value:
        while parent[value] is not value:
            parent[value] = value = parent[parent[value]]
        return value

    for value in values:
        for arg in value._prev:
            if arg in parent:
                parent[find(value)] = find(arg)
    return {value: find(value) for value in values}


def by_depth(expression: Expression) -> Folding:
    """Fold all but the NEAREST Values to the output into BANDS steps, by the most operations that lie before."""
    nearest = _nearest(expression)
    depth: dict[Value, int] = {}
    for value in expression.order:
        depth[value] = 1 + max((depth[arg] for arg in value._prev), default=0) if value.op else 0
    folded = [value for value in expression.order if value not in nearest]
    width = -(-max((depth[value] for value in folded), default=0) // BANDS) or 1
    bands = [Group("value", _band_title(index, width)) for index in range(BANDS)]
    leaves = {kind: Group(kind, f"{kind}s") for kind in ("input", "parameter")}
    groups = {
        value: bands[(depth[value] - 1) // width] if value.op else leaves[expression.kind(value)] for value in folded
    }
    return Folding(groups, note=_note(expression, "depth", f"all but {len(nearest)} folded by depth"))


def _band_title(index: int, width: int) -> str:
    return f"depth {index * width + 1:,} to {(index + 1) * width:,}" if width > 1 else f"depth {index + 1}"


def _nearest(expression: Expression) -> Set[Value]:
    """Return the NEAREST Values to the outputs, the outputs among them, breadth first."""
    met = dict.fromkeys(expression.outputs[:NEAREST])
    queue = list(met)
    for value in queue:
        for arg in value._prev:
            if arg not in met and len(met) < NEAREST:
                met[arg] = None
                queue.append(arg)
    return met.keys()


LEVELS: Mapping[str, Callable[[Expression], Folding]] = {
    "scalar": lambda expression: Folding(),
    "neuron": by_neuron,
    "layer": by_layer,
    "sample": by_sample,
    "depth": by_depth,
}
