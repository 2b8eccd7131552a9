"""Less to compute and the same to the last bit."""

import math
import random

import numpy as np
import pytest

from micrograd_mlp import ops
from micrograd_mlp.compiler import levels
from micrograd_mlp.compiler import simplify as simplify_module
from micrograd_mlp.compiler.program import INPUT, NAMES
from micrograd_mlp.compiler.simplify import drop_dead, fold, share, simplify
from micrograd_mlp.compiler.trace import Tape
from micrograd_mlp.ops import TABLE


def traced(function, count=2):
    tape = Tape()
    out = function(*[tape.input(f"x{i}") for i in range(count)])
    return tape.program([tape.index(o) for o in (out if isinstance(out, list) else [out])])


def names(program):
    program.check()
    return [NAMES[op] for op in program.op]


def run(program, numbers):
    values, given = [], dict(zip(program.inputs.tolist(), numbers, strict=True))
    for row, (op, args) in enumerate(zip(program.op.tolist(), program.args.tolist(), strict=True)):
        name = NAMES[op]
        known = given[row] if op == INPUT else program.value[row]
        values.append(TABLE[name].forward(*[values[a] for a in args if a >= 0]) if name in TABLE else float(known))
    return [values[row] for row in program.outputs]


@pytest.mark.parametrize(
    "same",
    [
        lambda x, y: x * 1.0,
        lambda x, y: 1.0 * x,
        lambda x, y: x + 0.0,
        lambda x, y: 0.0 + x,
        lambda x, y: x - 0.0,
        lambda x, y: x / 1.0,
        lambda x, y: x**1,
        lambda x, y: ops.neg(ops.neg(x)),
        lambda x, y: ops.neg(ops.neg(ops.neg(ops.neg(x * 1.0)))),
        lambda x, y: x.detach(),
        lambda x, y: ops.where(1.0, x, y),
        lambda x, y: ops.where(0.0, y, x),
        lambda x, y: ops.where(y, x, x),
    ],
)
def test_what_is_x(same):
    program = simplify(traced(same))
    assert names(program) == ["input"]
    assert program.inputs.tolist() == [0, -1]
    assert program.outputs.tolist() == [0]


@pytest.mark.parametrize(
    "kept", [lambda x, y: x * 0.0, lambda x, y: x - x, lambda x, y: x / x, lambda x, y: 0.0 - x, lambda x, y: x**0]
)
def test_what_ieee_754_does_not_allow(kept):
    program = simplify(traced(kept))
    assert len(names(program)) > 1
    for x in (math.nan, math.inf, -0.0, 2.0):
        (got,) = run(program, [x, 1.0])
        (expected,) = run(traced(kept), [x, 1.0])
        assert np.array([got]).tobytes() == np.array([expected]).tobytes()


def test_constants_are_folded():
    program = simplify(traced(lambda x, y: x + ops.tanh(ops.where(x, 2.0, 2.0) * 3.0)))
    assert names(program) == ["input", "constant", "add"]
    assert program.value[1] == math.tanh(6.0)
    program = simplify(traced(lambda x, y: [ops.log(ops.where(x, 0.0, 0.0)), ops.div(ops.where(y, 1.0, 1.0), 0.0)]))
    assert program.value[program.outputs].tolist() == [-math.inf, math.inf]


def test_equal_subexpressions_are_shared():
    program = simplify(traced(lambda x, y: ops.tanh(x * y + 1.0) * ops.tanh(1.0 + y * x)))
    assert names(program) == ["input", "input", "mul", "constant", "add", "tanh", "mul"]
    assert program.args[-1].tolist() == [5, 5, -1]
    program = simplify(traced(lambda x, y: (x - y) * (y - x)))
    assert names(program).count("sub") == 2


def test_sharing_sees_through_what_was_folded():
    program = simplify(traced(lambda x, y: ops.exp(x * 1.0) + ops.exp(x + 0.0)))
    assert names(program) == ["input", "exp", "add"]


def test_what_no_output_needs_is_dropped():
    program = drop_dead(traced(lambda x, y: (x * y, x + 1.0)[1]))
    assert names(program) == ["input", "constant", "add"]
    assert program.inputs.tolist() == [0, -1]


def test_zeros_of_both_signs_stay_apart():
    program = simplify(traced(lambda x, y: [x / 0.0, x / -0.0]))
    assert names(program).count("div") == 2
    assert run(program, [1.0, 0.0]) == [math.inf, -math.inf]


def test_each_pass_keeps_every_bit():
    rng = random.Random(5)

    def function(x, y):
        made = [x, y, 1.0, 0.0, -1.0]
        for _ in range(200):
            name = rng.choice(["add", "sub", "mul", "neg", "tanh", "where", "maximum", "relu", "pow"])
            made.append(TABLE[name](*[rng.choice(made[-20:]) for _ in TABLE[name].partials]))
        return [number for number in made[-20:] if not isinstance(number, float)]

    program = traced(function)
    expected = run(program, [0.7, -1.3])
    for step in (fold, share, drop_dead, simplify):
        smaller = step(program)
        smaller.check()
        np.testing.assert_array_equal(run(smaller, [0.7, -1.3]), expected)


@pytest.mark.parametrize("seed", range(20))
def test_passes_do_the_same_one_by_one_and_all_at_once(seed, monkeypatch):
    rng = random.Random(seed)

    def function(*xs):
        known = list(xs)
        for _ in range(150):
            op = rng.choice((ops.add, ops.mul, ops.sub, ops.where))
            known.append(op(*[rng.choice(known[-12:]) for _ in op.partials]))
        return [known[-1], known[60]]

    program, found = traced(function, 4), []
    for thin in (0, 3, 1000):
        monkeypatch.setattr(levels, "THIN", thin)
        monkeypatch.setattr(simplify_module, "THIN", thin)
        made = simplify(program)
        found.append((made.op.tolist(), made.args.tolist(), made.outputs.tolist()))
    assert found[0] == found[1] == found[2]
    assert len(found[0][0]) < len(program.op)
