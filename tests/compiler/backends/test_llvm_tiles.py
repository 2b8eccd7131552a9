"""Tiles of samples: contractions of any extents, batches of any length, and what is not finite, against NumPy."""

import itertools
import math
import random

import numpy as np
import pytest
from programs import dot
from random_programs import flat, with_values

from micrograd_mlp import MLP, grad, losses, ops
from micrograd_mlp.compiler import jit, vmap
from micrograd_mlp.compiler.backends import numpy as reference
from micrograd_mlp.compiler.program import Array, ArrayProgram, Axis, Group, Operand, Statement, Term

pytest.importorskip("llvmlite")
from micrograd_mlp.compiler.backends import llvm
from micrograd_mlp.compiler.backends.llvm_code import FEW_REGISTERS, Code, best_blocks, blocks

TOLERANCE = {"float64": 1e-12, "float32": 1e-4}


@pytest.mark.parametrize("rows", [1, 2, 3, 5, 8, 16, 17])
@pytest.mark.parametrize("columns", [1, 2, 3, 7, 8, 16, 33])
def test_blocks_cover_the_sums_and_stay_in_the_registers(rows, columns):
    height, width = best_blocks(rows, columns, 4)
    assert 1 <= height <= rows
    assert 1 <= width <= columns
    assert height * width <= FEW_REGISTERS - 4
    covered = [
        (r, c)
        for a, b, h in blocks(rows, height)
        for c0, d, w in blocks(columns, width)
        for i, j in itertools.product(range(a, b, h), range(c0, d, w))
        for r, c in itertools.product(range(i, i + h), range(j, j + w))
    ]
    assert sorted(covered) == list(itertools.product(range(rows), range(columns)))


def test_blocks_of_many_sums_are_large():
    """A block of h × w loads h + w numbers for h w products: single ones would load two for each."""
    for rows, columns in ((16, 16), (4, 4), (1, 16), (16, 1)):
        height, width = best_blocks(rows, columns, 4)
        assert height * width >= 4


# Contractions


def layers(W, V, X):
    """Return for each sample what two layers make of it, and sums over samples along each pair of axes."""
    hidden = vmap(lambda x: [ops.relu(dot(row, x)) for row in W])(X)
    out = vmap(lambda h: [dot(row, h) for row in V])(hidden)
    loss = losses.total(vmap(lambda o: losses.total(n * n for n in o))(out))
    return loss, out, grad(loss, flat([[list(row) for row in M] for M in (W, V)]))


def layers_by_numpy(W, V, X):
    z = X @ W.T
    hidden = np.maximum(z, 0.0)
    out = hidden @ V.T
    by_hidden = (2.0 * out @ V) * (z > 0)
    return (out**2).sum(), out, np.concatenate([(by_hidden.T @ X).ravel(), (2.0 * out.T @ hidden).ravel()])


EXTENTS = [(1, 1, 1), (2, 3, 1), (3, 5, 2), (7, 13, 3), (13, 2, 5), (1, 7, 1), (5, 1, 7)]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("extents", EXTENTS)
def test_contractions_of_odd_extents(extents, dtype):
    """Units in, between and out; the same code for batches of 1 to 40 samples, and for several tiles."""
    n_in, n_hidden, n_out = extents
    rng = np.random.default_rng(sum(extents))
    W, V = rng.normal(size=(n_hidden, n_in)), rng.normal(size=(n_out, n_hidden))
    run = jit(layers, dtype=dtype)
    for samples in (*range(1, 41), 129, 530):
        X = rng.normal(size=(samples, n_in))
        for got, expected in zip(run(W, V, X), layers_by_numpy(W, V, X), strict=True):
            scale = np.abs(expected).max()
            np.testing.assert_allclose(got, expected, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype] * scale)
    assert len(set(map(id, run.variants.values()))) == 1


@pytest.mark.parametrize("extents", [(3, 5), (1, 4), (4, 1), (2, 9)])
def test_sums_over_samples_of_three_axes(extents):
    """Each sample is a matrix; the sum of x[i, k] x[j, k] over samples and columns, and of outer products."""
    rows, columns = extents

    def gram(X):
        products = vmap(lambda x: [[dot(a, b) for b in x] for a in x])(X)
        sums = [[losses.total(vmap(lambda p, i=i, j=j: p[i][j])(products)) for j in range(rows)] for i in range(rows)]
        return sums, products

    rng = np.random.default_rng(rows)
    run = jit(gram)
    for samples in (1, 3, 8, 17, 35):
        X = rng.normal(size=(samples, rows, columns))
        sums, products = run(X)
        expected = np.einsum("nik,njk->nij", X, X)
        np.testing.assert_allclose(products, expected, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(sums, expected.sum(axis=0), rtol=1e-12, atol=1e-12)


# What is not finite


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("samples", [1, 2, 5, 8, 9, 16, 31, 33])
@pytest.mark.parametrize("where", [0, -1])
def test_what_is_not_finite_spoils_its_own_sample_and_the_sums(bad, samples, where):
    """The lanes of a tile without a sample hold a copy of another one, which must not get into any sum."""
    rng = np.random.default_rng(samples)
    X = rng.normal(size=(samples, 3))
    X[where, 1] = bad
    each, total, first, products = RUN(X)
    np.testing.assert_allclose(each, np.exp(X) * 2.0, rtol=1e-13)
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(total, X.sum(), rtol=1e-11)
        np.testing.assert_allclose(first, X[:, 0].sum(), rtol=1e-11)  # finite
        np.testing.assert_allclose(products, [(X[:, k] * X[:, 2]).sum() for k in range(3)], rtol=1e-10, atol=1e-13)


RUN = jit(
    lambda X: (
        vmap(lambda x: [ops.exp(a) * 2.0 for a in x])(X),
        losses.total(vmap(losses.total)(X)),
        losses.total(vmap(lambda x: x[0])(X)),
        [losses.total(vmap(lambda x, k=k: x[k] * x[2])(X)) for k in range(3)],
    )
)


@pytest.mark.parametrize("samples", [1, 3, 4, 9, 33])
def test_infinite_sums_of_both_signs_are_nan(samples):
    X = np.ones((samples + 2, 3))
    X[0, 0], X[-1, 0] = math.inf, -math.inf
    assert math.isnan(RUN(X)[2])
    X[-1, 0] = math.inf
    assert RUN(X)[2] == math.inf


@pytest.mark.parametrize("threads", [1, 2])
def test_sums_of_an_earlier_call_are_forgotten(threads):
    """Also those over no samples, and over more tiles than one."""
    run = jit(lambda w, X: losses.total(vmap(lambda x: x * w)(X)), threads=threads)
    for samples in (5, 0, 3000, 0, 17, 4100):
        assert run(2.0, np.ones(samples)) == 2.0 * samples


@pytest.mark.parametrize("lanes", [2, 4, 8, 16])
def test_rows_become_columns(lanes):
    """`transposed` only shuffles, so it is checked on numbers that a shuffle of Python makes."""

    class Shuffles:
        def shuffle_vector(self, a, b, mask):
            return [(a + b)[place.constant] for place in mask.constant]

    rows = [[(i, j) for j in range(lanes)] for i in range(lanes)]
    assert Code(Shuffles(), None, None, None).transposed(rows) == [list(column) for column in zip(*rows, strict=True)]


@pytest.mark.parametrize("samples", [1, 2, 4, 7, 16, 19])
def test_sums_keep_the_sign_of_zero(samples):
    run = jit(lambda w, X: (losses.total(vmap(lambda x: x)(X)), losses.total(vmap(lambda x: x * w)(X))))
    for w, sign in ((1.0, True), (-1.0, False)):
        plain, product = run(w, np.full(samples, -0.0))
        assert (plain, product) == (0.0, 0.0)
        assert np.signbit(plain)
        assert np.signbit(product) == sign


def test_a_shared_number_that_is_infinite():
    """What all samples read, times a lane without a sample, is no nan."""
    run = jit(lambda w, X: losses.total(vmap(lambda x: x * w)(X)))
    for samples in (1, 3, 9):
        assert run(math.inf, np.full(samples, 2.0)) == math.inf
        assert math.isnan(run(math.inf, np.zeros(samples)))


@pytest.mark.parametrize("samples", [1, 5, 8, 33])
def test_gradients_beside_what_is_not_finite_are_those_of_the_engine(samples):
    def function(w, X):
        each = vmap(lambda x: ops.relu(dot(w, x)) * ops.sqrt(ops.relu(x[0])))(X)
        loss = losses.total(each)
        return each, grad(loss, list(w))

    X = np.random.default_rng(samples).normal(size=(samples, 2)).tolist()
    X[-1] = [0.0, math.inf]
    w = [0.5, 0.25]
    expected = [float(n) for n in flat(function(*with_values((w, X))))]
    np.testing.assert_allclose(flat(jit(function)(w, X)), expected, rtol=1e-12)


# Copies


def batch_program(places, sizes, length=0):
    """Return a program of arrays of a batch with these sizes, given in the order `places`; all are doubled."""
    axes = [Axis("n", length, 1), *(Axis(f"i{k}", size) for k, size in enumerate(sizes))]
    arrays = [Array("c", 1, ())]
    arrays += [Array(f"x{k}", size, (0, 1 + k), 1) for k, size in enumerate(sizes)]
    arrays += [Array(f"y{k}", size, (0, 1 + k), 1) for k, size in enumerate(sizes)]
    statements = [
        Statement(1 + len(sizes) + k, "add", (0, 1 + k), (Operand(1 + k, 0, (size, 1)), Operand(1 + k, 0, (size, 1))))
        for k, size in enumerate(sizes)
    ]
    outputs = [(1 + len(sizes) + array - 1, place) for array, place in places]
    program = ArrayProgram(
        tuple(axes), tuple(arrays), np.array([2.0]), tuple(statements), np.array(places), np.array(outputs),
        (Group(0, len(places), 1),), (Group(0, len(places), 1),),
    )  # fmt: skip
    program.check()
    return program


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("order", ["rows", "reversed", "strided", "mixed"])
def test_one_column_feeds_several_arrays_in_any_order(order, dtype):
    places = [(1, p) for p in range(5)] + [(2, p) for p in range(9)] + [(3, 0)]
    if order == "reversed":
        places = places[::-1]
    elif order == "strided":
        places = places[::2] + places[1::2]
    elif order == "mixed":
        random.Random(0).shuffle(places)
    program = batch_program(places, [5, 9, 1])
    run, expected = llvm.lower(program, dtype), reference.lower(program, dtype)
    for samples in (1, 2, 7, 16, 40):
        X = np.random.default_rng(samples).normal(size=(samples, len(places))).astype(dtype)
        ((got,), (known,)) = (lowered([], [X], [samples])[1] for lowered in (run, expected))
        np.testing.assert_array_equal(got, 2.0 * X)
        np.testing.assert_array_equal(known, 2.0 * X)


def test_several_columns_feed_one_array():
    """Two groups, each with some of the numbers of an array."""
    axes = (Axis("n", 0, 1), Axis("i", 5))
    arrays = (Array("c", 1, ()), Array("x", 5, (0, 1), 1), Array("y", 5, (0, 1), 1), Array("s", 5, (1,)))
    double = Statement(2, "add", (0, 1), (Operand(1, 0, (5, 1)), Operand(1, 0, (5, 1))))
    total = Statement(3, "sum", (1,), terms=(Term((Operand(1, 0, (1, 5)),), (0,)),))
    places = np.array([(1, 3), (1, 0), (1, 4), (1, 1), (1, 2)])
    outputs = np.array([*((3, p) for p in range(5)), *((2, p) for p in range(5))])
    groups = (Group(0, 2, 1), Group(2, 3, 1))
    program = ArrayProgram(axes, arrays, np.array([2.0]), (double, total), places, outputs, groups, (Group(5, 5, 1),))
    program.check()
    run, rng = llvm.lower(program), np.random.default_rng(0)
    for samples in (1, 6, 16, 37):
        x = rng.normal(size=(samples, 5))
        sums, (each,) = run([], [x[:, [3, 0]], x[:, [4, 1, 2]]], [samples])
        np.testing.assert_array_equal(each, 2.0 * x)
        np.testing.assert_allclose(sums, x.sum(axis=0), rtol=1e-12, atol=1e-14)
    with pytest.raises(ValueError, match=r"a batch takes an array of shape \(4, 3\), got \(4, 2\)"):
        run([], [np.ones((4, 2)), np.ones((4, 2))], [4])


@pytest.mark.parametrize("count", [1, 3, 8, 40, 300])
@pytest.mark.parametrize("order", ["straight", "transposed", "backwards", "mixed"])
def test_numbers_are_copied_to_where_they_lie(count, order):
    """Block by block, in rows a step apart, one by one: whatever the order in memory is."""
    wanted = np.arange(3 * count).reshape(3, count)
    wanted = {"straight": wanted, "transposed": wanted.T, "backwards": wanted[::-1, ::-1]}.get(order, wanted).ravel()
    if order == "mixed":
        wanted = np.random.default_rng(count).permutation(wanted)
    run = jit(lambda xs: [[xs[i], -xs[i]] for i in wanted.tolist()])
    xs = np.random.default_rng(0).normal(size=3 * count)
    np.testing.assert_array_equal(run(xs), np.stack([xs[wanted], -xs[wanted]], axis=1))


def test_an_axis_of_no_extent_in_a_batch():
    axes = (Axis("n", 0, 1), Axis("i", 0))
    arrays = (Array("c", 1, ()), Array("x", 1, (0,), 1), Array("y", 0, (0, 1), 1), Array("s", 1, ()))
    nothing = Statement(2, "exp", (0, 1), (Operand(1, 0, (1, 0)),))
    total = Statement(3, "sum", (), terms=(Term((Operand(1, 0, (1,)),), (0,)),))
    program = ArrayProgram(axes, arrays, np.array([2.0]), (nothing, total), np.array([(1, 0)]), np.array([(3, 0)]),
                           (Group(0, 1, 1),))  # fmt: skip
    assert llvm.lower(program)([], [np.ones((5, 1))], [5])[0].tolist() == [5.0]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("size", [16, 32, 64])
def test_vectors_of_every_machine(size, dtype, monkeypatch):
    """LLVM cuts vectors that the machine does not have, so all sizes can be tried on each."""
    monkeypatch.setattr("micrograd_mlp.compiler.backends.llvm_program.vector_bytes", lambda: size)
    model = MLP(3, [9, 5, 1], activation="tanh", rng=random.Random(0))
    rng = np.random.default_rng(0)

    def both(X, y):
        loss = losses.mean(vmap(lambda x, t: losses.hinge(model(x), t))(X, y))
        return loss, grad(loss, model.parameters()), vmap(model)(X)

    for samples in (1, 70, 133):
        X, y = rng.normal(size=(samples, 3)), rng.choice([-1.0, 1.0], samples)
        expected = jit(both, backend="numpy")(X, y)
        for got, number in zip(jit(both, dtype=dtype)(X, y), expected, strict=True):
            np.testing.assert_allclose(got, number, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])
