import random

import pytest

from micrograd_mlp import MLP, Layer, Value, ops
from micrograd_mlp.drawing import folding
from micrograd_mlp.drawing.folding import LEVELS, view
from micrograd_mlp.drawing.graph import expression_of


def training_loss(model, samples, alpha=1e-4, n_in=2):
    """Return the loss of micrograd's demo: hinge over the samples plus a penalty on the size of the parameters."""
    rng = random.Random(7)
    inputs = [[Value(rng.uniform(-1, 1)) for _ in range(n_in)] for _ in range(samples)]
    losses = [(1 + -rng.choice([-1, 1]) * model(x)).relu() for x in inputs]
    return sum(losses) * (1.0 / samples) + alpha * sum(p * p for p in model.parameters())


def picture(*outputs, level=None):
    return view(expression_of(outputs, {}, {}), level)


def titles(graph):
    return {node.title: node for node in graph.nodes}


def arrows(graph, aside=False):
    name = {node.name: node.title for node in graph.nodes}
    return {(name[e.tail], name[e.head]): e.label for e in graph.edges if e.aside == aside}


@pytest.fixture
def model():
    return MLP(2, [3, 2, 1], rng=random.Random(3))


def test_layers_stand_in_a_row_from_the_inputs_to_the_loss(model):
    graph = picture(training_loss(model, 5), level="layer")
    assert arrows(graph) == {
        ("inputs", "layers[0]"): "30",
        ("layers[0]", "layers[1]"): "30",
        ("layers[1]", "layers[2]"): "10",
        ("layers[2]", "loss"): "5",
    }
    assert arrows(graph, aside=True) == {
        ("layers[0]", "loss"): "18",
        ("layers[1]", "loss"): "16",
        ("layers[2]", "loss"): "6",
    }


def test_a_layer_tells_what_it_holds(model):
    loss = training_loss(model, 5)
    loss.backward()
    rows = dict(titles(picture(loss, level="layer"))["layers[0]"].rows)
    assert rows["neurons"] == "3"
    assert rows["parameters"] == "9"
    assert rows["operations"] == "30 mul · 30 add · 15 relu"
    assert rows["Values"] == "84"
    assert rows["data"].startswith("0.0000 … ")  # what it passes on has been through ReLU


def test_no_value_is_lost_or_counted_twice(model):
    loss = training_loss(model, 5)
    for level in ("neuron", "layer", "sample", "depth"):
        expression = expression_of([loss], {}, {})
        groups = LEVELS[level](expression).groups
        alone = [value for value in expression.order if value not in groups]
        folded = [value for value in expression.order if value in groups]
        assert len(alone) + len(folded) == len(expression.order)
        assert len(alone) == (folding.NEAREST if level == "depth" else 0)


def test_neurons_show_what_they_pass_on(model):
    x = [Value(0.3, label="x1"), Value(-0.4, label="x2")]
    hidden = model.layers[0](x)
    y = model.layers[2](model.layers[1](hidden))
    y.label = "y"
    y.backward()
    graph = picture(y, level="neuron")
    for index, value in enumerate(hidden):
        rows = dict(titles(graph)[f"layers[0].neurons[{index}]"].rows)
        assert rows["data"] == f"{value.data:.4f}"
        assert rows["grad"] == f"{value.grad + 0.0:.4f}"
    assert titles(graph)["layers[2].neurons[0] = y"].kind == "output"
    assert titles(graph)["x1"].kind == "input"
    assert len(arrows(graph)) >= 3 * 2 + 2


def test_neurons_and_inputs_stand_in_order():
    model = MLP(2, [12, 1], rng=random.Random(3))
    graph = picture(model([Value(1.0, label="x[0]"), Value(2.0, label="x[1]")]), level="neuron")
    name = {node.name: node.title for node in graph.nodes}
    columns = [[name[each] for each in column] for column in graph.columns]
    assert [f"layers[0].neurons[{index}]" for index in range(12)] in columns
    assert ["x[0]", "x[1]"] in columns


def test_numbers_in_code_are_inputs_too(model):
    graph = picture(sum(model([0.5, -1.0]) for _ in range(3)), level="layer")
    assert dict(titles(graph)["inputs"].rows) == {"data": "-1.0000 … 0.5000", "numbers": "18"}
    assert ("inputs", "layers[0]") in arrows(graph)


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "tanh", "sigmoid", "sin"])
def test_the_activation_belongs_to_its_neuron(activation):
    model = MLP(2, [3, 2], activation=[activation, activation], rng=random.Random(0))
    graph = picture(*model([Value(1.0), Value(2.0)]), level="layer")
    assert not any(node.title in ("loss", "outputs") for node in graph.nodes)
    operations = [dict(node.rows)["operations"] for node in graph.nodes if node.kind == "layer"]
    assert operations == [f"6 mul · 6 add · 3 {activation}"]


def test_a_score_ends_the_network_and_the_loss_begins(model):
    score = model([Value(0.5), Value(1.0)])
    loss = ops.softplus(score) - 1.0 * score
    rows = dict(titles(picture(loss, level="layer"))["loss"].rows)
    assert rows["Values"] == "3"


def test_what_stands_between_two_layers_belongs_to_the_first():
    first, second = Layer(2, 2, rng=random.Random(0)), Layer(2, 1, nonlin=False, rng=random.Random(1))
    names = {p: f"first.{name}" for name, p in first.named_parameters()}
    names |= {p: f"second.{name}" for name, p in second.named_parameters()}
    hidden = [h * h.sigmoid() * 0.5 for h in first([Value(1.0), Value(2.0)])]
    graph = view(expression_of([second(hidden)], names, {}), "layer")
    assert ("first", "second") in arrows(graph)
    assert dict(titles(graph)["first"].rows)["operations"] == "8 mul · 4 add · 2 relu · 2 sigmoid"


def test_a_recurrent_network_has_a_loop():
    cell = MLP(3, [2], activation=["tanh"], rng=random.Random(0))
    state = [Value(0.0), Value(0.0)]
    for _ in range(4):
        state = cell([1.0, *state])
    graph = picture(sum(h * h for h in state), level="layer")
    assert arrows(graph)["layers[0]", "layers[0]"] == "12"
    assert graph.columns == ()


def test_each_sample_is_one_node(model):
    loss = training_loss(model, 4)
    loss.backward()
    graph = picture(loss, level="sample")
    samples = [node for node in graph.nodes if node.kind == "sample"]
    assert [node.title for node in samples] == [f"sample {index}" for index in range(4)]
    assert arrows(graph).keys() >= {("parameters", "sample 0"), ("sample 3", "loss"), ("parameters", "loss")}
    assert not any("sample" in tail and "sample" in head for tail, head in arrows(graph))
    assert sum(float(dict(node.rows)["data"]) for node in samples) / 4 == pytest.approx(loss.data, abs=0.01)


def test_targets_belong_to_their_sample(model):
    pairs = [(model([Value(0.1 * k), Value(1.0)]), Value(1.0)) for k in range(3)]
    first, *others = [(score - target) ** 2 for score, target in pairs]
    graph = picture(sum(others, first), level="sample")
    sizes = [dict(node.rows)["Values"] for node in graph.nodes if node.kind == "sample"]
    assert len(sizes) == 3
    assert len(set(sizes)) == 1


def test_many_samples_are_bounded(model):
    graph = picture(training_loss(model, folding.SAMPLES + 10), level="sample")
    assert f"samples {folding.SAMPLES} to {folding.SAMPLES + 9}" in titles(graph)
    assert len(graph.nodes) == folding.SAMPLES + 3


def test_small_graphs_are_drawn_whole_and_large_ones_folded_and_say_so(model):
    assert picture(training_loss(model, 2)).note == ""
    graph = picture(training_loss(model, 30))
    assert "folded by neuron" in graph.note
    assert "level='scalar'" in graph.note
    assert len(graph.nodes) <= folding.NODES


def test_wide_networks_are_folded_by_layer_and_deep_ones_by_depth():
    wide = MLP(2, [40, 40, 1], rng=random.Random(0))
    assert "by layer" in picture(wide([1.0, 2.0])).note
    deep = MLP(1, [1] * 200, rng=random.Random(0))
    graph = picture(deep([1.0]))
    assert "by depth" in graph.note
    assert len(graph.nodes) <= folding.NODES


def test_a_graph_without_labels_shows_what_is_near_the_output():
    values = [Value(float(index)) for index in range(100)]
    rng = random.Random(0)
    for _ in range(2000):
        a, b = rng.choice(values[-100:]), rng.choice(values[-100:])
        values.append((a * b).tanh() + a)
    graph = picture(values[-1])
    assert sum(node.kind in ("value", "output") and not node.folded for node in graph.nodes) <= folding.NEAREST
    assert len(graph.nodes) <= folding.NODES
    assert "by depth" in graph.note


def test_a_chain_of_a_hundred_thousand_is_summarised_without_recursion():
    value = Value(0.0)
    for _ in range(100_000):
        value = value + 1.0
    graph = picture(value)
    bands = [node for node in graph.nodes if node.title.startswith("depth")]
    assert len(bands) == folding.BANDS
    assert sum(int(dict(band.rows)["Values"].replace(",", "")) for band in bands) == 100_000 - folding.NEAREST


@pytest.mark.parametrize("level", list(LEVELS))
def test_every_level_draws_a_single_leaf_with_a_place(level):
    graph = picture(Value(1.0, label="layers[0].neurons[0].w[0]"), level=level)
    assert len(graph.nodes) == 1


def test_levels_that_are_refused(model):
    with pytest.raises(ValueError, match=r"level is one of scalar, neuron, layer, sample, depth.*got 'block'"):
        picture(model([1.0, 2.0]), level="block")
    with pytest.raises(ValueError, match=r"level='layer' goes by the places of parameters.*model=model.*'depth'"):
        picture(Value(1.0) * 2, level="layer")
