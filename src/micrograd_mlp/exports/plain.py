"""A classifier as plain numbers and names, and how names are written into code."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..classifier import Classifier

Array = np.ndarray[Any, np.dtype[np.float64]]
Files = dict[str, bytes | str]  # what to write, by the ending of the name; "" for the name as it was given


@dataclass(frozen=True, eq=False)
class Dense:
    """A layer: `weight` (n_out, n_in), `bias` (n_out,) and the name of its activation."""

    weight: Array
    bias: Array
    activation: str


@dataclass(frozen=True, eq=False)
class Plain:
    """What a classifier computes with: features are standardised by `mean` and `deviation`, then come the layers."""

    features: tuple[str, ...]
    classes: tuple[str, ...]
    mean: list[float]
    deviation: list[float]
    layers: tuple[Dense, ...]

    @classmethod
    def of(cls, classifier: Classifier) -> Plain:
        """Return the numbers and names of a classifier. Raises ValueError if a number is inf or nan."""
        layers = []
        for number, layer in enumerate(classifier.model.layers):
            weight = np.array([[w.data for w in neuron.w] for neuron in layer.neurons], dtype=np.float64)
            bias = np.array([neuron.b.data for neuron in layer.neurons], dtype=np.float64)
            if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
                raise ValueError(f"layer {number} holds numbers that are inf or nan; such a model is not exported")
            layers.append(Dense(weight, bias, layer.neurons[0].activation))
        scaling = classifier.scaling
        mean, deviation = [*map(float, scaling.mean)], [*map(float, scaling.deviation)]
        if not np.isfinite([mean, deviation]).all():
            raise ValueError("the scaling holds numbers that are inf or nan; such a model is not exported")
        return cls(classifier.features, classifier.classes, mean, deviation, tuple(layers))

    @property
    def names(self) -> dict[str, list[str]]:
        """The names of features and classes, as they go into the metadata of a file."""
        return {"classes": list(self.classes), "features": list(self.features)}


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
