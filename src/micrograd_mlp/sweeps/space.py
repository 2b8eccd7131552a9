"""What a sweep tries: several values or ranges for an option, the grid they span, and draws from it.

The text is the same on the command line, in a TOML file and in Python: a slash stands between the values of an option,
as in `hidden = "16/32,32"`, for sizes of layers have commas between them; two dots stand between the ends of a range,
as in `lr = "0.001..0.1"`. In a file and in Python, several values may also be a list: `lr = [0.01, 0.1]`, and of
what has a value for each layer a list of lists, `hidden = [[16], [32, 32]]`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from itertools import product
from typing import Any

from ..checks import checked
from ..names import refuse_unknown
from ..options import SEARCHED, Options

BY_FACTORS = ("lr", "l1", "l2")  # ranges of these are drawn from on a logarithmic scale
BY_STEPS = ("epochs", "batch")  # from ranges of these, every whole number is as likely
BY_LAYER = ("hidden", "activation")  # of these, a list of numbers or names is one value
MOST_DRAWS = 100  # for a configuration that is new

_CHECKS = {each.name: each.metadata["check"] for each in fields(Options)}

Values = tuple[tuple[str, Any], ...]  # a configuration: the options that vary, with a value each


@dataclass(frozen=True)
class Between:
    """All numbers from `low` to `high`: whole ones, each as likely; or else any, on a logarithmic scale."""

    low: float
    high: float
    whole: bool

    def draw(self, rng: random.Random) -> float:
        """Return a number of the range; one that is not whole has three digits, so that it can be typed again."""
        if self.whole:
            return rng.randint(int(self.low), int(self.high))
        drawn = math.exp(rng.uniform(math.log(self.low), math.log(self.high)))
        return min(max(float(f"{drawn:.3g}"), self.low), self.high)

    def __str__(self) -> str:
        return f"{text_of(self.low)}..{text_of(self.high)}"


@dataclass(frozen=True)
class Space:
    """The options of a sweep: those that are `fixed`, by name, and for those that vary the values and ranges."""

    fixed: Mapping[str, Any]
    varied: Mapping[str, tuple[Any, ...]]

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Space:
        """Return the space that these options span, given by name. Raises ValueError for what an option refuses."""
        fixed, varied = {}, {}
        for name, value in given.items():
            refuse_unknown(name, _CHECKS, "option")
            values = _values(name, value) if name in SEARCHED else (_checked(name, value),)
            if len(values) > 1 or isinstance(values[0], Between):
                varied[name] = values
            else:
                fixed[name] = values[0]
        in_order = {name: varied[name] for name in SEARCHED if name in varied}
        return cls(fixed, in_order)

    @property
    def size(self) -> float:
        """How many configurations there are; inf with a range of numbers that are not whole."""
        return math.prod(sum(map(_count, values)) for values in self.varied.values())

    @property
    def base(self) -> Options:
        """The options of a run with the first value of each option that varies."""
        first = ((name, values[0]) for name, values in self.varied.items())
        return self.options(tuple((name, v.low if isinstance(v, Between) else v) for name, v in first))

    def grid(self) -> Iterator[Values]:
        """Yield every configuration; the option named last changes first. Raises ValueError if there is a range."""
        for name, values in self.varied.items():
            for value in values:
                if isinstance(value, Between):
                    raise ValueError(
                        f"a grid takes values for {name}, such as {text_of(value.low)}/{text_of(value.high)}; "
                        f"the range {value} is for a random or a halving search"
                    )
        for values in product(*self.varied.values()):
            yield tuple(zip(self.varied, values, strict=True))

    def draws(self, count: int, rng: random.Random) -> list[Values]:
        """Return `count` different configurations that are drawn at random, or all if there are no more."""
        drawn: dict[Values, None] = {}
        for _ in range(count * MOST_DRAWS):
            if len(drawn) >= min(count, self.size):
                break
            drawn[tuple((name, _drawn(values, rng)) for name, values in self.varied.items())] = None
        return list(drawn)

    def options(self, values: Values, **more: Any) -> Options:
        """Return the options of a run with this configuration, and these `more`. ValueError if they do not fit."""
        try:
            return Options.of({**self.fixed, **dict(values), **more})
        except ValueError as error:
            if not values:
                raise
            raise ValueError(f"{describe(values)}: {error}") from None


def describe(values: Values) -> str:
    """Return a configuration on one line."""
    return ", ".join(f"{name} {text_of(value)}" for name, value in values)


def text_of(value: Any) -> str:
    """Return the value of an option as it is typed."""
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "none"
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def _values(name: str, value: Any) -> tuple[Any, ...]:
    """Return the values and ranges that an option is given, each checked."""
    parts = value.split("/") if isinstance(value, str) else _listed(name, value)
    values = [_value(name, part.strip() if isinstance(part, str) else part) for part in parts]
    for place, each in enumerate(values):
        if each in values[:place]:
            raise ValueError(f"{name} takes different values; {text_of(each)} is there twice")
    return tuple(values)


def _listed(name: str, value: Any) -> list[Any]:
    """Return the values in a list or an array; anything else is the only one."""
    several = value.tolist() if hasattr(value, "tolist") else value
    if not isinstance(several, list | tuple | range) or not several:
        return [several]
    if name in BY_LAYER and not all(isinstance(each, list | tuple) for each in several):
        return [several]
    return list(several)


def _value(name: str, text: Any) -> Any:
    if not isinstance(text, str) or ".." not in text:
        return _checked(name, text)
    if name not in BY_FACTORS + BY_STEPS:
        raise ValueError(f"{name} takes values with slashes between them; ranges are for numbers, got {text!r:.80}")
    low, high = (_checked(name, end) for end in text.split("..", 1))
    if not (0 < low < high):
        raise ValueError(f"{name} takes a range from a number above 0 to a larger one, as 0.001..0.1; got {text!r:.80}")
    return Between(low, high, name in BY_STEPS)


def _checked(name: str, value: Any) -> Any:
    """Return the value of an option as its check returns it; None, which may stand for a default, as it is."""
    return None if value is None else checked(name, _CHECKS[name], value)


def _count(value: Any) -> float:
    if isinstance(value, Between):
        return value.high - value.low + 1 if value.whole else math.inf
    return 1


def _drawn(values: tuple[Any, ...], rng: random.Random) -> Any:
    value = rng.choice(values)
    return value.draw(rng) if isinstance(value, Between) else value
