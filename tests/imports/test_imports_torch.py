"""Tensors of PyTorch without PyTorch: what fits becomes a classifier, all else one sentence."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from micrograd_mlp.classifier import Scaling
from micrograd_mlp.imports import from_torch

STATE = {"0.weight": np.ones((3, 2)), "0.bias": np.zeros(3), "2.weight": np.full((1, 3), 2.0, dtype=np.float32)}


def test_tensors_become_layers():
    model = from_torch(
        STATE, activation="relu", features=["a", "b"], classes=["n", "y"], scaling=Scaling([1, 1], [2, 2])
    )
    assert str(model.model).startswith("MLP")
    assert model.model([1.0, 0.5]).data == 9.0
    assert (model.features, model.classes) == (("a", "b"), ("n", "y"))
    np.testing.assert_allclose(model.predict_proba([[3.0, 2.0]])[0, 1], 1 / (1 + np.exp(-9.0)))


def test_a_single_layer_needs_no_activation(tmp_path):
    save_file({"weight": np.eye(2), "bias": np.ones(2)}, tmp_path / "linear.safetensors")
    assert [value.data for value in from_torch(tmp_path / "linear.safetensors").model([1.0, 2.0])] == [2.0, 3.0]


@pytest.mark.parametrize(
    ("change", "options", "sentence"),
    [
        ({"2.weight": np.ones((1, 4))}, {}, "layer 1 takes 4 inputs, but the one before it has 3 outputs"),
        ({"2.weight": np.ones(3)}, {}, r"2\.weight has shape \(3,\); linear layers have two dimensions"),
        ({"0.bias": np.ones(2)}, {}, r"layer 0 has weights of shape \(3, 2\) and biases of shape \(2,\)"),
        ({"0.weight": np.full((3, 2), np.nan)}, {}, "weights are finite numbers in 2 dimensions"),
        ({"0.running_mean": np.ones(3)}, {}, "a weight and a bias of each, got '0.running_mean'"),
        ({"1.bias": np.ones(3)}, {}, "a weight and a bias of each, got '1'"),
        ({}, {"activation": "gelu"}, "there is no activation 'gelu'"),
        ({}, {"activation": ["relu"]}, "2 layers take as many activations, got 1"),
        ({}, {"classes": ["a", "b", "c"]}, "takes 2 class names, got 3"),
        ({}, {"features": ["a"]}, "takes 2 feature names, got 1"),
        ({}, {"scaling": Scaling([0.0], [1.0])}, "2 features take as many means and deviations, got 1"),
        ({}, {"scaling": Scaling([0.0, 0.0], [1.0, 0.0])}, "finite deviations above 0"),
        ({"mean": np.zeros(2), "deviation": -np.ones(2)}, {}, "finite deviations above 0"),
    ],
)
def test_what_does_not_fit_is_refused(change, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        from_torch(STATE | change, **({"activation": "relu"} | options))


def test_files_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError):
        from_torch(tmp_path / "none")
    (tmp_path / "text").write_text("0.weight = 1")
    with pytest.raises(ValueError, match="is no safetensors file"):
        from_torch(tmp_path / "text")
    for begin in (b"PK\x03\x04", b"\x80\x04"):
        (tmp_path / "pickle").write_bytes(begin + b" system('echo')")
        with pytest.raises(
            ValueError, match="is a pickle, which is not opened, as it can run code; save its tensors: "
        ):
            from_torch(tmp_path / "pickle")
    own = from_torch(STATE, activation="relu").save(tmp_path / "own.safetensors")
    with pytest.raises(ValueError, match="is a model of micrograd-mlp already; it needs no import$"):
        from_torch(own)
    with pytest.raises(
        TypeError, match="^from_torch takes a Sequential, its state_dict or a safetensors file, got int$"
    ):
        from_torch(3)
    with pytest.raises(ValueError, match=r"got 'nothing'$"):
        from_torch({}, activation="relu")


def test_layers_are_ordered_by_their_numbers_however_long():
    state = {f"{k}.weight": np.full((1, 1), value) for k, value in (("10", 3.0), ("9", 2.0), ("01", 1.0))}
    assert [value.data for value in from_torch(state, activation="linear").model.parameters()[::2]] == [1.0, 2.0, 3.0]
    names = ["9" * 5000 + ".weight", "².weight"]
    assert len(from_torch({name: np.eye(1) for name in names}, activation="relu").model.layers) == 2


def test_numbers_of_other_kinds_are_refused(tmp_path):
    save_file({"weight": np.eye(2, dtype=np.complex64)}, tmp_path / "x.safetensors")
    with pytest.raises(
        ValueError, match=r"x\.safetensors is no safetensors file of float16.*: weight holds numbers of type"
    ):
        from_torch(tmp_path / "x.safetensors")
