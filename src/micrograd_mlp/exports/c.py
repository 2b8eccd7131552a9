"""A model as one C99 file, made from the compiled program: it classifies or predicts, and on request learns."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

from .. import losses, ops
from ..compiler import vmap
from ..compiler.backends.c import REALS, Source, number, write_c
from ..compiler.variants import Traced
from ..engine import Value, grad
from ..ieee import as_float
from ..losses import LOSSES, REGRESSION
from ..names import chosen
from ..nn import MLP
from ..optim import OPTIMIZERS
from ..regressor import Regressor
from ..trained import Trained
from .plain import Files, Plain, fill

LONGEST = 1000  # bytes of a name that is written as a string; C99 promises 4095

HEAD = """/* A {kind} made with micrograd-mlp, in C99 and {real}s. It needs the C library (-lm) and no other memory.
   Compile it with -DMODEL_MAIN for a program that reads points from standard input, {n_in} numbers each, and writes
   {what}, a line each. */
#include <math.h>
#include <stddef.h>

#define MODEL_FEATURES {n_in}
#define MODEL_{OUTS} {n_outs}
{define}
/* Names in UTF-8, and how many bytes each has. */
extern const char *const model_feature_names[MODEL_FEATURES];
extern const size_t model_feature_sizes[MODEL_FEATURES];
extern const char *const model_{out}_names[MODEL_{OUTS}];
extern const size_t model_{out}_sizes[MODEL_{OUTS}];

{functions}{declare}"""

CLASSIFIER = {
    "kind": "classifier",
    "what": "the probabilities of the classes",
    "each": "the probability of each class",
    "out": "class",
    "OUTS": "CLASSES",
    "results": "probabilities",
    "call": "model_predict_proba",
    "given": "classes",
    "which": "`classes` holds the index of the class of each",
}
REGRESSOR = {
    "kind": "regressor",
    "what": "what is predicted",
    "each": "what is predicted",
    "out": "target",
    "OUTS": "TARGETS",
    "results": "predictions",
    "call": "model_predict",
    "given": "targets",
    "which": "`targets` holds the MODEL_TARGETS numbers of each",
}

PREDICTS = """/* Write {each} for a point, in the units of the data. */
void {call}({state}const {real} point[MODEL_FEATURES], {real} {results}[MODEL_{OUTS}]);
"""
CHOOSES = """/* Return the index of the most probable class. */
int model_predict({state}const {real} point[MODEL_FEATURES]);
"""

PREDICT = """
void {call}({state}const {real} point[MODEL_FEATURES], {real} {results}[MODEL_{OUTS}])
{
{memory}    {results}_of({arguments});
}
"""
CHOOSE = """
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
   {which}, `lr` is the learning rate, and `step` counts from 1. The memory it
   takes does not grow with n; it is not to be called twice at the same time. If it returns nan or inf, the state is
   lost: `lr` was too large, or a point is not finite. For n of 0 it returns nan and changes nothing. */
{real} model_train({real} state[MODEL_STATE], const {real} *points, const {real} *{given}, size_t n,
                   {real} lr, {real} step);
"""

TRAIN = """
{real} model_train({real} state[MODEL_STATE], const {real} *points, const {real} *{given}, size_t n,
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
    {real} point[MODEL_FEATURES], p[MODEL_{OUTS}];
    int k = 0;
    while (scanf("{read}%*[,; \\t]", &point[k]) == 1) {
        if (++k < MODEL_FEATURES) continue;
        k = 0;
        {call}({hand}point, p);
        for (int c = 0; c < MODEL_{OUTS}; ++c)
            printf("{print}%c", (double)p[c], c + 1 < MODEL_{OUTS} ? ',' : '\\n');
    }
    return k ? 1 : 0;
}
#endif
"""


def files(
    trained: Trained,
    name: str,
    dtype: str = "float64",
    *,
    train_step: bool = False,
    loss: str | None = None,
    optimizer: str | None = None,
    l1: float | None = None,
    l2: float | None = None,
) -> Files:
    """Return the C code of a model; with `train_step`, its weights are in a state that a training step changes.

    For "float32" it computes in floats alone, as the small units of microcontrollers do, and takes half the memory.
    What is not given of the training is as the model was trained, or else cross_entropy, for a regression
    squared_error, and adam without penalties.
    """
    plain, real = Plain.of(trained, dtype), REALS[dtype]
    given = {key: v for key, v in (("loss", loss), ("optimizer", optimizer), ("l1", l1), ("l2", l2)) if v is not None}
    step = _Step(trained, dtype, **(_as_trained(trained) | given)) if train_step else None
    words = {
        **(REGRESSOR if plain.regression else CLASSIFIER),
        "real": real,
        "read": "%lf" if real == "double" else "%f",
        "print": "%.17g" if real == "double" else "%.9g",
        "n_in": str(len(plain.features)),
        "n_outs": str(len(plain.outs)),
        "state": f"const {real} state[MODEL_STATE], " if step else "",
        "hand": "state, " if step else "",
        "define": "",
        "declare": "",
    }
    words["functions"] = fill(PREDICTS if plain.regression else PREDICTS + CHOOSES, words)
    if step:
        more = {"size": str(len(step.state)), "loss": step.loss, "optimizer": step.optimizer}
        words |= {"define": fill(DEFINE, more), "declare": fill(DECLARE, words | more)}
    predict = _predict(trained, f"{words['results']}_of", step.parameters if step else [], dtype)
    called = _call(predict, real, {"given": "point", "results": words["results"]})
    parts = [
        fill(HEAD, words),
        _names("feature", plain.features, "MODEL_FEATURES"),
        _names(words["out"], plain.outs, f"MODEL_{words['OUTS']}"),
        predict.tables,
        predict.function,
        fill(PREDICT if plain.regression else PREDICT + CHOOSE, words | called),
        *(step.parts(words) if step else []),
        fill(MAIN, words | {"hand": "model_start, " if step else ""}),
    ]
    return {"": "\n".join(parts)}


def _predict(trained: Trained, name: str, parameters: Sequence[Value], dtype: str) -> Source:
    """Return the function from a point to what is told of it; the `parameters` are in a state, all else is constant."""
    model, standardised = trained.model, _standardised(trained)

    def predictions(state: Any, point: Any) -> list[Any]:
        outputs = model(standardised(point))
        return outputs if isinstance(outputs, list) else [outputs]

    def probabilities(state: Any, point: Any) -> list[Any]:
        scores = predictions(state, point)
        scores = scores if len(scores) > 1 else [0.0, *scores]
        largest = reduce(ops.maximum, scores)
        powers = [ops.exp(score - largest) for score in scores]
        total = losses.total(powers)
        return [power / total for power in powers]

    state = [parameter.data for parameter in parameters]
    function = predictions if isinstance(trained, Regressor) else probabilities
    traced = Traced(function, (state, list(trained.scaling.mean)), {}, parameters)
    known = _known(traced, len(state) + len(trained.features))
    return write_c(traced.program.arrays, name, known, len(state), changed=False, dtype=dtype)


class _Step:
    """A training step: of a state, points and their classes or targets, a learning rate and a count."""

    def __init__(self, trained: Trained, dtype: str, loss: str, optimizer: str, l1: float, l2: float) -> None:
        self.dtype = dtype
        self.trained, self.loss, self.optimizer = trained, str(loss), str(optimizer)
        self.l1, self.l2 = as_float(l1), as_float(l2)
        self.targets = len(trained.targets) if isinstance(trained, Regressor) else 0
        self.loss_of = chosen(self.loss, REGRESSION if self.targets else LOSSES, "loss")
        self.parameters = _by_layer(trained.model)
        self.rule = chosen(self.optimizer, OPTIMIZERS, "optimizer")(self.parameters)
        remembers = getattr(self.rule, "momentum", 1.0) or len(self.rule.memory) > 1  # plain descent remembers nothing
        self.memory = self.rule.memory if remembers else ()
        self.state = [parameter.data for parameter in self.parameters]
        self.state += [number for number in self.memory for _ in self.parameters]

    def sample_loss(self, outputs: Any, wanted: Any) -> Any:
        """Return the loss of one sample: of several targets, the mean."""
        if self.targets < 2:
            return self.loss_of(outputs, wanted)
        return losses.mean(map(self.loss_of, outputs, wanted))

    def parts(self, words: dict[str, str]) -> list[str]:
        """Return the C code of the state to start from, and of the function that changes it."""
        source, real = self.source(), REALS[self.dtype]
        start = ",\n    ".join(number(each, real) for each in self.state)
        named = {"column1": "points", "column2": words["given"], "samples1": "n", "results": "&loss"}
        return [
            f"const {real} model_start[MODEL_STATE] = {{\n    {start}\n}};\n",
            source.tables,
            source.function,
            fill(TRAIN, words | _call(source, f"static {real}", named)),
        ]

    def source(self) -> Source:
        """Return the function that takes the step in place, and gives the loss."""
        model, parameters, rule, standardised = (
            self.trained.model, self.parameters, self.rule, _standardised(self.trained)
        )  # fmt: skip
        many = len(parameters)

        def step(state: Any, points: Any, wanted: Any, lr: Any, count: Any) -> list[Any]:
            each = vmap(lambda point, its: self.sample_loss(model(standardised(point)), its))(points, wanted)
            loss = losses.mean(each)
            loss = loss + self.l1 * losses.l1(parameters) if self.l1 else loss
            loss = loss + self.l2 * losses.l2(parameters) if self.l2 else loss
            memories = [*zip(*(state[at : at + many] for at in range(many, len(self.state), many)), strict=True)]
            memories = memories or [()] * many
            values, memories = rule.update(parameters, grad(loss, parameters), memories, lr, count)
            return [loss, *values, *(number for column in zip(*memories, strict=True) for number in column)]

        points = np.zeros((2, len(self.trained.features)))
        wanted = np.zeros((2, self.targets) if self.targets > 1 else 2)
        traced = Traced(step, (self.state, points, wanted, 0.1, 1.0), {}, parameters)
        known = _known(traced, len(self.state) + 2)
        return write_c(traced.program.arrays, "step_of", known, len(self.state), dtype=self.dtype)


def _as_trained(trained: Trained) -> dict[str, Any]:
    """Return by what a model was trained, as far as its notes say."""
    options = trained.about.get("options")
    options = options if isinstance(options, dict) else {}
    usual = {
        "loss": "squared_error" if isinstance(trained, Regressor) else "cross_entropy",
        "optimizer": "adam",
        "l1": 0.0,
        "l2": 0.0,
    }
    return {key: options.get(key, value) for key, value in usual.items()}


def _standardised(trained: Trained) -> Any:
    """Return the function that standardises a point; its numbers are Values, so they stay together as arrays."""
    mean = [Value(number, label=f"mean[{k}]") for k, number in enumerate(trained.scaling.mean)]
    deviation = [Value(number, label=f"deviation[{k}]") for k, number in enumerate(trained.scaling.deviation)]
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
