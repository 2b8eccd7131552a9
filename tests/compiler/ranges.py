"""Where the results of a scalar program have to lie, in whatever order its sums are added up.

Interval arithmetic: a `Ranged` is a number that takes part in operations and in `grad` as a Value does, and knows
between which bounds it may come out. Each operation widens the range of its result by what it may
round: 2 units in the last place for products and quotients (which may be fused with a sum, or not), 16 for functions
(NumPy's differ from the C library's by up to 4, and some are made of others), and none where nothing is rounded. A sum
of n terms is off by at most n u S, where S adds the magnitudes of its terms, in any order (Higham, Accuracy and
Stability of Numerical Algorithms, 2002, section 4.2): so what cancels is allowed for, and nothing else is. A branch
whose condition is in doubt gives both sides; a sum that might overflow in another order gives anything.
"""

import math
from itertools import count, product
from typing import NamedTuple

from micrograd_mlp import ops
from micrograd_mlp.ops import TABLE

MAX, TINY, UNIT = 1.7976931348623157e308, 5e-324, 2.0**-53
EDGES = (-1.0, -TINY, -0.0, 0.0, TINY)
EXACT = ("neg", "relu", "abs", "maximum", "minimum", "step")
ROUNDED = {"sub": 2, "mul": 2, "div": 2, "leaky_relu": 2}
NEUTRAL = {"mul": 1.0, "div": 1.0, "sub": 0.0, "pow": 1.0}  # as last argument; a sum stays a sum
BOUNDED = {"tanh": (-1.0, 1.0), "sigmoid": (0.0, 1.0), "exp": (0.0, math.inf), "softplus": (0.0, math.inf),
           "sqrt": (-0.0, math.inf), "sin": (-1.0, 1.0), "cos": (-1.0, 1.0), "expm1": (-1.0, math.inf)}  # fmt: skip


class Range(NamedTuple):
    """All numbers from `low` to `high`, where -0 lies before 0, and also nan if `nan`; none if `low` is above `high`.

    Of a sum, `total` is where it would lie if nothing were rounded, `size` the sum of magnitudes of its `terms`.
    """

    low: float
    high: float
    nan: bool = False
    total: tuple[float, float] | None = None
    size: float = 0.0
    terms: int = 1

    def __contains__(self, number):
        if math.isnan(number):
            return self.nan
        return self.low <= number <= self.high and not (number == 0.0 and _sign(number) not in self._signs())

    def _signs(self):
        return {_sign(self.low) if self.low == 0.0 else -1.0, _sign(self.high) if self.high == 0.0 else 1.0}

    @property
    def is_point(self):
        return self.low == self.high and _sign(self.low) == _sign(self.high) and not self.nan

    @property
    def is_tight(self):
        """Whether only numbers that agree to nine digits lie here, or those of one pattern: inf, -inf or nan."""
        if self.low > self.high or self.low == self.high:
            return self.nan == (self.low > self.high)
        return not self.nan and self.high - self.low <= 1e-9 * max(abs(self.low), abs(self.high))


ANYTHING, NOTHING = Range(-math.inf, math.inf, True), Range(math.inf, -math.inf, True)


class Ranged:
    """A number within a range, which remembers what it was made from."""

    _made = count()

    def __init__(self, range_, op=None, args=()):
        self.range, self.op, self.args, self.serial = range_, op, args, next(self._made)

    @staticmethod
    def of(number):
        """Return an input of a program."""
        return Ranged(_hull([float(number)]))

    @staticmethod
    def apply_op(op, *args):
        args = tuple(arg if isinstance(arg, Ranged) else Ranged(constant(float(arg))) for arg in args)
        same = len({id(arg) for arg in args}) == 1
        return Ranged(apply(op.name, [arg.range for arg in args], same), op, args)

    def gradients(self, inputs):
        """Return the derivative of this number by each of `inputs`, as `engine.grad` does, which calls this."""
        if isinstance(inputs, Ranged):
            return self.gradients([inputs])[0]
        nodes, waiting = {}, [self]
        while waiting:
            node = waiting.pop()
            if node.serial not in nodes:
                nodes[node.serial] = node
                waiting += node.args
        between, order = set(inputs), [nodes[serial] for serial in sorted(nodes)]
        for node in order:
            if not between.isdisjoint(node.args):
                between.add(node)
        adjoint = {self: 1.0}
        for node in reversed(order):
            if node.op is None or node.op.flat or node not in between or node not in adjoint:
                continue
            for arg, partial in zip(node.args, node.op.partials, strict=True):
                if arg in between:
                    slope = partial(node, *node.args)
                    share = slope * adjoint[node]
                    share = ops.where(slope, share, 0.0) if node.op.selects else share
                    adjoint[arg] = adjoint[arg] + share if arg in adjoint else share
        slopes = [adjoint.get(node, 0.0) for node in inputs]
        return [slope if isinstance(slope, Ranged) else Ranged(constant(slope)) for slope in slopes]


def _operator(op, swapped=False):
    return lambda self, *other: op(*((*other, self) if swapped else (self, *other)))


for _name, _op in (("add", ops.add), ("sub", ops.sub), ("mul", ops.mul), ("truediv", ops.div), ("pow", ops.pow)):
    setattr(Ranged, f"__{_name}__", _operator(_op))
    setattr(Ranged, f"__r{_name}__", _operator(_op, swapped=True))
Ranged.__neg__, Ranged.__abs__ = _operator(ops.neg), _operator(ops.abs)


def ranged(thing):
    """Return `thing` with a Ranged in place of each number."""
    if isinstance(thing, dict):
        return {name: ranged(item) for name, item in thing.items()}
    return type(thing)(map(ranged, thing)) if isinstance(thing, list | tuple) else Ranged.of(thing)


def constant(number):
    """Return where a constant lies: slopes that are plain numbers may have been added up in another order."""
    is_short = not math.isfinite(number) or (1024.0 * number).is_integer()
    return _hull([number]) if is_short else _widen(_hull([number]), 64, overflows=False)


def apply(name, args, same):
    """Return the range of an operation of these ranges; `same` says that all of them are one and the same number."""
    if name == "add":
        return _add(*args)
    if name in NEUTRAL and args[-1].is_point and args[-1].low == NEUTRAL[name]:
        return _signless(args[0]) if name == "sub" and _sign(args[1].low) < 0.0 else args[0]
    if name == "mul" and args[0].is_point and args[0].low == 1.0:
        return args[1]
    if name == "neg" and args[0].total is not None:
        return _negated(args[0])
    if name == "equal":
        return _equal(*args, same)
    if name == "where":
        return _where(*args)
    if name == "detach":
        return args[0]
    if name in ("sin", "cos") and not args[0].is_point:
        return _wave(name, args[0])
    if name == "pow" and not _rises_or_falls(*args):
        return ANYTHING
    results = [TABLE[name].forward(*point) for point in product(*map(_samples, args))]
    whole = name in ("sub", "mul") and all(map(_is_whole, args)) and all(abs(result) < 2.0**53 for result in results)
    if whole or name in EXACT:
        return _hull(results)
    overflows = all(math.isfinite(end) for arg in args for end in arg[:2])
    return _clip(name, _widen(_hull(results), ROUNDED.get(name, 16), overflows))


def _samples(arg):
    """Return the numbers of a range where a function is extreme that rises or falls on either side of 0 and -1."""
    out = [arg.low, arg.high] if arg.low <= arg.high else []
    if arg.is_point:
        return out[:1]
    return out + [edge for edge in EDGES if edge in arg] + [math.nan] * arg.nan


def _rises_or_falls(a, b):
    """Return whether a ** b does so in both on these ranges; beside, on what is negative, are integers and nothing."""
    many_a, many_b = a.low < a.high, b.low < b.high
    return not (many_b and (a.nan or b.nan or _order(a.low) < (0.0, 1.0))) and not (many_a and b.nan)


def _hull(numbers):
    kept = [number for number in numbers if not math.isnan(number)]
    if not kept:
        return NOTHING
    return Range(min(kept, key=_order), max(kept, key=_order), len(kept) < len(numbers))


def _widen(out, units, overflows):
    """Return the range of what may come of rounding so many units; where it overflows, perhaps it only nearly does."""
    if out.low > out.high:
        return out
    low, high = out.low, out.high
    if math.isinf(low):
        low = min(low, MAX) if overflows else low
    elif low:
        low -= units * math.ulp(low)
    if math.isinf(high):
        high = max(high, -MAX) if overflows else high
    elif high:
        high += units * math.ulp(high)
    return Range(low, high, out.nan)


def _clip(name, out):
    if name not in BOUNDED or out.low > out.high:
        return out
    least, most = BOUNDED[name]
    return out._replace(low=max(out.low, least, key=_order), high=min(out.high, most, key=_order))


def _add(a, b):
    ends = _hull([x + y for x, y in product(_samples(a), _samples(b))])
    if ends.low > ends.high:
        return ends
    size, terms = _size(a) + _size(b), a.terms + b.terms
    if size > MAX / 2.0:
        return ANYTHING
    (a_low, a_high), (b_low, b_high) = (x.total or x[:2] for x in (a, b))
    total = a_low + b_low, a_high + b_high
    off = 0.0 if _is_whole(a) and _is_whole(b) and size < 2.0**53 else 4.0 * terms * UNIT * size + TINY * terms
    if math.isinf(ends.low) or math.isinf(ends.high):
        low, high, total = ends.low, ends.high, ends[:2]
    else:
        low, high = total[0] - off, total[1] + off
    return _signless(Range(low, high, ends.nan, total, size, terms))


def _signless(a):
    """Return the range of x + 0, which the compiler takes to be x also where x is -0."""
    return a._replace(low=a.low or -0.0, high=a.high or 0.0)


def _negated(a):
    low, high = a.total
    return Range(-a.high, -a.low, a.nan, (-high, -low), a.size, a.terms)


def _size(a):
    if a.total is not None:
        return a.size
    if a.low > a.high or (math.isinf(a.low) and a.low == a.high):
        return 0.0
    return min(max(abs(a.low), abs(a.high)), MAX)


def _equal(a, b, same):
    if same:
        return _hull([1.0] * (a.low <= a.high) + [0.0] * a.nan)
    if a.low > a.high or b.low > b.high or a.high < b.low or b.high < a.low:
        return Range(0.0, 0.0)
    sure = a.low == a.high == b.low == b.high and not (a.nan or b.nan)
    return Range(1.0 if sure else 0.0, 1.0)


def _where(a, b, c):
    may_be_zero = a.low <= 0.0 <= a.high
    may_be_other = a.nan or a.low != 0.0 or a.high != 0.0
    chosen = [b] * may_be_other + [c] * may_be_zero
    if len(chosen) == 1:
        return chosen[0]
    return _hull([end for arg in chosen for end in _samples(arg)])


def _wave(name, a):
    if a.low > a.high:
        return NOTHING
    if math.isinf(a.low) or math.isinf(a.high):
        return Range(-1.0, 1.0, True)
    middle = TABLE[name].forward(a.low)
    away = a.high - a.low + 16.0 * UNIT
    return Range(max(middle - away, -1.0), min(middle + away, 1.0), a.nan)


def _is_whole(a):
    return not a.nan and a.low == a.high and not math.isinf(a.low) and a.low == math.floor(a.low)


def _sign(number):
    return math.copysign(1.0, number)


def _order(number):
    return number, _sign(number)
