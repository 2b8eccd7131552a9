"""The engines take the same steps, stop at the same numbers and say the same; which one runs is said if it matters."""

import importlib.util
import math
import random
import warnings

import numpy as np
import pytest

from micrograd_mlp import MLP, Value, datasets, engines, losses, ops, optim
from micrograd_mlp.engines import ENGINES, Compiled, Interpreted, Task, engine_of
from micrograd_mlp.training import fit

NATIVE = importlib.util.find_spec("llvmlite") is not None
X, Y = datasets.moons(n=24, noise=0.1, seed=0)
COMPILED = [name for name in ENGINES if name != "python" and (NATIVE or name != "native")]
ALL = ["python", *COMPILED]


def network(*sizes, seed=0, **options):
    return MLP(2, sizes or (3, 1), rng=random.Random(seed), **{"activation": "tanh"} | options)


def weights(model):
    return [p.data for p in model.parameters()]


def run(engine, change=None, sizes=(3, 1), points=(X, Y), make=None, activation="tanh", **options):
    """Return the model, its history and its rule, after training with this engine."""
    model = network(*sizes, activation=activation)
    if change:
        change(model)
    if make:
        options["optimizer"] = make(model.parameters())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore" if engine == "native" and not NATIVE else "error")
        return model, fit(model, *points, engine=engine, **options), options.get("optimizer")


def assert_same(tolerance=1e-9, **options):
    model, history, rule = run("python", **options)
    for engine in COMPILED:
        other, also, its_rule = run(engine, **options)
        assert weights(other) == pytest.approx(weights(model), rel=tolerance, abs=tolerance)
        assert also.loss == pytest.approx(history.loss, rel=tolerance, abs=tolerance)
        assert also.accuracy == history.accuracy
        assert also.learning_rate == history.learning_rate
        assert (also.reason, also.message) == (history.reason, history.message)
        if isinstance(rule, optim.Optimizer):
            assert its_rule.steps == rule.steps
            np.testing.assert_allclose(its_rule.memories, rule.memories, rtol=tolerance, atol=tolerance)
    return model, history


RULES = {
    "SGD": lambda p: optim.SGD(p, lr=0.2),
    "momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=1e-3),
    "Nesterov": lambda p: optim.SGD(p, lr=0.1, momentum=0.8, nesterov=True),
    "Adam": lambda p: optim.Adam(p, lr=0.05),
    "AdamW": lambda p: optim.AdamW(p, lr=0.05, weight_decay=0.05),
    "RMSprop": lambda p: optim.RMSprop(p, lr=0.01, momentum=0.5),
}


@pytest.mark.parametrize("name", RULES)
def test_a_hundred_epochs_go_the_same_way(name):
    _, history = assert_same(make=RULES[name], loss="bce", epochs=100)
    assert history.loss[-1] < 0.8 * history.loss[0]
    assert len(history.epochs) == 100


@pytest.mark.parametrize("schedule", [name for name in optim.SCHEDULES if name != "constant"])
def test_schedules(schedule):
    _, history = assert_same(loss="mse", schedule=schedule, optimizer="sgd", epochs=25, batch_size=10)
    assert len(set(history.learning_rate)) > 1


def test_batches_of_which_the_last_is_shorter():
    assert_same(loss="hinge", optimizer="adam", epochs=30, batch_size=7, l1=1e-3, l2=1e-2, activation="relu", seed=5)


def test_batches_of_one_sample():
    assert_same(loss="bce", optimizer="sgd", epochs=3, batch_size=1, lr=0.05)


@pytest.mark.parametrize("loss", losses.LOSSES)
def test_many_classes(loss):
    points = datasets.blobs(n=15, noise=0.4, seed=2)
    assert_same(loss=loss, points=points, sizes=(2, 3), epochs=10, batch_size=8)


def test_test_points_and_patience():
    options = {"X_test": X[::3], "y_test": Y[::3], "patience": 3, "lr": 1.0, "epochs": 60}
    model, history = run("python", **options)[:2]
    for engine in COMPILED:
        other, also, _ = run(engine, **options)
        assert also.test_loss == pytest.approx(history.test_loss, rel=1e-7)
        assert also.test_accuracy == history.test_accuracy
        assert (also.reason, also.message) == (history.reason, history.message)
        assert weights(other) == pytest.approx(weights(model), rel=1e-7)
    assert history.reason == "patience"


def test_frozen_parameters_are_left_alone():
    def freeze(model):
        model.layers[0].freeze()

    model, _ = assert_same(change=freeze, optimizer="adam", epochs=20)
    fresh = network()
    assert model.layers[0].state_dict() == fresh.layers[0].state_dict()
    assert model.layers[1].state_dict() != fresh.layers[1].state_dict()


def test_a_callback_may_freeze_and_thaw():
    def thaw_in_between(epoch, model):
        for parameter in model.layers[0].parameters():
            parameter.frozen = 5 <= epoch.epoch < 10
        seen.append(weights(model.layers[0]))

    runs = []
    for engine in ALL:
        seen = []
        model, history, _ = run(engine, optimizer="sgd", lr=0.3, epochs=15, batch_size=9, callbacks=[thaw_in_between])
        assert all(seen[k] == seen[4] for k in range(4, 10))
        assert seen[3] != seen[4]
        assert seen[10] != seen[9]
        runs.append(weights(model) + history.loss)
    for other in runs[1:]:
        assert other == pytest.approx(runs[0], rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", ["momentum", "Adam", "RMSprop"])
def test_what_a_rule_remembers_of_a_frozen_parameter_stays_too(name):
    """A parameter that was frozen for a while goes on as if there had been no steps in between."""

    def freeze_in_between(epoch, model):
        model.layers[0].freeze(3 <= epoch.epoch < 6)

    _, history = assert_same(make=RULES[name], epochs=10, batch_size=9, callbacks=[freeze_in_between])
    assert len(history.epochs) == 10


@pytest.mark.parametrize("change", ["rate", "frozen"])
def test_the_good_weights_are_those_before_the_last_step_whatever_a_callback_changes(change):
    def spoil(epoch, model):
        if epoch.epoch == 2:
            made[-1].lr = 0.9 if change == "rate" else made[-1].lr
            if change == "frozen":
                model.layers[0].freeze()
            model.parameters()[-1].data = 1e200  # the loss of the next step is not finite

    def make(parameters):
        made.append(optim.SGD(parameters, lr=0.2))
        return made[-1]

    made, runs = [], []
    for engine in ALL:
        model, history, _ = run(engine, make=make, loss="mse", epochs=9, batch_size=9, callbacks=[spoil])
        assert history.reason == "diverged"
        runs.append(weights(model))
    assert max(map(abs, runs[0])) < 100
    for other in runs[1:]:
        assert other == pytest.approx(runs[0], rel=1e-9, abs=1e-9)


def test_a_callback_may_change_weights_and_the_rate():
    def make(parameters):
        made.append(optim.SGD(parameters, lr=0.2, momentum=0.5))
        return made[-1]

    def meddle(epoch, model):
        if epoch.epoch == 3:
            model.parameters()[1].data = 0.25
        if epoch.epoch == 5:
            made[-1].lr = 0.01

    made = []
    _, history = assert_same(make=make, epochs=10, callbacks=[meddle])
    assert history.learning_rate[:5] == [0.2] * 5
    assert history.learning_rate[5:] == [0.01] * 5


# What is not finite


def test_a_run_that_diverges_ends_alike():
    """Squares grow until they overflow, many epochs and steps from the start."""
    options = {"loss": "mse", "optimizer": "sgd", "lr": 3.0, "epochs": 300, "batch_size": 5, "activation": "relu"}
    model, history, _ = run("python", **options)
    assert history.reason == "diverged"
    assert len(history.epochs) > 1
    for engine in COMPILED:
        other, also, _ = run(engine, **options)
        assert also.reason == "diverged"
        assert len(also.epochs) == len(history.epochs)
        assert also.message.split(":")[0] == history.message.split(":")[0]
        np.testing.assert_allclose(weights(other), weights(model), rtol=1e-6)
        assert np.isfinite(weights(other)).all()


def spoiling(when, number):
    def spoil(epoch, model):
        if epoch.epoch == when:
            model.parameters()[2].data = number

    return spoil


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("when", [1, 4])
def test_what_is_not_finite_is_named_alike(when, number):
    options = {"loss": "mse", "optimizer": "sgd", "epochs": 9, "batch_size": 10, "activation": "linear",
               "callbacks": [spoiling(when, number)]}  # fmt: skip
    model, history, _ = run("python", **options)
    assert history.reason == "diverged"
    assert history.message.startswith(f"diverged in epoch {when + 1}: ")
    for engine in COMPILED:
        other, also, _ = run(engine, **options)
        assert also.message == history.message
        assert also.loss == pytest.approx(history.loss, rel=1e-9)
        np.testing.assert_allclose(weights(other), weights(model), rtol=1e-9)


def test_a_gradient_that_is_not_finite_is_named_alike():
    """The square root of 0 has no slope, though the loss is finite; the sample in question comes in mid-epoch."""
    points = np.array([[1.0], [2.0], [0.0], [3.0]])

    def trained(engine):
        weight = Value(0.5, label="w")

        def model(x):
            return ops.sqrt(weight * x[0])

        model.parameters = lambda: [weight]
        history = fit(model, points, np.zeros(4), loss=lambda s, t: s, optimizer="sgd", lr=0.01, epochs=3,
                      batch_size=1, seed=1, engine=engine)  # fmt: skip
        return weight.data, history.reason, history.message

    expected = trained("python")
    assert expected[1] == "diverged"
    for engine in COMPILED:
        got = trained(engine)
        assert got[1:] == expected[1:]
        assert got[0] == pytest.approx(expected[0], rel=1e-12)


@pytest.mark.parametrize("engine", ALL)
def test_a_run_that_diverges_at_once_leaves_the_weights_of_the_start(engine):
    def spoil(model):
        model.parameters()[0].data = 1e308

    model, history, _ = run(engine, change=spoil, loss="mse", activation="linear", epochs=3)
    assert history.message.startswith("diverged in epoch 1: ")
    fresh = network(activation="linear")
    spoil(fresh)
    assert weights(model) == weights(fresh)


# Which engine runs


def branching(score, target):
    return score * 1.0 if score > 0 else -score * target


@pytest.mark.skipif(not NATIVE, reason="needs llvmlite")
def test_a_loss_that_branches_is_interpreted_and_it_is_said_once():
    engines._say_once.cache_clear()
    with pytest.warns(RuntimeWarning, match=r"interprets this model, .*test_engines\.py, line \d+: x > y asks") as seen:
        assert len(fit(network(), X, Y, loss=branching, epochs=2).epochs) == 2
    assert len(seen) == 1
    fit(network(), X, Y, loss=branching, epochs=1)  # in silence: a warning is an error here


def test_a_model_that_branches_is_measured_sample_by_sample():
    weight = Value(0.5)

    def model(x):
        return weight * x[0] if x[0] > 0 else -weight * x[0]

    model.parameters = lambda: [weight]
    history = fit(model, X, Y, loss=lambda s, t: (s - t) * (s - t), optimizer="sgd", epochs=3, engine="python")
    assert history.loss[-1] == pytest.approx(np.mean((weight.data * np.abs(X[:, 0]) - Y) ** 2), rel=1e-12)
    assert history.loss[-1] < history.loss[0]


@pytest.mark.parametrize("engine", COMPILED)
def test_a_loss_that_branches_is_refused_by_an_engine_that_was_asked_for(engine):
    with pytest.raises(TypeError, match=r"test_engines\.py, line \d+: x > y asks .* use ops\.where"):
        fit(network(), X, Y, loss=branching, epochs=1, engine=engine)


def task():
    model = network()
    return Task(model, model.parameters(), X, Y, losses.LOSSES["hinge"], optim.SGD(model.parameters()))


@pytest.fixture
def compilations(monkeypatch):
    """Count how often steps are compiled, with nothing kept from before."""
    monkeypatch.setattr(engines, "_LATEST", {})
    counted, compiled = [], Compiled._compiled
    monkeypatch.setattr(Compiled, "_compiled", lambda self, known: counted.append(1) or compiled(self, known))
    return counted


@pytest.mark.parametrize("engine", COMPILED)
def test_what_was_compiled_serves_a_like_task_with_other_numbers(engine, compilations):
    options = {"loss": "bce", "epochs": 12, "batch_size": 7, "l2": 0.01}
    for points, rate in (((X, Y), 0.05), ((X[:17], Y[:17]), 0.2), ((X, Y), 0.05)):
        expected, told, _ = run("python", points=points, lr=rate, **options)
        model, history, _ = run(engine, points=points, lr=rate, **options)
        assert weights(model) == pytest.approx(weights(expected), rel=1e-9, abs=1e-9)
        assert history.loss == pytest.approx(told.loss, rel=1e-9)
    assert len(compilations) == 1


OTHERS = {
    "loss": {"loss": "hinge"}, "penalty": {"l1": 0.1}, "batch": {"batch_size": 6}, "weights": {"weights": 1.0 + Y},
    "rule": {"optimizer": "sgd"}, "activation": {"activation": "relu"}, "sizes": {"sizes": (4, 1)},
    "an option of the rule": {"make": lambda p: optim.Adam(p, lr=0.05, betas=(0.8, 0.99))},
    "penalized": {"change": lambda model: None, "penalized": "first", "l2": 0.1},
}  # fmt: skip


@pytest.mark.parametrize("other", OTHERS)
def test_what_was_compiled_serves_no_other_task(other, compilations):
    engine = COMPILED[0]
    run(engine, epochs=2)
    options = dict(OTHERS[other])
    if options.pop("penalized", None):
        results = []
        for each in ("python", engine):
            model = network()
            fit(model, X, Y, l2=0.1, penalized=model.layers[0].parameters()[:2], epochs=2, engine=each)
            results.append(weights(model))
    else:
        results = [weights(run(each, epochs=2, **options)[0]) for each in ("python", engine)]
    assert results[1] == pytest.approx(results[0], rel=1e-9, abs=1e-9)
    assert len(compilations) == 2


def test_a_network_that_was_changed_is_compiled_for_itself(compilations):
    def tie(model):
        model.layers[0].neurons[0].w[0] = model.layers[0].neurons[1].w[0]

    def reshape(model):
        model.layers[0].neurons[0].activation = "relu"

    for change in (None, tie, reshape, lambda model: model.layers[0].freeze()):
        results = [weights(run(each, change, epochs=3)[0]) for each in ("python", COMPILED[0])]
        assert results[1] == pytest.approx(results[0], rel=1e-9, abs=1e-9)
    assert len(compilations) == 4


def test_a_rule_of_ones_own_is_compiled_for_itself(compilations):
    class Signs(optim.SGD):
        def rule(self, value, slope, memory, lr, step):
            return value - lr * ops.tanh(slope), memory

    for rule in (optim.SGD, Signs):
        results = [weights(run(e, make=lambda p, r=rule: r(p, lr=0.1), epochs=3)[0]) for e in ("python", COMPILED[0])]
        assert results[1] == pytest.approx(results[0], rel=1e-9, abs=1e-9)
    assert len(compilations) == 2


def test_not_all_that_was_compiled_is_kept(compilations, monkeypatch):
    monkeypatch.setattr(engines, "KEPT", 4)  # two for each: the steps and the measure
    for size in (1, 2, 3, 2, 1):
        run("numpy", sizes=(size, 1), epochs=1)
    assert len(compilations) == 4
    assert len(engines._LATEST) == 4


def test_the_engine_of_no_name(monkeypatch):
    assert isinstance(engine_of(None, task()), Compiled if NATIVE else Interpreted)
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    assert isinstance(engine_of(None, task()), Interpreted)


@pytest.mark.skipif(not NATIVE, reason="needs llvmlite")
def test_two_threads_go_the_same_way():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(4100, 2))
    classes = (points[:, 0] * points[:, 1] > 0).astype(int)
    runs = []
    for threads in (1, 2):
        model = network(4, 1)
        history = fit(model, points, classes, epochs=5, engine="native", threads=threads)
        runs.append(weights(model) + history.loss)
    assert runs[1] == pytest.approx(runs[0], rel=1e-9)


def test_the_compiled_measure_is_that_of_the_model():
    its_task = task()
    for engine in COMPILED:
        measured = ENGINES[engine](its_task, 1).measure()
        scores, each = measured(X[:7], Y[:7])
        expected = [its_task.model(x).data for x in X[:7].tolist()]
        np.testing.assert_allclose(scores[:, 0], expected, rtol=1e-12)
        hinges = [max(0.0, 1.0 - (2.0 * y - 1.0) * s) for s, y in zip(expected, Y[:7].tolist(), strict=True)]
        np.testing.assert_allclose(each, hinges, rtol=1e-12)


# What another process may use


def key(loss=losses.LOSSES["bce"], rule=optim.Adam, activation="tanh"):
    model = network(activation=activation)
    return engines.key_of(Task(model, model.parameters(), X, Y, loss, rule(model.parameters())))


def test_the_text_of_a_key_says_what_the_code_depends_on(monkeypatch):
    monkeypatch.setitem(optim.OPTIMIZERS, "another", optim.RMSprop)
    texts = [
        engines.text_of(each)
        for each in (
            key(),
            key(loss=losses.LOSSES["mse"]),
            key(loss=losses.LOSSES["hinge"]),
            key(rule=optim.AdamW),
            key(rule=optim.RMSprop),
            key(rule=lambda p: optim.Adam(p, eps=1e-7)),
            key(activation="relu"),
        )
    ]
    assert len(set(texts)) == len(texts)
    assert all(texts)
    assert engines.text_of(key()) == texts[0]
    assert " at 0x" not in "".join(texts)  # no address of this process


def test_what_names_code_of_ones_own_has_no_text(monkeypatch):
    class Mine(optim.SGD):
        pass

    assert key(rule=Mine) is None
    monkeypatch.setitem(optim.OPTIMIZERS, "mine", Mine)
    assert engines.text_of(key(rule=Mine)) == ""
    own_loss = lambda scores, target: scores * target  # noqa: E731
    assert key(loss=own_loss) is None
    monkeypatch.setattr(engines, "_LOSSES", [*engines._LOSSES, own_loss])
    assert engines.text_of(key(loss=own_loss)) == ""
    own_op = ops.Op("tanh", "mine", math.tanh, ops.tanh.partials)
    for function in (lambda a: a * a, own_op):
        monkeypatch.setitem(engines.ACTIVATIONS, "tanh", (function, "Mine", "he"))
        assert key() is not None
        assert engines.text_of(key()) == ""
