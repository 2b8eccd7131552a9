"""Strides, axes, contractions, gathers and ragged sums."""

from dataclasses import replace

import numpy as np
import pytest
from programs import attention, convolution_1d, convolutions_2d, moons_loss, moons_step

from micrograd_mlp import losses, ops
from micrograd_mlp.compiler import jit
from micrograd_mlp.compiler.program import ANYWHERE, Operand
from micrograd_mlp.compiler.strides import blocks_of, cuts_of, extents_of, factor, is_slice, refine


def arrays_of(function, *args):
    run = jit(function)
    run(*args)
    return run.program.arrays


def arrays_of_program(program):
    function, args = program
    return arrays_of(function, *args)


@pytest.mark.parametrize(
    ("line", "dims"),
    [
        ([7], []),
        ([0, 1, 2, 3], [(4, 1)]),
        ([5, 5, 5], [(3, 0)]),
        ([0, 1, 2, 10, 11, 12], [(2, 10), (3, 1)]),
        ([0, 1, 1, 2, 2, 3], [(3, 1), (2, 1)]),
        ([9, 6, 3, 8, 5, 2], [(2, -1), (3, -3)]),
        ([0, 0, 1, 1, 0, 0, 1, 1], [(2, 0), (2, 1), (2, 0)]),
        ([0, 1, 3], None),
        ([0, 1, 2, 10, 11, 13], None),
        ([0, 1, 2, 10, 11, 12, 30, 31, 32], None),
    ],
)
def test_factors(line, dims):
    assert factor(np.array(line)) == dims


def test_cuts_and_extents_and_blocks():
    assert cuts_of([(2, 10), (5, 2), (3, 1)]) == (3, 15)
    assert extents_of((3, 15), 30) == (2, 5, 3)
    assert blocks_of((3, 15), 30) == (15, 3, 1)
    assert extents_of((), 1) == blocks_of((), 1) == ()
    assert extents_of((), 6) == (6,)
    assert refine((3,), (6,), 12) == (3, 6)
    assert refine((4,), (6,), 24) is None
    assert refine((), (5,), 12) is None


@pytest.mark.parametrize(
    ("dims", "offset", "size", "whole"),
    [
        ([(4, 3), (3, 1)], 0, 12, True),
        ([(3, 1), (4, 3)], 0, 12, True),
        ([(4, 3)], 2, 12, True),
        ([(3, 1)], 6, 12, True),
        ([(3, 1), (2, 1)], 0, 4, False),
        ([(11, 1)], 1, 12, False),
        ([(2, -1)], 1, 2, False),
        ([(4, 0)], 5, 12, True),
    ],
)
def test_slices(dims, offset, size, whole):
    assert is_slice(dims, offset, size) == whole


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


def test_axes_are_joined_through_the_layers():
    program = arrays_of_program(moons_loss(10))
    extents = sorted(axis.extent for axis in program.axes)
    assert extents.count(10) == 1  # the samples, from the inputs to the loss
    hidden = next(s for s in program.statements if s.op == "relu" and len(s.axes) == 2)
    assert program.arrays[hidden.out].axes == hidden.axes


def test_strides_are_positive_after_renumbering():
    function, args = moons_step(10)
    program = arrays_of(function, *args)
    reads = [read for s in program.statements for read in s.reads]
    assert all(read.index is None for read in reads)
    assert all(stride >= 0 for read in reads for stride in read.strides)


def test_no_two_axes_of_a_statement_are_one():
    def kernel(x):
        return [[a * b for b in x] for a in x]

    program = arrays_of(kernel, [1.0, 2.0, 3.0])
    for statement in program.statements:
        assert len(set(statement.axes)) == len(statement.axes)


def test_ragged_sums_keep_offsets():
    program = arrays_of(lambda x: [sum(ops.exp(x[j] * x[i]) for j in range(i + 1)) for i in range(20)], [0.1] * 20)
    (ragged,) = [term for s in program.statements for term in s.terms if term.offsets is not None]
    assert ragged.length == 190
    program = arrays_of_program(attention())
    assert any(term.offsets is not None for s in program.statements for term in s.terms)


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


def test_convolutions_fold_into_few_statements():
    function, args = convolutions_2d(8, 2)
    assert len(arrays_of(function, *args).statements) <= 40


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda s, r: replace(s, operands=(replace(r, offset=10**6), *s.operands[1:])),
            r"reads \d+ from \d+ to \d+, of",
        ),
        (
            lambda s, r: replace(s, operands=(replace(r, strides=(1,) * 9), *s.operands[1:])),
            "a stride too few or too many",
        ),
        (
            lambda s, r: replace(s, operands=(Operand(ANYWHERE, 0, (), np.array([1])), *s.operands[1:])),
            "the wrong size",
        ),
        (lambda s, r: replace(s, operands=(replace(r, source=s.out), *s.operands[1:])), "before it is defined"),
        (lambda s, r: replace(s, axes=()), "has not the size of its axes"),
        (lambda s, r: replace(s, out=0), "an array is written twice"),
    ],
)
def test_wrong_programs_are_refused(change, message):
    program = arrays_of(lambda x, y: [ops.exp(a) - b for a, b in zip(x, y, strict=True)], [1.0, 2.0], [3.0, 4.0])
    wrong = [change(s, s.operands[0]) for s in program.statements]
    with pytest.raises(ValueError, match=message):
        replace(program, statements=tuple(wrong)).check()
    with pytest.raises(ValueError, match="an output lies outside of memory"):
        replace(program, outputs=program.outputs + 1000).check()
    with pytest.raises(ValueError, match="constants do not fill"):
        replace(program, constants=np.ones(99)).check()
