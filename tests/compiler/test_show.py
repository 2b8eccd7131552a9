"""Programs as text."""

import random

import pytest
from programs import convolution_1d

from micrograd_mlp import MLP, grad, losses, ops
from micrograd_mlp.compiler import jit


def shown(function, *args, stage="equations"):
    run = jit(function)
    run(*args)
    return run.program.show(stage).splitlines()


def test_a_layer_comes_back_as_an_equation():
    model = MLP(3, [4, 2], rng=random.Random(1))
    X = [[0.1 * (i - j) for j in range(3)] for i in range(5)]
    assert shown(lambda X: [model(x) for x in X], X) == [
        "h[n,a] = relu(b1[a] + Σ_i w1[a,i]·X[n,i])",
        "z2[n,b] = b2[b] + Σ_a w2[b,a]·h[n,a]",
        "return z2",
    ]


def test_constants_signs_and_functions():
    assert shown(lambda x: [ops.exp(a) * 0.5 for a in x], [1.0, 2.0]) == ["t[n] = exp(x[n])·0.5", "return t"]
    lines = shown(lambda x: [ops.where(a, 1.0, -a - 2.0) for a in x], [1.0, 2.0])
    assert lines == ["t3[n] = where(x[n], 1, -x[n] - 2)", "return t3"]
    assert shown(lambda x, y: -((x / y) ** 3.0), 1.0, 2.0) == ["t3 = -(x / y)**3", "return t3"]


def test_a_number_added_to_itself_is_counted():
    assert shown(lambda x: [a + a + a for a in x], [1.0, 2.0]) == ["z[n] = 3·x[n]", "return z"]


def test_data_in_the_code_are_constants_by_their_place():
    data = [[3.0 + 4 * n + i for i in range(4)] for n in range(30)]
    lines = shown(lambda w: [sum(a * b for a, b in zip(w, row, strict=True)) for row in data], [1.0] * 4)
    assert "constants[" in lines[0]


def test_a_convolution_walks():
    lines = shown(
        lambda w, x: [sum(a * b for a, b in zip(w, x[t:], strict=False)) for t in range(4)], [1.0, 2.0], [0.5] * 5
    )
    assert lines[0] == "z[n] = Σ_i w[i]·x[n+i]"


def test_gathers_and_ragged_sums_say_so():
    function, args = convolution_1d(12, 3)
    assert any("[index[" in line for line in shown(function, *args))
    lines = shown(lambda x: [ops.tanh(sum(ops.exp(a * b) for a in x[: i + 1])) for i, b in enumerate(x)], [0.5] * 20)
    assert any("Σ_(each its own)" in line for line in lines)


def test_families_and_scalars():
    lines = shown(lambda x: losses.total(a * a for a in x), [1.0, 2.0], stage="families")
    assert lines == ["#1 input × 2", "#2 mul × 2 of #1 #1", "#3 sum × 1 of #2"]
    lines = shown(lambda x: x * 2.5, 1.0, stage="scalars")
    assert lines == ["%0 = input x", "%1 = constant 2.5", "%2 = mul %0 %1", "return %2"]
    lines = shown(lambda x: [ops.exp(a) for a in x], [1.0] * 300, stage="scalars")
    assert "... and 400 more" in lines


def test_gradients_are_equations_too():
    lines = shown(lambda w, x: grad(losses.total(ops.tanh(a * b) for a, b in zip(w, x, strict=True)), w), [1.0], [2.0])
    assert lines[-1].startswith("return")


def test_an_unknown_stage():
    with pytest.raises(ValueError, match="shown as one of scalars, families, equations, loops, llvm, asm; got 'tiles'"):
        shown(lambda x: x, 1.0, stage="tiles")


def test_loops_and_code_of_a_program():
    def dot(w, x):
        return sum(a * b for a, b in zip(w, x, strict=True))

    assert shown(dot, [1.0] * 3, [2.0] * 3, stage="loops") == ["once:", "    at once:", "        z* = sum(w, x)"]
    assert shown(dot, [1.0] * 9, [2.0] * 9, stage="loops")[0] == "for tiles of i, taking w, x:"
    pytest.importorskip("llvmlite")
    assert any("fmuladd" in line for line in shown(dot, [1.0] * 9, [2.0] * 9, stage="llvm"))
    assert any(line.strip().startswith("ret") for line in shown(dot, [1.0] * 3, [2.0] * 3, stage="asm"))
