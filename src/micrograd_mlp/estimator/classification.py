"""The estimator that tells classes apart."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets, unique_labels
from sklearn.utils.validation import _check_sample_weight, validate_data

from ..losses import LOSSES
from ..training import probabilities
from .perceptron import Perceptron

Array = np.ndarray[Any, np.dtype[Any]]


class MicrogradClassifier(ClassifierMixin, Perceptron):  # type: ignore[misc]
    """A multilayer perceptron that tells classes apart, as an estimator of scikit-learn.

    Parameters that `sklearn.neural_network.MLPClassifier` has as well mean the same as there; `activation` may also be
    leaky_relu, sin or one name of ours, `solver` one of sgd, adam, adamw and rmsprop, `loss` a name in `LOSSES`,
    `engine` what `fit` takes: by default machine code, or NumPy where llvmlite is not installed. `class_weight` gives
    classes a weight, as {label: weight} or "balanced". Weights count exactly: a sample of weight 2 is two samples.

    After `fit`: `classes_`, `coefs_` and `intercepts_` (an array for each layer), `model_` (the network), `n_iter_`,
    `loss_`, `loss_curve_`, `n_features_in_`, `feature_names_in_`; with early stopping `validation_scores_` and
    `best_validation_score_`.
    """

    losses = LOSSES
    stratified = True
    classes_: Array

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate_init: float = 0.001,
        max_iter: int = 200,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: float = 10,
        loss: str = "cross_entropy",
        class_weight: Any = None,
        engine: str | None = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.loss = loss
        self.class_weight = class_weight
        self.engine = engine

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> MicrogradClassifier:
        """Train on the rows of X with labels y, each with its weight if there are any, and return self.

        Raises ValueError for what does not fit, one class among them. Warns of a run that did not converge.
        """
        X, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        classes = unique_labels(y)
        if self.warm_start and hasattr(self, "coefs_") and not np.array_equal(classes, self.classes_):
            raise ValueError(f"training goes on with the classes {self.classes_}; got {classes}")
        self.classes_ = classes
        self._train(X, y, sample_weight)
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> MicrogradClassifier:
        """Train for one more epoch on these samples, and return self; the optimiser goes on where it was.

        The first call takes all `classes` that will come. Raises ValueError for others.
        """
        first = not hasattr(self, "coefs_")
        if first and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit: all labels that will come")
        X, y = validate_data(self, X, y, dtype=np.float64, reset=first)
        check_classification_targets(y)
        if first:
            self.classes_ = unique_labels(classes)
        elif classes is not None and not np.array_equal(unique_labels(classes), self.classes_):
            raise ValueError(f"classes={classes!r} are not those of the first call to partial_fit, {self.classes_}")
        self._train(X, y, sample_weight, epochs=1)
        return self

    def _train(self, X: Array, y: Array, sample_weight: Any, epochs: int | None = None) -> None:
        if unknown := set(y.tolist()) - set(self.classes_.tolist()):
            raise ValueError(f"y holds {sorted(unknown)[0]!r}, which is no class of {self.classes_}")
        if len(self.classes_) < 2:
            (only,) = self.classes_.tolist()
            raise ValueError(f"{type(self).__name__} tells classes apart; y holds only one class: {only!r}")
        indices = np.searchsorted(self.classes_, y)
        weights = None
        if sample_weight is not None or self.class_weight is not None:
            weights = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
            if self.class_weight is not None:
                weights = weights * self._class_weights(indices, weights)[indices]
        self._fit(X, indices, weights, 1 if len(self.classes_) == 2 else len(self.classes_), epochs)

    def _class_weights(self, indices: Array, weights: Array) -> Array:
        """Return the weight of each class; balanced ones give all classes in the data the same sum of weights."""
        if self.class_weight == "balanced":
            sums = np.bincount(indices, weights, minlength=len(self.classes_))
            there = sums > 0
            return np.where(there, sums.sum() / (np.count_nonzero(there) * np.where(there, sums, 1.0)), 1.0)
        each: Array = compute_class_weight(self.class_weight, classes=self.classes_, y=self.classes_[indices])
        return each

    def decision_function(self, X: Any) -> Array:
        """Return the scores of each row of X: (n,), above 0 for the second of two classes; else (n, classes)."""
        scores = self._scores(X)
        return scores[:, 0] if scores.shape[1] == 1 else scores

    def predict(self, X: Any) -> Array:
        """Return the label of each row of X."""
        return self._of_scores(self._scores(X))

    def predict_proba(self, X: Any) -> Array:
        """Return how probable each class is for each row of X: (n, classes), in the order of `classes_`.

        They are probabilities after training on cross-entropy; another loss ranks by them, see
        `training.predict_proba`.
        """
        return probabilities(self._scores(X))

    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithm of `predict_proba`."""
        with np.errstate(divide="ignore"):
            logarithms: Array = np.log(self.predict_proba(X))
        return logarithms

    def _of_scores(self, scores: Array) -> Array:
        binary = scores.shape[1] == 1
        labels: Array = self.classes_[(scores[:, 0] > 0).astype(int) if binary else scores.argmax(axis=1)]
        return labels

    def _score(self, predicted: Array, y: Array, weights: Array | None) -> float:
        return float(accuracy_score(self.classes_[y], predicted, sample_weight=weights))
