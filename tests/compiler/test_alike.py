"""What is copied is what each one would have been traced to, row by row."""

import pytest

from micrograd_mlp import ops
from micrograd_mlp.compiler.alike import for_each
from micrograd_mlp.compiler.trace import Tape


def traced(each, function, columns, shared=False):
    """Return the rows and constants of a tape on which a function was traced for each, and the rows of the results."""
    tape = Tape()
    given = [[tape.input(f"{column}{place}") for place in range(5)] for column in range(columns)]
    if shared:
        given[-1] = [given[0][0]] * 5
    rate = tape.input("rate")
    pairs = list(zip(given[0], zip(given[1], given[2], strict=True), strict=True))
    results = each(tape, lambda x, m: function(x, m, rate), *map(list, zip(*pairs, strict=True)))
    ends = [(tape.index(value), *(tape.index(number) for number in memory)) for value, memory in results]
    return list(tape.rows), tape.values, ends


def one_by_one(tape, function, *columns):
    return [function(*each) for each in zip(*columns, strict=True)]


FUNCTIONS = {
    "a rule": lambda x, m, rate: (x - rate * ops.sqrt(m[0] + 1e-8) / (1.0 - 0.9**rate), (0.5 * m[1] + x * x, m[0])),
    "nothing new": lambda x, m, rate: (x, m),
    "what all share": lambda x, m, rate: (rate * 2.0, (rate, 1.0)),
    "three arguments": lambda x, m, rate: (ops.where(x, m[0], rate), (ops.maximum(m[1], 0.0), m[0])),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_copies_are_as_if_traced(name):
    assert traced(for_each, FUNCTIONS[name], 3) == traced(one_by_one, FUNCTIONS[name], 3)


def test_where_two_have_the_same_number_each_is_traced():
    for name, function in FUNCTIONS.items():
        assert traced(for_each, function, 3, shared=True) == traced(one_by_one, function, 3, shared=True), name


def test_a_constant_for_each_is_traced_for_each():
    def numbered():
        numbers = iter(range(100))
        return lambda x, m, rate: (x * float(next(numbers)), m)

    assert traced(for_each, numbered(), 3) == traced(one_by_one, numbered(), 3)


def test_few_are_traced():
    for count in (0, 1, 2):
        tape = Tape()
        given = [tape.input("x") for _ in range(count)]
        results = for_each(tape, lambda x: (x + 1.0,), given)
        assert [tape.rows[4 * tape.index(end) + 1] for (end,) in results] == list(range(count))
