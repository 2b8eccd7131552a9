"""Bytes for numbers: what lies beyond is cut, and what is no number is told apart."""

import numpy as np
import pytest

from micrograd_mlp.play.maps import NOT_FINITE, fitted, grid, of_scores, shades


def test_the_grid_begins_at_the_top_left():
    cells = grid(2.0, 4)
    assert cells[0].tolist() == [-1.5, 1.5]
    assert cells[3].tolist() == [1.5, 1.5]
    assert cells[-1].tolist() == [1.5, -1.5]


def test_shades():
    numbers = np.array([-1.0, 0.0, 1.0, -9.0, 9.0, np.nan, np.inf, -np.inf, 0.5])
    assert shades(numbers).tolist() == [0, 127, 254, 0, 254, NOT_FINITE, NOT_FINITE, NOT_FINITE, 190]


def test_rows_are_fitted_each_for_itself():
    assert fitted(np.array([[0.5, -0.5], [10.0, -5.0], [np.nan, 4.0]])).tolist() == [[190, 64], [254, 64], [255, 254]]


@pytest.mark.parametrize(
    ("loss", "value"), [("cross_entropy", np.tanh(0.5)), ("bce", np.tanh(0.5)), ("mse", 1.0), ("hinge", 1.0)]
)
def test_one_output_is_shown_as_its_loss_means_it(loss, value):
    found, winner = of_scores(np.array([[1.0]]), loss)
    assert found.tolist() == shades(np.array([value])).tolist()
    assert winner is None


def test_several_outputs_are_a_class_and_how_sure_it_is():
    found, winner = of_scores(
        np.array([[9.0, 0.0, 0.0], [0.0, 0.0, 0.0], [-1e5, 0.0, 1e5], [np.nan, 0, 0]]), "cross_entropy"
    )
    assert winner.tolist()[:3] == [0, 0, 2]
    assert found.tolist() == [254, 127, 254, NOT_FINITE]
