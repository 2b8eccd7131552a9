"""What the parameters of an estimator have to be; each check raises ValueError, one sentence with the name in it."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any

import numpy as np

from ..names import chosen
from ..nn import ACTIVATIONS

ALIASES = {"identity": "linear", "logistic": "sigmoid"}  # scikit-learn's words for activations


def sizes_of(sizes: Any) -> list[int]:
    """Return the sizes of the hidden layers as a list."""
    listed: list[int] = np.ravel(sizes).tolist()
    if not all(isinstance(size, int) and not isinstance(size, bool) and size >= 1 for size in listed):
        raise ValueError(f"hidden_layer_sizes takes whole numbers of at least 1, one for each layer; got {sizes!r}")
    return listed


def activation_of(name: str) -> str:
    """Return our name of an activation."""
    name = ALIASES.get(name, name)
    chosen(name, ACTIVATIONS, "activation")
    return name


def check_whole(name: str, number: Any) -> None:
    """Refuse what is no whole number of at least 1."""
    if not isinstance(number, Integral) or isinstance(number, bool) or int(number) < 1:
        raise ValueError(f"{name} takes a whole number of at least 1, got {number!r}")


def check_within(name: str, number: Any, low: float, high: float, above: bool = False) -> None:
    """Refuse what is no number from `low`, which is not taken if `above`, to below `high`."""
    inside = isinstance(number, Real) and not isinstance(number, bool) and low <= float(number) < high
    if not inside or (above and number == low):
        span = f"{'above' if above else 'of at least'} {low:g}" + (f" and below {high:g}" if high < math.inf else "")
        raise ValueError(f"{name} takes a number {span}, got {number!r}")


def check_flag(name: str, value: Any) -> None:
    """Refuse what is neither True nor False: a text such as "no" would count as True."""
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name} takes True or False, got {value!r}")
