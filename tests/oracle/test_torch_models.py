"""PyTorch takes the exported module as it is, and models of PyTorch arrive as they were."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "exports"))
from exported import CASES, EXTREME, HOSTILE, agree, agree_single, classifier, expected, expected_single, points

from micrograd_mlp import MLP
from micrograd_mlp.classifier import Classifier, Scaling
from micrograd_mlp.exports import export
from micrograd_mlp.imports import from_torch

torch = pytest.importorskip("torch", reason="torch is not installed, so its models were not tried")


@pytest.mark.parametrize("case", CASES)
def test_the_exported_module_gives_the_same_probabilities(tmp_path, case):
    _, path = export(classifier(case), "torch", tmp_path / "model.py")
    model = runpy.run_path(str(path))["load"]()
    assert all(tensor.dtype == torch.float64 for tensor in model.state_dict().values())
    with torch.no_grad():
        got = model.predict_proba(torch.from_numpy(points(case, EXTREME[case])))
    agree(got.numpy(), expected(case, EXTREME[case]))


@pytest.mark.parametrize("case", CASES)
def test_in_float32_it_gives_the_same_probabilities(tmp_path, case):
    _, path = export(classifier(case), "torch", tmp_path / "model.py", dtype="float32")
    model = runpy.run_path(str(path))["load"]()
    X, wanted = expected_single(case)
    with torch.no_grad():
        got = model.predict_proba(torch.from_numpy(X))
    assert got.dtype == torch.float32
    agree_single(got.numpy(), wanted)


def test_hostile_names_are_only_names(tmp_path):
    model = Classifier(MLP(12, [12]), Scaling([0.0] * 12, [1.0] * 12), HOSTILE, HOSTILE[::-1])
    state, path = export(model, "torch", tmp_path / "quote ' \" {classes}.py")
    assert path.read_bytes().isascii()
    found = runpy.run_path(str(path))
    assert (found["FEATURES"], found["CLASSES"]) == (HOSTILE, HOSTILE[::-1])
    found["load"]()
    assert (from_torch(state).features, from_torch(state).classes) == (HOSTILE, HOSTILE[::-1])


def sequential(*layers):
    torch.manual_seed(0)
    return torch.nn.Sequential(*layers).eval()


def scores_agree(model, *, trailing=0, **options):
    """Hold the probabilities of an imported Sequential against those of PyTorch."""
    imported = from_torch(model, **options)
    X = np.random.default_rng(0).normal(size=(200, len(imported.features)))
    with torch.no_grad():
        scores = model[: len(model) - trailing].double()(torch.from_numpy(X))
        scores = torch.cat([torch.zeros_like(scores), scores], 1) if scores.shape[1] == 1 else scores
        np.testing.assert_allclose(imported.predict_proba(X), torch.softmax(scores, 1), rtol=0, atol=1e-12)
    return imported


nn = torch.nn


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
def test_a_sequential_predicts_the_same(dtype):
    layers = [nn.Linear(3, 5), nn.Tanh(), nn.Dropout(), nn.Linear(5, 4, bias=False), nn.LeakyReLU(), nn.Linear(4, 6),
              nn.Sigmoid(), nn.Linear(6, 5), nn.Identity(), nn.ReLU(), nn.Linear(5, 2)]  # fmt: skip
    imported = scores_agree(sequential(nn.Flatten(), *layers).to(dtype), classes=["no", "yes"])
    assert [layer.neurons[0].activation for layer in imported.model.layers] == [
        "tanh", "leaky_relu", "sigmoid", "relu", "linear"
    ]  # fmt: skip
    assert imported.classes == ("no", "yes")


def test_what_makes_probabilities_at_the_end_is_left_out():
    scores_agree(sequential(nn.Linear(3, 2), nn.Softmax(dim=1)), trailing=1)
    scores_agree(sequential(nn.Linear(3, 4), nn.LogSoftmax(dim=1)), trailing=1)
    model = sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1), nn.Sigmoid())
    imported = scores_agree(model, trailing=1)
    X = np.random.default_rng(0).normal(size=(50, 3))
    with torch.no_grad():
        np.testing.assert_allclose(imported.predict_proba(X)[:, 1], model(torch.from_numpy(X))[:, 0], rtol=1e-12)
    assert scores_agree(sequential(nn.Linear(3, 2), nn.Sigmoid())).model.layers[0].neurons[0].activation == "sigmoid"


def test_a_state_dict_and_a_file_of_it_take_the_activation(tmp_path):
    from safetensors.torch import save_file

    layers = [part for n in range(11) for part in (nn.Linear(3, 3), nn.Tanh())]  # "10." comes after "2."
    model = sequential(*layers, nn.Linear(3, 4)).double()
    whole = from_torch(model)
    save_file(model.state_dict(), tmp_path / "state.safetensors")
    for tensors in (model.state_dict(), tmp_path / "state.safetensors"):
        assert from_torch(tensors, activation="tanh").model.state_dict() == whole.model.state_dict()
        named = from_torch(tensors, activation=["tanh"] * 11 + ["sin"])
        assert named.model.layers[-1].neurons[0].activation == "sin"
        with pytest.raises(ValueError, match="^tensors do not say which activations they had; name them"):
            from_torch(tensors)


@pytest.mark.parametrize(
    ("layers", "sentence"),
    [
        ([nn.Linear(2, 3), nn.GELU()], "module 1 is GELU where it is not taken"),
        ([nn.Linear(2, 3), nn.ReLU(), nn.Tanh()], "module 2 is Tanh where it is not taken"),
        ([nn.ReLU(), nn.Linear(2, 3)], "module 0 is ReLU where it is not taken"),
        ([nn.Linear(2, 3), nn.BatchNorm1d(3)], "module 1 is BatchNorm1d"),
        ([nn.Conv1d(2, 3, 1)], "module 0 is Conv1d"),
        ([nn.Linear(2, 3), nn.LeakyReLU(0.2)], "module 1 is a LeakyReLU of slope 0.2; here it is 0.01"),
        ([nn.Linear(2, 3), nn.Linear(4, 3)], "layer 1 takes 4 inputs, but the one before it has 3 outputs"),
        ([], "there is no layer in it"),
    ],
)
def test_what_this_library_has_not_is_refused(layers, sentence):
    with pytest.raises(ValueError, match=sentence):
        from_torch(sequential(*layers))


def test_a_pickle_is_never_opened(tmp_path):
    for name, zipped in (("new.pt", True), ("old.pt", False)):
        torch.save(sequential(nn.Linear(2, 3)).state_dict(), tmp_path / name, _use_new_zipfile_serialization=zipped)
        with pytest.raises(ValueError, match=r"is a pickle, which is not opened.*safetensors\.torch\.save_file\("):
            from_torch(tmp_path / name)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_files_of_short_numbers_come_as_they_are_or_are_refused_in_one_sentence(tmp_path, dtype):
    from safetensors.torch import save_file

    save_file({"weight": torch.full((2, 2), 0.1, dtype=dtype)}, tmp_path / "short.safetensors")
    if dtype == torch.bfloat16 and "ml_dtypes" not in sys.modules:  # without it NumPy does not know this kind
        with pytest.raises(ValueError, match=r"of float16, float32 or float64 \(model\.float\(\) makes float32\)"):
            from_torch(tmp_path / "short.safetensors")
        return
    imported = from_torch(tmp_path / "short.safetensors")
    assert imported.model.layers[0].neurons[0].w[0].data == torch.tensor(0.1, dtype=dtype).double().item()


def test_notes_in_a_file_are_only_names(tmp_path):
    from safetensors.torch import save_file

    for notes in ("[", "3", json.dumps({"activations": 3, "features": [1], "classes": {}}), "[" * 100_000):
        metadata = {"micrograd-mlp torch": notes}
        save_file({"0.weight": torch.ones(2, 2), "0.bias": torch.ones(2)}, tmp_path / "odd.safetensors", metadata)
        if notes.startswith("["):
            with pytest.raises(ValueError, match="is damaged"):
                from_torch(tmp_path / "odd.safetensors")
        else:
            assert from_torch(tmp_path / "odd.safetensors").features == ("x1", "x2")
