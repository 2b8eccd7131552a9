"""What the estimators have in common: they check what they are given, train, and keep the weights as arrays."""

from __future__ import annotations

import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from importlib.util import find_spec
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from ..engine import Value
from ..engines import ENGINES
from ..names import chosen
from ..nn import MLP
from ..optim import OPTIMIZERS, Optimizer
from ..training import fit
from .checks import activation_of, check_flag, check_whole, check_within, sizes_of
from .stopping import Stopping
from .weights import Weights

Array = np.ndarray[Any, np.dtype[Any]]

MOST_SEEDS = 2**31 - 1
USUAL_BATCH = 200


class Perceptron(BaseEstimator, ABC):  # type: ignore[misc]
    """What the two have in common: they check what they are given, train, and keep the weights as arrays."""

    losses: dict[str, Any]  # by name
    stratified = False  # whether each class has its share in what is held out
    coefs_: list[Array]
    intercepts_: list[Array]
    activations_: list[str]
    loss_curve_: list[float]
    _memories: Array
    _steps: int
    _rng: Any

    @property
    def model_(self) -> MLP:
        """The network, made of the weights when it is asked for: to draw, to differentiate, to export."""
        check_is_fitted(self)
        return self._weights.network()

    @property
    def _weights(self) -> Weights:
        return Weights(self.coefs_, self.intercepts_, self.activations_)

    def explain(self, x: Any, **options: Any) -> Any:
        """Return the page that shows how the network computes its prediction for `x`, one sample: see `explore`.

        `x` has a number for each feature, as a row of X; inputs are named after the features. `options` are those of
        `explore`, such as a `path` to write the page to. Raises ValueError for more or fewer numbers.
        """
        check_is_fitted(self)
        X = validate_data(self, _one_row(x), dtype=np.float64, reset=False)
        if len(X) != 1:
            raise ValueError(f"explain takes one sample, a number for each feature; got {len(X)} samples")
        names = getattr(self, "feature_names_in_", [f"x{place + 1}" for place in range(X.shape[1])])
        inputs = [Value(number, label=str(name)) for number, name in zip(X[0].tolist(), names, strict=True)]
        title = f"{type(self).__name__}: {self._told(X)}"
        from ..explorer import explore

        return explore(self.model_, inputs, **{"title": title, "lr": self.learning_rate_init} | options)

    def _told(self, X: Array) -> str:
        told = self._of_scores(self._weights.scores(X))[0]
        return f"{told:.6g}" if isinstance(told, float) else str(told)

    @abstractmethod
    def _of_scores(self, scores: Array) -> Array:
        """Return what is predicted where the network gives these scores."""

    @abstractmethod
    def _score(self, predicted: Array, y: Array, weights: Array | None) -> float:
        """Return how good predictions are, the more the better."""

    def _scores(self, X: Any) -> Array:
        check_is_fitted(self)
        return self._weights.scores(validate_data(self, X, dtype=np.float64, reset=False))

    def _fit(self, X: Array, y: Array, weights: Array | None, outputs: int, epochs: int | None = None) -> None:
        """Train on samples that were checked, for so many epochs; None goes by max_iter and the rules to stop."""
        self._check_options()
        going_on = hasattr(self, "coefs_") and (self.warm_start or epochs is not None)
        if not going_on or not hasattr(self, "_rng"):
            self._rng = check_random_state(self.random_state)
        rng = self._rng
        hidden = sizes_of(self.hidden_layer_sizes)
        sizes = [X.shape[1], *hidden, outputs]
        activations = [activation_of(self.activation)] * len(hidden) + ["linear"]
        if going_on and (self._weights.sizes != sizes or list(self.activations_) != activations):
            raise ValueError(f"training goes on with layers {self._weights.sizes}; got data and options for {sizes}")
        model = (self._weights if going_on else Weights.drawn(sizes, activations, rng)).network()
        held = None
        if self.early_stopping and epochs is None:
            (X, y, weights), held = _split(X, y, weights, self.validation_fraction, rng, self.stratified)
        rule = self._rule(model)
        if epochs is not None and hasattr(self, "_memories") and len(self._memories) == len(rule.memories):
            rule.memories, rule.steps = [*map(tuple, self._memories.tolist())], self._steps
        count = len(y) if weights is None else int(np.count_nonzero(weights))
        batch = max(1, min(USUAL_BATCH if self.batch_size == "auto" else self.batch_size, count))
        weight = 1.0 if weights is None or not count else float(weights.sum()) / count  # of a sample
        patience = self.n_iter_no_change if epochs is None else math.inf
        score: Callable[[Weights], float] | None = None
        if held is not None:
            X_held, y_held, weights_held = held
            score = lambda found: self._score(self._of_scores(found.scores(X_held)), y_held, weights_held)  # noqa: E731
        stopping = Stopping(self.tol, patience, score, self.verbose)
        history = fit(
            model,
            X,
            y,
            weights=weights,
            loss=self._sample_loss(),
            optimizer=rule,
            l2=self.alpha / (2.0 * batch * weight) if self.alpha else 0.0,
            penalized=[w for layer in model.layers for neuron in layer.neurons for w in neuron.w],
            epochs=self.max_iter if epochs is None else epochs,
            batch_size=batch,
            seed=np.random.default_rng(rng.randint(MOST_SEEDS)),
            callbacks=[stopping],
            measured=False,
            engine=self.engine or ("native" if find_spec("llvmlite") else "numpy"),
        )
        self._keep(stopping.best or Weights.of(model))
        if epochs is not None:
            self._memories, self._steps = np.array(list(rule.memories)), rule.steps
        going_on = epochs is not None and hasattr(self, "loss_curve_") and going_on
        self.loss_curve_ = (self.loss_curve_ if going_on else []) + stopping.losses
        self.n_iter_ = max(1, len(self.loss_curve_))
        self.loss_ = self.loss_curve_[-1] if self.loss_curve_ else math.nan
        if held is not None:
            self.validation_scores_, self.best_validation_score_ = stopping.scores, stopping.best_score
        if history.reason in ("diverged", "interrupted"):
            warnings.warn(f"{history.message}; the last good weights stay", ConvergenceWarning, stacklevel=3)
        elif history.reason == "epochs" and epochs is None:
            told = f"max_iter={self.max_iter} epochs are over and the loss still falls; a larger max_iter may help"
            warnings.warn(told, ConvergenceWarning, stacklevel=3)

    def _keep(self, weights: Weights) -> None:
        self.coefs_, self.intercepts_, self.activations_ = weights.coefs, weights.intercepts, list(weights.activations)

    def _rule(self, model: MLP) -> Optimizer:
        more = {}
        if self.solver == "sgd":
            more = {"momentum": self.momentum, "nesterov": self.nesterovs_momentum and self.momentum > 0}
        return OPTIMIZERS[self.solver](model.parameters(), lr=self.learning_rate_init, **more)

    def _sample_loss(self) -> Any:
        return chosen(self.loss, self.losses, "loss")

    def _check_options(self) -> None:
        """Raise ValueError, one sentence, for the first parameter that is not what it has to be."""
        chosen(self.solver, OPTIMIZERS, "solver")
        self._sample_loss()
        if self.engine is not None:
            chosen(self.engine, ENGINES, "engine")
        sizes_of(self.hidden_layer_sizes)
        if self.batch_size != "auto":
            check_whole("batch_size", self.batch_size)
        check_whole("max_iter", self.max_iter)
        if self.n_iter_no_change != math.inf:
            check_whole("n_iter_no_change", self.n_iter_no_change)
        for name in ("alpha", "tol"):
            check_within(name, getattr(self, name), 0.0, math.inf)
        check_within("momentum", self.momentum, 0.0, 1.0)
        check_within("learning_rate_init", self.learning_rate_init, 0.0, math.inf, above=True)
        check_within("validation_fraction", self.validation_fraction, 0.0, 1.0, above=True)
        for name in ("warm_start", "nesterovs_momentum", "early_stopping"):
            check_flag(name, getattr(self, name))
        if not isinstance(self.verbose, Integral | np.bool_):
            raise ValueError(f"verbose takes True, False or a whole number, got {self.verbose!r}")


def _split(
    X: Array, y: Array, weights: Array | None, share: float, rng: Any, stratified: bool
) -> list[tuple[Array, Array, Array | None]]:
    """Return the samples to train on and those held out, (X, y, weights) each; of each class alike, if that can be."""
    held_out = math.ceil(share * len(y))
    if len(y) - held_out < 1:
        raise ValueError(f"validation_fraction={share:g} of {len(y)} samples leaves none to learn from")
    counts = np.bincount(y) if stratified else np.array([2])
    counts = counts[counts > 0]
    enough = stratified and counts.min() >= 2 and min(held_out, len(y) - held_out) >= len(counts)
    kept, held = train_test_split(
        np.arange(len(y)), test_size=held_out, random_state=rng, stratify=y if enough else None
    )
    return [(X[part], y[part], None if weights is None else weights[part]) for part in (kept, held)]


def _one_row(x: Any) -> Any:
    if hasattr(x, "to_frame"):  # a row of a frame
        return x.to_frame().T
    return x if hasattr(x, "columns") or np.ndim(x) == 2 else [x]
