"""Models to export, the points that every export is tried on, and the system's C compiler."""

import functools
import random
import shutil
import subprocess
from importlib.util import find_spec

import numpy as np
import pytest

from micrograd_mlp import MLP
from micrograd_mlp.classifier import Classifier, Scaling
from micrograd_mlp.regressor import Regressor

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic")
SANITIZED = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
COMPILER = shutil.which("cc")
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="there is no C compiler (cc) here, so no C was tried")

HOSTILE = (
    "quotes \" ' \"\"\" '''", "lines\r\n\u2028\x85", "*/ int x; /*", "%s %n {n_in} {classes} \\", "NUL \0 after",
    "\u202eright-to-left", "??/ ??) trigraphs", "</script><script>alert(1)", "\ud800 half a letter", "",
    "\U0001f600" * 2000, "\x1b[31m \t \x7f",
)  # fmt: skip
EXTREMES = (0.0, -0.0, 5e-324, 1e-300, 1.0, 1e3, -1e8, 1e16, -1e100, 1e154, -1e300, 1e308, -1.7e308,
            np.inf, -np.inf, np.nan)  # fmt: skip
CASES = {  # sizes of layers, activations
    "relu": ((2, 6, 5, 3), "relu"),
    "leaky_relu": ((2, 6, 5, 1), "leaky_relu"),
    "tanh": ((2, 16, 16, 1), "tanh"),
    "sigmoid": ((3, 6, 5, 4), "sigmoid"),
    "sin": ((2, 6, 5, 3), "sin"),
    "last layer curved": ((2, 4, 2), ["sin", "sigmoid"]),
    "no hidden layer": ((4, 1), "relu"),
    "single numbers": ((1, 1, 1), "tanh"),
    "mixed": ((13, 12, 1, 7, 10), ["tanh", "linear", "relu", "linear"]),
}
EXTREME = {case: case not in ("sin", "last layer curved") for case in CASES}  # sin of 1e100 hangs on a sum's last bit


@functools.cache
def classifier(case):
    """Return an untrained classifier with biases that are not 0, and a scaling that is not trivial."""
    (n_in, *sizes), activation = CASES[case]
    rng = random.Random(case)
    model = MLP(n_in, sizes, activation=activation, rng=rng)
    for layer in model.layers:
        for neuron in layer.neurons:
            neuron.b.data = rng.uniform(-1, 1)
    X = np.random.default_rng(0).normal(size=(50, n_in)) * 10.0 ** np.arange(n_in).clip(max=3) + 7.0
    X[:, 1:2] = 0.25  # a column that is constant, as far as there is a second one
    classes = tuple(f"class {k}" for k in range(max(2, sizes[-1])))
    return Classifier(model, Scaling.of(X), tuple(f"feature {k}" for k in range(n_in)), classes)


@functools.cache
def regressor(case):
    """Return the network of a classifier as a regressor."""
    it = classifier(case)
    targets = tuple(f"target {k}" for k in range(CASES[case][0][-1]))
    return Regressor(it.model, it.scaling, it.features, targets)


@functools.cache
def predicted(case):
    """Return 2,000 points, a thousand of them made of extremes and others where no sine is, and what is predicted."""
    X = points(case, EXTREME[case])[8000:]
    with np.errstate(all="ignore"):
        return X, regressor(case).predict(X).reshape(len(X), -1)


def agree_targets(got, wanted):
    """Compare predictions: to twelve digits, as sums come in another order; those of sums beyond all floats not."""
    np.testing.assert_array_equal(np.isnan(got), np.isnan(wanted))
    np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-9)


def points(case, extreme=True):
    """Return 10,000 points: most around those of the data, a thousand of them made of extremes and others."""
    scaling = classifier(case).scaling
    rng = np.random.default_rng(1)
    X = rng.normal(size=(10_000, len(scaling.mean))) * 3.0 * scaling.deviation + scaling.mean
    some = X[9000:]
    if extreme:
        chosen = rng.choice(EXTREMES, size=some.shape)
        some[...] = np.where(rng.random(some.shape) < 0.7, chosen, some)
    else:
        some *= 1000.0
    return X


@functools.cache
def expected(case, extreme=True):
    with np.errstate(all="ignore"):
        return classifier(case).predict_proba(points(case, extreme))


def single(X):
    """Return numbers as float32, to compute with or to write."""
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(X, dtype=np.float32)


@functools.cache
def expected_single(case):
    """Return 2,000 points in float32, inf and nan among them where no sine is, and NumPy's probabilities in float32."""
    first = 7500 if EXTREME[case] else 7000
    X = single(points(case, EXTREME[case])[first : first + 2000])
    X = X[(~np.isfinite(X) | (np.abs(X) < 1e6)).all(axis=1)]
    model = classifier(case)
    with np.errstate(all="ignore"):
        x = (X - single(model.scaling.mean)) / single(model.scaling.deviation)
        for layer in model.model.layers:
            weight = single([[w.data for w in neuron.w] for neuron in layer.neurons])
            total = np.broadcast_to(single([neuron.b.data for neuron in layer.neurons]), (len(x), len(weight)))
            for k in range(x.shape[1]):
                total = total + x[:, k : k + 1] * weight[:, k]
            x = CURVES[layer.neurons[0].activation](total)
        scores = np.column_stack([np.zeros_like(x), x]) if x.shape[1] == 1 else x
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        answers = powers / powers.sum(axis=1, keepdims=True)
    assert answers.dtype == np.float32
    return X, answers


CURVES = {
    "relu": lambda a: np.where(a < 0, single(0), a),
    "leaky_relu": lambda a: np.where(a > 0, a, single(0.01) * a),
    "tanh": np.tanh,
    "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
    "sin": np.sin,
    "linear": lambda a: a,
}


def agree_single(got, wanted):
    """Compare probabilities in float32, of which the sixth digit may differ."""
    np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-5)


def onnx_runs(path):
    """Yield the function that runs an ONNX file, of each runtime that is here: the reference first."""
    import onnx
    from onnx.reference import ReferenceEvaluator

    yield ReferenceEvaluator(onnx.load(path)).run
    if find_spec("onnxruntime"):
        import onnxruntime

        yield onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run


def run(*command, cwd=None, stdin=""):
    """Return what a command prints; it fails on another exit code than 0, and on a word on stderr."""
    done = subprocess.run([*map(str, command)], cwd=cwd, input=stdin, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr[-3000:]
    return done.stdout


def as_csv(X):
    return "".join(",".join(map(repr, row)) + "\n" for row in X.tolist())


def from_csv(text, skip=0):
    return np.array([[float(cell) for cell in line.split(",")[skip:]] for line in text.splitlines()])


def agree(got, wanted):
    np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-9)
