"""Models that leave: a trained classifier as ONNX, PyTorch, C99, Python or JSON.

Each carries the scaling and the names of features and classes, takes points in the units of the data, and gives the
probabilities that `Classifier.predict_proba` gives.
"""

from .targets import TARGETS, export

__all__ = ["TARGETS", "export"]
