"""A program that would read or write outside of its arrays is refused before anything runs."""

from dataclasses import replace

import numpy as np
import pytest
from programs import attention, cholesky_likelihood

from micrograd_mlp import losses, ops
from micrograd_mlp.compiler import jit
from micrograd_mlp.compiler.program import ANYWHERE


def gathers(x):
    return [x[3] * x[1], x[0] * x[5], x[2] * x[4], ops.exp(x[1] + 1.0)], [ops.sin(x[i]) for i in (0, 1, 3, 5)]


def product(x):
    rows = [x[:3], x[3:]]
    return [[losses.total(a * b for a, b in zip(r, s, strict=True)) for s in rows] for r in rows]


def programs():
    numbers = [0.5 * i for i in range(6)]
    made = attention(tokens=4, width=2), cholesky_likelihood(size=4)
    for function, args in ((gathers, [numbers]), (product, [numbers]), *made):
        compiled = jit(function)
        compiled(*args)
        yield compiled.program.arrays


PROGRAMS = list(programs())


def with_statement(program, place, **changes):
    statements = list(program.statements)
    statements[place] = replace(statements[place], **changes)
    return replace(program, statements=tuple(statements))


def with_read(program, place, change):
    """Yield the program with one operand of a statement changed, for each of them."""
    statement = program.statements[place]
    for i, operand in enumerate(statement.operands):
        operands = (*statement.operands[:i], change(operand), *statement.operands[i + 1 :])
        yield with_statement(program, place, operands=operands)
    for i, term in enumerate(statement.terms):
        for j, factor in enumerate(term.factors):
            new = replace(term, factors=(*term.factors[:j], change(factor), *term.factors[j + 1 :]))
            yield with_statement(program, place, terms=(*statement.terms[:i], new, *statement.terms[i + 1 :]))


def refuse(program, message):
    with pytest.raises(ValueError, match=f"wrong program: .*{message}"):
        program.check()


def test_what_the_stages_make_is_right():
    for program in PROGRAMS:
        program.check()
    reads = [read for program in PROGRAMS for statement in program.statements for read in statement.reads]
    assert {read.index is None for read in reads} == {True, False}
    assert any(read.source == ANYWHERE for read in reads)
    assert any(term.offsets is not None for p in PROGRAMS for s in p.statements for term in s.terms)


def moved(operand, step):
    """Return the operand with its last or its first place so far away that it lies outside."""
    if operand.index is None:
        return replace(operand, offset=operand.offset + step)
    index = operand.index.copy()
    index.flat[-1 if step > 0 else 0] += step
    return replace(operand, index=index)


@pytest.mark.parametrize("step", [1000, -1000])
@pytest.mark.parametrize("program", PROGRAMS)
def test_reads_outside_are_refused(program, step):
    for place in range(len(program.statements)):
        for wrong in with_read(program, place, lambda operand: moved(operand, step)):
            refuse(wrong, r"reads .* from -?\d+ to -?\d+, of \d+")


def test_the_last_place_may_be_read_and_none_beyond():
    met = 0
    for program in PROGRAMS:
        for place, statement in enumerate(program.statements):
            for i, read in enumerate(statement.operands):
                if read.index is None:
                    continue
                met += 1
                size = program.bases[statement.out] if read.source == ANYWHERE else program.arrays[read.source].size
                for number in (0, size - 1, -1, size):
                    operands = list(statement.operands)
                    operands[i] = replace(read, index=np.full_like(read.index, number))
                    changed = with_statement(program, place, operands=tuple(operands))
                    if 0 <= number < size:
                        changed.check()
                    else:
                        refuse(changed, "reads")
    assert met > 0


@pytest.mark.parametrize("program", PROGRAMS)
def test_index_arrays_and_strides_have_the_shape_of_their_statement(program):
    def short(operand):
        if operand.index is None:
            return replace(operand, strides=(*operand.strides, 1))
        return replace(operand, index=operand.index.ravel()[:-1])

    for place in range(len(program.statements)):
        for wrong in with_read(program, place, short):
            refuse(wrong, "an index array of the wrong size|a stride too few or too many")


@pytest.mark.parametrize("program", PROGRAMS)
def test_nothing_is_read_before_it_is_written_and_nothing_is_written_twice(program):
    for place, statement in enumerate(program.statements):
        for wrong in with_read(program, place, lambda operand, s=statement: replace(operand, source=s.out)):
            refuse(wrong, "before it is defined|reads")
        for wrong in with_read(program, place, lambda operand: replace(operand, source=len(program.arrays))):
            refuse(wrong, "before it is defined")
        if place:
            refuse(with_statement(program, place, out=program.statements[0].out), "written twice")


@pytest.mark.parametrize("program", PROGRAMS)
def test_only_arrays_there_are_can_be_written_and_not_the_constants(program):
    for out in (0, -1, -len(program.arrays), len(program.arrays)):
        refuse(with_statement(program, len(program.statements) - 1, out=out), "is written twice|there is no array")


def test_offsets_rise_from_zero_on_to_the_length():
    met = 0
    for place, statement in enumerate(PROGRAMS[2].statements):
        for term in statement.terms:
            if term.offsets is None:
                continue
            met += 1
            for wrong in (term.offsets - 1, term.offsets[::-1], term.offsets + term.length, term.offsets[:-1]):
                changed = tuple(replace(t, offsets=wrong) if t is term else t for t in statement.terms)
                refuse(with_statement(PROGRAMS[2], place, terms=changed), "wrong offsets")
    assert met > 0
