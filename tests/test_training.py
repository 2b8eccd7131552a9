"""The training loop: it learns, it repeats to the bit, it stops for the reasons it gives, and it tidies up."""

import gc
import math
import random

import numpy as np
import pytest

from micrograd_mlp import MLP, Value, datasets, losses, training
from micrograd_mlp.collector import paused_collector
from micrograd_mlp.engines import ENGINES
from micrograd_mlp.optim import SGD
from micrograd_mlp.training import fit, predict, predict_proba

X, Y = datasets.xor(n=40, noise=0.0, seed=0)


def network(*sizes, seed=0, **options):
    return MLP(2, sizes or (4, 1), rng=random.Random(seed), **{"activation": "tanh"} | options)


@pytest.mark.parametrize("loss", ["hinge", "bce", "mse", "cross_entropy"])
def test_it_learns_what_no_line_can_part(loss):
    model = network()
    history = fit(model, X, Y, loss=loss, epochs=150, lr=0.1, stop_accuracy=0.97)
    assert history.accuracy[-1] >= 0.97
    assert np.mean(predict(model, X) == Y) == history.accuracy[-1]
    assert history.loss[-1] < history.loss[0]


@pytest.mark.parametrize("loss", ["hinge", "bce", "mse", "cross_entropy"])
def test_it_learns_three_classes(loss):
    points, classes = datasets.blobs(n=30, noise=0.2, seed=1)
    model = network(4, 3)
    fit(model, points, classes, loss=loss, epochs=60, lr=0.1, stop_accuracy=1.0)
    assert training.accuracy(classes, predict(model, points)) == 1.0


def test_one_epoch_of_sgd_is_one_step_down_the_gradient_of_the_mean_loss():
    model, twin = network(), network()
    fit(model, X, Y, loss="bce", optimizer=SGD(model.parameters(), lr=0.5), epochs=1, l2=0.01, l1=0.02)
    loss = losses.mean(losses.binary_cross_entropy(twin(x), y) for x, y in zip(X.tolist(), Y.tolist(), strict=True))
    parameters = twin.parameters()
    (loss + 0.02 * losses.l1(parameters) + 0.01 * losses.l2(parameters)).backward()
    expected = [p.data - 0.5 * p.grad for p in parameters]
    assert [p.data for p in model.parameters()] == pytest.approx(expected, rel=1e-12)


def test_batches_hold_every_sample_once_in_an_order_that_the_seed_sets():
    seen = []

    def model(x):
        if isinstance(x[0], Value):
            seen.append(x[0].data)
        return weight * x[0]

    weight = Value(1.0)
    model.parameters = lambda: [weight]
    points = np.arange(10.0)[:, None]

    def order(seed, **options):
        seen.clear()
        fit(
            model,
            points,
            np.zeros(10),
            loss=lambda s, t: s * s,
            lr=1e-9,
            epochs=1,
            seed=seed,
            engine="python",
            **options,
        )
        return list(seen)

    assert order(0) == list(range(10))
    assert sorted(order(1, batch_size=3)) == list(range(10))
    assert order(1, batch_size=3) == order(1, batch_size=3) != order(2, batch_size=3)


def test_the_same_seed_gives_the_same_run_to_the_bit():
    def run():
        model = network()
        history = fit(model, X, Y, X_test=X[:8], y_test=Y[:8], epochs=5, batch_size=7, seed=3)
        return model.state_dict(), history.to_csv()

    assert run() == run()


def test_the_history_has_a_column_for_each_measure():
    history = fit(network(), X, Y, epochs=3, lr=0.5, schedule="linear")
    assert history.epoch == [1, 2, 3]
    assert history.learning_rate == pytest.approx([0.5, 0.5 * 2 / 3, 0.5 / 3])
    assert all(math.isnan(loss) for loss in history.test_loss)
    lines = history.to_csv().splitlines()
    assert lines[0] == "epoch,loss,accuracy,test_loss,test_accuracy,learning_rate"
    assert [float(line.split(",")[1]) for line in lines[1:]] == history.loss
    with pytest.raises(AttributeError, match="no 'speed'"):
        history.speed


def test_it_stops_at_an_accuracy_measured_on_the_test_points():
    history = fit(network(), X, Y, X_test=X[:4], y_test=Y[:4], epochs=200, lr=0.1, stop_accuracy=1.0)
    assert history.reason == "accuracy"
    assert history.test_accuracy[-1] == 1.0
    assert max(history.test_accuracy[:-1]) < 1.0
    assert history.message == f"accuracy 100.00% reached in epoch {len(history.epochs)}"


def test_patience_takes_the_best_weights_back():
    model, rate = network(), 3.0  # a rate at which the loss goes up and down
    kept = {}
    history = fit(
        model, X, Y, epochs=100, lr=rate, patience=3, callbacks=[lambda e, m: kept.update({e.epoch: m.state_dict()})]
    )
    best = int(np.argmin(history.loss)) + 1
    assert history.reason == "patience"
    assert len(history.epochs) == best + 3
    assert model.state_dict() == kept[best]


def test_a_callback_sees_each_epoch_and_may_end_the_run():
    seen = []
    history = fit(network(), X, Y, epochs=9, callbacks=[lambda epoch, model: seen.append(epoch) or epoch.epoch == 2])
    assert seen == history.epochs
    assert history.reason == "callback"
    assert history.message == "a callback ended the run after epoch 2"


def test_ctrl_c_keeps_what_was_learned_so_far():
    model, kept = network(), {}

    def interrupt(epoch, model):
        kept[epoch.epoch] = model.state_dict()
        if epoch.epoch == 3:
            raise KeyboardInterrupt

    history = fit(model, X, Y, epochs=9, callbacks=[interrupt])
    assert history.reason == "interrupted"
    assert [epoch.epoch for epoch in history.epochs] == [1, 2, 3]
    assert model.state_dict() == kept[3]


def test_ctrl_c_within_a_step_leaves_the_weights_of_the_last_whole_one(monkeypatch):
    model, kept, steps = network(), {}, []
    optimizer = SGD(model.parameters(), lr=0.1)
    rule = optimizer.rule

    def interrupted_rule(*arguments):
        steps.append(1)
        if len(steps) == 2 * len(optimizer.parameters) + 3:  # three parameters into the third step
            raise KeyboardInterrupt
        return rule(*arguments)

    monkeypatch.setattr(optimizer, "rule", interrupted_rule)
    keep = [lambda e, m: kept.update({e.epoch: m.state_dict()})]
    fit(model, X, Y, optimizer=optimizer, epochs=9, callbacks=keep, engine="python")
    assert model.state_dict() == kept[2]


def test_a_loss_that_is_not_finite_ends_the_run_and_names_the_value():
    model = network()
    weight = model.layers[1].neurons[0].w[2]

    def spoil(epoch, model):
        if epoch.epoch == 2:
            good.update(model.state_dict())
            weight.data = math.inf

    good = {}
    history = fit(model, X, Y, epochs=9, callbacks=[spoil])
    assert history.reason == "diverged"
    assert "diverged in epoch 3: the leaf = inf, labelled 'layers[1].neurons[0].w[2]'" in history.message
    assert all(math.isfinite(p.data) for p in model.parameters())


def test_a_gradient_that_is_not_finite_ends_the_run_and_names_the_operation():
    model = network()
    before = model.state_dict()
    history = fit(
        model,
        X,
        Y,
        loss=lambda score, target: (0.0 * score).sqrt() if isinstance(score, Value) else score,
        engine="python",
    )
    assert history.reason == "diverged"
    assert history.message.startswith("diverged in epoch 1: backward: the gradient of an argument is ")
    assert "0.0) = -0.0, with gradient" in history.message
    assert model.state_dict() == before


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_given_back_on_any_exit(enabled):
    before = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        with pytest.raises(ZeroDivisionError), paused_collector():
            assert not gc.isenabled()
            raise ZeroDivisionError
        assert gc.isenabled() is enabled
        seen = []
        fit(network(), X, Y, epochs=1, callbacks=[lambda epoch, model: seen.append(gc.isenabled())])
        assert seen == [enabled]
    finally:
        (gc.enable if before else gc.disable)()


def test_frozen_parameters_stay_as_they_are():
    model = network()
    model.layers[0].freeze()
    before, last = model.layers[0].state_dict(), model.layers[1].state_dict()
    fit(model, X, Y, epochs=2)
    assert model.layers[0].state_dict() == before
    assert model.layers[1].state_dict() != last


@pytest.mark.parametrize("loss", ["hinge", "bce", "mse", "cross_entropy"])
@pytest.mark.parametrize("outputs", [1, 3])
def test_the_engines_go_the_same_way(loss, outputs):
    points, classes = (X, Y) if outputs == 1 else datasets.blobs(n=40, noise=0.3, seed=1)
    runs = []
    for engine in ENGINES:
        model = network(5, outputs)
        history = fit(
            model, points, classes, loss=loss, l1=0.001, l2=0.01, epochs=30, batch_size=16, lr=0.05, engine=engine
        )
        runs.append(([p.data for p in model.parameters()], history.loss))
    (weights, losses_by_epoch), *others = runs
    for other_weights, other_losses in others:
        assert other_weights == pytest.approx(weights, rel=1e-9, abs=1e-9)
        assert other_losses == pytest.approx(losses_by_epoch, rel=1e-9)


def weighted_and_repeated(engine, batch_size=None, scale=1.0, **options):
    counts = np.arange(len(X)) % 4  # 0, 1, 2 or 3 times
    runs = []
    for points, classes, weights in ((X, Y, scale * counts), (X.repeat(counts, 0), Y.repeat(counts), None)):
        model = network(3, 1)
        options |= {"engine": engine, "epochs": 40, "l2": 0.01, "batch_size": batch_size}
        history = fit(model, points, classes, weights=weights, **options)
        runs.append((list(model.state_dict().values()), history.loss, history.accuracy))
    return runs


@pytest.mark.parametrize("loss", ["hinge", "bce", "mse", "cross_entropy"])
@pytest.mark.parametrize("engine", ENGINES)
def test_a_sample_of_weight_two_counts_as_two(engine, loss):
    weighted, repeated = weighted_and_repeated(engine, loss=loss, optimizer="sgd", lr=0.3)
    for one, other in zip(weighted, repeated, strict=True):
        assert one == pytest.approx(other, rel=1e-9, abs=1e-10)
    again, _ = weighted_and_repeated(engine, loss=loss, optimizer="sgd", lr=0.3, scale=1e-308)
    assert again[0] == pytest.approx(weighted[0], rel=1e-9, abs=1e-10)


@pytest.mark.parametrize("measured", [True, False])
def test_the_engines_go_the_same_way_with_weights_in_batches(measured):
    runs, weights = [], np.random.default_rng(0).uniform(0, 3, len(X)) * (np.arange(len(X)) % 5 > 0)
    for engine in ENGINES:
        model = network(3, 1)
        more = {"X_test": X[:9], "y_test": Y[:9], "weights_test": weights[:9]} if measured else {}
        history = fit(model, X, Y, weights=weights, epochs=20, batch_size=7, engine=engine, measured=measured, **more)
        runs.append((list(model.state_dict().values()), history.loss, history.test_loss if measured else [0.0]))
    for other in runs[1:]:
        for one, expected in zip(other, runs[0], strict=True):
            assert one == pytest.approx(expected, rel=1e-9, abs=1e-9)
    kept = weights > 0
    model = network(3, 1)
    fit(model, X[kept], Y[kept], weights=7 * weights[kept], epochs=20, batch_size=7, engine="python")
    assert list(model.state_dict().values()) == pytest.approx(runs[0][0], rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("engine", ENGINES)
def test_what_was_not_measured_is_told_from_the_batches(engine):
    model = network(3, 1)
    before = network(3, 1)
    squares = sum(p.data**2 for p in before.layers[0].parameters())
    mean = training.evaluate(before, X, Y, losses.LOSSES["bce"])[0]
    options = {"loss": "bce", "optimizer": "sgd", "lr": 1e-9, "l2": 0.1, "penalized": model.layers[0].parameters()}
    history = fit(model, X, Y, epochs=2, batch_size=10, measured=False, engine=engine, **options)
    assert history.loss == pytest.approx([mean + 0.1 * squares] * 2, rel=1e-6)
    assert np.isnan(history.accuracy).all()
    with pytest.raises(ValueError, match=r"^test points are measured after each epoch: give none, or leave out"):
        fit(model, X, Y, X_test=X, y_test=Y, measured=False)


def test_penalties_on_some_parameters_only():
    model = network(3, 1)
    weight, bias = model.layers[0].neurons[0].w[0], model.layers[0].neurons[0].b
    bias.data = 0.7
    before = weight.data
    never = lambda scores, target: 0.0 * scores  # noqa: E731
    fit(model, X, Y, loss=never, optimizer="sgd", lr=0.1, l2=0.5, penalized=[weight], epochs=1, engine="python")
    assert weight.data == pytest.approx(0.9 * before)
    assert bias.data == 0.7


def test_a_compiled_run_names_the_value_that_is_not_finite_too():
    model = network()
    history = fit(
        model, X, Y, epochs=9, engine="numpy", callbacks=[lambda e, m: setattr(m.parameters()[0], "data", math.nan)]
    )
    assert history.reason == "diverged"
    assert "diverged in epoch 2: the leaf = nan, labelled 'layers[0].neurons[0].w[0]'" in history.message


def test_a_model_that_branches_on_its_numbers_is_told_what_compiles():
    weight = Value(1.0)

    def model(x):
        return weight * x[0] if x[0] > 0 else -weight * x[0]

    model.parameters = lambda: [weight]
    with pytest.raises(TypeError, match=r"test_training.py, line \d+: x > y asks .* use ops.where"):
        fit(model, X, Y, engine="numpy", epochs=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"y": Y[:-1]},
            r"fit takes X of shape \(n, n_in\) and y of shape \(n,\), n at least 1; got \(40, 2\) and \(39,\)",
        ),
        ({"X": X[:0], "y": Y[:0]}, r"n at least 1; got \(0, 2\) and \(0,\)"),
        ({"X": np.where(np.equal(X, X[3, 1]), np.nan, X)}, r"X holds nan in row 3, column 1; fit takes finite numbers"),
        ({"y": Y + 1}, r"this model tells 2 classes apart, y holds 0 to 1; got \[1, 2\]"),
        ({"loss": "l3"}, "there is no loss 'l3'; there are hinge, bce, mse, cross_entropy"),
        ({"optimizer": "adamm"}, "there is no optimizer 'adamm', did you mean 'adam'?"),
        ({"schedule": "up"}, "there is no schedule 'up'; there are constant, linear, cosine, step"),
        ({"engine": "nump"}, "there is no engine 'nump', did you mean 'numpy'?"),
        ({"epochs": 0}, "epochs is at least 1, got 0"),
        ({"batch_size": 0}, "batch_size is at least 1, got 0"),
        ({"patience": 0}, "patience is at least 1, got 0"),
        ({"weights": np.ones(39)}, r"weights are 40 finite numbers of at least 0, not all 0; got array\(\[1\., 1\."),
        ({"weights": np.zeros(40)}, "weights are 40 finite numbers of at least 0, not all 0"),
        ({"weights": np.full(40, -1)}, "weights are 40 finite numbers of at least 0, not all 0"),
        ({"weights": np.full(40, np.inf)}, "weights are 40 finite numbers of at least 0, not all 0"),
        ({"X": X[:, :1]}, r"takes 2 inputs, got 1"),
    ],
)
def test_what_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        fit(network(), **{"X": X, "y": Y} | arguments)


def test_probabilities_are_those_of_the_scores():
    binary, many = network(), network(4, 3)
    p, scores = predict_proba(binary, X), [binary(x).data for x in X.tolist()]
    assert p[:, 1] == pytest.approx([1 / (1 + math.exp(-s)) for s in scores])
    p = predict_proba(many, X)
    assert p.shape == (40, 3)
    assert p.sum(axis=1) == pytest.approx(np.ones(40))
    assert (p.argmax(axis=1) == predict(many, X)).all()


def test_accuracy_and_confusion_matrix():
    assert training.accuracy([0, 1, 1], [0, 1, 0]) == pytest.approx(2 / 3)
    assert training.confusion_matrix([0, 1, 1, 2], [0, 1, 0, 2]).tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 1]]
    assert training.confusion_matrix([0, 0], [0, 0], classes=2).tolist() == [[2, 0], [0, 0]]
    with pytest.raises(ValueError, match=r"got 1 and 2$"):
        training.accuracy([0, 1], [0])
