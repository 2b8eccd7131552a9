import xml.etree.ElementTree as ElementTree

import pytest

from micrograd_mlp.drawing import Drawing
from micrograd_mlp.drawing.program import LINES, Table, draw_program

SVG = "{http://www.w3.org/2000/svg}"
TABLES = [
    Table("x", "input", (("n", 0), ("i", 2))),
    Table("w", "parameter", (("i", 2),)),
    Table("unused", "input", (("j", 9),)),
    Table("z", "value", (("n", 0),), "Σ_i w·x", (1, 0), "z[n] = Σ_i w[i]·x[n,i]"),
    Table("loss", "output", (), "Σ_n z", (3,), "loss = Σ_n z[n]"),
]


def texts(drawing):
    return [
        element.text.replace("\xa0", " ").strip()
        for element in ElementTree.fromstring(drawing.svg()).iter(f"{SVG}text")
    ]


def count(drawing, kind):
    return len(ElementTree.fromstring(drawing.svg()).findall(f".//{SVG}g[@class='{kind}']"))


def test_a_box_holds_the_name_the_formula_and_the_extents():
    drawing = draw_program(TABLES)
    assert isinstance(drawing, Drawing)
    shown = texts(drawing)
    for text in ("x[n,i]", "n any × i 2", "w[i]", "i 2", "z[n]", "= Σ_i w·x", "n any", "loss", "= Σ_n z"):
        assert text in shown
    assert (count(drawing, "node"), count(drawing, "edge")) == (4, 3)
    assert "unused" not in drawing.dot
    assert "z[n] = Σ_i w[i]·x[n,i]" in drawing.dot
    assert "rankdir=TB" in drawing.dot


def test_statements_are_nodes_of_their_own_if_asked_for():
    drawing = draw_program(TABLES, "statement")
    assert (count(drawing, "node"), count(drawing, "edge")) == (6, 5)
    assert "Σ_i w·x" in texts(drawing)
    assert drawing.dot.count("shape=ellipse") == 2
    assert "operation" in texts(drawing)
    assert "operation" not in texts(draw_program(TABLES))


def test_what_is_given_and_wanted_is_drawn_though_nothing_reads_it():
    assert count(draw_program([Table("x", "output", (("n", 3),))]), "node") == 1


def test_kinds_look_as_in_the_other_drawings():
    shown = texts(draw_program(TABLES))
    for meaning in ("input", "parameter", "computed", "output"):
        assert meaning in shown
    assert "number in code" not in shown


def test_long_formulas_are_broken_before_a_sign_and_cut():
    formula = " + ".join(f"Σ_a w{k}·w{k}" for k in range(6))
    shown = texts(draw_program([Table("z", "output", (), formula)]))
    lines = [text for text in shown if "Σ" in text]
    assert len(lines) > 1
    assert all(line.startswith(("=", "+")) for line in lines)
    assert " ".join(lines) == f"= {formula}"
    shown = texts(draw_program([Table("z", "output", (), " + ".join(f"Σ_a w{k}·w{k}" for k in range(100)))]))
    assert sum("Σ" in text for text in shown) == LINES - 1
    assert any(text.endswith("more lines") for text in shown)


def test_names_do_no_harm():
    hostile = '<b>"x\\N'
    drawing = draw_program([Table(hostile, "input", (("n", 2),)), Table("z", "output", (), hostile, (0,), hostile)])
    assert f"{hostile}[n]" in texts(drawing)


def test_too_much_to_look_at_is_refused_unless_asked_for():
    many = [Table(f"x{k}", "output") for k in range(101)]
    with pytest.raises(ValueError, match=r"101 boxes and 0 arrows, of which 100 and 400.*show\(\).*level='equation'"):
        draw_program(many)
    assert draw_program(many, "equation").dot.count("tooltip") == 101
    dense = [*many[:30], *(Table(f"y{k}", "output", (), "f", tuple(range(30))) for k in range(14))]
    with pytest.raises(ValueError, match="44 boxes and 420 arrows"):
        draw_program(dense)


def test_what_is_refused():
    with pytest.raises(ValueError, match="level is one of equation, statement; got 'neuron'"):
        draw_program(TABLES, "neuron")
    with pytest.raises(ValueError, match="rankdir is one of LR, TB, RL, BT; got 'up'"):
        draw_program(TABLES, rankdir="up")
