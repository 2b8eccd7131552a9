"""What can be taken home from a run, and brought back: the session as JSON, the model as safetensors, the history."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ..checks import checked, number, text, whole
from ..classifier import Classifier, Scaling
from ..regressor import Regressor
from ..training import Epoch
from .features import FEATURES
from .points_text import from_text
from .problems import Points
from .run import LARGEST, Run
from .settings import MOST_CLASSES, MOST_POINTS, Settings

FORMAT, VERSION = "micrograd-mlp playground", 1
_NUMBER = number(-1e9, 1e9)


def run_of_query(query: str) -> Run:
    """Return the run that the query of an address describes, own points included. Raises ValueError."""
    kept = [part for part in query.removeprefix("?").removeprefix("#").split("&") if part]
    points = [part.removeprefix("points=") for part in kept if part.startswith("points=")]
    settings = Settings.from_query("&".join(part for part in kept if not part.startswith("points=")))
    if not points or settings.problem != "own":
        return Run(settings)
    plane = from_text(points[0], settings.kind, settings.classes)
    return Run(settings, plane.split(settings.test_share, settings.seed))


def session_of(run: Run) -> str:
    """Return a session as JSON: settings, points where they are the user's own, weights and history."""
    machine = run.machine
    return json.dumps(
        {
            "format": FORMAT,
            "version": VERSION,
            "settings": asdict(run.settings),
            "points": _points(run.points) if run.edited else None,
            "epoch": run.epoch,
            "start": run.start,
            "weights": machine.weights() if machine else [],
            "memories": [list(memory) for memory in machine.rule.memories] if machine else [],
            "steps": machine.rule.steps if machine else 0,
            "order": list(run.rng.getstate()[1]),
            "history": [[_plain(n) for n in asdict(row).values()] for row in run.history.epochs],
        }
    )


def run_of_session(document: Mapping[str, Any]) -> Run:
    """Return the run in a saved session, to go on where it was. Raises ValueError for what is none."""
    if document.get("format") != FORMAT:
        raise ValueError(f"this file is no saved session: its format is {document.get('format')!r:.40}, not {FORMAT!r}")
    if document.get("version") != VERSION:
        raise ValueError(f"this session is of version {document.get('version')!r:.20}; version {VERSION} is read here")
    settings = Settings.of(document.get("settings") or {})
    own = document.get("points")
    run = Run(settings, _points_of(own, settings) if own is not None else None)
    if run.machine:
        machine, count = run.machine, len(run.machine.parameters)
        run.start = _numbers(document, "start", count, LARGEST)
        machine.load(_numbers(document, "weights", count, LARGEST))
        memories = document.get("memories")
        if not isinstance(memories, list) or len(memories) != count:
            raise ValueError(f"memories takes a list for each of {count} parameters")
        width = len(machine.rule.memory)
        machine.rule.memories = [tuple(_list("memories", each, width, 1e300)) for each in memories]
        machine.rule.steps = checked("steps", whole(0, 10**12), document.get("steps"))
        run.epoch = checked("epoch", whole(0, 10**9), document.get("epoch"))
        run.history.epochs = [_epoch(row) for row in _rows(document.get("history"))]
        run.rng.setstate(_order(document.get("order")))
    return run


def model_of(run: Run) -> bytes:
    """Return the trained network as the content of a safetensors file, of a Classifier or of a Regressor.

    The inputs that it takes are the features of the network. Where these are x1 and x2 alone they come in the units of
    the data; others are computed from x1 and x2 in the plane, that is (x - mean) / deviation, as `about` says. Targets
    are those of the plane. Raises ValueError where there is no network yet.
    """
    s, points = run.settings, run.points
    if run.machine is None:
        raise ValueError("there is no network yet; it comes with the first points")
    places = {"x1": 0, "x2": 1}
    scaling = Scaling(
        [points.scaling.mean[places[name]] if name in places else 0.0 for name in s.features],
        [points.scaling.deviation[places[name]] if name in places else 1.0 for name in s.features],
    )
    names = tuple(points.features[places[name]] if name in places else FEATURES[name][2] for name in s.features)
    about = {"epochs": run.epoch, "settings": s.to_query(), "plane": asdict(points.scaling)}
    model: Any = run.machine.network
    trained = (
        Classifier(model, scaling, names, points.classes, about)
        if s.kind == "classification"
        else Regressor(model, scaling, names, ("y",), about)
    )
    with tempfile.TemporaryDirectory() as folder:
        return trained.save(Path(folder, "model.safetensors")).read_bytes()


def _points(points: Points) -> dict[str, Any]:
    return {
        "x": points.X.tolist(),
        "y": points.y.tolist(),
        "held": points.held.tolist(),
        "mean": points.scaling.mean,
        "deviation": points.scaling.deviation,
        "reach": points.reach,
        "features": list(points.features),
        "classes": list(points.classes),
    }


def _points_of(found: Any, settings: Settings) -> Points:
    if not isinstance(found, dict):
        raise ValueError("points takes an object with x, y, held and the plane")
    X, y, held = found.get("x"), found.get("y"), found.get("held")
    if not isinstance(X, list) or not isinstance(y, list) or not isinstance(held, list):
        raise ValueError("points takes lists x, y and held")
    if not len(X) == len(y) == len(held) <= MOST_POINTS:
        raise ValueError(f"points takes at most {MOST_POINTS} x, y and held, as many of each")
    if not all(isinstance(each, bool) for each in held) or (held and all(held)):
        raise ValueError("held takes true or false for each point, false for one at least")
    classes = [] if settings.kind == "regression" else _names(found, "classes", settings.count)
    if settings.problem != "own" or (classes and not 2 <= len(classes) <= MOST_CLASSES):
        raise ValueError("points of one's own go with problem own, and a name for each class")
    mean, deviation = _list("mean", found.get("mean"), 2, 1e12), _list("deviation", found.get("deviation"), 2, 1e12)
    if min(deviation) <= 0:
        raise ValueError("deviation takes two numbers above 0")
    reach = checked("reach", number(0, 1000, above=True), found.get("reach"))
    names = tuple(_names(found, "features", 2))
    targets = np.zeros(0, dtype=np.int64 if classes else np.float64)
    plane = Points(
        np.zeros((0, 2)), targets, np.zeros(0, dtype=bool), Scaling(mean, deviation), reach, names, tuple(classes)
    )
    numbers = [[*_list("x", row, 2, 1000), checked("y", _NUMBER, target)] for row, target in zip(X, y, strict=True)]
    points = plane.add(np.array(numbers, dtype=np.float64).reshape(-1, 3), MOST_POINTS)
    points.held[:] = held
    return points


def _names(found: Mapping[str, Any], name: str, count: int) -> list[str]:
    names = found.get(name)
    if not isinstance(names, list) or len(names) != count:
        raise ValueError(f"{name} takes {count} names, got {names!r:.80}")
    return [checked(name, text, each)[:80] for each in names]


def _numbers(document: Mapping[str, Any], name: str, count: int, largest: float) -> list[float]:
    return _list(name, document.get(name), count, largest)


def _list(name: str, numbers: Any, count: int, largest: float) -> list[float]:
    if not isinstance(numbers, list) or len(numbers) != count:
        raise ValueError(f"{name} takes a list of {count} numbers, got {numbers!r:.80}")
    return [checked(name, number(-largest, largest), each) for each in numbers]


def _rows(rows: Any) -> list[Any]:
    if not isinstance(rows, list) or not 1 <= len(rows) <= MOST_POINTS:
        raise ValueError(f"history takes a list of rows, got {rows!r:.80}")
    return rows


def _epoch(row: Any) -> Epoch:
    if not isinstance(row, list) or len(row) != 6:
        raise ValueError(f"a row of the history has six numbers, got {row!r:.80}")
    first, *others = [float("nan") if each is None else checked("history", number(-1e300, 1e300), each) for each in row]
    return Epoch(checked("history", whole(0, 10**9), first), *others)


def _order(state: Any) -> tuple[int, tuple[int, ...], None]:
    """Return the state of Python's random numbers: 624 words and a place among them."""
    if not isinstance(state, list) or len(state) != 625:
        raise ValueError("order takes 625 whole numbers")
    words = [checked("order", whole(0, 2**32 - 1), each) for each in state]
    return 3, (*words[:-1], checked("order", whole(1, 624), words[-1])), None


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None
