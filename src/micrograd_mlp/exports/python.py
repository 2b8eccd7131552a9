"""A model as one Python file that needs the standard library only."""

from __future__ import annotations

from ..trained import Trained
from .plain import Files, Plain, fill, python_list, python_names

ACTIVATIONS = {  # by name, as an expression of a
    "relu": "0.0 if a < 0.0 else a",
    "leaky_relu": "a if a > 0.0 else 0.01 * a",
    "tanh": "math.tanh(a)",
    "sigmoid": "(1.0 if a >= 0.0 else math.exp(a)) / (1.0 + math.exp(-abs(a)))",
    "sin": "math.sin(a) if math.isfinite(a) else math.nan",
    "linear": "a",
}
CODE = '''{intro}
import math

FEATURES = {features}
{OUTS} = {outs}
MEAN = {mean}
DEVIATION = {deviation}
LAYERS = [  # of each layer the weights of its neurons, their biases, and what follows
{layers}]


def {outputs}(point):
    """Return {what}."""
    if len(point) != len(FEATURES):
        raise ValueError("a point has %d numbers, got %d" % (len(FEATURES), len(point)))
    x = [(number - mean) / deviation for number, mean, deviation in zip(point, MEAN, DEVIATION)]
    for weights, biases, activation in LAYERS:
        sums = []
        for row, total in zip(weights, biases):
            for w, number in zip(row, x):
                total += w * number
            sums.append(total)
        x = [activation(number) for number in sums]
    return x

{answer}

def main():
    import csv
    import sys

    sys.stdout.reconfigure(errors="backslashreplace")
    lines = csv.writer(sys.stdout, lineterminator="\\n")
    for count, row in enumerate(csv.reader(sys.stdin), 1):
        try:
            point = [float(cell) for cell in row]
            lines.writerow({line})
        except ValueError as error:
            sys.exit("line %d: %s" % (count, error))


if __name__ == "__main__":
    main()
'''
CLASSIFIER = {
    "OUTS": "CLASSES",
    "intro": '''"""A classifier made with micrograd-mlp. It needs Python 3.8 or newer, and nothing else.

predict_proba(point) gives the probability of each of CLASSES for one point, a number for each of FEATURES.
As a program it reads points from standard input, as CSV, and writes the class and the probabilities of each.
"""
''',
    "outputs": "scores",
    "what": "what the last layer gives: a score for each class, or one score for the second of two",
    "answer": '''
def predict_proba(point):
    """Return the probability of each class."""
    x = scores(point)
    if len(x) == 1:
        x = [0.0, *x]
    largest = max(x)
    if any(map(math.isnan, x)) or math.isinf(largest):
        return [math.nan] * len(x)
    powers = [math.exp(number - largest) for number in x]
    total = sum(powers)
    return [power / total for power in powers]


def predict(point):
    """Return the name of the most probable class."""
    x = scores(point)
    if len(x) == 1:
        return CLASSES[int(x[0] > 0.0)]
    undefined = [k for k, score in enumerate(x) if math.isnan(score)]
    return CLASSES[undefined[0] if undefined else x.index(max(x))]
''',
    "line": "[predict(point), *map(repr, predict_proba(point))]",
}
REGRESSOR = {
    "OUTS": "TARGETS",
    "intro": '''"""A regressor made with micrograd-mlp. It needs Python 3.8 or newer, and nothing else.

predict(point) gives what is predicted for one point, a number for each of FEATURES; of several TARGETS, a list.
As a program it reads points from standard input, as CSV, and writes what is predicted for each.
"""
''',
    "outputs": "outputs",
    "what": "what the last layer gives: a number for each target",
    "answer": '''
def predict(point):
    """Return the number that is predicted, or the list of these numbers."""
    x = outputs(point)
    return x[0] if len(x) == 1 else x
''',
    "line": "map(repr, outputs(point))",
}


def files(trained: Trained, name: str) -> Files:
    """Return the Python code of a model."""
    plain = Plain.of(trained)
    layers = "".join(
        f"    ({python_list(layer.weight)}, {layer.bias.tolist()!r}, lambda a: {ACTIVATIONS[layer.activation]}),\n"
        for layer in plain.layers
    )
    return {"": fill(CODE, (REGRESSOR if plain.regression else CLASSIFIER) | {
        "features": python_names(plain.features),
        "outs": python_names(plain.outs),
        "mean": repr(plain.mean),
        "deviation": repr(plain.deviation),
        "layers": layers,
    })}  # fmt: skip
