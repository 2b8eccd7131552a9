import math
from decimal import Decimal
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from micrograd_mlp import Value
from micrograd_mlp.ieee import as_float, divide, log1p_exp, logistic, power, total

inf, nan = math.inf, math.nan
TINY, HUGE = 5e-324, 1.7976931348623157e308
EDGES = [
    sign * size for size in (0.0, TINY, 0.5, 1 / 3, 1.0, 2.0, 2.5, 3.0, 8.0, 1e160, HUGE, inf) for sign in (1, -1)
] + [nan]


def same(a, b):
    return (math.isnan(a) and math.isnan(b)) or (a == b and math.copysign(1.0, a) == math.copysign(1.0, b))


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (3, 3.0),
        (True, 1.0),
        (Fraction(1, 4), 0.25),
        (Decimal("0.5"), 0.5),
        (np.float32(0.5), 0.5),
        (np.int64(-7), -7.0),
        (np.array(2.0), 2.0),
        (10**400, inf),
        (-(10**400), -inf),
    ],
)
def test_as_float_takes_numbers(number, expected):
    assert as_float(number) == expected
    assert as_float(number).__class__ is float


@pytest.mark.parametrize("thing", ["1.0", b"1", bytearray(b"1"), None, [1.0], 1j, np.array([1.0, 2.0]), Value(1.0)])
def test_as_float_refuses_what_is_no_number(thing):
    with pytest.raises(TypeError, match=f"^expected a number, got {type(thing).__name__}: "):
        as_float(thing)


@pytest.mark.parametrize("a", EDGES)
def test_divide_and_power_are_those_of_the_processor(a):
    for b in EDGES:
        with np.errstate(all="ignore"):
            assert same(divide(a, b), float(np.float64(a) / np.float64(b))), (a, b)
            assert same(power(a, b), float(np.float64(a) ** np.float64(b))), (a, b)


def test_total_returns_where_python_raises():
    exp, log, sqrt = total(math.exp), total(math.log, pole=0.0), total(math.sqrt)
    assert (exp(1000.0), exp(-1000.0), exp(1.0)) == (inf, 0.0, math.e)
    assert (log(0.0), log(-0.0), log(inf)) == (-inf, -inf, inf)
    assert math.isnan(log(-1.0))
    assert math.isnan(sqrt(-1.0))
    assert math.isnan(total(math.sin)(inf))
    falling = total(lambda a: math.log(-a), pole=0.0)  # its pole lies at the other end
    assert (falling(-1.0), falling(0.0)) == (0.0, -inf)
    assert math.isnan(falling(1.0))
    assert math.isnan(exp(nan))


@pytest.mark.parametrize("a", [*EDGES, 37.0, -37.0, 700.0, -745.0, 800.0, -800.0])
def test_logistic_and_softplus(a):
    with np.errstate(all="ignore"):
        x = np.float64(a)
        softplus = float(np.logaddexp(x, 0.0))
        sigmoid = float(1.0 / (1.0 + np.exp(-x)))  # right where it is not far below 1e-16
    assert log1p_exp(a) == pytest.approx(softplus, rel=1e-15, abs=0.0, nan_ok=True)
    assert logistic(a) == pytest.approx(sigmoid, rel=1e-15, abs=1e-300, nan_ok=True)


def test_logistic_keeps_its_digits_on_both_sides():
    assert logistic(-40.0) == pytest.approx(math.exp(-40.0), rel=1e-15)
    assert logistic(-745.0) > 0.0
    assert all(logistic(a) + logistic(-a) == pytest.approx(1.0, rel=1e-15) for a in (0.0, 0.1, 3.0, 50.0))


def test_nothing_here_raises():
    for a, b in product(EDGES, EDGES):
        assert divide(a, b).__class__ is float
        assert power(a, b).__class__ is float
