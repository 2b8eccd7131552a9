"""The checker of the table: holds every partial of every row against differences of its own forward function."""

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import product

from micrograd_mlp.ops import TABLE, Op

Point = tuple[float, ...]
EPS = 2.0**-52
MAGNITUDES = (1e-3, 0.04, 0.3, 0.9, 1.7, 6.0, 30.0, 400.0)
FEW = (0.3, 1.7, 6.0)
BESIDE = (1e-6, 1e-3, 0.1)  # how far left and right of a kink to look
KINKS: dict[str, tuple[Point, ...]] = {
    "relu": ((0.0,),),
    "abs": ((0.0,),),
    "step": ((0.0,),),
    "leaky_relu": ((0.0, 0.01), (0.0, 3.0), (0.0, -0.5)),
    "maximum": ((0.0, 0.0), (1.0, 1.0), (-40.0, -40.0)),
    "minimum": ((0.0, 0.0), (1.0, 1.0), (-40.0, -40.0)),
    "equal": ((0.0, 0.0), (1.0, 1.0)),
    "where": ((0.0, 2.0, -3.0),),
}
BY_DEFINITION = {"detach": 0.0}  # the one rule that is no derivative of its forward function


def difference(function: Callable[[float], float], x: float, h: float) -> tuple[float, float]:
    """Return the slope of `function` at x by a central difference of order 6, and a bound on its rounding error."""
    slope = bound = 0.0
    for steps, weight in ((1, 45.0), (2, -9.0), (3, 1.0)):
        right, left = function(x + steps * h), function(x - steps * h)
        slope += weight * (right - left) / (60.0 * h)
        bound += abs(weight) * EPS * (abs(right) + abs(left)) / (60.0 * h)
    return slope, 8.0 * bound + EPS * abs(slope) * abs(x) / h  # x + h is rounded as well


def along(function: Callable[..., float], point: Point, i: int) -> Callable[[float], float]:
    """Return `function` of its argument i alone, the others as in `point`."""
    return lambda x: function(*point[:i], x, *point[i + 1 :])


def points(op: Op, few: bool = False) -> Iterator[tuple[Point, float]]:
    """Yield arguments to look at, and how far the nearest kink is from them."""
    count = len(op.partials)
    sizes = FEW if few or count > 1 else MAGNITUDES
    for point in product([sign * size for size in sizes for sign in (1.0, -1.0)], repeat=count):
        if op.name in ("maximum", "minimum", "equal"):
            room = abs(point[0] - point[1])
        elif op.name in KINKS:
            room = abs(point[0])
        else:
            room = math.inf
        if room > 0.0:
            yield point, room
    if op.name == "where":  # with its switch off; it is on at all other points
        yield from (((0.0, b, 2.0 - b), 1.0) for b in FEW)
    for kink, away, side in product(KINKS.get(op.name, ()), BESIDE, (-1.0, 1.0)):
        yield (kink[0] + side * away, *kink[1:]), away


def step_size(x: float, room: float) -> float:
    """Return a step well inside the scale on which a function of the table changes near x, and off its kink."""
    return min(2e-3 * min(abs(x), 1.0) or 1e-3, room / 8.0)


def agree(slope: float, expected: float, bound: float) -> bool:
    return abs(slope - expected) <= 1e-9 * abs(expected) + bound + 1e-300


def faults(rows: Iterable[Op] | None = None) -> list[str]:
    """Return one line for every partial in the table that is not the derivative of its row, or was never compared."""
    return [line for op in list(rows or TABLE.values()) for line in _faults_of(op)]


def _faults_of(op: Op) -> Iterator[str]:
    for i, partial in enumerate(op.partials):
        compared = 0
        for point, room in points(op):
            if op.name in BY_DEFINITION:
                expected, bound = BY_DEFINITION[op.name], 0.0
            else:
                expected, bound = difference(along(op.forward, point, i), point[i], step_size(point[i], room))
            if not math.isfinite(expected) or bound > 1e-4 * max(abs(expected), 1e-3):
                continue  # undefined or beyond the floats at this point, or lost in rounding
            compared += 1
            slope = partial(op.forward(*point), *point)
            if not agree(slope, expected, bound):
                yield f"{op.name}: partial {i} at {point} is {slope}, differences give {expected}"
                break
        else:
            if compared < 5:
                yield f"{op.name}: partial {i} was compared at {compared} points only"
