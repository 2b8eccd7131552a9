"""Columns against the same code on Values, sample by sample: to the bit."""

import operator
import random

import numpy as np
import pytest

from micrograd_mlp import MLP, Value, ops
from micrograd_mlp.columns import Column, scores_of

EDGES = np.array([0.0, -0.0, 1.5, -2.5, 1000.0, -1000.0, np.inf, -np.inf, np.nan, 1e308])


@pytest.mark.parametrize("op", ops.TABLE.values(), ids=lambda op: op.name)
def test_every_operation_gives_what_it_gives_on_numbers(op):
    others = [np.roll(EDGES, shift) for shift in range(1, len(op.partials))]
    columns = op(Column(EDGES), *map(Column, others))
    expected = [op(*map(float, sample)) for sample in zip(EDGES, *others, strict=True)]
    np.testing.assert_array_equal(columns.data, expected)


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "leaky_relu", "sin", "linear"])
def test_a_network_gives_the_scores_of_its_samples(activation):
    model = MLP(3, [4, 1, 2], activation=activation, rng=random.Random(0))
    X = np.random.default_rng(0).normal(size=(20, 3))
    np.testing.assert_array_equal(scores_of(model, X), [[float(v) for v in model(row)] for row in X.tolist()])


def test_operators_on_either_side():
    c, v = Column([1.0, 4.0]), Value(2.0)
    for left, right in ((c, 2.0), (2.0, c), (c, v), (v, c)):
        for operation in (operator.add, operator.sub, operator.mul, operator.truediv, operator.pow):
            for index, sample in enumerate(c.data):
                a, b = (sample if x is c else float(x) for x in (left, right))
                assert operation(left, right).data[index] == operation(a, b)
    assert (-c).data.tolist() == [-1.0, -4.0]
    assert abs(-c).data.tolist() == [1.0, 4.0]


def test_an_output_that_ignores_the_input_is_repeated():
    assert scores_of(lambda x: [Value(3.0), x[0]], [[1.0], [2.0]]).tolist() == [[3.0, 1.0], [3.0, 2.0]]
