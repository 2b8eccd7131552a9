"""A model as JSON: all numbers and names, in ASCII, exact to the bit."""

from __future__ import annotations

import json

from ..archive import MODEL
from ..classifier import Classifier
from .plain import Files, Plain

FORMULA = (
    "x = (point - mean) / deviation; for each layer: x = activation(weight x + bias); one score s stands for the scores"
    " [0, s]; p = exp(scores - max scores) / sum exp(scores - max scores)"
)


def files(classifier: Classifier, name: str) -> Files:
    """Return the JSON text of a classifier."""
    plain = Plain.of(classifier)
    content = {
        "format": MODEL.key,
        "version": MODEL.version,
        "formula": FORMULA,
        **plain.names,
        "scaling": {"mean": plain.mean, "deviation": plain.deviation},
        "layers": [
            {"activation": layer.activation, "weight": layer.weight.tolist(), "bias": layer.bias.tolist()}
            for layer in plain.layers
        ],
    }
    return {"": json.dumps(content, indent=1, allow_nan=False) + "\n"}
