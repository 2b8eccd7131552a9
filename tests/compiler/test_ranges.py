"""Ranges hold all that rounding may give, and little else."""

import math
from random import Random

import numpy as np
import pytest
from random_programs import SPECIAL
from ranges import MAX, Range, Ranged, apply

from micrograd_mlp import Value, grad, losses, ops
from micrograd_mlp.compiler.backends.numpy import RULES
from micrograd_mlp.ops import TABLE


def of(function, *args):
    """Return the range of the result of a function of numbers."""
    return function(*map(Ranged.of, args)).range


def point(number):
    return Range(math.inf, -math.inf, True) if math.isnan(number) else Range(number, number)


@pytest.mark.parametrize("op", TABLE.values(), ids=list(TABLE))
def test_ranges_hold_what_the_operation_gives(op):
    rng = Random(1)
    points = [*SPECIAL, 0.5, -2.5, 3.0, 40.0, 1e-8]
    for _ in range(100):
        args = [rng.choice(points) for _ in op.partials]
        allowed = apply(op.name, [point(arg) for arg in args], same=False)
        assert op(*args) in allowed
        with np.errstate(all="ignore"):
            assert float(RULES[op.name](*args)) in allowed
        if not 0.0 < abs(op(*args)) < 1e-300 and not abs(op(*args)) > 1e300:
            assert allowed.is_tight
            assert allowed.nan == math.isnan(op(*args))
            size = max(map(abs, args)) if op.name == "add" else abs(op(*args))
            assert not allowed.high - allowed.low > 1e-14 * size


@pytest.mark.parametrize("op", TABLE.values(), ids=list(TABLE))
def test_ranges_of_ranges_hold_all_between(op):
    rng = Random(2)
    for _ in range(100):
        args = []
        for _ in op.partials:
            ends = [rng.choice([rng.gauss(0.0, 2.0), *SPECIAL[:-1]]) for _ in range(1 + (rng.random() < 0.7))]
            args.append(Range(*(f(ends, key=lambda end: (end, math.copysign(1.0, end))) for f in (min, max))))
        allowed = apply(op.name, args, same=False)
        for _ in range(20):
            numbers = [rng.choice([arg.low, arg.high, _between(rng, arg)]) for arg in args]
            assert op.forward(*numbers) in allowed


def _between(rng, arg):
    low, high = max(arg.low, -MAX), min(arg.high, MAX)
    inside = [n for n in (low / 2 + high / 2, low + rng.random(), high / 3, 0.0, -0.0, 1.0) if n in arg]
    return rng.choice([*inside, arg.low])


def test_what_cancels_may_be_off_by_what_was_added():
    cancels = of(lambda a, b, c: a + b + c, 1e16, 1.0, -1e16)
    assert 0.0 in cancels
    assert 2.0 in cancels
    assert 200.0 not in cancels
    assert not cancels.is_tight
    assert of(lambda a, b: a + b, 3.0, -3.0)[:2] == (-0.0, 0.0)
    assert 1e-14 not in of(lambda a, b: a * b + 0.25, 0.1, 3.0)


def test_a_sum_that_may_overflow_in_another_order_may_be_anything():
    assert of(lambda a, b, c: a + b + c, 1e308, 1e308, -1e308)[:3] == (-math.inf, math.inf, True)
    assert of(lambda a, b: a + b, math.inf, 1e300)[:3] == (math.inf, math.inf, False)
    assert of(lambda a, b: a + b, math.inf, -math.inf).is_tight


def test_a_doubtful_branch_gives_both_sides():
    step = of(lambda a, b: ops.step(a * b - 0.3), 0.1, 3.0)
    assert 0.0 in step
    assert 1.0 in step
    assert of(lambda a, b: ops.equal(a + b, 7.0), 3.0, 4.0)[:2] == (1.0, 1.0)
    assert of(lambda a: losses.total(ops.where(x, 2.0, 1.0) for x in (a, a * 0.0)), 0.1)[:2] == (3.0, 3.0)


def test_the_sign_of_zero_counts():
    assert 0.0 not in Range(-0.0, -0.0)
    assert -0.0 not in Range(0.0, 1.0)
    assert -0.0 in Range(-1.0, 0.0)
    assert 0.0 in Range(-0.0, 1.0)
    assert of(lambda a: -a, 0.0)[:2] == (-0.0, -0.0)


def test_slopes_and_slopes_of_slopes_are_those_of_the_engine():
    def function(x, y, z):
        out = ops.exp(x * y) / z + ops.maximum(x, y) ** 2.0 - abs(ops.detach(z) * -y) + ops.relu(x - 5.0)
        slopes = grad(out, [x, y, z])
        return [out, *slopes, *grad(slopes[0] + slopes[1], [x, y, z]), *grad(out, [z * 1.0])]

    numbers = (0.3, -0.7, 1.9)
    got = [r.range for r in function(*map(Ranged.of, numbers))]
    expected = [value.data for value in function(*map(Value, numbers))]
    assert all(number in r and r.is_tight for number, r in zip(expected, got, strict=True))
