"""A model as a PyTorch module: a Python file that builds it, and its state_dict in a safetensors file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ..archive import MODEL
from ..trained import Trained
from .plain import Files, Plain, fill, python_names

MODULES = {  # by name of the activation
    "relu": "torch.nn.ReLU()",
    "leaky_relu": "torch.nn.LeakyReLU(0.01)",
    "tanh": "torch.nn.Tanh()",
    "sigmoid": "torch.nn.Sigmoid()",
    "sin": "Sin()",
    "linear": "torch.nn.Identity()",
}
CODE = '''"""A {kind} made with micrograd-mlp, as a PyTorch module; its numbers are in a safetensors file.

    model = load()
    model{call}(points)  # points (n, {n_in}) in the units of the data, {dtype}
"""

from pathlib import Path

import torch
from safetensors.torch import load_file

FEATURES = {features}
{OUTS} = {outs}
STATE = {state}


class Sin(torch.nn.Module):
    def forward(self, a):
        return torch.sin(a)


class {Kind}(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros({n_in}))
        self.register_buffer("deviation", torch.ones({n_in}))
        self.network = torch.nn.Sequential(
{layers}        )

    def forward(self, points):
        """Return {what}."""
        return self.network((points - self.mean) / self.deviation)
{more}

def load(path=Path(__file__).with_name(STATE)):
    model = {Kind}().to(torch.{dtype})
    model.load_state_dict(load_file(path))
    return model.eval()
'''
PROBABILITIES = '''
    def predict_proba(self, points):
        """Return the probability of each class, of shape (n, classes)."""
        scores = self(points)
        if scores.shape[1] == 1:
            scores = torch.cat([torch.zeros_like(scores), scores], dim=1)
        return torch.softmax(scores, dim=1)
'''
CLASSIFIER = {
    "OUTS": "CLASSES",
    "kind": "classifier",
    "Kind": "Classifier",
    "call": ".predict_proba",
    "what": "the scores of each point: one for each class, or a single one for the second of two",
    "more": PROBABILITIES,
}
REGRESSOR = {
    "OUTS": "TARGETS",
    "kind": "regressor",
    "Kind": "Regressor",
    "call": "",
    "what": "what is predicted for each point, of shape (n, targets)",
    "more": "",
}


def files(trained: Trained, name: str, dtype: str = "float64") -> Files:
    """Return the safetensors file of the state_dict, and the Python code that builds the module of it."""
    from safetensors.numpy import save

    plain = Plain.of(trained, dtype)
    tensors = {"mean": np.array(plain.mean, dtype), "deviation": np.array(plain.deviation, dtype)}
    modules: list[str] = []
    for layer in plain.layers:
        tensors[f"network.{len(modules)}.weight"] = layer.weight
        tensors[f"network.{len(modules)}.bias"] = layer.bias
        n_out, n_in = layer.weight.shape
        modules += [f"torch.nn.Linear({n_in}, {n_out})", MODULES[layer.activation]]
    about = {"activations": [layer.activation for layer in plain.layers], **plain.names}
    state = Path(name).with_suffix(".safetensors").name
    code = fill(CODE, (REGRESSOR if plain.regression else CLASSIFIER) | {
        "n_in": str(len(plain.features)),
        "dtype": dtype,
        "features": python_names(plain.features),
        "outs": python_names(plain.outs),
        "state": ascii(state),
        "layers": "".join(f"            {module},\n" for module in modules),
    })  # fmt: skip
    return {".safetensors": save(tensors, metadata={f"{MODEL.key} torch": json.dumps(about, sort_keys=True)}), "": code}
