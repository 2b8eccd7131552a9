"""Micrograd-MLP: see, trust and run a neural network, one number at a time."""

from importlib import import_module
from time import time
from typing import Any

from . import pickling  # noqa: F401  # teaches pickle and copy to take graphs of any depth
from .anomaly import detect_anomaly
from .engine import Value, grad, topological_order
from .nn import MLP, Layer, Module, Neuron

LOADED = time()  # what is written to a source file from here on does not run in this process
__version__ = "0.1.0"
__all__ = ["MLP", "Layer", "Module", "Neuron", "Value", "detect_anomaly", "grad", "topological_order"]

_LATER = {  # what is loaded when it is first asked for, and from where: it needs more than the standard library
    "Classifier": "classifier",
    "MicrogradClassifier": "estimator",
    "MicrogradRegressor": "estimator",
    "draw": "drawing",
    "draw_dot": "drawing",
    "explore": "explorer",
    "fit": "training",
    "jit": "compiler",
    "load_csv": "tables",
    "Recording": "recording",
    "Regressor": "regressor",
    "replay": "compiler",
    "trace_path": "drawing",
    "vmap": "compiler",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_LATER[name]}", __name__), name)


def __dir__() -> list[str]:
    return [*__all__, *_LATER]
