"""What is mapped over a batch is, interpreted and compiled, what each sample gets by itself; for any length at once."""

import importlib.util
import math
import random
from functools import reduce

import numpy as np
import pytest
from programs import attention, dot, numbers
from random_programs import flat, with_values

from micrograd_mlp import MLP, Value, grad, losses, ops
from micrograd_mlp.compiler import jit, vmap
from micrograd_mlp.losses import LOSSES

BACKENDS = ("llvm", "numpy") if importlib.util.find_spec("llvmlite") else ("numpy",)


def batch(n, *shape, seed=0):
    return np.random.default_rng(seed + n).normal(size=(n, *shape)).tolist()


def labels(n, classes=2, seed=0):
    return np.random.default_rng(seed + n).integers(0, classes, n).astype(float).tolist()


def slopes(loss, things):
    """Return the derivative by each number in nested lists; a batch that is traced is left to `grad`."""
    if not isinstance(loss, Value):
        return grad(loss, things)
    found = iter(grad(loss, flat(things)))

    def rebuilt(thing):
        return [rebuilt(item) for item in thing] if isinstance(thing, list | tuple) else next(found)

    return rebuilt(things)


def in_engine(function, args):
    return np.array([float(number) for number in flat(function(*with_values(args)))])


def assert_agrees(function, *args, tolerance=1e-11, batches=1):
    """Hold what is compiled against lists of Values; sums over samples are added in another order."""
    expected = in_engine(function, args)
    scale = np.abs(expected[np.isfinite(expected)]).max(initial=1e-300)
    for backend in BACKENDS:
        compiled = jit(function, backend=backend)
        for _ in range(2):  # the second time, memory holds what the first one left
            got = np.array(flat(compiled(*args)), dtype=float)
            assert got.shape == expected.shape
            np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance * scale)
        assert len(compiled.program.arrays.batches) == batches
    return compiled


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("outputs", [1, 3])
def test_losses_of_a_model_and_their_gradients(loss, outputs):
    model = MLP(2, [3, outputs], activation="tanh", rng=random.Random(1))
    parameters = model.parameters()

    def step(X, y):
        each = vmap(lambda x, target: LOSSES[loss](model(x), target))(X, y)
        objective = losses.mean(each) + 1e-2 * losses.l2(parameters) + 1e-3 * losses.l1(parameters)
        return objective, grad(objective, parameters), each

    assert_agrees(step, batch(13, 2), labels(13, max(outputs, 2)))


def test_plain_numbers_are_mapped_without_any_engine():
    assert vmap(lambda x, y: x * y)([1.0, 2.0], (3, 4)) == [3.0, 8.0]
    assert vmap(lambda x: x)([]) == []


def test_vmap_keeps_the_name_of_a_function():
    def named(x):
        """Return x."""
        return x

    assert vmap(named).__name__ == "named"
    assert vmap(named).__doc__ == "Return x."


def test_several_sequences():
    def function(a, b, c):
        out = vmap(lambda x, y, z: x * y - ops.exp(z))(a, b, c)
        return losses.total(out), out

    assert_agrees(function, batch(9), batch(9, seed=1), batch(9, seed=2))


def test_the_results_of_vmap_are_mapped_again():
    def function(w, X, y):
        hidden = vmap(lambda x: [ops.tanh(dot(row, x)) for row in w])(X)
        scores = vmap(losses.total)(hidden)
        loss = losses.mean(vmap(losses.squared_error)(scores, y))
        return loss, hidden, scores, grad(loss, [n for row in w for n in row])

    assert_agrees(function, numbers(random.Random(0), 4, 3), batch(11, 3), batch(11))


SHAPES = {
    "tuples": lambda n: [(x, y) for x, y in zip(batch(n), batch(n, seed=1), strict=True)],
    "dicts": lambda n: [{"a": x, "b": [y, z]} for x, (y, z) in zip(batch(n), batch(n, 2), strict=True)],
    "lists of lists": lambda n: batch(n, 3, 2),
    "arrays": lambda n: np.array(batch(n, 3, 2)),
    "tuples in lists": lambda n: [[(x, 1.0), (2.0, x)] for x in batch(n)],
}


@pytest.mark.parametrize("name", SHAPES)
def test_samples_of_any_structure(name):
    things = SHAPES[name](10)

    def function(things, w):
        out = vmap(lambda thing: ops.sin(losses.total(n * w for n in flat(thing))))(things)
        loss = losses.mean(out)
        return loss, grad(loss, w), out

    plain = things.tolist() if isinstance(things, np.ndarray) else things
    expected = in_engine(function, (plain, 0.7))
    for backend in BACKENDS:
        compiled = jit(function, backend=backend)
        np.testing.assert_allclose(flat(compiled(things, 0.7)), expected, rtol=1e-12)
        assert compiled.program.arrays.batches


def test_batched_results_keep_their_structure():
    def function(X):
        return {
            "number": vmap(lambda x: x[0] * 2.0)(X),
            "list": vmap(lambda x: [x[0] + k for k in range(4)])(X),
            "matrix": vmap(lambda x: [[x[0], x[1]], [x[1], x[0]], [1.0, x[0]]])(X),
            "pair": vmap(lambda x: (x[0], [x[1], x[0]]))(X),
            "dict": vmap(lambda x: {"s": x[0] + x[1], "v": [x[1]]})(X),
            "same": X,
            "total": losses.total(vmap(lambda x: x[0])(X)),
        }

    X = np.array(batch(6, 2))
    a, b = X.T
    for backend in BACKENDS:
        got = jit(function, backend=backend)(X)
        np.testing.assert_allclose(got["number"], 2.0 * a)
        np.testing.assert_allclose(got["list"], a[:, None] + np.arange(4))
        matrix = np.stack([np.stack([a, b], 1), np.stack([b, a], 1), np.stack([np.ones(6), a], 1)], 1)
        np.testing.assert_allclose(got["matrix"], matrix)
        np.testing.assert_allclose(got["pair"][0], a)
        np.testing.assert_allclose(got["pair"][1], np.stack([b, a], 1))
        np.testing.assert_allclose(got["dict"]["s"], a + b)
        np.testing.assert_allclose(got["dict"]["v"], b[:, None])
        np.testing.assert_allclose(got["same"], X)
        assert type(got["total"]) is float
        assert got["number"].shape == (6,)
        got["number"][0] = got["list"][0, 0] = 99.0  # a result is the caller's own
        again = jit(function, backend=backend)(X)
        np.testing.assert_allclose(again["number"], 2.0 * a)


def test_results_of_two_calls_do_not_share_memory():
    for backend in BACKENDS:
        run = jit(vmap(lambda x: [x[0] * x[0], x[1]]), backend=backend)
        first, X = run(np.ones((20, 2))), np.full((20, 2), 3.0)
        run(X)
        np.testing.assert_array_equal(first, np.ones((20, 2)))


def test_the_derivative_by_the_batch_is_of_its_shape():
    w = [0.3, -0.7]

    def function(X, y):
        loss = losses.mean(vmap(lambda x, t: ops.softplus(-t * ops.sin(dot(w, x))))(X, y))
        return slopes(loss, X), slopes(loss, y)

    assert_agrees(function, batch(12, 2), batch(12))
    by_x, by_y = jit(function)(np.array(batch(12, 2)), np.array(batch(12)))
    assert by_x.shape == (12, 2)
    assert by_y.shape == (12,)


def test_the_derivative_by_results_of_vmap():
    def function(X):
        hidden = vmap(lambda x: [ops.tanh(n) for n in x])(X)
        loss = losses.total(vmap(lambda h: h[0] * h[1])(hidden))
        return slopes(loss, hidden)

    X = np.array(batch(9, 2))
    assert_agrees(function, X.tolist())
    np.testing.assert_allclose(jit(function)(X), np.tanh(X)[:, ::-1], rtol=1e-13)


def test_a_gradient_penalty():
    """The squared norm of the gradient of each output by its input, differentiated by the weights."""
    model = MLP(2, [4, 1], activation="tanh", rng=random.Random(3))
    parameters = model.parameters()

    def function(X):
        def norm(x):
            return losses.total(slope * slope for slope in grad(model(x), list(x)))

        loss = losses.mean(vmap(norm)(X))
        return loss, grad(loss, parameters)

    assert_agrees(function, batch(10, 2))


def test_a_gradient_penalty_by_the_batch():
    model = MLP(2, [4, 1], activation="tanh", rng=random.Random(3))
    parameters = model.parameters()

    def function(X):
        inner = slopes(losses.total(vmap(model)(X)), X)
        loss = losses.mean(vmap(lambda g: losses.total(n * n for n in g))(inner))
        return loss, grad(loss, parameters), inner

    assert_agrees(function, batch(10, 2))


def test_the_gradient_within_a_sample_by_what_all_share_is_that_of_the_sample():
    """As clipping the gradient of each sample takes it; summed over the samples, it is that of the total."""
    model = MLP(2, [3, 1], activation="tanh", rng=random.Random(4))
    parameters = model.parameters()

    def function(w, X):
        of_each = vmap(lambda x: grad(model(x) * w * w, [*parameters, w]))(X)
        squares = vmap(lambda g: losses.total(slope * slope for slope in g))(of_each)
        clipped = vmap(lambda g, s: [slope / ops.sqrt(1.0 + s) for slope in g])(of_each, squares)
        total = losses.total(squares)
        return of_each, clipped, total, grad(total, [*parameters, w])

    assert_agrees(function, 0.7, batch(11, 2))
    X = batch(11, 2)
    by_total = jit(lambda w, X: grad(losses.total(vmap(lambda x: model(x) * w * w)(X)), [*parameters, w]))(0.7, X)
    np.testing.assert_allclose(jit(function)(0.7, X)[0].sum(axis=0), by_total, rtol=1e-12)


def test_the_gradient_within_a_sample_does_not_pass_a_sum_over_all():
    def function(w, X):
        middle = losses.mean(vmap(lambda x: x * w)(X))
        return vmap(lambda x: grad(x * middle, w))(X)

    with pytest.raises(ValueError, match="the gradient of one sample cannot pass a sum over all; take that of a mean"):
        jit(function)(0.5, batch(4))


def test_a_hessian_times_a_vector():
    model = MLP(2, [2, 1], activation="tanh", rng=random.Random(5))
    parameters = model.parameters()
    direction = numbers(random.Random(6), len(parameters))

    def gradient(X, y):
        loss = losses.mean(vmap(lambda x, t: losses.squared_error(model(x), t))(X, y))
        return grad(loss, parameters)

    def function(X, y):
        return grad(dot(gradient(X, y), direction), parameters)

    X, y = batch(9, 2), batch(9)
    assert_agrees(function, X, y)
    run, h = jit(gradient), 1e-5  # and against central differences of the gradient
    sides = []
    for sign in (1.0, -1.0):
        for p, d in zip(parameters, direction, strict=True):
            p.data += sign * h * d
        sides.append(run(X, y))
        for p, d in zip(parameters, direction, strict=True):
            p.data -= sign * h * d
    np.testing.assert_allclose(jit(function)(X, y), (sides[0] - sides[1]) / (2 * h), rtol=1e-6, atol=1e-8)


def test_what_no_sample_reads_has_the_slope_of_its_own():
    def function(w, idle, X):
        loss = losses.mean(vmap(lambda x: x * w)(X)) + 3.0 * idle
        return loss, grad(loss, [w, idle]), grad(losses.mean(vmap(lambda x: x * w)(X)), [idle])

    assert_agrees(function, 0.5, 2.0, batch(9))


def test_what_all_samples_have_alike():
    def function(w, X):
        same = vmap(lambda x: w * w)(X)
        constant = vmap(lambda x: 2.5)(X)
        both = vmap(lambda x: [x, w])(X)
        loss = losses.total(same) + losses.mean(constant) * w + losses.mean(same)
        return loss, grad(loss, w), same, constant, both, losses.total(constant)

    assert_agrees(function, 0.5, batch(9))


def test_totals_of_captured_values():
    w = Value(1.5)

    def function(X):
        loss = losses.total(vmap(lambda x: w)(X)) + losses.total(vmap(lambda x: x * w)(X))
        return loss, grad(loss, w)

    assert_agrees(function, batch(7))


def test_maxima_within_a_sample():
    def function(w, X):
        def of_sample(x):
            largest = reduce(ops.maximum, [a * b for a, b in zip(w, x, strict=True)])
            return largest - reduce(ops.minimum, x)

        loss = losses.mean(vmap(of_sample)(X))
        return loss, grad(loss, list(w)), slopes(loss, X)

    assert_agrees(function, numbers(random.Random(1), 6), batch(17, 6))


def test_two_batches_in_one_function():
    def function(w, X, y, X_test, y_test):
        def loss(x, t):
            return losses.binary_cross_entropy(dot(w, x), t)

        train, test = losses.mean(vmap(loss)(X, y)), losses.mean(vmap(loss)(X_test, y_test))
        both = train * train + test
        return train, test, grad(both, list(w)), vmap(lambda x: dot(w, x))(X_test)

    w = numbers(random.Random(2), 3)
    compiled = assert_agrees(function, w, batch(20, 3), labels(20), batch(9, 3), labels(9), batches=2)
    for lengths in ((5, 30), (33, 2)):
        args = (w, batch(lengths[0], 3), labels(lengths[0]), batch(lengths[1], 3), labels(lengths[1]))
        np.testing.assert_allclose(
            np.concatenate([np.ravel(part) for part in compiled(*args)]), in_engine(function, args), rtol=1e-11
        )
    assert len(set(map(id, compiled.variants.values()))) == 1


def test_two_batches_that_happen_to_be_of_one_length():
    """Compiled for one batch of one length, the function is compiled again when their lengths part."""

    def function(X, Z):
        return losses.mean(vmap(lambda x: x * x)(X)) - losses.mean(vmap(ops.sin)(Z))

    for backend in BACKENDS:
        compiled = jit(function, backend=backend)
        for n, m in ((4, 4), (5, 5), (4, 6), (7, 2), (3, 3)):
            args = batch(n), batch(m, seed=9)
            assert compiled(*args) == pytest.approx(float(function(*args)), rel=1e-12, abs=1e-14)


def test_a_result_that_feeds_a_second_pass_over_the_samples():
    """As batch normalisation does: the mean and the variance of all samples are used in each."""

    def function(w, X):
        z = vmap(lambda x: dot(w, x))(X)
        middle = losses.mean(z)
        variance = losses.mean(vmap(lambda a: (a - middle) * (a - middle))(z))
        normal = vmap(lambda a: (a - middle) / ops.sqrt(variance + 1e-5))(z)
        loss = losses.mean(vmap(lambda a: ops.tanh(a) * a)(normal))
        return loss, grad(loss, list(w)), normal

    assert_agrees(function, numbers(random.Random(4), 3), batch(19, 3))


LENGTHS = (1, 2, 3, 7, 8, 16, 17, 33, 100, 257)


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_program_for_all_lengths(backend):
    model = MLP(2, [3, 2], rng=random.Random(7))
    parameters = model.parameters()

    def function(X, y):
        each = vmap(lambda x, t: losses.cross_entropy(model(x), t))(X, y)
        loss = losses.mean(each) + 1e-3 * losses.l2(parameters)
        return loss, grad(loss, parameters), each, slopes(loss, X)

    compiled = jit(function, backend=backend)
    for n in (*LENGTHS, *reversed(LENGTHS)):
        X, y = np.array(batch(n, 2)), np.array(labels(n))
        assert compiled(X, y)[3].shape == (n, 2)
        if n <= 33 or n == 257:
            expected = in_engine(function, (X.tolist(), y.tolist()))
            got = np.concatenate([np.ravel(part) for part in compiled(X, y)])
            np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-13)
    assert len(set(map(id, compiled.variants.values()))) == 1
    assert compiled.program.arrays.batches


@pytest.mark.parametrize("backend", BACKENDS)
def test_single_precision(backend):
    model = MLP(2, [4, 1], activation="tanh", rng=random.Random(8))

    def function(X, y):
        loss = losses.mean(vmap(lambda x, t: losses.hinge(model(x), t))(X, y))
        return loss, grad(loss, model.parameters())

    args = batch(37, 2), [2 * y - 1 for y in labels(37)]
    loss, by = jit(function, backend=backend, dtype="float32")(*args)
    expected = in_engine(function, args)
    assert by.dtype == np.float32
    np.testing.assert_allclose([loss, *by], expected, rtol=1e-5, atol=1e-6)
    assert (np.array([loss, *by]) != expected).any()


def test_threads_change_nothing_but_the_order_of_sums():
    model = MLP(2, [4, 1], rng=random.Random(9))

    def function(X, y):
        each = vmap(lambda x, t: losses.binary_cross_entropy(model(x), t))(X, y)
        loss = losses.mean(each)
        return loss, grad(loss, model.parameters()), each

    one, two = jit(function), jit(function, threads=2)
    for n in (5000, 2048, 2049, 100, 5003):
        args = np.array(batch(n, 2)), np.array(labels(n))
        for a, b in zip(one(*args), two(*args), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)
    assert two(*args)[0] == two(*args)[0]  # the same shares are added in the same order


def test_threads_share_two_regions():
    def function(X):
        middle = losses.mean(vmap(lambda x: x[0])(X))
        return losses.mean(vmap(lambda x: (x[0] - middle) * x[1])(X))

    X = np.array(batch(5000, 2))
    expected = ((X[:, 0] - X[:, 0].mean()) * X[:, 1]).mean()
    assert jit(function, threads=2)(X) == pytest.approx(expected, rel=1e-10)


def test_arrays_of_other_kinds_and_orders():
    run = jit(lambda X: (losses.total(vmap(lambda x: x[0] - 2.0 * x[1])(X)), vmap(lambda x: x[1])(X)))
    X = np.arange(40).reshape(20, 2)
    for kind in (np.float64, np.float32, np.int64):
        for given in (X.astype(kind), np.asfortranarray(X.astype(kind)), X.astype(kind)[::-1], X.astype(kind)[::2]):
            total, each = run(given)
            assert total == float((given[:, 0] - 2.0 * given[:, 1]).sum())
            np.testing.assert_array_equal(each, given[:, 1])
    assert len(set(map(id, run.variants.values()))) == 1


def test_an_array_is_read_anew_at_each_call():
    w = Value(2.0)
    run = jit(lambda X: losses.total(vmap(lambda x: w * x[0])(X)))
    X = np.ones((10, 1))
    assert [run(X), run(X)] == [20.0, 20.0]
    X[3] = 5.0
    assert run(X) == 28.0
    w.data = 3.0
    assert run(X) == 42.0
    assert run(np.ones((10, 1))) == 30.0
    assert run(X) == 42.0
    assert run(X[:4]) == 24.0


def test_a_compiled_function_with_a_batch_inside_another():
    inner = jit(lambda X: losses.mean(vmap(lambda x: x * x)(X)))
    assert jit(lambda X: inner(X) + 1.0)([1.0, 3.0]) == 6.0
    assert jit(vmap(jit(lambda x: x * x)))([1.0, 3.0]).tolist() == [1.0, 9.0]


def test_a_vmap_inside_of_a_sample_is_unrolled():
    def function(X):
        return losses.total(vmap(lambda row: losses.total(vmap(lambda a: a * a)(row)))(X))

    assert_agrees(function, batch(8, 3))


# What is irregular in each sample


def test_sums_of_different_lengths_in_each_sample():
    """Causal attention over the tokens of each sample."""
    loss, (q, k, v, _) = attention(tokens=4, width=2)

    def function(q, k, v, X):
        each = vmap(lambda xs: loss(q, k, v, xs)[0])(X)
        out = losses.mean(each)
        return out, grad(out, flat([list(q), list(k), list(v)])), each

    compiled = assert_agrees(function, q, k, v, batch(5, 4, 2))
    for n in (1, 3):
        args = q, k, v, batch(n, 4, 2)
        got = np.concatenate([np.ravel(part) for part in compiled(*args)])
        np.testing.assert_allclose(got, in_engine(function, args), rtol=1e-11, atol=1e-13)
    assert len(set(map(id, compiled.variants.values()))) == 1


UNARY = (ops.tanh, ops.sin, ops.sigmoid, ops.relu, ops.softplus)
BINARY = (ops.add, ops.sub, ops.mul, ops.maximum)


@pytest.mark.parametrize("size", [10, 40])
def test_an_expression_without_regularity_in_each_sample(size):
    rng = random.Random(size)
    rows = [(rng.randrange(9), rng.randrange(10**6), rng.randrange(10**6)) for _ in range(size)]

    def of_sample(x, w):
        made = [*x, *w]
        for kind, i, j in rows:
            a, b = made[i % len(made)], made[j % len(made)]
            made.append(UNARY[kind](a) if kind < 5 else ops.tanh(BINARY[kind - 5](a, b)))
        return losses.total(made[-(size // 4) :])

    def function(X, w):
        each = vmap(lambda x: of_sample(x, w))(X)
        loss = losses.mean(each)
        return loss, grad(loss, list(w)), each, slopes(loss, X)

    w = numbers(random.Random(1), 4)
    compiled = assert_agrees(function, batch(6, 3), w, tolerance=1e-9)
    for n in (1, 4):
        got = np.concatenate([np.ravel(part) for part in compiled(batch(n, 3), w)])
        np.testing.assert_allclose(got, in_engine(function, (batch(n, 3), w)), rtol=1e-9, atol=1e-10)


# Edges of numbers


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("n", [1, 5, 33])
def test_what_is_not_finite_stays_with_its_sample_and_spoils_sums(bad, n):
    X = batch(n, 2)
    X[-1][0] = bad

    def function(X, w):
        each = vmap(lambda x: [ops.tanh(x[0] * w), x[0] + x[1], ops.exp(-x[0])])(X)
        return each, losses.total(vmap(lambda x: x[0])(X)), losses.mean(vmap(lambda e: e[2])(each))

    expected = in_engine(function, (X, 0.5))
    for backend in BACKENDS:
        got = np.concatenate([np.ravel(part) for part in jit(function, backend=backend)(X, 0.5)])
        np.testing.assert_allclose(got, expected, rtol=1e-12)


# What is refused

LINE = r"test_batch\.py, line \d+: "
WAY_OUT = r"asks how many samples there are, which is not known yet; use losses\.mean or losses\.total, another vmap"


def on_results(use):
    return lambda X: losses.total(use(vmap(lambda x: x[0])(X)))


@pytest.mark.parametrize(
    ("function", "args", "error", "message"),
    [
        (on_results(list), (batch(4, 2),), TypeError, LINE + "iterating over the results of vmap " + WAY_OUT),
        (
            on_results(lambda r: [len(r)]),
            (batch(4, 2),),
            TypeError,
            LINE + r"len\(\) of the results of vmap " + WAY_OUT,
        ),
        (on_results(lambda r: r[0]), (batch(4, 2),), TypeError, LINE + "taking one of the results of vmap " + WAY_OUT),
        (
            lambda X, y: losses.mean(vmap(lambda x, t: x * t)(X, y)),
            (batch(4), batch(3)),
            ValueError,
            r"vmap takes sequences of one length, got \[4, 3\]",
        ),
        (
            lambda X: losses.mean(vmap(lambda x: x[0])(X)) + X[0][0],
            (batch(4, 2),),
            TypeError,
            LINE + r"looking at single items of X asks its length, .* use vmap for all of it",
        ),
        (
            lambda X: losses.mean(vmap(lambda x: x[0])(X)) * len(X),
            (batch(4, 2),),
            TypeError,
            LINE + "looking at single items of X",
        ),
        (
            lambda X: losses.total(vmap(lambda x: [x[0], x[1]])(X)),
            (batch(4, 2),),
            TypeError,
            r"total and mean close a batch of numbers; here each sample has a list: \[Symbol",
        ),
        (lambda X: vmap(3), (batch(4),), TypeError, "vmap takes a function, got int: 3"),
        (lambda X: vmap(lambda: 1.0)(), (batch(4),), TypeError, "vmap takes at least one sequence, got none"),
        (
            vmap(lambda x: x if x > 0 else -x),
            (batch(4),),
            TypeError,
            LINE + r"x > y asks a traced number for its value",
        ),
        (lambda X: losses.mean(vmap(lambda x: x)(X)), ([],), ValueError, "mean takes at least one value, got none"),
    ],
)
def test_what_is_refused(function, args, error, message):
    for backend in BACKENDS:
        with pytest.raises(error, match=message):
            jit(function, backend=backend)(*args)


def test_lists_of_other_lengths_are_refused_when_interpreted_too():
    with pytest.raises(ValueError, match="zip"):
        vmap(lambda x, y: x * y)([1.0], [1.0, 2.0])
    with pytest.raises(TypeError, match="at least one sequence"):
        vmap(lambda: 1.0)()


def test_numbers_of_two_batches_do_not_meet():
    kept = []

    def function(X, Y):
        vmap(kept.append)(X)
        return losses.total(vmap(lambda y: y * kept[-1])(Y))

    with pytest.raises(ValueError, match="numbers of a batch of 4 and of one of 3 samples meet; close one with mean"):
        jit(function)(batch(4), batch(3))


def test_there_are_results_whatever_their_number():
    def function(X):
        each = vmap(ops.exp)(X)
        return losses.total(each) if each else 0.0

    assert_agrees(function, batch(4))


def test_empty_lists():
    assert jit(lambda X: losses.total(vmap(lambda x: x)(X)))([]) == 0.0
    assert jit(vmap(lambda x: [x, x]))([]).tolist() == []
    run = jit(lambda X: losses.total(vmap(lambda x: x * x)(X)))
    assert [run([1.0, 2.0]), run([]), run([3.0])] == [5.0, 0.0, 9.0]


def test_a_list_is_looked_at_first_and_mapped_then():
    def function(X):
        first = X[0]
        return first + losses.total(vmap(lambda x: x * x)(X))

    assert_agrees(function, batch(5), batches=0)


def test_items_of_different_shapes_are_mapped_one_by_one():
    def function(X):
        return losses.total(vmap(losses.total)(X))

    assert_agrees(function, [[1.0], [2.0, 3.0], []], batches=0)


def network(W, b, v, x):
    hidden = np.tanh(W @ x + b)
    score = v @ hidden
    return score, -hidden[1:] * 2, hidden.sum() / len(x), W.T[0] ** 2, 1 - W[:, 1], abs(b) @ W, np.exp(b).reshape(-1, 1)


def reached_each(W, b, v, x):
    """Return the slopes of a network by each of its arrays, in arrays."""
    score = network(W, b, v, x)[0]
    if not isinstance(score, Value):
        return [grad(score, each) for each in (W, b, v, x)]
    return [np.array(grad(score, each.ravel().tolist())).reshape(each.shape) for each in (W, b, v, x)]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("function", [network, reached_each])
def test_arrays_that_are_given_are_arrays_to_the_function(function, backend):
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape) for shape in ((4, 3), (4,), (4,), (3,))]
    of_values = [np.array([Value(n) for n in each.ravel()], dtype=object).reshape(each.shape) for each in arrays]
    expected = function(*of_values)
    got = jit(function, backend=backend)(*arrays)
    assert len(got) == len(expected)
    for ours, theirs in zip(got, expected, strict=True):
        numbers = np.vectorize(float)(np.vectorize(lambda value: value.data)(theirs))
        assert np.shape(ours) == np.shape(theirs)
        np.testing.assert_allclose(ours, numbers, rtol=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_step_of_descent_written_with_arrays(backend):
    def step(W, X, y):
        loss = losses.mean(vmap(lambda x, t: (np.tanh(W @ x) @ x - t) ** 2)(X, y))
        return loss, W - 0.1 * grad(loss, W)

    rng = np.random.default_rng(1)
    W, X, y = rng.normal(size=(3, 3)), rng.normal(size=(50, 3)), rng.normal(size=50)
    compiled = jit(step, backend=backend)
    for n in (50, 7):
        hidden = np.tanh(X[:n] @ W.T)
        error = (hidden * X[:n]).sum(axis=1) - y[:n]
        by_W = (2 * error[:, None] * X[:n] * (1 - hidden**2)).T @ X[:n] / n
        loss, new = compiled(W, X[:n], y[:n])
        assert loss == pytest.approx((error**2).mean(), rel=1e-12)
        np.testing.assert_allclose(new, W - 0.1 * by_W, rtol=1e-12)
    assert len(set(map(id, compiled.variants.values()))) == 1


def test_a_sample_of_an_array_is_an_array_and_one_of_a_list_is_a_list():
    X = np.arange(6.0).reshape(3, 2)
    each = vmap(lambda x: [*(x * 2), len(x)])
    np.testing.assert_array_equal(jit(each)(X), each(X))
    np.testing.assert_array_equal(jit(each)(X), [[0, 2, 2], [4, 6, 2], [8, 10, 2]])
    np.testing.assert_array_equal(jit(each)(X.tolist()), [[*x, *x, 2] for x in X.tolist()])
    slopes = jit(lambda X: grad(losses.total(vmap(lambda x: (x**3).sum())(X)), X))
    np.testing.assert_allclose(slopes(X), 3 * X**2)


def test_an_array_that_was_mapped_over_has_no_single_items():
    def both(X):
        return vmap(lambda x: x.sum())(X), X[0]

    with pytest.raises(TypeError, match=r"test_batch.py, line \d+: looking at single items of X asks its length"):
        jit(both)(np.ones((3, 2)))


def test_what_an_array_has_and_has_not():
    seen = []

    def look(x):
        seen.append((isinstance(x, np.ndarray), x.shape, x.ndim, x.size, x.dtype, hasattr(x, "total"), 5 in x.shape))
        x[0] = 7.0
        return x, np.asarray(x)[::-1], list(x)

    given = np.ones((2, 3))
    whole, back, rows = jit(look)(given)
    assert seen == [(True, (2, 3), 2, 6, np.dtype(object), False, False)]
    assert (whole.tolist(), back.tolist(), rows.tolist()) == (
        [[7] * 3, [1] * 3],
        [[1] * 3, [7] * 3],
        [[7] * 3, [1] * 3],
    )
    assert given.tolist() == [[1] * 3] * 2
    with pytest.raises(AttributeError, match="an array of traced numbers has no attribute 'relu'"):
        jit(lambda x: x.relu())(given)
    with pytest.raises(TypeError, match=r"x > y asks a traced number .* ops.where"):
        jit(lambda x: x > 0)(given)
    with pytest.raises(ValueError, match="truth value of an array"):
        jit(lambda x: 1.0 if x else 2.0)(given)


@pytest.mark.parametrize("backend", BACKENDS)
def test_numpy_closes_a_batch(backend):
    X = np.random.default_rng(0).normal(size=(9, 3))

    def closed(X):
        each = vmap(lambda x: np.tanh(x).sum())(X)
        return np.sum(each), np.mean(each)

    compiled = jit(closed, backend=backend)
    for n in (9, 4):
        expected = np.tanh(X[:n]).sum(), np.tanh(X[:n]).sum() / n
        np.testing.assert_allclose(compiled(X[:n]), expected, rtol=1e-12)
        np.testing.assert_allclose(closed(X[:n]), expected, rtol=1e-12)
    assert len(set(map(id, compiled.variants.values()))) == 1


@pytest.mark.parametrize(
    ("use", "what"),
    [
        (lambda each: each * 2, r"\* with"),
        (lambda each: 1.0 - each, "- with"),
        (lambda each: each > 0, "> with"),
        (np.tanh, "np.tanh of"),
        (np.array, "an array of"),
        (lambda each: np.mean(np.asarray(each)), "an array of"),
        (lambda each: np.ones(3) * each, "np.multiply of"),
    ],
)
def test_the_results_of_vmap_are_closed_before_they_are_used(use, what):
    message = rf"test_batch.py, line \d+: {what} the results of vmap asks how many samples .*; use losses.mean"
    with pytest.raises(TypeError, match=message):
        jit(lambda X: use(vmap(lambda x: x.sum())(X)))(np.ones((3, 2)))
    with pytest.raises(TypeError, match="np.sum and np.mean close a batch as a whole, over axis 0"):
        jit(lambda X: np.sum(vmap(lambda x: x)(X), axis=1))(np.ones((3, 2)))
