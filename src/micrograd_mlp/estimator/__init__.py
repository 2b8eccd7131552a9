"""Networks as estimators of scikit-learn: `MicrogradClassifier` and `MicrogradRegressor`."""

from .classification import MicrogradClassifier
from .regression import MicrogradRegressor

__all__ = ["MicrogradClassifier", "MicrogradRegressor"]
