"""The graph of a point's loss bears the names that the page uses, and the explorer opens on it."""

import base64
import math

import numpy as np
import pytest

from micrograd_mlp import topological_order
from micrograd_mlp.play.explain import explorer_of, first_failure, loss_of
from micrograd_mlp.play.machine import Machine
from micrograd_mlp.play.problems import of_problem
from micrograd_mlp.play.settings import Settings


def machine(problem="moons", **given):
    settings = Settings.of({"problem": problem, "hidden": "3,2", "features": "x1,x2,x1x2"} | given)
    points = of_problem(problem, 30, 0.1, 0, 0.2)
    return Machine(settings, points, "numpy"), points


@pytest.mark.parametrize("problem", ["moons", "blobs"])
def test_the_graph_is_the_loss_and_its_gradients_are_those_of_the_step(problem):
    made, points = machine(problem)
    X, y = points.train
    loss, units = loss_of(made.network, made.settings, X[4].tolist(), y[4].item())
    _, each = made.measure(X, y)
    assert loss.data == pytest.approx(each[4], rel=1e-12)
    labels = {value.label for value in topological_order(loss)}
    score = "score" if problem == "moons" else "score 1"
    assert {"x1", "x2", "x₁x₂", "layers[0].neurons[2]", "layers[1].neurons[0].b", score, "loss"} <= labels
    assert set(units) == {f"layers[{i}].neurons[{k}]" for i, n in enumerate(made.settings.sizes) for k in range(n)}


def test_the_explorer_opens_with_the_numbers_of_this_moment():
    made, points = machine()
    made.load([0.125] * len(made.parameters))
    make = explorer_of(made, points, 3, "5", "layers[0].neurons[1].w[2]")
    made.load([9.0] * len(made.parameters))  # training goes on meanwhile
    explorer = make()
    assert "The loss at point 5 after 3 epochs" in explorer.html
    leaves = np.frombuffer(base64.b64decode(explorer.data["leaves"]["bytes"]))
    assert set(leaves.tolist()) == {0.125, *points.X[5].tolist()}
    assert explorer.data["labels"][explorer.data["select"]] == "layers[0].neurons[1].w[2]"
    assert (explorer.data["update"]["name"], explorer.data["update"]["lr"]) == ("SGD", 0.03)
    assert all(parameter.grad == 0 for parameter in made.parameters)
    assert explorer_of(made, points, 3, 0, "")().data["count"] > 20
    assert explorer_of(made, points, 3, 0, "layers[2].neurons[0]")().data["count"] > 20


@pytest.mark.parametrize(
    ("index", "name", "message"),
    [
        (30, "", "point takes a whole number from 0 to 29, got 30"),
        ("nan", "", "point takes a whole number from 0 to 29"),
        (0, "layers[0]", "there is no weight or neuron"),
        (0, "<script>", "there is no weight or neuron"),
    ],
)
def test_other_points_and_names_are_refused(index, name, message):
    made, points = machine()
    with pytest.raises(ValueError, match=message):
        explorer_of(made, points, 0, index, name)
    with pytest.raises(ValueError, match="there are no points yet"):
        explorer_of(None, points, 0, 0, "")


def test_the_first_number_that_failed_is_named():
    made, points = machine(loss="mse", activation="linear")
    assert first_failure(made, points) == ""
    made.load(
        [1e300 if name.endswith("w[0]") else weight for name, weight in zip(made.names, made.weights(), strict=True)]
    )
    found = first_failure(made, points)
    assert found.startswith("at the training point (")
    assert "layers[1].neurons[0]" in found
    assert math.isinf(float(found.split(" = ")[1].split(",")[0]))
