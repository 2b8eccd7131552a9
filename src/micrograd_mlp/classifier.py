"""A trained network that tells classes apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from . import training
from .nn import MLP
from .trained import Scaling, Trained

Array = np.ndarray[Any, np.dtype[Any]]
__all__ = ["Classifier", "Scaling"]


@dataclass
class Classifier(Trained):
    """An MLP with its scaling, the names of its features and classes, and notes on how it was trained (`about`)."""

    answers: ClassVar[str] = "classes"

    model: MLP
    scaling: Scaling
    features: tuple[str, ...]
    classes: tuple[str, ...]
    about: dict[str, Any] = field(default_factory=dict)

    @staticmethod
    def names_for(outputs: int) -> int:
        """Return how many classes go with so many outputs of a network: with one, two."""
        return max(2, outputs)

    def predict(self, X: Any) -> list[str]:
        """Return the name of the class of each row of X, in the units of the data."""
        return [self.classes[index] for index in training.predict(self.model, self.scaling(X))]

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class for each row of X, of shape (n, classes); see training.predict_proba."""
        return training.predict_proba(self.model, self.scaling(X))

    def accuracy(self, X: Any, y: Any) -> float:
        """Return the share of the rows of X whose class is the one of index y."""
        return training.accuracy(y, training.predict(self.model, self.scaling(X)))

    def confusion_matrix(self, X: Any, y: Any) -> Array:
        """Return how often each class (row, by index y) was taken for each class (column)."""
        return training.confusion_matrix(y, training.predict(self.model, self.scaling(X)), len(self.classes))
