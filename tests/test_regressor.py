"""A regressor predicts what its network gives, in a file as in memory; and a file says which of the two it holds."""

import random

import numpy as np
import pytest

from micrograd_mlp import MLP
from micrograd_mlp.classifier import Classifier, Scaling
from micrograd_mlp.regressor import Regressor, load_model

SCALING = Scaling([1.0, -2.0], [3.0, 0.5])


def regressor(outputs=1):
    targets = ("price", "weight")[:outputs]
    return Regressor(MLP(2, [4, outputs], rng=random.Random(0)), SCALING, ("a", "b"), targets, {"epochs": 3})


@pytest.mark.parametrize("outputs", [1, 2])
def test_it_predicts_what_its_network_gives(outputs):
    it, X = regressor(outputs), np.random.default_rng(0).normal(size=(5, 2))
    expected = [it.model([(a - 1.0) / 3.0, (b + 2.0) / 0.5]) for a, b in X.tolist()]
    numbers = [[value.data for value in row] if outputs > 1 else row.data for row in expected]
    np.testing.assert_allclose(it.predict(X), numbers, rtol=1e-12)
    assert it.predict(X[:0]).shape == ((0,) if outputs == 1 else (0, 2))
    with pytest.raises(ValueError, match="takes points of 2 features"):
        it.predict(X[:, :1])


@pytest.mark.parametrize("outputs", [1, 2])
def test_what_is_saved_comes_back_to_the_bit(tmp_path, outputs):
    it = regressor(outputs)
    path = it.save(tmp_path / "model.safetensors")
    for back in (Regressor.load(path), load_model(path)):
        assert isinstance(back, Regressor)
        assert back.model.state_dict() == it.model.state_dict()
        assert (back.scaling, back.features, back.targets, back.about) == (SCALING, it.features, it.targets, it.about)


def test_each_kind_of_file_is_read_by_its_own(tmp_path):
    path = regressor().save(tmp_path / "regressor.safetensors")
    with pytest.raises(
        ValueError, match=r"regressor.safetensors cannot be used: it holds a regressor, which Regressor"
    ):
        Classifier.load(path)
    classifier = Classifier(MLP(2, [1]), SCALING, ("a", "b"), ("no", "yes"))
    path = classifier.save(tmp_path / "classifier.safetensors")
    with pytest.raises(ValueError, match="it holds a classifier, which Classifier.load reads"):
        Regressor.load(path)
    assert isinstance(load_model(path), Classifier)


def test_names_that_do_not_fit_are_refused(tmp_path):
    it = regressor(2)
    it.targets = ("one",)
    with pytest.raises(ValueError, match="its layers, activations and targets do not fit each other"):
        Regressor.load(it.save(tmp_path / "model.safetensors"))
