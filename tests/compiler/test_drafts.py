"""Contractions, gathers, and constants that are data."""

import numpy as np
from programs import convolution_1d

from micrograd_mlp import losses, ops
from micrograd_mlp.compiler import jit
from micrograd_mlp.compiler.drafts import Read


def arrays_of(function, *args):
    run = jit(function)
    run(*args)
    return run.program.arrays


def test_a_matrix_product_is_one_contraction():
    def product(A, B):
        return [
            [losses.total(a * b for a, b in zip(row, col, strict=True)) for col in zip(*B, strict=True)] for row in A
        ]

    A, B = np.arange(6.0).reshape(2, 3), np.arange(12.0).reshape(3, 4)
    np.testing.assert_allclose(jit(product)(A, B), A @ B)
    program = arrays_of(product, A, B)
    (statement,) = program.statements
    (term,) = statement.terms
    assert program.extents(statement.axes) == (2, 4)
    assert program.extents(term.axes) == (3,)
    assert [factor.strides for factor in term.factors] == [(3, 0, 1), (0, 1, 4)]


def test_what_is_not_affine_is_gathered():
    order = [3, 0, 7, 1, 2, 6]
    program = arrays_of(lambda x, y: [ops.exp(x[i]) * ops.sin(y[j]) for j, i in enumerate(order)], [0.5] * 8, [0.1] * 6)
    function, args = convolution_1d()
    assert any(read.index is not None for s in arrays_of(function, *args).statements for read in s.reads)
    assert len(program.statements) <= 3


def test_constants_that_are_data_are_an_array():
    program = arrays_of(
        lambda x: losses.total(ops.exp(a * c) for a, c in zip(x, range(3, 60), strict=True)), [0.01] * 57
    )
    assert len(program.statements) <= 4
    assert set(range(3, 60)) <= set(program.constants.tolist())


def test_reads_are_nested_strides_or_places():
    whole = Read(1, np.array([[0, 1], [10, 11], [20, 21]]))
    assert (whole.affine, whole.outer, whole.inner) == (True, [(3, 10)], [(2, 1)])
    assert Read(1, np.array([[4], [2], [0]])).dims == [(3, -2)]
    assert not Read(1, np.array([[0, 1], [10, 12]])).affine
    assert not Read(1, np.array([[0], [1], [3]])).affine
