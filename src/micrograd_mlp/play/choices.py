"""What there is to choose from, as the page needs it to show its controls: names, limits, words, small pictures."""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from typing import Any

import numpy as np

from ..nn import ACTIVATIONS, INITS
from ..optim import OPTIMIZERS, SCHEDULES
from . import problems, settings
from .features import FEATURES

_SHOWN = 90  # points in the picture of a problem


@cache
def choices() -> dict[str, Any]:
    """Return the names of everything that can be chosen, the limits, and what each setting means."""
    return {
        "kinds": list(settings.LOSSES),
        "losses": {kind: list(losses) for kind, losses in settings.LOSSES.items()},
        "problems": [_picture(name) for name in problems.PROBLEMS],
        "features": [{"name": name, "label": label} for name, (_, label, _) in FEATURES.items()],
        "activations": list(ACTIVATIONS),
        "inits": ["auto", *INITS],
        "optimizers": list(OPTIMIZERS),
        "schedules": list(SCHEDULES),
        "meanings": {each.name: each.metadata["meaning"] for each in fields(settings.Settings)},
        "most": {
            "points": settings.MOST_POINTS,
            "layers": settings.MOST_LAYERS,
            "neurons": settings.MOST_NEURONS,
            "classes": settings.MOST_CLASSES,
        },
    }


def _picture(name: str) -> dict[str, Any]:
    """Return a problem with a few of its points: coordinates from -1 to 1, and class or target."""
    problem = problems.PROBLEMS[name]
    X, y = problem.make(n=_SHOWN, noise=0.3 if name == "blobs" else 0.04, seed=1)
    X = X - (X.max(axis=0) + X.min(axis=0)) / 2
    X = X / np.abs(X).max()
    return {
        "name": name,
        "kind": problem.kind,
        "points": [
            [round(float(a), 2), round(float(b), 2), round(float(t), 2)] for (a, b), t in zip(X, y, strict=True)
        ],
    }
