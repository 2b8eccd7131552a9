"""The JSON file: its formula, followed to the letter, gives the same probabilities."""

import json

import numpy as np
import pytest
from exported import CASES, HOSTILE, agree, classifier, expected, points

from micrograd_mlp import MLP
from micrograd_mlp.classifier import Classifier, Scaling
from micrograd_mlp.exports import export

ACTIVATIONS = {
    "relu": lambda a: np.where(a < 0, 0, a),
    "leaky_relu": lambda a: np.where(a > 0, a, 0.01 * a),
    "tanh": np.tanh,
    "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
    "sin": np.sin,
    "linear": lambda a: a,
}


@pytest.mark.parametrize("case", CASES)
def test_its_formula_gives_the_same_probabilities(tmp_path, case):
    (path,) = export(classifier(case), "json", tmp_path / "model.json")
    content = json.loads(path.read_text("ascii"))
    extreme = case not in ("sin", "last layer curved")  # sin of 1e100 hangs on the last bit of a sum
    with np.errstate(all="ignore"):
        x = (points(case, extreme) - content["scaling"]["mean"]) / content["scaling"]["deviation"]
        for layer in content["layers"]:
            x = np.sum(x[:, None, :] * np.array(layer["weight"]), axis=2) + layer["bias"]
            x = ACTIVATIONS[layer["activation"]](x)
        x = np.pad(x, [(0, 0), (1, 0)]) if x.shape[1] == 1 else x
        powers = np.exp(x - x.max(axis=1, keepdims=True))
        agree(powers / powers.sum(axis=1, keepdims=True), expected(case, extreme))


def test_hostile_names_come_back(tmp_path):
    model = Classifier(MLP(12, [12]), Scaling([0.0] * 12, [1.0] * 12), HOSTILE, HOSTILE[::-1])
    (path,) = export(model, "json", tmp_path / "model.json")
    content = json.loads(path.read_text("ascii"))
    assert (tuple(content["features"]), tuple(content["classes"])) == (HOSTILE, HOSTILE[::-1])
