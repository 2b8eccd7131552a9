"""Random programs give on every backend what the engine gives, and what is compared would show a wrong rule."""

import importlib.util
import sys

import numpy as np
import pytest
from random_programs import STEPS, Tally, check, flat, random_program, run_all

from micrograd_mlp import Value, ops
from micrograd_mlp.compiler import jit
from micrograd_mlp.compiler.backends.numpy import RULES
from micrograd_mlp.ops import TABLE

AVAILABLE = ("numpy", "llvm") if importlib.util.find_spec("llvmlite") else ("numpy",)


@pytest.mark.parametrize("first", range(0, 60, 10))
def test_backends_agree_with_the_engine(first):
    tally = Tally()
    for seed in range(first, first + 10):
        check(random_program(seed), tally, AVAILABLE)
    assert tally.wrong == []
    assert tally.tight > 0.9 * tally.results
    assert tally.finite > 0.6 * tally.results


def test_a_seed_is_a_program():
    for seed in range(20):
        one, two = (random_program(seed) for _ in range(2))
        assert str(one.arguments) == str(two.arguments)
        results = [flat(jit(program.function)(*program.arguments[0])) for program in (one, two)]
        assert str(results[0]) == str(results[1])


def test_programs_are_of_many_kinds(monkeypatch):
    used = set()
    steps = [lambda w, step=step: used.add(step.__name__) or step(w) for step in STEPS]
    monkeypatch.setattr("random_programs.STEPS", steps)
    named, structures, operations = set(), set(), set()
    for seed in range(80):
        program = random_program(seed)
        compiled = jit(program.function)
        result = compiled(*program.arguments[0])
        structures.add(type(result))
        named.update(type(arg) for arg in program.arguments[0])
        operations.update(compiled.program.traced.op.tolist())
    assert len(used) == len({step.__name__ for step in STEPS})
    assert named == {float, list, tuple, dict}
    assert structures >= {list, tuple, dict}
    assert len(operations) == len(TABLE) + 2  # inputs and constants too


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("tanh", lambda a: np.tanh(a) * (1.0 + 1e-12)),
        ("mul", lambda a, b: np.multiply(a, b) * (1.0 + 1e-14)),
        ("maximum", np.fmax),  # of nan and a number
        ("where", lambda a, b, c: np.where(a > 0.0, b, c)),
        ("div", lambda a, b: np.where(b == 0.0, 0.0, np.divide(a, np.where(b == 0.0, 1.0, b)))),
    ],
)
def test_a_wrong_rule_is_seen(monkeypatch, name, rule):
    monkeypatch.setitem(RULES, name, rule)
    tally, seeds = Tally(), iter(range(60))
    while not tally.wrong:
        check(random_program(next(seeds)), tally, ("numpy",))
    assert any("by numpy" in line for line in tally.wrong)
    assert not any("by engine" in line for line in tally.wrong)


def test_a_wrong_engine_is_seen(monkeypatch):
    monkeypatch.setattr(Value, "__sub__", lambda self, other: ops.add(other, self))
    tally = Tally()
    for seed in range(10):
        check(random_program(seed), tally, ("numpy",))
    assert any("by engine" in line for line in tally.wrong)


def test_a_process_that_crashes_is_reported_by_its_seed(tmp_path, capfd):
    child = tmp_path / "child.py"
    child.write_text("""
import os, sys
first, count = map(int, sys.argv[1:])
for seed in range(first, first + count):
    print(f"at {seed}", flush=True)
    if seed == 13:
        os.abort()
    if seed == 17:
        print("wrong seed 17: so it is")
    print("tally 1 10 9 8 7 0")
""")
    assert run_all(10, 10, 4, [sys.executable, str(child)]) == 1
    out = capfd.readouterr().out
    assert "seed 13: the process ended with -6" in out
    assert "seed 17: so it is" in out
    assert "9 programs of 7 statements" in out
    assert "1 disagreements, 1 crashes. Of 90 results, 90.0% are held" in out
    assert run_all(20, 3, 2, [sys.executable, str(child)]) == 0
