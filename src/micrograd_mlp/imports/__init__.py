"""Models that arrive: a classifier made of what PyTorch or scikit-learn has trained, or of a JSON export."""

from .json import from_json
from .sklearn import from_sklearn
from .torch import from_torch

__all__ = ["from_json", "from_sklearn", "from_torch"]
