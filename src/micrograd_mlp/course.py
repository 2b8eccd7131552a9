"""A training run on its way: what has come of it so far, as a state that is kept, and what it depends on."""

from __future__ import annotations

import math
import random
import re
from dataclasses import astuple, dataclass, field
from typing import Any

import numpy as np

from .checkpoints import State, fingerprint, restore, state_of
from .engines import COURSE, Compiled, Interpreted, layers_of
from .history import COLUMNS, Callback, Epoch, History

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Samples:
    """Samples X (n by n_in) with their targets y and, unless all count the same, their weights, of mean 1."""

    X: Array
    y: Array
    weights: Array | None = None


@dataclass
class Course:
    """A run on its way: what it is made of, and what has come of it, which its checkpoints keep."""

    steps: Interpreted | Compiled
    rng: random.Random | np.random.Generator
    callbacks: list[Callback]
    best: list[float]  # the weights of the lowest loss
    best_loss: float = math.inf
    best_epoch: int = 0
    history: History = field(default_factory=History)

    @property
    def kept(self) -> list[Any]:
        """The callbacks that have a state."""
        return [each for each in self.callbacks if hasattr(each, "state_dict") and hasattr(each, "load_state_dict")]

    def state(self) -> State:
        """Return all that decides how the run goes on."""
        task, rule, history = self.steps.task, self.steps.task.rule, self.history
        count = len(task.parameters)
        return State(
            weights=np.array(task.numbers(), dtype=np.float64),
            good=np.array(self.steps.before_last(), dtype=np.float64),
            best=np.array(self.best, dtype=np.float64),
            best_loss=self.best_loss,
            best_epoch=self.best_epoch,
            frozen=tuple(parameter.frozen for parameter in task.parameters),
            memories=np.array(list(rule.memories), dtype=np.float64).reshape(count, -1).T.copy(),
            steps=rule.steps,
            lr=rule.lr,
            rng=state_of(self.rng),
            history=np.array([astuple(epoch) for epoch in history.epochs], dtype=np.float64),
            ended=() if history.goes_on else (history.reason, history.message),
            callbacks=tuple(each.state_dict() for each in self.kept),
        )

    def go_on(self, state: State) -> None:
        """Bring the run to where another one was."""
        task, rule = self.steps.task, self.steps.task.rule
        found = len(state.weights), len(state.memories), len(state.callbacks)
        needed = len(task.parameters), len(rule.memory), len(self.kept)
        if found != needed:
            raise ValueError(f"it holds {found} parameters, memories of each, and callbacks; the run has {needed}")
        if state.history.shape[1] != len(COLUMNS) or not np.isfinite(state.history[:, 0]).all():
            raise ValueError(f"its history has rows of {', '.join(COLUMNS)}, the first of them finite")
        restore(self.rng, state.rng)
        for parameter, number, frozen in zip(task.parameters, state.weights.tolist(), state.frozen, strict=True):
            parameter.data, parameter.frozen = number, frozen
        rule.memories = [tuple(memory) for memory in state.memories.T.tolist()]
        rule.steps, rule.lr = state.steps, state.lr
        self.best, self.best_loss, self.best_epoch = state.best.tolist(), state.best_loss, state.best_epoch
        self.history.epochs[:] = [Epoch(int(row[0]), *row[1:]) for row in state.history.tolist()]
        if state.ended:
            self.history.end(*state.ended)
        for callback, kept in zip(self.kept, state.callbacks, strict=True):
            try:
                callback.load_state_dict(kept)
            except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError):
                raise ValueError(f"what it kept of {type(callback).__name__} is of another kind than needed") from None
        self.steps.start_from(state.good.tolist())


def about(course: Course, train: Samples, test: Samples, steps: int) -> dict[str, Any]:
    """Return what a run of so many steps depends on beside its options, as JSON can hold it."""
    task = course.steps.task
    rule, spread = task.rule, range(0, steps, max(1, steps // 100))
    knobs = ", ".join(f"{name}={_told(value)}" for name, value in vars(rule).items() if name not in COURSE)
    return {
        "model": layers_of(task.model) or f"{_told(task.model)} with {len(task.parameters)} parameters",
        "X": fingerprint(train.X),
        "y": fingerprint(train.y),
        "weights": fingerprint(train.weights),
        "X_test": fingerprint(test.X),
        "y_test": fingerprint(test.y),
        "weights_test": fingerprint(test.weights),
        "optimizer": f"{type(rule).__name__}({knobs})",
        "lr": rule.lr,
        "rates": fingerprint(np.array([rule.schedule(step) for step in spread])),
        "l1": task.l1,
        "l2": task.l2,
        "penalized": None if task.penalized is None else [value.label for value in task.penalized],
        "batch_size": task.batch,
        "engine": course.steps.name,
        "callbacks": [type(each).__name__ for each in course.kept],
    }


def _told(thing: Any) -> str:
    return re.sub(r" at 0x[0-9A-Fa-f]+", "", repr(thing))
