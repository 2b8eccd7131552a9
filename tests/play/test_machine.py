"""A machine measures as the network does, and one takes over from another without a jump."""

import importlib.util

import numpy as np
import pytest

from micrograd_mlp.columns import losses_of, scores_of
from micrograd_mlp.play.machine import Machine, fastest
from micrograd_mlp.play.problems import of_problem
from micrograd_mlp.play.settings import Settings

BACKENDS = ["numpy", *(["llvm"] if importlib.util.find_spec("llvmlite") else [])]


def test_the_fastest_backend_is_native_where_it_is_installed():
    assert fastest() == BACKENDS[-1]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("problem", ["moons", "rings", "hills"])
def test_it_measures_and_draws_what_the_network_gives(backend, problem):
    kind = "regression" if problem == "hills" else "classification"
    settings = Settings.of({"kind": kind, "problem": problem, "features": "x1,x2,sinx1", "hidden": "3,1"})
    points = of_problem(problem, 40, 0.1, 0, 0.25)
    machine = Machine(settings, points, backend)
    X, y = points.train
    expected = scores_of(machine.network, X)
    scores, each = machine.measure(X, y)
    np.testing.assert_allclose(scores, expected, rtol=1e-10)
    np.testing.assert_allclose(each, losses_of(settings.sample_loss, expected, y), rtol=1e-10)
    np.testing.assert_allclose(machine.outputs(X), expected, rtol=1e-10)
    units = machine.units(X)
    assert units.shape == (3 + 3 + 1 + settings.outputs, len(X))
    np.testing.assert_allclose(units[:2], X.T)
    np.testing.assert_allclose(units[-settings.outputs :].T, expected, rtol=1e-10)


def test_one_takes_over_from_another():
    points = of_problem("moons", 40, 0.1, 0, 0.25)
    settings = Settings.of({"optimizer": "adam", "batch": 5})
    first, second, third = (Machine(settings, points, "numpy") for _ in range(3))
    batches = [list(range(k, k + 5)) for k in range(0, 30, 5)]
    first.engine.take(batches * 2)
    second.engine.take(batches)
    third.take_over(second)
    third.engine.take(batches)
    assert third.weights() == pytest.approx(first.weights(), rel=1e-12)
    assert third.rule.steps == first.rule.steps
    third.restart(second.weights())
    assert (third.rule.steps, third.weights()) == (0, second.weights())


def test_other_points_need_no_other_program():
    settings = Settings.of({"batch": 0})
    small, large = of_problem("moons", 20, 0.1, 0, 0.0), of_problem("moons", 60, 0.1, 5, 0.0)
    moved, direct = Machine(settings, small, "numpy"), Machine(settings, large, "numpy")
    moved.take_points(large)
    for machine in (moved, direct):
        machine.engine.take([list(range(60))] * 3)
    assert moved.weights() == pytest.approx(direct.weights(), rel=1e-12)


def test_the_schedule_spans_the_epochs_that_were_asked_for():
    settings = Settings.of({"schedule": "linear", "horizon": 10, "batch": 7, "lr": 1.0})
    machine = Machine(settings, of_problem("moons", 20, 0.1, 0, 0.0), "numpy")
    assert machine.rule.schedule(15) == pytest.approx(0.5)  # 3 steps an epoch
    assert machine.rule.schedule(30) == 0
