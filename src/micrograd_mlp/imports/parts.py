"""A model put together from layers that were found elsewhere, each part checked against the others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ..classifier import Classifier
from ..names import refuse_unknown, told
from ..nn import ACTIVATIONS
from ..regressor import Regressor
from ..trained import Scaling, network_of

Array = np.ndarray[Any, np.dtype[np.float64]]


def assemble(
    weights: Sequence[Any],
    biases: Sequence[Any],
    activations: Sequence[str],
    *,
    features: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    targets: Sequence[str] | None = None,
    scaling: Scaling | None = None,
    about: dict[str, Any] | None = None,
) -> Classifier | Regressor:
    """Return the model whose layers have these weights (n_out, n_in), biases (n_out,) and activations.

    It is a regressor if there are names of `targets`, else a classifier. Features that have no names are x1, x2, ...,
    classes 0, 1, ...; without a `scaling`, inputs are taken as they are. Raises ValueError where the parts do not fit
    each other, or a number is inf or nan.
    """
    weights, biases = [_finite(w, 2, "weights") for w in weights], [_finite(b, 1, "biases") for b in biases]
    if not weights:
        raise ValueError("there is no layer in it; at least one is needed")
    for number, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        if 0 in weight.shape or bias.shape != weight.shape[:1]:
            raise ValueError(f"layer {number} has weights of shape {weight.shape} and biases of shape {bias.shape}")
    for number, (before, after) in enumerate(pairwise(weights), 1):
        if after.shape[1] != before.shape[0]:
            raise ValueError(
                f"layer {number} takes {after.shape[1]} inputs, but the one before it has {before.shape[0]} outputs"
            )
    for name in activations:
        refuse_unknown(name, ACTIVATIONS, "activation")
    if len(activations) != len(weights):
        raise ValueError(
            f"{len(weights)} layers take as many activations, got {len(activations)}: {told([*activations])}"
        )
    n_in, n_out = weights[0].shape[1], weights[-1].shape[0]
    if classes is not None and targets is not None:
        raise ValueError("a model has names of classes or of targets, not both")
    features = _names("feature", features, [f"x{k + 1}" for k in range(n_in)])
    scaling = scaling or Scaling([0.0] * n_in, [1.0] * n_in)
    if not len(scaling.mean) == len(scaling.deviation) == n_in:
        raise ValueError(f"{n_in} features take as many means and deviations, got {len(scaling.mean)}")
    if not (np.isfinite([scaling.mean, scaling.deviation]).all() and min(scaling.deviation) > 0):
        raise ValueError("a scaling has finite means, and finite deviations above 0")
    network = network_of(weights, biases, activations)
    if targets is not None:
        targets = _names("target", targets, [f"y{k + 1}" for k in range(n_out)])
        return Regressor(network, scaling, tuple(features), tuple(targets), about or {})
    classes = _names("class", classes, [str(k) for k in range(max(2, n_out))])
    return Classifier(network, scaling, tuple(features), tuple(classes), about or {})


def _finite(numbers: Any, dimensions: int, what: str) -> Array:
    try:
        array = np.asarray(numbers, dtype=np.float64)
    except (ValueError, TypeError, OverflowError):
        array = np.array(math.nan)
    if array.ndim != dimensions or not np.isfinite(array).all():
        raise ValueError(f"{what} are finite numbers in {dimensions} dimensions, got {told(numbers)}")
    return array


def _names(what: str, names: Sequence[str] | None, usual: list[str]) -> list[str]:
    given = usual if names is None else [str(name) for name in names]
    if len(given) != len(usual):
        raise ValueError(f"this network takes {len(usual)} {what} names, got {len(given)}: {told(given, 60)}")
    return given
