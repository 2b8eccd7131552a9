"""A run that was saved goes on as if nothing had happened; damaged and hostile files are refused in one sentence."""

import copy
import json
import random

import numpy as np
import pytest

from micrograd_mlp.classifier import Classifier
from micrograd_mlp.play import documents
from micrograd_mlp.play.run import Run
from micrograd_mlp.play.settings import Settings
from micrograd_mlp.regressor import Regressor


def run(**given):
    it = Run(Settings.of({"samples": 40, "hidden": "3", "optimizer": "adam"} | given))
    train(it, 3)
    return it


def train(it, epochs):
    while epochs > 0:
        epochs -= it.advance(0.05, epochs)


def again(it):
    return documents.run_of_session(json.loads(documents.session_of(it)))


@pytest.mark.parametrize(
    "given", [{}, {"problem": "blobs"}, {"kind": "regression", "problem": "hills"}, {"test_share": 0.0}]
)
def test_a_saved_session_goes_on_to_the_same_weights(given):
    it = run(**given)
    other = again(it)
    assert (other.epoch, other.start, other.settings) == (it.epoch, it.start, it.settings)
    np.testing.assert_equal(
        [list(vars(e).values()) for e in other.history.epochs], [list(vars(e).values()) for e in it.history.epochs]
    )
    for each in (it, other):
        train(each, 3)
    assert other.machine.weights() == it.machine.weights()
    other.rewind()
    assert other.machine.weights() == it.start


def test_own_points_are_saved_with_it():
    it = run(hidden="2")
    it.load_csv(
        b"a,b,kind\n" + b"".join(b"%d,%d,%s\n" % (k, k * k, b"ny"[k % 2 : k % 2 + 1]) for k in range(20)), "own.csv"
    )
    train(it, 1)
    other = again(it)
    np.testing.assert_array_equal(other.points.X, it.points.X)
    np.testing.assert_array_equal(other.points.held, it.points.held)
    assert (other.points.classes, other.points.features) == (("n", "y"), ("a", "b"))
    it.clear_points()
    assert again(it).machine is None


def test_an_address_holds_the_points():
    it = run()
    it.add_points([[0.5, 0.5, 1]])
    from micrograd_mlp.play.frames import state_of

    other = documents.run_of_query("#" + state_of(it)["query"])
    np.testing.assert_allclose(other.points.X, it.points.X, atol=3e-4)
    assert documents.run_of_query("").settings == Settings()
    assert documents.run_of_query("points=abc").settings.problem == "circles"
    with pytest.raises(ValueError, match="points in an address"):
        documents.run_of_query("problem=own&points=§")


def places(document):
    """Yield where something stands in a document: the way to it."""
    for key, value in document.items():
        yield (key,)
        if isinstance(value, dict):
            yield from ((key, *inner) for inner in places(value))
        if isinstance(value, list) and value:
            yield (key, 0)
            yield (key, len(value) - 1)


def refusal(document):
    try:
        documents.run_of_session(document)
    except ValueError as error:
        return str(error)
    return ""


def test_damaged_sessions_are_refused():
    it = run()
    it.add_points([[0.5, 0.5, 1]])
    whole = json.loads(documents.session_of(it))
    rng, refused = random.Random(0), 0
    wrong = [None, "x", -1, 1e308, float("nan"), float("inf"), 10**400, [], {}, True, [[[]]], "a" * 5000]
    for way in places(whole):
        for value in wrong:
            damaged = copy.deepcopy(whole)
            inner = damaged
            for key in way[:-1]:
                inner = inner[key]
            inner[way[-1]] = value
            if rng.random() < 0.8:
                continue
            told = refusal(damaged)
            refused += told != ""
            assert len(told) < 400
    assert refused > 50
    with pytest.raises(ValueError, match="this file is no saved session"):
        documents.run_of_session({})
    with pytest.raises(ValueError, match="version 1 is read here"):
        documents.run_of_session(whole | {"version": 2})


@pytest.mark.parametrize("features", ["x1,x2", "x1,sinx2"])
def test_the_model_is_a_classifier_in_the_units_of_the_data(features, tmp_path):
    it = run(problem="blobs", features=features)
    path = tmp_path / "model.safetensors"
    path.write_bytes(documents.model_of(it))
    classifier = Classifier.load(path)
    data = it.points.X * it.points.scaling.deviation + it.points.scaling.mean
    if features == "x1,sinx2":
        assert classifier.features == ("x1", "ops.sin(math.pi * x2)")
        data = np.column_stack([data[:, 0], np.sin(np.pi * it.points.X[:, 1])])
    assert classifier.predict(data) == [str(k) for k in it.machine.outputs(it.points.X).argmax(axis=1)]
    assert classifier.about["epochs"] == 3


def test_the_model_of_a_regression_is_a_regressor(tmp_path):
    it = run(kind="regression", problem="hills")
    path = tmp_path / "model.safetensors"
    path.write_bytes(documents.model_of(it))
    data = it.points.X * it.points.scaling.deviation + it.points.scaling.mean
    np.testing.assert_allclose(Regressor.load(path).predict(data), it.machine.outputs(it.points.X)[:, 0], rtol=1e-9)


def test_without_points_there_is_no_model_file():
    with pytest.raises(ValueError, match="there is no network yet"):
        documents.model_of(Run(Settings.of({"problem": "own"})))
