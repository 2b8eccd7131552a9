import importlib.util
import os
import random
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest

from micrograd_mlp import MLP, Value
from micrograd_mlp.drawing import draw
from micrograd_mlp.drawing.dot import STYLES
from micrograd_mlp.names import LONGEST

TITLE = "{http://www.w3.org/1999/xlink}title"
SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = [
    'quo"te',
    "<b>bold</b>",
    "</td></table>>]; evil [label=<",
    "back\\slash \\N \\G \\",
    "new\nline\r\ttab",
    "{record|<port> shape}",
    "nul\0 bell\a escape\x1b[0m",
    "\u202eright to left\u202c עברית عربى",
    "&amp; &foo; &#0; &#x1;",
    "<script>alert(1)</script>",
    "]]> <!-- -->",
    "lone \ud800 surrogate \uffff",
    "'; drop",
    "  ",
    "日本語 🎉",
]


def texts(svg):
    return "".join(element.text or "" for element in ElementTree.fromstring(svg).iter(f"{SVG}text"))


@pytest.mark.parametrize("label", HOSTILE)
def test_hostile_labels_do_no_harm(label):
    x = Value(1.0, label=label)
    y = Value(2.0, (x,), label, label=label)
    drawing = draw(y, title=label)
    tree = ElementTree.fromstring(drawing.svg())
    assert not [element for element in tree.iter() if "script" in element.tag]
    assert len(tree.findall(f".//{SVG}g[@class='node']")) == 3
    assert len(tree.findall(f".//{SVG}g[@class='edge']")) == 2


@pytest.mark.parametrize("renderer", ["dot", "pygraphviz"])
def test_hostile_labels_are_shown_as_they_are(renderer):
    if not (shutil.which("dot") if renderer == "dot" else importlib.util.find_spec("pygraphviz")):
        pytest.skip(f"no {renderer} here")
    label = '<i>&amp;</i> "a" {b|c} \\N \\\\ &#92;'
    svg = draw(Value(1.0, label=label), renderer=renderer).svg()
    assert label in texts(svg).replace("\xa0", " ")
    tips = [element.get(TITLE, "") for element in ElementTree.fromstring(svg).iter(f"{SVG}a")]
    assert f"{label}: data 1.0, grad 0" in tips


def test_a_long_label_is_shortened():
    drawing = draw(Value(1.0, label="x" * 1_000_000))
    assert len(drawing.dot) < 5_000
    assert "x" * (LONGEST - 1) + "…" in texts(drawing.svg())


def test_kinds_differ_by_more_than_colour():
    looks = {(style.width, style.border, style.double) for kind, style in STYLES.items() if kind not in FOLDED}
    assert len(looks) == len(STYLES) - len(FOLDED)


FOLDED = {"neuron", "layer", "sample", "operation"}  # an operation is an ellipse; the others have a dark title


def test_the_legend_holds_what_the_picture_does():
    x = Value(1.0)
    plain = draw(x.exp()).dot
    assert "parameter" not in plain
    assert "number in code" not in plain
    assert "number in code" in draw(x * 2).dot
    assert "dashed" not in draw(x.exp()).dot
    assert "derivative of the operation" in draw(x.exp(), edges=True).dot


def test_the_ground_is_white_on_any_page():
    assert 'bgcolor="white"' in draw(Value(1.0)).dot


@pytest.mark.parametrize("rankdir", ["LR", "TB", "RL", "BT"])
def test_direction(rankdir):
    model = MLP(2, [3, 1], rng=random.Random(0))
    for level in ("scalar", "neuron", "layer"):
        drawing = draw(model, [1.0, 2.0], level=level, rankdir=rankdir)
        assert f"rankdir={rankdir}" in drawing.dot
        ElementTree.fromstring(drawing.svg())


def test_a_direction_that_is_refused():
    with pytest.raises(ValueError, match=r"rankdir is one of LR, TB, RL, BT; got 'up'"):
        draw(Value(1.0), rankdir="up")


def test_the_same_graph_gives_the_same_bytes_in_any_process():
    program = (
        "import random; from micrograd_mlp import MLP; from micrograd_mlp.drawing import draw\n"
        "model = MLP(2, [3, 1], rng=random.Random(1))\n"
        "for level in ('scalar', 'neuron', 'layer', 'sample', 'depth'):\n"
        "    drawing = draw(model, [0.5, -1.0], level=level, edges=True); print(drawing.dot, drawing.svg())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PATH": os.environ["PATH"]},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
    assert len(outputs.pop()) > 10_000
