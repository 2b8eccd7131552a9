"""A JSON export comes back to the bit, and whatever else is in the file is refused in one sentence."""

import json
import random

import pytest

from micrograd_mlp import MLP
from micrograd_mlp.classifier import Classifier, Scaling
from micrograd_mlp.exports import export
from micrograd_mlp.imports import from_json

MODEL = Classifier(
    MLP(2, [3, 1], activation=["sin", "tanh"], rng=random.Random(0)),
    Scaling([0.1, 1e-300], [2.0, 0.3]),
    ("\ud800", "*/"),
    ("\0", '"'),
)


@pytest.fixture
def path(tmp_path):
    return export(MODEL, "json", tmp_path / "model.json")[0]


def test_it_comes_back_to_the_bit(path):
    back = from_json(path)
    assert back.model.state_dict() == MODEL.model.state_dict()
    assert (str(back.model), back.scaling, back.features, back.classes) == (
        str(MODEL.model), MODEL.scaling, MODEL.features, MODEL.classes
    )  # fmt: skip


CHANGES = [
    lambda content: content.pop("layers"),
    lambda content: content.update(format="other"),
    lambda content: content.update(version=2),
    lambda content: content.update(version="1"),
    lambda content: content.update(layers=3),
    lambda content: content.update(layers=[]),
    lambda content: content.update(layers=[3]),
    lambda content: content.update(classes=None, features=None, scaling=None),
    lambda content: content["layers"][0].update(weight=[[1, 2], [3]]),
    lambda content: content["layers"][0].update(weight=[["x", 2]] * 3),
    lambda content: content["layers"][0].update(weight=[[float("nan"), 2]] * 3),
    lambda content: content["layers"][0].update(bias=[10**400] * 3),
    lambda content: content["layers"][0].update(bias=None),
    lambda content: content["layers"][0].update(activation="gelu"),
    lambda content: content["layers"][0].update(activation=[]),
    lambda content: content["scaling"].update(deviation=[0, 1]),
    lambda content: content["scaling"].update(mean="ab"),
    lambda content: content.update(classes=["a"]),
    lambda content: content.update(features=3),
]


@pytest.mark.parametrize("change", CHANGES, ids=range(len(CHANGES)))
def test_a_file_that_contradicts_itself_is_refused(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="is no JSON export of micrograd-mlp, version 1: ."):
        from_json(path)


@pytest.mark.parametrize("text", [b"", b"[]", b"3", b"\xff", b"{", b"[" * 100_000, b'"a"', b"null"], ids=repr)
def test_what_is_no_export_is_refused(tmp_path, text):
    (tmp_path / "text").write_bytes(text)
    with pytest.raises(ValueError, match="is no JSON export of micrograd-mlp, version 1: ."):
        from_json(tmp_path / "text")
    with pytest.raises(FileNotFoundError):
        from_json(tmp_path / "none")
