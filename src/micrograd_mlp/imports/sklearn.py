"""A classifier from a fitted estimator of scikit-learn, an MLPClassifier or our own, alone or behind a scaler."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..classifier import Classifier, Scaling
from .parts import assemble

ACTIVATIONS = {"identity": "linear", "logistic": "sigmoid", "tanh": "tanh", "relu": "relu"}  # by scikit-learn's name
SCALERS = ("StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler")


def from_sklearn(model: Any) -> Classifier:
    """Return the classifier that predicts as `model` does, to be saved, exported, explored.

    `model` is a fitted MicrogradClassifier or MLPClassifier, or a Pipeline of one of SCALERS and one of these. Raises
    TypeError for anything else, and ValueError for one that is not fitted, has several labels for a sample, or clips.
    """
    from sklearn import preprocessing
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import Pipeline

    from ..estimator import MicrogradClassifier

    steps = [step for _, step in model.steps] if isinstance(model, Pipeline) else [model]
    steps = [step for step in steps if step is not None and not isinstance(step, str)]  # "passthrough"
    scaler: Any = None
    if len(steps) == 2 and isinstance(steps[0], tuple(getattr(preprocessing, name) for name in SCALERS)):
        scaler = steps.pop(0)
    if len(steps) != 1 or not isinstance(steps[0], MLPClassifier | MicrogradClassifier):
        found = ", ".join(type(step).__name__ for step in ([scaler] if scaler else []) + steps) or "no step"
        raise TypeError(
            "from_sklearn takes a MicrogradClassifier or an MLPClassifier, or a Pipeline of one of "
            f"{', '.join(SCALERS)} and one of them; got {found}"
        )
    (network,) = steps
    if not hasattr(network, "coefs_") or (scaler is not None and not hasattr(scaler, "n_features_in_")):
        raise ValueError("from_sklearn takes a fitted model; call its fit first")
    ours = isinstance(network, MicrogradClassifier)
    if not ours and network.out_activation_ == "logistic" and network.n_outputs_ != 1:
        raise ValueError("from_sklearn takes a model with one label for each sample; this one has several")
    usual = [ACTIVATIONS.get(network.activation, "")] * (len(network.coefs_) - 1) + ["linear"]
    about: dict[str, Any] = {"made_by": f"scikit-learn, {type(network).__name__}"}
    if ours:
        about["options"] = {"loss": str(network.loss), "optimizer": str(network.solver)}
    names = getattr(network if scaler is None else scaler, "feature_names_in_", None)
    return assemble(
        [weight.T for weight in network.coefs_],
        network.intercepts_,
        network.activations_ if ours else usual,
        features=None if names is None else [str(name) for name in names],
        classes=[str(name) for name in network.classes_],
        scaling=None if scaler is None else _scaling_of(scaler),
        about=about,
    )


def _scaling_of(scaler: Any) -> Scaling:
    """Return what a scaler does to a feature as (x - mean) / deviation."""
    count = scaler.n_features_in_
    if getattr(scaler, "clip", False):
        raise ValueError("from_sklearn takes a MinMaxScaler that does not clip; this one has clip=True")
    if hasattr(scaler, "data_min_"):
        mean, deviation = -scaler.min_ / scaler.scale_, 1.0 / scaler.scale_
    else:
        mean = getattr(scaler, "mean_" if getattr(scaler, "with_mean", False) else "center_", None)
        deviation = scaler.scale_
    return Scaling(
        np.zeros(count).tolist() if mean is None else mean.tolist(),
        np.ones(count).tolist() if deviation is None else deviation.tolist(),
    )
