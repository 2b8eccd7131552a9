"""The batch is found in programs that were unrolled, and what is made of it computes the same."""

import random
from itertools import pairwise

import numpy as np
import pytest
from programs import PROGRAMS, dot, moons_step, numbers
from random_programs import flat

from micrograd_mlp import grad, losses, ops
from micrograd_mlp.compiler import jit, vmap
from micrograd_mlp.compiler.backends import numpy as reference
from micrograd_mlp.compiler.program import Array, ArrayProgram, Axis, Operand, Statement, Term
from micrograd_mlp.compiler.samples import LEAST, find_samples

LENGTHS = {
    "moons loss, 100 samples": 100,
    "moons step, 100 samples": 100,
    "moons step with Adam, 100 samples": 100,
    "logistic regression": 40,
    "moons step, 1 sample": None,
    "1-D convolution": None,
    "two 2-D convolutions": None,
    "recurrent network": None,
    "causal attention": None,
}


def arrays_of(function, args):
    compiled = jit(function, backend="numpy")
    compiled(*args)
    return compiled.program.arrays


def assert_same(program, unrolled, seed=0):
    """Hold the program for one sample against the unrolled one, on numbers of no meaning."""
    given = np.random.default_rng(seed).uniform(0.5, 1.5, len(program.inputs))
    (expected, _) = reference.lower(program)(given)
    unrolled.program.check()
    single, columns = unrolled.take(given)
    assert all(len(column) == unrolled.length for column in columns)
    results = reference.lower(unrolled.program)(single, columns, [unrolled.length])
    np.testing.assert_allclose(unrolled.put(*results), expected, rtol=1e-11)


@pytest.mark.parametrize("name", LENGTHS)
def test_which_programs_have_a_batch(name):
    program = arrays_of(*PROGRAMS[name]())
    unrolled = find_samples(program)
    assert (unrolled.length if unrolled else None) == LENGTHS[name]
    if unrolled:
        assert len(unrolled.program.batches) == 1
        assert_same(program, unrolled)


def test_the_samples_are_the_rows_of_the_arguments():
    function, args = moons_step(20)
    unrolled = find_samples(arrays_of(function, args))
    X, y = np.array(args[0]), np.array(args[1])
    shapes = sorted(column.shape for column in unrolled.columns)
    assert shapes == [(20, 1), (20, 2)]
    _, columns = unrolled.take(np.concatenate([X.ravel(), y, np.zeros(10**4)]))
    by_size = {column.shape[1]: column for column in columns}
    np.testing.assert_array_equal(by_size[2], X)
    np.testing.assert_array_equal(by_size[1], y[:, None])


def test_every_input_is_taken_once():
    program = arrays_of(*moons_step(12))
    unrolled = find_samples(program)
    places = np.concatenate([unrolled.single, *(np.ravel(c) for c in unrolled.columns if c.dtype.kind == "i")])
    assert sorted(places.tolist()) == list(range(len(program.inputs)))
    assert sorted(unrolled.outputs.tolist()) == list(range(len(program.outputs)))


def test_labels_that_the_function_closes_over_are_a_column():
    rng = random.Random(0)
    X, labels = numbers(rng, 16, 3), numbers(rng, 16)

    def function(w, X):
        loss = losses.mean(losses.squared_error(dot(w, x), t) for x, t in zip(X, labels, strict=True))
        return loss, grad(loss, list(w))

    args = [0.1, 0.2, -0.3], X
    program = arrays_of(function, args)
    unrolled = find_samples(program)
    constant = [column for column in unrolled.columns if column.dtype.kind == "f"]
    assert len(constant) == 1
    assert constant[0].ravel().tolist() == labels
    assert_same(program, unrolled)
    error = np.array(X) @ args[0] - labels
    for backend in ("llvm", "numpy"):
        loss, by = jit(function, backend=backend)(*args)
        assert loss == pytest.approx((error**2).mean(), rel=1e-12)
        np.testing.assert_allclose(by, 2.0 * (error[:, None] * X).mean(axis=0), rtol=1e-12)


def test_results_of_each_sample():
    """In the order of the unrolled program, whichever way they are mixed."""

    def function(w, X):
        hidden = [[ops.tanh(dot(row, x)) for row in w] for x in X]
        norm = losses.total(h * h for row in hidden for h in row)
        return [row[1] for row in hidden], norm, hidden[::-1], [[row[k] for row in hidden] for k in range(3)]

    rng = random.Random(1)
    w, X = numbers(rng, 3, 2), numbers(rng, 11, 2)
    program = arrays_of(function, (w, X))
    unrolled = find_samples(program)
    assert unrolled.length == 11
    assert unrolled.program.wanted
    assert_same(program, unrolled)
    hidden = np.tanh(np.array(X) @ np.array(w).T)
    expected = [*hidden[:, 1], (hidden**2).sum(), *hidden[::-1].ravel(), *hidden.T.ravel()]
    for backend in ("llvm", "numpy"):
        np.testing.assert_allclose(flat(jit(function, backend=backend)(w, X)), expected, rtol=1e-12)


def test_the_derivative_by_each_sample():
    def function(w, X):
        loss = losses.mean(ops.softplus(dot(w, x)) for x in X)
        return loss, grad(loss, flat(list(map(list, X))))

    rng = random.Random(2)
    args = numbers(rng, 4), numbers(rng, 10, 4)
    program = arrays_of(function, args)
    unrolled = find_samples(program)
    assert unrolled.length == 10
    assert_same(program, unrolled)
    w, X = map(np.array, args)
    slopes = w / (1.0 + np.exp(-(X @ w)))[:, None] / 10
    for backend in ("llvm", "numpy"):
        np.testing.assert_allclose(jit(function, backend=backend)(*args)[1], slopes.ravel(), rtol=1e-12)


@pytest.mark.parametrize("samples", [LEAST - 1, LEAST])
def test_so_many_samples_are_worth_it(samples):
    def function(w, X):
        return losses.total(ops.exp(dot(w, x)) for x in X)

    rng = random.Random(3)
    unrolled = find_samples(arrays_of(function, (numbers(rng, 2), numbers(rng, samples, 2))))
    assert (unrolled is not None) == (samples >= LEAST)


def test_a_program_that_has_a_batch_already_is_left_alone():
    assert find_samples(arrays_of(lambda X: losses.total(vmap(ops.exp)(X)), ([1.0] * 20,))) is None


def test_samples_that_look_at_their_neighbours_are_none():
    def function(X):
        return losses.total(ops.exp(a * b) for a, b in pairwise(X))

    X = numbers(random.Random(4), 30)
    assert find_samples(arrays_of(function, (X,))) is None
    expected = np.exp(np.array(X[1:]) * np.array(X[:-1])).sum()
    assert jit(function)(X) == pytest.approx(expected, rel=1e-12)


def test_what_samples_share_may_be_irregular():
    """Sums of different lengths and reads in no order of the parameters stay as they are beside the samples."""
    order = [5, 0, 3, 1, 4, 2]

    def function(w, X):
        sums = [losses.total(ops.exp(w[k] * w[j]) for j in range(k + 1)) for k in range(6)]
        mixed = losses.total(ops.sin(sums[i] * w[k]) for k, i in enumerate(order))
        return losses.total(ops.exp(0.1 * dot(w, x)) for x in X) + mixed

    rng = random.Random(3)
    program = arrays_of(function, (numbers(rng, 6), numbers(rng, 20, 6)))
    assert any(term.offsets is not None for s in program.statements for term in s.terms)
    assert any(read.index is not None for s in program.statements for read in s.operands)
    unrolled = find_samples(program)
    assert unrolled.length == 20
    assert_same(program, unrolled)


def test_samples_behind_another_axis_move_to_the_front():
    """An array of units by samples: the samples of the second axis, and reads backwards and of one sample alone."""
    axes, places = (Axis("n", 12), Axis("j", 3)), [(1, p) for p in range(36)]

    def program(statements, sizes):
        arrays = [Array("c", 1, ()), Array("x", 36, (1, 0))]
        arrays += [Array(f"y{k}", size, along) for k, (size, along) in enumerate(sizes)]
        outputs = [(2 + k, p) for k, (size, _) in enumerate(sizes) for p in range(size)]
        return ArrayProgram(axes, tuple(arrays), np.array([2.0]), statements, np.array(places), np.array(outputs))

    plain = Statement(2, "exp", (1, 0), (Operand(1, 0, (12, 1)),))
    turned = Statement(2, "exp", (1, 0), (Operand(1, 24, (-12, 1)),))
    backwards = Statement(2, "exp", (1, 0), (Operand(1, 11, (12, -1)),))
    total = Statement(3, "sum", (1,), terms=(Term((Operand(2, 0, (12, 1)), Operand(1, 0, (12, 1))), (0,)),))
    largest = Statement(3, "largest", (1,), terms=(Term((Operand(2, 0, (12, 1)),), (0,)),))
    sizes = [(36, (1, 0)), (3, (1,))]
    for first in (plain, turned):
        it = program((first, total), sizes)
        it.check()
        unrolled = find_samples(it)
        assert unrolled.length == 12
        assert_same(it, unrolled)
    for wrong in ((backwards, total), (plain, largest)):
        it = program(wrong, sizes)
        it.check()
        assert find_samples(it) is None
