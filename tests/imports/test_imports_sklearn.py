"""A fitted estimator of scikit-learn, its own or ours, predicts here what it predicts there."""

import runpy
import warnings

import numpy as np
import pandas
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, PolynomialFeatures, RobustScaler, StandardScaler

from micrograd_mlp import MicrogradClassifier, MicrogradRegressor, Regressor
from micrograd_mlp.exports import export
from micrograd_mlp.imports import from_sklearn

X, y = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])[y]


def fitted(model, X=X, y=y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 20 rounds are not enough to converge
        return model.fit(X, y)


def network(**options):
    return MLPClassifier((5, 4), max_iter=20, random_state=0, **options)


def ours(**options):
    return MicrogradClassifier((5, 4), max_iter=5, random_state=0, engine="numpy", **options)


def regressor(**options):
    return MicrogradRegressor((5, 4), max_iter=5, random_state=0, engine="numpy", **options)


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("labels", [y, NAMES, y > 0], ids=["three", "names", "two"])
def test_it_predicts_the_same(activation, labels):
    model = fitted(network(activation=activation), y=labels)
    imported = from_sklearn(model)
    np.testing.assert_allclose(imported.predict_proba(X), model.predict_proba(X), rtol=0, atol=1e-12)
    assert imported.predict(X) == [str(name) for name in model.predict(X)]


@pytest.mark.parametrize("activation", ["tanh", "leaky_relu", "sin", "logistic"])
@pytest.mark.parametrize("labels", [y, NAMES, y > 0], ids=["three", "names", "two"])
def test_ours_predicts_the_same(activation, labels):
    model = fitted(ours(activation=activation, loss="hinge", solver="rmsprop"), y=labels)
    imported = from_sklearn(model)
    np.testing.assert_allclose(imported.predict_proba(X), model.predict_proba(X), rtol=0, atol=1e-12)
    assert imported.predict(X) == [str(name) for name in model.predict(X)]
    assert imported.about["options"] == {"loss": "hinge", "optimizer": "rmsprop"}


SCALERS = [
    StandardScaler(),
    StandardScaler(with_mean=False),
    StandardScaler(with_std=False),
    MinMaxScaler((-1, 3)),
    MaxAbsScaler(),
    RobustScaler(),
    RobustScaler(with_centering=False),
    RobustScaler(with_scaling=False),
    "passthrough",
]


@pytest.mark.parametrize("kind", [network, ours], ids=["scikit-learn's", "ours"])
@pytest.mark.parametrize("scaler", SCALERS, ids=str)
def test_a_scaler_before_it_becomes_the_scaling(scaler, kind):
    table = X * [100, 1, 0.01, 1] - [3, 0, 0, 7]
    table[:, 3] = 7.0  # a column that is constant
    model = fitted(make_pipeline(scaler, kind()), table)
    imported = from_sklearn(model)
    np.testing.assert_allclose(imported.predict_proba(table), model.predict_proba(table), rtol=0, atol=1e-12)


REGRESSORS = [
    lambda: MLPRegressor(hidden_layer_sizes=(5, 4), max_iter=20, random_state=0),
    regressor,
    lambda: make_pipeline(RobustScaler(), regressor(activation="sin", loss="absolute_error")),
    lambda: TransformedTargetRegressor(make_pipeline(StandardScaler(), regressor()), transformer=MinMaxScaler((-1, 1))),
    lambda: TransformedTargetRegressor(regressor(), transformer=StandardScaler(with_std=False)),
    lambda: TransformedTargetRegressor(regressor()),
]


@pytest.mark.parametrize("make", REGRESSORS)
def test_a_regressor_predicts_the_same(make, tmp_path):
    wanted = X[:, 0] * 100 - 3
    model = fitted(make(), X[:, 1:], wanted)
    imported = from_sklearn(model)
    assert (imported.targets, imported.features) == (("y",), ("x1", "x2", "x3"))
    np.testing.assert_allclose(imported.predict(X[:, 1:]), model.predict(X[:, 1:]), rtol=1e-12)
    back = Regressor.load(imported.save(tmp_path / "model.safetensors"))
    np.testing.assert_array_equal(back.predict(X[:, 1:]), imported.predict(X[:, 1:]))


def test_several_targets_are_predicted_side_by_side():
    network = MLPRegressor(hidden_layer_sizes=(5,), max_iter=20, random_state=0)
    wanted = X[:, 2:] * [10, 1000]
    model = fitted(TransformedTargetRegressor(network, transformer=StandardScaler()), X[:, :2], wanted)
    imported = from_sklearn(model)
    assert imported.targets == ("y1", "y2")
    np.testing.assert_allclose(imported.predict(X[:, :2]), model.predict(X[:, :2]), rtol=1e-10)


def test_an_estimator_of_ours_leaves_for_good(tmp_path):
    frame = pandas.DataFrame(X, columns=["sepal length", "sepal width", "petal length", "petal width"])
    model = fitted(make_pipeline(StandardScaler(), ours()), frame, NAMES)
    (path,) = export(from_sklearn(model), "python", tmp_path / "iris.py")
    alone = runpy.run_path(str(path))
    got = [alone["predict_proba"](row) for row in X.tolist()]
    np.testing.assert_allclose(got, model.predict_proba(frame), rtol=0, atol=1e-9)
    assert list(alone["FEATURES"]) == list(frame.columns)
    assert list(alone["CLASSES"]) == model.classes_.tolist()


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
        (ours(), ValueError, "takes a fitted model; call its fit first"),
        (LogisticRegression(), TypeError, "MaxAbsScaler, RobustScaler; got LogisticRegression$"),
        (MLPRegressor(), ValueError, "takes a fitted model"),
        (TransformedTargetRegressor(MicrogradRegressor()), ValueError, "takes a fitted model"),
        (
            fitted(TransformedTargetRegressor(regressor(), func=np.arcsinh, inverse_func=np.sinh), y=y * 1.0),
            TypeError,
            "got FunctionTransformer",
        ),
        (make_pipeline(PolynomialFeatures(), network()), TypeError, "got PolynomialFeatures, MLPClassifier"),
        (make_pipeline(StandardScaler(), LogisticRegression()), TypeError, "got StandardScaler, LogisticRegression"),
        (fitted(MLPRegressor(loss="poisson", max_iter=2), y=y * 1.0), ValueError, "has exp after its last layer"),
        (make_pipeline("passthrough"), TypeError, "got no step"),
        (fitted(make_pipeline(MinMaxScaler(clip=True), ours())), ValueError, "this one has clip=True"),
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
