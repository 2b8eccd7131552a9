"""The picture of a run: loss and accuracy after each epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..names import chosen
from ..training import History
from .theme import THEMES, Theme, themed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plot_curves(history: History, *, theme: str = "light") -> Figure:
    """Return a picture of loss and accuracy after each epoch, on training and, where there are any, held-out points.

    Raises ValueError if the history has no epoch.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    if not history.epochs:
        raise ValueError("this history has no epochs, so there is no curve to draw")
    measures = [name for name in ("loss", "accuracy") if np.isfinite(getattr(history, name)).any()] or ["loss"]
    with themed(chosen(theme, THEMES, "theme")) as colours:
        figure = Figure(figsize=(6.4, 0.6 + 2.4 * len(measures)), layout="constrained")
        rows: list[Axes] = figure.subplots(len(measures), sharex=True, squeeze=False)[:, 0].tolist()
        for axes, measure in zip(rows, measures, strict=True):
            _draw_curves(axes, history, measure, colours)
        rows[-1].set_xlabel("epoch")
        rows[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


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
