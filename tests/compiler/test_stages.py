"""The pipeline checks what each stage makes."""

import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import pytest
from programs import moons_loss, moons_step

from micrograd_mlp import ops
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


def compiled(program):
    function, args = program
    run = jit(function)
    run(*args)
    return run.program


def texts(drawing):
    elements = ElementTree.fromstring(drawing.svg()).iter("{http://www.w3.org/2000/svg}text")
    return [element.text.replace("\xa0", " ").strip() for element in elements]


def boxes(drawing):
    return drawing.dot.count(" tooltip=")


def test_it_says_what_became_of_the_scalars():
    assert repr(compiled(moons_loss(100))) == "<Compiled: 65,715 scalars in 11 statements>"


def test_a_compiled_function_is_drawn(tmp_path):
    program = compiled(moons_loss(9))
    drawing = program.draw(title="moons")
    shown = texts(drawing)
    for text in ("moons", "w2[b,a]", "= relu(b1 + Σ_i w1·X)", "n 9 × a 16"):
        assert text in shown
    assert "11 statements in 6 equations. level='statement' draws each of them." in shown
    assert drawing.save(tmp_path / "x.svg").read_text() == drawing.svg()
    assert drawing._repr_mimebundle_()["image/svg+xml"] == drawing.svg()
    apart = program.draw("statement")
    assert apart.note == ""
    assert apart.dot.count("shape=ellipse") == 11
    assert boxes(program.draw(rankdir="LR")) == boxes(drawing) == 14


def test_a_training_step_can_be_looked_at():
    drawing = compiled(moons_step(9)).draw()
    assert boxes(drawing) < 50
    assert "= w1 - 0.1·(2·t6 + Σ_n X·t27)" in texts(drawing)


def test_a_large_program_is_refused_in_words():
    def long(x):
        for k in range(60):
            x = ops.sin(x) * ops.cos(x) + float(k)
        return x

    program = compiled((long, (1.0,)))
    with pytest.raises(
        ValueError, match=r"boxes and \d+ arrows, of which 100 and 400 can be told apart; show\(\) prints"
    ):
        program.draw()
    assert boxes(program.draw("equation")) > 100
    with pytest.raises(ValueError, match="level is one of equation, statement; got 'layer'"):
        program.draw("layer")
