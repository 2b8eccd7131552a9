import math
import re
from dataclasses import replace
from functools import partial
from itertools import product

import numpy as np
import pytest
from calculus import KINKS, along, difference, faults, points, step_size

from micrograd_mlp import Value, grad, ops
from micrograd_mlp.ops import TABLE, Op

inf, nan = math.inf, math.nan
ROWS = list(TABLE.values())
by_name = pytest.mark.parametrize("op", ROWS, ids=lambda op: op.name)


# --- every row against differences, and the checker against wrong rows


@by_name
def test_partials_are_the_derivatives(op):
    assert faults([op]) == []


WRONG = {
    "scaled": lambda slope: slope * 1.001,
    "negated": lambda slope: -slope,
    "shifted": lambda slope: slope + 0.01,
    "gone": lambda slope: 0.0,
}
ZERO_SLOPES = {("step", 0), ("equal", 0), ("equal", 1), ("where", 0), ("detach", 0)}  # only a shift makes these wrong


def with_wrong_partial(op, i, how):
    right = op.partials[i]
    partials = list(op.partials)
    partials[i] = lambda *args: WRONG[how](right(*args))
    return replace(op, partials=tuple(partials))


@pytest.mark.parametrize("how", WRONG)
@by_name
def test_a_wrong_rule_in_the_table_is_reported(op, how, monkeypatch):
    for i in range(len(op.partials)):
        if how != "shifted" and (op.name, i) in ZERO_SLOPES:
            continue
        wrong = with_wrong_partial(op, i, how)
        monkeypatch.setitem(TABLE, op.name, wrong)
        reported = faults([wrong])
        assert len(reported) == 1, reported
        assert reported[0].startswith(f"{op.name}: partial {i} at ")


def test_one_wrong_rule_among_right_ones_is_the_only_one_reported(monkeypatch):
    monkeypatch.setitem(TABLE, "tanh", with_wrong_partial(ops.tanh, 0, "scaled"))
    assert [line.split(":")[0] for line in faults()] == ["tanh"]


def test_partials_in_each_others_place_are_reported():
    swapped = replace(ops.div, partials=ops.div.partials[::-1])
    assert len(faults([swapped])) == 2


def test_a_wrong_forward_function_is_reported():
    assert faults([replace(ops.sin, forward=math.tan)])
    assert faults([replace(ops.relu, forward=lambda a: max(a, 1.0))])


def test_a_rule_wrong_on_one_side_of_its_kink_is_reported():
    always = (lambda out, a: 1.0,)
    assert faults([replace(ops.relu, partials=always)])
    assert faults([replace(ops.abs, partials=always)])


def test_a_row_that_is_defined_nowhere_is_reported_as_never_compared():
    assert faults([replace(ops.sqrt, forward=lambda a: nan)]) == ["sqrt: partial 0 was compared at 0 points only"]


# --- what is computed, against NumPy

NUMPY = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "neg": np.negative, "pow": np.power,
    "exp": np.exp, "expm1": np.expm1, "log": np.log, "log1p": np.log1p, "sqrt": np.sqrt, "sin": np.sin, "cos": np.cos,
    "tanh": np.tanh, "sigmoid": lambda a: 1.0 / (1.0 + np.exp(-a)), "softplus": lambda a: np.logaddexp(0.0, a),
    "relu": lambda a: np.maximum(a, 0.0), "leaky_relu": lambda a, b: np.where(a > 0.0, a, b * a), "abs": np.absolute,
    "maximum": np.maximum, "minimum": np.minimum, "step": lambda a: np.heaviside(a, 0.0), "equal": np.equal,
    "where": np.where, "detach": np.positive,
}  # fmt: skip


@by_name
def test_results_are_those_of_numpy(op):
    for point in product((-8.0, -1.0, -0.25, 0.0, 0.25, 1.0, 3.0, inf), repeat=len(op.partials)):
        with np.errstate(all="ignore"):
            expected = float(NUMPY[op.name](*map(np.float64, point)))
        assert op(*point) == pytest.approx(expected, rel=1e-15, abs=0.0, nan_ok=True), point


@pytest.mark.parametrize(
    ("op", "args", "zero"),
    [
        (ops.relu, (0.0,), 0.0),
        (ops.relu, (-0.0,), -0.0),
        (ops.leaky_relu, (0.0, -1.0), -0.0),
        (ops.leaky_relu, (-0.0, 0.5), -0.0),
        (ops.maximum, (0.0, -0.0), 0.0),
        (ops.maximum, (-0.0, 0.0), -0.0),
        (ops.minimum, (0.0, -0.0), 0.0),
        (ops.minimum, (-0.0, 0.0), -0.0),
    ],
    ids=lambda what: getattr(what, "name", None),
)
def test_a_zero_keeps_its_sign_and_of_two_zeros_the_first_is_taken(op, args, zero):
    assert math.copysign(1.0, op(*args)) == math.copysign(1.0, zero)


# --- derivatives of derivatives


def nested(op, path, *point):
    """Return the derivative of op by the arguments in `path`, one after the other, at `point`."""
    values = [Value(x) for x in point]
    out = op(*values)
    for i in path:
        out = grad(out, values[i])
    return out.data


@pytest.mark.parametrize("depth", [1, 2, 3])
@by_name
def test_derivatives_nest(op, depth):
    compared = 0
    for path in product(range(len(op.partials)), repeat=depth):
        *before, last = path
        for point, room in points(op, few=True):
            if op.name == "pow" and point[0] < 0.0:
                continue  # defined at single points there
            if room < 0.1:
                continue
            lower = along(partial(nested, op, before), point, last)
            expected, bound = difference(lower, point[last], step_size(point[last], room))
            if op.name == "detach":
                expected, bound = 0.0, 0.0
            if not math.isfinite(expected):
                continue
            # The lower derivative itself is rounded, near a pole or in 1 - out * out by more than one unit.
            tolerance = 1e-7 * abs(expected) + 50.0 * bound + 1e-10
            assert nested(op, path, *point) == pytest.approx(expected, rel=0.0, abs=tolerance), (path, point)
            compared += 1
    assert compared >= 3


# --- the choices at the edges, as the notes say


@pytest.mark.parametrize(
    ("op", "point", "slopes"),
    [
        (ops.relu, (0.0,), [0.0]),
        (ops.relu, (-0.0,), [0.0]),
        (ops.relu, (inf,), [1.0]),
        (ops.relu, (-inf,), [0.0]),
        (ops.abs, (0.0,), [0.0]),
        (ops.abs, (-inf,), [-1.0]),
        (ops.leaky_relu, (0.0, 0.2), [0.2, 0.0]),
        (ops.maximum, (2.0, 2.0), [0.5, 0.5]),
        (ops.maximum, (inf, inf), [0.5, 0.5]),
        (ops.minimum, (-inf, -inf), [0.5, 0.5]),
        (ops.maximum, (inf, -inf), [1.0, 0.0]),
        (ops.step, (0.0,), [0.0]),
        (ops.where, (nan, 1.0, 2.0), [0.0, 1.0, 0.0]),
        (ops.where, (-0.0, 1.0, 2.0), [0.0, 0.0, 1.0]),
        (ops.pow, (0.0, 0.0), [0.0, 0.0]),
        (ops.pow, (0.0, 1.0), [1.0, 0.0]),
        (ops.pow, (0.0, 3.0), [0.0, 0.0]),
        (ops.pow, (0.0, -1.0), [-inf, -inf]),
        (ops.pow, (-2.0, 3.0), [12.0, nan]),
        (ops.log, (0.0,), [inf]),
        (ops.sqrt, (0.0,), [inf]),
        (ops.sigmoid, (-1000.0,), [0.0]),
        (ops.softplus, (800.0,), [1.0]),
        (ops.softplus, (-1000.0,), [0.0]),
        (ops.tanh, (1000.0,), [0.0]),
        (ops.exp, (1000.0,), [inf]),
        (ops.detach, (3.0,), [0.0]),
    ],
    ids=lambda what: getattr(what, "name", None),
)
def test_slopes_at_the_edges(op, point, slopes):
    values = [Value(x) for x in point]
    op(*values).backward()
    assert [value.grad for value in values] == pytest.approx(slopes, nan_ok=True, rel=1e-15)
    assert [slope.data for slope in grad(op(*values), values)] == pytest.approx(slopes, nan_ok=True, rel=1e-15)


@by_name
def test_a_note_stands_where_a_choice_was_made(op):
    assert bool(op.note) == (op.name in KINKS or op.name in ("pow", "detach"))


@pytest.mark.parametrize(
    ("op", "args", "result"),
    [
        (ops.log, (0.0,), -inf),
        (ops.log, (-1.0,), nan),
        (ops.log1p, (-1.0,), -inf),
        (ops.log1p, (-2.0,), nan),
        (ops.exp, (1000.0,), inf),
        (ops.exp, (-1000.0,), 0.0),
        (ops.expm1, (1000.0,), inf),
        (ops.expm1, (-1000.0,), -1.0),
        (ops.sqrt, (-1.0,), nan),
        (ops.sin, (inf,), nan),
        (ops.cos, (-inf,), nan),
        (ops.tanh, (1000.0,), 1.0),
        (ops.sigmoid, (-1000.0,), 0.0),
        (ops.sigmoid, (1000.0,), 1.0),
        (ops.softplus, (800.0,), 800.0),
        (ops.softplus, (-800.0,), 0.0),
        (ops.softplus, (inf,), inf),
        (ops.div, (1.0, 0.0), inf),
        (ops.div, (-1.0, 0.0), -inf),
        (ops.div, (1.0, -0.0), -inf),
        (ops.div, (0.0, 0.0), nan),
        (ops.div, (nan, 0.0), nan),
        (ops.pow, (0.0, -1.0), inf),
        (ops.pow, (-0.0, -1.0), -inf),
        (ops.pow, (-0.0, -2.0), inf),
        (ops.pow, (0.0, 0.0), 1.0),
        (ops.pow, (-8.0, 1.0 / 3.0), nan),
        (ops.pow, (-10.0, 309.0), -inf),
        (ops.pow, (-10.0, 310.0), inf),
        (ops.mul, (1e308, 10.0), inf),
        (ops.maximum, (1.0, nan), nan),
        (ops.maximum, (nan, 1.0), nan),
        (ops.minimum, (1.0, nan), nan),
        (ops.minimum, (nan, 1.0), nan),
        (ops.relu, (nan,), nan),
        (ops.leaky_relu, (nan,), nan),
        (ops.step, (nan,), 0.0),
        (ops.equal, (nan, nan), 0.0),
        (ops.where, (nan, 1.0, 2.0), 1.0),
    ],
    ids=lambda what: getattr(what, "name", None),
)
def test_results_at_the_edges(op, args, result):
    assert op(*args) == pytest.approx(result, nan_ok=True)
    assert op(*map(Value, args)).data == pytest.approx(result, nan_ok=True)


def test_what_was_not_selected_gets_nothing_even_from_an_infinite_gradient():
    x = Value(-1.0)
    x.relu().log().backward()
    assert x.grad == 0.0
    chosen, other = Value(4.0), Value(7.0)
    Value(0.0, (ops.where(1.0, chosen, other),), (inf,)).backward()
    assert (chosen.grad, other.grad) == (inf, 0)
    slope, steep = Value(0.1), Value(5.0)
    Value(0.0, (ops.leaky_relu(steep, slope),), (inf,)).backward()
    assert (steep.grad, slope.grad) == (inf, 0)
    for op, point in ((ops.maximum, (2.0, 1.0)), (ops.minimum, (1.0, 2.0))):
        chosen, other = map(Value, point)
        Value(0.0, (op(chosen, other),), (inf,)).backward()
        assert (chosen.grad, other.grad) == (inf, 0)


# --- the rows as functions


@by_name
def test_numbers_give_a_float_and_values_a_value(op):
    point = (2, 3, 4)[: len(op.partials)]
    assert op(*point).__class__ is float
    assert isinstance(op(*map(Value, point)), Value)
    assert op(*map(Value, point)).data == op(*point)
    for i in range(len(point)):  # any mix of numbers and Values
        mixed = op(*point[:i], Value(point[i]), *point[i + 1 :])
        assert mixed.data == op(*point)
        assert len(mixed._prev) == 1


@by_name
def test_a_row_says_what_it_is(op):
    assert TABLE[op.name] is op is getattr(ops, op.name)
    assert op.formula
    assert op.symbol
    assert op.forward(*(0.5,) * len(op.partials)).__class__ is float


def test_wrong_arguments_are_named():
    with pytest.raises(TypeError, match=re.escape("mul (a * b) takes 2 argument(s), got 1")):
        ops.mul(1.0)
    with pytest.raises(TypeError, match=re.escape("relu (max(a, 0)) takes 1 argument(s), got 2")):
        ops.relu(1.0, 2.0)
    with pytest.raises(TypeError, match=re.escape("leaky_relu (a if a > 0 else b * a) takes 2 argument(s), got 3")):
        ops.leaky_relu(1.0, 2.0, 3.0)
    with pytest.raises(TypeError, match="expected a number, got str: 'two'"):
        ops.add(1.0, "two")
    with pytest.raises(TypeError, match="expected a number, got NoneType: None"):
        ops.add(Value(1.0), None)


def test_leaky_relu_has_a_usual_slope():
    assert ops.leaky_relu(-2.0) == -0.02
    assert ops.leaky_relu(-2.0, 0.5) == -1.0
    assert Value(-2.0).leaky_relu(0.5).data == -1.0


class Symbol:
    """Writes down what is done with it, and cannot be looked into."""

    def __init__(self, text):
        self.text = text

    @staticmethod
    def apply_op(op, *args):
        return Symbol(f"{op.name}({', '.join(str(getattr(arg, 'text', arg)) for arg in args)})")

    def __add__(self, other):
        return ops.add(self, other)

    def __sub__(self, other):
        return ops.sub(self, other)

    def __rsub__(self, other):
        return ops.sub(other, self)

    def __mul__(self, other):
        return ops.mul(self, other)

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self):
        return ops.neg(self)

    def __bool__(self):
        raise AssertionError("a partial branched on a symbol")

    __float__ = __bool__


@by_name
def test_partials_run_on_symbols(op):
    names = [Symbol(name) for name in "abc"[: len(op.partials)]]
    for rule in op.partials:
        assert isinstance(rule(op(*names), *names), Symbol | float)
    assert op(*names).text == f"{op.name}({', '.join('abc'[: len(names)])})"


def test_a_partial_reads_like_its_formula():
    assert ops.tanh.partials[0](Symbol("out"), Symbol("a")).text == "sub(1.0, mul(out, out))"
    assert ops.div.partials[1](Symbol("out"), Symbol("a"), Symbol("b")).text == "neg(div(out, b))"


def test_a_row_cannot_be_changed():
    with pytest.raises(AttributeError):
        ops.add.name = "plus"
    assert not hasattr(ops.add, "__dict__")
    assert isinstance(ops.add, Op)


def test_a_row_equals_itself_alone():
    assert replace(ops.add) != ops.add
    assert len({ops.add, replace(ops.add), ops.add}) == 2
