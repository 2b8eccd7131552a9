"""What the network of the playground is made of: features of a point in the plane, then layers. Plain scalar code."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import Any

from .. import ops
from ..nn import MLP, Layer, Module

FEATURES: dict[str, tuple[Callable[[Any, Any], Any], str, str]] = {  # function, how it is shown, how it is written
    "x1": (lambda x1, x2: x1, "x₁", "x1"),
    "x2": (lambda x1, x2: x2, "x₂", "x2"),
    "x1x1": (lambda x1, x2: x1 * x1, "x₁²", "x1 * x1"),
    "x2x2": (lambda x1, x2: x2 * x2, "x₂²", "x2 * x2"),
    "x1x2": (lambda x1, x2: x1 * x2, "x₁x₂", "x1 * x2"),
    "sinx1": (lambda x1, x2: ops.sin(math.pi * x1), "sin πx₁", "ops.sin(math.pi * x1)"),
    "sinx2": (lambda x1, x2: ops.sin(math.pi * x2), "sin πx₂", "ops.sin(math.pi * x2)"),
}


class Network(Module):
    """Features of (x1, x2), then an MLP over them; `activations` is a name for each layer, the last included."""

    def __init__(
        self, features: Sequence[str], sizes: Sequence[int], activations: Sequence[str], seed: int, init: str = ""
    ) -> None:
        self.features = tuple(features)
        mlp = MLP(len(features), sizes, activation=activations, rng=random.Random(seed), init=init)
        self.layers: list[Layer] = mlp.layers

    def units(self, x: Any) -> list[list[Any]]:
        """Return what each unit makes of a point: the features, then each layer, the output last."""
        x1, x2 = x
        levels = [[FEATURES[name][0](x1, x2) for name in self.features]]
        for layer in self.layers:
            out = layer(levels[-1])
            levels.append(out if isinstance(out, list) else [out])
        return levels

    def __call__(self, x: Any) -> Any:
        """Return the list of outputs for a point, or the only one."""
        out = self.units(x)[-1]
        return out[0] if len(out) == 1 else out
