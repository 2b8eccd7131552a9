"""Features are scalar code: they run on numbers, on Values and on symbols, and give what they are called."""

import math

import numpy as np
import pytest

from micrograd_mlp import Value
from micrograd_mlp.columns import scores_of
from micrograd_mlp.compiler import jit, vmap
from micrograd_mlp.nn import MLP
from micrograd_mlp.play.features import FEATURES, Network

SEVEN = tuple(FEATURES)


@pytest.mark.parametrize("name", SEVEN)
def test_a_feature_is_what_it_is_written_as(name):
    make, _, code = FEATURES[name]
    from micrograd_mlp import ops

    for x1, x2 in [(0.3, -1.2), (2.0, 0.7)]:
        assert make(x1, x2) == eval(code, {"math": math, "ops": ops}, {"x1": x1, "x2": x2})
        assert make(Value(x1), Value(x2)).data == make(x1, x2)


def test_without_other_features_it_is_the_mlp_of_the_same_seed():
    import random

    network = Network(("x1", "x2"), (3, 1), ("tanh", "linear"), seed=5)
    mlp = MLP(2, [3, 1], activation=["tanh", "linear"], rng=random.Random(5))
    assert network.state_dict() == mlp.state_dict()
    assert network([0.1, -0.4]).data == mlp([0.1, -0.4]).data


def test_units_are_the_features_and_each_layer():
    network = Network(SEVEN, (3, 1, 2), ("relu", "tanh", "linear"), seed=0)
    levels = network.units([Value(0.5), Value(-0.5)])
    assert [len(level) for level in levels] == [7, 3, 1, 2]
    assert [value.data for value in network([0.5, -0.5])] == [value.data for value in levels[-1]]


def test_compiled_it_is_the_same():
    network = Network(SEVEN, (3, 2), ("sin", "linear"), seed=0)
    X = np.random.default_rng(0).normal(size=(9, 2))
    np.testing.assert_allclose(jit(vmap(network), backend="numpy")(X), scores_of(network, X), rtol=1e-12)
