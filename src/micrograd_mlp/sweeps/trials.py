"""A trial: one training run of a sweep, from its options to its score, on whatever machine it runs."""

from __future__ import annotations

import math
import pickle
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from .. import __version__
from ..experiment import Points, Run, begin, scores, train
from ..options import Options
from .space import Values


@dataclass(frozen=True)
class Trial:
    """A training run to be made: its number (from 1), that of its configuration, the rung it stands on, and options.

    `values` are the options that vary, and that make the configuration.
    """

    number: int
    configuration: int
    rung: int
    values: Values
    options: Options


@dataclass(frozen=True)
class Outcome:
    """What came of a trial: how it ended (a reason of History), after how many epochs, and how well it does.

    Accuracies (shares of 1) and losses are on the points that it learned from, and on those held out for the ranking.
    """

    ended: str
    epochs: int
    accuracy: float
    loss: float
    held_accuracy: float
    held_loss: float
    seconds: float = field(compare=False)

    @property
    def diverged(self) -> bool:
        """Whether a loss or a gradient became inf or nan; the scores are then those of the last good weights."""
        return self.ended == "diverged"


@dataclass(frozen=True)
class Ground:
    """The points that all trials of a sweep learn from and are ranked by, and their names."""

    points: Points
    features: tuple[str, ...]
    classes: tuple[str, ...]


def make(options: Options, ground: Ground, until: float = math.inf) -> Run | None:
    """Return the run of a trial, when it is done; None if that would take longer than `until` on the clock.

    It computes on one thread, so that trials can stand side by side, and comes to the same bits wherever it runs.
    """
    late = False

    def ends(*_: Any) -> bool:
        nonlocal late
        late = perf_counter() > until
        return late

    with _one_thread():
        done = train(begin(options, ground.points, ground.features, ground.classes), [ends])
    if done.history.reason == "interrupted":
        raise KeyboardInterrupt
    return None if late and done.history.reason == "callback" else done


def outcome_of(done: Run) -> Outcome:
    """Return what came of the run of a trial."""
    with _one_thread():
        found = scores(done)
    learned, held = found["learned from"], found["held out"]
    history = done.history
    return Outcome(
        history.reason, len(history.epochs), learned.accuracy, learned.loss, held.accuracy, held.loss, done.seconds
    )


def run_remote(number: int, options: Options, ground: bytes, version: str) -> tuple[int, Outcome]:
    """Run a trial in a worker: return its number and what came of it. `ground` is pickled by the process that asks.

    Raises RuntimeError if the worker has another `version` of this package.
    """
    if version != __version__:
        raise RuntimeError(f"it has micrograd-mlp {__version__}")
    done = make(options, pickle.loads(ground))
    assert done is not None
    return number, outcome_of(done)


_LOCK = threading.Lock()
_LIMITS: list[Any] = []  # the limit on threads that is in force, once for each trial in this process


@contextmanager
def _one_thread() -> Iterator[None]:
    """Within this block, and others at the same time, the libraries under NumPy compute on one thread."""
    from threadpoolctl import threadpool_limits

    with _LOCK:
        _LIMITS.append(_LIMITS[0] if _LIMITS else threadpool_limits(1))
    try:
        yield
    finally:
        with _LOCK:
            limit = _LIMITS.pop()
            if not _LIMITS:
                limit.restore_original_limits()
