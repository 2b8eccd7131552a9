"""What people write for karpathy/micrograd, EurekaLabsAI/micrograd and microgpt, written afresh, with our import."""

import math
import random
from itertools import pairwise

import numpy as np
import pytest

from micrograd_mlp import MLP, Layer, Module, Neuron, Value
from micrograd_mlp import engine as engine_module
from micrograd_mlp import nn as nn_module


def slope(function, value, h=1e-6):
    """Return the derivative of the float `function()` by `value.data`, by a central difference."""
    kept = value.data
    value.data = kept + h
    above = function()
    value.data = kept - h
    below = function()
    value.data = kept
    return (above - below) / (2 * h)


def test_names_stand_in_modules_of_the_same_names():
    assert engine_module.Value is Value
    assert (nn_module.Module, nn_module.Neuron, nn_module.Layer, nn_module.MLP) == (Module, Neuron, Layer, MLP)


# --- karpathy/micrograd


def test_a_long_expression_of_plus_times_power_and_relu():
    def forward(p, q):
        u = p * q + q**2 - p / 4
        u += u + 1
        u += 2 + u + (-p)
        v = (u - q).relu() + 3 * p
        v = v * 2 + (q + p).relu()
        w = u - v
        return w**2 / 2.0 + 10.0 / w + (5 - w) * 0.1

    p, q = Value(-4.0), Value(2.5)
    out = forward(p, q)
    out.backward()

    class Plain(float):  # the same on floats
        def relu(self):
            return Plain(max(self, 0.0))

    for name in ("add", "radd", "sub", "rsub", "mul", "rmul", "truediv", "rtruediv", "pow", "neg"):
        base = getattr(float, f"__{name}__")
        setattr(Plain, f"__{name}__", lambda *args, base=base: Plain(base(*args)))
    assert out.data == forward(Plain(p.data), Plain(q.data))
    assert p.grad == pytest.approx(slope(lambda: forward(Plain(p.data), Plain(q.data)), p), rel=1e-6)
    assert q.grad == pytest.approx(slope(lambda: forward(Plain(p.data), Plain(q.data)), q), rel=1e-6)


def test_the_neuron_of_the_lecture():
    x1, x2, w1, w2 = Value(2.0), Value(0.0), Value(-3.0), Value(1.0)
    b = Value(6.8813735870195432)
    x1w1 = x1 * w1
    x1w1.label = "x1*w1"
    n = x1w1 + x2 * w2 + b
    o = n.tanh()
    o.backward()
    assert o.data == pytest.approx(math.sqrt(0.5))
    assert [v.grad for v in (x1, w1, x2, w2)] == pytest.approx([-1.5, 1.0, 0.5, 0.0])
    e = (2 * n).exp()  # tanh taken apart gives the same
    again = (e - 1) / (e + 1)
    x1.grad = 0.0
    again.backward()
    assert (again.data, x1.grad) == pytest.approx((o.data, -1.5))


def test_an_operation_added_from_outside_as_in_the_lecture():
    def tanh(self):
        t = (math.exp(2 * self.data) - 1) / (math.exp(2 * self.data) + 1)
        out = Value(t, (self,), "tanh")

        def _backward():
            self.grad += (1 - t**2) * out.grad

        out._backward = _backward
        return out

    a = Value(0.3)
    (tanh(a * 2) + a).backward()
    assert a.grad == pytest.approx(2 * (1 - math.tanh(0.6) ** 2) + 1)


def test_backward_by_hand_node_by_node():
    a, b = Value(2.0), Value(-3.0)
    product = a * b
    total = product + a
    total.grad = 1.0
    total._backward()
    product._backward()
    a._backward()  # a leaf does nothing
    assert (a.grad, b.grad) == (-2.0, 2.0)


def moons(count):
    generator = np.random.default_rng(7)
    angle = np.pi * generator.random(count)
    y = np.arange(count) % 2
    X = np.stack([np.where(y, 1 - np.cos(angle), np.cos(angle)), np.where(y, 0.5 - np.sin(angle), np.sin(angle))], 1)
    return X + 0.05 * generator.normal(size=X.shape), y * 2 - 1


def test_the_training_loop_of_the_demo():
    np.random.seed(1337)
    random.seed(1337)
    X, y = moons(40)
    model = MLP(2, [8, 8, 1])
    assert str(model).startswith("MLP of [Layer of [ReLUNeuron(2), ReLUNeuron(2), ")
    assert len(model.parameters()) == 105

    def loss(batch_size=None):
        if batch_size is None:
            Xb, yb = X, y
        else:
            chosen = np.random.permutation(X.shape[0])[:batch_size]
            Xb, yb = X[chosen], y[chosen]
        inputs = [list(map(Value, row)) for row in Xb]
        scores = list(map(model, inputs))
        losses = [(1 + -yi * score).relu() for yi, score in zip(yb, scores, strict=True)]
        data_loss = sum(losses) * (1.0 / len(losses))
        reg_loss = 1e-4 * sum(p * p for p in model.parameters())
        accuracy = [(yi > 0) == (score.data > 0) for yi, score in zip(yb, scores, strict=True)]
        return data_loss + reg_loss, sum(accuracy) / len(accuracy)

    first, _ = loss()
    for k in range(40):
        total, _ = loss(batch_size=20 if k % 10 == 0 else None)
        model.zero_grad()
        total.backward()
        learning_rate = 1.0 - 0.9 * k / 40
        for p in model.parameters():
            p.data -= learning_rate * p.grad
    last, accuracy = loss()
    assert isinstance(last.data, float)
    assert last.data < 0.3 * first.data
    assert accuracy >= 0.9
    grid = np.c_[np.linspace(-1, 2, 4), np.linspace(-1, 1, 4)]
    Z = np.array([s.data > 0 for s in (model(list(map(Value, row))) for row in grid)])
    assert Z.dtype == bool


def test_tracing_a_graph_to_draw_it():
    x = Value(1.0)
    y = (x * 2 + 1).relu()
    y.backward()
    nodes, edges = set(), set()

    def build(v):
        if v not in nodes:
            nodes.add(v)
            for child in v._prev:
                edges.add((child, v))
                build(child)

    build(y)
    assert len(nodes) == 4
    assert len(edges) == 3
    lines = []
    for n in nodes:
        lines.append(f'{id(n)} [label="{{ data {n.data:.4f} | grad {n.grad:.4f} }}", shape=record]')
        if n._op:
            lines += [f'{id(n)}{n._op} [label="{n._op}"]', f"{id(n)}{n._op} -> {id(n)}"]
    lines += [f"{id(a)} -> {id(b)}{b._op}" for a, b in edges]
    assert len(lines) == 4 + 3 * 2 + 3
    assert f"{{ data {y.data:.4f} | grad {y.grad:.4f} }}" == "{ data 3.0000 | grad 1.0000 }"
    assert {n._op for n in nodes} == {"", "*", "+", "ReLU"}
    assert set((x * x)._prev) == {x}


def test_a_neuron_of_the_notebook():
    random.seed(1337)
    n = Neuron(2)
    x = [Value(1.0), Value(-2.0)]
    y = n(x)
    y.backward()
    active = y.data > 0
    assert [w.grad for w in n.w] == ([1.0, -2.0] if active else [0.0, 0.0])
    assert n.nonlin is True


def test_a_module_of_ones_own_with_micrograd_s_protocol():
    class Scaler(Module):
        def __init__(self, layer):
            self.layer, self.gain = layer, Value(2.0)

        def __call__(self, x):
            return self.layer(x) * self.gain

        def parameters(self):
            return [*self.layer.parameters(), self.gain]

    model = Scaler(Layer(2, 1, nonlin=False))
    model([1.0, 2.0]).backward()
    assert model.layer.neurons[0].b.grad == 2.0
    model.zero_grad()
    assert all(p.grad == 0 for p in model.parameters())


# --- EurekaLabsAI/micrograd


def cross_entropy(logits, target):
    largest = max(logits, key=lambda v: v.data)
    exps = [(v - largest.data).exp() for v in logits]
    return -(exps[target] / sum(exps)).log()


class AdamW:
    """Keeps its moments on the parameters themselves."""

    def __init__(self, parameters, lr=0.1, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.0):
        self.parameters, self.lr, self.betas, self.eps, self.weight_decay = parameters, lr, betas, eps, weight_decay
        self.t = 0
        for p in parameters:
            p.m = 0.0
            p.v = 0.0

    def step(self):
        self.t += 1
        b1, b2 = self.betas
        for p in self.parameters:
            p.m = b1 * p.m + (1 - b1) * p.grad
            p.v = b2 * p.v + (1 - b2) * p.grad**2
            m, v = p.m / (1 - b1**self.t), p.v / (1 - b2**self.t)
            p.data -= self.lr * (m / (v**0.5 + self.eps) + self.weight_decay * p.data)

    def zero_grad(self):
        for p in self.parameters:
            p.grad = 0.0


class Xorshift:
    def __init__(self, seed):
        self.state = seed

    def random(self):
        self.state ^= (self.state << 13) & 0xFFFFFFFFFFFFFFFF
        self.state ^= self.state >> 7
        self.state ^= (self.state << 17) & 0xFFFFFFFFFFFFFFFF
        return (self.state >> 11) / 2**53

    def uniform(self, a=0.0, b=1.0):
        return a + (b - a) * self.random()


def test_three_classes_with_adamw_on_the_parameters():
    generator = Xorshift(42)
    points = [[generator.uniform(-2, 2), generator.uniform(-2, 2)] for _ in range(45)]
    targets = [0 if x < -0.5 else 1 if x > 0.5 else 2 for x, _ in points]
    model = MLP(2, [6, 3], activation="tanh", rng=generator)
    optimizer = AdamW(model.parameters(), weight_decay=1e-4)

    def mean_loss():
        losses = [cross_entropy(model([Value(a) for a in x]), t) for x, t in zip(points, targets, strict=True)]
        return sum(losses) / len(losses)

    first = mean_loss().data
    for _ in range(30):
        loss = mean_loss()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert loss.data < 0.3 * first
    assert model.parameters()[0].v > 0


def test_children_by_the_keyword_prev():
    x = Value(0.5)
    out = Value(math.tanh(x.data), _prev=(x,), _op="tanh")
    assert (out._prev, out._op) == ((x,), "tanh")


def test_colours_are_written_on_the_nodes():
    model = MLP(2, [2, 1])
    y = model([Value(1.0), Value(2.0)])
    for p in model.parameters():
        p._vis_color = "lightblue"
    assert model.parameters()[0]._vis_color == "lightblue"
    assert not hasattr(y, "_vis_color")


def test_the_gradient_of_softmax_cross_entropy():
    logits = [Value(1.0), Value(-0.5), Value(2.0)]
    cross_entropy(logits, 1).backward()
    total = sum(math.exp(v.data) for v in logits)
    expected = [math.exp(v.data) / total - (i == 1) for i, v in enumerate(logits)]
    assert [v.grad for v in logits] == pytest.approx(expected)
    assert cross_entropy([Value(800.0), Value(0.0)], 1).data == math.inf  # taken apart, it is e ** -800


# --- microgpt


def linear(x, w):
    return [sum(wi * xi for wi, xi in zip(row, x, strict=True)) for row in w]


def softmax(logits):
    largest = max(v.data for v in logits)
    exps = [(v - largest).exp() for v in logits]
    total = sum(exps)
    return [e / total for e in exps]


def rmsnorm(x):
    mean_square = sum(xi * xi for xi in x) / len(x)
    scale = (mean_square + 1e-5) ** -0.5
    return [xi * scale for xi in x]


class TinyTransformer:
    """One layer, causal by construction: a position sees the keys and values met before it."""

    def __init__(self, vocabulary=5, width=4, heads=2, block=6, seed=42):
        generator = random.Random(seed)

        def matrix(rows, columns, std=0.3):
            return [[Value(generator.gauss(0, std)) for _ in range(columns)] for _ in range(rows)]

        self.heads, self.width = heads, width
        self.weights = {
            "tokens": matrix(vocabulary, width),
            "places": matrix(block, width),
            "q": matrix(width, width),
            "k": matrix(width, width),
            "v": matrix(width, width),
            "o": matrix(width, width),
            "up": matrix(4 * width, width),
            "down": matrix(width, 4 * width),
            "head": matrix(vocabulary, width),
        }
        self.params = [p for m in self.weights.values() for row in m for p in row]

    def forward(self, token, place, keys, values):
        w, size = self.weights, self.width // self.heads
        x = rmsnorm([t + p for t, p in zip(w["tokens"][token], w["places"][place], strict=True)])
        residual, x = x, rmsnorm(x)
        q = linear(x, w["q"])
        keys.append(linear(x, w["k"]))
        values.append(linear(x, w["v"]))
        attended = []
        for start in range(0, self.width, size):
            part = slice(start, start + size)
            scores = [sum(a * b for a, b in zip(q[part], k[part], strict=True)) / size**0.5 for k in keys]
            shares = softmax(scores)
            attended += [sum(s * v[part][j] for s, v in zip(shares, values, strict=True)) for j in range(size)]
        x = [a + b for a, b in zip(linear(attended, w["o"]), residual, strict=True)]
        residual = x
        x = linear([h.relu() for h in linear(rmsnorm(x), w["up"])], w["down"])
        return linear([a + b for a, b in zip(x, residual, strict=True)], w["head"])

    def loss(self, tokens):
        keys, values, losses = [], [], []
        for place, (token, target) in enumerate(pairwise(tokens)):
            probabilities = softmax(self.forward(token, place, keys, values))
            losses.append(-probabilities[target].log())
        return (1 / len(losses)) * sum(losses)


def test_a_tiny_transformer_has_the_right_gradients():
    model, tokens = TinyTransformer(), [0, 3, 1, 3, 2]
    model.loss(tokens).backward()
    for p in model.params[::17]:
        assert p.grad == pytest.approx(slope(lambda: model.loss(tokens).data, p, h=1e-5), rel=1e-5, abs=1e-9)


def test_a_tiny_transformer_learns_with_inline_adam():
    model, tokens = TinyTransformer(), [0, 3, 1, 3, 2]
    m, v = [0.0] * len(model.params), [0.0] * len(model.params)
    first = model.loss(tokens).data
    steps, b1, b2 = 40, 0.85, 0.99
    for step in range(steps):
        loss = model.loss(tokens)
        loss.backward()
        lr = 0.05 * (1 - step / steps)
        for i, p in enumerate(model.params):
            m[i] = b1 * m[i] + (1 - b1) * p.grad
            v[i] = b2 * v[i] + (1 - b2) * p.grad**2
            p.data -= lr * (m[i] / (1 - b1 ** (step + 1))) / ((v[i] / (1 - b2 ** (step + 1))) ** 0.5 + 1e-8)
            p.grad = 0
    assert loss.data < 0.2 * first


def test_one_backward_for_each_position_over_shared_keys_gives_the_sum():
    """The idiom that goes wrong where inner gradients are not set back: PEERS tells of cosines near 0."""
    model, tokens = TinyTransformer(), [0, 3, 1, 3, 2]
    model.loss(tokens).backward()
    expected = [p.grad for p in model.params]
    for p in model.params:
        p.grad = 0
    keys, values = [], []
    for place in range(len(tokens) - 1):
        probabilities = softmax(model.forward(tokens[place], place, keys, values))
        loss = -probabilities[tokens[place + 1]].log() / (len(tokens) - 1)
        loss.backward()
    assert [p.grad for p in model.params] == pytest.approx(expected, rel=1e-10, abs=1e-15)


def test_walking_children_and_local_grads_by_hand_is_backward():
    a, b = Value(0.7), Value(-1.3)
    out = (a * b + a**2).exp() / (b - 3.0) + (-a).relu() * 2.0
    order, met = [], set()

    def build(v):
        if v not in met:
            met.add(v)
            for child in v._children:
                build(child)
            order.append(v)

    build(out)
    slopes = dict.fromkeys(order, 0.0)
    slopes[out] = 1.0
    for v in reversed(order):
        for child, local in zip(v._children, v._local_grads, strict=True):
            slopes[child] += local * slopes[v]
    out.backward()
    assert [slopes[a], slopes[b]] == pytest.approx([a.grad, b.grad])


def test_values_made_with_local_grads_in_the_third_place():
    def power(base, exponent):
        return Value(base.data**exponent, (base,), (exponent * base.data ** (exponent - 1),))

    x = Value(3.0)
    (power(x, 2) * 2).backward()
    assert x.grad == 12.0
    assert power(x, 2)._local_grads == (6.0,)
