"""Pictures made with matplotlib: of data and decision boundaries, of runs, of weights, and of the learning itself."""

from .animation import BoundaryFrames, Snapshot, animate_boundary
from .boundary import plot_boundary, plot_data
from .curves import plot_curves
from .theme import THEMES, save_figure
from .trials import Panel, plot_trials
from .weights import MOST_NODES, plot_network

__all__ = [
    "MOST_NODES",
    "THEMES",
    "BoundaryFrames",
    "Panel",
    "Snapshot",
    "animate_boundary",
    "plot_boundary",
    "plot_curves",
    "plot_data",
    "plot_network",
    "plot_trials",
    "save_figure",
]
