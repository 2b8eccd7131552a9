"""Constants and polynomials of any precision, as fractions: what native code computes elementary functions from."""

from collections.abc import Sequence
from fractions import Fraction


def arctan_of_inverse(k: int, bits: int, sign: int = -1) -> Fraction:
    """Return arctan(1/k), or with sign 1 artanh(1/k), to within 2 ** -bits: 1/k ± 1/(3 k³) + 1/(5 k⁵) ± ..."""
    one = 1 << (bits + 16)  # the rounding errors of the terms stay below
    power, out, odd = one // k, 0, 1
    while power:
        out += (power if sign > 0 or odd % 4 == 1 else -power) // odd
        power, odd = power // (k * k), odd + 2
    return Fraction(out, one)


LN2 = 2 * arctan_of_inverse(3, 256, sign=1)
PI = 16 * arctan_of_inverse(5, 1536) - 4 * arctan_of_inverse(239, 1536)  # John Machin, 1706


def rounded(number: Fraction, digits: int) -> Fraction:
    """Return the number nearest to `number`, not 0, that has so many binary digits."""
    scale = Fraction(2) ** digits
    while abs(number) * scale >= 2**digits:
        scale /= 2
    while abs(number) * scale < 2 ** (digits - 1):
        scale *= 2
    return round(number * scale) / scale


def parts(number: Fraction, *digits: int) -> list[float]:
    """Return summands of `number`, the largest first, each with so many binary digits."""
    out = []
    for count in digits:
        part = rounded(number, count)
        out.append(float(part))
        number -= part
    return out


def economized(series: Sequence[Fraction], low: Fraction, high: Fraction, error: Fraction) -> list[float]:
    """Return a polynomial of lower degree, at most `error` away from that of `series` between `low` and `high`.

    Coefficients stand from the lowest power to the highest. As long as the error allows, the highest power is replaced
    by what is left of it after subtracting the Chebyshev polynomial of its degree, which nowhere exceeds 1.
    Source: Lanczos, Applied Analysis (1956), section 7.7; Abramowitz and Stegun (1964), 22.20.
    """
    chebyshev = [[Fraction(1)], [-(high + low) / (high - low), 2 / (high - low)]]  # T1 maps low, high to -1, 1
    while len(chebyshev) < len(series):
        twice = _product([2 * c for c in chebyshev[1]], chebyshev[-1])
        chebyshev.append([t - c for t, c in zip(twice, [*chebyshev[-2], Fraction(0), Fraction(0)], strict=True)])
    kept = list(series)
    while len(kept) > 1:
        top = chebyshev[len(kept) - 1]
        weight = kept[-1] / top[-1]
        error -= abs(weight)
        if error < 0:
            break
        kept = [c - weight * t for c, t in zip(kept[:-1], top[:-1], strict=True)]
    return [float(c) for c in kept]


def _product(a: Sequence[Fraction], b: Sequence[Fraction]) -> list[Fraction]:
    out = [Fraction(0)] * (len(a) + len(b) - 1)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            out[i + j] += x * y
    return out
