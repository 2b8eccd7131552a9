"""A model from a JSON export."""

from __future__ import annotations

from pathlib import Path

from ..archive import MODEL
from ..classifier import Classifier
from ..names import clean, told
from ..reading import json_of, reason_of
from ..regressor import Regressor
from ..trained import Scaling, numbers_of
from .parts import assemble


def from_json(path: str | Path) -> Classifier | Regressor:
    """Return the model in a file that `export` wrote as JSON. Raises ValueError if it is none, and OSError."""
    text = Path(path).read_bytes()
    try:
        content = json_of(text)
        if content["format"] != MODEL.key or content["version"] > MODEL.version:
            raise ValueError(f"it is {told(content['format'], 30)}, version {told(content['version'], 30)}")
        layers, scaling = content["layers"], content["scaling"]
        return assemble(
            [layer["weight"] for layer in layers],
            [layer["bias"] for layer in layers],
            [layer["activation"] for layer in layers],
            features=content["features"],
            **{key: content[key] for key in (("targets",) if "targets" in content else ("classes",))},
            scaling=Scaling(numbers_of(scaling["mean"]), numbers_of(scaling["deviation"])),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        name = clean(str(path), 200)
        raise ValueError(
            f"{name} is no JSON export of {MODEL.key}, version {MODEL.version}: {reason_of(error)}"
        ) from None
