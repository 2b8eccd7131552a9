"""Sums over few samples of the products of two columns, as outer products, against NumPy."""

import numpy as np
import pytest

from micrograd_mlp import losses
from micrograd_mlp.compiler import jit, vmap
from micrograd_mlp.compiler.program import Array, ArrayProgram, Axis, Operand, Statement, Term

pytest.importorskip("llvmlite")
from micrograd_mlp.compiler.backends.llvm_outer import SHORT, outer_product

TOLERANCE = {"float64": 1e-12, "float32": 1e-5}


def products(rows, columns):
    """Return the function that gives for each pair of columns the sum over the samples of the product."""

    def sums(A, B):
        def of(r, c):
            return losses.total(vmap(lambda a, b: a[r] * b[c])(A, B))

        return [[of(r, c) for c in range(columns)] for r in range(rows)]

    return sums


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(("rows", "columns", "threads"), [(50, 8, 1), (45, 9, 1), (61, 7, 1), (48, 19, 1), (50, 8, 2)])
def test_sums_of_products(rows, columns, threads, dtype):
    run = jit(products(rows, columns), dtype=dtype, threads=threads)
    for samples in (1, 3, 8, 15, 16, 17, 64, 129, 0, 300, 5000 if threads == 2 else 5):
        rng = np.random.default_rng(samples)
        A, B = rng.normal(size=(samples, rows)), rng.normal(size=(samples, columns))
        atol = TOLERANCE[dtype] * max(samples, 1) ** 0.5 * 5
        np.testing.assert_allclose(run(A, B), A.T @ B, rtol=TOLERANCE[dtype], atol=atol)


@pytest.mark.parametrize("samples", [5, 16, 18])
def test_what_is_not_finite_spoils_its_own_sums_only(samples):
    A, B = np.ones((samples, 50)), np.ones((samples, 8))
    A[-1, 7], B[0, 3] = np.inf, np.nan
    found = np.array(jit(products(50, 8))(A, B))
    expected = np.full((50, 8), float(samples))
    expected[7], expected[:, 3] = np.inf, np.nan
    np.testing.assert_array_equal(found, expected)


def closing(by_a, by_b):
    """Return a program with out[r, c] = sum over samples of a b, each of which has these strides by r and by c."""
    axes = (Axis("n", 0, batch=1), Axis("r", 40), Axis("c", 8))
    arrays = (
        Array("constants", 0, ()), Array("a", 40, (0, 1), batch=1), Array("b", 40, (0, 1), batch=1),
        Array("out", 320, (1, 2)),
    )  # fmt: skip
    factors = (Operand(1, 0, (*by_a, 40)), Operand(2, 0, (*by_b, 40)))
    statement = Statement(3, "sum", (1, 2), (), (Term(factors, (0,)),))
    none = np.zeros((0, 2), dtype=np.int64)
    return ArrayProgram(axes, arrays, np.zeros(0), (statement,), none, none), statement


@pytest.mark.parametrize(
    ("by_a", "by_b", "turned"), [((1, 0), (0, 1), 2), ((0, 1), (1, 0), 1), ((1, 0), (0, 2), 0), ((1, 1), (0, 1), 0)]
)
def test_which_factor_is_turned(by_a, by_b, turned):
    program, statement = closing(by_a, by_b)
    found = outer_product(program, statement, 4, samples=64)
    assert (found.turned.source if found else 0) == turned


@pytest.mark.parametrize("lanes", [2, 4, 8])
def test_many_samples_are_summed_across_lanes(lanes):
    program, statement = closing((1, 0), (0, 1))
    most = SHORT[lanes] * 40
    assert outer_product(program, statement, lanes, most) is not None
    assert outer_product(program, statement, lanes, most + 1) is None
    assert outer_product(program, statement, 1, 1) is None
