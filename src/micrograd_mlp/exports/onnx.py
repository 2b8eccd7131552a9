"""A model as ONNX, opset 18: points (n, features) in, scores and probabilities out, or predictions."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np

from ..archive import MODEL
from ..trained import Trained
from .plain import Files, Plain

OPSET, IR = 18, 8  # old enough for most runtimes; the package's own default for IR is not


class _Graph:
    """Nodes one after the other, each output named by its number."""

    def __init__(self, helper: Any, numpy_helper: Any, dtype: str) -> None:
        self.helper, self.numpy_helper, self.dtype = helper, numpy_helper, dtype
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, name: str, numbers: Any, dtype: str = "") -> str:
        array = np.asarray(numbers, dtype=dtype or self.dtype)
        self.constants.append(self.numpy_helper.from_array(array, name))
        return name

    def node(self, op: str, *inputs: str, out: str = "", **attributes: Any) -> str:
        out = out or f"{op.lower()}{len(self.nodes)}"
        self.nodes.append(self.helper.make_node(op, list(inputs), [out], name=out, **attributes))
        return out


ACTIVATIONS: dict[str, Callable[[_Graph, str], str]] = {
    # Where rather than Relu, which takes nan for 0 in some runtimes, and LeakyRelu, whose slope is a float32
    "relu": lambda graph, a: graph.node("Where", graph.node("Less", a, "zero"), "zero", a),
    "leaky_relu": lambda graph, a: graph.node(
        "Where", graph.node("Greater", a, "zero"), a, graph.node("Mul", "leak", a)
    ),
    "tanh": lambda graph, a: graph.node("Tanh", a),
    "sigmoid": lambda graph, a: graph.node("Sigmoid", a),
    "sin": lambda graph, a: graph.node("Sin", a),
    "linear": lambda graph, a: a,
}


def files(trained: Trained, name: str, dtype: str = "float64") -> Files:
    """Return the ONNX file of a model, checked. Raises ValueError where the package onnx is not installed."""
    try:
        from onnx import TensorProto, checker, helper, numpy_helper
    except ImportError:
        raise ValueError("ONNX is written by the package onnx; pip install 'micrograd-mlp[onnx]'") from None
    plain, graph = Plain.of(trained, dtype), _Graph(helper, numpy_helper, dtype)
    graph.constant("zero", 0.0)
    graph.constant("leak", 0.01)
    centred = graph.node("Sub", "points", graph.constant("mean", plain.mean))
    x = graph.node("Div", centred, graph.constant("deviation", plain.deviation))
    for number, layer in enumerate(plain.layers):
        weight = graph.constant(f"layers.{number}.weight", layer.weight)
        x = graph.node("Gemm", x, weight, graph.constant(f"layers.{number}.bias", layer.bias), transB=1)
        x = ACTIVATIONS[layer.activation](graph, x)
    outs = ["predictions"] if plain.regression else ["scores", "probabilities"]
    x = graph.node("Identity", x, out=outs[0])
    if not plain.regression:
        if len(plain.layers[-1].bias) == 1:  # a score for the second of two classes; that of the first is 0
            x = graph.node("Pad", x, graph.constant("before", [0, 1, 0, 0], "int64"), "zero")
        graph.node("Softmax", x, out=outs[1], axis=1)
    used = {name for node in graph.nodes for name in node.input}
    real = TensorProto.DOUBLE if dtype == "float64" else TensorProto.FLOAT
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "regressor" if plain.regression else "classifier",
            [helper.make_tensor_value_info("points", real, ["n", len(plain.features)])],
            [
                helper.make_tensor_value_info(name, real, ["n", size])
                for name, size in zip(outs, (len(plain.layers[-1].bias), len(plain.outs)), strict=False)
            ],
            [constant for constant in graph.constants if constant.name in used],
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR,
        producer_name=MODEL.key,
    )
    helper.set_model_props(model, {MODEL.key: json.dumps(plain.names, sort_keys=True)})
    checker.check_model(model, full_check=True)
    return {"": model.SerializeToString(deterministic=True)}
