"""A few hundred points fit in an address and come back as they were, to the pixel."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from micrograd_mlp.play.points_text import MOST, from_text, to_text
from micrograd_mlp.play.problems import blank, of_problem


def test_points_come_back():
    points = of_problem("blobs", 90, 0.4, 0, 0.0)
    again = from_text(to_text(points), "classification", 3)
    np.testing.assert_allclose(again.X, points.X, atol=2e-4)
    assert again.y.tolist() == points.y.tolist()
    assert again.reach == pytest.approx(points.reach, abs=0.06)
    targets = of_problem("hills", 50, 0.0, 0, 0.0)
    np.testing.assert_allclose(from_text(to_text(targets), "regression", 2).y, targets.y, atol=2e-4)


def test_too_many_or_none_are_left_out():
    assert to_text(blank("classification", 2)) == ""
    assert to_text(of_problem("moons", MOST + 1, 0.1, 0, 0.0)) == ""
    assert to_text(of_problem("moons", MOST, 0.1, 0, 0.0)) != ""


@given(st.text(max_size=60))
def test_other_texts_are_refused_or_points(text):
    try:
        points = from_text(text, "classification", 2)
    except ValueError:
        return
    assert 1 <= len(points.X) <= MOST
    assert np.abs(points.X).max() <= points.reach <= 20
