"""Symbols record what is done with them, differentiate as the engine does, and say where they cannot go."""

import math

import numpy as np
import pytest

from micrograd_mlp import Value, grad, ops
from micrograd_mlp.compiler import jit
from micrograd_mlp.compiler.program import NAMES
from micrograd_mlp.compiler.trace import Symbol, Tape, refuse_symbols
from micrograd_mlp.engine import Constant
from micrograd_mlp.ops import TABLE


def recorded(tape):
    return [NAMES[code] for code in tape.rows[::4]]


def test_a_tape_is_flat_and_in_order():
    tape = Tape()
    x, y = tape.input("x"), tape.input("y")
    out = ops.tanh(2.0 * x - y / x)
    program = tape.program([out.index])
    program.check()
    assert recorded(tape) == ["input", "input", "constant", "mul", "div", "sub", "tanh"]
    assert program.args[3].tolist() == [2, 0, -1]
    assert program.value[2] == 2.0
    assert program.labels == ("x", "y")
    assert program.outputs.tolist() == [6]


def test_constants_are_one_row_each_and_zeros_keep_their_sign():
    tape = Tape()
    rows = [tape.constant(number) for number in (1.0, 1, 0.0, -0.0, 0)]
    assert rows == [0, 0, 1, 2, 1]
    assert math.copysign(1.0, tape.values[2]) == -1.0


def test_values_come_in_as_inputs_and_their_graphs_as_rows():
    tape = Tape()
    w = Value(2.0, label="w")
    x = tape.input("x")
    w * x + (w * 3.0).exp()
    assert recorded(tape) == ["input", "input", "mul", "constant", "mul", "exp", "add"]
    assert list(tape.captured) == [w]
    assert list(tape.labels.values()) == ["x", "w"]


def test_a_bound_value_is_the_number_given_for_it():
    tape = Tape()
    w = Value(2.0)
    tape.bind(w, tape.input("w"))
    assert tape.index(w) == 0
    assert not tape.captured


def test_every_operation_and_method_records():
    tape = Tape()
    x = tape.input("x")
    for name, op in TABLE.items():
        op(*[x] * len(op.partials))
        assert recorded(tape)[-1] == name
        if hasattr(Value, name):
            getattr(x, name)(*[x] * (len(op.partials) - 1))
            assert recorded(tape)[-1] == name


def test_a_gradient_is_more_rows():
    tape = Tape()
    x = tape.input("x")
    slope = grad(x * x, x)
    assert isinstance(slope, Symbol)
    assert recorded(tape) == ["input", "mul", "add"]  # x + x; no product by one


def test_what_was_not_selected_gets_nothing():
    tape = Tape()
    x, y = tape.input("x"), tape.input("y")
    for slope in grad(ops.where(x, y, 1.0).detach() + ops.step(x), [x, y]):
        assert tape.values[slope.index] == 0.0
    assert grad(x, [y])[0].index == tape.constant(0.0)
    assert grad(x, [x])[0].index == tape.constant(1.0)


def test_gradients_by_values_met_outside():
    tape = Tape()
    w, unused = Value(2.0), Value(1.0)
    x = tape.input("x")
    by_w, by_unused = grad(w * x, [w, unused])
    assert by_w.index == x.index
    assert tape.values[by_unused.index] == 0.0


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda x: x.data, r"test_trace.py, line \d+: x.data asks a traced number .* use x itself, or ops.detach"),
        (float, r"float\(x\) asks a traced number for its value"),
        (math.exp, r"test_trace.py, line \d+: float\(x\)"),
        (lambda x: 1 if x else 2, r"bool\(x\) asks .* use ops.where"),
        (int, r"int\(x\) asks a traced number for its value"),
        (lambda x: x == 1.0, r"x == y asks .* ops.equal"),
        (lambda x: x != 1.0, r"x != y asks .* ops.equal"),
        (lambda x: x > 0, r"x > y asks .* ops.maximum"),
        (lambda x: x * 1.0 >= 0.0, r"x >= y asks"),
        (lambda x: max(x, 0.0), r"x [<>] y asks .* ops.maximum"),
        (lambda x: x.backward(), r"x.backward asks .* use engine.grad"),
        (lambda x: x.grad, r"x.grad asks .* use engine.grad"),
        (lambda x: Value(1.0) < x, r"test_trace.py, line \d+: a plain number is needed here"),
        (Value, r"test_trace.py, line \d+: a plain number is needed here"),
        (lambda x: x + "1", r"unsupported operand"),
        (np.arctan, r"test_trace.py, line \d+: np.arctan asks a traced number .* use micrograd_mlp.ops"),
        (np.isnan, r"np.isnan asks a traced number for its value"),
        (lambda x: np.maximum(x, 0.0), r"x >= y asks .* ops.maximum"),
        (lambda x: np.clip(x, 0.0, 1.0), r"test_trace.py, line \d+: x [<>]=? y asks"),
        (lambda x: np.add(np.ones(2), x, out=np.ones(2)), r"np.add asks .* arrays with dtype=object for results"),
    ],
)
def test_a_traced_number_has_no_value(use, message):
    with pytest.raises(TypeError, match=message), refuse_symbols():
        use(Tape().input("x"))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: [np.sin(x), np.exp(x), np.tanh(x), np.sqrt(x), np.log(x), np.abs(x), np.negative(x), np.square(x)],
        lambda x: [np.float64(2.0) * x, x / np.float32(2.0), np.int64(2) - x, np.power(x, 2.0), np.array(3.0) ** x],
        lambda x: np.array([2.0, 3.0]) * x,
        lambda x: x - np.array([[2.0, 3.0]]),
        lambda x: np.add.outer(np.array([1.0, 2.0]), x),
        lambda x: np.tanh([x, x * x]) + x,
        lambda x: [np.dot([x, 2.0], [3.0, x]), np.sum([x, x]), np.linalg.norm([x, x])],
    ],
)
def test_numpy_goes_through_symbols_as_through_values(function):
    values = np.array(function(Value(0.7)), dtype=object)
    expected = [each.data for each in values.ravel()]
    np.testing.assert_allclose(np.ravel(jit(function)(0.7)), expected, rtol=1e-14)


def test_a_symbol_in_a_text_is_its_name():
    tape = Tape()
    tape.input("x")
    assert f"{tape.input('y')}, {tape.input('z')!r}" == "Symbol(1), Symbol(2)"


def test_a_number_kept_as_a_constant_is_one():
    tape = Tape()
    out = tape.input("x") + Constant(2.5)
    again = tape.input("y") + 2.5
    assert tape.rows[4 * out.index + 2] == tape.rows[4 * again.index + 2]  # the same row


def test_unknown_attributes():
    assert not hasattr(Tape().input("x"), "shape")


def test_a_symbol_of_another_function():
    with pytest.raises(ValueError, match="a symbol left the function it was traced in"):
        Tape().input("x") + Tape().input("y")


def test_an_operation_of_ones_own_cannot_be_computed_again():
    own = Value(2.0, [Value(1.0)], "twice", local_grads=[2.0])
    with pytest.raises(ValueError, match="an operation of one's own, 'twice'; use operations of ops"):
        Tape().input("x") + own


def test_other_type_errors_pass():
    with pytest.raises(TypeError, match="unsupported"), refuse_symbols():
        Tape() + "a"
