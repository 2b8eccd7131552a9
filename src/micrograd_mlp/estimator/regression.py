"""The estimator that predicts a number."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.validation import _check_sample_weight, validate_data

from ..losses import REGRESSION
from .perceptron import Perceptron

Array = np.ndarray[Any, np.dtype[Any]]


class MicrogradRegressor(RegressorMixin, Perceptron):  # type: ignore[misc]
    """A multilayer perceptron that predicts a number, as an estimator of scikit-learn.

    Parameters that `sklearn.neural_network.MLPRegressor` has as well mean the same as there; the others are those of
    MicrogradClassifier, and `loss` is squared_error (half of it, as there) or absolute_error. It learns best numbers
    near 0 with deviation near 1: scale y, for instance by `sklearn.compose.TransformedTargetRegressor`.
    """

    losses = REGRESSION
    stratified = False

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        *,
        loss: str = "squared_error",
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
        engine: str | None = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.loss = loss
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
        self.engine = engine

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> MicrogradRegressor:
        """Train on the rows of X with numbers y, each with its weight if there are any, and return self.

        Raises ValueError for what does not fit. Warns of a run that did not converge.
        """
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        self._train(X, y, sample_weight)
        return self

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> MicrogradRegressor:
        """Train for one more epoch on these samples, and return self; the optimiser goes on where it was."""
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True, reset=not hasattr(self, "coefs_"))
        self._train(X, y, sample_weight, epochs=1)
        return self

    def _train(self, X: Array, y: Array, sample_weight: Any, epochs: int | None = None) -> None:
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        self._fit(X, y.astype(np.float64), weights, 1, epochs)

    def predict(self, X: Any) -> Array:
        """Return the number predicted for each row of X."""
        return self._of_scores(self._scores(X))

    def _of_scores(self, scores: Array) -> Array:
        return scores[:, 0]

    def _score(self, predicted: Array, y: Array, weights: Array | None) -> float:
        return float(r2_score(y, predicted, sample_weight=weights)) if len(y) > 1 else -float((predicted - y)[0] ** 2)
