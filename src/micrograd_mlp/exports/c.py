"""A model as one C99 file, made from the compiled program: it classifies, and on request learns."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

from .. import losses, ops
from ..classifier import Classifier
from ..compiler import vmap
from ..compiler.backends.c import REALS, Source, number, write_c
from ..compiler.variants import Traced
from ..engine import Value, grad
from ..ieee import as_float
from ..losses import LOSSES
from ..names import chosen
from ..nn import MLP
from ..optim import OPTIMIZERS
from .plain import Files, Plain, fill

LONGEST = 1000  # bytes of a name that is written as a string; C99 promises 4095

HEAD = """/* A classifier made with micrograd-mlp, in C99 and {real}s. It needs the C library (-lm) and no other memory.
   Compile it with -DMODEL_MAIN for a program that reads points from standard input, {n_in} numbers each, and writes
   the probabilities of the classes, a line each. */
#include <math.h>
#include <stddef.h>

#define MODEL_FEATURES {n_in}
#define MODEL_CLASSES {n_classes}
{define}
/* Names in UTF-8, and how many bytes each has. */
extern const char *const model_feature_names[MODEL_FEATURES];
extern const size_t model_feature_sizes[MODEL_FEATURES];
extern const char *const model_class_names[MODEL_CLASSES];
extern const size_t model_class_sizes[MODEL_CLASSES];

/* Write the probability of each class for a point, in the units of the data. */
void model_predict_proba({state}const {real} point[MODEL_FEATURES], {real} probabilities[MODEL_CLASSES]);
/* Return the index of the most probable class. */
int model_predict({state}const {real} point[MODEL_FEATURES]);
{declare}"""

PREDICT = """
void model_predict_proba({state}const {real} point[MODEL_FEATURES], {real} probabilities[MODEL_CLASSES])
{
{memory}    probabilities_of({arguments});
}

int model_predict({state}const {real} point[MODEL_FEATURES])
{
    {real} p[MODEL_CLASSES];
    int best = 0;
    model_predict_proba({hand}point, p);
    for (int k = 1; k < MODEL_CLASSES; ++k) if (p[k] > p[best]) best = k;
    return best;
}
"""

DEFINE = """#define MODEL_STATE {size}
"""

DECLARE = """
/* The state that the model was exported with: its weights, and what {optimizer} remembers of each before a first step.
   To learn, copy it: {real} state[MODEL_STATE]; memcpy(state, model_start, sizeof state); */
extern const {real} model_start[MODEL_STATE];
/* Take one step of {optimizer} on the {loss} of n points, the rows of `points`, and return that loss as it was before.
   `classes` holds the index of the class of each, `lr` is the learning rate, and `step` counts from 1. The memory it
   takes does not grow with n; it is not to be called twice at the same time. If it returns nan or inf, the state is
   lost: `lr` was too large, or a point is not finite. For n of 0 it returns nan and changes nothing. */
{real} model_train({real} state[MODEL_STATE], const {real} *points, const {real} *classes, size_t n,
                   {real} lr, {real} step);
"""

TRAIN = """
{real} model_train({real} state[MODEL_STATE], const {real} *points, const {real} *classes, size_t n,
                   {real} lr, {real} step)
{
{memory}    const {real} given[] = {lr, step, ({real})n};
    {real} loss;
    if (n == 0) return NAN;
    step_of({arguments});
    return loss;
}
"""

MAIN = """
#ifdef MODEL_MAIN
#include <stdio.h>

int main(void)
{
    {real} point[MODEL_FEATURES], p[MODEL_CLASSES];
    int k = 0;
    while (scanf("{read}%*[,; \\t]", &point[k]) == 1) {
        if (++k < MODEL_FEATURES) continue;
        k = 0;
        model_predict_proba({hand}point, p);
        for (int c = 0; c < MODEL_CLASSES; ++c)
            printf("{print}%c", (double)p[c], c + 1 < MODEL_CLASSES ? ',' : '\\n');
    }
    return k ? 1 : 0;
}
#endif
"""


def files(
    classifier: Classifier,
    name: str,
    dtype: str = "float64",
    *,
    train_step: bool = False,
    loss: str | None = None,
    optimizer: str | None = None,
    l1: float | None = None,
    l2: float | None = None,
) -> Files:
    """Return the C code of a classifier; with `train_step`, its weights are in a state that a training step changes.

    For "float32" it computes in floats alone, as the small units of microcontrollers do, and takes half the memory.
    What is not given of the training is as the model was trained, or else cross_entropy and adam without penalties.
    """
    plain, real = Plain.of(classifier, dtype), REALS[dtype]
    given = {key: v for key, v in (("loss", loss), ("optimizer", optimizer), ("l1", l1), ("l2", l2)) if v is not None}
    step = _Step(classifier, dtype, **(_as_trained(classifier) | given)) if train_step else None
    words = {
        "real": real,
        "read": "%lf" if real == "double" else "%f",
        "print": "%.17g" if real == "double" else "%.9g",
        "n_in": str(len(plain.features)),
        "n_classes": str(len(plain.classes)),
        "state": f"const {real} state[MODEL_STATE], " if step else "",
        "hand": "state, " if step else "",
        "define": "",
        "declare": "",
    }
    if step:
        more = {"size": str(len(step.state)), "loss": step.loss, "optimizer": step.optimizer}
        words |= {"define": fill(DEFINE, more), "declare": fill(DECLARE, words | more)}
    predict = _predict(classifier, step.parameters if step else [], dtype)
    parts = [
        fill(HEAD, words),
        _names("feature", plain.features, "MODEL_FEATURES"),
        _names("class", plain.classes, "MODEL_CLASSES"),
        predict.tables,
        predict.function,
        fill(PREDICT, words | _call(predict, real, {"given": "point", "results": "probabilities"})),
        *(step.parts() if step else []),
        fill(MAIN, words | {"hand": "model_start, " if step else ""}),
    ]
    return {"": "\n".join(parts)}


def _predict(classifier: Classifier, parameters: Sequence[Value], dtype: str) -> Source:
    """Return the function from a point to probabilities; the `parameters` are in a state, all others are constants."""
    model, standardised = classifier.model, _standardised(classifier)

    def probabilities(state: Any, point: Any) -> list[Any]:
        scores = model(standardised(point))
        scores = scores if isinstance(scores, list) else [0.0, scores]
        largest = reduce(ops.maximum, scores)
        powers = [ops.exp(score - largest) for score in scores]
        total = losses.total(powers)
        return [power / total for power in powers]

    state = [parameter.data for parameter in parameters]
    traced = Traced(probabilities, (state, list(classifier.scaling.mean)), {}, parameters)
    known = _known(traced, len(state) + len(classifier.features))
    return write_c(traced.program.arrays, "probabilities_of", known, len(state), changed=False, dtype=dtype)


class _Step:
    """A training step: of a state, points and the indices of their classes, a learning rate and a count."""

    def __init__(self, classifier: Classifier, dtype: str, loss: str, optimizer: str, l1: float, l2: float) -> None:
        self.dtype = dtype
        self.classifier, self.loss, self.optimizer = classifier, str(loss), str(optimizer)
        self.l1, self.l2 = as_float(l1), as_float(l2)
        self.sample_loss = chosen(self.loss, LOSSES, "loss")
        self.parameters = _by_layer(classifier.model)
        self.rule = chosen(self.optimizer, OPTIMIZERS, "optimizer")(self.parameters)
        remembers = getattr(self.rule, "momentum", 1.0) or len(self.rule.memory) > 1  # plain descent remembers nothing
        self.memory = self.rule.memory if remembers else ()
        self.state = [parameter.data for parameter in self.parameters]
        self.state += [number for number in self.memory for _ in self.parameters]

    def parts(self) -> list[str]:
        """Return the C code of the state to start from, and of the function that changes it."""
        source, real = self.source(), REALS[self.dtype]
        start = ",\n    ".join(number(each, real) for each in self.state)
        named = {"column1": "points", "column2": "classes", "samples1": "n", "results": "&loss"}
        return [
            f"const {real} model_start[MODEL_STATE] = {{\n    {start}\n}};\n",
            source.tables,
            source.function,
            fill(TRAIN, {"real": real} | _call(source, f"static {real}", named)),
        ]

    def source(self) -> Source:
        """Return the function that takes the step in place, and gives the loss."""
        model, parameters, rule, standardised = (
            self.classifier.model, self.parameters, self.rule, _standardised(self.classifier)
        )  # fmt: skip
        many = len(parameters)

        def step(state: Any, points: Any, classes: Any, lr: Any, count: Any) -> list[Any]:
            each = vmap(lambda point, target: self.sample_loss(model(standardised(point)), target))(points, classes)
            loss = losses.mean(each)
            loss = loss + self.l1 * losses.l1(parameters) if self.l1 else loss
            loss = loss + self.l2 * losses.l2(parameters) if self.l2 else loss
            memories = [*zip(*(state[at : at + many] for at in range(many, len(self.state), many)), strict=True)]
            memories = memories or [()] * many
            values, memories = rule.update(parameters, grad(loss, parameters), memories, lr, count)
            return [loss, *values, *(number for column in zip(*memories, strict=True) for number in column)]

        points = np.zeros((2, len(self.classifier.features)))
        traced = Traced(step, (self.state, points, np.zeros(2), 0.1, 1.0), {}, parameters)
        known = _known(traced, len(self.state) + 2)
        return write_c(traced.program.arrays, "step_of", known, len(self.state), dtype=self.dtype)


def _as_trained(classifier: Classifier) -> dict[str, Any]:
    """Return by what a model was trained, as far as its notes say."""
    options = classifier.about.get("options")
    options = options if isinstance(options, dict) else {}
    usual = {"loss": "cross_entropy", "optimizer": "adam", "l1": 0.0, "l2": 0.0}
    return {key: options.get(key, value) for key, value in usual.items()}


def _standardised(classifier: Classifier) -> Any:
    """Return the function that standardises a point; its numbers are Values, so they stay together as arrays."""
    mean = [Value(number, label=f"mean[{k}]") for k, number in enumerate(classifier.scaling.mean)]
    deviation = [Value(number, label=f"deviation[{k}]") for k, number in enumerate(classifier.scaling.deviation)]
    return lambda point: [(a - m) / d for a, m, d in zip(point, mean, deviation, strict=True)]


def _by_layer(model: MLP) -> list[Value]:
    """Return the parameters, of each layer all weights and then all biases, so that each lie side by side."""
    return [
        parameter
        for layer in model.layers
        for parameter in (*(w for neuron in layer.neurons for w in neuron.w), *(neuron.b for neuron in layer.neurons))
    ]


def _known(traced: Traced, first: int) -> dict[int, float]:
    return {first + place: value.data for place, value in enumerate(traced.captured)}


def _call(source: Source, kind: str, named: dict[str, str]) -> dict[str, str]:
    """Return how a function gets its memory, and the arguments of a call, `named` where they differ from parameters."""
    memory = f"    {kind} memory[{source.memory}];\n" * (source.memory > 0)
    return {"memory": memory, "arguments": ", ".join(named.get(what, what) for what, _ in source.parameters)}


def _names(what: str, names: Sequence[str], count: str) -> str:
    """Return the definition of an array of names, and of one with their sizes."""
    array, sizes = f"model_{what}_names", f"model_{what}_sizes"
    encoded = [name.encode("utf-8", "surrogatepass") for name in names]
    long = [
        f"static const char {array}_{k}[] = {{{', '.join(_CHARACTERS[byte] for byte in text + bytes(1))}}};\n"
        for k, text in enumerate(encoded)
        if len(text) > LONGEST
    ]
    listed = [f"{array}_{k}" if len(text) > LONGEST else _string(text) for k, text in enumerate(encoded)]
    return (
        "".join(long)
        + f"const char *const {array}[{count}] = {{\n    " + ",\n    ".join(listed) + "\n};\n"
        + f"const size_t {sizes}[{count}] = {{{', '.join(str(len(text)) for text in encoded)}}};\n"
    )  # fmt: skip


def _string(text: bytes) -> str:
    """Return bytes as a string of C in plain ASCII; `?` is not in it, as it may begin a trigraph."""
    return '"' + "".join(chr(b) if 32 <= b < 127 and chr(b) not in '"\\?' else f"\\{b:03o}" for b in text) + '"'


_CHARACTERS = [f"'\\{byte:03o}'" for byte in range(256)]
