"""A network with all that runs it: its training steps, its measure and its maps, compiled for one backend.

Each machine has a network of its own, so that one can be compiled while another is at work; `take_over` carries the
weights and the optimiser's memory from one to the other.
"""

from __future__ import annotations

import math
from importlib.util import find_spec
from typing import Any

import numpy as np

from ..compiler import jit, vmap
from ..engines import Compiled, Task
from ..optim import OPTIMIZERS, SCHEDULES, SGD, RMSprop
from .features import Network
from .problems import Points
from .settings import Settings

Array = np.ndarray[Any, np.dtype[Any]]


class Machine:
    """What trains a network by these settings on these points (at least one), on the backend "numpy" or "llvm"."""

    def __init__(self, settings: Settings, points: Points, backend: str) -> None:
        self.settings, self.backend = settings, backend
        self.network = first_network(settings)
        self.parameters = self.network.parameters()
        self.names = [name for name, _ in self.network.named_parameters()]
        kind = OPTIMIZERS[settings.optimizer]
        more = {"momentum": settings.momentum} if kind in (SGD, RMSprop) else {}
        self.rule = kind(self.parameters, lr=settings.lr, **more)
        penalty: dict[str, Any] = {settings.regularization: settings.rate} if settings.regularization != "none" else {}
        X, y = points.train
        task = Task(
            self.network, self.parameters, X, y, settings.sample_loss, self.rule, batch=settings.batch, **penalty
        )
        self.engine = Compiled(task, backend)
        self._measure = self.engine.measure()
        self._outputs = jit(vmap(self.network), backend=backend)
        self._units = jit(vmap(lambda x: [u for level in self.network.units(x) for u in level]), backend=backend)
        self.adjust(settings, len(X))

    def adjust(self, settings: Settings, count: int) -> None:
        """Take over the settings that need no other program, for `count` points to train on."""
        self.settings, self.rule.lr = settings, settings.lr
        steps = settings.horizon * math.ceil(count / (min(settings.batch, count) or count))
        self.rule.schedule = SCHEDULES[settings.schedule](steps)

    def warm_up(self, points: Points) -> None:
        """Call everything once, for that is when it is compiled."""
        self.measure(*points.train)
        self.outputs(points.X)
        self.units(points.X)

    def take_points(self, points: Points) -> None:
        """Train on other points from now on."""
        X, y = points.train
        self.engine.take_samples(X, y)
        self.adjust(self.settings, len(X))

    def take_over(self, other: Machine) -> None:
        """Go on from the weights of another machine; and from its optimiser's memory, if that is of the same kind."""
        self.load(other.weights())
        if self.settings.optimizer == other.settings.optimizer:
            self.rule.steps, self.rule.memories = other.rule.steps, list(other.rule.memories)

    def weights(self) -> list[float]:
        """Return the number in each parameter."""
        return [parameter.data for parameter in self.parameters]

    def load(self, weights: list[float]) -> None:
        """Set the number in each parameter."""
        for parameter, weight in zip(self.parameters, weights, strict=True):
            parameter.data = weight

    def restart(self, weights: list[float]) -> None:
        """Begin again from these weights, with an optimiser that remembers nothing."""
        self.load(weights)
        self.rule.steps, self.rule.memories = 0, [self.rule.memory] * len(self.parameters)

    def measure(self, X: Array, y: Array) -> tuple[Array, Array]:
        """Return the scores (n, outputs) and the losses (n,) of samples."""
        scores, each = self._measure(X, y)
        return scores, each

    def outputs(self, X: Array) -> Array:
        """Return the outputs for points, of shape (n, outputs)."""
        scores: Array = np.asarray(self._outputs(X)).reshape(len(X), -1)
        return scores

    def units(self, X: Array) -> Array:
        """Return what each unit makes of each point, of shape (units, n): features, then layers, outputs last."""
        values: Array = np.asarray(self._units(X)).reshape(len(X), -1).T
        return values


def first_network(settings: Settings) -> Network:
    """Return the network of these settings with its first weights."""
    init = "" if settings.init == "auto" else settings.init
    return Network(settings.features, settings.sizes, settings.activations, settings.init_seed, init)


def fastest() -> str:
    """Return the fastest backend that is installed."""
    return "llvm" if find_spec("llvmlite") else "numpy"
