"""Random expression graphs, the same one in our engine and in PyTorch."""

import math

import pytest
import torch
from counterparts import TORCH
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from micrograd_mlp import Value, grad, topological_order
from micrograd_mlp.ops import TABLE

# Where an operation is taken: off its poles, off its kinks (a rounding may fall to the other side), and in numbers of
# moderate size, for a graph that multiplies rounding errors by 1e6 shows nothing about the rules.
DOMAIN = {
    "div": lambda a, b: abs(b) > 0.2,
    "pow": lambda a, b: a > 0.2 and abs(b) < 3.0,
    "exp": lambda a: a < 3.0,
    "expm1": lambda a: a < 3.0,
    "log": lambda a: a > 0.2,
    "log1p": lambda a: a > -0.8,
    "sqrt": lambda a: a > 0.2,
    "relu": lambda a: abs(a) > 1e-6,
    "leaky_relu": lambda a, b: abs(a) > 1e-6,
    "abs": lambda a: abs(a) > 1e-6,
    "step": lambda a: abs(a) > 1e-6,
    "maximum": lambda a, b: abs(a - b) > 1e-6,
    "minimum": lambda a, b: abs(a - b) > 1e-6,
    "equal": lambda a, b: abs(a - b) > 1e-6,
    "where": lambda a, b, c: abs(a) > 1e-6 or a == 0.0,
}
SMOOTH = [name for name in TABLE if name not in ("relu", "leaky_relu", "abs", "step", "maximum", "minimum", "equal")]
LIMIT = 20.0

numbers = st.floats(-3.0, 3.0).filter(lambda x: abs(x) > 0.05)


@st.composite
def programs(draw, names=tuple(TABLE), length=25):
    """Return numbers for the leaves, and steps (name, where the arguments are: a place, or a number in the code)."""
    leaves = draw(st.lists(numbers, min_size=2, max_size=4))
    steps = []
    for index in range(draw(st.integers(3, length))):
        name = draw(st.sampled_from(names))
        places = st.integers(0, len(leaves) + index - 1)
        count = len(TABLE[name].partials)
        args = [draw(places)] + [draw(st.one_of(places, places, numbers)) for _ in range(count - 1)]
        steps.append((name, draw(st.permutations(args))))
    return leaves, steps


def run(leaves, steps):
    """Return the leaves and all nodes in both engines. Where a step would leave its domain, a sine takes its place."""
    ours = [Value(x) for x in leaves]
    theirs = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in leaves]
    for step, places in steps:
        data = [ours[place].data if isinstance(place, int) else place for place in places]
        inside = step not in DOMAIN or DOMAIN[step](*data)
        if inside and abs(TABLE[step].forward(*data)) < LIMIT:
            name, args = step, places
        else:
            name, args = "sin", [next(place for place in places if isinstance(place, int))]
        ours.append(TABLE[name](*[ours[arg] if isinstance(arg, int) else arg for arg in args]))
        constants = [arg if isinstance(arg, int) else torch.tensor(arg, dtype=torch.float64) for arg in args]
        theirs.append(TORCH[name](*[theirs[arg] if isinstance(arg, int) else arg for arg in constants]))
    return ours[: len(leaves)], theirs[: len(leaves)], ours, theirs


def sizes(root, inputs):
    """Return what the gradient by each input would be if nothing cancelled: the scale of its rounding errors."""
    total = dict.fromkeys(topological_order(root), 0.0)
    total[root] = 1.0
    for node in reversed(topological_order(root)):
        for arg, slope in zip(node._prev, node._local_grads, strict=True):
            total[arg] += abs(slope) * total[node]
    return [total.get(x, 0.0) for x in inputs]


def close(ours, theirs, size, rel=1e-12):
    theirs = 0.0 if theirs is None else theirs.item()
    return abs(ours - theirs) <= rel * max(abs(theirs), size, 1e-3)


@given(programs())
@settings(max_examples=1000)
def test_values_and_gradients(program):
    inputs, leaves, ours, theirs = run(*program)
    for mine, other in zip(ours, theirs, strict=True):
        assert close(mine.data, other, 1.0)
    root, torch_root = sum(ours[-3:]), sum(theirs[-3:])
    assume(torch_root.requires_grad)
    expected = torch.autograd.grad(torch_root, leaves, allow_unused=True)
    root.backward()
    slopes = grad(root, inputs)
    for x, slope, other, size in zip(inputs, slopes, expected, sizes(root, inputs), strict=True):
        assert close(x.grad, other, size), (x.grad, other, size)
        assert close(slope.data, other, size)


@given(programs())
@settings(max_examples=500)
def test_two_passes_over_shared_nodes(program):
    inputs, leaves, ours, theirs = run(*program)
    first, second = ours[-1], ours[-2] + ours[-3]
    torch_first, torch_second = theirs[-1], theirs[-2] + theirs[-3]
    assume(torch_first.requires_grad and torch_second.requires_grad)
    for node in theirs:
        if node.requires_grad:
            node.retain_grad()
    for root, torch_root in ((first, torch_first), (second, torch_second), (first, torch_first)):
        for node in theirs[len(leaves) :]:
            node.grad = None  # inner gradients of one pass alone; PyTorch would add retained ones up
        root.backward()
        torch_root.backward(retain_graph=True)
    size = [2 * a + b for a, b in zip(sizes(first, inputs), sizes(second, inputs), strict=True)]
    for x, leaf, scale in zip(inputs, leaves, size, strict=True):
        assert close(x.grad, leaf.grad, scale)
    reached = set(topological_order(first))
    for node, other in zip(ours[len(leaves) :], theirs[len(leaves) :], strict=True):
        if node in reached and other.requires_grad:  # PyTorch takes what follows a step for a number
            assert close(node.grad, other.grad, sizes(first, [node])[0])


@given(programs(names=tuple(SMOOTH), length=12))
@settings(max_examples=500)
def test_second_derivatives(program):
    inputs, leaves, ours, theirs = run(*program)
    root, torch_root = sum(ours[-2:]), sum(theirs[-2:])
    assume(torch_root.requires_grad)
    first = torch.autograd.grad(torch_root, leaves, create_graph=True, allow_unused=True)
    for slope, other in zip(grad(root, inputs), first, strict=True):
        if other is None or not other.requires_grad:
            second = [None] * len(leaves)
        else:
            second = torch.autograd.grad(other, leaves, retain_graph=True, allow_unused=True)
        scale = sizes(slope, inputs)
        for mine, expected, size in zip(grad(slope, inputs), second, scale, strict=True):
            # 1 - out * out and its kind lose digits to torch's other tanh, once more for each derivative
            assert close(mine.data, expected, max(size, 1.0), rel=1e-11), (mine.data, expected, size)


@given(programs(names=("add", "sub", "mul", "tanh", "relu"), length=10))
@settings(max_examples=200)
def test_gradient_penalties(program):
    inputs, leaves, ours, theirs = run(*program)
    root, torch_root = ours[-1], theirs[-1]
    penalty = sum(slope * slope for slope in grad(root, inputs)) + root
    first = torch.autograd.grad(torch_root, leaves, create_graph=True, allow_unused=True)
    torch_penalty = sum(slope * slope for slope in first if slope is not None) + torch_root
    penalty.backward()
    torch_penalty.backward()
    for x, leaf, size in zip(inputs, leaves, sizes(penalty, inputs), strict=True):
        assert close(x.grad, leaf.grad, size, rel=1e-11)


def test_a_network_step_is_that_of_torch():
    from micrograd_mlp import MLP

    model = MLP(3, [5, 4, 2], activation=["tanh", "sigmoid", "linear"])
    x = [0.5, -1.2, 0.3]
    out = model(x)
    (out[0] * out[1] + out[0] ** 2).backward()
    h = torch.tensor(x, dtype=torch.float64)
    tensors = []
    for layer, function in zip(model.layers, (torch.tanh, torch.sigmoid, lambda a: a), strict=True):
        w = torch.tensor([[p.data for p in n.w] for n in layer.neurons], dtype=torch.float64, requires_grad=True)
        b = torch.tensor([n.b.data for n in layer.neurons], dtype=torch.float64, requires_grad=True)
        tensors.append((w, b))
        h = function(w @ h + b)
    (h[0] * h[1] + h[0] ** 2).backward()
    for layer, (w, b) in zip(model.layers, tensors, strict=True):
        assert [p.grad for n in layer.neurons for p in n.w] == pytest.approx(w.grad.flatten().tolist(), rel=1e-12)
        assert [n.b.grad for n in layer.neurons] == pytest.approx(b.grad.tolist(), rel=1e-12)


def test_a_wrong_rule_would_be_found():
    assert not close(1.0 + 1e-11, torch.tensor(1.0), 1.0)
    assert not close(math.nan, torch.tensor(1.0), 1.0)
