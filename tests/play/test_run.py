"""Everything that can be done to a run does what it says, and training is that of `fit`."""

import math
import random

import numpy as np
import pytest

from micrograd_mlp.play.features import Network
from micrograd_mlp.play.machine import Machine
from micrograd_mlp.play.run import MOST_EPOCHS_KEPT, Run
from micrograd_mlp.play.settings import Settings
from micrograd_mlp.training import fit

QUICK = {"samples": 40, "hidden": "3", "noise": 0.05}


def run(**given):
    return Run(Settings.of(QUICK | given))


def train(a_run, epochs):
    while epochs > 0 and not a_run.ended:
        epochs -= a_run.advance(0.05, epochs)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"optimizer": "adam", "batch": 7, "schedule": "cosine", "horizon": 20, "regularization": "l2", "rate": 0.01},
        {"problem": "blobs", "loss": "hinge", "momentum": 0.9, "test_share": 0, "features": "x1,x1x2,sinx2"},
        {"kind": "regression", "problem": "waves", "loss": "absolute", "optimizer": "rmsprop", "batch": 0},
    ],
)
def test_it_trains_as_fit_does(given):
    settings = Settings.of(QUICK | given)
    played = Run(settings)
    train(played, 12)
    network = Network(settings.features, settings.sizes, settings.activations, settings.init_seed)
    from micrograd_mlp.optim import OPTIMIZERS, SCHEDULES

    X, y = played.points.train
    more = {"momentum": settings.momentum} if settings.momentum else {}
    per_epoch = math.ceil(len(X) / (settings.batch or len(X)))
    schedule = SCHEDULES[settings.schedule](settings.horizon * per_epoch)
    rule = OPTIMIZERS[settings.optimizer](network.parameters(), lr=settings.lr, schedule=schedule, **more)
    penalty = {settings.regularization: settings.rate} if settings.regularization != "none" else {}
    loss = settings.loss if settings.kind == "classification" else settings.sample_loss
    history = fit(
        network,
        X,
        y,
        loss=loss,
        optimizer=rule,
        epochs=12,
        batch_size=settings.batch or None,
        seed=0,
        engine="numpy",
        **penalty,
    )
    assert played.machine.weights() == pytest.approx([p.data for p in network.parameters()], rel=1e-9, abs=1e-12)
    assert played.history.loss[-1] == pytest.approx(history.loss[-1])
    if settings.kind == "classification":
        assert played.history.accuracy[-1] == history.accuracy[-1]


def test_rewind_is_the_same_run_again():
    first = run(optimizer="adam")
    start = first.machine.weights()
    train(first, 5)
    after, losses = first.machine.weights(), first.history.loss
    first.rewind()
    assert (first.epoch, first.machine.weights(), len(first.history.epochs)) == (0, start, 1)
    train(first, 5)
    assert first.machine.weights() == after
    assert first.history.loss[-1] == losses[-1]


def test_other_first_weights_and_other_points():
    it = run()
    weights, X, machine = it.start, it.points.X, it.machine
    it.change({"init_seed": 7})
    assert it.start == it.machine.weights() == run(init_seed=7).start != weights
    assert it.machine is machine  # nothing is compiled again
    np.testing.assert_array_equal(it.points.X, X)
    it.change({"seed": 7})
    assert (it.points.X != X).any()
    assert it.machine is machine
    train(it, 2)
    other = run(init_seed=7, seed=7)
    train(other, 2)
    assert it.machine.weights() == pytest.approx(other.machine.weights(), rel=1e-12)


@pytest.mark.parametrize(
    "given",
    [
        *({"lr": 0.5}, {"batch": 5}, {"speed": 3}, {"schedule": "linear"}, {"show_test": True}),
        *({"loss": "hinge"}, {"optimizer": "adam"}, {"momentum": 0.5}, {"regularization": "l1"}),
    ],
)
def test_what_is_learned_stays_when_only_the_training_changes(given):
    it = run()
    train(it, 3)
    weights = it.machine.weights()
    it.change(given)
    assert (it.machine.weights(), it.epoch) == (weights, 3)
    train(it, 1)
    assert it.machine.weights() != weights
    assert it.epoch == 4


@pytest.mark.parametrize(
    "given",
    [
        *({"hidden": "4"}, {"features": "x1"}, {"activation": "relu"}, {"output": "tanh"}, {"init": "uniform"}),
        *({"noise": 0.3}, {"samples": 50}, {"problem": "moons"}, {"kind": "regression"}, {"test_share": 0.5}),
    ],
)
def test_what_makes_it_another_network_or_other_points_begins_anew(given):
    it = run()
    it.play()
    train(it, 3)
    it.change(given)
    assert (it.epoch, it.playing, len(it.history.epochs)) == (0, False, 1)
    assert len(it.machine.names) == it.settings.parameters
    train(it, 1)
    assert it.epoch == 1


def test_a_change_that_is_refused_changes_nothing():
    it = run()
    before, version = it.settings, it.version
    with pytest.raises(ValueError, match="lr takes"):
        it.change({"noise": 0.2, "lr": -1})
    assert (it.settings, it.version) == (before, version)


def test_an_epoch_may_be_taken_in_parts():
    whole, parts = run(batch=1), run(batch=1)
    train(whole, 2)
    parts._seconds = 1.0  # so that each call takes one step
    calls = 0
    while parts.epoch < 2:
        parts.advance(0.0)
        calls += 1
    assert calls > 50
    assert parts.machine.weights() == pytest.approx(whole.machine.weights())


@pytest.mark.parametrize(
    ("given", "reason", "message"),
    [
        ({"stop_epochs": 7}, "epochs", "Stopped after 7 epochs."),
        ({"stop_loss": 0.69, "lr": 0.3}, "loss", "Stopped: the test loss is"),
        ({"stop_accuracy": 0.4}, "accuracy", "Stopped: the test accuracy is"),
        ({"patience": 3, "lr": 1e-300}, "patience", "Stopped: the test loss was lowest in epoch"),
        ({"stop_accuracy": 0.4, "test_share": 0}, "accuracy", "Stopped: the training accuracy is"),
    ],
)
def test_stop_rules(given, reason, message):
    it = run(**given)
    it.play()
    train(it, 500)
    assert (it.ended, it.playing) == (reason, False)
    assert it.message.startswith(message)
    if reason == "epochs":
        assert it.epoch == 7
        it.advance(0.01)
        assert it.epoch == 7
        it.change({"stop_epochs": 9})
        assert it.ended == ""


def test_a_stop_rule_that_comes_too_late_stops_at_once():
    it = run()
    train(it, 5)
    it.change({"stop_epochs": 3})
    it.play()
    assert it.advance(0.01) == 0
    assert (it.playing, it.ended, it.epoch) == (False, "epochs", 5)


def test_divergence_says_which_number_and_leaves_good_weights():
    it = run(kind="regression", problem="slope", loss="mse", activation="linear", lr=900.0, batch=0)
    it.play()
    for _ in range(400):
        it.advance(0.01)
    assert (it.ended, it.playing) == ("diverged", False)
    assert "A number became inf or nan in epoch" in it.message
    assert " = inf" in it.message
    assert "at the training point (" in it.message
    assert "the largest is layers[" in it.message
    assert np.isfinite(it.machine.weights()).all()
    it.rewind()
    assert (it.ended, it.machine.weights()) == ("", it.start)


def test_weights_are_set_by_name():
    it = run()
    it.set_weight("layers[1].neurons[0].b", 2.5)
    assert it.machine.weights()[-1] == 2.5
    before = it.history.loss[-1]
    it.set_weight("layers[1].neurons[0].b", "-2.5")
    assert it.history.loss[-1] != before
    assert len(it.history.epochs) == 1
    for value in (math.nan, math.inf, 1e7, "x", None, [1]):
        with pytest.raises(ValueError, match=r"layers\[1\].neurons\[0\].b takes a number from -1e\+06 to 1e\+06, got"):
            it.set_weight("layers[1].neurons[0].b", value)
    with pytest.raises(ValueError, match="there is no weight 'layers"):
        it.set_weight("layers[9].neurons[0].b", 1.0)


def test_points_are_painted_on_an_empty_plane():
    it = run(problem="own", classes=3)
    assert it.machine is None
    for refused in (it.play, lambda: it.advance(0.1), lambda: it.set_weight("layers[0].neurons[0].b", 1)):
        with pytest.raises(ValueError, match="paint some, or load a file"):
            refused()
    it.add_points([[1.0, 1.0, 0], [-1.0, -1.0, 2]])
    assert it.machine is not None
    it.play()
    train(it, 60)
    weights = it.machine.weights()
    it.add_points([[0.0, 1.5, 1]])
    it.move_point(0, [1.5, 1.5])
    assert (it.playing, it.epoch, it.machine.weights()) == (True, 60, weights)
    it.delete_points([0, 1])
    assert it.points.X.tolist() == [[0.0, 1.5]]
    it.clear_points()
    assert (it.machine, it.playing) == (None, False)


def test_points_of_a_problem_become_ones_own_when_they_are_edited():
    it = run()
    it.delete_points([0])
    assert (it.settings.problem, len(it.points.X), it.edited) == ("own", 39, True)
    it.change({"problem": "moons"})
    assert (len(it.points.X), it.edited) == (40, False)
    it.add_points([[0.0, 0.0, 1]])
    it.change({"classes": 3})
    assert len(it.points.classes) == 3
    it.add_points([[0.0, 0.0, 2]])
    it.change({"classes": 2})
    assert it.points.y.max() == 1
    it.change({"test_share": 0.0})
    assert not it.points.held.any()


def test_a_file_becomes_the_points():
    it = run(hidden="2")
    it.load_csv(b"a,b,kind\n" + b"".join(b"%d,%d,%d\n" % (k, k * k, k % 3) for k in range(30)), "own.csv")
    assert (it.settings.problem, it.settings.outputs, it.points.features) == ("own", 3, ("a", "b"))
    train(it, 2)
    assert np.sum(it.confusion) == 9
    with pytest.raises(ValueError, match="line 1, column 1"):
        it.load_csv(b"x,2,1\n2,3,2\n", "own.csv")
    assert len(it.points.X) == 30


@pytest.mark.parametrize(
    "rows",
    [None, 3, [1], [[1, 2]], [[1, 2, math.nan]], [[1, 2, "x"]], [[1, 2, 7]], [[1e9, 0, 0]], [[0, 0, 0]] * 10_001],
)
def test_points_that_are_none_are_refused(rows):
    it = run()
    with pytest.raises(ValueError, match="points are lists|a point takes|there are 2 classes|points lie|at most 10000"):
        it.add_points(rows)
    assert not it.edited


def test_history_stays_bounded():
    it = run(speed=0)
    it.history.epochs = [it.history.epochs[0]] * MOST_EPOCHS_KEPT
    begins = it.history_begins
    it.advance(0.001)
    while it.epoch == 0:
        it.advance(0.001)
    assert len(it.history.epochs) < MOST_EPOCHS_KEPT
    assert it.history_begins > begins
    assert it.history.epochs[-1].epoch == it.epoch


def test_another_machine_goes_on_where_the_first_was():
    one, other = run(optimizer="adam"), run(optimizer="adam")
    train(one, 4)
    train(other, 2)
    assert other.settings.program == one.settings.program
    other.upgrade(Machine(other.settings, other.points, "numpy"))
    train(other, 2)
    assert other.machine.weights() == pytest.approx(one.machine.weights(), rel=1e-12)


def test_regression_is_measured_by_r_squared():
    it = run(kind="regression", problem="slope", samples=80, lr=0.1, activation="linear")
    train(it, 60)
    assert it.history.accuracy[-1] > 0.9
    assert it.confusion == []


def test_random_changes_leave_a_run_that_works():
    rng, it = random.Random(0), run()
    changes = [
        *({"hidden": "2,2"}, {"hidden": "none"}, {"features": "x1"}, {"problem": "blobs"}, {"problem": "own"}),
        *({"kind": "regression"}, {"kind": "classification"}, {"batch": 0}, {"batch": 1}, {"optimizer": "adam"}),
        *({"classes": 4}, {"test_share": 0.9}, {"loss": "mse"}, {"regularization": "l2"}, {"samples": 8}),
        *({"seed": 3}, {"activation": "relu"}),
    ]
    for _ in range(40):
        it.change(rng.choice(changes))
        if rng.random() < 0.3:
            it.add_points([[rng.uniform(-1, 1), rng.uniform(-1, 1), 0]])
        if it.machine:
            it.advance(0.001)
            assert len(it.machine.names) == it.settings.parameters
            assert len(it.history.epochs) >= 1
