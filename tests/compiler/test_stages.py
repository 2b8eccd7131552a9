"""The pipeline checks what each stage makes."""

from dataclasses import replace

import pytest
from programs import moons_loss

from micrograd_mlp.compiler import jit, stages
from micrograd_mlp.compiler.simplify import simplify


def test_each_stage_is_timed():
    function, args = moons_loss(2)
    run = jit(function)
    run(*args)
    assert list(run.program.seconds) == ["simplify", "find_sums", "find_families", "find_axes"]


def test_a_wrong_pass_is_caught_where_it_is_wrong(monkeypatch):
    def wrong(program):
        program = simplify(program)
        return replace(program, args=program.args + 1)

    monkeypatch.setattr(stages, "STAGES", (wrong, *stages.STAGES[1:]))
    with pytest.raises(ValueError, match="wrong program: "):
        jit(lambda x: x * 2.0)(1.0)


def test_wrong_scalars_are_refused():
    function, args = moons_loss(2)
    run = jit(function)
    run(*args)
    scalars = run.program.scalars
    for change, message in (
        ({"args": scalars.args + len(scalars.op)}, "read before it is defined"),
        ({"outputs": scalars.outputs + len(scalars.op)}, "an output is no scalar"),
        ({"labels": ()}, "a label too few"),
        ({"inputs": scalars.inputs[:-1]}, "the inputs are not the input rows"),
        ({"args": scalars.args[:, ::-1]}, "wrong program"),
    ):
        with pytest.raises(ValueError, match=message):
            replace(scalars, **change).check()
