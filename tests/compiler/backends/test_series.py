import math
from fractions import Fraction

import pytest

from micrograd_mlp.compiler.backends.series import LN2, PI, arctan_of_inverse, economized, parts, rounded


def test_constants():
    assert float(PI) == math.pi
    assert float(LN2) == math.log(2)
    mpmath = pytest.importorskip("mpmath")
    with mpmath.workprec(1520):
        assert abs(mpmath.mpf(PI.numerator) / PI.denominator - mpmath.pi) < mpmath.mpf(2) ** -1500
        assert abs(mpmath.mpf(LN2.numerator) / LN2.denominator - mpmath.ln2) < mpmath.mpf(2) ** -250
        arctan = arctan_of_inverse(7, 300)
        assert abs(mpmath.mpf(arctan.numerator) / arctan.denominator - mpmath.atan(mpmath.mpf(1) / 7)) < 2.0**-300


@pytest.mark.parametrize("number", [PI, -PI / 1024, LN2 * 2**40, Fraction(1), Fraction(1, 3)])
@pytest.mark.parametrize("digits", [1, 11, 53])
def test_rounded_has_so_many_digits(number, digits):
    out = rounded(number, digits)
    assert abs(out / number - 1) <= Fraction(1, 2**digits)
    bits = bin(int(abs(out) * 2**200))[2:].rstrip("0")
    assert len(bits) <= digits


def test_parts_add_up():
    high, middle, low = parts(PI / 2, 38, 38, 53)
    assert abs(Fraction(high) + Fraction(middle) + Fraction(low) - PI / 2) < Fraction(1, 2**125)
    assert (high * 2**37).is_integer()


@pytest.mark.parametrize("error", [Fraction(1, 2**56), Fraction(1, 2**27), Fraction(1, 100)])
@pytest.mark.parametrize(("low", "high"), [(Fraction(-1, 2), Fraction(1, 2)), (Fraction(0), Fraction(1, 2))])
def test_economized_stays_within_the_error(low, high, error):
    series = [Fraction(1, math.factorial(k)) for k in range(24)]
    short = economized(series, low, high, error)
    worst = 0.0
    for step in range(101):
        x = low + (high - low) * step / 100
        exact = sum(c * x**k for k, c in enumerate(series))
        worst = max(worst, abs(sum(Fraction(c) * x**k for k, c in enumerate(short)) - exact))
    assert worst <= error + Fraction(1, 2**52)  # coefficients are rounded to doubles
    assert len(short) < sum(c * high**k > error for k, c in enumerate(series))  # shorter than just cutting it off


def test_a_series_that_must_stay_is_kept():
    assert economized([Fraction(1), Fraction(2)], Fraction(-1), Fraction(1), Fraction(1)) == [1.0, 2.0]
