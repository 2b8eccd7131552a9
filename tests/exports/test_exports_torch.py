"""The files for PyTorch, as far as they can be read without it; tests/oracle runs them."""

import ast

import numpy as np
import pytest
from exported import CASES, HOSTILE, classifier

from micrograd_mlp import MLP
from micrograd_mlp.classifier import Classifier, Scaling
from micrograd_mlp.exports import export
from micrograd_mlp.imports import from_torch


@pytest.mark.parametrize("case", CASES)
def test_the_tensors_come_back_to_the_bit(tmp_path, case):
    state, _ = export(classifier(case), "torch", tmp_path / "model.py")
    back, original = from_torch(state), classifier(case)
    assert back.model.state_dict() == original.model.state_dict()
    assert (str(back.model), back.scaling) == (str(original.model), original.scaling)
    assert (back.features, back.classes) == (original.features, original.classes)


def test_in_float32_they_take_half_the_memory(tmp_path):
    state, path = export(classifier("mixed"), "torch", tmp_path / "model.py", dtype="float32")
    back, original = from_torch(state), classifier("mixed")
    for name, number in original.model.state_dict().items():
        assert back.model.state_dict()[name] == float(np.float32(number))
    assert state.stat().st_size < 0.75 * export(original, "torch", tmp_path / "double.py")[0].stat().st_size
    assert "Classifier().to(torch.float32)" in path.read_text()


def test_hostile_names_are_only_names(tmp_path):
    model = Classifier(MLP(12, [12]), Scaling([0.0] * 12, [1.0] * 12), HOSTILE, HOSTILE[::-1])
    state, path = export(model, "torch", tmp_path / "quote ' \" {classes}.py")
    assert state.name == "quote ' \" {classes}.safetensors"
    assert path.read_bytes().isascii()
    assigned = {
        node.targets[0].id: node.value for node in ast.parse(path.read_text()).body if isinstance(node, ast.Assign)
    }
    found = {name: ast.literal_eval(value) for name, value in assigned.items()}
    assert found == {"FEATURES": HOSTILE, "CLASSES": HOSTILE[::-1], "STATE": state.name}
    assert (from_torch(state).features, from_torch(state).classes) == (HOSTILE, HOSTILE[::-1])
