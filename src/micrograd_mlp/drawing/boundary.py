"""Pictures of points in the plane, and of what a model makes of the plane around them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import training
from ..names import chosen
from .theme import (
    MOST_NAMED,
    THEMES,
    Theme,
    colour_of,
    legend,
    marker_of,
    missing_glyphs_allowed,
    names_of,
    themed,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.contour import QuadContourSet
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from PIL.Image import Image

Array = np.ndarray[Any, np.dtype[Any]]
Span = tuple[float, float]


@dataclass(frozen=True)
class _Points:
    """Points of the plane with their classes; `name` says in a legend which points they are."""

    name: str
    X: Array
    y: Array

    @classmethod
    def of(cls, name: str, X: Any, y: Any) -> _Points:
        X, y = np.asarray(X, dtype=np.float64), np.asarray(y)
        if X.ndim != 2 or X.shape[1] != 2 or y.shape != X.shape[:1] or len(X) == 0:
            raise ValueError(
                f"this picture shows points of 2 features: X of shape (n, 2) and y of shape (n,), n at least 1; "
                f"got {X.shape} and {y.shape}"
            )
        if not np.isfinite(X).all():
            raise ValueError("this picture shows points of finite numbers; X holds inf or nan")
        if not np.issubdtype(y.dtype, np.integer) or y.min() < 0:
            raise ValueError(f"y holds classes as integers from 0, got {y[:5].tolist()}")
        return cls(name, X, y)


def plot_data(X: Any, y: Any, *, classes: Any = None, features: Any = None, theme: str = "light") -> Figure:
    """Return a picture of the points X (n by 2) in the units of the data, marked by their class y (integers from 0).

    `classes` and `features` are their names. Raises ValueError for other shapes and for numbers that are not finite.
    """
    points = _Points.of("points", X, y)
    names = names_of(classes, 1 + int(points.y.max()))
    with themed(chosen(theme, THEMES, "theme")) as colours:
        figure, axes = _plane([points], features, width=5.4)
        _scatter(axes, points, colours)
        legend(figure, _class_handles(names, colours))
    return figure


def plot_boundary(
    model: Any,
    X: Any,
    y: Any,
    *,
    X_test: Any = None,
    y_test: Any = None,
    classes: Any = None,
    features: Any = None,
    title: str | None = None,
    theme: str = "light",
) -> Figure:
    """Return a picture of how probable `model` finds each class at each point of the plane, with its decision line.

    `model` is a Classifier, or a network that takes X as it is. X (n by 2) and y (integers from 0) are the points it
    was trained on, X_test and y_test those it was not; points that it gets wrong are ringed. The names of the classes
    and features are the Classifier's own, if not given. Raises ValueError unless the points have 2 finite features.
    """
    picture = Boundary(model, X, y, X_test, y_test, classes, features, theme, cells=200)
    picture.draw(model, title)
    return picture.figure


class Boundary:
    """The picture of a decision boundary: the axes, points and keys are drawn once, `draw` brings in a model."""

    def __init__(
        self,
        model: Any,
        X: Any,
        y: Any,
        X_test: Any,
        y_test: Any,
        classes: Any,
        features: Any,
        theme: str,
        cells: int,
        bands: int | None = None,
    ) -> None:
        self.groups = [_Points.of("training", X, y)]
        if X_test is not None and len(X_test):
            self.groups.append(_Points.of("held out", X_test, y_test))
        self.colours, self.bands = chosen(theme, THEMES, "theme"), bands
        count = _probabilities(model, self.groups[0].X[:1]).shape[1]
        names = names_of(classes or getattr(model, "classes", None), count)
        with themed(self.colours):
            self.figure, self.axes = _plane(self.groups, features or getattr(model, "features", None), width=4.7)
            self.x, self.y = (np.linspace(*span, cells) for span in (self.axes.get_xlim(), self.axes.get_ylim()))
            self.shading = self.axes.imshow(
                np.zeros((cells, cells, 3)),
                origin="lower",
                extent=_pixel_extent(self.x, self.y),
                aspect=self.axes.get_aspect(),
                interpolation="bilinear",
                zorder=0,
            )
            for points in self.groups:
                _scatter(self.axes, points, self.colours)
            self.rings = self.axes.scatter([], [], s=110, facecolors="none", edgecolors=self.colours.ink, zorder=4)
            self.lines: list[QuadContourSet] = []
            _probability_key(self.axes, names, self.colours, bands)
            handles = [*_class_handles(names, self.colours), *_group_handles(self.groups, self.colours)]
            legend(self.figure, handles)

    def draw(self, model: Any, title: str | None = None) -> None:
        """Show the probabilities and the decision line of `model`, ring what it gets wrong, and say how much it is."""
        P = _probabilities(model, np.stack(np.meshgrid(self.x, self.y), axis=-1).reshape(-1, 2))
        shape = (len(self.y), len(self.x))
        self.shading.set_data(_shades(P, self.colours, self.bands).reshape(*shape, 3))
        wrong = [_probabilities(model, points.X).argmax(axis=1) != points.y for points in self.groups]
        pairs = list(zip(self.groups, wrong, strict=True))
        self.rings.set_offsets(np.concatenate([points.X[missed] for points, missed in pairs]))
        shares = ", ".join(f"{points.name} {1 - missed.mean():.1%}" for points, missed in pairs)
        for line in self.lines:
            line.remove()
        with themed(self.colours):
            self.axes.set_title(f"accuracy: {shares}" if title is None else title)
            self.lines = [
                self.axes.contour(self.x, self.y, lead.reshape(shape), [0.0], colors=self.colours.ink, linewidths=1.2)
                for lead in _leads(P)
            ]

    def image(self, dpi: int) -> Image:
        """Return the picture as it is now, in RGB. The layout is that of the first call: nothing jumps about."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from PIL import Image

        self.figure.set_dpi(dpi)
        canvas: Any = FigureCanvasAgg(self.figure)  # its methods are untyped
        with themed(self.colours), missing_glyphs_allowed():
            canvas.draw()
        self.figure.set_layout_engine("none")
        return Image.fromarray(np.asarray(canvas.buffer_rgba())[:, :, :3].copy())


def _plane(groups: Sequence[_Points], features: Any, width: float) -> tuple[Figure, Axes]:
    """Return a figure and axes that span all points, about `width` inches wide; equal scales where the spans allow."""
    from matplotlib.figure import Figure

    X = np.concatenate([points.X for points in groups])
    spans = [_span(column) for column in X.T]
    ratio = (spans[1][1] - spans[1][0]) / (spans[0][1] - spans[0][0])
    alike = 0.4 <= ratio <= 1.5
    figure = Figure(figsize=(6.4, 1.3 + width * (ratio if alike else 0.75)), layout="compressed")
    axes = figure.add_subplot(xlim=spans[0], ylim=spans[1], aspect="equal" if alike else "auto")
    axes.set(**dict(zip(("xlabel", "ylabel"), names_of(features, 2, 1, "x"), strict=False)))
    return figure, axes


def _span(numbers: Array) -> Span:
    """Return the range of `numbers` with a margin; around a constant, a range that shows where it lies."""
    low, high = float(numbers.min()), float(numbers.max())
    margin = 0.08 * (high - low) or max(0.5, 0.1 * abs(low))
    return low - margin, high + margin


def _pixel_extent(x: Array, y: Array) -> tuple[float, float, float, float]:
    """Return the edges of an image whose outermost pixels have their centres on the ends of x and y."""
    half_x, half_y = (x[1] - x[0]) / 2, (y[1] - y[0]) / 2
    return x[0] - half_x, x[-1] + half_x, y[0] - half_y, y[-1] + half_y


def _scatter(axes: Axes, points: _Points, colours: Theme) -> None:
    """Mark each point by the colour and the marker of its class; training points are full, others hollow."""
    for k in np.unique(points.y).tolist():
        x, y = points.X[points.y == k].T
        axes.scatter(x, y, s=30, marker=marker_of(k), zorder=3, **_fill(points, k, colours))


def _fill(points: _Points, k: int, colours: Theme) -> dict[str, Any]:
    colour = colour_of(k, colours)
    if points.name == "held out":
        return {"facecolors": colours.paper, "edgecolors": colour, "linewidths": 1.6}
    return {"facecolors": colour, "edgecolors": colours.paper, "linewidths": 0.7}


def _class_handles(names: Sequence[str], colours: Theme) -> list[Line2D]:
    """Return the keys to the classes; of very many, to the first, and how many there are."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], linestyle="", marker=marker_of(k), color=colour_of(k, colours), label=name)
        for k, name in enumerate(names[:MOST_NAMED])
    ]
    if len(names) > MOST_NAMED:
        handles.append(Line2D([], [], linestyle="", label=f"and {len(names) - MOST_NAMED} more"))
    return handles


def _group_handles(groups: Sequence[_Points], colours: Theme) -> list[Line2D]:
    """Return the keys to training points, held-out points and rings."""
    from matplotlib.lines import Line2D

    looks: dict[str, dict[str, Any]] = {
        "training": {"mfc": colours.ink},
        "held out": {"mfc": colours.paper, "mew": 1.6},
    }
    handles = [
        Line2D([], [], linestyle="", marker="o", mec=colours.ink, label=points.name, **looks[points.name])
        for points in groups
    ]
    ring = Line2D([], [], linestyle="", marker="o", markersize=10, mfc="none", mec=colours.ink, label="wrong")
    return [*handles, ring]


def _probability_key(axes: Axes, names: Sequence[str], colours: Theme, bands: int | None) -> None:
    """Draw beside the axes which shade means which probability: of the second class, or of the likeliest of many."""
    count = len(names)
    if count > MOST_NAMED:
        return
    lowest = 0.0 if count == 2 else 1 / count
    p = np.linspace(lowest, 1.0, 128)
    strips = [1] if count == 2 else range(count)
    P = np.repeat(((1 - p) / (count - 1))[:, None], count, axis=1)
    shades = []
    for k in strips:
        P_k = P.copy()
        P_k[:, k] = p
        shades.append(_shades(P_k, colours, bands))
    key = axes.inset_axes((1.03, 0.0, 0.03 * max(1.5, len(shades)), 1.0))
    key.imshow(np.stack(shades, axis=1), origin="lower", aspect="auto", extent=(0, len(shades), lowest, 1.0))
    for k, place in [(0, (0.5, 0.04)), (1, (0.5, 0.96))] if count == 2 else [(k, (k + 0.5, 0.96)) for k in strips]:
        size = 5 if count < 5 else 3
        key.plot(
            *place,
            marker=marker_of(k),
            color=colour_of(k, colours),
            mec=colours.paper,
            ms=size,
            transform=key.get_xaxis_transform(),
        )
    key.set_xticks([])
    key.yaxis.tick_right()
    key.yaxis.set_label_position("right")
    key.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    key.set_ylabel(f"probability of {names[1]}" if count == 2 else "probability of the likeliest class")


def _shades(P: Array, colours: Theme, bands: int | None) -> Array:
    """Return an RGB colour for each row of P: its likeliest class's, paling to the paper's where all are as likely.

    With `bands`, the shades are rounded to as many steps.
    """
    from matplotlib.colors import to_rgb, to_rgba_array

    of_classes = to_rgba_array([colour_of(k, colours) for k in range(P.shape[1])])[:, :3]
    paper = np.array(to_rgb(colours.paper))
    strength = (P.max(axis=1) * P.shape[1] - 1) / (P.shape[1] - 1)
    if bands is not None:
        strength = np.ceil(strength * bands) / bands
    shades: Array = paper + 0.45 * strength[:, None] * (of_classes[P.argmax(axis=1)] - paper)
    return shades.clip(0.0, 1.0)


def _leads(P: Array) -> Iterator[Array]:
    """Yield, for each class that wins on a part of the rows, the lead of its log-probability: 0 on the decision line.

    Logarithms cross 0 on a slope where the probabilities themselves jump, which makes for a smoother line.
    """
    logs = np.log(np.maximum(P, 1e-300))
    for k in [1] if P.shape[1] == 2 else np.unique(P.argmax(axis=1)):
        lead = logs[:, k] - np.delete(logs, k, axis=1).max(axis=1)
        if lead.min() < 0 < lead.max():
            yield lead


def _probabilities(model: Any, X: Array) -> Array:
    """Return the probability of each class for each row; where a model gives no number, all are as likely."""
    with np.errstate(all="ignore"):
        P: Array = model.predict_proba(X) if hasattr(model, "predict_proba") else training.predict_proba(model, X)
    return np.nan_to_num(P, nan=1 / P.shape[1])
