"""The training steps of steps.py, written with single numbers and compiled: what a user of the library writes."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from workloads import ADAM_LR, L2, LR, Run, Weights, Workload

from micrograd_mlp import MLP, grad, vmap
from micrograd_mlp.compiler.steps import Steps
from micrograd_mlp.losses import cross_entropy, hinge, l2, mean
from micrograd_mlp.optim import SGD, Adam, Optimizer

WORTH_THREADS = 5_000  # samples in a batch


def ours(workload: Workload, dtype: str, threads: int = 1) -> Run:
    """Return a function that takes that many steps from the initial weights on and returns where they led.

    `dtype` is "float64" or "float32". Raises NotImplementedError, with the reason, where threads have nothing to share.
    """
    if threads > 1 and workload.samples < WORTH_THREADS:
        raise NotImplementedError("the samples of a step are too few for two threads")
    model = MLP(workload.sizes[0], workload.sizes[1:])
    parameters, digits = model.parameters(), workload.batches is not None
    rule: Optimizer = Adam(parameters, lr=ADAM_LR) if digits else SGD(parameters, lr=LR)
    remembered = len(rule.memory) if digits else 0

    def step(state: Any, X: Any, y: Any, count: Any) -> Any:
        if digits:
            loss = mean(vmap(lambda x, label: cross_entropy(model(x), label))(X, y))
        else:
            loss = mean(vmap(lambda x, label: hinge(model(x), label))(X, y)) + L2 * l2(parameters)
        memories = [tuple(state[place :: len(parameters)][1:]) for place in range(len(parameters))]
        values, memories = rule.update(parameters, grad(loss, parameters), memories, rule.lr, count)
        return [loss], [*values, *(number for column in zip(*memories, strict=True) for number in column)]

    first = np.concatenate([*numbers_of(workload.initial(dtype)), np.zeros(remembered * len(parameters))])
    options: dict[str, Any] = {
        "bound": parameters,
        "dtype": dtype,
        "threads": threads,
        "shuffled": digits,
        "batch": workload.samples,
    }
    steps = Steps(step, first.tolist(), workload.data(dtype), 1, **options)

    def run(count: int) -> Weights:
        steps.state = first.astype(dtype)
        rows = (
            [workload.batches[t % len(workload.batches)] for t in range(count)] if workload.batches is not None else []
        )
        steps.run(
            np.concatenate(rows) if rows else [], np.arange(count + 1) * workload.samples, np.arange(1.0, count + 1)
        )
        return weights_of(steps.state, workload.sizes)

    return run


def numbers_of(weights: Weights) -> list[Any]:
    """Return the weights in the order of our parameters: neuron after neuron, its bias last."""
    return [np.column_stack([W, b]).ravel() for W, b in zip(weights[::2], weights[1::2], strict=True)]


def weights_of(numbers: Any, sizes: Sequence[int]) -> Weights:
    """Return W, b, W, b, ... from the first numbers of a state."""
    out: Weights = []
    for n_in, n_out in pairwise(sizes):
        layer, numbers = numbers[: n_out * (n_in + 1)].reshape(n_out, n_in + 1), numbers[n_out * (n_in + 1) :]
        out += [layer[:, :-1], layer[:, -1]]
    return out
