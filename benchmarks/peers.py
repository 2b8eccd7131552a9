"""The training steps of steps.py in other people's libraries, and by hand in C++; each `make` returns a Run."""

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from ours import ours
from workloads import ADAM_LR, BETA1, BETA2, EPS, L2, LR, Array, Run, Weights, Workload, reference

Make = Callable[[Workload, str], Run]
FLAGS = ["-O3", "-march=native", "-std=c++17", "-fno-math-errno", "-fno-trapping-math", "-shared", "-fPIC"]


@cache
def native() -> ctypes.CDLL:
    """Return step.cpp, compiled for this machine by its own compiler."""
    compiler = shutil.which("c++")
    if compiler is None:
        raise NotImplementedError("no C++ compiler, c++, on this machine")
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "step.so"
        subprocess.run([compiler, *FLAGS, Path(__file__).with_name("step.cpp"), "-o", library], check=True)
        return ctypes.CDLL(str(library))


def hand_written(workload: Workload, dtype: str) -> Run:
    X, y = workload.data(dtype)
    first = workload.initial(dtype)
    shapes, ends = [w.shape for w in first], np.cumsum([w.size for w in first])
    start = np.concatenate([w.ravel() for w in first])
    number = {"float64": ctypes.c_double, "float32": ctypes.c_float}[dtype]

    def run(steps: int) -> Weights:
        flat = start.copy()
        if workload.batches is None:
            call = native()[f"moons{workload.sizes[1]}_{dtype}"]
            call(_long(steps), _long(len(X)), _at(X), _at(y), _at(flat), number(LR), number(L2))
        else:
            rows = workload.batches
            call = native()[f"digits_{dtype}"]
            call(_long(steps), _at(X), _at(y), _at(rows), _long(len(rows)), _at(flat), number(ADAM_LR))
        return [part.reshape(shape) for part, shape in zip(np.split(flat, ends[:-1]), shapes, strict=True)]

    return run


_long = ctypes.c_long


def _at(array: Array) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def fma_peak(workload: Workload, dtype: str) -> Run:
    """Return a Run without weights: multiply-adds alone, as many as the steps count, and nothing else."""
    chains = native()[f"peak_{dtype}"]
    chains.restype = ctypes.c_long
    per_round = chains(_long(1))

    def run(steps: int) -> Weights:
        chains(_long(max(1, round(steps * workload.flops / per_round))))
        return []

    return run


def _jax_update(workload: Workload, dtype: str) -> tuple[Any, Any, Any]:
    """Return update(t, state, X, y) -> state, and the first state and X, y, as JAX arrays."""
    import jax

    jax.config.update("jax_enable_x64", True)
    import jax.numpy as jnp

    X, y = map(jnp.asarray, workload.data(dtype))
    weights = [jnp.asarray(w) for w in workload.initial(dtype)]

    def scores(weights: Any, x: Any) -> Any:
        for W, b in zip(weights[:-2:2], weights[1:-2:2], strict=True):
            x = jnp.maximum(x @ W.T + b, 0)
        return x @ weights[-2].T + weights[-1]

    def hinge(weights: Any, X: Any, y: Any) -> Any:
        losses = jnp.maximum(1 - y * scores(weights, X)[:, 0], 0)
        return losses.mean() + L2 * sum((w * w).sum() for w in weights)

    def cross_entropy(weights: Any, X: Any, y: Any) -> Any:
        return -jnp.take_along_axis(jax.nn.log_softmax(scores(weights, X)), y[:, None], 1).mean()

    def descend(t: Any, weights: Any, X: Any, y: Any) -> Any:
        return [w - LR * slope for w, slope in zip(weights, jax.grad(hinge)(weights, X, y), strict=True)]

    def adam(t: Any, state: Any, X: Any, y: Any) -> Any:
        rows = batches[t % len(batches)]
        size, root = ADAM_LR / (1 - BETA1 ** (t + 1.0)), jnp.sqrt(1 - BETA2 ** (t + 1.0))
        size, root = size.astype(dtype), root.astype(dtype)
        found, following = jax.grad(cross_entropy)(state[0], X[rows], y[rows]), []
        for w, m, s, slope in zip(*state, found, strict=True):
            mean, square = BETA1 * m + (1 - BETA1) * slope, BETA2 * s + (1 - BETA2) * slope * slope
            following.append((w - size * mean / (jnp.sqrt(square) / root + EPS), mean, square))
        return tuple(map(list, zip(*following, strict=True)))

    if workload.batches is None:
        return descend, weights, (X, y)
    batches = jnp.asarray(workload.batches)
    zeros = [jnp.zeros_like(w) for w in weights]
    return adam, (weights, zeros, zeros), (X, y)


def _jax_weights(workload: Workload, state: Any) -> Weights:
    return [np.asarray(w) for w in (state if workload.batches is None else state[0])]


def jax_steps(workload: Workload, dtype: str) -> Run:
    import jax

    update, first, data = _jax_update(workload, dtype)
    step = jax.jit(update)

    def run(steps: int) -> Weights:
        state = first
        for t in range(steps):
            state = step(t, state, *data)
        return _jax_weights(workload, state)

    return run


def jax_loop(workload: Workload, dtype: str, loop: str) -> Run:
    """Return all steps as one call: `loop` is "scan" or "fori_loop"."""
    import jax

    update, first, data = _jax_update(workload, dtype)

    def scan(steps: int, state: Any, X: Any, y: Any) -> Any:
        return jax.lax.scan(lambda s, t: (update(t, s, X, y), None), state, jax.numpy.arange(steps))[0]

    def fori_loop(steps: int, state: Any, X: Any, y: Any) -> Any:
        return jax.lax.fori_loop(0, steps, lambda t, s: update(t, s, X, y), state)

    compiled = jax.jit(scan, static_argnums=0) if loop == "scan" else jax.jit(fori_loop)
    return lambda steps: _jax_weights(workload, compiled(steps, first, *data))


def _torch_loss(classes: bool) -> Callable[[Any, Any, Any], Any]:
    """Return loss(weights, X, y), of scores for classes or of one score; the L2 term is left to the update."""
    from torch.nn import functional

    def loss(weights: Any, X: Any, y: Any) -> Any:
        for W, b in zip(weights[:-2:2], weights[1:-2:2], strict=True):
            X = functional.linear(X, W, b).relu()
        scores = functional.linear(X, weights[-2], weights[-1])
        return functional.cross_entropy(scores, y) if classes else (1 - y * scores[:, 0]).relu().mean()

    return loss


def torch_eager(workload: Workload, dtype: str) -> Run:
    """Return PyTorch as it is commonly written, with its fused optimisers."""
    import torch

    torch.set_num_threads(1)
    X, y = map(torch.from_numpy, workload.data(dtype))
    batches = None if workload.batches is None else torch.from_numpy(workload.batches)
    first, loss = workload.initial(dtype), _torch_loss(batches is not None)

    def run(steps: int) -> Weights:
        weights = [torch.tensor(w).requires_grad_() for w in first]
        sgd = torch.optim.SGD(weights, LR, weight_decay=2 * L2, fused=True)
        optimizer = sgd if batches is None else torch.optim.Adam(weights, ADAM_LR, (BETA1, BETA2), EPS, fused=True)
        for t in range(steps):
            if batches is None:
                value = loss(weights, X, y)
            else:
                rows = batches[t % len(batches)]
                value = loss(weights, X[rows], y[rows])
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
        return [w.detach().numpy() for w in weights]

    return run


def torch_compiled(workload: Workload, dtype: str) -> Run:
    """Return PyTorch with the whole step, update included, as one compiled function; the fastest way we found."""
    import torch

    torch.set_num_threads(1)
    X, y = map(torch.from_numpy, workload.data(dtype))
    batches = None if workload.batches is None else torch.from_numpy(workload.batches)
    first, loss = workload.initial(dtype), _torch_loss(batches is not None)

    def descend(t: Any, weights: Any, X: Any, y: Any) -> Any:
        found = torch.func.grad(loss)(weights, X, y)
        return [w - LR * (slope + 2 * L2 * w) for w, slope in zip(weights, found, strict=True)]

    def adam(t: Any, state: Any, X: Any, y: Any, rows: Any) -> Any:
        found, following = torch.func.grad(loss)(state[0], X[rows], y[rows]), []
        size, root = ADAM_LR / (1 - BETA1 ** (t + 1)), torch.sqrt(1 - BETA2 ** (t + 1))
        for w, m, s, slope in zip(*state, found, strict=True):
            mean, square = BETA1 * m + (1 - BETA1) * slope, BETA2 * s + (1 - BETA2) * slope * slope
            following.append((w - size * mean / (torch.sqrt(square) / root + EPS), mean, square))
        return [list(part) for part in zip(*following, strict=True)]

    step: Any = torch.compile(descend if batches is None else adam, fullgraph=True, options={"cpp_wrapper": True})

    def run(steps: int) -> Weights:
        weights = [torch.tensor(w) for w in first]
        times = torch.arange(steps, dtype=torch.float64)
        if batches is None:
            for t in times:
                weights = step(t, weights, X, y)
            return [w.numpy() for w in weights]
        zeros = [torch.zeros_like(w) for w in weights]
        state = [weights, zeros, zeros]
        for i, t in enumerate(times):
            state = step(t, state, X, y, batches[i % len(batches)])
        return [w.numpy() for w in state[0]]

    return run


def micrograd(workload: Workload, dtype: str) -> Run:
    if workload.samples > 100 or workload.batches is not None or dtype != "float64":
        raise NotImplementedError("it would take minutes, and it has float64 only")
    from micrograd.engine import Value
    from micrograd.nn import MLP

    X, y = workload.X.tolist(), workload.y.tolist()

    def run(steps: int) -> Weights:
        model, weights = MLP(workload.sizes[0], list(workload.sizes[1:])), workload.initial(dtype)
        for layer, W, b in zip(model.layers, weights[::2], weights[1::2], strict=True):
            for neuron, row, bias in zip(layer.neurons, W.tolist(), b.tolist(), strict=True):
                neuron.b.data = bias
                for p, number in zip(neuron.w, row, strict=True):
                    p.data = number
        for _ in range(steps):
            losses = [(1 + -label * model([*map(Value, x)])).relu() for x, label in zip(X, y, strict=True)]
            loss = sum(losses) * (1.0 / len(losses)) + L2 * sum(p * p for p in model.parameters())
            model.zero_grad()
            loss.backward()
            for p in model.parameters():
                p.data -= LR * p.grad
        for place, layer in enumerate(model.layers):
            weights[2 * place] = np.array([[p.data for p in neuron.w] for neuron in layer.neurons])
            weights[2 * place + 1] = np.array([neuron.b.data for neuron in layer.neurons])
        return weights

    return run


# Each process, and the implementations that live in it. One with thread pools of its own does not share.
PROCESSES: dict[str, dict[str, Make]] = {
    "ours": {"ours": ours},
    "native": {"hand-written C++": hand_written, "FMA peak": fma_peak},
    "numpy": {"NumPy": reference},
    "jax": {
        "JAX jit, step by step": jax_steps,
        "JAX jit, lax.scan": partial(jax_loop, loop="scan"),
        "JAX jit, fori_loop": partial(jax_loop, loop="fori_loop"),
    },
    "torch": {"PyTorch eager": torch_eager},
    "torch-compile": {"torch.compile": torch_compiled},
    "micrograd": {"micrograd": micrograd},
}
