"""Every operation of `ops.TABLE` as branch-free native code: `RULES[op.name]` emits it at an llvmlite builder.

The arguments and the result are LLVM values of one type: double, float, or a vector of one of them. At the edges (±0,
±inf, nan, subnormal and huge numbers) the results are those of `ops`; elsewhere they are at most 2 units in the last
place away. No library is called, so LLVM makes vectors of what is emitted in scalar loops. Only `sin` and `cos` branch,
to what arguments beyond `FAR` need.

Sources: Muller et al., Handbook of Floating-Point Arithmetic (2018), chapters 4 (exact sums and products), 10 (range
reduction) and 11; Sun's fdlibm (1993) for how an operation is led back to a series; the series themselves are those of
Abramowitz and Stegun (1964), chapter 4, economized for the range they are needed on.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import Any

from llvmlite import ir

from .llvm_lanes import DOUBLE, Bits, Format, Lanes, choose, fma, polynomial
from .series import LN2, PI, economized, parts

FAR = 25_000.0  # beyond it, sin and cos take the slow path
_LOG2E = float(1 / LN2)
_SQRT_HALF = math.sqrt(0.5)
_TABLE_BYTES, _LEAD = 184, 64  # of 2/π: enough for the largest double, and zeros before the first digit


@lru_cache
def _exp_tail(digits: int) -> list[float]:
    """Return q of e ** r = 1 + r + r² q(r), |r| <= ln(2) / 2."""
    series = [Fraction(1, math.factorial(k + 2)) for k in range(20)]
    return economized(series, -LN2 * 51 / 100, LN2 * 51 / 100, Fraction(1, 2 ** (digits + 4)))


@lru_cache
def _log_tail(digits: int) -> list[float]:
    """Return q of ln((1 + s) / (1 - s)) = 2 s + s z q(z), z = s², between 1/√2 and √2."""
    series = [Fraction(2, 2 * k + 3) for k in range(26)]
    return economized(series, Fraction(0), Fraction(3, 100), Fraction(1, 2**digits))


@lru_cache
def _log_rest() -> list[float]:
    """Return q of ln((1 + s) / (1 - s)) = 2 s (1 + z (1/3 + z q(z))), z = s², for doubles."""
    series = [Fraction(1, 2 * k + 5) for k in range(26)]
    return economized(series, Fraction(0), Fraction(3, 100), Fraction(1, 2**53))


@lru_cache
def _sine_tail(digits: int) -> list[float]:
    """Return q of sin r = r + r z q(z), z = r², |r| <= π / 4."""
    series = [Fraction((-1) ** (k + 1), math.factorial(2 * k + 3)) for k in range(16)]
    return economized(series, Fraction(0), Fraction(62, 100), Fraction(1, 2 ** (digits + 4)))


@lru_cache
def _cosine_tail(digits: int) -> list[float]:
    """Return q of cos r = 1 - z / 2 + z² q(z), z = r², |r| <= π / 4."""
    series = [Fraction((-1) ** k, math.factorial(2 * k + 4)) for k in range(16)]
    return economized(series, Fraction(0), Fraction(62, 100), Fraction(1, 2 ** (digits + 4)))


Pair = tuple[Lanes, Lanes]  # a number as rounded, and what was lost in rounding it


def _sum(a: Lanes, b: Lanes | float) -> Pair:
    """Return a + b, exactly. Knuth, The Art of Computer Programming (1969), section 4.2.2."""
    out = a + b
    of_b = out - a
    return out, (a - (out - of_b)) + (b - of_b)


def _fast_sum(a: Lanes | float, b: Lanes) -> Pair:
    """Return a + b, exactly if |a| >= |b| or a = 0. Dekker, Numerische Mathematik 18 (1971)."""
    out = a + b
    return out, b - (out - a)


def _clip(a: Lanes, low: float, high: float) -> Lanes:
    """Return `a` between two bounds; nan stays."""
    return choose(a < low, low, choose(a > high, high, a))


def _nearest(a: Lanes) -> tuple[Lanes, Bits]:
    """Return the integer nearest to `a`, |a| < 2 ** (digits - 2), as a number and, in the last bits, as an integer."""
    shifted = a + a.format.shifter
    return shifted - a.format.shifter, shifted.as_bits() - a.format.bits_of(a.format.shifter)


def _power_of_two(k: Bits, f: Format) -> Lanes:
    """Return 2 ** k, for the k of normal numbers."""
    return ((k + f.bias) << f.digits - 1).as_number()


def _scaled(a: Lanes, k: Bits) -> Lanes:
    """Return a * 2 ** k, in two steps, as 2 ** k alone may overflow or vanish."""
    f = a.format
    stored = k + 2 * f.bias  # not negative
    half = stored >> 1
    return a * (half << f.digits - 1).as_number() * ((stored - half) << f.digits - 1).as_number()


def _least_exponent(f: Format) -> float:
    return math.floor((-f.bias - f.digits) / _LOG2E)  # e ** a rounds to 0


def _most_exponent(f: Format) -> float:
    return math.ceil((f.bias + 1) / _LOG2E)  # e ** a is inf


def _exp_parts(a: Lanes, low: Lanes | float = 0.0) -> tuple[Lanes, Lanes, Bits]:
    """Return (r, c, k) of e ** (a + low) = 2 ** k (1 + r + c), where |r| <= ln(2) / 2 and c is its smaller part.

    ln(2) is taken off in two parts, the first so short that k times it is exact.
    """
    f = a.format
    ln2_high, ln2_low = parts(LN2, f.digits - 11, f.digits)
    n, k = _nearest(a * _LOG2E)
    r, lost = _fast_sum(fma(n, -ln2_high, a), fma(n, -ln2_low, low))
    return r, fma(r * r, polynomial(r, _exp_tail(f.digits)), lost), k


def _exp(a: Lanes, low: Lanes | float = 0.0) -> Lanes:
    """Return e ** (a + low), where |low| is at most a unit in the last place of `a`."""
    r, c, k = _exp_parts(_clip(a, _least_exponent(a.format), _most_exponent(a.format)), low)
    return _scaled(1.0 + (r + c), k)


def _expm1(a: Lanes) -> Lanes:
    """Return e ** a - 1 = 2 (h r + (h - 1/2) + h c), h = 2 ** (k - 1)."""
    f = a.format
    r, c, k = _exp_parts(_clip(a, -f.digits, _most_exponent(f)))
    half = _power_of_two(k - 1, f)
    return choose(abs(a) < 2.0**-f.digits, a, 2.0 * fma(half, c, fma(half, r, half - 0.5)))


def _tanh(a: Lanes) -> Lanes:
    """Return q = n / d = (e ** 2|a| - 1) / (e ** 2|a| + 1), with the sign of `a`; 1 / d is (1 - q) / 2."""
    r, c, k = _exp_parts(_clip(2.0 * abs(a), 0.0, a.format.digits))
    scale = _power_of_two(k, a.format)
    n, n_low = _fast_sum(scale - 1.0, scale * r)
    n, n_lower = _fast_sum(n, scale * c)
    d, d_low = _sum(n, 2.0)
    n_low = n_low + n_lower
    q = n / d
    return fma(n_low - q * (d_low + n_low), 0.5 - 0.5 * q, q).signed_as(a)


def _sigmoid(a: Lanes) -> Lanes:
    """Return q = n / d = e ** -|a| / (1 + e ** -|a|), which cannot overflow, or 1 - q; 1 / d is 1 - q."""
    r, c, k = _exp_parts(_clip(-abs(a), _least_exponent(a.format), 0.0))
    n, n_low = (_scaled(part, k) for part in _fast_sum(1.0, r + c))
    d, d_low = _fast_sum(1.0, n)
    q = n / d
    q = fma(n_low - q * (d_low + n_low), 1.0 - q, q)
    return choose(a >= 0.0, 1.0 - q, q)


def _log_parts(a: Lanes, lift: int = 0) -> tuple[Lanes, Lanes]:
    """Return (m - 1, k) of a = 2 ** (k + lift) m, with m between 1/√2 and √2, for a positive normal `a`."""
    f = a.format
    root = f.bits_of(_SQRT_HALF)
    above = a.as_bits() + ((f.bias << f.digits - 1) - root)
    m = ((above & (1 << f.digits - 1) - 1) + root).as_number()
    one = math.ldexp(1.0, f.digits - 1)  # its last bits take an integer
    k = ((above >> f.digits - 1) | f.bits_of(one)).as_number() - (one + f.bias + lift)
    return m - 1.0, k


def _log_sum(m1: Lanes, k: Lanes, low: Lanes | float) -> Lanes:
    """Return ln(1 + m1) + k ln 2 + low, the small parts first. With s = m1 / (2 + m1), ln(1 + m1) = 2 artanh s."""
    f = m1.format
    ln2_high, ln2_low = parts(LN2, f.digits - 11, f.digits)
    s = m1 / (2.0 + m1)
    z = s * s
    half_square = 0.5 * m1 * m1
    small = fma(k, ln2_low, low)
    inner = fma(s, fma(z, polynomial(z, _log_tail(f.digits)), half_square), small)
    return fma(k, ln2_high, m1 - (half_square - inner))


def _log_edges(a: Lanes, distance: Lanes, out: Lanes) -> Lanes:
    """Return `out` with nan where `distance` from the pole is negative, -inf where it is 0, and inf and nan kept."""
    inside = choose(a < math.inf, out, a)
    return choose(distance > 0.0, inside, choose(distance.equals(0.0), -math.inf, math.nan * a))


def _normal(a: Lanes) -> tuple[Lanes, Bits, int]:
    """Return (`a` times 2 ** lift where it is subnormal, where that is, lift)."""
    lift = a.format.digits + 1
    below = a < a.format.tiny
    return choose(below, a * 2.0**lift, a), below, lift


def _log(a: Lanes) -> Lanes:
    """Return ln a; -inf at 0, nan below."""
    normal, below, lift = _normal(a)
    m1, k = _log_parts(normal)
    k = choose(below, k - float(lift), k)
    return _log_edges(a, a, _log_sum(m1, k, 0.0))


def _log1p(a: Lanes) -> Lanes:
    """Return ln(1 + a): of u = 1 + a as rounded, and what was lost in rounding it, divided by u."""
    u, lost = _sum(a, 1.0)
    m1, k = _log_parts(u)
    near = k.equals(0.0)
    out = _log_sum(choose(near, a, m1), k, choose(near, 0.0, lost / u))
    return choose(a.equals(0.0), a, _log_edges(a, u, out))


def _softplus(a: Lanes) -> Lanes:
    """Return ln(1 + e ** a) = max(a, 0) + ln(1 + e ** -|a|)."""
    return choose(a > 0.0, a, 0.0) + _log1p(_exp(-abs(a)))


# Exact products, without a fused multiply-add: a number is the sum of its upper and its lower half.
def _halves(a: Lanes) -> Pair:
    high = (a.as_bits() & -(1 << 27)).as_number()
    return high, a - high


def _product(a: Lanes, b: Lanes) -> Pair:
    """Return (a * b rounded, what is missing). Dekker, 1971."""
    (a1, a2), (b1, b2) = _halves(a), _halves(b)
    out = a * b
    return out, ((a1 * b1 - out) + a1 * b2 + a2 * b1) + a2 * b2


def _times(a: Pair, b: Pair) -> Pair:
    out, low = _product(a[0], b[0])
    return _fast_sum(out, low + (a[0] * b[1] + a[1] * b[0]))


def _log_pair(a: Lanes) -> Pair:
    """Return ln a, for positive finite doubles, as a sum of two, to some 65 digits.

    With m = 1 + f, s = f / (2 + f) and z = s², ln m = 2 s (1 + z (1/3 + z/5 + z²/7 + ...)).
    """
    normal, below, lift = _normal(a)
    f, k = _log_parts(normal)
    k = choose(below, k - float(lift), k)
    under, under_low = _fast_sum(2.0, f)
    s1 = f / under
    back, back_low = _product(s1, under)
    s: Pair = s1, ((f - back) - back_low - s1 * under_low) / under
    z = _times(s, s)
    third = [f.constant(part) for part in parts(Fraction(1, 3), 53, 53)]
    rest = z[0] * polynomial(z[0], _log_rest())
    w1, w2 = _fast_sum(third[0], rest)
    tail = _times(_times(s, z), (w1, w2 + third[1]))
    m1, m2 = _fast_sum(s[0], tail[0])
    ln2_high, ln2_low = parts(LN2, 42, 53)
    high, low = _fast_sum(k * ln2_high, 2.0 * m1)
    return _fast_sum(high, low + fma(k, ln2_low, 2.0 * (m2 + s[1] + tail[1])))


def _magnitude(a: Lanes, b: Lanes) -> Lanes:
    """Return a ** b for positive finite a, b not too large: e ** (b ln a), the logarithm exact beyond a double."""
    if a.format is not DOUBLE:
        return _exp(b.as_double() * _log(a.as_double())).as_format(a.format)
    high, low = _log_pair(a)
    y, missing = _product(high, b)
    return _exp(y, choose(abs(y) < 1000.0, missing + low * b, 0.0))


def _is_whole(a: Lanes) -> Bits:
    big = math.ldexp(1.0, a.format.digits - 1)  # from here on there are no fractions
    return (a >= big) | ((a + big) - big).equals(a)


def _pow(a: Lanes, b: Lanes) -> Lanes:
    """Return a ** b with the edges of IEEE 754-2019, section 9.2.1: 1 for b = 0 and for a = 1, even of nan."""
    size, times = abs(a), abs(b)
    out = _magnitude(size, _clip(b, -(2.0**66), 2.0**66))
    out = choose(size.equals(0.0), choose(b < 0.0, math.inf, choose(b > 0.0, 0.0, b)), out)
    out = choose(size.equals(math.inf), choose(b < 0.0, 0.0, choose(b > 0.0, math.inf, b)), out)
    out = choose(a.is_nan(), a, out)
    whole = _is_whole(times)
    out = choose(whole & ~_is_whole(0.5 * times), out.signed_as(a), out)  # an odd power
    out = choose((a < 0.0) & (a > -math.inf) & ~whole, math.nan, out)
    return choose(b.equals(0.0) | a.equals(1.0), 1.0, out)


def _near_quadrant(a: Lanes) -> tuple[Lanes, Bits]:
    """Return (r, q) of a = q π/2 + r, |a| <= FAR: π/2 in three parts, q times the first two exact."""
    p1, p2, p3 = parts(PI / 2, 38, 38, 53)
    n, q = _nearest(a * float(2 / PI))
    first = fma(n, -p1, a)  # exact
    second = fma(n, -p2, first)
    lost = (first - second) - n * p2  # exact
    return second + fma(n, -p3, lost), q


def _far_quadrant(module: Any) -> Any:
    """Return the function of `module` from a double to (r, q), for FAR and beyond; nan of inf.

    The number is m 2 ** e with an integer m. Of the binary digits of 2/π those from weight 2 ** (1 - e) on matter, for
    those before make whole turns: 256 of them times m give the quadrant in two bits, and then its fraction.
    Source: Payne and Hanek, Radian reduction for trigonometric functions, SIGNUM Newsletter 18 (1983).
    """
    name = "micrograd_mlp.far_quadrant"
    if name in module.globals:
        return module.globals[name]
    byte, word, wide, double = ir.IntType(8), ir.IntType(64), ir.IntType(256), ir.DoubleType()
    digits = int(2 / PI * 2 ** (8 * _TABLE_BYTES - _LEAD)).to_bytes(_TABLE_BYTES, "little")  # as loads read them
    kind = ir.ArrayType(byte, _TABLE_BYTES)
    table = ir.GlobalVariable(module, kind, f"{name}.digits")
    table.initializer, table.global_constant, table.linkage = ir.Constant(kind, bytearray(digits)), True, "internal"
    function = ir.Function(module, ir.FunctionType(ir.LiteralStructType([double, word]), [double]), name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    b = ir.IRBuilder(function.append_basic_block())
    (a,) = function.args
    stored = b.bitcast(a, word)
    m = b.or_(b.and_(stored, word((1 << 52) - 1)), word(1 << 52))
    start = b.add(b.and_(b.lshr(stored, word(52)), word(2047)), word(_LEAD - 2 - 1075))  # e - 2, and the lead
    offset = b.sub(word(_TABLE_BYTES - 32), b.lshr(start, word(3)))
    window = b.load(b.gep(table, [word(0), offset], source_etype=kind), align=1, typ=wide)
    window = b.shl(window, b.zext(b.and_(start, word(7)), wide))
    turns = b.mul(window, b.zext(m, wide))
    q = b.trunc(b.lshr(b.add(turns, wide(1 << 253)), wide(254)), word)
    fraction = b.shl(turns, wide(2))  # of a quadrant, signed
    behind = b.icmp_signed("<", fraction, wide(0))
    size = b.select(behind, b.neg(fraction), fraction)
    zeros = b.ctlz(size, ir.IntType(1)(0))
    top = b.lshr(b.shl(size, zeros), wide(192))
    angle = b.trunc(b.lshr(b.mul(top, wide(int(PI / 2 * 2**63))), wide(64)), word)
    scale = b.bitcast(b.shl(b.sub(word(1023 - 63), b.trunc(zeros, word)), word(52)), double)
    r = b.fmul(b.uitofp(angle, double), scale)
    negative = b.icmp_signed("<", stored, word(0))
    r = b.select(b.xor(behind, negative), b.fneg(r), r)
    r = b.fadd(r, b.fsub(a, a))  # nan for inf
    out = b.insert_value(ir.Constant(function.ftype.return_type, ir.Undefined), r, 0)
    b.ret(b.insert_value(out, b.select(negative, b.neg(q), q), 1))
    return function


def _quadrant(a: Lanes) -> tuple[Lanes, Bits]:
    """Return (r, q) of the doubles a = q π/2 + r, |r| <= π/4. One lane beyond FAR sends all through the slow path."""
    b, far = a.builder, abs(a) > FAR
    r, q = _near_quadrant(a)
    lanes = a.value.type.count if isinstance(a.value.type, ir.VectorType) else 0
    some = b.icmp_unsigned("!=", b.bitcast(far.value, ir.IntType(lanes)), ir.IntType(lanes)(0)) if lanes else far.value
    before = b.block
    with b.if_then(some, likely=False):
        function, safe = _far_quadrant(b.module), choose(far, a, FAR).value
        if lanes:
            r_far, q_far = r.value, q.value
            for lane in map(ir.IntType(32), range(lanes)):
                both = b.call(function, [b.extract_element(safe, lane)])
                r_far = b.insert_element(r_far, b.extract_value(both, 0), lane)
                q_far = b.insert_element(q_far, b.extract_value(both, 1), lane)
        else:
            both = b.call(function, [safe])
            r_far, q_far = b.extract_value(both, 0), b.extract_value(both, 1)
        r_far, q_far = b.select(far.value, r_far, r.value), b.select(far.value, q_far, q.value)
        after = b.block
    out = []
    for near_value, far_value in ((r.value, r_far), (q.value, q_far)):
        phi = b.phi(near_value.type)
        phi.add_incoming(near_value, before)
        phi.add_incoming(far_value, after)
        out.append(phi)
    return Lanes(b, out[0]), Bits(b, out[1])


def _sine(a: Lanes, quarters: int) -> Lanes:
    """Return sin(a + quarters π/2): of the rest of a quadrant the sine or the cosine, in double for floats too."""
    r, q = _quadrant(a.as_double())
    q = q + quarters
    z = r * r
    sine = fma(r * z, polynomial(z, _sine_tail(a.format.digits)), r)
    half = 0.5 * z
    most = 1.0 - half
    cosine = most + fma(z * z, polynomial(z, _cosine_tail(a.format.digits)), (1.0 - most) - half)
    out = choose((q & 1).any(), cosine, sine)
    return (out.as_bits() ^ ((q & 2) << DOUBLE.bits - 2)).as_number().as_format(a.format)


# fmt: off
_FORMULAS: dict[str, Callable[..., Lanes]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "neg": lambda a: -a,
    "pow": _pow,
    "exp": _exp,
    "expm1": _expm1,
    "log": _log,
    "log1p": _log1p,
    "sqrt": Lanes.sqrt,
    "sin": lambda a: choose(a.equals(0.0), a, _sine(a, 0)),
    "cos": lambda a: _sine(a, 1),
    "tanh": _tanh,
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "relu": lambda a: choose(a < 0.0, 0.0, a),
    "leaky_relu": lambda a, b: choose(a > 0.0, a, b * a),
    "abs": abs,
    "maximum": lambda a, b: choose((a >= b) | a.is_nan(), a, b),
    "minimum": lambda a, b: choose((a <= b) | a.is_nan(), a, b),
    "step": lambda a: choose(a > 0.0, a.constant(1.0), 0.0),
    "equal": lambda a, b: choose(a.equals(b), a.constant(1.0), 0.0),
    "where": lambda a, b, c: choose(a.equals(0.0), c, b),
    "detach": lambda a: a,
}
# fmt: on


def _rule(formula: Callable[..., Lanes]) -> Callable[..., Any]:
    def emit(builder: Any, *args: Any) -> Any:
        return formula(*(Lanes(builder, arg) for arg in args)).value

    return emit


RULES: dict[str, Callable[..., Any]] = {name: _rule(formula) for name, formula in _FORMULAS.items()}
