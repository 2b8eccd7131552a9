"""A model from a fitted estimator of scikit-learn, its own perceptrons or ours, alone or behind a scaler."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from ..classifier import Classifier
from ..regressor import Regressor
from ..trained import Scaling
from .parts import assemble

ACTIVATIONS = {"identity": "linear", "logistic": "sigmoid", "tanh": "tanh", "relu": "relu"}  # by scikit-learn's name
SCALERS = ("StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler")


def from_sklearn(model: Any) -> Classifier | Regressor:
    """Return the classifier or regressor that predicts as `model` does, to be saved, exported, explored.

    `model` is a fitted MicrogradClassifier, MicrogradRegressor, MLPClassifier or MLPRegressor, or a Pipeline of one of
    SCALERS and one of these; or a TransformedTargetRegressor of that, with one of SCALERS, which goes into the last
    layer. Raises TypeError for anything else, and ValueError for one that is not fitted, has several labels for a
    sample, or clips.
    """
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.preprocessing import FunctionTransformer

    if isinstance(model, TransformedTargetRegressor):
        if not hasattr(model, "regressor_"):
            raise ValueError("from_sklearn takes a fitted model; call its fit first")
        transformer = model.transformer_
        if isinstance(transformer, FunctionTransformer) and transformer.func is transformer.inverse_func is None:
            return _made_of(model.regressor_, None)
        if not _is_scaler(transformer):
            _refuse([transformer])
        return _made_of(model.regressor_, _scaling_of(transformer))
    return _made_of(model, None)


def _made_of(model: Any, of_targets: Scaling | None) -> Classifier | Regressor:
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import Pipeline

    from ..estimator import MicrogradClassifier, MicrogradRegressor

    steps = [step for _, step in model.steps] if isinstance(model, Pipeline) else [model]
    steps = [step for step in steps if step is not None and not isinstance(step, str)]  # "passthrough"
    *before, network = steps or [None]
    known = isinstance(network, MLPClassifier | MLPRegressor | MicrogradClassifier | MicrogradRegressor)
    if not known or len(before) > 1 or not all(map(_is_scaler, before)):
        _refuse(steps)
    scaler = before[0] if before else None
    if not hasattr(network, "coefs_") or (scaler is not None and not hasattr(scaler, "n_features_in_")):
        raise ValueError("from_sklearn takes a fitted model; call its fit first")
    ours = isinstance(network, MicrogradClassifier | MicrogradRegressor)
    if isinstance(network, MLPClassifier) and network.out_activation_ == "logistic" and network.n_outputs_ != 1:
        raise ValueError("from_sklearn takes a model with one label for each sample; this one has several")
    if isinstance(network, MLPRegressor) and network.out_activation_ != "identity":
        what = network.out_activation_
        raise ValueError(
            f"from_sklearn takes an MLPRegressor of squared_error; this one has {what} after its last layer"
        )
    names = getattr(network if scaler is None else scaler, "feature_names_in_", None)
    weights, biases = [weight.T for weight in network.coefs_], list(network.intercepts_)
    if of_targets is not None:
        weights[-1] = weights[-1] * np.array(of_targets.deviation)[:, None]
        biases[-1] = biases[-1] * of_targets.deviation + of_targets.mean
    about: dict[str, Any] = {"made_by": f"scikit-learn, {type(network).__name__}"}
    if ours:
        about["options"] = {"loss": str(network.loss), "optimizer": str(network.solver)}
    answers: dict[str, list[str]] = {}
    if isinstance(network, MLPRegressor | MicrogradRegressor):
        many = len(biases[-1])
        answers["targets"] = ["y"] if many == 1 else [f"y{place + 1}" for place in range(many)]
    else:
        answers["classes"] = [str(name) for name in network.classes_]
    return assemble(
        weights,
        biases,
        network.activations_ if ours else [*[ACTIVATIONS.get(network.activation, "")] * (len(weights) - 1), "linear"],
        features=None if names is None else [str(name) for name in names],
        scaling=None if scaler is None else _scaling_of(scaler),
        about=about,
        **answers,
    )


def _refuse(steps: list[Any]) -> NoReturn:
    raise TypeError(
        "from_sklearn takes a MicrogradClassifier, MicrogradRegressor, MLPClassifier or MLPRegressor, alone or behind"
        f" one of {', '.join(SCALERS)}; got {', '.join(type(step).__name__ for step in steps) or 'no step'}"
    )


def _is_scaler(step: Any) -> bool:
    from sklearn import preprocessing

    return isinstance(step, tuple(getattr(preprocessing, name) for name in SCALERS))


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
