"""A model as plain numbers and names, and how names are written into code."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..names import told
from ..regressor import Regressor
from ..trained import Trained

Array = np.ndarray[Any, np.dtype[np.floating[Any]]]
DTYPES = ("float64", "float32")
Files = dict[str, bytes | str]  # what to write, by the ending of the name; "" for the name as it was given


@dataclass(frozen=True, eq=False)
class Dense:
    """A layer: `weight` (n_out, n_in), `bias` (n_out,) and the name of its activation."""

    weight: Array
    bias: Array
    activation: str


@dataclass(frozen=True, eq=False)
class Plain:
    """What a model computes with: features are standardised by `mean` and `deviation`, then come the layers.

    `outs` are the names of its classes, or of its targets if it is a regression.
    """

    features: tuple[str, ...]
    outs: tuple[str, ...]
    regression: bool
    mean: list[float]
    deviation: list[float]
    layers: tuple[Dense, ...]

    @classmethod
    def of(cls, trained: Trained, dtype: str = "float64") -> Plain:
        """Return the names of a model and its numbers, rounded to `dtype`.

        Raises ValueError if a number is inf or nan there, or a deviation 0.
        """
        layers = []
        for place, layer in enumerate(trained.model.layers):
            weight = _rounded([[w.data for w in neuron.w] for neuron in layer.neurons], dtype, f"layer {place}")
            bias = _rounded([neuron.b.data for neuron in layer.neurons], dtype, f"layer {place}")
            layers.append(Dense(weight, bias, layer.neurons[0].activation))
        mean = _rounded(trained.scaling.mean, dtype, "the scaling").tolist()
        deviation = _rounded(trained.scaling.deviation, dtype, "the scaling").tolist()
        if small := [name for name, each in zip(trained.features, deviation, strict=True) if each == 0]:
            raise ValueError(
                f"the deviation of the feature {told(small[0])} is 0 in {dtype}; such a model is not exported"
            )
        return cls(trained.features, trained.names, isinstance(trained, Regressor), mean, deviation, tuple(layers))

    @property
    def names(self) -> dict[str, list[str]]:
        """The names of features, and of classes or targets, as they go into the metadata of a file."""
        return {"targets" if self.regression else "classes": list(self.outs), "features": list(self.features)}


def _rounded(numbers: Any, dtype: str, where: str) -> Array:
    exact = np.array(numbers, dtype=np.float64)
    if not np.isfinite(exact).all():
        raise ValueError(f"{where} holds numbers that are inf or nan; such a model is not exported")
    with np.errstate(over="ignore", under="ignore"):
        rounded = exact.astype(dtype)
    if not np.isfinite(rounded).all():
        raise ValueError(f"{where} holds numbers that are too large for {dtype}; export it in float64")
    return rounded


def python_list(numbers: Array, indent: str = "    ") -> str:
    """Return a matrix, or a row, of numbers as a Python list, exact to the bit."""
    if numbers.ndim == 1:
        return repr(numbers.tolist())
    rows = "".join(f"{indent}    {row!r},\n" for row in numbers.tolist())
    return f"[\n{rows}{indent}]"


def python_names(names: tuple[str, ...]) -> str:
    """Return names as a Python tuple in ASCII, whatever characters they have."""
    return "(" + "".join(f"{name!a}, " for name in names).rstrip() + ")"


def fill(template: str, values: Mapping[str, str]) -> str:
    """Return a template with each `{name}` among the values in its place; what is put in is not looked at again."""
    return re.sub(r"\{(" + "|".join(values) + r")\}", lambda found: values[found[1]], template)
