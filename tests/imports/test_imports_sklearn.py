"""A fitted MLPClassifier of scikit-learn predicts here what it predicts there."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from micrograd_mlp.imports import from_sklearn

X, y = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])[y]


def fitted(model, X=X, y=y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 20 rounds are not enough to converge
        return model.fit(X, y)


def network(**options):
    return MLPClassifier((5, 4), max_iter=20, random_state=0, **options)


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("labels", [y, NAMES, y > 0], ids=["three", "names", "two"])
def test_it_predicts_the_same(activation, labels):
    model = fitted(network(activation=activation), y=labels)
    imported = from_sklearn(model)
    np.testing.assert_allclose(imported.predict_proba(X), model.predict_proba(X), rtol=0, atol=1e-12)
    assert imported.predict(X) == [str(name) for name in model.predict(X)]


@pytest.mark.parametrize("options", [{}, {"with_mean": False}, {"with_std": False}], ids=str)
def test_a_scaler_before_it_becomes_the_scaling(options):
    model = fitted(make_pipeline(StandardScaler(**options), network()), X * 100 - 3)
    imported = from_sklearn(model)
    np.testing.assert_allclose(imported.predict_proba(X * 100), model.predict_proba(X * 100), rtol=0, atol=1e-12)


def test_what_was_imported_can_be_saved(tmp_path):
    imported = from_sklearn(fitted(network(), y=NAMES))
    back = type(imported).load(imported.save(tmp_path / "model.safetensors"))
    np.testing.assert_array_equal(back.predict_proba(X), imported.predict_proba(X))
    assert back.classes == ("setosa", "versicolor", "virginica")


@pytest.mark.parametrize(
    ("model", "error", "sentence"),
    [
        (network(), ValueError, "takes a fitted model; call its fit first"),
        (make_pipeline(StandardScaler(), network()), ValueError, "takes a fitted model"),
        (LogisticRegression(), TypeError, "takes an MLPClassifier, or a Pipeline of a StandardScaler and one; got Log"),
        (MLPRegressor(), TypeError, "got MLPRegressor"),
        (make_pipeline(MinMaxScaler(), network()), TypeError, "got MinMaxScaler, MLPClassifier"),
        (3, TypeError, "got int"),
    ],
)
def test_what_is_none_is_refused(model, error, sentence):
    with pytest.raises(error, match=sentence):
        from_sklearn(model)


@pytest.mark.parametrize("labels", [2, 3])
def test_several_labels_a_sample_are_refused(labels):
    several = np.random.default_rng(0).integers(0, 2, (len(X), labels))
    with pytest.raises(ValueError, match="takes a model with one label for each sample; this one has several"):
        from_sklearn(fitted(network(), y=several))
