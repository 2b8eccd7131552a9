"""What the page is told: the state, when something beside the numbers has changed, and frames while training runs."""

from __future__ import annotations

import base64
import math
from dataclasses import asdict
from typing import Any

import numpy as np

from . import maps
from .features import FEATURES
from .points_text import to_text
from .run import Run

MOST_UNIT_BYTES = 100_000  # of all small maps of a frame; of more units, the maps are coarser


def state_of(run: Run) -> dict[str, Any]:
    """Return everything that does not change while training runs."""
    s, points = run.settings, run.points
    query = s.to_query()
    own = to_text(points) if run.edited else ""
    return {
        "settings": asdict(s),
        "query": "&".join(part for part in (query, f"points={own}" if own else "") if part),
        "edited": run.edited,
        "playing": run.playing,
        "ended": run.ended,
        "message": run.message,
        "outputs": s.outputs,
        "count": s.count,
        "sizes": [len(s.features), *s.sizes],
        "inputs": [FEATURES[name][1] for name in s.features],
        "activations": list(s.activations),
        "parameters": s.parameters,
        "ready": run.machine is not None,
        "backend": run.machine.backend if run.machine else "",
        "reach": points.reach,
        "scaling": {"mean": points.scaling.mean, "deviation": points.scaling.deviation},
        "axes": list(points.features),
        "classes": list(points.classes),
        "points": {
            "x": _text(points.X.astype("<f4")),
            "y": _text(points.y.astype("<f4")),
            "held": _text(points.held.astype(np.uint8)),
        },
    }


class Frames:
    """Makes the frames of a run, each with what is new in the history since the one before."""

    def __init__(self) -> None:
        self.unit: int | None = None  # whose map is shown large: features first, then layer by layer
        self._sent, self._begins = 0, -1

    def restart(self) -> None:
        """Send the whole history again with the next frame: somebody new reads on."""
        self._sent, self._begins = 0, -1

    def make(self, run: Run) -> dict[str, Any]:
        """Return the numbers of this moment, the maps and the new rows of the history."""
        frame: dict[str, Any] = {"epoch": run.epoch, "playing": run.playing, "version": run.version}
        if run.history_begins != self._begins or self._sent > len(run.history.epochs):
            self._sent, self._begins, frame["clear"] = 0, run.history_begins, True
        rows, self._sent = run.history.epochs[self._sent :], len(run.history.epochs)
        frame["rows"] = [[_plain(number) for number in asdict(row).values()] for row in rows]
        if run.history.epochs:
            frame["now"] = {name: _plain(number) for name, number in asdict(run.history.epochs[-1]).items()}
        if run.machine:
            frame |= self._pictures(run)
        return frame

    def _pictures(self, run: Run) -> dict[str, Any]:
        machine, reach = run.machine, run.points.reach
        assert machine is not None
        fine = maps.grid(reach, maps.FINE)
        units = sum(run.settings.sizes) + len(run.settings.features)
        cells = max(6, min(maps.COARSE, math.isqrt(MOST_UNIT_BYTES // units)))
        frame: dict[str, Any] = {
            "confusion": run.confusion,
            "weights": _text(np.array(machine.weights(), dtype="<f4")),
            "cells": cells,
            "units": _text(maps.fitted(machine.units(maps.grid(reach, cells)))),
        }
        if self.unit is not None and self.unit < units:
            shades, winner = maps.fitted(machine.units(fine)[self.unit]), None
        else:
            shades, winner = maps.of_scores(machine.outputs(fine), run.settings.loss)
        frame["map"] = _text(shades)
        if winner is not None:
            frame["winner"] = _text(winner)
        return frame


def _text(numbers: np.ndarray[Any, np.dtype[Any]]) -> str:
    return base64.b64encode(np.ascontiguousarray(numbers).tobytes()).decode()


def _plain(number: float) -> float | None:
    return number if math.isfinite(number) else None
