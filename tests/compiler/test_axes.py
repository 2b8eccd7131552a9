"""Strides, axes, contractions, gathers and ragged sums."""

from dataclasses import replace

import numpy as np
import pytest
from programs import convolutions_2d, moons_loss

from micrograd_mlp import ops
from micrograd_mlp.compiler import jit
from micrograd_mlp.compiler.program import ANYWHERE, Operand


def arrays_of(function, *args):
    run = jit(function)
    run(*args)
    return run.program.arrays


def arrays_of_program(program):
    function, args = program
    return arrays_of(function, *args)


def test_axes_are_joined_through_the_layers():
    program = arrays_of_program(moons_loss(10))
    extents = sorted(axis.extent for axis in program.axes)
    assert extents.count(10) == 1  # the samples, from the inputs to the loss
    hidden = next(s for s in program.statements if s.op == "relu" and len(s.axes) == 2)
    assert program.arrays[hidden.out].axes == hidden.axes


def test_no_two_axes_of_a_statement_are_one():
    def kernel(x):
        return [[a * b for b in x] for a in x]

    program = arrays_of(kernel, [1.0, 2.0, 3.0])
    for statement in program.statements:
        assert len(set(statement.axes)) == len(statement.axes)


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
