"""The order of the members of families, and sums of many lengths."""

import numpy as np
from programs import attention, moons_step

from micrograd_mlp import ops
from micrograd_mlp.compiler import jit
from micrograd_mlp.compiler.members import Members


def arrays_of(function, *args):
    run = jit(function)
    run(*args)
    return run.program.arrays


def test_strides_are_positive_after_renumbering():
    function, args = moons_step(10)
    program = arrays_of(function, *args)
    reads = [read for s in program.statements for read in s.reads]
    assert all(read.index is None for read in reads)
    assert all(stride >= 0 for read in reads for stride in read.strides)


def test_ragged_sums_keep_offsets():
    program = arrays_of(lambda x: [sum(ops.exp(x[j] * x[i]) for j in range(i + 1)) for i in range(20)], [0.1] * 20)
    (ragged,) = [term for s in program.statements for term in s.terms if term.offsets is not None]
    assert ragged.length == 190
    function, args = attention()
    program = arrays_of(function, *args)
    assert any(term.offsets is not None for s in program.statements for term in s.terms)


def test_ranks_count_the_members_of_each_family():
    run = jit(lambda x: [ops.exp(x[i]) * ops.sin(x[-1 - i]) for i in range(5)])
    run([0.1 * i for i in range(5)])
    members = Members(run.program.families)
    for family, rows in enumerate(members.rows):
        assert (members.family[rows] == family).all()
        assert members.rank[rows].tolist() == list(range(members.sizes[family]))
    assert np.array_equal(np.sort(np.concatenate(members.rows)), np.arange(len(members.family)))
