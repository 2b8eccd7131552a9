"""The training steps that steps.py times: data, initial weights, mini-batches, and the same written in NumPy."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Weights = list[Array]  # W, b, W, b, ...; each W is [n_out][n_in]
Run = Callable[[int], Weights]  # takes that many steps from the initial weights on and returns where they led

LR, L2 = 0.1, 1e-4  # of gradient descent on the moons
ADAM_LR, BETA1, BETA2, EPS = 1e-3, 0.9, 0.999, 1e-8  # of Adam on the digits, as PyTorch counts them
BATCH = 64


@dataclass(frozen=True)
class Workload:
    """A network of `sizes` on `X`, `y`; `batches` holds the rows of each mini-batch, none for the full batch."""

    title: str
    sizes: tuple[int, ...]
    X: Array
    y: Array
    batches: Array | None = None

    @property
    def samples(self) -> int:
        """Return how many samples a step sees."""
        return len(self.X) if self.batches is None else BATCH

    @property
    def flops(self) -> int:
        """Return the floating-point operations in a step's matrix products: forward, by the weights, by the inputs."""
        products = [n_in * n_out for n_in, n_out in pairwise(self.sizes)]
        return 2 * self.samples * (2 * sum(products) + sum(products[1:]))

    def initial(self, dtype: str) -> Weights:
        """Return the weights to start from."""
        rng = np.random.default_rng(0)
        draw = [(rng.normal(0, n_in**-0.5, (n_out, n_in)), np.zeros(n_out)) for n_in, n_out in pairwise(self.sizes)]
        return [array.astype(dtype) for layer in draw for array in layer]

    def data(self, dtype: str) -> tuple[Array, Array]:
        """Return X and y; labels are numbers of `dtype`, classes stay whole numbers."""
        return self.X.astype(dtype), self.y.astype(dtype) if self.batches is None else self.y


def moons(samples: int, hidden: int) -> Workload:
    """Return full-batch gradient descent on mean hinge(1 - y score) + L2 * sum of squares of all parameters."""
    from sklearn.datasets import make_moons

    X, y = make_moons(n_samples=samples, noise=0.1, random_state=0)
    title = f"moons, {samples:,} samples, MLP 2-{hidden}-{hidden}-1, full batch, hinge + L2, SGD"
    return Workload(title, (2, hidden, hidden, 1), X, 2.0 * y - 1)


def digits() -> Workload:
    """Return mini-batches of 64, gathered by index, with mean softmax cross-entropy and Adam."""
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(1).permutation(len(X))
    batches = order[: len(X) // BATCH * BATCH].reshape(-1, BATCH).astype(np.int64)
    title = "digits, MLP 64-64-32-10, mini-batches of 64 gathered by index, softmax cross-entropy, Adam"
    return Workload(title, (64, 64, 32, 10), np.ascontiguousarray(X / 16), y.astype(np.int64), batches)


WORKLOADS: dict[str, Callable[[], Workload]] = {
    "moons": cache(lambda: moons(100, 16)),
    "moons-10000": cache(lambda: moons(10_000, 16)),
    "moons-64": cache(lambda: moons(1_000, 64)),
    "digits": cache(digits),
}


def slopes(weights: Weights, X: Array, blame: Callable[[Array], Array]) -> Weights:
    """Return the gradient by each array of weights; `blame` makes slopes by the scores out of the scores."""
    layers = list(zip(weights[::2], weights[1::2], strict=True))
    inputs = [X]
    for W, b in layers[:-1]:
        inputs.append(np.maximum(inputs[-1] @ W.T + b, 0))
    W, b = layers[-1]
    delta, found = blame(inputs[-1] @ W.T + b), []
    for (W, _), x in zip(reversed(layers), reversed(inputs), strict=True):
        found += [delta.sum(0), delta.T @ x]
        delta = (delta @ W) * (x > 0)
    return found[::-1]


def reference(workload: Workload, dtype: str) -> Run:
    """Return the workload in NumPy, which the others are held against."""
    (X, y), first = workload.data(dtype), workload.initial(dtype)

    def descend(steps: int) -> Weights:
        weights = [w.copy() for w in first]

        def blame(scores: Array) -> Array:
            return np.where(y * scores[:, 0] < 1, -y / len(y), 0)[:, None]

        for _ in range(steps):
            for w, slope in zip(weights, slopes(weights, X, blame), strict=True):
                w[...] -= LR * (slope + 2 * L2 * w)
        return weights

    def adam(steps: int) -> Weights:
        weights = [w.copy() for w in first]
        means, squares = ([np.zeros_like(w) for w in weights] for _ in range(2))
        assert workload.batches is not None
        for t in range(steps):
            rows = workload.batches[t % len(workload.batches)]

            def blame(scores: Array, classes: Array = y[rows]) -> Array:
                odds: Array = np.exp(scores - scores.max(1, keepdims=True))
                odds /= odds.sum(1, keepdims=True)
                odds[np.arange(BATCH), classes] -= 1
                odds /= BATCH
                return odds

            size, root = ADAM_LR / (1 - BETA1 ** (t + 1)), (1 - BETA2 ** (t + 1)) ** 0.5
            for w, m, s, slope in zip(weights, means, squares, slopes(weights, X[rows], blame), strict=True):
                m[...] += (1 - BETA1) * (slope - m)
                s[...] += (1 - BETA2) * (slope * slope - s)
                w[...] -= size * m / (np.sqrt(s) / root + EPS)
        return weights

    return descend if workload.batches is None else adam
