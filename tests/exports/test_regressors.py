"""Regressors leave as classifiers do: what each export predicts, what it is called, and how the C file learns."""

import json
import re
import runpy
import sys

import numpy as np
import pytest
from exported import (
    CASES,
    HOSTILE,
    SANITIZED,
    STRICT,
    agree_targets,
    as_csv,
    from_csv,
    needs_compiler,
    onnx_runs,
    points,
    predicted,
    regressor,
    run,
)

from micrograd_mlp import MLP, losses
from micrograd_mlp.classifier import Scaling
from micrograd_mlp.exports import export
from micrograd_mlp.imports import from_json, from_torch
from micrograd_mlp.losses import REGRESSION
from micrograd_mlp.optim import OPTIMIZERS
from micrograd_mlp.regressor import Regressor


@pytest.mark.parametrize("case", CASES)
def test_python_predicts_the_same(tmp_path, case):
    (path,) = export(regressor(case), "python", tmp_path / "model.py")
    X, wanted = predicted(case)
    agree_targets(from_csv(run(sys.executable, path, stdin=as_csv(X))), wanted)
    alone = runpy.run_path(str(path))
    assert (alone["FEATURES"], alone["TARGETS"]) == (regressor(case).features, regressor(case).targets)
    one = alone["predict"](X[0].tolist())
    np.testing.assert_allclose(one, wanted[0, 0] if wanted.shape[1] == 1 else wanted[0], rtol=1e-9)
    assert isinstance(one, float if wanted.shape[1] == 1 else list)


@needs_compiler
@pytest.mark.parametrize("train_step", [False, True], ids=["", "with a training step"])
@pytest.mark.parametrize("case", CASES)
def test_c_predicts_the_same(tmp_path, case, train_step):
    (path,) = export(regressor(case), "c", tmp_path / "model.c", train_step=train_step)
    run("cc", *STRICT, *SANITIZED, "-DMODEL_MAIN", path.name, "-o", "model", "-lm", cwd=tmp_path)
    X, wanted = predicted(case)
    agree_targets(from_csv(run(tmp_path / "model", stdin=as_csv(X))), wanted)
    assert not re.search("class|CLASS|proba", path.read_text())


@pytest.mark.parametrize("case", CASES)
def test_onnx_predicts_the_same(tmp_path, case):
    onnx = pytest.importorskip("onnx", reason="onnx is not installed, so ONNX files were not tried")
    (path,) = export(regressor(case), "onnx", tmp_path / "model.onnx")
    model = onnx.load(path)
    assert [each.name for each in model.graph.output] == ["predictions"]
    X, wanted = predicted(case)
    usual = (np.abs(X) < 1e20).all(axis=1)  # beyond, inf - inf goes by the order in which it is added
    for compute in onnx_runs(path):
        with np.errstate(all="ignore"):
            (got,) = compute(["predictions"], {"points": X[usual]})
        agree_targets(got, wanted[usual])


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("to", ["json", "torch"])
def test_json_and_torch_come_back_to_the_bit(tmp_path, case, to):
    path = export(regressor(case), to, tmp_path / ("model.py" if to == "torch" else "model.json"))[0]
    back = (from_torch if to == "torch" else from_json)(path)
    assert isinstance(back, Regressor)
    assert (back.features, back.targets, back.scaling) == (
        regressor(case).features, regressor(case).targets, regressor(case).scaling
    )  # fmt: skip
    assert back.model.state_dict() == regressor(case).model.state_dict()


def test_tensors_are_a_regressor_where_targets_are_named(tmp_path):
    state, _ = export(regressor("mixed"), "torch", tmp_path / "model.py")
    assert type(from_torch(state, classes=[str(k) for k in range(10)])).__name__ == "Classifier"
    with pytest.raises(ValueError, match="takes 10 target names, got 1"):
        from_torch(state, targets=["y"])
    with pytest.raises(ValueError, match="names of classes or of targets, not both"):
        from_torch(state, targets=["y"], classes=["a"])


@pytest.mark.parametrize("to", ["python", "c", "json", "torch"])
def test_hostile_names_are_only_names(tmp_path, to):
    model = Regressor(MLP(12, [12]), Scaling([0.0] * 12, [1.0] * 12), HOSTILE, HOSTILE[::-1])
    path = export(model, to, tmp_path / {"torch": "m.py", "c": "m.c", "json": "m.json", "python": "m.py"}[to])[-1]
    assert path.read_bytes().isascii()
    if to == "python":
        assert runpy.run_path(str(path))["TARGETS"] == HOSTILE[::-1]
    if to == "json":
        assert json.loads(path.read_text())["targets"] == list(HOSTILE[::-1])


LEARN = """
#include "model.c"
#include <stdio.h>
#include <string.h>

static const double points[][MODEL_FEATURES] = {points};
static const double targets[][MODEL_TARGETS] = {targets};

int main(void)
{{
    double state[MODEL_STATE], p[MODEL_TARGETS];
    memcpy(state, model_start, sizeof state);
    for (int step = 0; step < 5; ++step)
        printf("%.17g\\n", model_train(state, points[4 * step], targets[4 * step], 4, 0.01, step + 1.0));
    model_predict(state, points[0], p);
    for (int k = 0; k < MODEL_TARGETS; ++k) printf("%.17g\\n", p[k]);
    return 0;
}}
"""


@needs_compiler
@pytest.mark.parametrize("case", ["tanh", "sigmoid", "single numbers", "mixed"])
@pytest.mark.parametrize("loss", REGRESSION)
def test_c_learns_as_the_engine_does(tmp_path, case, loss):
    original = regressor(case)
    copy = Regressor.load(original.save(tmp_path / "model.safetensors"))
    copy.about["options"] = {"loss": loss, "optimizer": "rmsprop", "l2": 0.1}
    export(copy, "c", tmp_path / "model.c", train_step=True)
    X = points(case, extreme=False)[:20]
    y = np.random.default_rng(3).normal(size=(20, len(copy.targets)))
    listed = {
        name: "{" + ", ".join("{" + ", ".join(map(repr, row)) + "}" for row in table.tolist()) + "}"
        for name, table in (("points", X), ("targets", y))
    }
    (tmp_path / "main.c").write_text(LEARN.format(**listed))
    run("cc", *STRICT, *SANITIZED, "main.c", "-o", "main", "-lm", cwd=tmp_path)
    got = [*map(float, run(tmp_path / "main").split())]

    parameters = copy.model.parameters()
    rule, told = OPTIMIZERS["rmsprop"](parameters, lr=0.01), []
    for first in range(0, 20, 4):
        each = []
        for x, wanted in zip(copy.scaling(X[first : first + 4]).tolist(), y[first : first + 4].tolist(), strict=True):
            out = copy.model(x)
            each.append(losses.mean(map(REGRESSION[loss], out if isinstance(out, list) else [out], wanted)))
        whole = losses.mean(each) + 0.1 * losses.l2(parameters)
        rule.zero_grad()
        whole.backward()
        rule.step()
        told.append(whole.data)
    np.testing.assert_allclose(got, [*told, *np.ravel(copy.predict(X[:1]))], rtol=1e-9, atol=1e-12)


def test_what_is_no_model_is_refused(tmp_path):
    sentence = r"^export takes a Classifier or a Regressor, got MLP; of an estimator, .*from_sklearn makes one$"
    with pytest.raises(TypeError, match=sentence):
        export(MLP(2, [1]), "json", tmp_path / "model.json")
    with pytest.raises(ValueError, match="there is no loss 'hinge'"):
        export(regressor("tanh"), "c", tmp_path / "model.c", train_step=True, loss="hinge")
