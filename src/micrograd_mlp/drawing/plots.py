"""Pictures of data, decision boundaries, learning curves and networks, made with matplotlib, on light or dark paper.

Whatever a colour says, a marker, a line style or a number says too; the colours are those that Okabe and Ito chose for
the colour-blind (Color Universal Design, 2008). matplotlib is loaded on first use, and its settings stay as they are.
"""

from __future__ import annotations

import copy
import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from .. import training
from ..files import write_atomically
from ..names import refuse_unknown
from ..training import Epoch, History
from .dot import clean

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.contour import QuadContourSet
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from PIL.Image import Image

Array = np.ndarray[Any, np.dtype[Any]]
Span = tuple[float, float]


@dataclass(frozen=True)
class Theme:
    """The colours of a picture: of the paper, the writing, the fine lines, and of the classes in order."""

    paper: str
    ink: str
    fine: str
    colours: tuple[str, ...]


THEMES = {
    "light": Theme(
        "#ffffff", "#1b1f24", "#d5d9de",
        ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#6b6b6b"),
    ),
    "dark": Theme(
        "#14171c", "#e6e9ee", "#3a4049",
        ("#56b4e9", "#e69f00", "#2cc59b", "#cc79a7", "#f0e442", "#d55e00", "#b0b0b0"),  # the green lightened
    ),
}  # fmt: skip
MARKERS = "os^DvPX*"  # 8 of them and 7 colours: 56 classes look different
METADATA: dict[str, dict[str, None]] = {  # what would change from day to day or from version to version is left out
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
MOST_NODES = 20  # a wider layer is folded
MOST_NAMED = 12  # classes named in a legend


def plot_data(X: Any, y: Any, *, classes: Any = None, features: Any = None, theme: str = "light") -> Figure:
    """Return a picture of the points X (n by 2) in the units of the data, marked by their class y (integers from 0).

    `classes` and `features` are their names. Raises ValueError for other shapes and for numbers that are not finite.
    """
    points = _Points.of("points", X, y)
    names = _names(classes, 1 + int(points.y.max()))
    with _style(_theme(theme)) as colours:
        figure, axes = _plane([points], features, width=5.4)
        _scatter(axes, points, colours)
        _legend(figure, _class_handles(names, colours))
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
    picture = _Boundary(model, X, y, X_test, y_test, classes, features, theme, cells=200)
    picture.draw(model, title)
    return picture.figure


def plot_curves(history: History, *, theme: str = "light") -> Figure:
    """Return a picture of loss and accuracy after each epoch, on training and, where there are any, held-out points.

    Raises ValueError if the history has no epoch.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    if not history.epochs:
        raise ValueError("this history has no epochs, so there is no curve to draw")
    measures = [name for name in ("loss", "accuracy") if np.isfinite(getattr(history, name)).any()] or ["loss"]
    with _style(_theme(theme)) as colours:
        figure = Figure(figsize=(6.4, 0.6 + 2.4 * len(measures)), layout="constrained")
        rows: list[Axes] = figure.subplots(len(measures), sharex=True, squeeze=False)[:, 0].tolist()
        for axes, measure in zip(rows, measures, strict=True):
            _draw_curves(axes, history, measure, colours)
        rows[-1].set_xlabel("epoch")
        rows[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def plot_network(model: Any, *, classes: Any = None, features: Any = None, theme: str = "light") -> Figure:
    """Return a picture of the weights of an MLP (or of a Classifier's): lines as wide as the weights are large.

    Positive weights are solid lines, negative ones dashed in another colour; each node holds its bias. Of layers with
    more than MOST_NODES neurons only the first and the last are drawn, and the picture says how many are not.
    """
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    mlp = _network(model)
    n_in, n_out = len(mlp.layers[0].neurons[0].w), len(mlp.layers[-1].neurons)
    inputs = _names(features or getattr(model, "features", None), n_in, first=1, prefix="x")
    outputs = _names(classes or getattr(model, "classes", None), max(2, n_out), prefix="class ")
    outputs = outputs if n_out > 1 else outputs[1:2]  # one score speaks for the second class
    ranks = _Rank.row([n_in, *(len(layer.neurons) for layer in mlp.layers)])
    with _style(_theme(theme)) as colours:
        height = max(len(rank.shown) for rank in ranks)
        figure = Figure(figsize=(2.2 + 1.9 * len(ranks), 2.0 + 0.36 * height), layout="constrained")
        axes = figure.add_subplot()
        axes.set_axis_off()
        handles = _draw_weights(axes, mlp, ranks, colours)
        _draw_nodes(axes, mlp, ranks, colours)
        _name_nodes(axes, ranks, inputs, outputs)
        bias = Line2D([], [], linestyle="", marker="o", ms=10, mfc="none", mec=colours.ink, label="neuron and its bias")
        _legend(figure, [*handles, bias])
    return figure


class Snapshot(NamedTuple):
    """The weights of a model (its `state_dict`) after an epoch."""

    epoch: Epoch
    state: dict[str, float]


class BoundaryFrames:
    """A callback for `fit` that keeps `snapshots` of the weights for `animate_boundary`.

    Kept are the first epoch, each that comes a tenth later than the one kept before, and the latest: early epochs, in
    which most happens, are kept all, and a run of any length leaves few.
    """

    def __init__(self) -> None:
        self.snapshots: list[Snapshot] = []

    def __call__(self, epoch: Epoch, model: Any) -> None:
        """Keep the weights of `model` as they are after `epoch`."""
        kept = self.snapshots
        if len(kept) > 1 and kept[-1].epoch.epoch < 1.1 * kept[-2].epoch.epoch:
            kept.pop()
        kept.append(Snapshot(epoch, model.state_dict()))


def animate_boundary(
    frames: BoundaryFrames,
    model: Any,
    X: Any,
    y: Any,
    path: str | Path,
    *,
    X_test: Any = None,
    y_test: Any = None,
    classes: Any = None,
    features: Any = None,
    theme: str = "light",
    most: int = 40,
) -> Path:
    """Write a GIF of the decision boundary while it learns, of at most `most` frames, and return its path.

    `model` and the points are those of `plot_boundary`; the model stays as it is, each frame draws a copy of it with
    the weights in `frames`. The title gives epoch, loss and accuracy; the last frame stays for 3 seconds. Raises
    ValueError if there are no frames, `path` does not end in .gif, or for what `plot_boundary` refuses; and OSError.
    """
    if Path(path).suffix.lower() != ".gif":
        raise ValueError(f"an animation is written to a file that ends in .gif, got {str(path)!r}")
    if not frames.snapshots:
        raise ValueError("no frames were kept: give a BoundaryFrames to fit, as one of its callbacks")
    count = len(frames.snapshots)
    places = np.linspace(count - 1, 0, max(1, min(most, count))).round().astype(int)[::-1]  # the last one always
    shown = [frames.snapshots[place] for place in places]
    picture = _Boundary(model, X, y, X_test, y_test, classes, features, theme, cells=90, bands=12)
    images, learner = [], copy.deepcopy(model)
    for snapshot in shown:
        _network(learner).load_state_dict(snapshot.state)
        picture.draw(learner, _frame_title(snapshot.epoch))
        images.append(picture.image(dpi=80))
    return write_atomically(path, _gif(images, [120] * (len(images) - 1) + [3000], picture.colours))


def save_figure(figure: Figure, path: str | Path) -> Path:
    """Write a figure as PNG, SVG or PDF, by the suffix of `path`, and return the path; the same figure, the same bytes.

    Raises ValueError for another suffix, and OSError.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in METADATA:
        raise ValueError(f"a figure is written as {', '.join(METADATA)}; got {str(path)!r}")
    buffer = io.BytesIO()
    with _style(), _missing_glyphs_allowed():
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # each layout starts from the one before and differs from it a little
        figure.savefig(buffer, format=suffix[1:], dpi=160, metadata=METADATA[suffix])
    return write_atomically(path, buffer.getvalue())


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


class _Boundary:
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
        self.colours, self.bands = _theme(theme), bands
        count = _probabilities(model, self.groups[0].X[:1]).shape[1]
        names = _names(classes or getattr(model, "classes", None), count)
        with _style(self.colours):
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
            _legend(self.figure, handles)

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
        with _style(self.colours):
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
        with _style(self.colours), _missing_glyphs_allowed():
            canvas.draw()
        self.figure.set_layout_engine("none")
        return Image.fromarray(np.asarray(canvas.buffer_rgba())[:, :, :3].copy())


@dataclass(frozen=True)
class _Rank:
    """One column of a network diagram at `x`: the indices of the nodes `shown`, and the step between them."""

    x: int
    size: int
    shown: tuple[int, ...]
    step: float

    @classmethod
    def row(cls, sizes: Sequence[int]) -> list[_Rank]:
        """Return the columns for layers of these sizes; small ones spread themselves beside tall ones."""
        half, height = MOST_NODES // 2, min(MOST_NODES, max(sizes))
        ranks = []
        for x, size in enumerate(sizes):
            shown = range(size) if size <= MOST_NODES else [*range(half), *range(size - half, size)]
            ranks.append(cls(x, size, tuple(shown), min(2.2, (height - 1) / max(1, len(shown) - 1)) or 1.0))
        return ranks

    def place(self, index: int) -> tuple[float, float]:
        """Return the place of a node: columns are centred, and a folded one is open in its middle."""
        row, rows = self.shown.index(index), len(self.shown)
        gap = 0.0 if rows == self.size else 0.8 if row < rows // 2 else -0.8
        return float(self.x), ((rows - 1) / 2 - row) * self.step + gap


def _draw_curves(axes: Axes, history: History, measure: str, colours: Theme) -> None:
    """Draw one measure over the epochs: training solid, held out dashed; a loss that falls far on a log scale."""
    marker = "o" if len(history.epochs) == 1 else ""
    for prefix, name, colour, style in (("", "training", 0, "-"), ("test_", "held out", 1, "--")):
        numbers = np.array(getattr(history, prefix + measure), dtype=np.float64)
        if np.isfinite(numbers).any():
            label = f"{name}, {_measured(measure, numbers[-1])} at the end"
            axes.plot(history.epoch, numbers, style, color=colours.colours[colour], marker=marker, label=label)
    drawn = np.concatenate([line.get_ydata() for line in axes.lines] or [np.ones(1)])
    drawn = drawn[np.isfinite(drawn)]
    if measure == "accuracy":
        axes.set_ylim(min(0.5, drawn.min()) - 0.03, 1.03)
        axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    elif drawn.min() > 0 and drawn.max() / drawn.min() > 30:
        axes.set_yscale("log")
    axes.set_ylabel(measure)
    axes.grid(True)
    axes.legend(frameon=False)


def _measured(measure: str, number: float) -> str:
    return f"{number:.1%}" if measure == "accuracy" else f"{number:.3g}"


def _frame_title(epoch: Epoch) -> str:
    tested = np.isfinite(epoch.test_accuracy)
    accuracy, whose = (epoch.test_accuracy, "held-out") if tested else (epoch.accuracy, "training")
    return f"epoch {epoch.epoch}: loss {epoch.loss:.3f}, {whose} accuracy {accuracy:.1%}"


def _draw_weights(axes: Axes, mlp: Any, ranks: Sequence[_Rank], colours: Theme) -> list[Line2D]:
    """Draw a line for each weight between shown nodes; return the largest of each sign as keys to width and colour."""
    from matplotlib.collections import LineCollection
    from matplotlib.lines import Line2D

    edges = [
        (before.place(i), after.place(j), layer.neurons[j].w[i].data)
        for before, after, layer in zip(ranks, ranks[1:], mlp.layers, strict=False)
        for j in after.shown
        for i in before.shown
    ]
    largest = max(abs(w) for *_, w in edges) or 1.0
    handles = []
    looks: tuple[tuple[int, str, int, Literal["-", "--"]], ...] = ((1, "positive", 0, "-"), (-1, "negative", 1, "--"))
    for sign, name, colour, style in looks:
        chosen = sorted((abs(w), start, end) for start, end, w in edges if sign * w > 0)
        if not chosen:
            continue
        shares = np.array([size / largest for size, *_ in chosen])
        lines = LineCollection([place for _, *place in chosen], linewidths=0.2 + 3.3 * shares, linestyles=[style])
        lines.set(color=colours.colours[colour], alpha=0.15 + 0.85 * shares, zorder=1)
        axes.add_collection(lines)
        label = f"{name} weight, up to {sign * chosen[-1][0]:+.2f}"
        width = 0.2 + 3.3 * float(shares[-1])
        handles.append(Line2D([], [], color=colours.colours[colour], linestyle=style, linewidth=width, label=label))
    return handles


def _draw_nodes(axes: Axes, mlp: Any, ranks: Sequence[_Rank], colours: Theme) -> None:
    """Draw the nodes with their biases, and over each column what it holds."""
    for rank in ranks:
        x, y = np.array([rank.place(i) for i in rank.shown]).T
        size, marker = (150, "s") if rank.x == 0 else (420, "o")
        axes.scatter(x, y, s=size, marker=marker, c=colours.paper, edgecolors=colours.ink, zorder=2)
        if rank.x > 0:
            neurons = mlp.layers[rank.x - 1].neurons
            for i in rank.shown:
                axes.annotate(
                    f"{neurons[i].b.data:+.2f}", rank.place(i), ha="center", va="center", fontsize=6.5, zorder=3
                )
        if len(rank.shown) < rank.size:
            axes.annotate(f"{rank.size - len(rank.shown)} more", (rank.x, 0), ha="center", va="center", zorder=3)
    top = max(rank.place(rank.shown[0])[1] for rank in ranks) + 0.9
    for rank in ranks:
        kind = mlp.layers[rank.x - 1].neurons[0].activation if rank.x > 0 else "inputs"
        axes.annotate(f"{rank.size} {kind}", (rank.x, top), ha="center", va="bottom")
    axes.set(xlim=(-0.15, len(ranks) - 0.85), ylim=(0.4 - top, top))


def _name_nodes(axes: Axes, ranks: Sequence[_Rank], inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Write the names of the features left of the first column, those of the classes right of the last."""
    for rank, names, side, align in ((ranks[0], inputs, -1, "right"), (ranks[-1], outputs, 1, "left")):
        for i in rank.shown:
            axes.annotate(names[i], rank.place(i), (14 * side, 0), textcoords="offset points", ha=align, va="center")


def _plane(groups: Sequence[_Points], features: Any, width: float) -> tuple[Figure, Axes]:
    """Return a figure and axes that span all points, about `width` inches wide; equal scales where the spans allow."""
    from matplotlib.figure import Figure

    X = np.concatenate([points.X for points in groups])
    spans = [_span(column) for column in X.T]
    ratio = (spans[1][1] - spans[1][0]) / (spans[0][1] - spans[0][0])
    alike = 0.4 <= ratio <= 1.5
    figure = Figure(figsize=(6.4, 1.3 + width * (ratio if alike else 0.75)), layout="compressed")
    axes = figure.add_subplot(xlim=spans[0], ylim=spans[1], aspect="equal" if alike else "auto")
    axes.set(**dict(zip(("xlabel", "ylabel"), _names(features, 2, 1, "x"), strict=False)))
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
        axes.scatter(x, y, s=30, marker=_marker(k), zorder=3, **_fill(points, k, colours))


def _fill(points: _Points, k: int, colours: Theme) -> dict[str, Any]:
    colour = _colour(k, colours)
    if points.name == "held out":
        return {"facecolors": colours.paper, "edgecolors": colour, "linewidths": 1.6}
    return {"facecolors": colour, "edgecolors": colours.paper, "linewidths": 0.7}


def _colour(k: int, colours: Theme) -> str:
    return colours.colours[k % len(colours.colours)]


def _marker(k: int) -> str:
    return MARKERS[k % len(MARKERS)]


def _class_handles(names: Sequence[str], colours: Theme) -> list[Line2D]:
    """Return the keys to the classes; of very many, to the first, and how many there are."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], linestyle="", marker=_marker(k), color=_colour(k, colours), label=name)
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


def _legend(figure: Figure, handles: Sequence[Line2D]) -> None:
    """Write the keys under the picture, row by row, in as many columns as their texts allow."""
    longest = max(len(str(handle.get_label())) for handle in handles)
    columns = max(1, min(len(handles), int(13 * figure.get_figwidth()) // (longest + 4)))
    in_rows = [handle for start in range(columns) for handle in handles[start::columns]]  # matplotlib goes by columns
    length = 3.0 if handles[0].get_linestyle() != "None" else 1.0
    figure.legend(handles=in_rows, handlelength=length, loc="outside lower center", ncols=columns, frameon=False)


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
            marker=_marker(k),
            color=_colour(k, colours),
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

    of_classes = to_rgba_array([_colour(k, colours) for k in range(P.shape[1])])[:, :3]
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


def _network(model: Any) -> Any:
    """Return the network of a Classifier, or the network itself."""
    return getattr(model, "model", model)


def _names(given: Any, count: int, first: int = 0, prefix: str = "") -> list[str]:
    """Return `count` names, as text that can be drawn; those given, or `prefix` and a number from `first`."""
    names = [f"{prefix}{index + first}" for index in range(count)] if given is None else [str(name) for name in given]
    if len(names) < count:
        raise ValueError(f"{count} names are needed, got {len(names)}: {', '.join(names)}")
    return [_drawable(name) for name in names]


def _drawable(name: str) -> str:
    """Return `name` on one short line, with nothing that matplotlib would read as a formula."""
    return clean(name, 24).replace("$", r"\$")


def _theme(name: str) -> Theme:
    refuse_unknown(name, THEMES, "theme")
    return THEMES[name]


@contextmanager
def _style(colours: Theme = THEMES["light"]) -> Iterator[Theme]:
    """Within this block matplotlib has its own defaults and these colours, whatever the user has set."""
    import matplotlib.style

    settings = {
        "figure.facecolor": colours.paper,
        "axes.facecolor": colours.paper,
        "axes.edgecolor": colours.fine,
        "axes.labelcolor": colours.ink,
        "axes.titlelocation": "left",
        "axes.titlesize": 11,
        "axes.axisbelow": True,
        "text.color": colours.ink,
        "xtick.color": colours.fine,
        "ytick.color": colours.fine,
        "xtick.labelcolor": colours.ink,
        "ytick.labelcolor": colours.ink,
        "grid.color": colours.fine,
        "grid.linewidth": 0.6,
        "figure.constrained_layout.w_pad": 0.12,
        "figure.constrained_layout.h_pad": 0.1,
        "legend.handletextpad": 0.5,
        "legend.columnspacing": 1.6,
        "svg.hashsalt": "micrograd-mlp",
    }
    with matplotlib.style.context(["default", settings]):
        yield colours


@contextmanager
def _missing_glyphs_allowed() -> Iterator[None]:
    """Within this block a name in a script that the font lacks is drawn as boxes, without a warning for each letter."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def _gif(images: Sequence[Image], durations: Sequence[int], colours: Theme) -> bytes:
    """Return the bytes of a GIF that repeats for ever; `durations` are in milliseconds. All frames share a palette."""
    from PIL import Image

    palette = _palette(images, colours)
    frames = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:], duration=list(durations), loop=0)
    return buffer.getvalue()


def _palette(images: Sequence[Image], colours: Theme) -> Image:
    """Return an image whose palette suits four of the images, with the colours of the theme in it as they are."""
    from matplotlib.colors import to_rgba_array
    from PIL import Image

    width, height = images[0].size
    montage = Image.new("RGB", (width, 4 * height))
    for place, index in enumerate(np.linspace(0, len(images) - 1, 4).round().astype(int)):
        montage.paste(images[index], (0, place * height))
    palette = montage.quantize(118, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    exact = (255 * to_rgba_array([colours.paper, colours.ink, *colours.colours])[:, :3]).round().astype(int)
    chosen = np.array(palette.getpalette()).reshape(-1, 3)
    for colour in exact:  # white paper stays white: its neighbours would take its place
        chosen[np.abs(chosen - colour).max(axis=1) < 8] = colour
    palette.putpalette(np.concatenate([chosen, exact]).ravel().tolist())
    return palette
