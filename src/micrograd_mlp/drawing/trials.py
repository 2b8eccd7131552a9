"""The picture of a sweep: how well each trial does, by each of the options that were tried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..names import chosen
from .theme import THEMES, Theme, colour_of, drawable, legend, marker_of, themed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

COLUMNS = 3  # panels beside each other
SPREAD = 0.13  # how far trials of one value are moved apart, where values stand 1 apart


@dataclass(frozen=True)
class Panel:
    """An option and its value in each trial: numbers, drawn at their place on an axis, or texts, in the `order` given.

    Numbers that stand for factors are drawn on a logarithmic axis.
    """

    name: str
    values: Sequence[Any]
    by_factors: bool = False
    order: Sequence[str] = ()


def plot_trials(
    panels: Sequence[Panel],
    accuracies: Sequence[float],
    *,
    groups: Sequence[str] | None = None,
    best: int | None = None,
    theme: str = "light",
) -> Figure:
    """Return a picture of the accuracy of each trial (share of 1) by its value of each option, a panel for each.

    An accuracy that is nan is of a trial that diverged; these stand on the floor. `groups` says which trials belong
    together, such as those of as many epochs; `best` is the index of the one that is ringed. Raises ValueError if there
    is no panel or no trial, or if a panel has another number of values.
    """
    from matplotlib.figure import Figure

    if not panels or not len(accuracies):
        raise ValueError("this picture shows trials by an option; there is none")
    for panel in panels:
        if len(panel.values) != len(accuracies):
            raise ValueError(f"{panel.name} has {len(panel.values)} values, for {len(accuracies)} trials")
    rows, columns = -(-len(panels) // COLUMNS), min(len(panels), COLUMNS)
    shares = np.array(accuracies, dtype=np.float64)
    diverged = ~np.isfinite(shares)
    low = float(shares[~diverged].min()) if not diverged.all() else 0.5
    floor = low - 0.12 * (1.02 - low) - 0.01
    shares[diverged] = floor
    with themed(chosen(theme, THEMES, "theme")) as colours:
        figure = Figure(figsize=(1.2 + 3.1 * columns, 0.9 + 2.6 * rows), layout="constrained")
        grid = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel().tolist()
        for axes, panel in zip(grid, panels, strict=False):
            _draw_panel(axes, panel, shares, diverged, groups, best, colours)
            axes.set_ylim(floor - 0.06 * (1.02 - floor), 1.0 + 0.06 * (1.02 - floor))
            axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        for axes in grid[len(panels) :]:
            axes.set_visible(False)
        for axes in grid[::columns]:
            axes.set_ylabel("held-out accuracy")
        legend(figure, _keys(groups, bool(diverged.any()), best is not None, colours))
    return figure


def _draw_panel(
    axes: Axes, panel: Panel, shares: Any, diverged: Any, groups: Sequence[str] | None, best: int | None, colours: Theme
) -> None:
    """Draw the trials by one option; those of the same value are moved apart a little, the same in each picture."""
    numeric = all(isinstance(value, int | float) for value in panel.values)
    if numeric and len(set(panel.values)) > 1 and (panel.by_factors and min(panel.values) > 0):
        axes.set_xscale("log")
        x = np.array(panel.values, dtype=np.float64)
    elif numeric and len(set(panel.values)) > 4:
        x = np.array(panel.values, dtype=np.float64)
    else:
        names = sorted(set(panel.values)) if numeric else list(panel.order or dict.fromkeys(panel.values))
        x = np.array([names.index(value) for value in panel.values]) + _apart(panel.values)
        labels = [drawable(f"{name:g}" if numeric else name) for name in names]
        crowded = sum(map(len, labels)) > 26
        axes.set_xticks(range(len(names)), labels, rotation=40 if crowded else 0, ha="right" if crowded else "center")
        axes.set_xlim(-0.6, len(names) - 0.4)
    for k, group in enumerate(dict.fromkeys(groups or [""])):
        member = np.array([each == group for each in groups]) if groups else np.ones(len(shares), dtype=bool)
        there = member & ~diverged
        axes.plot(x[there], shares[there], marker_of(k), color=colour_of(k, colours), markersize=5, alpha=0.75)
    axes.plot(x[diverged], shares[diverged], "x", color=colours.ink, markersize=5)
    if best is not None:
        axes.plot(x[best], shares[best], "o", markersize=11, markerfacecolor="none", markeredgecolor=colours.ink)
    axes.set_xlabel(panel.name)
    axes.grid(True, axis="y")


def _apart(values: Sequence[Any]) -> Any:
    """Return by how much each trial is moved to the side, from the middle outwards."""
    seen: dict[Any, int] = {}
    moved = []
    for value in values:
        count = seen[value] = seen.get(value, -1) + 1
        moved.append((count * 0.618034 + 0.5) % 1.0 * 2 - 1)  # the golden ratio leaves the fewest gaps
    return SPREAD * np.array(moved)


def _keys(groups: Sequence[str] | None, diverged: bool, best: bool, colours: Theme) -> list[Line2D]:
    from matplotlib.lines import Line2D

    def key(marker: str, label: str, colour: str, filled: bool = True, size: float = 5) -> Line2D:
        face = colour if filled else "none"
        return Line2D(
            [], [], linestyle="None", marker=marker, color=colour, markerfacecolor=face, markersize=size, label=label
        )

    keys = [
        key(marker_of(k), drawable(group) or "a trial", colour_of(k, colours))
        for k, group in enumerate(dict.fromkeys(groups or [""]))
    ]
    if best:
        keys.append(key("o", "the best", colours.ink, filled=False, size=9))
    if diverged:
        keys.append(key("x", "diverged", colours.ink))
    return keys
