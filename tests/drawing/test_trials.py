"""The picture of a sweep shows every trial at its value and its accuracy."""

import math

import numpy as np
import pytest
from matplotlib.colors import to_hex

from micrograd_mlp.drawing import plots
from micrograd_mlp.drawing.trials import SPREAD, Panel, plot_trials

LR = Panel("lr", [0.001, 0.01, 0.1, 1.0], by_factors=True)
KIND = Panel("activation", ["tanh", "relu", "tanh", "<b>$x$"])
SHARES = [0.8, 0.9, 0.95, math.nan]


def lines(axes):
    """Return the points of each kind of marker on the axes."""
    return [(line.get_marker(), line.get_xydata()) for line in axes.lines if len(line.get_xdata())]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_each_trial_stands_at_its_value(theme, tmp_path):
    figure = plot_trials([LR, KIND], SHARES, best=2, theme=theme)
    by_rate, by_kind = figure.axes
    assert to_hex(figure.get_facecolor()) == plots.THEMES[theme].paper
    (_, points), (_, diverged), (_, ringed) = lines(by_rate)
    assert points.tolist() == [[0.001, 0.8], [0.01, 0.9], [0.1, 0.95]]
    assert diverged[0, 0] == 1.0
    assert diverged[0, 1] < 0.8
    assert ringed.tolist() == [[0.1, 0.95]]
    assert (by_rate.get_xscale(), by_kind.get_xscale()) == ("log", "linear")
    assert [label.get_text() for label in by_kind.get_xticklabels()] == ["tanh", "relu", r"<b>\$x\$"]
    places = lines(by_kind)[0][1][:, 0]
    assert np.abs(places - [0, 1, 0]).max() <= SPREAD
    assert places[0] != places[2]
    keys = [text.get_text() for text in figure.legends[0].get_texts()]
    assert keys == ["a trial", "the best", "diverged"]
    assert plots.save_figure(figure, tmp_path / "sweep.png").stat().st_size > 1000


def test_groups_differ_in_marker():
    figure = plot_trials([LR], [0.5, 0.6, 0.7, 0.8], groups=["1 epochs", "1 epochs", "9 epochs", "9 epochs"])
    assert [marker for marker, _ in lines(figure.axes[0])] == ["o", "s"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["1 epochs", "9 epochs"]


def test_few_numbers_stand_side_by_side_and_many_on_an_axis():
    few, many = plot_trials([Panel("batch", [8, 64, 8, 64]), Panel("epochs", [1, 2, 3, 4])], [0.5] * 4).axes
    assert [label.get_text() for label in few.get_xticklabels()] == ["8", "64"]
    assert [label.get_text() for label in many.get_xticklabels()] == ["1", "2", "3", "4"]
    axes = plot_trials([Panel("epochs", [1, 2, 3, 4, 10])], [0.5] * 5).axes[0]
    assert lines(axes)[0][1][:, 0].tolist() == [1, 2, 3, 4, 10]


def test_many_options_and_no_trial_that_ended_well_are_drawn(tmp_path):
    figure = plot_trials([LR, KIND, LR, KIND], [math.nan] * 4)
    assert [axes.get_visible() for axes in figure.axes] == [True] * 4 + [False] * 2
    plots.save_figure(figure, tmp_path / "sweep.svg")


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ValueError, match=r"^this picture shows trials by an option; there is none$"):
        plot_trials([], [0.5])
    with pytest.raises(ValueError, match=r"^lr has 4 values, for 1 trials$"):
        plot_trials([LR], [0.5])
