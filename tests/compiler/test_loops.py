"""Every statement runs once, after what it reads; what only its own nest reads is not stored."""

import random
from dataclasses import replace

import numpy as np
import pytest
from programs import PROGRAMS, dot, moons_step, numbers
from random_programs import flat, with_values

from micrograd_mlp import grad, losses, ops
from micrograd_mlp.compiler import jit, vmap
from micrograd_mlp.compiler.backends import numpy as reference
from micrograd_mlp.compiler.loops import FEW, LoopProgram, closed_batch, plan_loops, show_loops, split_sums
from micrograd_mlp.compiler.program import ANYWHERE, Array, ArrayProgram, Axis, Group, Operand, Statement, Term


def compiled(function, args, backend="numpy"):
    out = jit(function, backend=backend)
    out(*args)
    return out.program


@pytest.fixture(scope="module")
def step():
    """The loops of a training step of 2-16-16-1 on 20 samples."""
    return compiled(*moons_step(20)).loops


def planned(loops):
    return [s for region in loops.regions for *_, statements in region.steps() for s in statements]


def test_a_step_is_three_regions(step):
    """What comes before the samples, one pass over the samples, and the update."""
    assert [region.batch for region in step.regions] == [0, 1, 0]
    names = [[step.arrays.arrays[a].name for a in region.inputs] for region in step.regions]
    assert names == [[], ["X", "y"], []]
    assert step.regions[1].outputs == ()  # nothing of a single sample is kept
    step.check()


def test_every_statement_is_there_once(step):
    assert sorted(s.out for s in planned(step)) == sorted(s.out for s in step.arrays.statements)
    for name in ("logistic regression", "causal attention", "two bodies, leapfrog"):
        loops = compiled(*PROGRAMS[name]()).loops
        loops.check()
        assert sorted(s.out for s in planned(loops)) == sorted(s.out for s in loops.arrays.statements)


def test_what_is_stored_is_what_another_nest_reads(step):
    wanted = {int(array) for array in step.arrays.outputs[:, 0]}
    nests = [nest for region in step.regions for nest in region.nests]
    for nest in nests:
        others = {read.source for other in nests if other is not nest for s in other.statements for read in s.reads}
        made = {s.out for s in nest.statements}
        assert nest.stored <= made
        assert (made & (wanted | others)) <= nest.stored
        if not nest.closes:
            assert nest.stored <= wanted | others


def test_sums_over_samples_close_and_nothing_else_does(step):
    for region in step.regions:
        for nest in region.nests:
            for statement in nest.statements:
                assert (closed_batch(step.arrays, statement) > 0) == nest.closes
                assert not nest.closes or region.batch
    sums = {s.out for s in step.arrays.statements if closed_batch(step.arrays, s)}
    assert set(step.regions[1].sums) == sums
    assert sums <= set(step.regions[1].results)


# Plans that are wrong


def with_region(loops, place, region):
    return LoopProgram(loops.arrays, (*loops.regions[:place], region, *loops.regions[place + 1 :]))


def with_nest(loops, place, nest, **changes):
    region = loops.regions[place]
    nests = list(region.nests)
    nests[nest] = replace(nests[nest], **changes)
    return with_region(loops, place, replace(region, nests=tuple(nests)))


def test_a_statement_that_is_missing_or_there_twice_is_refused(step):
    nest = step.regions[2].nests[0]
    for statements in (nest.statements[1:], nest.statements + nest.statements[:1]):
        with pytest.raises(ValueError, match="wrong loops: not every statement is in one nest"):
            with_nest(step, 2, 0, statements=statements).check()
    with pytest.raises(ValueError, match="not every statement is in one nest"):
        LoopProgram(step.arrays, step.regions[:-1]).check()


def test_a_statement_that_reads_too_early_is_refused(step):
    first, middle, last = step.regions
    wrong = [
        LoopProgram(step.arrays, (first, last, middle)),
        with_region(step, 1, replace(middle, nests=middle.nests[::-1])),
        with_region(step, 1, replace(middle, inputs=middle.inputs[1:])),
        with_nest(step, 2, 0, statements=last.nests[0].statements[::-1]),
    ]
    for loops in wrong:
        with pytest.raises(ValueError, match=r"wrong loops: \d+ reads \d+ too early"):
            loops.check()


def test_what_is_read_but_not_stored_is_refused(step):
    tiles = step.regions[1]
    place, array = next((p, a) for p, nest in enumerate(tiles.nests) if not nest.closes for a in nest.stored)
    with pytest.raises(ValueError, match=rf"\d+ reads {array} too early"):
        with_nest(step, 1, place, stored=tiles.nests[place].stored - {array}).check()


def test_what_is_stored_but_not_computed_is_refused(step):
    nest = step.regions[1].nests[0]
    with pytest.raises(ValueError, match="wrong loops: a nest stores what it does not compute"):
        with_nest(step, 1, 0, stored=nest.stored | {0}).check()


def test_outputs_that_a_region_does_not_store_are_refused(step):
    inner = next(s.out for nest in step.regions[1].nests for s in nest.statements if s.out not in nest.stored)
    with pytest.raises(ValueError, match="wrong loops: a region has outputs that it does not store"):
        with_region(step, 1, replace(step.regions[1], outputs=(inner,))).check()


# Sums


AXES = (Axis("n", 0, 1), Axis("i", 3))


def program_of(terms, axes=AXES, op="sum"):
    """Return a program: x (n, 3) of a batch, w of 3, and `y` of 3 from these terms."""
    arrays = (Array("c", 1, ()), Array("x", 3, (0, 1), 1), Array("w", 3, (1,)), Array("y", 3, (1,)))
    inputs = np.array([(2, 0), (2, 1), (2, 2), (1, 0), (1, 1), (1, 2)])
    outputs = np.array([(3, 0), (3, 1), (3, 2)])
    program = ArrayProgram(axes, arrays, np.array([2.0]), (Statement(3, op, (1,), terms=terms),), inputs, outputs,
                           (Group(3, 3, 1),))  # fmt: skip
    program.check()
    return program


OVER = Term((Operand(1, 0, (1, 3)),), (0,))
REST = Term((Operand(2, 0, (1,)),))


def test_what_adds_up_over_samples_becomes_a_sum_of_its_own():
    program = program_of((REST, OVER))
    split = split_sums(program)
    split.check()
    assert [len(s.terms) for s in split.statements] == [1, 2]
    assert [closed_batch(split, s) for s in split.statements] == [1, 0]
    assert split.arrays[-1].name == "y'"
    x, w = np.arange(12.0).reshape(4, 3), np.array([10.0, 20.0, 30.0])
    for either in (program, split):
        out, _ = reference.lower(either)(w, [x], [4])
        np.testing.assert_array_equal(out, w + x.sum(axis=0))


def test_a_sum_over_samples_alone_stays_as_it_is():
    program = program_of((OVER,))
    assert len(split_sums(program).statements) == 1
    assert len(split_sums(program).arrays) == len(program.arrays)


@pytest.mark.parametrize("times", [1, 2, FEW, FEW + 1])
def test_the_same_number_again_and_again_is_written_out_if_that_is_short(times):
    axes = (*AXES, Axis("k", times))
    program = program_of((Term((Operand(2, 0, (1, 0)),), (2,)),), axes)
    split = split_sums(program)
    assert len(split.statements[0].terms) == (times if times <= FEW else 1)
    w = np.array([1.5, -2.0, 3.0])
    for either in (program, split):
        np.testing.assert_array_equal(reference.lower(either)(w, [np.zeros((1, 3))], [1])[0], times * w)


def test_the_largest_of_the_same_number_is_not_written_out():
    axes = (*AXES, Axis("k", 2))
    program = program_of((Term((Operand(2, 0, (1, 0)),), (2,)),), axes, "largest")
    assert len(split_sums(program).statements[0].terms) == 1


# As text


def test_loops_as_text():
    def function(w, X):
        loss = losses.mean(vmap(lambda x: ops.tanh(dot(w, x)))(X))
        return loss * loss

    text = show_loops(compiled(function, ([0.1, 0.2], [[1.0, 2.0]] * 3)).loops)
    lines = text.splitlines()
    assert sum(line.startswith("for tiles of n, taking X") for line in lines) == 1
    assert "    add up over the tile:" in lines
    assert any(line.strip().startswith("h") and "= tanh(" in line for line in lines)
    assert "* = mul(" in lines[-1]
    assert "once:" in lines


def test_gathers_are_shown_as_reads_of_memory():
    axes, arrays = (Axis("i", 3),), (Array("c", 1, ()), Array("x", 3, (0,)), Array("y", 3, (0,)))
    anywhere = Operand(ANYWHERE, 0, (), np.array([0, 3, 1]))
    places = np.array([(1, 0), (1, 1), (1, 2)])
    program = ArrayProgram(
        axes, arrays, np.array([2.0]), (Statement(2, "exp", (0,), (anywhere,)),), places, places + np.array([1, 0])
    )
    loops = plan_loops(program)
    loops.check()
    assert show_loops(loops).splitlines() == ["once:", "    for each point of 3:", "        y* = exp(memory)"]


# Several passes over the samples


def normalised(w, X):
    """Normalise each of two numbers of a sample by the mean and the variance of all samples, as a batch norm does."""
    hidden = vmap(lambda x: [dot(row, x) for row in w])(X)
    means = [losses.mean(vmap(lambda h, k=k: h[k])(hidden)) for k in range(2)]
    squares = [losses.mean(vmap(lambda h, k=k: (h[k] - means[k]) * (h[k] - means[k]))(hidden)) for k in range(2)]
    scales = [1.0 / ops.sqrt(square + 1e-5) for square in squares]
    normal = vmap(lambda h: [(h[k] - means[k]) * scales[k] for k in range(2)])(hidden)
    loss = losses.mean(vmap(lambda z: ops.tanh(z[0]) * z[1])(normal))
    return loss, normal, grad(loss, flat([list(row) for row in w]))


@pytest.mark.parametrize("samples", [3, 16, 21, 40])
def test_a_mean_that_each_sample_uses_again_takes_further_passes(samples):
    rng = random.Random(samples)
    w, X = numbers(rng, 2, 3), numbers(rng, samples, 3)
    expected = np.array([float(n) for n in flat(normalised(*with_values((w, X))))])
    for backend in ("llvm", "numpy"):
        got = np.array(flat(jit(normalised, backend=backend)(w, X)))
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)
    loops = compiled(normalised, (w, X)).loops
    loops.check()
    tiles = [region for region in loops.regions if region.batch]
    assert len(tiles) >= 3  # the means, the variances, and what is left
    assert tiles[0].outputs  # what a later pass reads for each sample
    assert set(tiles[0].outputs) & set(tiles[1].inputs + tiles[-1].inputs)


def test_a_mean_that_each_sample_uses_once_takes_two_passes():
    def function(X):
        middle = losses.mean(X_each := vmap(lambda x: x * x)(X))
        return losses.total(vmap(lambda x: ops.exp(-x - middle))(X_each))

    program = compiled(function, ([1.0, 2.0, 3.0],))
    assert sum(region.batch > 0 for region in program.loops.regions) == 2
    squares = np.arange(1.0, 30.0) ** 2
    for backend in ("llvm", "numpy"):
        got = jit(function, backend=backend)(np.arange(1.0, 30.0))
        assert got == pytest.approx(np.exp(-squares - squares.mean()).sum(), rel=1e-12)


def test_two_batches_are_two_regions():
    def function(X, Y):
        return losses.mean(vmap(ops.exp)(X)) - losses.mean(vmap(ops.sin)(Y))

    loops = compiled(function, ([1.0] * 9, [2.0] * 5)).loops
    assert sorted(region.batch for region in loops.regions if region.batch) == [1, 2]
