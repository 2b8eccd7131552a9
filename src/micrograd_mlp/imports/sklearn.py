"""A classifier from a fitted MLPClassifier of scikit-learn, alone or behind a StandardScaler in a Pipeline."""

from __future__ import annotations

from typing import Any

from ..classifier import Classifier, Scaling
from .parts import assemble

ACTIVATIONS = {"identity": "linear", "logistic": "sigmoid", "tanh": "tanh", "relu": "relu"}  # by scikit-learn's name


def from_sklearn(model: Any) -> Classifier:
    """Return the classifier that predicts as `model` does.

    `model` is a fitted MLPClassifier, or a Pipeline of a StandardScaler and one. Raises TypeError for anything else,
    and ValueError for one that is not fitted, or has several labels for a sample.
    """
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    steps = [step for _, step in model.steps] if isinstance(model, Pipeline) else [model]
    scaler: Any = steps.pop(0) if len(steps) == 2 and isinstance(steps[0], StandardScaler) else None
    if len(steps) != 1 or not isinstance(steps[0], MLPClassifier):
        found = ", ".join(type(step).__name__ for step in steps) or type(model).__name__
        raise TypeError(f"from_sklearn takes an MLPClassifier, or a Pipeline of a StandardScaler and one; got {found}")
    (network,) = steps
    if not hasattr(network, "coefs_") or (scaler is not None and not hasattr(scaler, "n_features_in_")):
        raise ValueError("from_sklearn takes a fitted model; call its fit first")
    if network.out_activation_ == "logistic" and network.n_outputs_ != 1:
        raise ValueError("from_sklearn takes a model with one label for each sample; this one has several")
    n_in = network.coefs_[0].shape[0]
    mean = scaler.mean_.tolist() if scaler is not None and scaler.with_mean else [0.0] * n_in
    deviation = scaler.scale_.tolist() if scaler is not None and scaler.with_std else [1.0] * n_in
    names = getattr(steps[0] if scaler is None else scaler, "feature_names_in_", None)
    return assemble(
        [weight.T for weight in network.coefs_],
        network.intercepts_,
        [ACTIVATIONS[network.activation]] * (len(network.coefs_) - 1) + ["linear"],
        features=None if names is None else [str(name) for name in names],
        classes=[str(name) for name in network.classes_],
        scaling=Scaling(mean, deviation),
        about={"made_by": "scikit-learn, MLPClassifier"},
    )
