import math
import random
from itertools import product

import autograd
import mpmath
import numpy as np
import pytest
import torch
from counterparts import AUTOGRAD, TORCH

from micrograd_mlp import Value, grad, ops
from micrograd_mlp.ops import TABLE

inf, nan = math.inf, math.nan
EDGES = [sign * size for size in (0.0, 5e-324, 1e-160, 1 / 3, 0.5, 1.0, 2.0, 3.0, 8.0, 37.5) for sign in (1.0, -1.0)]
EDGES += [sign * size for size in (800.0, 1000.0, 1e160, 1e308, inf) for sign in (1.0, -1.0)] + [nan]
FEW = [0.0, -0.0, inf, -inf, nan, 1.0, -2.0, 1e308]
INCOMING = [1.0, 0.0, -2.5, inf, -inf, nan]  # gradients that may come in from above
by_name = pytest.mark.parametrize("name", TABLE)


def arguments(name):
    """Return all edges with all edges, and random numbers of many sizes."""
    count = len(TABLE[name].partials)
    source = random.Random(name)

    def number():
        return source.choice((-1, 1)) * 10.0 ** source.uniform(-12, 3)

    drawn = [tuple(number() for _ in range(count)) for _ in range(300)]
    usual = [tuple(source.uniform(-5, 5) for _ in range(count)) for _ in range(300)]
    return [*product(EDGES if count < 3 else FEW, repeat=count), *drawn, *usual]


def same(ours, theirs, rel=1e-13, slack=0.0):
    """Whether two results agree: nan with nan, inf with inf, and the rest up to rounding."""
    if math.isnan(theirs) or math.isinf(theirs):
        return ours == theirs or (math.isnan(ours) and math.isnan(theirs))
    return abs(ours - theirs) <= rel * abs(theirs) + slack + 1e-307  # below that the floats lose digits


# Where we do not follow PyTorch. Each: row, what holds of arguments and incoming gradient there, and why.
def divides_by_less_than_a_normal_float(g, *args):
    """Our rule multiplies by 1 / b, which is inf for |b| < 5.6e-309; PyTorch divides the gradient by b."""
    return 0.0 < abs(args[-1]) < 5.6e-309


def power_zero_with_a_gradient_that_is_not_finite(g, a, b):
    """PyTorch gives 0 for a ** 0 whatever comes in; our slope is 0 and 0 * inf is nan."""
    return b == 0.0 and not math.isfinite(g)


def slope_zero_with_a_gradient_that_is_not_finite(g, a, b):
    """prelu multiplies its zero slopes with what comes in; ours passes nothing, as all rows that select."""
    return not math.isfinite(g) and (b == 0.0 or a == 0.0)


LEFT = {
    "div": divides_by_less_than_a_normal_float,
    "log": divides_by_less_than_a_normal_float,
    "pow": power_zero_with_a_gradient_that_is_not_finite,
    "leaky_relu": slope_zero_with_a_gradient_that_is_not_finite,
}
# 1 - out * out and out * (1 - out) carry the rounding of out, one unit in the last place of 1 on either side.
CANCELS = {"tanh": 4 * 2.0**-53, "sigmoid": 4 * 2.0**-53, "expm1": 4 * 2.0**-53}


@by_name
def test_values_and_gradients_are_those_of_torch(name):
    points = arguments(name)
    columns = [torch.tensor(column, dtype=torch.float64, requires_grad=True) for column in zip(*points, strict=True)]
    out = TORCH[name](*columns)
    left = 0
    for incoming in INCOMING:
        slopes = [None] * len(columns)
        if out.requires_grad:
            seed = torch.full_like(out, incoming)
            slopes = torch.autograd.grad(out, columns, seed, retain_graph=True, allow_unused=True)
        theirs = [[0.0] * len(points) if slope is None else slope.tolist() for slope in slopes]
        for point, value, *expected in zip(points, out.tolist(), *theirs, strict=True):
            inputs = [Value(x) for x in point]
            result = TABLE[name](*inputs)
            assert same(result.data, value), (point, result.data, value)
            if name in LEFT and LEFT[name](incoming, *point):
                left += 1
                continue
            Value(0.0, (result,), (incoming,)).backward()
            slack = CANCELS.get(name, 0.0) * abs(incoming) if math.isfinite(incoming) else 0.0
            for x, slope in zip(inputs, expected, strict=True):
                assert same(x.grad, slope, slack=slack), (point, incoming, x.grad, slope)
    assert left < 0.2 * len(points) * len(INCOMING)


@pytest.mark.parametrize("exponent", [0, 1, 2, 3, -1, -2, 0.5, -0.5, 1 / 3, 2.5, 1000, -1000, inf, -inf, nan])
def test_powers_with_a_number_on_one_side(exponent):
    t = torch.tensor(EDGES, dtype=torch.float64, requires_grad=True)
    fixed = torch.tensor(exponent, dtype=torch.float64)  # t ** 0.5 would be sqrt(t), which is not pow at -0 and -inf
    for incoming, (theirs, ours) in product(
        INCOMING, [(t**fixed, lambda v: v**exponent), (fixed**t, lambda v: exponent**v)]
    ):
        (slopes,) = torch.autograd.grad(theirs, t, torch.full_like(t, incoming), retain_graph=True)
        for x, value, slope in zip(EDGES, theirs.tolist(), slopes.tolist(), strict=True):
            v = Value(x)
            out = ours(v)
            assert same(out.data, value), (x, exponent)
            if exponent == 0 and not math.isfinite(incoming):
                continue  # see LEFT
            Value(0.0, (out,), (incoming,)).backward()
            assert same(v.grad, slope), (x, exponent, incoming, v.grad, slope)


CHAINS = {
    "log relu": (lambda x: ops.log(ops.relu(x)), lambda x: torch.log(torch.relu(x))),
    "sqrt max": (lambda x: ops.sqrt(ops.maximum(x, 0.0)), lambda x: torch.sqrt(torch.maximum(x, torch.zeros_like(x)))),
    "sqrt relu": (lambda x: ops.sqrt(ops.relu(x)), lambda x: torch.sqrt(torch.relu(x))),
    "where log": (
        lambda x: ops.where(ops.step(x), ops.log(x), 0.0),  # the famous nan at 0: PyTorch has it too
        lambda x: torch.where(x > 0, torch.log(x), torch.zeros_like(x)),
    ),
    "log where": (
        lambda x: ops.log(ops.where(ops.step(x), x, 1.0)),
        lambda x: torch.log(torch.where(x > 0, x, torch.ones_like(x))),
    ),
    "log where 0": (
        lambda x: ops.log(ops.where(ops.step(x), x, 0.0)),
        lambda x: torch.log(torch.where(x > 0, x, torch.zeros_like(x))),
    ),
    "sqrt square": (lambda x: ops.sqrt(x * x), lambda x: torch.sqrt(x * x)),
    "log abs": (lambda x: ops.log(ops.abs(x)), lambda x: torch.log(torch.abs(x))),
    "1/relu": (lambda x: 1.0 / ops.relu(x), lambda x: 1.0 / torch.relu(x)),
    "leaky sqrt": (
        lambda x: ops.sqrt(ops.leaky_relu(x)),
        lambda x: torch.sqrt(torch.nn.functional.leaky_relu(x, 0.01)),
    ),
    "x plus stepped log": (
        lambda x: x + ops.step(ops.log(x)) + ops.equal(ops.log(x), 1.0),
        lambda x: x + (torch.log(x) > 0).double() + (torch.log(x) == 1).double(),
    ),
    "x times detached log": (lambda x: x * ops.detach(ops.log(x)), lambda x: x * torch.log(x).detach()),
    "entropy": (lambda x: x * ops.log(x), lambda x: x * torch.log(x)),
    "tanh exp": (lambda x: ops.tanh(ops.exp(x)), lambda x: torch.tanh(torch.exp(x))),
    "sigmoid log": (lambda x: ops.log(ops.sigmoid(x)), lambda x: torch.log(torch.sigmoid(x))),
    "min max": (
        lambda x: ops.minimum(ops.maximum(x, -1.0), 1.0).log1p(),
        lambda x: torch.log1p(torch.minimum(torch.maximum(x, -torch.ones_like(x)), torch.ones_like(x))),
    ),
}


@pytest.mark.parametrize("name", CHAINS)
def test_infinite_gradients_meet_zero_slopes_as_in_torch(name):
    ours, theirs = CHAINS[name]
    for x in [*EDGES, *np.random.default_rng(0).normal(size=50).tolist()]:
        t = torch.tensor(x, dtype=torch.float64, requires_grad=True)
        out = theirs(t)
        out.backward()
        v = Value(x)
        result = ours(v)
        result.backward()
        by_grad = grad(result, v).data
        assert same(result.data, out.item()), x
        if 0.0 < abs(x) < 5.6e-309:
            continue  # see LEFT
        slack = CANCELS["tanh"] * abs(result.data) * 10.0 if name == "tanh exp" else 0.0
        assert same(v.grad, t.grad.item(), rel=1e-12, slack=slack), (x, v.grad, t.grad)
        assert same(by_grad, t.grad.item(), rel=1e-12, slack=slack), (x, by_grad, t.grad)


@by_name
def test_second_derivatives_are_those_of_torch(name):
    count = len(TABLE[name].partials)
    source = random.Random(name)
    low = 0.1 if name in ("log", "sqrt", "pow") else -0.9 if name == "log1p" else -4.0
    for _ in range(30):
        point = [source.uniform(low, 4.0) for _ in range(count)]
        tensors = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in point]
        values = [Value(x) for x in point]
        theirs = TORCH[name](*tensors)
        first = [None] * count
        if theirs.requires_grad:
            first = torch.autograd.grad(theirs, tensors, create_graph=True, allow_unused=True)
        for slope, ours in zip(first, grad(TABLE[name](*values), values), strict=True):
            second = [None] * count
            if slope is not None and slope.requires_grad:
                second = torch.autograd.grad(slope, tensors, retain_graph=True, allow_unused=True)
            for expected, got in zip(second, grad(ours, values), strict=True):
                assert same(got.data, 0.0 if expected is None else expected.item(), rel=1e-11, slack=1e-14)


# --- HIPS autograd


@pytest.mark.parametrize("name", AUTOGRAD)
@pytest.mark.filterwarnings("ignore:Output seems independent of input")  # `where` by its condition
def test_values_and_gradients_are_those_of_autograd(name):
    """At numbers away from kinks and poles: at the edges HIPS autograd follows NumPy's habits, we follow PyTorch's."""
    count = len(TABLE[name].partials)
    source = random.Random(name)
    low = 0.01 if name in ("log", "sqrt", "pow") else -0.99 if name == "log1p" else -30.0
    for _ in range(200):
        point = [source.uniform(low, 30.0) for _ in range(count)]
        inputs = [Value(x) for x in point]
        out = TABLE[name](*inputs)
        out.backward()
        assert same(out.data, float(AUTOGRAD[name](*point)))
        for i, x in enumerate(inputs):
            expected = float(autograd.grad(AUTOGRAD[name], i)(*point))
            assert same(x.grad, expected, rel=1e-12, slack=CANCELS.get(name, 0.0)), (point, i)


@pytest.mark.parametrize(
    ("name", "point"),
    [
        ("abs", (0.0,)),
        ("maximum", (2.0, 2.0)),
        ("minimum", (-1.0, -1.0)),
        ("exp", (1000.0,)),
        ("exp", (-1000.0,)),
        ("log", (0.0,)),
        ("log1p", (-1.0,)),
        ("sqrt", (0.0,)),
        ("tanh", (1000.0,)),
        ("sigmoid", (-1000.0,)),
        ("sigmoid", (800.0,)),
        ("softplus", (800.0,)),
        ("softplus", (-800.0,)),
        ("div", (1.0, 0.0)),
        ("div", (0.0, 0.0)),
        ("pow", (-8.0, 1 / 3)),
        ("pow", (0.0, 2.0)),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_edges_where_autograd_and_torch_are_of_one_mind(name, point):
    inputs = [Value(x) for x in point]
    out = TABLE[name](*inputs)
    out.backward()
    assert same(out.data, float(AUTOGRAD[name](*map(np.float64, point))))
    for i, x in enumerate(inputs):
        if (name, i) != ("pow", 1):  # 0 ** b by b: autograd says 0 * log(0 + tiny)
            assert same(x.grad, float(autograd.grad(AUTOGRAD[name], i)(*map(np.float64, point))))


# --- mpmath, to fifty digits

EXACT = {
    "exp": mpmath.exp,
    "expm1": mpmath.expm1,
    "log": mpmath.log,
    "log1p": mpmath.log1p,
    "tanh": mpmath.tanh,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
    "sqrt": mpmath.sqrt,
    "sin": mpmath.sin,
    "cos": mpmath.cos,
}
# Units in the last place. Those of libm stay below 1 (glibc's tables); ours are made of two or three of its results:
# logistic of exp, a sum and a quotient, softplus of exp, log1p and a sum.
BOUND = {"sigmoid": 3.0, "softplus": 2.0, "tanh": 2.0}


@pytest.mark.parametrize("name", EXACT)
def test_digits(name):
    source = random.Random(name)
    worst = 0.0
    with mpmath.workdps(400):  # 1 + e ** -700 needs three hundred digits
        for _ in range(1500):
            size = 10.0 ** source.uniform(-8, 2.8)
            x = size if name in ("log", "sqrt") else source.choice((-1, 1)) * size
            if name == "log1p" and x <= -1.0:
                continue
            exact, ours = EXACT[name](mpmath.mpf(x)), TABLE[name].forward(x)
            worst = max(worst, float(abs(mpmath.mpf(ours) - exact) / math.ulp(float(exact))))
    assert worst <= BOUND.get(name, 1.0)
