"""The picture of a network's weights and biases, as a diagram of nodes and lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..names import chosen
from .theme import THEMES, Theme, legend, names_of, network_of, themed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

MOST_NODES = 20  # a wider layer is folded


def plot_network(model: Any, *, classes: Any = None, features: Any = None, theme: str = "light") -> Figure:
    """Return a picture of the weights of an MLP (or of a Classifier's): lines as wide as the weights are large.

    Positive weights are solid lines, negative ones dashed in another colour; each node holds its bias. Of layers with
    more than MOST_NODES neurons only the first and the last are drawn, and the picture says how many are not.
    """
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    mlp = network_of(model)
    n_in, n_out = len(mlp.layers[0].neurons[0].w), len(mlp.layers[-1].neurons)
    inputs = names_of(features or getattr(model, "features", None), n_in, first=1, prefix="x")
    outputs = names_of(classes or getattr(model, "classes", None), max(2, n_out), prefix="class ")
    outputs = outputs if n_out > 1 else outputs[1:2]  # one score speaks for the second class
    ranks = _Rank.row([n_in, *(len(layer.neurons) for layer in mlp.layers)])
    with themed(chosen(theme, THEMES, "theme")) as colours:
        height = max(len(rank.shown) for rank in ranks)
        figure = Figure(figsize=(2.2 + 1.9 * len(ranks), 2.0 + 0.36 * height), layout="constrained")
        axes = figure.add_subplot()
        axes.set_axis_off()
        handles = _draw_weights(axes, mlp, ranks, colours)
        _draw_nodes(axes, mlp, ranks, colours)
        _name_nodes(axes, ranks, inputs, outputs)
        bias = Line2D([], [], linestyle="", marker="o", ms=10, mfc="none", mec=colours.ink, label="neuron and its bias")
        legend(figure, [*handles, bias])
    return figure


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
