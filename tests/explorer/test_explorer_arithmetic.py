"""The page's arithmetic is the table's: every operation and every derivative, run in node."""

import math
from itertools import product

import pytest
from node import PRINT, number, run

from micrograd_mlp import Value, ops
from micrograd_mlp.explorer import arithmetic
from micrograd_mlp.explorer.arithmetic import FORWARD, Formula, rules, script_of, tree_of, update_of
from micrograd_mlp.optim import SGD, Adam, RMSprop

NUMBERS = [0.0, -0.0, 1.0, -1.0, 2.0, -2.5, 0.3, -0.7, 1e-9, 30.0, -40.0, 800.0, 1e200, math.inf, -math.inf, math.nan]
FEW = [0.0, 1.0, -2.5, 0.3, math.inf, math.nan]
CODE = (
    PRINT
    + """
const all = given.map(([name, args]) => {
  const numbers = args.map((text) => ({ inf: Infinity, "-inf": -Infinity, nan: NaN })[text] ?? Number(text));
  const out = arithmetic.forward[name](...numbers);
  return [out, ...arithmetic.partials[name].map((partial) => partial(out, ...numbers))].map(told);
});
console.log(JSON.stringify(all));
"""
)


def test_every_operation_has_its_javascript():
    assert list(FORWARD) == list(ops.TABLE)


@pytest.mark.parametrize("name", ops.TABLE)
def test_an_operation_and_its_derivatives_are_those_of_the_table(name):
    op = ops.TABLE[name]
    inputs = list(product(NUMBERS if len(op.partials) < 3 else FEW, repeat=len(op.partials)))
    found = run(CODE, [[name, [repr(x) for x in args]] for args in inputs])
    for args, row in zip(inputs, found, strict=True):
        out = op.forward(*args)
        wanted = [out, *(partial(out, *args) for partial in op.partials)]
        for got, want in zip(map(number, row), wanted, strict=True):
            # a browser's elementary functions differ from the C library's in the last digits
            assert got == pytest.approx(want, rel=1e-13, abs=1e-300, nan_ok=True), (name, args)


def test_a_rule_is_a_tree():
    by_name = {row["name"]: row for row in rules()}
    assert by_name["tanh"]["partials"] == [["sub", 1.0, ["mul", "out", "out"]]]
    assert by_name["mul"]["partials"] == ["b", "a"]
    assert by_name["detach"]["flat"]
    assert script_of(by_name["tanh"]["partials"][0]) == "forward.sub(1.0, forward.mul(out, out))"
    assert script_of(math.inf) == "Infinity"


def test_a_formula_takes_part_in_all_operators():
    a = Formula("a")
    assert tree_of(2 - abs(-a) ** 2 / 3) == ["sub", 2.0, ["div", ["pow", ["abs", ["neg", "a"]], 2.0], 3.0]]
    assert tree_of(ops.where(a, Value(1.0).data, a)) == ["where", "a", 1.0, "a"]
    with pytest.raises(TypeError, match="expected a number"):
        a + "b"


@pytest.mark.parametrize("optimizer", [SGD([Value(0.0)], lr=0.1), SGD([Value(0.0)], momentum=0.9, nesterov=True),
                                       Adam([Value(0.0)]), RMSprop([Value(0.0)], momentum=0.5)])  # fmt: skip
def test_an_update_is_the_rule_of_the_optimizer(optimizer):
    memory = tuple(0.25 * (k + 1) for k in range(len(optimizer.memory)))
    value, after = optimizer.rule(1.5, -0.75, memory, 0.05, 3)
    rule = update_of(optimizer)
    values = {"value": 1.5, "slope": -0.75, "lr": 0.05, "step": 3, **{f"m{k}": m for k, m in enumerate(memory)}}
    code = """import { evaluate } from "SOURCES/numbers.js";
const all = [given.rule.value, ...given.rule.memory].map((tree) => evaluate(tree, given.values));
console.log(JSON.stringify(all));"""
    assert run(code, {"rule": rule, "values": values}) == pytest.approx([value, *after], rel=1e-13)


def test_a_wrong_rule_would_be_seen(monkeypatch):
    arithmetic.javascript.cache_clear()
    monkeypatch.setitem(FORWARD, "mul", "a + b")
    with pytest.raises(AssertionError):
        test_an_operation_and_its_derivatives_are_those_of_the_table("mul")
    arithmetic.javascript.cache_clear()
