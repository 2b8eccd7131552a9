import importlib.util
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import pytest

from micrograd_mlp import Value
from micrograd_mlp.drawing import Drawing, RenderError, draw, draw_dot
from micrograd_mlp.drawing.render import render_dot

SIGNATURES = {"png": b"\x89PNG\r\n\x1a\n", "pdf": b"%PDF-", "svg": b"<svg ", "dot": b"digraph {"}


@pytest.fixture
def drawing():
    x = Value(2.0, label="x")
    y = (x * 2 + 1).relu()
    y.backward()
    return draw(y)


@pytest.fixture
def no_dot(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture
def no_renderer(monkeypatch, no_dot):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == "pygraphviz" else find(name))


def fake_dot(folder, script):
    program = folder / "dot"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


@pytest.mark.parametrize("format", SIGNATURES)
def test_formats(drawing, tmp_path, format):
    assert drawing.render(format).startswith(SIGNATURES[format])
    path = drawing.save(tmp_path / f"picture.{format.upper()}")
    assert path.read_bytes().startswith(SIGNATURES[format])


@pytest.mark.parametrize("format", ["svg", "png"])
def test_without_the_program_pygraphviz_draws(drawing, no_dot, format):
    pytest.importorskip("pygraphviz")
    assert drawing.render(format).startswith(SIGNATURES[format])


def test_svg_is_one_element_that_fits_the_page_and_names_no_version(drawing):
    for renderer in (None, "pygraphviz"):
        if renderer and not importlib.util.find_spec("pygraphviz"):
            continue
        svg = replace(drawing, renderer=renderer).svg()
        assert ElementTree.fromstring(svg).get("style") == "max-width: 100%; height: auto"
        assert ElementTree.fromstring(svg).get("viewBox")
        assert "graphviz" not in svg.lower()
        assert "<!DOCTYPE" not in svg


def test_without_graphviz_the_message_says_what_to_install(drawing, no_renderer, tmp_path):
    with pytest.raises(RenderError, match=r"needs Graphviz.*micrograd-mlp\[viz\].*save\('name.dot'\)"):
        drawing.svg()
    with pytest.raises(RenderError, match="no pygraphviz"):
        replace(drawing, renderer="pygraphviz").svg()
    assert drawing.dot.startswith("digraph {")
    drawing.save(tmp_path / "picture.dot")
    assert (tmp_path / "picture.dot").read_text() == drawing.dot


def test_without_graphviz_a_notebook_shows_the_text_and_the_message(drawing, no_renderer):
    shown = drawing._repr_mimebundle_()
    assert shown.keys() == {"text/plain"}
    assert "micrograd-mlp[viz]" in shown["text/plain"]
    assert "digraph {" in shown["text/plain"]


def test_a_notebook_shows_the_picture(drawing):
    assert drawing._repr_mimebundle_()["image/svg+xml"] == drawing.svg()
    assert replace(drawing, format="png")._repr_mimebundle_()["image/png"].startswith(SIGNATURES["png"])


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for dot is a shell script")
def test_a_layout_that_takes_too_long_is_stopped(drawing, monkeypatch, tmp_path):
    fake_dot(tmp_path, "while :; do :; done")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    slow = replace(drawing, timeout=0.2)
    with pytest.raises(TimeoutError, match=r"more than 0.2 s.*level='layer'.*save\('name.dot'\)"):
        slow.render("svg")
    assert "more than 0.2 s" in slow._repr_mimebundle_()["text/plain"]


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for dot is a shell script")
def test_a_program_that_fails_is_quoted_and_leaves_the_old_file(drawing, monkeypatch, tmp_path):
    fake_dot(tmp_path, "echo 'out of memory' >&2; exit 3")
    monkeypatch.setenv("PATH", str(tmp_path))
    path = tmp_path / "picture.svg"
    path.write_text("old")
    with pytest.raises(RenderError, match=r"dot failed \(3\): out of memory"):
        drawing.save(path)
    assert path.read_text() == "old"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["dot", "picture.svg"]


def test_what_is_refused(drawing, tmp_path):
    with pytest.raises(ValueError, match=r"format is one of dot, svg, png, pdf; got 'gout'.*save\('name.svg'\)"):
        drawing.render("gout")
    with pytest.raises(ValueError, match=r"saved as .dot, .svg, .png, .pdf; got .*picture.gif"):
        drawing.save(tmp_path / "picture.gif")
    with pytest.raises(ValueError, match="renderer is one of dot, pygraphviz, or None.*got 'latex'"):
        render_dot("digraph {}", renderer="latex")
    with pytest.raises(ValueError, match="got 'gif'"):
        draw_dot(Value(1.0), "gif")
    with pytest.raises(ValueError, match="got 'latex'"):
        draw(Value(1.0), renderer="latex")
    with pytest.raises(RenderError, match="failed"):
        render_dot("no dot at all", renderer=None)


def test_importing_the_drawings_loads_no_graphics_library():
    program = "import sys, micrograd_mlp.drawing; print({'pygraphviz', 'matplotlib', 'numpy'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "set()"


def test_micrograds_function_takes_what_it_took():
    y = Value(1.0) * 2
    assert draw_dot(y, "png", "TB").format == "png"
    assert "rankdir=TB" in draw_dot(y, format="svg", rankdir="TB").dot
    assert isinstance(draw_dot(y), Drawing)


def test_a_drawing_prints_as_dot(drawing):
    assert str(drawing) == drawing.dot
    assert "lines of DOT" in repr(drawing)
