"""A model from PyTorch: a Sequential of linear layers and known activations, or the tensors of its state_dict.

PyTorch itself is not needed; nothing is unpickled.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..archive import MODEL
from ..classifier import Classifier
from ..names import clean, told
from ..reading import json_of, tensors_of
from ..regressor import Regressor
from ..trained import Scaling
from .parts import assemble

MODULES = {  # by the name of PyTorch's class
    "ReLU": "relu",
    "LeakyReLU": "leaky_relu",
    "Tanh": "tanh",
    "Sigmoid": "sigmoid",
    "Sin": "sin",
    "Identity": "linear",
}
IDLE = ("Dropout", "Flatten", "Identity")  # what changes nothing in a model that is used
WAY_OUT = "save its tensors: safetensors.torch.save_file(model.state_dict(), 'model.safetensors')"


def from_torch(
    model: Any,
    *,
    activation: str | Sequence[str] | None = None,
    features: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    targets: Sequence[str] | None = None,
    scaling: Scaling | None = None,
) -> Classifier | Regressor:
    """Return the model of `model`: a Sequential, its state_dict, or the path of a safetensors file with that.

    It is a regressor if there are names of `targets`, else a classifier.

    A Sequential says itself which activations it has; for tensors alone, `activation` is one name for all hidden
    layers, or a list with a name for each layer, the last included. A file of `export(..., to="torch")` has all of it,
    names and scaling too. Of a classifier, a Softmax, LogSoftmax or, for one output, Sigmoid at the end is left out, as
    probabilities are made so anyway. Raises ValueError for layers that this library has not, and OSError.
    """
    known: dict[str, Any] = {"features": features, "classes": classes, "targets": targets, "scaling": scaling}
    known = {key: value for key, value in known.items() if value is not None}
    if isinstance(model, str | Path):
        tensors, about = _read(Path(model))
        noted = {key: about[key] for key in ("features", "classes", "targets") if key in about}
        if known.keys() & {"classes", "targets"}:
            noted = {key: names for key, names in noted.items() if key == "features"}
        known = noted | known
        return _from_state(tensors, activation or about.get("activations"), known)
    if isinstance(model, Mapping):
        return _from_state(model, activation, known)
    if hasattr(model, "state_dict") and hasattr(model, "__iter__"):
        if activation is not None:
            raise ValueError("a Sequential has its activations in itself; activation is for tensors alone")
        return _from_modules([*model], known)
    raise TypeError(f"from_torch takes a Sequential, its state_dict or a safetensors file, got {type(model).__name__}")


def _from_modules(modules: Sequence[Any], known: dict[str, Any]) -> Classifier | Regressor:
    weights: list[Any] = []
    biases: list[Any] = []
    activations: list[str] = []
    kinds = [type(module).__name__ for module in modules]
    classifies = "targets" not in known
    while kinds and kinds[-1] in (*IDLE, *(("Softmax", "LogSoftmax") if classifies else ())):
        kinds.pop()
    if classifies and kinds[-1:] == ["Sigmoid"] and _outputs(modules[: len(kinds)]) == 1:
        kinds.pop()
    for number, (kind, module) in enumerate(zip(kinds, modules, strict=False)):
        if kind == "Linear":
            weights.append(_array(module.weight))
            biases.append(np.zeros(len(weights[-1])) if module.bias is None else _array(module.bias))
            activations.append("linear")
        elif kind in MODULES and kind != "Identity" and activations[-1:] == ["linear"]:
            if kind == "LeakyReLU" and module.negative_slope != 0.01:
                raise ValueError(f"module {number} is a LeakyReLU of slope {module.negative_slope}; here it is 0.01")
            activations[-1] = MODULES[kind]
        elif kind not in IDLE or (kind == "Flatten" and weights):
            raise ValueError(
                f"module {number} is {kind} where it is not taken; a Sequential has Linear layers, and after each at"
                f" most one of {', '.join(MODULES)}"
            )
    return assemble(weights, biases, activations, **known, about={"made_by": "PyTorch"})


def _outputs(modules: Sequence[Any]) -> int:
    return next((int(module.out_features) for module in reversed(modules) if hasattr(module, "out_features")), 0)


def _from_state(state: Mapping[str, Any], activation: Any, known: dict[str, Any]) -> Classifier | Regressor:
    tensors = {str(name): _array(tensor) for name, tensor in state.items()}
    mean, deviation = tensors.pop("mean", None), tensors.pop("deviation", None)
    if mean is not None and deviation is not None and "scaling" not in known:
        known = known | {"scaling": Scaling(mean.ravel().tolist(), deviation.ravel().tolist())}
    layers = sorted({name.rpartition(".")[0] for name in tensors}, key=_in_order)
    expected = {f"{layer}.{part}".removeprefix(".") for layer in layers for part in ("weight", "bias")}
    missing = [layer for layer in layers if f"{layer}.weight".removeprefix(".") not in tensors]
    if missing or not set(tensors) <= expected or not layers:
        odd = next(iter(missing or sorted(set(tensors) - expected)), "nothing")
        raise ValueError(f"a state_dict of linear layers has a weight and a bias of each, got {told(odd, 60)}")
    weights = [tensors[f"{layer}.weight".removeprefix(".")] for layer in layers]
    for layer, weight in zip(layers, weights, strict=True):
        if weight.ndim != 2:
            raise ValueError(f"{clean(layer)}.weight has shape {weight.shape}; linear layers have two dimensions")
    biases = [
        tensors.get(f"{layer}.bias".removeprefix("."), np.zeros(len(weight)))
        for layer, weight in zip(layers, weights, strict=True)
    ]
    if activation is None and len(layers) > 1:
        raise ValueError("tensors do not say which activations they had; name them, such as activation='relu'")
    hidden = [activation or "linear"] * (len(layers) - 1)
    names = [*hidden, "linear"] if isinstance(activation, str | None) else [*activation]
    return assemble(weights, biases, names, **known, about={"made_by": "PyTorch"})


def _in_order(name: str) -> list[tuple[int, str]]:
    """Return what names are sorted by: numbers in them as numbers, the longer ones after the shorter ones."""
    parts = re.split(r"0*([0-9]+)", name)
    return [(len(part), part) if place % 2 else (0, part) for place, part in enumerate(parts)]


def _array(tensor: Any) -> Any:
    if hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu().double().numpy()
    with np.errstate(invalid="ignore"):  # a nan that signals becomes one that does not
        return np.asarray(tensor, dtype=np.float64)


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the tensors in a safetensors file, and what an export has noted in it."""
    with open(path, "rb") as file:
        begin = file.read(2)
    shown = clean(str(path), 200)
    try:
        found, metadata = tensors_of(path)
    except ValueError as error:
        if begin == b"PK" or begin[:1] == b"\x80":
            reason = f"is a pickle, which is not opened, as it can run code; {WAY_OUT}"
        else:
            reason = f"is no safetensors file of float16, float32 or float64 (model.float() makes float32): {error}"
        raise ValueError(f"{shown} {reason}") from None
    if MODEL.key in metadata:
        raise ValueError(f"{shown} is a model of {MODEL.key} already; it needs no import")
    try:
        about = json_of(metadata.get(f"{MODEL.key} torch", "{}"))
    except ValueError as error:
        raise ValueError(f"{shown} is damaged: {error}") from None
    texts = {key: value for key, value in about.items() if _is_texts(value)} if isinstance(about, dict) else {}
    return found, texts


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)
