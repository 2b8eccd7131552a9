"""Our classifier beside scikit-learn's and PyTorch: test accuracy and fit time over five seeds, on scikit-learn's data.

    python benchmarks/estimators.py            everything that is installed
    python benchmarks/estimators.py digits     these data sets
    python benchmarks/estimators.py --seeds 3

All get the same split and scaling, the same layers (64 and 32 units, relu), Adam with the same rate, batches of 64 and
the same number of epochs, in float64 and on one core. They take turns, seed by seed. The first fit of a network in a
process is told apart, as the median of three processes: one that finds in its folder what an earlier one compiled, and
one that does not, and compiles it.
"""

import argparse
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from itertools import pairwise
from statistics import mean, median, stdev
from time import perf_counter
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from micrograd_mlp import MicrogradClassifier

LOADERS = {"iris": load_iris, "wine": load_wine, "breast-cancer": load_breast_cancer, "digits": load_digits}
HIDDEN, RATE, BATCH, EPOCHS = (64, 32), 0.003, 64, 60
SAME: dict[str, Any] = {
    "hidden_layer_sizes": HIDDEN,
    "learning_rate_init": RATE,
    "batch_size": BATCH,
    "max_iter": EPOCHS,
    "n_iter_no_change": EPOCHS,
    "alpha": 0.0,
}
Fit = Callable[[Any, Any, int], Callable[[Any], Any]]  # (X, y, seed) to a function that predicts


def ours(X: Any, y: Any, seed: int) -> Callable[[Any], Any]:
    model = MicrogradClassifier(**SAME, engine="native", random_state=seed).fit(X, y)
    return model.predict  # type: ignore[no-any-return]


def scikit_learn(X: Any, y: Any, seed: int) -> Callable[[Any], Any]:
    model = MLPClassifier(**SAME, random_state=seed).fit(X, y)
    return model.predict  # type: ignore[no-any-return]


def pytorch(X: Any, y: Any, seed: int) -> Callable[[Any], Any]:
    import torch

    torch.manual_seed(seed)
    torch.set_num_threads(1)
    sizes, layers = [X.shape[1], *HIDDEN, int(y.max()) + 1], []
    for n_in, n_out in pairwise(sizes):
        layers += [torch.nn.Linear(n_in, n_out, dtype=torch.float64), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    loss_of = torch.nn.CrossEntropyLoss()
    points, classes = torch.from_numpy(X), torch.from_numpy(y)
    for _ in range(EPOCHS):
        order = torch.randperm(len(points))
        for batch in order.split(BATCH):
            optimizer.zero_grad()
            loss_of(model(points[batch]), classes[batch]).backward()
            optimizer.step()
    return lambda test: model(torch.from_numpy(test)).argmax(dim=1).numpy()


def data_of(name: str) -> tuple[Any, ...]:
    """Return the points to learn from and to test on, scaled, and their classes."""
    X, y = LOADERS[name](return_X_y=True)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.25, random_state=0, stratify=y)
    scaler = StandardScaler().fit(X)
    return scaler.transform(X), scaler.transform(X_test), y, y_test


def first_fit(name: str, cache: str | None) -> float:
    """Return the seconds that our first fit takes in a new process, the median of three.

    `cache` is the folder of machine code, "" for none.
    """
    environment = os.environ | ({} if cache is None else {"MICROGRAD_MLP_CACHE": cache})
    command = [sys.executable, __file__, name, "--first"]
    told = [subprocess.run(command, capture_output=True, text=True, check=True, env=environment) for _ in range(3)]
    return median(float(each.stdout) for each in told)


def compare(name: str, seeds: int) -> list[tuple[str, ...]]:
    """Return a row (data, implementation, accuracy, median, range) for each implementation."""
    X, X_test, y, y_test = data_of(name)
    fits: dict[str, Fit] = {"here": ours, "scikit-learn": scikit_learn}
    if find_spec("torch"):
        fits["PyTorch"] = pytorch
    seconds: dict[str, list[float]] = {who: [] for who in fits}
    shares: dict[str, list[float]] = {who: [] for who in fits}
    for fit in fits.values():
        fit(X, y, 0)
    for seed in range(seeds):
        for who, fit in fits.items():
            start = perf_counter()
            predict = fit(X, y, seed)
            seconds[who].append(perf_counter() - start)
            shares[who].append(float(np.mean(predict(X_test) == y_test)))
    return [
        (name, who, f"{mean(shares[who]):.2%} ± {stdev(shares[who]):.2%}", f"{median(times):.2f}", spread(times))
        for who, times in seconds.items()
    ]


def spread(times: list[float]) -> str:
    return f"{min(times):.2f} to {max(times):.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="*", default=list(LOADERS), help=f"of {', '.join(LOADERS)}")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", action="store_true", help="only print the seconds of our first fit")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    if options.first:
        X, _, y, _ = data_of(options.data[0])
        start = perf_counter()
        ours(X, y, 0)
        return print(perf_counter() - start)
    print("| data | | test accuracy | median s | all s | first fit, s |\n|---|---|---|---|---|---|")
    for name in options.data:
        for row in compare(name, options.seeds):
            first = f"{first_fit(name, None):.2f} (new machine {first_fit(name, ''):.2f})" if row[1] == "here" else ""
            print(f"| {' | '.join(row)} | {first} |", flush=True)
    return None


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
