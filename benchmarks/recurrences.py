"""Programs that go in steps: the loop over them found again in the scalars, beside the same steps written out.

    python benchmarks/recurrences.py          each takes turns with itself written out
    python benchmarks/recurrences.py --large  1,000 steps, without that: the written-out ones take minutes

Compile times are those of a first call, from tracing to machine code; call times are the best of many, from Python and
back, with the gradient; the last column is how much longer the interpreter takes for the same numbers.
"""

import argparse
import os
from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np

from micrograd_mlp import Value, grad, losses, ops
from micrograd_mlp.compiler import jit, repeats, vmap

os.environ["MICROGRAD_MLP_CACHE"] = ""  # compile, and do not look for what was compiled


def pendulum(steps: int) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Return the end of a swing as a function of the first angle and the length, with its gradient."""

    def swing(first: Any, length: Any) -> list[Any]:
        angle, speed = first, 0.0 * first
        for _ in range(steps):
            speed = speed - 0.02 * 9.81 / length * ops.sin(angle)
            angle = angle + 0.02 * speed
        return [angle, *grad(angle, [first, length])]

    return swing, (1.0, 2.0)


def recurrent(steps: int) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Return the loss of a recurrent network of 8 units over a series, with its gradient."""
    rng, size = np.random.default_rng(0), 8

    def loss(W: Any, U: Any, xs: Any, ys: Any) -> list[Any]:
        state: list[Any] = [0.0] * size
        total: Any = 0.0
        for x, y in zip(xs, ys, strict=True):
            inner = [sum(w * h for w, h in zip(row, state, strict=True)) for row in W]
            state = [ops.tanh(z + u * x) for z, u in zip(inner, U, strict=True)]
            total = total + (sum(state) - y) ** 2
        return [total, *grad(total, [*(w for row in W for w in row), *U])]

    args = rng.normal(size=(size, size)) / 4, rng.normal(size=size), rng.normal(size=steps), rng.normal(size=steps)
    return loss, args


def batched(steps: int) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Return the mean loss of such a network over 64 series, of what it ends with, with its gradient."""
    rng, size = np.random.default_rng(0), 8

    def loss(W: Any, U: Any, V: Any, X: Any, ys: Any) -> list[Any]:
        def of_series(xs: Any, y: Any) -> Any:
            state: list[Any] = [0.0] * size
            for k in range(steps):
                inner = [sum(w * h for w, h in zip(row, state, strict=True)) for row in W]
                state = [ops.tanh(z + u * xs[k]) for z, u in zip(inner, U, strict=True)]
            return (sum(v * h for v, h in zip(V, state, strict=True)) - y) ** 2

        total = losses.mean(vmap(of_series)(X, ys))
        return [total, *grad(total, [*(w for row in W for w in row), *U, *V])]

    shapes = (size, size), (size,), (size,), (64, steps), (64,)
    return loss, tuple(rng.normal(size=shape) / 4 for shape in shapes)


def newton(steps: int) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Return the cube root of a number by Newton's steps, with its gradient."""

    def root(a: Any) -> list[Any]:
        x = 0.3 * a + 1.0
        for _ in range(steps):
            x = x - (x * x * x - a) / (3.0 * x * x)
        return [x, *grad(x, [a])]

    return root, (2.0,)


PROGRAMS = {"pendulum": pendulum, "recurrent network": recurrent, "64 series": batched, "Newton's steps": newton}


def compiled(function: Callable[..., Any], args: tuple[Any, ...]) -> tuple[Any, float]:
    """Return the function compiled, and the seconds that took."""
    out: Any = jit(function)
    start = perf_counter()
    out(*args)
    return out, perf_counter() - start


def best(function: Callable[..., Any], args: tuple[Any, ...], turns: int) -> float:
    """Return the shortest time of a call, in microseconds."""
    times = []
    for _ in range(turns):
        start = perf_counter()
        function(*args)
        times.append(perf_counter() - start)
    return 1e6 * min(times)


def interpreted(function: Callable[..., Any], args: tuple[Any, ...]) -> float:
    """Return the microseconds that the interpreter takes."""

    def values(arg: Any) -> Any:
        return [values(each) for each in arg] if isinstance(arg, list | np.ndarray) else Value(float(arg))

    return best(function, tuple(map(values, args)), 3)


def row(name: str, steps: int, beside: bool) -> str:
    """Return a line of the table."""
    function, args = PROGRAMS[name](steps)
    loop, seconds = compiled(function, args)
    micros = best(loop, args, 500)
    line = f"{name:20}{steps:7,}{len(loop.program.arrays.statements):12,}{seconds:10.2f} s{micros:10.1f} µs"
    if beside:
        least, repeats.LEAST_TIMES = repeats.LEAST_TIMES, 10**9
        try:
            flat, flat_seconds = compiled(function, args)
        finally:
            repeats.LEAST_TIMES = least
        flat_micros = best(flat, args, 500)
        line += f"{flat_seconds:10.2f} s{flat_micros:10.1f} µs{flat_seconds / seconds:8.1f}{flat_micros / micros:8.2f}"
    return line if name == "64 series" else line + f"{interpreted(function, args) / micros:10,.0f}"  # vmap compiles


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--large", action="store_true", help="many steps, and nothing written out")
    large = parser.parse_args().large
    told = "" if large else f"{'written out':>12}{'its call':>13}{'ratio':>8}{'ratio':>8}"
    print(f"{'':20}{'steps':>7}{'statements':>12}{'compile':>12}{'call':>13}{told}{'interpreter':>12}")
    for name in PROGRAMS:
        for steps in (1_000,) if large else (30, 100, 300):
            print(row(name, steps, beside=not large), flush=True)
