"""Scalar code of many kinds, as a user would write it, with numbers to run it on; for benchmarks and for tests."""

import math
import random
from collections.abc import Callable
from typing import Any

from micrograd_mlp import MLP, grad, losses, ops, optim

Program = tuple[Callable[..., Any], tuple[Any, ...]]  # a function of numbers, and arguments for it
SEED = 1337


def numbers(rng: random.Random, *shape: int, scale: float = 1.0) -> Any:
    """Return normally distributed numbers in nested lists of this shape."""
    if not shape:
        return rng.gauss(0.0, scale)
    return [numbers(rng, *shape[1:], scale=scale) for _ in range(shape[0])]


def dot(a: Any, b: Any) -> Any:
    return losses.total(x * y for x, y in zip(a, b, strict=True))


def flat(things: Any) -> list[Any]:
    return [n for thing in things for n in flat(thing)] if isinstance(things, list) else [things]


def with_slopes(function: Callable[..., Any], count: int) -> Callable[..., Any]:
    """Return a function that returns the result and its gradient by all numbers in the first `count` arguments."""

    def both(*args: Any) -> Any:
        loss = function(*args)
        return loss, grad(loss, flat([list(arg) if isinstance(arg, list) else arg for arg in args[:count]]))

    return both


def moons_loss(samples: int = 100) -> Program:
    rng = random.Random(SEED)
    model = MLP(2, [16, 16, 1], rng=rng)

    def loss(X: Any, y: Any) -> Any:
        data = losses.mean(losses.hinge(model(x), target) for x, target in zip(X, y, strict=True))
        return data + 1e-4 * losses.l2(model.parameters())

    return loss, (numbers(rng, samples, 2), [rng.choice([-1.0, 1.0]) for _ in range(samples)])


def moons_step(samples: int = 100, optimizer: Any = optim.SGD) -> Program:
    rng = random.Random(SEED)
    model = MLP(2, [16, 16, 1], rng=rng)
    parameters = model.parameters()
    rule = optimizer(parameters, lr=0.1)

    def step(X: Any, y: Any, memories: Any, count: Any) -> Any:
        data = losses.mean(losses.hinge(model(x), target) for x, target in zip(X, y, strict=True))
        loss = data + 1e-4 * losses.l2(parameters)
        return loss, rule.update(parameters, grad(loss, parameters), memories, 0.1, count)

    memories = [tuple(rng.random() for _ in rule.memory) for _ in parameters]
    return step, (numbers(rng, samples, 2), [rng.choice([-1.0, 1.0]) for _ in range(samples)], memories, 3.0)


def logistic_regression(samples: int = 40, n_in: int = 5) -> Program:
    def loss(w: Any, b: Any, X: Any, y: Any) -> Any:
        return losses.mean(losses.binary_cross_entropy(dot(w, x) + b, t) for x, t in zip(X, y, strict=True))

    rng = random.Random(SEED)
    targets = [float(rng.random() > 0.5) for _ in range(samples)]
    return with_slopes(loss, 2), (numbers(rng, n_in), 0.1, numbers(rng, samples, n_in), targets)


def convolution_1d(length: int = 40, taps: int = 5) -> Program:
    def loss(w: Any, x: Any) -> Any:
        out = [ops.tanh(dot(w, x[t : t + taps])) for t in range(length - taps + 1)]
        return losses.mean(o * o for o in out)

    rng = random.Random(SEED)
    return with_slopes(loss, 2), (numbers(rng, taps), numbers(rng, length))


def convolve_2d(image: Any, kernels: Any) -> Any:
    """Return for each kernel (channels, k, k) the valid convolution with an image (channels, height, width)."""
    size, height, width = len(kernels[0][0]), len(image[0]), len(image[0][0])
    return [
        [
            [
                losses.total(
                    kernel[c][i][j] * image[c][y + i][x + j]
                    for c in range(len(image))
                    for i in range(size)
                    for j in range(size)
                )
                for x in range(width - size + 1)
            ]
            for y in range(height - size + 1)
        ]
        for kernel in kernels
    ]


def convolutions_2d(size: int = 12, channels: int = 4) -> Program:
    def loss(first: Any, second: Any, image: Any) -> Any:
        hidden = [[[ops.relu(v) for v in row] for row in plane] for plane in convolve_2d(image, first)]
        return losses.mean(o * o for o in flat(convolve_2d(hidden, second)))

    rng = random.Random(SEED)
    kernels = numbers(rng, channels, 1, 3, 3), numbers(rng, channels, channels, 3, 3)
    return with_slopes(loss, 2), (*kernels, numbers(rng, 1, size, size))


def recurrent(steps: int = 6, units: int = 5) -> Program:
    def loss(u: Any, w: Any, xs: Any) -> Any:
        h = [0.0] * units
        for x in xs:
            h = [ops.tanh(dot(u_row, x) + dot(w_row, h)) for u_row, w_row in zip(u, w, strict=True)]
        return dot(h, h)

    rng = random.Random(SEED)
    return with_slopes(loss, 2), (numbers(rng, units, 3), numbers(rng, units, units), numbers(rng, steps, 3))


def lstm(steps: int = 10, units: int = 8) -> Program:
    def loss(weights: Any, biases: Any, xs: Any) -> Any:
        h, c = [0.0] * units, [0.0] * units
        for x in xs:
            gates = [
                [dot(row, [*x, *h]) + bias for row, bias in zip(gate, bs, strict=True)]
                for gate, bs in zip(weights, biases, strict=True)
            ]
            i, f, o = ([ops.sigmoid(z) for z in gate] for gate in gates[:3])
            g = [ops.tanh(z) for z in gates[3]]
            c = [f[k] * c[k] + i[k] * g[k] for k in range(units)]
            h = [o[k] * ops.tanh(c[k]) for k in range(units)]
        return dot(h, h)

    rng = random.Random(SEED)
    return with_slopes(loss, 2), (
        numbers(rng, 4, units, 3 + units, scale=0.3), numbers(rng, 4, units), numbers(rng, steps, 3))  # fmt: skip


def softmax(logits: Any) -> Any:
    exps = [ops.exp(logit) for logit in logits]
    norm = losses.total(exps)
    return [e / norm for e in exps]


def attention(tokens: int = 6, width: int = 4) -> Program:
    def loss(q: Any, k: Any, v: Any, xs: Any) -> Any:
        Q, K, V = ([[dot(row, x) for row in matrix] for x in xs] for matrix in (q, k, v))
        out = []
        for t in range(tokens):  # causal: looks back only
            weights = softmax([dot(Q[t], K[s]) * (1.0 / math.sqrt(width)) for s in range(t + 1)])
            out.append([dot(weights, [V[s][j] for s in range(t + 1)]) for j in range(width)])
        return losses.mean(o * o for o in flat(out))

    rng = random.Random(SEED)
    matrices = [numbers(rng, width, width) for _ in range(3)]
    return with_slopes(loss, 3), (*matrices, numbers(rng, tokens, width))


def likeliest(logits: Any, target: Any) -> Any:
    """Return -ln softmax(logits)[target] as microgpt has it: probabilities first."""
    return -ops.log(dot([ops.equal(target, float(c)) for c in range(len(logits))], softmax(logits)))


def gpt_step(tokens: int = 8, width: int = 16, heads: int = 4, vocabulary: int = 27, nll: Any = likeliest) -> Program:
    """Return a training step of a GPT of one layer, as in microgpt: RMS norm, causal attention, ReLU, Adam."""
    rng = random.Random(SEED)
    shapes = {"wte": (vocabulary, width), "wpe": (tokens, width), "wq": (width, width), "wk": (width, width),
              "wv": (width, width), "wo": (width, width), "up": (4 * width, width), "down": (width, 4 * width),
              "head": (vocabulary, width)}  # fmt: skip
    part = width // heads

    def linear(x: Any, w: Any) -> Any:
        return [dot(row, x) for row in w]

    def norm(x: Any) -> Any:
        scale = (losses.mean(a * a for a in x) + 1e-5) ** -0.5
        return [a * scale for a in x]

    def forward(p: Any, text: Any, following: Any) -> Any:
        keys: Any = []
        values: Any = []
        terms = []
        for place in range(tokens):
            one_hot = [ops.equal(text[place], float(c)) for c in range(vocabulary)]
            token = [dot(one_hot, [row[j] for row in p["wte"]]) for j in range(width)]
            x = norm([a + b for a, b in zip(token, p["wpe"][place], strict=True)])
            before, x = x, norm(x)
            q = linear(x, p["wq"])
            keys.append(linear(x, p["wk"]))
            values.append(linear(x, p["wv"]))
            mixed = []
            for head in range(heads):
                own = slice(head * part, (head + 1) * part)
                weights = softmax([dot(q[own], key[own]) * (1.0 / math.sqrt(part)) for key in keys])
                mixed += [dot(weights, [value[j] for value in values]) for j in range(own.start, own.stop)]
            x = [a + b for a, b in zip(linear(mixed, p["wo"]), before, strict=True)]
            before, x = x, norm(x)
            hidden = [ops.relu(a) for a in linear(x, p["up"])]
            x = [a + b for a, b in zip(linear(hidden, p["down"]), before, strict=True)]
            terms.append(nll(linear(x, p["head"]), following[place]))
        return losses.mean(terms)

    def step(p: Any, m: Any, v: Any, text: Any, following: Any, count: Any) -> Any:
        loss, values = forward(p, text, following), flat(list(p.values()))
        rule = optim.Adam.__new__(optim.Adam)
        rule.betas, rule.eps, rule.weight_decay = (0.9, 0.99), 1e-8, 0.0
        memories = list(zip(flat(list(m.values())), flat(list(v.values())), strict=True))
        return loss, rule.update(values, grad(loss, values), memories, 0.01, count)

    p = {name: numbers(rng, *shape, scale=0.3) for name, shape in shapes.items()}
    m = {name: numbers(rng, *shape, scale=0.01) for name, shape in shapes.items()}
    v = {name: [[0.01 + rng.random() for _ in row] for row in rows] for name, rows in m.items()}
    text = [float(rng.randrange(vocabulary)) for _ in range(tokens + 1)]
    return step, (p, m, v, text[:-1], text[1:], 3.0)


def leapfrog(steps: int = 10) -> Program:
    """Return the energy of two bodies after some steps of leapfrog, and its gradient by where they started."""

    def energy(places: Any, speeds: Any, masses: Any) -> Any:
        a, b = places
        va, vb = speeds
        for _ in range(steps):
            a = [p + 0.005 * v for p, v in zip(a, va, strict=True)]
            b = [p + 0.005 * v for p, v in zip(b, vb, strict=True)]
            away = [q - p for p, q in zip(a, b, strict=True)]
            pull = 1.0 / (dot(away, away) * ops.sqrt(dot(away, away)))
            va = [v + 0.01 * masses[1] * pull * d for v, d in zip(va, away, strict=True)]
            vb = [v - 0.01 * masses[0] * pull * d for v, d in zip(vb, away, strict=True)]
            a = [p + 0.005 * v for p, v in zip(a, va, strict=True)]
            b = [p + 0.005 * v for p, v in zip(b, vb, strict=True)]
        away = [q - p for p, q in zip(a, b, strict=True)]
        moving = 0.5 * masses[0] * dot(va, va) + 0.5 * masses[1] * dot(vb, vb)
        return moving - masses[0] * masses[1] / ops.sqrt(dot(away, away))

    return with_slopes(energy, 2), ([[0.0, 0.1], [1.0, 0.0]], [[0.0, -0.5], [0.1, 0.5]], [1.0, 0.7])


def cholesky_likelihood(size: int = 16) -> Program:
    """Return the negative log likelihood of a Gaussian process, by the Cholesky factor, and its gradient."""

    def likelihood(hyper: Any, xs: Any, ys: Any) -> Any:
        length, noise = hyper
        L: Any = [[0.0] * size for _ in range(size)]
        for i in range(size):
            for j in range(i + 1):
                away = xs[i] - xs[j]
                s = ops.exp(-0.5 * away * away / (length * length)) + (noise if i == j else 0.0)
                for k in range(j):
                    s = s - L[i][k] * L[j][k]
                L[i][j] = ops.sqrt(s) if i == j else s / L[j][j]
        z: Any = []
        for i in range(size):
            z.append((ys[i] - losses.total(L[i][k] * z[k] for k in range(i))) / L[i][i])
        return losses.total(0.5 * a * a for a in z) + losses.total(ops.log(L[i][i]) for i in range(size))

    rng = random.Random(SEED)
    return with_slopes(likelihood, 1), ([0.8, 0.3], [0.5 * i for i in range(size)], numbers(rng, size))


PROGRAMS: dict[str, Callable[[], Program]] = {
    "moons loss, 100 samples": moons_loss,
    "moons step, 100 samples": moons_step,
    "moons step, 1 sample": lambda: moons_step(1),
    "moons step with Adam, 100 samples": lambda: moons_step(100, optim.Adam),
    "logistic regression": logistic_regression,
    "1-D convolution": convolution_1d,
    "two 2-D convolutions": convolutions_2d,
    "recurrent network": recurrent,
    "LSTM, 8 units, 10 steps": lstm,
    "causal attention": attention,
    "GPT step, 8 tokens": gpt_step,
    "GPT step, 16 tokens": lambda: gpt_step(16),
    "the same with losses.cross_entropy": lambda: gpt_step(16, nll=losses.cross_entropy),
    "two bodies, leapfrog": leapfrog,
    "Cholesky likelihood, n = 16": cholesky_likelihood,
}
