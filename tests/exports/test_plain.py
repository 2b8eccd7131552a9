"""How names and numbers are written into code."""

import ast

import numpy as np
from exported import HOSTILE, classifier

from micrograd_mlp.exports.plain import Plain, fill, python_list, python_names


def test_names_are_written_in_ascii_and_read_back():
    for names in (HOSTILE, HOSTILE[:1], ()):
        text = python_names(names)
        assert text.isascii()
        assert ast.literal_eval(text) == names


def test_numbers_are_written_to_the_bit():
    numbers = np.array([[0.1, -0.0], [5e-324, 1.7976931348623157e308]])
    assert np.array(ast.literal_eval(python_list(numbers))).tobytes() == numbers.tobytes()
    assert ast.literal_eval(python_list(numbers[1])) == numbers[1].tolist()


def test_what_is_filled_in_is_not_looked_at_again():
    assert fill("{a} {b} {c} {a}", {"a": "{b}", "b": "\\1 {a}"}) == "{b} \\1 {a} {c} {b}"


def test_a_classifier_in_plain_numbers():
    plain = Plain.of(classifier("mixed"))
    assert [layer.weight.shape for layer in plain.layers] == [(12, 13), (1, 12), (7, 1), (10, 7)]
    assert [layer.activation for layer in plain.layers] == ["tanh", "linear", "relu", "linear"]
    assert plain.names == {"classes": [*classifier("mixed").classes], "features": [*classifier("mixed").features]}
