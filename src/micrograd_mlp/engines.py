"""The ways to take the steps of an epoch: by the graph of every batch, or compiled, the whole epoch in one call.

Each keeps two sets of weights: `good`, the last ones whose loss and gradients were finite, and `reached`, those after
the last whole step. `start_from` lets one go on where another has stopped.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from threading import Lock
from time import perf_counter
from typing import Any

import numpy as np

from . import losses, ops
from .anomaly import describe, detect_anomaly, first_non_finite
from .collector import paused_collector
from .engine import Constant, Value, grad
from .nn import ACTIVATIONS, MLP, Layer, Neuron
from .optim import OPTIMIZERS, Optimizer

Array = np.ndarray[Any, np.dtype[Any]]
SampleLoss = Callable[[Any, Any], Any]
Batches = Sequence[Sequence[int]]
CHUNK = 0.1  # seconds that compiled steps may take before Ctrl-C and the progress bar have their turn


@dataclass(frozen=True)
class Task:
    """What is trained: a model on samples X with targets y, by a rule, for a loss of a sample and two penalties.

    Each sample may have a weight, and the penalties may be on some parameters only.
    """

    model: Any
    parameters: list[Value]
    X: Array
    y: Array
    sample_loss: SampleLoss
    rule: Optimizer
    l1: float = 0.0
    l2: float = 0.0
    batch: int = 0  # samples a step, about
    weights: Array | None = None  # their mean is 1
    penalized: list[Value] | None = None  # None for all

    def objective(self, each: Any) -> Any:
        """Return the mean of the losses of `each` sample, with the penalties."""
        value = losses.mean(each)
        penalized = self.parameters if self.penalized is None else self.penalized
        value = value + self.l1 * losses.l1(penalized) if self.l1 else value
        return value + self.l2 * losses.l2(penalized) if self.l2 else value

    def loss(self, x: Any, target: Any, weight: Any = None) -> Any:
        """Return the loss of a sample, times its weight if there are any."""
        loss = self.sample_loss(self.model(x), target)
        return loss if weight is None else weight * loss

    @property
    def columns(self) -> tuple[Array, ...]:
        """The arguments of `loss`, an array of all samples each."""
        columns = self.X, self.y.astype(np.float64)
        return columns if self.weights is None else (*columns, self.weights)

    def numbers(self) -> list[float]:
        """Return the number in each parameter."""
        return [parameter.data for parameter in self.parameters]


class Interpreted:
    """Builds the graph of each batch, and walks it back."""

    name = "python"

    def __init__(self, task: Task) -> None:
        self.task = task
        self.good = self.reached = task.numbers()
        self.watched: list[float] = []  # the objective of each batch that was taken at last
        self._samples = [[Constant(x) for x in row] for row in task.X.tolist()]
        self._others = list(zip(*(each.tolist() for each in (task.y, task.weights) if each is not None), strict=True))

    def start_from(self, good: list[float]) -> None:
        """Go on from the numbers in the parameters; `good` are the weights to return to if their loss is not finite."""
        self.good, self.reached = good, self.task.numbers()

    def before_last(self) -> list[float]:
        """Return the weights before the last step: the last ones known to have a finite loss and gradients."""
        return self.good

    def take(self, batches: Batches, apart: bool = False) -> str:
        """Take a step for each batch; return what is inf or nan, or ""; each is `apart` from the others."""
        self.watched = []
        with paused_collector():
            for batch in batches:
                self.task.rule.zero_grad()
                if problem := self.differentiate(batch):
                    return problem
                self.good = self.task.numbers()
                self.task.rule.step()
                self.reached = self.task.numbers()
        return ""

    def differentiate(self, batch: Sequence[int]) -> str:
        """Fill in the gradients for a batch and return ""; if it or one of them is not finite, what made it so."""
        objective = self.task.objective([self.task.loss(self._samples[i], *self._others[i]) for i in batch])
        if bad := first_non_finite(objective) if not math.isfinite(objective.data) else None:
            return describe(bad)
        self.watched.append(objective.data)
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


class Memories(Sequence[tuple[float, ...]]):
    """What a rule remembers of each parameter, kept as an array with a column for each: `array`."""

    def __init__(self, array: Array) -> None:
        self.array = array

    def __len__(self) -> int:
        return int(self.array.shape[1])

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return list(self)[place]
        return tuple(self.array[:, place].tolist())

    def __setitem__(self, place: int, memory: tuple[float, ...]) -> None:
        self.array[:, place] = memory

    def __iter__(self) -> Iterator[tuple[float, ...]]:
        return iter(list(zip(*self.array.tolist(), strict=True)) or [()] * len(self))


class Compiled:
    """Takes the steps of an epoch in one call of code compiled from the step of one batch."""

    def __init__(self, task: Task, backend: str, threads: int = 1) -> None:
        self.task = task
        self.name = "native" if backend == "llvm" else backend
        self.good = self.reached = task.numbers()
        self._backend, self._threads = backend, threads
        self.watched: list[float] = []  # the objective of each batch that was taken at last
        self._seconds = 0.0  # that a step takes
        self._steps, self._frozen = self._compile(), self._is_frozen()
        self._before: tuple[Any, ...] | None = None  # where the latest chunk began, its batches and knobs

    def start_from(self, good: list[float]) -> None:
        """Go on from the numbers in the parameters; `good` are the weights to return to if their loss is not finite."""
        self.good, self.reached, self._before = good, self.task.numbers(), None

    def before_last(self) -> list[float]:
        """Return the weights before the last step: the last ones known to have a finite loss and gradients."""
        if self._before is None:
            return self.good
        (begin, batches, knobs), told = self._before, list(self.watched)
        self._run(begin, batches[:-1], knobs[:-1])
        self.watched = told
        numbers: list[float] = self._steps.state[: len(self.task.parameters)].tolist()
        return numbers

    def take(self, batches: Batches, apart: bool = False) -> str:
        """Take a step for each batch; return what is inf or nan, or "".

        With `apart` the last step is a call of its own, which makes `before_last` cheap.
        """
        if self._frozen != self._is_frozen():
            self.good, self._before = self.before_last(), None  # with the steps that were taken
            self._steps, self._frozen = self._compile(), self._is_frozen()
        taken, self.watched = 0, []
        while taken < len(batches):
            many = max(1, int(CHUNK / self._seconds)) if self._seconds else len(batches)
            last = len(batches) - 1
            chunk = batches[taken : min(taken + many, last) if apart and taken < last else taken + many]
            if problem := self._chunk(chunk):
                return problem
            taken += len(chunk)
        return ""

    def _chunk(self, batches: Batches) -> str:
        state, rule = self._state(), self.task.rule
        knobs = [(rule.lr * rule.schedule(k), k + 1.0) for k in range(rule.steps, rule.steps + len(batches))]
        start = perf_counter()
        done, finite = self._run(state, batches, knobs)
        self._seconds = (perf_counter() - start) / len(batches)
        self._leave(self._steps.state, done)
        if finite:
            self._before = state, batches, knobs
            return ""
        if done:
            self._before = state, batches[:done], knobs[:done]
        self.good = self.before_last()
        return Interpreted(self.task).differentiate(batches[done]) or "a loss or a gradient is inf or nan"

    def _run(self, state: Array, batches: Batches, knobs: Sequence[tuple[float, float]]) -> tuple[int, bool]:
        """Take steps from this state on, each with its rate and its number; return how many, and if all were finite."""
        steps = self._steps
        steps.state = state
        if not batches:
            return 0, True
        watched = steps.run(np.concatenate(batches), np.cumsum([0, *map(len, batches)]), knobs)
        self.watched += watched[:, 0].tolist()
        finite = bool(np.isfinite(watched[-1]).all())
        return len(watched) - (not finite), finite

    def _leave(self, state: Array, done: int) -> None:
        """Bring the state into the parameters and the rule."""
        count = len(self.task.parameters)
        self.reached = state[:count].tolist()
        for parameter, number in zip(self.task.parameters, self.reached, strict=True):
            parameter.data = number
        self.task.rule.memories = Memories(state[count:].reshape(-1, count).copy())
        self.task.rule.steps += done

    def _state(self) -> Array:
        """Return the parameters, then the first number in the memory of each of them, then the second ones."""
        memories = self.task.rule.memories
        if not isinstance(memories, Memories):
            memories = Memories(np.array(list(memories), dtype=np.float64).reshape(len(memories), -1).T)
        return np.concatenate([self.task.numbers(), memories.array.ravel()])

    def _memories_of(self, numbers: Any) -> list[tuple[Any, ...]]:
        count = len(self.task.parameters)
        return [tuple(numbers[place::count]) for place in range(count)]

    def _is_frozen(self) -> list[bool]:
        return [parameter.frozen for parameter in self.task.parameters]

    def _compile(self) -> Any:
        """Return the steps of the task: the code made for another one like it, if there was one."""
        return self._latest("steps", self._compiled).again(self._state(), self.task.columns)

    def _latest(self, what: str, make: Callable[[str], Any]) -> Any:
        """Return what was made for a task like this one, if it is among the latest; else what `make` makes.

        That gets a text that says all that the code depends on, or "".
        """
        task_key = key_of(self.task)
        key = None if task_key is None else (what, task_key, self._backend, self._threads)
        with _LOCK:
            known = _LATEST.pop(key, None)
            if known is not None:
                _LATEST[key] = known  # as the latest
        if known is not None:
            return known
        text = "" if task_key is None else text_of(task_key)
        with paused_collector():
            made = make(text and f"{what} {text}")
        if key is not None and made.is_closed:
            with _LOCK:
                _LATEST[key] = made
                while len(_LATEST) > KEPT:
                    del _LATEST[next(iter(_LATEST))]
        return made

    def _compiled(self, known: str) -> Any:
        from .compiler import vmap
        from .compiler.steps import Steps

        task, parameters = self.task, self.task.parameters

        def advance(state: Any, samples: Sequence[Any], lr: Any, count: Any) -> tuple[list[Any], list[Any]]:
            loss = task.objective(vmap(task.loss)(*samples))
            slopes = grad(loss, parameters)
            kept = self._memories_of(state[len(parameters) :])
            values, memories = self._updated(slopes, kept, lr, count)
            values = [old if old.frozen else new for old, new in zip(parameters, values, strict=True)]
            pairs = zip(parameters, kept, memories, strict=True)
            memories = [old if parameter.frozen else new for parameter, old, new in pairs]
            finite = losses.total(0.0 * slope for slope in slopes)  # nan if one of them is not
            return [loss, finite], [*values, *(number for column in zip(*memories, strict=True) for number in column)]

        def step(state: Any, X: Any, y: Any, lr: Any, count: Any) -> tuple[list[Any], list[Any]]:
            return advance(state, (X, y), lr, count)

        def weighted(state: Any, X: Any, y: Any, weights: Any, lr: Any, count: Any) -> tuple[list[Any], list[Any]]:
            return advance(state, (X, y, weights), lr, count)

        taken = step if task.weights is None else weighted
        steps = Steps(
            taken,
            self._state().tolist(),
            task.columns,
            2,
            bound=parameters,
            backend=self._backend,
            threads=self._threads,
            batch=task.batch,
            known=known,
        )
        return steps.again([], [column[:1].copy() for column in task.columns])

    def _updated(self, slopes: Any, memories: Any, lr: Any, count: Any) -> tuple[list[Any], list[Any]]:
        """Return the next values and memories of all parameters, symbols as `lr` is one."""
        from .compiler.alike import for_each

        rule, parameters = self.task.rule, self.task.parameters
        if not _is_ours(type(rule)):  # it may do something else for each
            return rule.update(parameters, slopes, memories, lr, count)

        def of_one(value: Any, slope: Any, memory: Any) -> Any:
            return rule.rule(value, slope, memory, lr, count)

        pairs = for_each(lr.tape, of_one, parameters, slopes, memories)
        return [value for value, _ in pairs], [memory for _, memory in pairs]

    def take_samples(self, X: Array, y: Array) -> None:
        """Train on these samples from now on, in place of those of the task."""
        self.good, self._before = self.before_last(), None
        self.task = replace(self.task, X=X, y=y)
        self._steps.take_columns([X, y])

    def measure(self) -> Callable[[Array, Array], tuple[Array, Array]]:
        """Return the function of X and y that gives the scores (n, outputs) and the loss of each sample, compiled."""
        run = self._latest("measure", self._measured)

        def measure(X: Array, y: Array) -> tuple[Array, Array]:
            rows = run(self.task.numbers(), X, y)
            return rows[:, :-1], rows[:, -1]

        return measure

    def _measured(self, known: str) -> Any:
        from .compiler.mapped import Mapped

        def of_sample(_: Any, x: Any, target: Any) -> list[Any]:
            scores = self.task.model(x)
            every = scores if isinstance(scores, list | tuple) else [scores]
            return [*every, self.task.sample_loss(scores, target)]

        task = self.task
        return Mapped(
            of_sample, task.numbers(), (task.X, task.y), bound=task.parameters, backend=self._backend, known=known
        )


_LATEST: dict[Any, Any] = {}  # what was compiled, by the key of its task, the latest last
_LOCK = Lock()
KEPT = 32  # programs


def key_of(task: Task) -> Any:
    """Return what the code for a task depends on, if this is known: a network as it was made, and rules by name."""
    layers = layers_of(task.model)
    rule = type(task.rule)
    known = layers and rule in OPTIMIZERS.values() and any(task.sample_loss is loss for loss in _LOSSES)
    chosen = {name: value for name, value in vars(task.rule).items() if name not in COURSE}
    if not known or any(map(callable, chosen.values())) or any(parameter.frozen for parameter in task.parameters):
        return None
    # a parameter may be shared, or moved to another place
    places = {id(parameter): place for place, parameter in enumerate(task.parameters)}
    count = sum((n_in + 1) * n_out for n_in, n_out, _ in layers)
    if len(places) != count or [*map(id, task.rule.parameters)] != [*places]:
        return None
    penalized = None if task.penalized is None else tuple(places.get(id(value), -1) for value in task.penalized)
    if penalized is not None and -1 in penalized:
        return None
    penalties = (task.l1, task.l2, penalized if task.l1 or task.l2 else None)
    width = np.shape(task.X)[1]
    return layers, task.sample_loss, rule, repr(chosen), penalties, width, task.batch, task.weights is None


def text_of(key: Any) -> str:
    """Return the key of a task as a text that says the same in another process; "" where it names code not our own."""
    layers, loss, rule, *others = key
    if not all(map(_is_ours, (loss, rule, *(ACTIVATIONS[activation][0] for *_, activation in layers)))):
        return ""
    names = [name for name, each in (losses.LOSSES | losses.REGRESSION).items() if each is loss]
    return repr((layers, names, rule.__name__, *others))


def _is_ours(thing: Any) -> bool:
    if isinstance(thing, ops.Op):
        return getattr(ops, thing.name, None) is thing
    return str(thing.__module__).partition(".")[0] == __name__.partition(".")[0]


_LOSSES = [*losses.LOSSES.values(), *losses.REGRESSION.values()]
COURSE = ("lr", "schedule", "steps", "memories", "parameters")  # of a rule; its code is the same for all


def layers_of(model: Any) -> tuple[tuple[int, int, str], ...]:
    """Return (inputs, outputs, activation) of each layer of an MLP that is nothing but that; else nothing."""
    if type(model) is not MLP or set(vars(model)) != {"layers"}:
        return ()
    layers = []
    for layer in model.layers:
        if type(layer) is not Layer or set(vars(layer)) != {"neurons"}:
            return ()
        shapes = {
            (len(neuron.w), neuron.activation) if type(neuron) is Neuron and set(vars(neuron)) == _NEURON else None
            for neuron in layer.neurons
        }
        shape = shapes.pop() if len(shapes) == 1 else None
        if shape is None:
            return ()
        layers.append((shape[0], len(layer.neurons), shape[1]))
    return tuple(layers)


_NEURON = {"nonlin", "activation", "w", "b"}

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
