"""The points of a session, in the plane: from a problem, a file or the mouse; some held out, all of them editable."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .. import datasets
from ..classifier import Scaling
from ..names import clean
from ..tables import parse_csv, parse_numbers

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Problem:
    """A problem that makes its own points: `make(n, noise, seed)` returns X (n, 2) and y (n,)."""

    make: Callable[..., tuple[Array, Array]]
    kind: str
    classes: int = 2


def slope(n: int, noise: float, seed: int) -> tuple[Array, Array]:
    """Return points of the square [-1, 1]² with targets that rise from corner to corner, from -1 to 1."""
    return _field(n, noise, seed, lambda x1, x2: (x1 + x2) / 2)


def hills(n: int, noise: float, seed: int) -> tuple[Array, Array]:
    """Return points of the square [-1, 1]² with three hills and three hollows in turn around the centre."""

    def height(x1: Array, x2: Array) -> Array:
        angles = np.arange(6) * math.pi / 3
        bumps = [(-1) ** k * _bump(x1 - 0.6 * np.cos(a), x2 - 0.6 * np.sin(a)) for k, a in enumerate(angles)]
        total: Array = np.sum(bumps, axis=0)
        return total

    return _field(n, noise, seed, height)


def waves(n: int, noise: float, seed: int) -> tuple[Array, Array]:
    """Return points of the square [-1, 1]² with waves around the centre."""
    return _field(n, noise, seed, lambda x1, x2: np.cos(2 * math.pi * np.hypot(x1, x2)))


def _bump(x1: Array, x2: Array) -> Array:
    height: Array = np.exp(-(x1 * x1 + x2 * x2) / 0.08)
    return height


def _field(n: int, noise: float, seed: int, height: Callable[[Array, Array], Array]) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1.0, 1.0, (n, 2))
    return X, height(X[:, 0], X[:, 1]) + rng.normal(0.0, noise, n)


PROBLEMS: dict[str, Problem] = {
    name: Problem(make, "classification", 3 if name in ("blobs", "rings", "yinyang") else 2)
    for name, make in datasets.PROBLEMS.items()
} | {make.__name__: Problem(make, "regression") for make in (slope, hills, waves)}


@dataclass(frozen=True)
class Points:
    """Points of the plane: `X` (n, 2); targets `y` (n,), classes as integers from 0 or numbers; which are `held` out.

    The plane is what was given, scaled: `scaling` leads there. It is shown from -reach to reach in both directions.
    """

    X: Array
    y: Array
    held: Array
    scaling: Scaling
    reach: float
    features: tuple[str, ...] = ("x1", "x2")
    classes: tuple[str, ...] = ()  # their names; none for regression

    @property
    def train(self) -> tuple[Array, Array]:
        """The points to train on, and their targets."""
        return self.X[~self.held], self.y[~self.held]

    @property
    def test(self) -> tuple[Array, Array]:
        """The points held out, and their targets."""
        return self.X[self.held], self.y[self.held]

    def split(self, share: float, seed: int) -> Points:
        """Return the same points with another share of them held out."""
        return replace(self, held=held_out(len(self.X), share, seed))

    def add(self, rows: Array, most: int) -> Points:
        """Return these points and those in `rows` of x1, x2 and target, at most so many in all, to train on."""
        if len(self.X) + len(rows) > most:
            raise ValueError(f"there are at most {most} points, {len(self.X)} are there and {len(rows)} came")
        y = self._targets(rows[:, 2])
        self._refuse_outside(rows[:, :2])
        return replace(
            self,
            X=np.concatenate([self.X, rows[:, :2]]),
            y=np.concatenate([self.y, y]),
            held=np.concatenate([self.held, np.zeros(len(rows), dtype=bool)]),
        )

    def move(self, index: int, to: Array) -> Points:
        """Return these points with one of them in another place."""
        self._refuse_outside(to[None])
        X = self.X.copy()
        X[self._places([index])] = to
        return replace(self, X=X)

    def delete(self, indices: Sequence[int]) -> Points:
        """Return these points without some of them."""
        kept = np.ones(len(self.X), dtype=bool)
        kept[self._places(indices)] = False
        return replace(self, X=self.X[kept], y=self.y[kept], held=self.held[kept])

    def _places(self, indices: Sequence[int]) -> list[int]:
        for index in indices:
            if not 0 <= index < len(self.X):
                raise ValueError(f"there is no point {index}, there are {len(self.X)}")
        return list(indices)

    def _refuse_outside(self, X: Array) -> None:
        if len(X) and not np.abs(X).max() <= self.reach:
            raise ValueError(f"points lie between -{self.reach:g} and {self.reach:g}, got {X.tolist()!r:.80}")

    def _targets(self, y: Array) -> Array:
        if not self.classes:
            return y
        if not np.isin(y, range(len(self.classes))).all():
            raise ValueError(f"there are {len(self.classes)} classes, numbered from 0; got {y.tolist()!r:.80}")
        return y.astype(np.int64)


def held_out(n: int, share: float, seed: int) -> Array:
    """Return which of n points are held out: the first `share` of them in an order that the seed sets; one stays."""
    held = np.zeros(n, dtype=bool)
    held[np.random.default_rng(seed).permutation(n)[: min(round(share * n), n - 1)]] = True
    return held


def of_problem(name: str, n: int, noise: float, seed: int, share: float) -> Points:
    """Return the points that a problem makes, scaled so that each coordinate has mean 0 and deviation 1."""
    problem = PROBLEMS[name]
    X, y = problem.make(n=n, noise=noise, seed=seed)
    classes = tuple(map(str, range(problem.classes))) if problem.kind == "classification" else ()
    return scaled(X, y, share, seed, classes=classes)


def scaled(X: Array, y: Array, share: float, seed: int, **more: Any) -> Points:
    """Return points in the plane, with the scaling that leads there."""
    scaling = Scaling.of(X)
    inside = scaling(X)
    reach = math.ceil(10.5 * np.abs(inside).max()) / 10
    return Points(inside, y, held_out(len(X), share, seed), scaling, reach, **more)


def blank(kind: str, classes: int) -> Points:
    """Return a plane without points."""
    y = np.zeros(0, dtype=np.int64 if kind == "classification" else np.float64)
    names = tuple(map(str, range(classes))) if kind == "classification" else ()
    return Points(np.zeros((0, 2)), y, np.zeros(0, dtype=bool), Scaling([0.0, 0.0], [1.0, 1.0]), 2.0, classes=names)


def of_csv(content: bytes, name: str, kind: str, share: float, seed: int, most: int, most_classes: int) -> Points:
    """Return the points in a CSV file: two columns of numbers, then one of labels, or of numbers for regression.

    Of more columns the first two and the last are taken. Targets of regression are scaled to reach from -1 to 1.
    """
    y: Array
    name = clean(name)
    if kind == "classification":
        table = parse_csv(content, name)
        X, y, names, classes = table.X, table.y, table.features, table.classes
        if len(classes) > most_classes:
            raise ValueError(f"{name} has {len(classes)} classes; the playground shows at most {most_classes}")
    else:
        X, names = parse_numbers(content, name)
        y, X, classes = X[:, -1], X[:, :-1], ()
        y = y / (np.abs(y).max() or 1.0)
    if X.shape[1] < 2:
        raise ValueError(f"{name} needs two columns of numbers and one of targets, it has {X.shape[1] + 1} in all")
    if len(X) > most:
        raise ValueError(f"{name} has {len(X)} points; the playground takes at most {most}")
    if len(X) < 2:
        raise ValueError(f"{name} has one point; at least two are needed")
    with np.errstate(all="ignore"):
        points = scaled(X[:, :2], y, share, seed, features=tuple(names[:2]), classes=tuple(classes))
    if not (np.isfinite(points.X).all() and np.isfinite(points.scaling.mean + points.scaling.deviation).all()):
        raise ValueError(f"{name} holds numbers that are too large to scale")
    return points
