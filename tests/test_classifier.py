"""Saving and loading: the same model comes back, and whatever else is in the file is refused in one sentence."""

import json
import math
import random

import numpy as np
import pytest
from safetensors.numpy import save

from micrograd_mlp import MLP
from micrograd_mlp.classifier import Classifier, Scaling

POINTS = np.random.default_rng(0).normal(size=(50, 2)) * [1.0, 30.0] + [5.0, -2.0]


def classifier(outputs=3, **options):
    model = MLP(2, [4, outputs], rng=random.Random(0), **options)
    classes = ("no", "yes") if outputs == 1 else tuple(f"class {k}" for k in range(outputs))
    return Classifier(model, Scaling.of(POINTS), ("height", "weight"), classes, {"loss": "bce"})


def test_scaling_gives_mean_0_and_deviation_1_and_leaves_a_constant_column():
    X = np.column_stack([POINTS, np.full(50, 7.0)])
    scaled = Scaling.of(X)(X)
    assert scaled.mean(axis=0) == pytest.approx([0, 0, 0], abs=1e-12)
    assert scaled.std(axis=0) == pytest.approx([1, 1, 0])
    with pytest.raises(ValueError, match=r"^this model takes points of 3 features, got an array of shape \(50, 2\)$"):
        Scaling.of(X)(POINTS)


def test_points_beyond_all_numbers_are_scaled_without_a_warning():
    found = Scaling([0.0, 0.0], [1e-10, 1.0])([[1e300, math.inf]])
    np.testing.assert_array_equal(found, [[math.inf, math.inf]])


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("activation", ["tanh", ["sin", "linear"]])
def test_a_saved_model_comes_back_to_the_bit(tmp_path, outputs, activation):
    original = classifier(outputs, activation=activation)
    copy = Classifier.load(original.save(tmp_path / "model.safetensors"))
    np.testing.assert_array_equal(copy.predict_proba(POINTS), original.predict_proba(POINTS))
    assert copy.model.state_dict() == original.model.state_dict()
    assert str(copy.model) == str(original.model)
    assert (copy.scaling, copy.features, copy.classes, copy.about) == (
        original.scaling,
        original.features,
        original.classes,
        original.about,
    )


def test_predictions_are_names_and_are_scaled():
    c = classifier()
    assert set(c.predict(POINTS)) <= set(c.classes)
    y = [c.classes.index(name) for name in c.predict(POINTS)]
    assert c.accuracy(POINTS, y) == 1.0
    assert np.trace(c.confusion_matrix(POINTS, y)) == 50


def test_the_same_model_gives_the_same_bytes(tmp_path):
    assert classifier().save(tmp_path / "a").read_bytes() == classifier().save(tmp_path / "b").read_bytes()


def test_every_cut_and_every_changed_byte_is_refused(tmp_path):
    whole = classifier().save(tmp_path / "whole").read_bytes()
    path = tmp_path / "damaged"
    rng = random.Random(0)
    damages = [whole[:length] for length in range(0, len(whole), 7)]
    for place in rng.sample(range(len(whole)), 300):
        damages.append(whole[:place] + bytes([whole[place] ^ (1 << rng.randrange(8))]) + whole[place + 1 :])
    for damaged in damages:
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="damaged|cannot be used|not of a micrograd-mlp model"):
            Classifier.load(path)


def rewritten(tmp_path, change):
    """Return the path of a file whose description `change` has changed, with no checksum to match."""
    path = classifier().save(tmp_path / "model")
    from safetensors import safe_open

    with safe_open(str(path), framework="numpy") as file:
        about = json.loads(file.metadata()["micrograd-mlp"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    change(about, tensors)
    path.write_bytes(save(tensors, metadata={"micrograd-mlp": json.dumps(about)}))
    return path


def test_a_newer_format_is_named(tmp_path):
    path = rewritten(tmp_path, lambda about, tensors: about.update(version=9))
    with pytest.raises(ValueError, match=r"its format 9 is newer than 1: a newer micrograd-mlp is needed$"):
        Classifier.load(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda about, tensors: about.update(activations=["relu"]),
        lambda about, tensors: about.update(activations=["relu", "swish"]),
        lambda about, tensors: about.update(classes=["only"]),
        lambda about, tensors: about.update(features=3),
        lambda about, tensors: about.update(about=[[5, 7]]),
        lambda about, tensors: about["scaling"].update(deviation=[0.0, 1.0]),
        lambda about, tensors: about.pop("scaling"),
        lambda about, tensors: tensors.update({"layers.0.weight": np.zeros((4, 9))}),
        lambda about, tensors: tensors.update({"layers.0.bias": np.full(4, np.nan)}),
        lambda about, tensors: tensors.update({"more": np.zeros(1)}),
        lambda about, tensors: tensors.update({"layers.0.bias": np.zeros(4, dtype=np.float32)}),
        lambda about, tensors: tensors.update({"layers.0.bias": np.zeros(4, dtype=bool)}),
        lambda about, tensors: about["scaling"].update(mean=[10**400, 0.0]),
        lambda about, tensors: about["scaling"].update(mean=["1", 0.0]),
        lambda about, tensors: about.update(scaling=3),
        lambda about, tensors: about.update(features=["x\n" * 1000, [[[]]]]),
    ],
)
def test_a_file_that_contradicts_itself_is_refused_with_a_right_checksum_too(tmp_path, change):
    from micrograd_mlp.archive import checksum

    def signed(about, tensors):
        change(about, tensors)
        about["checksum"] = checksum({key: about[key] for key in about if key != "checksum"}, tensors)

    with pytest.raises(ValueError, match="cannot be used: (?!.*checksum)") as caught:
        Classifier.load(rewritten(tmp_path, signed))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


def test_foreign_and_missing_files(tmp_path):
    foreign = tmp_path / "foreign.safetensors"
    foreign.write_bytes(save({"w": np.zeros(3)}))
    with pytest.raises(ValueError, match=r"is a safetensors file, but not of a micrograd-mlp model$"):
        Classifier.load(foreign)
    with pytest.raises(FileNotFoundError):
        Classifier.load(tmp_path / "none")
    with pytest.raises(IsADirectoryError):
        Classifier.load(tmp_path)


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = classifier().save(tmp_path / "model")
    before = path.read_bytes()
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        classifier(outputs=1).save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["model"]
