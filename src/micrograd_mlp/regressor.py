"""A trained network that predicts numbers; and the loading of a model, whatever it predicts."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from .archive import MODEL, unpack
from .classifier import Classifier
from .columns import scores_of
from .nn import MLP
from .trained import Scaling, Trained

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass
class Regressor(Trained):
    """An MLP with its scaling, the names of its features and targets, and notes on how it was trained (`about`)."""

    answers: ClassVar[str] = "targets"

    model: MLP
    scaling: Scaling
    features: tuple[str, ...]
    targets: tuple[str, ...]
    about: dict[str, Any] = field(default_factory=dict)

    def predict(self, X: Any) -> Array:
        """Return what is predicted for each row of X, in the units of the data: (n,) for one target, else (n, targets).

        Raises ValueError for another number of columns.
        """
        outputs = scores_of(self.model, self.scaling(X))
        return outputs[:, 0] if outputs.shape[1] == 1 else outputs


def load_model(path: str | Path) -> Classifier | Regressor:
    """Return the model in a file, whichever it is. Raises OSError, or ValueError if it holds none."""
    return unpack(path, MODEL, _of_file)


def _of_file(about: dict[str, Any], tensors: dict[str, Array]) -> Classifier | Regressor:
    return (Regressor if "targets" in about else Classifier).of_file(about, tensors)
