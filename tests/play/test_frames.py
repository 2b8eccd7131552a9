"""The state and the frames hold what the page shows, and the history comes once."""

import base64
import json

import numpy as np
import pytest

from micrograd_mlp.play.frames import Frames, state_of
from micrograd_mlp.play.maps import FINE, of_scores
from micrograd_mlp.play.run import Run
from micrograd_mlp.play.settings import Settings


def unpacked(text, kind):
    return np.frombuffer(base64.b64decode(text), dtype=kind)


def run(**given):
    return Run(Settings.of({"samples": 40, "hidden": "3"} | given))


def test_the_state_holds_the_points_and_the_address():
    it = run(problem="blobs", lr=0.5)
    state = state_of(it)
    assert json.loads(json.dumps(state, allow_nan=False))["sizes"] == [2, 3, 3]
    np.testing.assert_allclose(unpacked(state["points"]["x"], "<f4").reshape(-1, 2), it.points.X, rtol=1e-6)
    assert unpacked(state["points"]["y"], "<f4").tolist() == it.points.y.tolist()
    assert unpacked(state["points"]["held"], "u1").sum() == 12
    assert state["query"] == "problem=blobs&samples=40&hidden=3&lr=0.5"
    it.add_points([[0.0, 0.0, 2]])
    assert "&points=" in state_of(it)["query"]


def test_the_map_is_the_output_and_the_weights_are_those_of_now():
    it, frames = run(), Frames()
    frame = frames.make(it)
    assert unpacked(frame["weights"], "<f4") == pytest.approx(it.machine.weights(), rel=1e-6)
    from micrograd_mlp.play.maps import grid

    expected, _ = of_scores(it.machine.outputs(grid(it.points.reach, FINE)), "cross_entropy")
    np.testing.assert_array_equal(unpacked(frame["map"], "u1"), expected)
    assert len(unpacked(frame["units"], "u1")) == (2 + 3 + 1) * frame["cells"] ** 2
    frames.unit = 0  # x1 rises from the left to the right
    shown = unpacked(frames.make(it)["map"], "u1").reshape(FINE, FINE)
    assert (np.diff(shown.astype(int), axis=1) >= 0).all()
    frames.unit = 999
    np.testing.assert_array_equal(unpacked(frames.make(it)["map"], "u1"), expected)


def test_several_classes_have_a_winner_everywhere():
    frame = Frames().make(run(problem="rings"))
    assert set(unpacked(frame["winner"], "u1")) <= {0, 1, 2}
    assert len(unpacked(frame["winner"], "u1")) == FINE * FINE


def test_the_history_comes_once_and_again_when_it_has_changed():
    it, frames = run(), Frames()
    first = frames.make(it)
    assert (first["clear"], len(first["rows"])) == (True, 1)
    it.advance(0.05, 1)
    second = frames.make(it)
    assert ("clear" in second, [row[0] for row in second["rows"]]) == (False, [1])
    assert frames.make(it)["rows"] == []
    it.rewind()
    assert (frames.make(it)["clear"], it.epoch) == (True, 0)
    frames.restart()
    assert len(frames.make(it)["rows"]) == 1


def test_a_plane_without_points_has_no_pictures():
    frame = Frames().make(run(problem="own"))
    assert "map" not in frame
    assert json.dumps(frame, allow_nan=False)


def test_what_is_not_finite_is_sent_as_nothing():
    frame = Frames().make(run(test_share=0))
    assert frame["now"]["test_loss"] is None
    assert json.dumps(frame, allow_nan=False)


def test_many_units_have_coarser_maps():
    frame = Frames().make(run(hidden="128,16"))
    assert len(base64.b64decode(frame["units"])) <= 100_000
