"""The weights of a network as arrays, which an estimator keeps and predicts with; a network is made when asked for."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ..compiler.backends.numpy import RULES
from ..nn import ACTIVATIONS, MLP
from ..ops import Op

Array = np.ndarray[Any, np.dtype[np.float64]]


class _Rows:
    """The outputs of a layer for many samples, (samples, units), which activations are applied to as to a Value."""

    def __init__(self, data: Array) -> None:
        self.data = data

    @staticmethod
    def apply_op(op: Op, *args: Any) -> _Rows:
        """Return op(*args) on arrays."""
        return _Rows(RULES[op.name](*(getattr(arg, "data", arg) for arg in args)))


@dataclass(frozen=True)
class Weights:
    """An array (inputs, outputs) of weights and one of biases for each layer, and the names of the activations."""

    coefs: list[Array]
    intercepts: list[Array]
    activations: Sequence[str]

    @classmethod
    def of(cls, model: MLP) -> Weights:
        """Return the weights of a network."""
        layers = [layer.neurons for layer in model.layers]
        coefs = [np.array([[w.data for w in neuron.w] for neuron in neurons]).T.copy() for neurons in layers]
        intercepts = [np.array([neuron.b.data for neuron in neurons]) for neurons in layers]
        return cls(coefs, intercepts, [neurons[0].activation for neurons in layers])

    @property
    def sizes(self) -> list[int]:
        """The number of inputs, and of the outputs of each layer."""
        return [len(self.coefs[0]), *map(len, self.intercepts)]

    @classmethod
    def drawn(cls, sizes: Sequence[int], activations: Sequence[str], rng: Any) -> Weights:
        """Return first weights for layers of these sizes, inputs first: the ones that scikit-learn draws from `rng`.

        Weights and biases are uniform in [-r, r], r = sqrt(6 / (n_in + n_out)), or sqrt(2 / (n_in + n_out)) for
        sigmoids. Source: Glorot and Bengio (2010).
        """
        factor = 2.0 if activations[0] == "sigmoid" else 6.0
        coefs, intercepts = [], []
        for n_in, n_out in pairwise(sizes):
            bound = np.sqrt(factor / (n_in + n_out))
            coefs.append(rng.uniform(-bound, bound, (n_in, n_out)))
            intercepts.append(rng.uniform(-bound, bound, n_out))
        return cls(coefs, intercepts, list(activations))

    def network(self) -> MLP:
        """Return a network with these weights."""
        model = MLP(self.sizes[0], self.sizes[1:], activation=list(self.activations), rng=random.Random(0))
        for layer, coefs, intercepts in zip(model.layers, self.coefs, self.intercepts, strict=True):
            for neuron, row, bias in zip(layer.neurons, coefs.T.tolist(), intercepts.tolist(), strict=True):
                neuron.b.data = bias
                for w, number in zip(neuron.w, row, strict=True):
                    w.data = number
        return model

    def scores(self, X: Array) -> Array:
        """Return the outputs of the network for each row of X: an array of shape (n, outputs)."""
        out = X
        with np.errstate(all="ignore"):
            for coefs, intercepts, name in zip(self.coefs, self.intercepts, self.activations, strict=True):
                out = ACTIVATIONS[name][0](_Rows(out @ coefs + intercepts)).data
        return out
