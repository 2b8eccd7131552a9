"""Each operator calls the operation of its name, with numbers on either side."""

import operator

import pytest

from micrograd_mlp.operators import Operators


class Recorded(Operators):
    @staticmethod
    def apply_op(op, *args):
        return (op.name, *args)


OPERATORS = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "div": operator.truediv, "pow": operator.pow
}  # fmt: skip


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_of_two(name):
    a, b = Recorded(), Recorded()
    for pair in ((a, b), (a, 2.0), (2.0, a)):
        assert OPERATORS[name](*pair) == (name, *pair)


def test_operators_of_one():
    a = Recorded()
    assert (-a, abs(a)) == (("neg", a), ("abs", a))
