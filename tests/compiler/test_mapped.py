"""A function of each sample, compiled, gives each its numbers, on each backend."""

import importlib.util
import random

import numpy as np
import pytest

from micrograd_mlp import MLP, Value
from micrograd_mlp.compiler.mapped import Mapped

BACKENDS = ("llvm", "numpy") if importlib.util.find_spec("llvmlite") else ("numpy",)
X = np.random.default_rng(0).normal(size=(21, 2))


@pytest.mark.parametrize("backend", BACKENDS)
def test_each_sample_gets_the_numbers_of_the_state_of_the_call(backend):
    model = MLP(2, [5, 3], rng=random.Random(0))
    parameters = model.parameters()
    state = [p.data for p in parameters]
    made = Mapped(lambda _, x, t: [*model(x), t, 7.0], state, [X, X[:, 0]], bound=parameters, backend=backend)
    assert made.is_closed
    for shift in (0.0, 0.5):
        for parameter, number in zip(parameters, state, strict=True):
            parameter.data = number + shift
        for points in (X, X[:4]):  # as many as come
            rows = made([p.data for p in parameters], points, points[:, 0])
            expected = [[*(score.data for score in model(x)), x[0], 7.0] for x in points.tolist()]
            np.testing.assert_allclose(rows, expected, rtol=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_it_returned_stays_as_it_is(backend):
    made = Mapped(lambda state, x: [state[0] * x[0]], [1.0], [X], backend=backend)
    first = made([1.0], X)
    made([2.0], X)
    np.testing.assert_array_equal(first[:, 0], X[:, 0])


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_value_from_outside_is_read_at_each_call(backend):
    scale = Value(2.0)
    made = Mapped(lambda state, x: [scale * x[0] + state[0]], [1.0], [X], backend=backend)
    assert not made.is_closed
    for scale.data in (2.0, -1.0):
        np.testing.assert_allclose(made([1.0], X)[:, 0], scale.data * X[:, 0] + 1.0)
