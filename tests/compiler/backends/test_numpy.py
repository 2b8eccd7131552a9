"""The reference backend: a rule for every operation, the values of the engine, a memory of its own."""

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from micrograd_mlp import ops
from micrograd_mlp.compiler import jit
from micrograd_mlp.compiler.backends.numpy import RULES, lower
from micrograd_mlp.ops import TABLE

EDGES = (0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, 1e-300, 1e300, -1e300, math.inf, -math.inf, math.nan)


def test_there_is_a_rule_for_every_operation():
    assert set(RULES) == set(TABLE)


@pytest.mark.parametrize("op", TABLE.values(), ids=list(TABLE))
def test_a_rule_computes_what_the_table_says(op):
    rest = [EDGES[:9]] * (len(op.partials) - 1)
    points = np.array(np.meshgrid(EDGES, *rest)).reshape(len(op.partials), -1)
    with np.errstate(all="ignore"):
        got = np.asarray(RULES[op.name](*points), dtype=np.float64)
    expected = [op.forward(*point) for point in points.T.tolist()]
    np.testing.assert_allclose(got, expected, rtol=1e-14)
    exact = op.name in ("relu", "where", "maximum", "minimum", "neg", "abs", "detach", "add", "sub", "mul", "div")
    if exact:
        number = ~np.isnan(expected)
        assert np.array_equal(np.signbit(got[number]), np.signbit(np.array(expected)[number]))


@pytest.mark.parametrize("exponent", [0.5, -0.5, 2.0, -1.0, 1.0 / 3.0, 0.0])
def test_one_exponent_for_all_gives_what_many_give(exponent):
    with np.errstate(all="ignore"):
        got = RULES["pow"](np.array(EDGES), np.broadcast_to(exponent, len(EDGES)))
        single = [RULES["pow"](np.array(edge), np.array(exponent)) for edge in EDGES]
    for numbers in (got, single):
        expected = [ops.pow(edge, exponent) for edge in EDGES]
        np.testing.assert_allclose(numbers, expected, rtol=1e-14)
        zero = np.array(expected) == 0.0
        assert np.array_equal(np.signbit(numbers)[zero], np.signbit(expected)[zero])


@pytest.mark.parametrize("op", TABLE.values(), ids=list(TABLE))
def test_rules_keep_single_precision(op):
    numbers = [np.full(3, 0.5, dtype=np.float32)] * len(op.partials)
    assert np.asarray(RULES[op.name](*numbers)).dtype in (np.float32, np.bool_)


def test_each_number_is_multiplied_before_it_is_added():
    scaled = jit(lambda x, y: sum(a * y for a in x))
    assert math.isnan(scaled([1.0, -2.0], math.inf))
    assert scaled([1e308] * 3, 0.1) == pytest.approx(3e307)
    assert scaled([5e-324] * 4, 0.5) == 0.0


def test_threads_take_turns():
    run = jit(lambda x: [ops.exp(a) + a for a in x])
    run([0.0] * 1000)
    inputs = [np.full(1000, 0.001 * k) for k in range(40)]
    with ThreadPoolExecutor(4) as pool:
        for x, got in zip(inputs, pool.map(run, inputs), strict=True):
            np.testing.assert_allclose(got, np.exp(x) + x, rtol=1e-15)


def test_single_precision():
    run = jit(lambda x: sum(a * a for a in x), dtype="float32")
    assert run([0.1] * 3) == pytest.approx(0.03, rel=1e-6)
    assert run([0.1] * 3) != pytest.approx(0.03, rel=1e-12)


def test_lower_takes_and_returns_flat_arrays():
    run = jit(lambda x, y: [x - y, y])
    run(1.0, 2.0)
    flat = lower(run.program.arrays)
    own, groups = flat([5.0, 3.0])
    assert (own.tolist(), groups) == ([2.0, 3.0], [])
