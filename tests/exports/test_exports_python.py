"""The Python file: the standard library alone, the same probabilities, and names that do no harm."""

import ast
import csv
import io
import runpy
import sys

import numpy as np
import pytest
from exported import CASES, HOSTILE, agree, as_csv, classifier, expected, from_csv, points, run

from micrograd_mlp import MLP
from micrograd_mlp.classifier import Classifier, Scaling
from micrograd_mlp.exports import export


@pytest.mark.parametrize("case", CASES)
def test_it_gives_the_same_probabilities_without_any_library(tmp_path, case):
    (path,) = export(classifier(case), "python", tmp_path / "model.py")
    text = run(sys.executable, "-I", "-S", path, stdin=as_csv(points(case)))
    agree(from_csv(text, skip=1), expected(case))


@pytest.mark.parametrize("case", ["relu", "tanh"])
def test_it_names_the_same_classes(tmp_path, case):
    (path,) = export(classifier(case), "python", tmp_path / "model.py")
    X = points(case)[8000:]
    rows = csv.reader(io.StringIO(run(sys.executable, "-I", "-S", path, stdin=as_csv(X))))
    with np.errstate(all="ignore"):
        assert [row[0] for row in rows] == classifier(case).predict(X)


def test_hostile_names_are_only_names(tmp_path):
    model = Classifier(MLP(len(HOSTILE), [len(HOSTILE)]), Scaling([0.0] * 12, [1.0] * 12), HOSTILE, HOSTILE[::-1])
    (path,) = export(model, "python", tmp_path / "model.py")
    assert path.read_bytes().isascii()
    found = runpy.run_path(str(path))
    assert (found["FEATURES"], found["CLASSES"]) == (HOSTILE, HOSTILE[::-1])
    calm = Classifier(model.model, model.scaling, ("a",) * 12, ("b",) * 12)
    (other,) = export(calm, "python", tmp_path / "calm.py")
    assert shape(path) == shape(other)
    run(sys.executable, "-I", "-S", path, stdin=as_csv(points("relu")[:1].repeat(6, axis=1)))


def shape(path):
    """Return the code of a file, without the words in it."""
    return [type(node) for node in ast.walk(ast.parse(path.read_text()))]


def test_a_wrong_line_is_named(tmp_path):
    (path,) = export(classifier("relu"), "python", tmp_path / "model.py")
    for lines, sentence in (
        ("1,2\n1,x\n", "line 2: could not convert string to float: 'x'\n"),
        ("1,2,3\n", "line 1: a point has 2 numbers, got 3\n"),
    ):
        with pytest.raises(AssertionError) as caught:
            run(sys.executable, "-I", "-S", path, stdin=lines)
        assert sentence.strip() in str(caught.value)
