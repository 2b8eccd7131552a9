"""Micrograd-MLP: see, trust and run a neural network, one number at a time."""

from . import pickling  # noqa: F401  # teaches pickle and copy to take graphs of any depth
from .anomaly import detect_anomaly
from .engine import Value, grad, topological_order
from .nn import MLP, Layer, Module, Neuron

__version__ = "0.1.0"
__all__ = ["MLP", "Layer", "Module", "Neuron", "Value", "detect_anomaly", "grad", "topological_order"]
