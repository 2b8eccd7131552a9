"""What arguments are divided into."""

import numpy as np
import pytest

from micrograd_mlp import Value
from micrograd_mlp.compiler.arguments import HoldsSymbol, divide, names_of
from micrograd_mlp.compiler.trace import Tape


def divided(*args):
    parts = []
    return [divide(arg, parts) for arg in args], [(part.key, part.numbers.tolist(), part.length) for part in parts]


def test_tuples_and_dicts_are_taken_apart_and_lists_are_not():
    how, parts = divided({"a": ([1.0], 2.0)}, [(3.0, 4.0)])
    assert how == [("dict", ("a",), (("tuple", ("part", "part")),)), "part"]
    assert parts == [
        (("list", 1, "number"), [1.0], 1),
        ("number", [2.0], 0),
        (("list", 1, ("tuple", 2, "number")), [3.0, 4.0], 1),
    ]


def test_an_array_has_the_numbers_of_the_lists_in_it_and_is_something_else():
    (_, [(key, *numbers)]), (_, [(other, *same)]) = (
        divided(np.arange(6).reshape(2, 3)),
        divided([[0.0, 1, 2], [3, 4, 5]]),
    )
    assert numbers == same
    assert key != other
    assert divided(np.arange(6.0).astype(object)) == divided(np.arange(6))
    assert divided([Value(1.0), 2]) == divided([1.0, 2.0])
    assert divided(np.array([Value(1.0), 2])) == divided(np.array([1.0, 2.0]))


def test_a_symbol_is_seen():
    with pytest.raises(HoldsSymbol):
        divided([1.0, Tape().input("x")])


@pytest.mark.parametrize(
    ("thing", "message"),
    [
        (np.ma.array([1.0, 2.0], mask=[True, False]), r"takes arrays without a mask, .* use \.filled\(\.\.\.\)"),
        (np.array([1j]), "takes real numbers, got an array of complex128"),
        (iter([1.0]), r"takes lists, got list_iterator: .* use list\(\.\.\.\)"),
        ({1.0}, r"takes numbers, lists, dicts and Modules, got set: \{1\.0\}"),
    ],
)
def test_what_holds_no_plain_numbers_is_refused(thing, message):
    with pytest.raises(TypeError, match=f"(?s)^a compiled function {message}"):
        divided(thing)


def test_names_of_arguments():
    assert names_of(lambda x, y=1, *more: 0, 4) == ["x", "y", "x2", "x3"]
    assert names_of(max, 2) == ["x0", "x1"]
