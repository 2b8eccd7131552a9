"""Our engine beside stock micrograd, as ratios of one run: the moons step of micrograd's demo, memory, a long chain.

Nine tenths of stock's time is its garbage: every node of it is a reference cycle, which only the collector can free.
So each engine is timed with the collector as Python sets it and with the collector off.
"""

import gc
import pickle
import platform
import random
import resource
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import chain, pairwise
from multiprocessing import get_context
from statistics import median
from time import perf_counter
from typing import Any

Points = list[list[float]]
Step = Callable[[], Any]
SAMPLES, ROUNDS, CHAIN, SEED = 100, 2, 1_000_000, 1337


def moons() -> tuple[Points, list[int]]:
    """Return the points and their labels -1 and 1 of micrograd's demo."""
    from sklearn.datasets import make_moons

    X, y = make_moons(n_samples=SAMPLES, noise=0.1, random_state=SEED)
    return X.tolist(), (2 * y - 1).tolist()


def training_step(value: Any, mlp: Any, X: Points, y: list[int]) -> Step:
    """Return a function that builds the loss of the demo with these two classes, differentiates it and returns it."""
    random.seed(SEED)
    model = mlp(2, [16, 16, 1])

    def step() -> Any:
        scores = [model([value(x) for x in row]) for row in X]
        losses = [(1 + -yi * score).relu() for yi, score in zip(y, scores, strict=True)]
        total = sum(losses) * (1.0 / len(losses)) + 1e-4 * sum(p * p for p in model.parameters())
        model.zero_grad()
        total.backward()
        return total

    return step


def loop(step: Step, collect: bool) -> list[float]:
    """Return the times of five steps of a training loop, which holds its last loss until the next, as the demo does."""
    gc.collect()
    if not collect:
        gc.disable()
    loss, times = step(), []
    for _ in range(5):
        start = perf_counter()
        loss = step()
        times.append(perf_counter() - start)
    del loss
    gc.enable()
    return times


def sorted_times(steps: dict[str, Step]) -> dict[tuple[str, bool], list[float]]:
    """Return the times of each step with the collector on and off; the loops take turns, so noise meets all of them."""
    runs = [(name, collect) for name in steps for collect in (True, False)]
    rounds = [{(name, on): loop(steps[name], on) for name, on in runs} for _ in range(ROUNDS)]
    return {run: sorted(chain.from_iterable(times[run] for times in rounds)) for run in runs}


def count(root: Any) -> int:
    """Return how many Values a graph has, numbers in the code not counted."""
    met, stack = {root}, [root]
    while stack:
        fresh = set(stack.pop()._prev) - met
        met |= fresh
        stack += fresh
    return len(met)


def epochs_of_fit(X: Points, y: list[int], engine: str) -> list[float]:
    """Return the sorted times of the epochs of `fit` on the same task: step, update of the weights and evaluation."""
    from micrograd_mlp import MLP
    from micrograd_mlp.training import fit

    random.seed(SEED)
    marks = [perf_counter()]
    fit(
        MLP(2, [16, 16, 1]),
        X,
        [(label + 1) // 2 for label in y],
        loss="hinge",
        l2=1e-4,
        optimizer="sgd",
        epochs=5 * ROUNDS + 1,
        engine=engine,
        callbacks=[lambda epoch, model: marks.append(perf_counter())],
    )
    return sorted(after - before for before, after in pairwise(marks[1:]))


def compiled_steps(X: Points, y: list[int], backend: str) -> list[float]:
    """Return the sorted times of calls of the same step, loss and all gradients, compiled from scalars to arrays."""
    import numpy as np

    from micrograd_mlp import MLP, grad
    from micrograd_mlp.compiler import jit
    from micrograd_mlp.losses import hinge, l2, mean

    random.seed(SEED)
    model = MLP(2, [16, 16, 1])

    def step(X: Any, y: Any) -> tuple[Any, Any]:
        loss = mean(map(hinge, map(model, X), y)) + 1e-4 * l2(model.parameters())
        return loss, grad(loss, model.parameters())

    run, points, labels, times = jit(step, backend=backend), np.array(X), np.array(y), []
    run(points, labels)
    for _ in range(500):
        start = perf_counter()
        run(points, labels)
        times.append(perf_counter() - start)
    return sorted(times)


def peak_memory(X: Points, y: list[int]) -> tuple[float, float]:
    """Return the MB that this process held at most, and how much of it ten steps added."""
    from micrograd_mlp import MLP, Value

    step = training_step(Value, MLP, X, y)
    before = _peak_rss()
    for _ in range(10):
        step()
    return _peak_rss(), _peak_rss() - before


def _peak_rss() -> float:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def chain_times() -> dict[str, float]:
    """Return the seconds for each thing done to a sum of a million terms."""
    from micrograd_mlp import Value

    times = {}

    def timed(what: str, work: Step) -> Any:
        start = perf_counter()
        result = work()
        times[what] = perf_counter() - start
        return result

    x = Value(1.0)
    held = [timed("build", lambda: sum([x] * CHAIN))]
    timed("backward", held[0].backward)
    assert x.grad == CHAIN
    saved = timed("pickle", lambda: pickle.dumps(held[0]))
    timed("free", held.clear)
    copy = timed("unpickle", lambda: pickle.loads(saved))
    assert copy.data == CHAIN
    return times


def in_fresh_process(work: Callable[..., Any], *args: Any) -> Any:
    """Return work(*args), done in a new Python that has loaded nothing yet."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *args).result()


def processor() -> str:
    """Return the name of the CPU where the system tells it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def main() -> None:
    """Measure and print."""
    import micrograd.engine
    import micrograd.nn

    from micrograd_mlp import MLP, Value

    X, y = in_fresh_process(moons)  # scikit-learn stays out of this process, whose memory and collector are measured
    peak, added = in_fresh_process(peak_memory, X, y)
    steps = {
        "stock": training_step(micrograd.engine.Value, micrograd.nn.MLP, X, y),
        "ours": training_step(Value, MLP, X, y),
    }
    taken = sorted_times(steps)
    print(f"Python {platform.python_version()}, {processor()}")
    print(f"\nOne training step of the moons demo, {SAMPLES} samples, MLP 2-16-16-1; best of {5 * ROUNDS}")
    print(f"{'Values':40}  stock {count(steps['stock']()):9,}   ours {count(steps['ours']()):9,}")
    for what, theirs, ours in (
        ("collector as Python sets it", taken["stock", True], taken["ours", True]),
        ("paused for ours", taken["stock", True], taken["ours", False]),
        ("an epoch of `fit`, which pauses it", taken["stock", True], in_fresh_process(epochs_of_fit, X, y, "python")),
        ("an epoch of `fit`, native", taken["stock", True], in_fresh_process(epochs_of_fit, X, y, "native")),
        ("compiled, on NumPy", taken["stock", True], in_fresh_process(compiled_steps, X, y, "numpy")),
        ("compiled, native", taken["stock", True], in_fresh_process(compiled_steps, X, y, "llvm")),
        ("collector off for both", taken["stock", False], taken["ours", False]),
    ):
        best, middle = theirs[0] / ours[0], median(theirs) / median(ours)
        print(f"{what:40}  stock {theirs[0] * 1e3:6.0f} ms   ours {ours[0] * 1e3:9.3f} ms   ", end="")
        print(f"{best:8,.1f} x   (of the medians {middle:,.1f} x)")
    print(f"{'peak memory of ours, ten steps':40}  {peak:.0f} MB in all, {added:.0f} MB by the steps")
    print(f"\nA sum of {CHAIN:,} terms, collector as Python sets it")
    print("   ".join(f"{what} {taken:.2f} s" for what, taken in in_fresh_process(chain_times).items()))


if __name__ == "__main__":
    main()
