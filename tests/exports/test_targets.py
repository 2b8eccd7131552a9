"""What every export has in common: whole files or none, nothing overwritten that is read, one sentence for the rest."""

import numpy as np
import pytest
from exported import classifier

from micrograd_mlp import MLP
from micrograd_mlp.classifier import Classifier, Scaling
from micrograd_mlp.exports import TARGETS, export


@pytest.mark.parametrize("to", [to for to in TARGETS if to != "onnx"])
def test_the_paths_written_are_returned_and_the_bytes_are_always_the_same(tmp_path, to):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = (export(classifier("relu"), to, tmp_path / folder / f"model{TARGETS[to][0]}") for folder in "ab")
    assert first[-1] == tmp_path / "a" / f"model{TARGETS[to][0]}"
    assert sorted(first) == sorted((tmp_path / "a").iterdir())
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_a_failed_export_leaves_the_old_file(tmp_path, monkeypatch):
    (path,) = export(classifier("relu"), "json", tmp_path / "model.json")
    before = path.read_bytes()
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        export(classifier("tanh"), "json", path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["model.json"]


def test_what_is_read_is_not_overwritten(tmp_path):
    source = classifier("relu").save(tmp_path / "model.safetensors")
    before = source.read_bytes()
    for to, name in (("json", "model.safetensors"), ("torch", "model.py")):
        with pytest.raises(ValueError, match="would replace .*model.safetensors, which is read here"):
            export(classifier("relu"), to, tmp_path / name, sources=[source])
    assert source.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["model.safetensors"]


def test_what_cannot_be_is_refused_in_one_sentence(tmp_path):
    with pytest.raises(ValueError, match=r"^there is no target 'onx', did you mean 'onnx'\?$"):
        export(classifier("relu"), "onx", tmp_path / "model")
    with pytest.raises(ValueError, match=r"^a training step is written in C only, to='c'; got to='json'$"):
        export(classifier("relu"), "json", tmp_path / "model", train_step=True)
    with pytest.raises(ValueError, match=r"^torch is written into 2 files; name the one that ends in \.py$"):
        export(classifier("relu"), "torch", tmp_path / "model.safetensors")
    for to in ("json", "python"):
        with pytest.raises(ValueError, match=rf"^{to} is written in float64 only; float32 is for onnx, torch, c$"):
            export(classifier("relu"), to, tmp_path / "model", dtype="float32")
    with pytest.raises(ValueError, match=r"^there is no dtype 'float16', did you mean '"):
        export(classifier("relu"), "c", tmp_path / "model", dtype="float16")
    assert [*tmp_path.iterdir()] == []


def test_numbers_that_float32_does_not_hold_are_refused(tmp_path):
    large = MLP(2, [3])
    large.layers[0].neurons[1].w[0].data = -1e39
    for model, scaling, sentence in (
        (large, Scaling([0.0, 0.0], [1.0, 1.0]), "layer 0 holds numbers that are too large for float32"),
        (MLP(2, [3]), Scaling([0.0, 1e300], [1.0, 1.0]), "the scaling holds numbers that are too large for float32"),
        (MLP(2, [3]), Scaling([0.0, 1.0], [1.0, 1e-60]), "the deviation of the feature 'b' is 0 in float32"),
    ):
        with pytest.raises(ValueError, match=sentence):
            export(Classifier(model, scaling, ("a", "b"), ("c", "d", "e")), "c", tmp_path / "model", dtype="float32")
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("to", TARGETS)
def test_numbers_that_are_none_are_refused(tmp_path, to):
    pytest.importorskip("onnx", reason="onnx is not installed") if to == "onnx" else None
    broken = MLP(2, [3])
    broken.layers[0].neurons[1].w[0].data = np.inf
    for model, scaling, sentence in (
        (broken, Scaling([0.0, 0.0], [1.0, 1.0]), "layer 0 holds numbers that are inf or nan"),
        (MLP(2, [3]), Scaling([0.0, np.nan], [1.0, 1.0]), "the scaling holds numbers that are inf or nan"),
    ):
        with pytest.raises(ValueError, match=sentence):
            export(Classifier(model, scaling, ("a", "b"), ("c", "d", "e")), to, tmp_path / "model")
    assert [*tmp_path.iterdir()] == []
