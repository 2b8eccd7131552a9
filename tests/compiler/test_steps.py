"""Many steps in one call are what the same steps are one by one, on each backend."""

import importlib.util
import math
import random
from itertools import pairwise

import numpy as np
import pytest

from micrograd_mlp import MLP, Value, grad, losses
from micrograd_mlp.compiler import jit, vmap
from micrograd_mlp.compiler.steps import Steps

BACKENDS = ("llvm", "numpy") if importlib.util.find_spec("llvmlite") else ("numpy",)
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(40, 2)), RNG.normal(size=40)


def line_step(state, X, y, lr, bias):
    """Fit y = w x + bias: a step down the gradient of the mean of the squares; the last of the state counts."""
    *w, count = state
    each = vmap(lambda x, t: losses.squared_error(w[0] * x[0] + w[1] * x[1] + bias, t))(X, y)
    loss = losses.mean(each)
    return [loss, losses.total(each)], [*(a - lr * s for a, s in zip(w, grad(loss, w), strict=True)), count + 1.0]


def line_by_numpy(state, order, starts, knobs, X=X, y=Y):
    """Return what is watched and the state after each step."""
    w, count, watched, states = np.array(state[:2]), state[2], [], []
    for (first, last), (lr, bias) in zip(pairwise(starts), knobs, strict=True):
        x, t = X[order[first:last]], y[order[first:last]]
        error = x @ w + bias - t
        watched.append([(error**2).mean(), (error**2).sum()])
        w, count = w - lr * 2.0 * (error[:, None] * x).mean(axis=0), count + 1.0
        states.append([*w, count])
    return np.array(watched), np.array(states)


START = [0.5, -0.5, 7.0]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("sizes", [[40], [40] * 5, [1] * 7, [7, 7, 7, 7, 7, 5], [33, 3, 8, 16, 17, 1, 2]])
def test_shuffled_samples(backend, sizes):
    starts = np.cumsum([0, *sizes])
    order = np.random.default_rng(len(sizes)).integers(0, 40, starts[-1])  # some twice
    knobs = np.random.default_rng(1).uniform(0.01, 0.2, size=(len(sizes), 2))
    steps = Steps(line_step, START, [X, Y], 2, backend=backend)
    watched = steps.run(order, starts, knobs)
    expected, states = line_by_numpy(START, order, starts, knobs)
    np.testing.assert_allclose(watched, expected, rtol=1e-11)
    np.testing.assert_allclose(steps.state, states[-1], rtol=1e-11)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 7, 8, 9, 13, 17])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_shuffled_samples_of_any_width(width, backend, dtype):
    """All numbers of a sample go to its lane: each has a weight of its own, which a step makes its sum over samples."""
    X = np.random.default_rng(width).normal(size=(40, width))
    order = np.random.default_rng(1).permutation(40)[:23]

    def step(state, X):
        columns = vmap(lambda x: [a * n for n, a in enumerate(x, 1)])(X)
        return [losses.total(vmap(losses.total)(columns))], [
            losses.total(vmap(lambda x, k=k: x[k])(X)) for k in range(len(state))
        ]

    steps = Steps(step, [0.0] * width, [X], backend=backend, dtype=dtype)
    (watched,) = steps.run(order, [0, 23])
    tolerance = {"rtol": 1e-12, "atol": 1e-12} if dtype == "float64" else {"rtol": 1e-5, "atol": 1e-5}
    np.testing.assert_allclose(watched, (X[order] @ np.arange(1.0, width + 1)).sum(), **tolerance)
    np.testing.assert_allclose(steps.state, X[order].sum(axis=0), **tolerance)


@pytest.mark.parametrize("backend", BACKENDS)
def test_samples_in_order(backend):
    steps = Steps(line_step, START, [X, Y], 2, backend=backend, shuffled=False)
    knobs = [(0.1, 0.0), (0.2, 0.1), (0.05, -0.1)]
    watched = steps.run([], np.array([0, 40, 80, 120]), knobs)
    expected, states = line_by_numpy(START, np.tile(np.arange(40), 3), [0, 40, 80, 120], knobs)
    np.testing.assert_allclose(watched, expected, rtol=1e-11)
    np.testing.assert_allclose(steps.state, states[-1], rtol=1e-11)


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_run_goes_on_where_the_other_ended(backend):
    knobs = [(0.1, 0.0)] * 6
    order, starts = np.arange(36)[::-1], np.arange(0, 37, 6)
    whole, parts = (Steps(line_step, START, [X, Y], 2, backend=backend) for _ in range(2))
    watched = whole.run(order, starts, knobs)
    first = parts.run(order[:12], starts[:3], knobs[:2])
    second = parts.run(order[12:], starts[2:] - 12, knobs[2:])
    np.testing.assert_array_equal(np.concatenate([first, second]), watched)
    np.testing.assert_array_equal(parts.state, whole.state)
    parts.state = np.array(START)  # and may begin anew
    np.testing.assert_array_equal(parts.run(order, starts, knobs), watched)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_it_ends_before_a_step_that_is_not_finite(backend, bad):
    y = Y.copy()
    y[17] = bad
    order, starts, knobs = np.arange(40), np.arange(0, 41, 5), [(0.1, 0.2)] * 8
    steps = Steps(line_step, START, [X, y], 2, backend=backend)
    watched = steps.run(order, starts, knobs)
    expected, states = line_by_numpy(START, order, starts[:4], knobs[:3], y=y)
    assert watched.shape == (4, 2)  # the last row is that of the fourth step, which holds sample 17
    np.testing.assert_allclose(watched[:3], expected, rtol=1e-11)
    assert not np.isfinite(watched[3]).all()
    np.testing.assert_allclose(steps.state, states[-1], rtol=1e-11)
    more = steps.run(order[20:], starts[4:] - 20, knobs[4:])  # and goes on behind it
    assert more.shape == (4, 2)
    assert np.isfinite(more).all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_first_step_may_be_the_one_that_is_not_finite(backend):
    steps = Steps(line_step, [math.inf, 0.0, 0.0], [X, Y], 2, backend=backend)
    assert steps.run(np.arange(10), [0, 5, 10], [(0.1, 0.0)] * 2).shape == (1, 2)
    assert steps.state.tolist() == [math.inf, 0.0, 0.0]


@pytest.mark.parametrize("backend", BACKENDS)
def test_captured_values_are_read_at_each_run(backend):
    w = Value(2.0, label="w")

    def step(state, X):
        return [losses.total(vmap(lambda x: w * x)(X))], [state[0] + w]

    steps = Steps(step, [0.0], [Y], backend=backend)
    run = lambda: steps.run(np.arange(40), [0, 20, 40])[:, 0]  # noqa: E731
    sums = np.array([Y[:20].sum(), Y[20:].sum()])
    np.testing.assert_allclose(run(), 2.0 * sums, rtol=1e-12)
    w.data = -3.0
    np.testing.assert_allclose(run(), -3.0 * sums, rtol=1e-12)
    assert steps.state.tolist() == [-2.0]


@pytest.mark.parametrize("backend", BACKENDS)
def test_values_that_are_bound_are_the_first_of_the_state(backend):
    model = MLP(2, [3, 1], activation="tanh", rng=random.Random(1))
    parameters = model.parameters()
    before = [p.data for p in parameters]

    def step(state, X, y):
        loss = losses.mean(vmap(lambda x, t: losses.squared_error(model(x), t))(X, y))
        return [loss], [p - 0.1 * s for p, s in zip(parameters, grad(loss, parameters), strict=True)]

    steps = Steps(step, before, [X, Y], bound=parameters, backend=backend)
    watched = steps.run(np.tile(np.arange(40), 3), [0, 40, 80, 120])[:, 0]
    assert [p.data for p in parameters] == before  # the Values themselves stay
    for loss in watched:
        objective = losses.mean(losses.squared_error(model(x), t) for x, t in zip(X.tolist(), Y.tolist(), strict=True))
        assert loss == pytest.approx(objective.data, rel=1e-11)
        for p, slope in zip(parameters, grad(objective, parameters), strict=True):
            p.data -= 0.1 * slope.data
    np.testing.assert_allclose(steps.state, [p.data for p in parameters], rtol=1e-11)


def test_two_threads():
    if "llvm" not in BACKENDS:
        pytest.skip("needs llvmlite")
    rng = np.random.default_rng(3)
    many, targets = rng.normal(size=(6000, 2)), rng.normal(size=6000)
    starts = np.array([0, 5000, 5010, 8100, 12000])
    order, knobs = rng.integers(0, 6000, 12000), [(0.1, 0.3)] * 4
    steps = Steps(line_step, START, [many, targets], 2, threads=2)
    watched = steps.run(order, starts, knobs)
    expected, states = line_by_numpy(START, order, starts, knobs, many, targets)
    np.testing.assert_allclose(watched, expected, rtol=1e-11)
    np.testing.assert_allclose(steps.state, states[-1], rtol=1e-10)


def test_two_threads_end_before_a_step_that_is_not_finite():
    if "llvm" not in BACKENDS:
        pytest.skip("needs llvmlite")
    rng = np.random.default_rng(3)
    many, targets = rng.normal(size=(9000, 2)), rng.normal(size=9000)
    targets[8999] = math.nan
    steps = Steps(line_step, START, [many, targets], 2, threads=2)
    assert steps.run(np.arange(9000), [0, 3000, 6000, 9000], [(0.1, 0.0)] * 3).shape == (3, 2)
    _, states = line_by_numpy(START, np.arange(9000), [0, 3000, 6000], [(0.1, 0.0)] * 2, many, targets)
    np.testing.assert_allclose(steps.state, states[-1], rtol=1e-10)


@pytest.mark.parametrize("backend", BACKENDS)
def test_single_precision(backend):
    steps = Steps(line_step, START, [X, Y], 2, backend=backend, dtype="float32")
    watched = steps.run(np.arange(40), [0, 20, 40], [(0.1, 0.0)] * 2)
    expected, states = line_by_numpy(START, np.arange(40), [0, 20, 40], [(0.1, 0.0)] * 2)
    assert watched.dtype == steps.state.dtype == np.float32
    np.testing.assert_allclose(watched, expected, rtol=1e-5)
    np.testing.assert_allclose(steps.state, states[-1], rtol=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_samples_that_are_irregular(backend):
    """Sums of different lengths in each sample, for which there is no native code of any length."""

    def step(state, X):
        sums = vmap(lambda x: losses.total(losses.total(x[: k + 1]) * state[0] for k in range(5)))(X)
        loss = losses.total(sums)
        return [loss], [state[0] - 0.01 * grad(loss, state[0])]

    points = np.random.default_rng(5).normal(size=(12, 5))
    steps = Steps(step, [1.0], [points], backend=backend)
    watched = steps.run(np.arange(12), [0, 6, 9, 12])
    state = 1.0
    for row, part in zip(watched, (points[:6], points[6:9], points[9:]), strict=True):
        slope = (part * np.arange(5, 0, -1)).sum()
        assert row[0] == pytest.approx(state * slope, rel=1e-11)
        state -= 0.01 * slope
    assert steps.state[0] == pytest.approx(state, rel=1e-11)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("order", "starts", "message"),
    [
        ([0, 1, 40], [0, 3], r"samples are numbered from 0 to 39, got 0 to 40"),
        ([0, -1, 4], [0, 3], r"samples are numbered from 0 to 39, got -1 to 4"),
        ([0, 1, 2], [0, 4], r"the steps take samples from 0 to 3, each at least one; got starts array\(\[0, 4\]"),
        ([0, 1, 2], [0, 2, 2], r"each at least one"),
        ([0, 1, 2], [0, 3, 1], r"each at least one"),
        ([0, 1, 2], [1, 3], r"got starts array\(\[1, 3\]"),
        ([0, 1, 2], [-1, 3], r"got starts"),
    ],
)
def test_samples_that_there_are_not(backend, order, starts, message):
    steps = Steps(line_step, START, [X, Y], 2, backend=backend)
    with pytest.raises(ValueError, match=message):
        steps.run(order, starts, [(0.1, 0.0)] * (len(starts) - 1))
    assert steps.state.tolist() == START


@pytest.mark.parametrize("backend", BACKENDS)
def test_more_samples_in_order_than_there_are(backend):
    steps = Steps(line_step, START, [X, Y], 2, backend=backend, shuffled=False)
    with pytest.raises(ValueError, match="the steps take samples from 0 to 40"):
        steps.run([], [0, 41], [(0.1, 0.0)])


@pytest.mark.parametrize(
    "step",
    [
        lambda state, X: [X[0], state],  # looks at a sample
        lambda state, X: losses.total(vmap(lambda x: x)(X)),
    ],
)
def test_a_step_of_another_form_is_refused(step):
    with pytest.raises(ValueError, match="a step maps over all of its samples by vmap, and returns numbers to watch"):
        Steps(step, [1.0], [Y])


def test_a_step_is_that_of_a_compiled_function():
    one = jit(line_step)(START, X, Y, 0.1, 0.2)
    steps = Steps(line_step, START, [X, Y], 2, shuffled=False)
    watched = steps.run([], [0, 40], [(0.1, 0.2)])
    np.testing.assert_allclose(watched[0], one[0], rtol=1e-12)
    np.testing.assert_allclose(steps.state, one[1], rtol=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("count", [7, 40, 90])
def test_other_samples_more_or_fewer(backend, count):
    rng = np.random.default_rng(count)
    other = rng.normal(size=(count, 2)), rng.normal(size=count)
    order, starts, knobs = rng.permutation(count), np.array([0, count // 2, count]), [(0.1, 0.0), (0.1, 0.2)]
    steps = Steps(line_step, START, [X, Y], 2, backend=backend)
    steps.run(np.arange(40), np.array([0, 40]), knobs[:1])
    steps.state = np.array(START)
    steps.take_columns(other)
    expected, states = line_by_numpy(START, order, starts, knobs, *other)
    np.testing.assert_allclose(steps.run(order, starts, knobs), expected, rtol=1e-11)
    np.testing.assert_allclose(steps.state, states[-1], rtol=1e-11)
    with pytest.raises(ValueError, match=f"samples are numbered from 0 to {count - 1}"):
        steps.run([count], np.array([0, 1]), knobs[:1])
