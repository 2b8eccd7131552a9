"""When the training of an estimator ends, with scikit-learn's rules: a callback for `fit` that keeps what it sees."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..training import Epoch
from .weights import Weights


class Stopping:
    """Ends a run once neither loss nor score has got better by `tol` for more than `patience` epochs.

    It goes by `score` of the weights, if there is one, and keeps the `best` of them; else by the loss.
    """

    def __init__(
        self, tol: float, patience: float, score: Callable[[Weights], float] | None = None, verbose: bool = False
    ) -> None:
        self.tol, self.patience, self.score, self.verbose = tol, patience, score, verbose
        self.losses: list[float] = []
        self.scores: list[float] = []
        self.best: Weights | None = None
        self.best_score, self.best_loss, self.unchanged = -math.inf, math.inf, 0

    def __call__(self, epoch: Epoch, model: Any) -> bool:
        """Note an epoch, and return whether it was the last."""
        self.losses.append(epoch.loss)
        if self.score is None:
            better = epoch.loss <= self.best_loss - self.tol
        else:
            weights = Weights.of(model)
            self.scores.append(self.score(weights))
            better = self.scores[-1] >= self.best_score + self.tol
            if self.scores[-1] > self.best_score or self.best is None:
                self.best, self.best_score = weights, self.scores[-1]
        self.best_loss = min(self.best_loss, epoch.loss)
        self.unchanged = 0 if better else self.unchanged + 1
        if self.verbose:
            told = f", validation score {self.scores[-1]:.6f}" if self.scores else ""
            print(f"epoch {epoch.epoch}: loss {epoch.loss:.8f}{told}")
        return self.unchanged > self.patience
