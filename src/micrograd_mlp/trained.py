"""A trained network with what is needed to use it: how its inputs are scaled, and what goes in and comes out."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from .archive import MODEL, pack, unpack
from .files import write_atomically
from .names import told
from .nn import ACTIVATIONS, MLP

Array = np.ndarray[Any, np.dtype[Any]]
KINDS = {"Classifier": "classes", "Regressor": "targets"}  # of what each has names


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


class Trained:
    """What a classifier and a regressor have in common: they are kept in files, and are made of these parts.

    `answers` says what the `names` are of: of classes, or of targets.
    """

    answers: ClassVar[str]
    model: MLP
    scaling: Scaling
    features: tuple[str, ...]
    about: dict[str, Any]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of what it tells apart or predicts."""
        names: tuple[str, ...] = getattr(self, self.answers)
        return names

    @staticmethod
    def names_for(outputs: int) -> int:
        """Return how many names go with so many outputs of a network."""
        return outputs

    def save(self, path: str | Path) -> Path:
        """Write this model to a safetensors file, all of it or nothing, and return the path. Raises OSError."""
        about = {
            "activations": [layer.neurons[0].activation for layer in self.model.layers],
            "scaling": {"mean": self.scaling.mean, "deviation": self.scaling.deviation},
            "features": list(self.features),
            self.answers: list(self.names),
            "about": self.about,
        }
        tensors = {}
        for index, layer in enumerate(self.model.layers):
            tensors[f"layers.{index}.weight"] = np.array([[w.data for w in neuron.w] for neuron in layer.neurons])
            tensors[f"layers.{index}.bias"] = np.array([neuron.b.data for neuron in layer.neurons])
        return write_atomically(path, pack(MODEL, about, tensors))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Return the model in a file written by `save`. Raises OSError, or ValueError if it holds no such model."""
        return unpack(path, MODEL, cls.of_file)

    @classmethod
    def of_file(cls, about: dict[str, Any], tensors: dict[str, Array]) -> Self:
        """Return the model that a file describes; ValueError if its parts do not fit each other."""
        for kind, answers in KINDS.items():
            if cls.answers not in about and answers in about:
                raise ValueError(f"it holds a {kind.lower()}, which {kind}.load reads")
        activations, names = _texts(about, "activations"), _texts(about, cls.answers)
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
        if (
            tensors
            or not set(activations) <= set(ACTIVATIONS)
            or len(sizes) < 2
            or len(names) != cls.names_for(sizes[-1])
        ):
            raise ValueError(f"its layers, activations and {cls.answers} do not fit each other")
        mean, deviation = numbers_of(scaling["mean"]), numbers_of(scaling["deviation"])
        if not isinstance(about["about"], dict):
            raise ValueError(f"'about' is a dictionary, got {told(about['about'], 60)}")
        if not len(mean) == len(deviation) == len(features) or min(deviation) <= 0:
            raise ValueError("its scaling does not fit its features")
        model = network_of(weights, biases, activations)
        make: Any = cls  # by its own fields
        made: Self = make(model, Scaling(mean, deviation), tuple(features), tuple(names), dict(about["about"]))
        return made


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
