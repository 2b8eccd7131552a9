"""The ways to take the steps of an epoch: by the graph of every batch, or compiled, the whole epoch in one call.

Each keeps two sets of weights: `good`, the last ones whose loss and gradients were finite, and `reached`, those after
the last whole step.
"""

from __future__ import annotations

import gc
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from time import perf_counter
from typing import Any

import numpy as np

from . import losses
from .anomaly import describe, detect_anomaly, first_non_finite
from .engine import Constant, Value, grad
from .optim import Optimizer

Array = np.ndarray[Any, np.dtype[Any]]
SampleLoss = Callable[[Any, Any], Any]
Batches = Sequence[Sequence[int]]
CHUNK = 0.1  # seconds that compiled steps may take before Ctrl-C and the progress bar have their turn


@dataclass(frozen=True)
class Task:
    """What is trained: a model on samples X with targets y, by a rule, for a loss of a sample and two penalties."""

    model: Any
    parameters: list[Value]
    X: Array
    y: Array
    sample_loss: SampleLoss
    rule: Optimizer
    l1: float = 0.0
    l2: float = 0.0
    batch: int = 0  # samples a step, about

    def objective(self, each: Any) -> Any:
        """Return the mean of the losses of `each` sample, with the penalties."""
        value = losses.mean(each)
        value = value + self.l1 * losses.l1(self.parameters) if self.l1 else value
        return value + self.l2 * losses.l2(self.parameters) if self.l2 else value

    def loss(self, x: Any, target: Any) -> Any:
        """Return the loss of a sample."""
        return self.sample_loss(self.model(x), target)

    def weights(self) -> list[float]:
        """Return the number in each parameter."""
        return [parameter.data for parameter in self.parameters]


class Interpreted:
    """Builds the graph of each batch, and walks it back."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.good = self.reached = task.weights()
        self._samples = [[Constant(x) for x in row] for row in task.X.tolist()]
        self._targets = task.y.tolist()

    def take(self, batches: Batches) -> str:
        """Take a step for each batch; return what is inf or nan, or ""."""
        with paused_collector():
            for batch in batches:
                self.task.rule.zero_grad()
                if problem := self.differentiate(batch):
                    return problem
                self.good = self.task.weights()
                self.task.rule.step()
                self.reached = self.task.weights()
        return ""

    def differentiate(self, batch: Sequence[int]) -> str:
        """Fill in the gradients for a batch and return ""; if it or one of them is not finite, what made it so."""
        objective = self.task.objective([self.task.loss(self._samples[i], self._targets[i]) for i in batch])
        if bad := first_non_finite(objective) if not math.isfinite(objective.data) else None:
            return describe(bad)
        objective.backward()
        if all(math.isfinite(parameter.grad) for parameter in self.task.parameters):
            return ""
        for parameter in self.task.parameters:
            parameter.grad = 0
        try:
            with detect_anomaly():
                objective.backward()
        except FloatingPointError as error:
            return str(error)
        return "a gradient is inf or nan"


class Compiled:
    """Takes the steps of an epoch in one call of code compiled from the step of one batch."""

    def __init__(self, task: Task, backend: str, threads: int = 1) -> None:
        self.task = task
        self.good = self.reached = task.weights()
        self._backend, self._threads = backend, threads
        self._seconds = 0.0  # that a step takes
        self._steps, self._frozen = self._compile(), self._is_frozen()
        self._before: tuple[Any, ...] | None = None  # where the latest chunk began, and its batches

    def take(self, batches: Batches) -> str:
        """Take a step for each batch; return what is inf or nan, or ""."""
        if self._frozen != self._is_frozen():
            self._steps, self._frozen = self._compile(), self._is_frozen()
        taken = 0
        while taken < len(batches):
            many = max(1, int(CHUNK / self._seconds)) if self._seconds else len(batches)
            chunk = batches[taken : taken + many]
            if problem := self._chunk(chunk):
                return problem
            taken += len(chunk)
        return ""

    def _chunk(self, batches: Batches) -> str:
        state = np.array([*self.task.weights(), *self._memories()])
        start = perf_counter()
        done, finite = self._run(state, batches)
        self._seconds = (perf_counter() - start) / len(batches)
        self._leave(self._steps.state, done)
        if finite:
            self._before = state, batches
            return ""
        if done or self._before:
            begin, earlier = (state, batches[:done]) if done else self._before  # type: ignore[misc]
            self._run(begin, earlier[:-1], self.task.rule.steps - len(earlier))
            self.good = self._steps.state[: len(self.task.parameters)].tolist()
        return Interpreted(self.task).differentiate(batches[done]) or "a loss or a gradient is inf or nan"

    def _run(self, state: Array, batches: Batches, first: int | None = None) -> tuple[int, bool]:
        """Take steps from this state on; return how many were taken, and whether all were finite."""
        rule, steps = self.task.rule, self._steps
        steps.state = state
        if not batches:
            return 0, True
        first = rule.steps if first is None else first
        knobs = [(rule.lr * rule.schedule(k), k + 1.0) for k in range(first, first + len(batches))]
        watched = steps.run(np.concatenate(batches), np.cumsum([0, *map(len, batches)]), knobs)
        finite = bool(np.isfinite(watched[-1]).all())
        return len(watched) - (not finite), finite

    def _leave(self, state: Array, done: int) -> None:
        """Bring the state into the parameters and the rule."""
        numbers, count = state.tolist(), len(self.task.parameters)
        for parameter, number in zip(self.task.parameters, numbers, strict=False):
            parameter.data = number
        self.task.rule.memories = self._memories_of(numbers[count:])
        self.task.rule.steps += done
        self.reached = self.task.weights()

    def _memories(self) -> list[float]:
        """Return the first number in the memory of each parameter, then the second ones: so they are arrays."""
        return [number for column in zip(*self.task.rule.memories, strict=True) for number in column]

    def _memories_of(self, numbers: Any) -> list[tuple[Any, ...]]:
        count = len(self.task.parameters)
        return [tuple(numbers[place::count]) for place in range(count)]

    def _is_frozen(self) -> list[bool]:
        return [parameter.frozen for parameter in self.task.parameters]

    def _compile(self) -> Any:
        from .compiler import vmap
        from .compiler.steps import Steps

        task, parameters, rule = self.task, self.task.parameters, self.task.rule

        def step(state: Any, X: Any, y: Any, lr: Any, count: Any) -> tuple[list[Any], list[Any]]:
            loss = task.objective(vmap(task.loss)(X, y))
            slopes = grad(loss, parameters)
            memories = self._memories_of(state[len(parameters) :])
            values, memories = rule.update(parameters, slopes, memories, lr, count)
            values = [old if old.frozen else new for old, new in zip(parameters, values, strict=True)]
            finite = losses.total(0.0 * slope for slope in slopes)  # nan if one of them is not
            return [loss, finite], [*values, *(number for column in zip(*memories, strict=True) for number in column)]

        state = [*task.weights(), *self._memories()]
        columns = [task.X, task.y.astype(np.float64)]
        return Steps(
            step, state, columns, 2, bound=parameters, backend=self._backend, threads=self._threads, batch=task.batch
        )

    def take_samples(self, X: Array, y: Array) -> None:
        """Train on these samples from now on, in place of those of the task."""
        self.task, self._before = replace(self.task, X=X, y=y), None
        self._steps.take_columns([X, y])

    def measure(self) -> Callable[[Array, Array], tuple[Array, Array]]:
        """Return the function of X and y that gives the scores (n, outputs) and the loss of each sample, compiled."""
        from .compiler import jit, vmap

        def of_sample(x: Any, target: Any) -> tuple[Any, Any]:
            scores = self.task.model(x)
            return scores if isinstance(scores, list | tuple) else [scores], self.task.sample_loss(scores, target)

        run = jit(vmap(of_sample), backend=self._backend)
        return lambda X, y: run(X, y.astype(np.float64))


ENGINES: dict[str, Callable[[Task, int], Interpreted | Compiled]] = {
    "python": lambda task, threads: Interpreted(task),
    "numpy": lambda task, threads: Compiled(task, "numpy"),
    "native": lambda task, threads: Compiled(task, "llvm", threads),
}


def engine_of(name: str | None, task: Task, threads: int = 1) -> Interpreted | Compiled:
    """Return the engine of this name; if None, native code where llvmlite is installed and the code can be compiled."""
    if name is not None:
        return ENGINES[name](task, threads)
    if find_spec("llvmlite") is None:
        return Interpreted(task)
    try:
        return Compiled(task, "llvm", threads)
    except (TypeError, ValueError) as error:
        _say_once(f"training interprets this model, as it cannot be compiled: {error}")
        return Interpreted(task)


@cache
def _say_once(what: str) -> None:
    warnings.warn(what, RuntimeWarning, stacklevel=4)


@contextmanager
def paused_collector() -> Iterator[None]:
    """Within this block, Python's cyclic garbage collector rests; then it is as it was, however the block ends.

    Graphs hold no cycles and are freed without it, but it would search each one many times while it is built.
    """
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()
