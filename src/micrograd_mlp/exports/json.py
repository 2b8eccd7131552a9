"""A model as JSON: all numbers and names, in ASCII, exact to the bit."""

from __future__ import annotations

import json

from ..archive import MODEL
from ..trained import Trained
from .plain import Files, Plain

FORMULA = "x = (point - mean) / deviation; for each layer: x = activation(weight x + bias)"
LAST = (
    "; one score s stands for the scores [0, s]; p = exp(scores - max scores) / sum exp(scores - max scores)",
    "; what the last layer gives is the targets",
)


def files(trained: Trained, name: str) -> Files:
    """Return the JSON text of a model."""
    plain = Plain.of(trained)
    content = {
        "format": MODEL.key,
        "version": MODEL.version,
        "formula": FORMULA + LAST[plain.regression],
        **plain.names,
        "scaling": {"mean": plain.mean, "deviation": plain.deviation},
        "layers": [
            {"activation": layer.activation, "weight": layer.weight.tolist(), "bias": layer.bias.tolist()}
            for layer in plain.layers
        ],
    }
    return {"": json.dumps(content, indent=1, allow_nan=False) + "\n"}
