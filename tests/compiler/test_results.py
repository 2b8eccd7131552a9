"""What results are put together of."""

import numpy as np
import pytest

from micrograd_mlp.compiler.results import Leaf, Results, assembler_of, is_leaf, leaves_of
from micrograd_mlp.compiler.trace import Tape


def test_leaves_lie_one_after_the_other_and_are_put_together_again():
    tape = Tape()
    x, y = tape.input("x"), tape.input("y")
    results = Results(tape, leaves_of)
    structure = results.structure({"a": x, "b": (y, [[x, y], [y, x]], ()), "c": [[x], [x, y]]})
    assert results.rows == [0, 1, 0, 1, 1, 0, 0, 0, 1]
    leaves = leaves_of(structure)
    assert leaves == [Leaf(0, None), Leaf(1, None), Leaf(2, (2, 2)), Leaf(6, (1,)), Leaf(7, (2,))]
    assert [is_leaf(part) for part in structure[-1]] == [True, False, False]
    made = assembler_of(structure)(iter("uvwxy"))
    assert made == {"a": "u", "b": ("v", "w", ()), "c": ["x", "y"]}


def test_an_array_is_like_the_lists_in_it():
    tape = Tape()
    x, y = tape.input("x"), tape.input("y")
    of_array, of_lists = Results(tape, leaves_of), Results(tape, leaves_of)
    assert of_array.structure(np.array([[x, y], [y, y]])) == of_lists.structure([[x, y], [y, y]])
    assert of_array.rows == of_lists.rows == [0, 1, 1, 1]


def test_leaves_of_a_batch_come_from_its_group():
    structure = "tuple", (("batch", ("tuple", ("number", ("array", (2,))))), "number", ("batch", "number"))
    leaves = leaves_of(structure)
    assert leaves == [Leaf(0, None, 0), Leaf(1, (2,), 0), Leaf(0, None), Leaf(0, None, 1)]
    own, columns = np.array([7.0]), [np.arange(9.0).reshape(3, 3), np.arange(4.0).reshape(4, 1)]
    pair, number, line = assembler_of(structure)(iter([leaf.of(own, columns) for leaf in leaves]))
    assert pair[0].tolist() == [0.0, 3.0, 6.0]
    assert pair[1].tolist() == [[1.0, 2.0], [4.0, 5.0], [7.0, 8.0]]
    assert (type(number), number, line.tolist()) == (float, 7.0, [0.0, 1.0, 2.0, 3.0])
    assert not np.shares_memory(pair[1], columns[0])


def test_what_is_no_number_is_refused_with_the_line():
    with pytest.raises(TypeError, match=r"results\.py, line \d+: leaves_of returns str: 'x'"):
        Results(Tape(), leaves_of).structure("x")
