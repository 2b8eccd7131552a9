"""A trained network with all that is needed to use it: how its inputs are scaled, and what its classes are called."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from . import training
from .archive import MODEL, pack, unpack
from .files import write_atomically
from .names import told
from .nn import ACTIVATIONS, MLP

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass
class Scaling:
    """The mean and the standard deviation of each feature, by which inputs are standardised before the network."""

    mean: list[float]
    deviation: list[float]

    @classmethod
    def of(cls, X: Any) -> Scaling:
        """Return the scaling that gives each column of X mean 0 and deviation 1; a constant column is only centred."""
        X = np.asarray(X, dtype=np.float64)
        deviation = X.std(axis=0)
        return cls(X.mean(axis=0).tolist(), np.where(deviation > 0, deviation, 1.0).tolist())

    def __call__(self, X: Any) -> Array:
        """Return X (n by n_in), standardised. Raises ValueError for another number of columns."""
        X = np.asarray(X, dtype=np.float64)
        if X.ndim != 2 or X.shape[1] != len(self.mean):
            raise ValueError(f"this model takes points of {len(self.mean)} features, got an array of shape {X.shape}")
        with np.errstate(over="ignore", invalid="ignore"):  # inf and nan are what IEEE 754 has there
            scaled: Array = (X - self.mean) / self.deviation
        return scaled


@dataclass
class Classifier:
    """An MLP with its scaling, the names of its features and classes, and notes on how it was trained (`about`)."""

    model: MLP
    scaling: Scaling
    features: tuple[str, ...]
    classes: tuple[str, ...]
    about: dict[str, Any] = field(default_factory=dict)

    def predict(self, X: Any) -> list[str]:
        """Return the name of the class of each row of X, in the units of the data."""
        return [self.classes[index] for index in training.predict(self.model, self.scaling(X))]

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class for each row of X, of shape (n, classes); see training.predict_proba."""
        return training.predict_proba(self.model, self.scaling(X))

    def accuracy(self, X: Any, y: Any) -> float:
        """Return the share of the rows of X whose class is the one of index y."""
        return training.accuracy(y, training.predict(self.model, self.scaling(X)))

    def confusion_matrix(self, X: Any, y: Any) -> Array:
        """Return how often each class (row, by index y) was taken for each class (column)."""
        return training.confusion_matrix(y, training.predict(self.model, self.scaling(X)), len(self.classes))

    def save(self, path: str | Path) -> Path:
        """Write this model to a safetensors file, all of it or nothing, and return the path. Raises OSError."""
        about = {
            "activations": [layer.neurons[0].activation for layer in self.model.layers],
            "scaling": {"mean": self.scaling.mean, "deviation": self.scaling.deviation},
            "features": list(self.features),
            "classes": list(self.classes),
            "about": self.about,
        }
        tensors = {}
        for index, layer in enumerate(self.model.layers):
            tensors[f"layers.{index}.weight"] = np.array([[w.data for w in neuron.w] for neuron in layer.neurons])
            tensors[f"layers.{index}.bias"] = np.array([neuron.b.data for neuron in layer.neurons])
        return write_atomically(path, pack(MODEL, about, tensors))

    @classmethod
    def load(cls, path: str | Path) -> Classifier:
        """Return the model in a file written by `save`. Raises OSError, or ValueError if it holds no such model."""
        return unpack(path, MODEL, cls._from)

    @classmethod
    def _from(cls, about: dict[str, Any], tensors: dict[str, Array]) -> Classifier:
        activations, classes = _texts(about, "activations"), _texts(about, "classes")
        features, scaling = _texts(about, "features"), about["scaling"]
        weights = [tensors.pop(f"layers.{index}.weight") for index in range(len(activations))]
        biases = [tensors.pop(f"layers.{index}.bias") for index in range(len(activations))]
        sizes = [len(features), *(len(bias) for bias in biases)]
        for index, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
            if not weight.dtype == bias.dtype == np.float64:
                raise ValueError(f"layer {index} holds numbers in {weight.dtype} and {bias.dtype}, not in float64")
            if weight.shape != (sizes[index + 1], sizes[index]) or bias.shape != (sizes[index + 1],):
                raise ValueError(f"layer {index} has weights of shape {weight.shape} and biases of shape {bias.shape}")
            if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
                raise ValueError(f"layer {index} holds numbers that are inf or nan")
        if tensors or not set(activations) <= set(ACTIVATIONS) or len(sizes) < 2 or len(classes) != max(2, sizes[-1]):
            raise ValueError("its layers, activations and classes do not fit each other")
        mean, deviation = numbers_of(scaling["mean"]), numbers_of(scaling["deviation"])
        if not isinstance(about["about"], dict):
            raise ValueError(f"'about' is a dictionary, got {told(about['about'], 60)}")
        if not len(mean) == len(deviation) == len(features) or min(deviation) <= 0:
            raise ValueError("its scaling does not fit its features")
        model = network_of(weights, biases, activations)
        return cls(model, Scaling(mean, deviation), tuple(features), tuple(classes), dict(about["about"]))


def network_of(weights: Sequence[Array], biases: Sequence[Array], activations: Sequence[str]) -> MLP:
    """Return the network whose layers have these weights (n_out, n_in), biases (n_out,) and activations."""
    model = MLP(weights[0].shape[1], [len(bias) for bias in biases], activation=activations)
    for layer, weight, bias in zip(model.layers, weights, biases, strict=True):
        for neuron, row, b in zip(layer.neurons, weight.tolist(), bias.tolist(), strict=True):
            neuron.b.data = b
            for w, number in zip(neuron.w, row, strict=True):
                w.data = number
    return model


def _texts(about: dict[str, Any], key: str) -> list[str]:
    texts = about[key]
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"{key!r} is a list of texts, got {told(texts, 60)}")
    return texts


def numbers_of(numbers: Any) -> list[float]:
    """Return a list of finite numbers, such as the means of a scaling, as floats. Raises ValueError for all else."""
    if not isinstance(numbers, list) or not all(map(_is_finite, numbers)):
        raise ValueError(f"scaling is lists of finite numbers, got {told(numbers, 60)}")
    return [*map(float, numbers)]


def _is_finite(number: Any) -> bool:
    return isinstance(number, int | float) and abs(number) <= sys.float_info.max
