"""Problems in the plane that no straight line solves, and tables of real measurements; one's own come by `load_csv`.

Each problem is a function of `n` (samples), `noise` (standard deviation of the jitter on both coordinates) and `seed`,
and returns X of shape (n, 2) and y of shape (n,), the classes as integers from 0, shuffled. `PROBLEMS` lists them.
`TABLES` lists functions that return a Table; their points come with scikit-learn.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .tables import Table, load_csv

__all__ = [
    "PROBLEMS", "TABLES", "Table", "blobs", "breast_cancer", "checkerboard", "circles", "digits", "iris", "load_csv",
    "moons", "rings", "sine", "spirals", "wine", "xor", "yinyang",
]  # fmt: skip

Array = np.ndarray[Any, np.dtype[np.float64]]
Classes = np.ndarray[Any, np.dtype[np.int64]]
Points = tuple[Array, Classes]


def moons(n: int = 200, noise: float = 0.1, seed: int = 0) -> Points:
    """Return two half circles that reach into each other (2 classes). From scikit-learn's make_moons."""
    from sklearn.datasets import make_moons

    _check(n, noise, classes=2)
    X, y = make_moons(n_samples=n, noise=noise or None, random_state=seed)
    return X, y


def circles(n: int = 200, noise: float = 0.1, seed: int = 0) -> Points:
    """Return a circle of radius 1 around one of radius 0.5 (2 classes). From scikit-learn's make_circles."""
    from sklearn.datasets import make_circles

    _check(n, noise, classes=2)
    X, y = make_circles(n_samples=n, noise=noise or None, factor=0.5, random_state=seed)
    return X, y


def blobs(n: int = 200, noise: float = 0.6, seed: int = 0, centers: int = 3) -> Points:
    """Return `centers` round clouds of standard deviation `noise` (as many classes). From scikit-learn's make_blobs."""
    from sklearn.datasets import make_blobs

    _check(n, noise, classes=centers)
    angles = 2 * math.pi * np.arange(centers) / centers
    X, y = make_blobs(n_samples=n, centers=2 * _polar(1.0, angles), cluster_std=noise, random_state=seed)
    return X, y


def spirals(n: int = 200, noise: float = 0.03, seed: int = 0, arms: int = 2, turns: float = 1.25) -> Points:
    """Return `arms` spirals that wind `turns` times around the origin, within radius 1 (as many classes).

    Source: Lang and Witbrock, Learning to tell two spirals apart (1988), with radius growing evenly.
    """
    rng, y = _start(n, noise, seed, classes=arms)
    radius = np.sqrt(rng.uniform(0.01, 1.0, n))
    X = _polar(radius, 2 * math.pi * (turns * radius + y / arms))
    return X + rng.normal(0.0, noise, (n, 2)), y


def xor(n: int = 200, noise: float = 0.05, seed: int = 0) -> Points:
    """Return points of the square [-1, 1]², class 1 where the signs of the coordinates differ (2 classes)."""
    return checkerboard(n, noise, seed, cells=2)


def checkerboard(n: int = 300, noise: float = 0.0, seed: int = 0, cells: int = 4) -> Points:
    """Return points of the square [-1, 1]² cut into `cells` by `cells` fields of alternating class (2 classes)."""
    rng, y = _start(n, noise, seed, classes=2)
    if cells < 2:
        raise ValueError(f"checkerboard takes at least 2 cells a side, got {cells}")
    fields = [[(i, j) for i in range(cells) for j in range(cells) if (i + j) % 2 == k] for k in (0, 1)]
    corners = np.array([fields[k][rng.integers(len(fields[k]))] for k in y])
    X = (corners + rng.uniform(0.0, 1.0, (n, 2))) * (2 / cells) - 1
    return X + rng.normal(0.0, noise, (n, 2)), y


def rings(n: int = 300, noise: float = 0.05, seed: int = 0, count: int = 2) -> Points:
    """Return a core around the origin (class 0) and `count` rings around it (classes 1, 2, ...), within radius 1."""
    rng, y = _start(n, noise, seed, classes=count + 1)
    radius = np.where(y == 0, np.sqrt(rng.uniform(0, 1, n)) * 0.5, y) / (count + 0.0)
    return _polar(radius, rng.uniform(0, 2 * math.pi, n)) + rng.normal(0.0, noise, (n, 2)), y


def yinyang(n: int = 300, noise: float = 0.0, seed: int = 0) -> Points:
    """Return points of a yin-yang sign of radius 1: yin (0), yang (1) and the two dots (2), in equal numbers.

    Source: Kriener, Göltz and Petrovici, The Yin-Yang dataset (2022).
    """
    rng, y = _start(n, noise, seed, classes=3)
    X = np.empty((n, 2))
    for k in range(3):  # draw in the square until enough points have fallen on each part
        found = np.empty((0, 2))
        while len(found) < np.sum(y == k):
            drawn = rng.uniform(-1.0, 1.0, (4 * n, 2))
            found = np.concatenate([found, drawn[_yinyang_part(drawn) == k]])
        X[y == k] = found[: np.sum(y == k)]
    return X + rng.normal(0.0, noise, (n, 2)), y


def _yinyang_part(X: Array) -> Classes:
    """Return 0, 1 or 2 for yin, yang and dot, and -1 outside the sign."""
    left, right = np.hypot(X[:, 0] + 0.5, X[:, 1]), np.hypot(X[:, 0] - 0.5, X[:, 1])
    yang = (left < 0.5) | ((X[:, 1] > 0) & (right >= 0.5))
    part = np.where((left < 0.18) | (right < 0.18), 2, yang.astype(np.int64))
    return np.where(np.hypot(X[:, 0], X[:, 1]) <= 1.0, part, -1)


def sine(n: int = 200, noise: float = 0.03, seed: int = 0, waves: float = 1.5) -> Points:
    """Return points of the square [-1, 1]², class 1 above a sine curve of `waves` waves and height 0.5 (2 classes)."""
    rng, y = _start(n, noise, seed, classes=2)
    x1 = rng.uniform(-1.0, 1.0, n)
    curve = 0.5 * np.sin(math.pi * waves * x1)
    x2 = np.where(y == 1, rng.uniform(curve, 1.0), rng.uniform(-1.0, curve))
    return np.stack([x1, x2], axis=1) + rng.normal(0.0, noise, (n, 2)), y


PROBLEMS: dict[str, Callable[..., Points]] = {
    problem.__name__: problem for problem in (moons, circles, spirals, xor, checkerboard, blobs, rings, yinyang, sine)
}


def iris() -> Table:
    """Return 150 irises of three species, each with four lengths. From scikit-learn. Source: Fisher (1936)."""
    from sklearn.datasets import load_iris

    return _table(load_iris())


def wine() -> Table:
    """Return 178 wines of three growers, each with 13 measurements. From scikit-learn. Source: Aeberhard (1992)."""
    from sklearn.datasets import load_wine

    return _table(load_wine())


def breast_cancer() -> Table:
    """Return 569 tumours, malignant or benign, each with 30 measurements. From scikit-learn. Source: Wolberg (1995)."""
    from sklearn.datasets import load_breast_cancer

    return _table(load_breast_cancer())


def digits() -> Table:
    """Return 1,797 handwritten digits, each of 8 by 8 pixels. From scikit-learn. Source: Alpaydin and Kaynak (1998)."""
    from sklearn.datasets import load_digits

    return _table(load_digits())


TABLES: dict[str, Callable[[], Table]] = {
    "iris": iris, "wine": wine, "breast-cancer": breast_cancer, "digits": digits,
}  # fmt: skip


def _table(bunch: Any) -> Table:
    features, classes = (tuple(map(str, names)) for names in (bunch.feature_names, bunch.target_names))
    return Table(bunch.data.astype(np.float64), bunch.target.astype(np.int64), features, classes)


def _start(n: int, noise: float, seed: int, classes: int) -> tuple[np.random.Generator, Classes]:
    """Return the random generator of `seed` and n shuffled classes, each as often as the others."""
    _check(n, noise, classes)
    rng = np.random.default_rng(seed)
    return rng, rng.permutation(np.arange(n) % classes)


def _check(n: int, noise: float, classes: int) -> None:
    if classes < 2:
        raise ValueError(f"a problem has at least 2 classes, got {classes}")
    if n < 2 * classes:
        raise ValueError(f"n is at least {2 * classes}, two samples for each of {classes} classes; got {n}")
    if not (noise >= 0 and math.isfinite(noise)):
        raise ValueError(f"noise is a standard deviation of at least 0, got {noise!r}")


def _polar(radius: Any, angle: Any) -> Array:
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)
