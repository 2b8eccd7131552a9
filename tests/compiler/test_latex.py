"""Equations in LaTeX."""

import random
import re

import pytest
from programs import PROGRAMS, moons_loss

from micrograd_mlp import ops
from micrograd_mlp.compiler import jit
from micrograd_mlp.compiler.latex import _Latex
from micrograd_mlp.compiler.stages import LINES

# What MathJax (with its base and ams packages) and KaTeX both know.
KNOWN = {
    "begin", "end", "text", "left", "right", "operatorname", "mathit", "mathbf", "mathrm", "frac", "sqrt", "sum",
    "cdot", "cdots", "ldots", "exp", "log", "sin", "cos", "tanh", "max", "min", "in", "infty", "quad",
}  # fmt: skip


def latex(function, *args):
    run = jit(function)
    run(*args)
    lines = run.program.latex().splitlines()
    assert (lines[0], lines[-1]) == (r"\begin{aligned}", r"\end{aligned}")
    return [line.removesuffix(r" \\") for line in lines[1:-1]]


def test_the_layers_of_a_network():
    function, args = moons_loss(7)
    assert latex(function, *args)[1:3] == [
        r"h^{(1)}_{n,a} &= \operatorname{relu}\left(b^{(1)}_{a} + \sum_{i} w^{(1)}_{a,i} \, X_{n,i}\right)",
        r"h^{(2)}_{n,b} &= \operatorname{relu}\left(b^{(2)}_{b} + \sum_{a} w^{(2)}_{b,a} \, h^{(1)}_{n,a}\right)",
    ]
    assert r"\sum_{b,a} \left(w^{(2)}_{b,a}\right)^{2}" in latex(function, *args)[0]


@pytest.mark.parametrize(
    ("function", "right"),
    [
        (lambda x, y: x / (y + 1.0), r"\frac{x}{1 + y}"),
        (lambda x, y: (x / y) ** y, r"\left(\frac{x}{y}\right)^{y}"),
        (lambda x, y: -((x + y) * y), r"-\left(\left(x + y\right) \, y\right)"),
        (lambda x, y: ops.sqrt(x - y) ** 3.0, r"\left(\sqrt{x - y}\right)^{3}"),
        (lambda x, y: ops.abs(x) * 2.0, r"\left|x\right| \cdot 2"),
        (lambda x, y: ops.maximum(ops.exp(x), ops.log(y)), r"\max\left(\exp\left(x\right), \log\left(y\right)\right)"),
        (lambda x, y: ops.leaky_relu(x), r"\operatorname{\mathrm{leaky\_relu}}\left(x, 0.01\right)"),
        (lambda x, y: x * 1e-8, r"x \cdot 10^{-8}"),
        (lambda x, y: x - 2.5e30, r"x - 2.5 \cdot 10^{30}"),
        (lambda x, y: x * -1.5, r"x \, \left(-1.5\right)"),
        (lambda x, y: ops.minimum(x, float("inf")), r"\min\left(x, \infty\right)"),
        (lambda x, y: ops.minimum(x, float("nan")), r"\min\left(x, \text{nan}\right)"),
    ],
)
def test_operations(function, right):
    assert latex(function, 1.0, 2.0)[0].partition(" &= ")[2] == right


def test_names():
    def function(learning_rate, x2, X):
        return [learning_rate * x2 * x for x in X], learning_rate

    assert latex(function, 1.0, 2.0, [3.0, 4.0])[-1] == r"&\text{return }\mathbf{t}^{(2)},\ \mathit{learning\_rate}"
    lines = latex(lambda p: [ops.exp(a) for a in p["up"]], {"up": [1.0, 2.0]})
    assert lines[0] == r"e_{n} &= \exp\left(\mathit{p.up}_{n}\right)"


def test_ragged_sums_and_gathers():
    function, args = PROGRAMS["causal attention"]()
    lines = latex(function, *args)
    assert any(re.search(r"\\sum_{k \\in K_{[a-z]}} e_{k}$", line) for line in lines)
    assert any(re.search(r"_{\\mathrm{index}\([a-z],[a-z]\)}", line) for line in lines)


@pytest.mark.parametrize(
    "name",
    ["moons step, 1 sample", "1-D convolution", "causal attention", "GPT step, 8 tokens", "two bodies, leapfrog"],
)
def test_only_known_commands_and_balanced_braces(name):
    function, args = PROGRAMS[name]()
    run = jit(function)
    run(*args)
    text = run.program.latex()
    assert set(re.findall(r"\\([A-Za-z]+)", text)) <= KNOWN
    for line in text.splitlines():
        bare = re.sub(r"\\[{}]", "", line)
        assert bare.count("{") == bare.count("}")
        assert line.count(r"\left") == line.count(r"\right")
        assert not re.search(r"\^\{[^{}]*\}\^|_\{[^{}]*\}_", bare), "two exponents or two indices on one letter"


def test_every_operation_can_be_written():
    for op in ops.TABLE.values():
        args = [random.Random(1).uniform(0.1, 0.9) for _ in op.partials]
        assert set(re.findall(r"\\([A-Za-z]+)", " ".join(latex(lambda *x, op=op: op(*x), *args)))) <= KNOWN


def test_a_notebook_shows_the_formula_of_the_first_equations():
    def long(x):
        rng = random.Random(0)
        for k in range(120):
            x = rng.choice([ops.sin, ops.tanh, ops.exp, ops.sigmoid])(x) * ops.cos(x) + float(k)
        return x

    run = jit(long)
    run(1.0)
    shown = run.program._repr_latex_()
    assert shown.startswith("$$\n\\begin{aligned}\n")
    assert shown.endswith("\n\\end{aligned}\n$$")
    assert shown.count(" &= ") == LINES < run.program.latex().count(" &= ")
    assert re.search(r"&\\text{and \d+ more} ", shown)
    short = jit(ops.exp)
    short(1.0)
    assert short.program._repr_latex_() == f"$$\n{short.program.latex()}\n$$"


def test_the_largest_of_many():
    b, m = _Latex().element("b", ["a"]), _Latex().over("largest", ["i"], _Latex().element("x", ["a", "i"]))
    assert _Latex().total("largest", [b, m]).text == r"\max\left(b_{a}, \max_{i} x_{a,i}\right)"
