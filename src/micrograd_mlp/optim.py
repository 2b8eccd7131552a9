"""Optimisers and schedules. An optimiser is a rule: one parameter, its gradient and its memory in, the next ones out.

The rules are written with operators and operations, so they run on numbers, on Values and on whatever else records.
The conventions (bias correction, where eps stands, weight decay) are those of `torch.optim`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from . import ops
from .engine import Value

Number = Any
Memory = tuple[Number, ...]
Schedule = Callable[[int], float]


def constant() -> Schedule:
    """Return the schedule that multiplies the learning rate by 1 at every step."""
    return lambda step: 1.0


def linear(steps: int, end: float = 0.0) -> Schedule:
    """Return the schedule that goes in a straight line from 1 to `end` in `steps` steps, and stays there."""
    return lambda step: 1.0 + (end - 1.0) * min(step / steps, 1.0)


def cosine(steps: int, end: float = 0.0) -> Schedule:
    """Return the schedule that goes along half a cosine from 1 to `end` in `steps` steps, and stays there.

    Source: Loshchilov and Hutter, SGDR (2017), without restarts.
    """
    return lambda step: end + (1.0 - end) * (1.0 + math.cos(math.pi * min(step / steps, 1.0))) / 2.0


def stepwise(every: int, factor: float = 0.1) -> Schedule:
    """Return the schedule that multiplies the learning rate by `factor` after each `every` steps."""
    return lambda step: float(factor ** (step // every))


SCHEDULES: dict[str, Callable[[int], Schedule]] = {  # name: schedule for a run of so many steps
    "constant": lambda steps: constant(),
    "linear": linear,
    "cosine": cosine,
    "step": lambda steps: stepwise(max(1, steps // 3)),
}


class Optimizer:
    """Changes `parameters` by their gradients at each `step()`; `lr` is the learning rate, `schedule` its course."""

    memory: Memory = ()  # what a rule remembers of each parameter, before the first step

    def __init__(self, parameters: Iterable[Value], lr: float, schedule: Schedule | None = None) -> None:
        self.parameters = list(parameters)
        if not self.parameters:
            raise ValueError(f"{type(self).__name__} takes the parameters of a model, got none")
        self.lr = _positive("lr", lr)
        self.schedule = schedule or constant()
        self.steps = 0
        self.memories: Any = [self.memory] * len(self.parameters)

    def rule(self, value: Number, slope: Number, memory: Memory, lr: Number, step: Number) -> tuple[Number, Memory]:
        """Return the next value and memory of one parameter with gradient `slope`; `step` counts from 1."""
        raise TypeError(f"{type(self).__name__} has no rule; use SGD, Adam, AdamW or RMSprop, or define one")

    def update(
        self, values: Sequence[Number], slopes: Sequence[Number], memories: Sequence[Memory], lr: Number, step: Number
    ) -> tuple[list[Number], list[Memory]]:
        """Return the next values and memories of all parameters, and change nothing."""
        pairs = [self.rule(*each, lr, step) for each in zip(values, slopes, memories, strict=True)]
        return [value for value, _ in pairs], [memory for _, memory in pairs]

    def step(self) -> None:
        """Change every parameter that is not frozen by its `grad`."""
        lr, self.steps = self.lr * self.schedule(self.steps), self.steps + 1
        for index, parameter in enumerate(self.parameters):
            if not parameter.frozen:
                parameter.data, self.memories[index] = self.rule(
                    parameter.data, parameter.grad, self.memories[index], lr, self.steps
                )

    def zero_grad(self) -> None:
        """Set the gradient of every parameter to 0."""
        for parameter in self.parameters:
            parameter.grad = 0


class SGD(Optimizer):
    """Gradient descent, with momentum and Nesterov's look ahead. Source: Sutskever et al. (2013), as in PyTorch."""

    memory = (0.0,)

    def __init__(
        self,
        parameters: Iterable[Value],
        lr: float = 0.1,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
        schedule: Schedule | None = None,
    ) -> None:
        super().__init__(parameters, lr, schedule)
        if nesterov and not momentum:
            raise ValueError("nesterov takes a momentum above 0, got 0; try momentum=0.9")
        self.momentum, self.nesterov = _fraction("momentum", momentum), nesterov
        self.weight_decay = _not_negative("weight_decay", weight_decay)

    def rule(self, value: Number, slope: Number, memory: Memory, lr: Number, step: Number) -> tuple[Number, Memory]:
        """Return value - lr * velocity, with velocity = momentum * velocity + slope."""
        if self.weight_decay:
            slope = slope + self.weight_decay * value
        if not self.momentum:
            return value - lr * slope, memory
        velocity = self.momentum * memory[0] + slope
        direction = slope + self.momentum * velocity if self.nesterov else velocity
        return value - lr * direction, (velocity,)


class Adam(Optimizer):
    """Adaptive moments. `weight_decay` adds an L2 term to the gradient. Source: Kingma and Ba (2015), algorithm 1."""

    memory = (0.0, 0.0)
    decoupled = False  # whether weight decay acts beside the gradient
    usual_decay = 0.0

    def __init__(
        self,
        parameters: Iterable[Value],
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float | None = None,
        schedule: Schedule | None = None,
    ) -> None:
        super().__init__(parameters, lr, schedule)
        self.betas = _fraction("betas[0]", betas[0]), _fraction("betas[1]", betas[1])
        self.eps = _positive("eps", eps)
        self.weight_decay = _not_negative("weight_decay", self.usual_decay if weight_decay is None else weight_decay)

    def rule(self, value: Number, slope: Number, memory: Memory, lr: Number, step: Number) -> tuple[Number, Memory]:
        """Return value - lr * m / (sqrt(v) + eps), with m and v the corrected moving averages of slope and slope²."""
        if self.decoupled:
            value = value * (1.0 - lr * self.weight_decay)
        elif self.weight_decay:
            slope = slope + self.weight_decay * value
        (beta1, beta2), (m, v) = self.betas, memory
        m = beta1 * m + (1.0 - beta1) * slope
        v = beta2 * v + (1.0 - beta2) * (slope * slope)
        scale = ops.sqrt(v) * (1.0 / ops.sqrt(1.0 - beta2**step)) + self.eps  # one division for all parameters
        return value - lr / (1.0 - beta1**step) * (m / scale), (m, v)


class AdamW(Adam):
    """Adam whose weight decay, 0.01 if not given, acts on the parameter itself.

    Source: Loshchilov and Hutter (2019), algorithm 2.
    """

    decoupled = True
    usual_decay = 0.01


class RMSprop(Optimizer):
    """Gradient over its root mean square, with momentum. Source: Hinton, Neural Networks for ML (2012), lecture 6e."""

    memory = (0.0, 0.0)

    def __init__(
        self,
        parameters: Iterable[Value],
        lr: float = 0.01,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        schedule: Schedule | None = None,
    ) -> None:
        super().__init__(parameters, lr, schedule)
        self.alpha, self.momentum = _fraction("alpha", alpha), _fraction("momentum", momentum)
        self.eps = _positive("eps", eps)
        self.weight_decay = _not_negative("weight_decay", weight_decay)

    def rule(self, value: Number, slope: Number, memory: Memory, lr: Number, step: Number) -> tuple[Number, Memory]:
        """Return value - lr * velocity, with velocity = momentum * velocity + slope / (root mean square + eps)."""
        if self.weight_decay:
            slope = slope + self.weight_decay * value
        square, velocity = memory
        square = self.alpha * square + (1.0 - self.alpha) * (slope * slope)
        velocity = self.momentum * velocity + slope / (ops.sqrt(square) + self.eps)
        return value - lr * velocity, (square, velocity)


OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {"sgd": SGD, "adam": Adam, "adamw": AdamW, "rmsprop": RMSprop}


def _positive(name: str, number: float) -> float:
    if not (number > 0 and math.isfinite(number)):
        raise ValueError(f"{name} is a number above 0, got {number!r}")
    return number


def _not_negative(name: str, number: float) -> float:
    if not (number >= 0 and math.isfinite(number)):
        raise ValueError(f"{name} is a number of at least 0, got {number!r}")
    return number


def _fraction(name: str, number: float) -> float:
    if not 0 <= number < 1:
        raise ValueError(f"{name} is a number from 0 up to, not including, 1, got {number!r}")
    return number
