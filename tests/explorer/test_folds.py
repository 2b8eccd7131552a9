"""What a graph is folded into: samples, layers, neurons, sums, stretches and families, never too much at once."""

import random

import pytest

from micrograd_mlp import MLP, Value
from micrograd_mlp.drawing.graph import expression_of
from micrograd_mlp.explorer.folds import MOST_GROUPS, MOST_VALUES, folds_of
from micrograd_mlp.losses import hinge, l2, mean


def loss_of(samples, sizes=(16, 16, 1)):
    rng = random.Random(0)
    model = MLP(2, list(sizes), rng=rng)
    points = [[Value(rng.uniform(-1, 1)) for _ in range(2)] for _ in range(samples)]
    each = (hinge(model(x), rng.choice([-1, 1])) for x in points)
    return mean(each) + 1e-4 * l2(model.parameters())


def folds(*outputs):
    return {fold.name: fold for fold in folds_of(expression_of(outputs, {}, {}))}


def titles(fold, parent=-1):
    return [title for title, above in zip(fold.titles, fold.parents, strict=True) if above == parent]


@pytest.mark.parametrize("samples", [1, 3, 30])
def test_every_group_unfolds_into_what_can_be_looked_at(samples):
    loss = loss_of(samples)
    for fold in folds(loss).values():
        assert len(fold.of) == len(expression_of([loss], {}, {}).order)
        for g in range(-1, len(fold.titles)):
            inside = len(titles(fold, g)) + fold.of.count(g)
            assert 1 < inside <= MOST_VALUES + 2 * MOST_GROUPS
            assert all(above < g for above in fold.parents[g : g + 1])


def test_samples_come_in_tens():
    fold = folds(loss_of(30, (3, 1)))["network"]
    assert sorted(titles(fold)) == ["loss", "parameters", "samples 0 to 9", "samples 10 to 19", "samples 20 to 29"]
    assert titles(fold, fold.titles.index("samples 10 to 19")) == [f"sample {k}" for k in range(10, 20)]
    inside = titles(fold, fold.titles.index("sample 12"))
    assert sorted(inside) == ["inputs", "layers[0]", "layers[1].neurons[0]", "loss of this sample"]


def test_one_sample_is_folded_by_layer_and_neuron():
    fold = folds(loss_of(1))["network"]
    assert sorted(titles(fold)) == ["inputs", "layers[0]", "layers[1]", "layers[2].neurons[0]", "loss"]
    assert sorted(titles(fold, fold.titles.index("layers[1]"))) == sorted(f"neurons[{k}]" for k in range(16))
    assert "sum of 337" in fold.titles


def test_wide_layers_are_bunched():
    fold = folds(loss_of(1, (30, 1)))["network"]
    layer = fold.titles.index("layers[0]")
    assert titles(fold, layer) == ["neurons[0 … 9]", "neurons[10 … 19]", "neurons[20 … 29]"]


def test_families_are_those_of_the_compiler():
    fold = folds(loss_of(4))["family"]
    found = set(titles(fold))
    assert {"layers[0].neurons[·].w[·] × 32", "layers[1].neurons[·].w[·] × 256", "relu × 64"} <= found
    assert "mul × 1,024" in found  # 16 by 16 products for each of 4 samples


def test_a_graph_without_a_network_is_cut_by_depth():
    x = Value(0.5)
    y = x
    for _ in range(500):
        y = y.tanh() * x
    fold = folds(y)["depth"]
    assert all(title.startswith("depth ") for title in titles(fold))
    assert 5 < len(titles(fold)) <= MOST_GROUPS


def test_a_small_graph_is_not_folded_at_all():
    a, b = Value(1.0), Value(2.0)
    found = folds(a * b + a)
    assert list(found) == ["depth"]
    assert found["depth"].titles == []


def test_operations_of_ones_own_have_no_families():
    a = Value(2.0)
    y = a
    for _ in range(30):
        y = Value(y.data, (y,), "same", local_grads=(1.0,)) + a
    assert list(folds(y)) == ["depth"]


def test_a_long_chain_is_cut_again_and_again():
    y = x = Value(0.1)
    for _ in range(20_000):
        y = y.sin()
    fold = folds(y)["depth"]
    depth = max(len(list(_above(fold, g))) for g in range(len(fold.titles)))
    assert depth < 8
    assert x.data == 0.1


def _above(fold, g):
    while g >= 0:
        yield g
        g = fold.parents[g]


def test_a_name_with_very_many_dots_is_not_as_many_groups():
    w = Value(2.0, label=f"{'a.' * 200_000}neurons[0].w[0]")
    out = w * Value(3.0, label="x") + Value(1.0, label=f"{'a.' * 200_000}neurons[0].b")
    assert max(len(fold.titles) for fold in folds(out).values()) < 100
