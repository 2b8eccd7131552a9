"""A classifier from a JSON export."""

from __future__ import annotations

import json
from pathlib import Path

from ..archive import MODEL
from ..classifier import Classifier, Scaling
from .parts import assemble


def from_json(path: str | Path) -> Classifier:
    """Return the classifier in a file that `export` wrote as JSON. Raises ValueError if it is none, and OSError."""
    text = Path(path).read_bytes()
    try:
        content = json.loads(text)
        if content["format"] != MODEL.key or content["version"] > MODEL.version:
            raise ValueError(f"it is {content['format']!r:.30}, version {content['version']!r:.30}")
        layers, scaling = content["layers"], content["scaling"]
        return assemble(
            [layer["weight"] for layer in layers],
            [layer["bias"] for layer in layers],
            [layer["activation"] for layer in layers],
            features=content["features"],
            classes=content["classes"],
            scaling=Scaling([*map(float, scaling["mean"])], [*map(float, scaling["deviation"])]),
        )
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError, OverflowError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"{path} is no JSON export of {MODEL.key}, version {MODEL.version}: {reason}") from None
