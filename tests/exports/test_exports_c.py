"""The C file: no warning, nothing for the sanitizers, the same probabilities; and it learns as the engine does."""

import re

import numpy as np
import pytest
from exported import (
    CASES,
    HOSTILE,
    SANITIZED,
    STRICT,
    agree,
    agree_single,
    as_csv,
    classifier,
    expected,
    expected_single,
    from_csv,
    needs_compiler,
    points,
    run,
)

from micrograd_mlp import MLP, losses
from micrograd_mlp.classifier import Classifier, Scaling
from micrograd_mlp.exports import export
from micrograd_mlp.losses import LOSSES
from micrograd_mlp.optim import OPTIMIZERS

pytestmark = needs_compiler


def built(source, *options):
    """Return a program made of a C file by a compiler that takes every warning for an error."""
    program = source.with_suffix("")
    run("cc", *STRICT, *options, source.name, "-o", program.name, "-lm", cwd=source.parent)
    return program


@pytest.mark.parametrize("train_step", [False, True], ids=["", "with a training step"])
@pytest.mark.parametrize("case", CASES)
def test_it_gives_the_same_probabilities(tmp_path, case, train_step):
    (path,) = export(classifier(case), "c", tmp_path / "model.c", train_step=train_step)
    program = built(path, "-DMODEL_MAIN", *(() if train_step else SANITIZED))
    agree(from_csv(run(program, stdin=as_csv(points(case)))), expected(case))


FLOATS = ("-Wdouble-promotion", "-Wfloat-conversion")  # nothing is a double by mistake


@pytest.mark.parametrize("train_step", [False, True], ids=["", "with a training step"])
@pytest.mark.parametrize("case", CASES)
def test_in_floats_it_gives_the_same_probabilities(tmp_path, case, train_step):
    (path,) = export(classifier(case), "c", tmp_path / "model.c", train_step=train_step, dtype="float32")
    text = path.read_text()
    assert re.findall(r"[^\n]*\bdouble\b[^\n]*", text) == re.findall(r"[^\n]*printf[^\n]*", text)
    program = built(path, "-DMODEL_MAIN", *FLOATS, *(() if train_step else SANITIZED))
    X, wanted = expected_single(case)
    agree_single(from_csv(run(program, stdin=as_csv(X))), wanted)


def test_it_takes_points_as_they_come_and_says_by_its_code_if_one_is_cut_off(tmp_path):
    (path,) = export(classifier("relu"), "c", tmp_path / "model.c")
    program = built(path, "-DMODEL_MAIN")
    assert run(program, stdin="1,2\n3,4\n") == run(program, stdin="1 2 3;4")
    with pytest.raises(AssertionError):
        run(program, stdin="1,2\n3")


MAIN = """
#include "model.c"
#include <stdio.h>

int main(void)
{{
    for (int k = 0; k < MODEL_CLASSES; ++k) {{
        for (size_t i = 0; i <= model_class_sizes[k]; ++i) printf("%02x", model_class_names[k][i] & 0xff);
        printf("\\n");
    }}
    return 0;
}}
"""


@pytest.mark.parametrize("train_step", [False, True])
def test_hostile_names_are_only_names(tmp_path, train_step):
    model = Classifier(MLP(12, [12]), Scaling([0.0] * 12, [1.0] * 12), HOSTILE, HOSTILE[::-1])
    (path,) = export(model, "c", tmp_path / "model.c", train_step=train_step)
    assert re.fullmatch(rb"[\n\t -~]*", path.read_bytes())
    (tmp_path / "main.c").write_text(MAIN.format())
    lines = run(built(tmp_path / "main.c", *SANITIZED)).splitlines()
    assert [bytes.fromhex(line).decode("utf-8", "surrogatepass") for line in lines] == [f"{n}\0" for n in HOSTILE[::-1]]


LEARN = """
#include "model.c"
#include <stdio.h>
#include <string.h>

static const {real} points[][MODEL_FEATURES] = {points};
static const {real} classes[] = {classes};

int main(void)
{{
    {real} state[MODEL_STATE], p[MODEL_CLASSES];
    size_t first = 0, sizes[] = {{7, 1, 12, 5, 1, 1}};
    memcpy(state, model_start, sizeof state);
    for (int step = 0; step < 6; first += sizes[step++]) {{
        {real} loss = model_train(state, points[first], classes + first, sizes[step], {lr}, ({real})step + 1);
        printf("%.17g\\n", (double)loss);
    }}
    if (!isnan(model_train(state, points[0], classes, 0, {lr}, 7))) return 1;
    for (int k = 0; k < MODEL_STATE; ++k) printf("%.17g\\n", (double)state[k]);
    for (int n = 0; n < 27; ++n) {{
        model_predict_proba(state, points[n], p);
        printf("%d\\n", model_predict(state, points[n]));
        for (int k = 0; k < MODEL_CLASSES; ++k) printf("%.17g\\n", (double)p[k]);
    }}
    return 0;
}}
"""
TRAINED = [
    ("tanh", {"loss": "cross_entropy", "optimizer": "adam"}),
    ("sigmoid", {"loss": "cross_entropy", "optimizer": "adamw", "l1": 0.01}),
    ("relu", {"loss": "hinge", "optimizer": "sgd", "l2": 0.1}),
    ("leaky_relu", {"loss": "bce", "optimizer": "rmsprop"}),
    ("no hidden layer", {"loss": "mse", "optimizer": "sgd"}),
    ("single numbers", {"loss": "bce", "optimizer": "adam", "l1": 0.01, "l2": 0.1}),
    ("mixed", {"loss": "bce", "optimizer": "rmsprop"}),
]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("case", "training"), TRAINED, ids=[case for case, _ in TRAINED])
def test_it_learns_as_the_engine_does(tmp_path, case, training, dtype):
    original = classifier(case)
    copy = Classifier.load(original.save(tmp_path / "model.safetensors"))  # to be changed
    copy.about["options"] = training  # it is exported as it was trained
    (source,) = export(copy, "c", tmp_path / "model.c", train_step=True, dtype=dtype)
    X = points(case, extreme=False)[:27]
    y = np.random.default_rng(3).integers(0, len(copy.classes), 27)
    values = {
        "points": "{" + ", ".join("{" + ", ".join(map(repr, row)) + "}" for row in X.tolist()) + "}",
        "classes": "{" + ", ".join(map(str, y)) + "}",
        "lr": "0.01" if dtype == "float64" else "0.01f",
        "real": "double" if dtype == "float64" else "float",
    }
    (tmp_path / "main.c").write_text(LEARN.format(**values))
    floats = () if dtype == "float64" else FLOATS[:1]
    got = [*map(float, run(built(tmp_path / "main.c", *SANITIZED, *floats)).split())]

    told, state = learn(copy, X, y, training)
    assert f"#define MODEL_STATE {len(state)}\n" in source.read_text()
    answers = [[k, *row] for k, row in zip(copy.predict_proba(X).argmax(axis=1), copy.predict_proba(X), strict=True)]
    close = {"rtol": 1e-9, "atol": 1e-12} if dtype == "float64" else {"rtol": 1e-3, "atol": 1e-4}
    np.testing.assert_allclose(got, [*told, *state, *np.ravel(answers)], **close)


def learn(copy, X, y, training):
    """Take the same steps one number at a time; return the losses, and the state in the order of the C file."""
    parameters = [
        parameter
        for layer in copy.model.layers
        for parameter in [*(w for neuron in layer.neurons for w in neuron.w), *(neuron.b for neuron in layer.neurons)]
    ]
    rule = OPTIMIZERS[training["optimizer"]](parameters, lr=0.01)
    told, first = [], 0
    for size in (7, 1, 12, 5, 1, 1):
        batch = zip(copy.scaling(X[first : first + size]).tolist(), y[first : first + size].tolist(), strict=True)
        loss = losses.mean(LOSSES[training["loss"]](copy.model(x), t) for x, t in batch)
        loss = loss + training.get("l1", 0.0) * losses.l1(parameters) + training.get("l2", 0.0) * losses.l2(parameters)
        rule.zero_grad()
        loss.backward()
        rule.step()
        told.append(loss.data)
        first += size
    memories = (
        [] if training["optimizer"] == "sgd" else [n for column in zip(*rule.memories, strict=True) for n in column]
    )
    return told, [*(parameter.data for parameter in parameters), *memories]


def test_a_training_step_takes_little_memory_beside_its_state(tmp_path):
    (path,) = export(classifier("tanh"), "c", tmp_path / "model.c", train_step=True)
    text = path.read_text()
    parameters = len(classifier("tanh").model.parameters())
    assert f"#define MODEL_STATE {3 * parameters}\n" in text  # weights, and two numbers that Adam remembers of each
    (memory,) = re.findall(r"static double memory\[([0-9]+)\]", text)
    assert int(memory) < 1.5 * parameters


def test_another_training_than_that_of_the_model(tmp_path):
    export(classifier("relu"), "c", tmp_path / "model.c", train_step=True, loss="hinge", optimizer="sgd", l2=0.5)
    text = (tmp_path / "model.c").read_text()
    assert "one step of sgd on the hinge" in text
    for wrong, sentence in (
        ({"loss": "hing"}, "there is no loss 'hing', did you mean 'hinge'"),
        ({"optimizer": "*/"}, "no optimizer"),
    ):
        with pytest.raises(ValueError, match=sentence):
            export(classifier("relu"), "c", tmp_path / "other.c", train_step=True, **wrong)
    odd = Classifier(
        *(getattr(classifier("relu"), name) for name in ("model", "scaling", "features", "classes")), {"options": 3}
    )
    export(odd, "c", tmp_path / "odd.c", train_step=True)
    assert "one step of adam on the cross_entropy" in (tmp_path / "odd.c").read_text()
