"""The estimators do what scikit-learn asks of its own, and mean by its parameters what it means by them."""

import importlib.util
import pickle
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

from micrograd_mlp import MLP, MicrogradClassifier, MicrogradRegressor, datasets, explorer, losses, training

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
NATIVE = importlib.util.find_spec("llvmlite") is not None
ENGINES = ["numpy", pytest.param("native", marks=pytest.mark.skipif(not NATIVE, reason="needs llvmlite"))]
X, Y = datasets.moons(n=80, noise=0.1, seed=0)
QUICK = {"hidden_layer_sizes": (6,), "learning_rate_init": 0.05, "max_iter": 60, "random_state": 0}


def classifier(**options):
    return MicrogradClassifier(**QUICK | options)


def regressor(**options):
    return MicrogradRegressor(**QUICK | options)


CHECKED = {"hidden_layer_sizes": (4,), "learning_rate_init": 0.05, "max_iter": 60}


def checks(kind):
    for estimator, check in estimator_checks_generator(kind(**CHECKED)):
        name = getattr(check, "func", check).__name__
        # it tries arrays of other libraries, for estimators that say they take them; these take what becomes NumPy's
        if name != "check_array_api_input":
            yield pytest.param(estimator, check, id=f"{kind.__name__} {name}")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("estimator", "check"), [*checks(MicrogradClassifier), *checks(MicrogradRegressor)])
def test_the_checks_of_scikit_learn(estimator, check, engine):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some checks give what is warned of, as columns for rows
        check(clone(estimator).set_params(engine=engine))


def test_there_are_as_many_checks_as_for_its_own():
    names = {name for kind in (MicrogradClassifier, MicrogradRegressor) for name in (p.id for p in checks(kind))}
    assert len(names) > 100
    assert "MicrogradClassifier check_sample_weight_equivalence_on_dense_data" in names
    assert "MicrogradRegressor check_sample_weight_equivalence_on_dense_data" in names


# In the company of others


def test_in_a_pipeline_a_search_and_a_cross_validation_with_names_for_classes():
    frame, y = load_iris(as_frame=True, return_X_y=True)
    labels = np.array(["setosa", "versicolor", "virginica"])[y]
    pipeline = make_pipeline(StandardScaler(), classifier(max_iter=80))
    search = GridSearchCV(pipeline, {"microgradclassifier__alpha": [1e-4, 10.0]}, cv=2).fit(frame, labels)
    assert search.best_params_ == {"microgradclassifier__alpha": 1e-4}
    assert search.best_score_ > 0.9
    best = search.best_estimator_[-1]
    assert best.classes_.tolist() == ["setosa", "versicolor", "virginica"]
    assert set(search.predict(frame)) == set(labels)
    assert cross_val_score(pipeline, frame, labels, cv=3).mean() > 0.9


def test_frames_give_names_to_the_features():
    frame = pd.DataFrame(X, columns=["width", "height"])
    model = classifier().fit(frame, Y)
    assert model.feature_names_in_.tolist() == ["width", "height"]
    assert model.n_features_in_ == 2
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame[["height", "width"]])


def test_in_a_calibration():
    calibrated = CalibratedClassifierCV(classifier(loss="hinge"), cv=2).fit(X, Y)
    assert calibrated.score(X, Y) > 0.85
    assert calibrated.predict_proba(X).sum(axis=1) == pytest.approx(np.ones(len(X)))


@pytest.mark.parametrize("make", [classifier, regressor])
def test_pickle_clone_and_joblib(make, tmp_path):
    model = make(early_stopping=True).fit(X, Y)
    expected = model.predict(X)
    joblib.dump(model, tmp_path / "model.joblib")
    for again in (pickle.loads(pickle.dumps(model)), joblib.load(tmp_path / "model.joblib"), clone(model).fit(X, Y)):
        assert (again.predict(X) == expected).all()
    assert not hasattr(clone(model), "coefs_")
    scores = joblib.Parallel(n_jobs=2, backend="threading")(
        joblib.delayed(lambda seed: make(random_state=seed).fit(X, Y).score(X, Y))(seed) for seed in (0, 1)
    )
    assert scores == [make(random_state=seed).fit(X, Y).score(X, Y) for seed in (0, 1)]


def test_a_regressor_of_scaled_targets():
    points, y = load_diabetes(return_X_y=True)
    learner = make_pipeline(StandardScaler(), regressor(alpha=1.0))
    model = TransformedTargetRegressor(learner, transformer=StandardScaler()).fit(points[:300], y[:300])
    assert model.score(points[300:], y[300:]) > 0.4


# What the parameters mean


@pytest.mark.parametrize("engine", ["python", *ENGINES])
@pytest.mark.parametrize("make", [classifier, regressor])
def test_a_sample_of_weight_two_counts_as_two(make, engine):
    counts = np.arange(len(X)) % 3
    options = {"solver": "sgd", "max_iter": 25, "alpha": 0.5, "engine": engine}
    weighted = make(**options).fit(X, Y, sample_weight=counts)
    repeated = make(**options).fit(X.repeat(counts, 0), Y.repeat(counts))
    for one, other in zip(weighted.coefs_ + weighted.intercepts_, repeated.coefs_ + repeated.intercepts_, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(weighted.loss_curve_, repeated.loss_curve_, rtol=1e-9)


def test_a_weight_of_a_class_is_one_of_its_samples():
    once = classifier(class_weight={0: 3.0}).fit(X, Y)
    twice = classifier().fit(X, Y, sample_weight=np.where(Y == 0, 3.0, 1.0))
    assert all((a == b).all() for a, b in zip(once.coefs_, twice.coefs_, strict=True))
    kept = np.flatnonzero((Y == 0) | (np.arange(len(Y)) % 4 == 0))
    balanced = classifier(class_weight="balanced").fit(X[kept], Y[kept])
    counts = np.bincount(Y[kept])
    expected = classifier(class_weight={k: len(kept) / (2 * counts[k]) for k in (0, 1)}).fit(X[kept], Y[kept])
    np.testing.assert_allclose(balanced.coefs_[0], expected.coefs_[0], rtol=1e-9)
    weights = 1.0 + (np.arange(len(kept)) % 2)  # balanced with weights as with repetition
    again = classifier(class_weight="balanced").fit(X[kept], Y[kept], sample_weight=weights)
    repeated = classifier(class_weight="balanced").fit(*(a[kept].repeat(weights.astype(int), 0) for a in (X, Y)))
    np.testing.assert_allclose(again.coefs_[0], repeated.coefs_[0], rtol=1e-5)


@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
def test_from_the_same_seed_it_goes_where_scikit_learn_goes(solver, activation):
    points, y = load_iris(return_X_y=True)
    points = StandardScaler().fit_transform(points)
    close = {"rtol": 1e-6, "atol": 1e-7} if solver == "sgd" else {"rtol": 0.02, "atol": 0.01}  # Adam's eps is elsewhere
    same = {"solver": solver, "activation": activation, "hidden_layer_sizes": (5,), "alpha": 0.3, "max_iter": 40,
            "learning_rate_init": 0.02, "random_state": 3, "n_iter_no_change": 1000}  # fmt: skip
    for ours, theirs, target in (
        (MicrogradClassifier(**same), MLPClassifier(**same), y),
        (MicrogradRegressor(**same), MLPRegressor(**same), y / 2.0),
    ):
        mine, other = ours.fit(points, target), theirs.fit(points, target)
        for name in ("coefs_", "intercepts_"):
            for one, expected in zip(getattr(mine, name), getattr(other, name), strict=True):
                np.testing.assert_allclose(one, expected, **close)
        np.testing.assert_allclose(mine.loss_curve_[-3:], other.loss_curve_[-3:], **close)
        np.testing.assert_allclose(mine.predict(points), other.predict(points), **close)


@pytest.mark.parametrize("loss", losses.LOSSES)
def test_every_loss_learns(loss):
    points, classes = datasets.blobs(n=60, noise=0.3, seed=0)
    model = classifier(loss=loss, max_iter=100).fit(points, classes)
    assert model.score(points, classes) == 1.0
    assert model.decision_function(points).shape == model.predict_proba(points).shape == (60, 3)
    assert classifier(loss=loss, max_iter=100).fit(X, Y).decision_function(X).shape == (80,)


def test_absolute_errors_find_the_median():
    y = np.array([0.0, 0.0, 9.0] * 10)
    options = {"hidden_layer_sizes": (), "max_iter": 400, "n_iter_no_change": 400}
    flat = regressor(loss="absolute_error", **options).fit(np.zeros((30, 1)), y)
    assert flat.predict([[0.0]])[0] == pytest.approx(0.0, abs=0.2)
    assert regressor(**options).fit(np.zeros((30, 1)), y).predict([[0.0]])[0] == pytest.approx(3.0, abs=0.2)


def test_what_it_predicts_with_is_the_network():
    model = classifier(activation="leaky_relu").fit(X, Y)
    assert isinstance(model.model_, MLP)
    np.testing.assert_allclose(model.predict_proba(X), training.predict_proba(model.model_, X), rtol=1e-12)
    np.testing.assert_allclose(model.decision_function(X), [model.model_(x).data for x in X.tolist()], rtol=1e-12)
    np.testing.assert_allclose(model.predict_log_proba(X), np.log(model.predict_proba(X)), rtol=1e-12)


def test_it_stops_when_the_loss_stands_still_and_warns_when_it_does_not():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = classifier(max_iter=500, tol=0.01, n_iter_no_change=4).fit(X, Y)
    assert model.n_iter_ == len(model.loss_curve_) < 500
    falls = -np.diff(model.loss_curve_)
    assert (falls[-5:] < 0.01).all()
    assert falls[-6] >= 0.01
    with pytest.warns(ConvergenceWarning, match=r"^max_iter=3 epochs are over and the loss still falls"):
        classifier(max_iter=3).fit(X, Y)


def test_a_run_that_diverges_keeps_the_last_good_weights_and_warns():
    with pytest.warns(ConvergenceWarning, match=r"^diverged in epoch \d+: .*; the last good weights stay$"):
        model = regressor(solver="sgd", learning_rate_init=50.0).fit(100 * X, 100.0 * Y)
    assert all(np.isfinite(array).all() for array in model.coefs_)
    assert model.n_iter_ >= 1


def test_early_stopping_keeps_the_weights_of_the_best_score():
    model = classifier(early_stopping=True, validation_fraction=0.25, max_iter=30, n_iter_no_change=30).fit(X, Y)
    assert len(model.validation_scores_) == len(model.loss_curve_) == 30
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert model.score(X, Y) > 0.8
    assert len(regressor(early_stopping=True).fit(X, Y).validation_scores_) > 3
    with pytest.raises(ValueError, match=r"^validation_fraction=0.9 of 2 samples leaves none to learn from$"):
        classifier(early_stopping=True, validation_fraction=0.9).fit(X[:2], [0, 1])
    assert classifier(early_stopping=True).fit(X[:3], [0, 1, 1]).n_iter_ >= 1


@pytest.mark.parametrize("make", [classifier, regressor])
def test_a_warm_start_goes_on(make):
    model = make(warm_start=True, max_iter=5).fit(X, Y)
    first = model.loss_
    assert model.fit(X, Y).loss_curve_[0] < first
    with pytest.raises(ValueError, match=r"^training goes on with layers \[2, 6, 1\]; got data and options for \[1, 6"):
        model.fit(X[:, :1], Y)
    assert make(max_iter=5).fit(X, Y).loss_ == first


def test_steps_of_partial_fit_are_epochs_of_fit():
    whole = classifier(max_iter=4, n_iter_no_change=np.inf).fit(X, Y)
    part = classifier()
    for _ in range(4):
        part.partial_fit(X, Y, classes=[0, 1])
    np.testing.assert_allclose(part.coefs_[0], whole.coefs_[0], rtol=1e-9)
    assert part.n_iter_ == 4
    numbers = regressor().partial_fit(X, Y).partial_fit(X[:5], Y[:5])
    assert len(numbers.loss_curve_) == 2
    with pytest.raises(ValueError, match=r"^y holds 2, which is no class of \[0 1\]$"):
        part.partial_fit(X, Y + 1)
    with pytest.raises(ValueError, match=r"are not those of the first call to partial_fit"):
        part.partial_fit(X, Y, classes=[0, 2])
    with pytest.raises(ValueError, match=r"^classes must be passed on the first call to partial_fit"):
        classifier().partial_fit(X, Y)


def test_it_tells_of_every_epoch_when_asked(capsys):
    classifier(verbose=True, max_iter=2).fit(X, Y)
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == ["epoch 1", "epoch 2"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"solver": "lbfgs"}, "there is no solver 'lbfgs'; there are sgd, adam, adamw, rmsprop"),
        ({"activation": "rel"}, "there is no activation 'rel', did you mean 'relu'?"),
        ({"loss": "hinges"}, "there is no loss 'hinges', did you mean 'hinge'?"),
        ({"engine": "nativ"}, "there is no engine 'nativ', did you mean 'native'?"),
        ({"hidden_layer_sizes": (4, 0)}, "hidden_layer_sizes takes whole numbers of at least 1, one for each layer"),
        ({"batch_size": 0}, "batch_size takes a whole number of at least 1, got 0"),
        ({"max_iter": 1.5}, "max_iter takes a whole number of at least 1, got 1.5"),
        ({"alpha": -1}, "alpha takes a number of at least 0, got -1"),
        ({"alpha": float("nan")}, "alpha takes a number of at least 0, got nan"),
        ({"momentum": 1.0}, "momentum takes a number of at least 0 and below 1, got 1.0"),
        ({"learning_rate_init": 0}, "learning_rate_init takes a number above 0, got 0"),
        ({"validation_fraction": 1.0}, "validation_fraction takes a number above 0 and below 1, got 1.0"),
        ({"early_stopping": "no"}, "early_stopping takes True or False, got 'no'"),
        ({"verbose": "no"}, "verbose takes True, False or a whole number, got 'no'"),
        ({"n_iter_no_change": 2.5}, "n_iter_no_change takes a whole number of at least 1, got 2.5"),
    ],
)
def test_what_is_refused(options, message):
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        classifier(**options).fit(X, Y)


def test_what_data_are_refused():
    with pytest.raises(ValueError, match=r"^MicrogradClassifier tells classes apart; y holds only one class: 'a'$"):
        classifier().fit(X, ["a"] * len(X))
    with pytest.raises(ValueError, match="Sample weights must contain at least one non-zero number"):
        classifier().fit(X, Y, sample_weight=np.zeros(len(X)))
    with pytest.raises(ValueError, match=r"^weights are 80 finite numbers of at least 0, not all 0; got array"):
        classifier(class_weight={0: 0.0, 1: 0.0}).fit(X, Y)
    with pytest.raises(ValueError, match="Negative values in data passed to `sample_weight`"):
        regressor().fit(X, Y, sample_weight=-np.ones(len(X)))
    with pytest.raises(NotFittedError):
        classifier().model_


def test_explain_opens_the_page_on_one_prediction(monkeypatch, tmp_path):
    seen, explore = [], explorer.explore

    def watched(root, x, **options):
        seen.append((root, x, options))
        return explore(root, x, **options)

    monkeypatch.setattr(explorer, "explore", watched)
    frame = pd.DataFrame(X, columns=["width", "height"])
    model = classifier().fit(frame, np.array(["no", "yes"])[Y])
    page = model.explain(frame.iloc[3], path=tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == page.html
    title = f"MicrogradClassifier: {model.predict(frame.iloc[[3]])[0]}"
    assert title in page.html
    assert "height" in page.html
    model.explain(frame.iloc[[3]])
    for root, inputs, options in seen:
        assert [value.label for value in inputs] == ["width", "height"]
        assert root(inputs).data == pytest.approx(model.decision_function(frame.iloc[[3]])[0], rel=1e-12)
        assert options["title"] == title
    numbers = regressor().fit(X, Y)
    assert f"MicrogradRegressor: {numbers.predict(X[3:4])[0]:.6g}" in numbers.explain(X[3]).html
    with pytest.raises(ValueError, match=r"^explain takes one sample, a number for each feature; got 2 samples$"):
        model.explain(frame.iloc[:2])
    with pytest.raises(ValueError, match="X has 3 features, but MicrogradRegressor is expecting 2 features"):
        numbers.explain([1.0, 2.0, 3.0])
