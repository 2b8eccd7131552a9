"""The ONNX file: valid, read by two runtimes, the same probabilities in both."""

import json

import numpy as np
import pytest
from exported import (
    CASES,
    EXTREME,
    HOSTILE,
    agree,
    agree_single,
    classifier,
    expected,
    expected_single,
    onnx_runs,
    points,
)

from micrograd_mlp import MLP
from micrograd_mlp.classifier import Classifier, Scaling
from micrograd_mlp.exports import export

onnx = pytest.importorskip("onnx", reason="onnx is not installed, so ONNX files were not tried")


@pytest.mark.parametrize("case", CASES)
def test_it_is_valid_and_the_reference_gives_the_same_probabilities(tmp_path, case):
    from onnx.reference import ReferenceEvaluator

    (path,) = export(classifier(case), "onnx", tmp_path / "model.onnx")
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert ([each.version for each in model.opset_import], model.ir_version) == ([18], 8)
    with np.errstate(all="ignore"):
        (got,) = ReferenceEvaluator(model).run(["probabilities"], {"points": points(case, EXTREME[case])})
    agree(got, expected(case, EXTREME[case]))


@pytest.mark.parametrize("case", CASES)
def test_onnxruntime_gives_the_same_probabilities(tmp_path, case):
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed, so it was not tried")
    (path,) = export(classifier(case), "onnx", tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (got,) = session.run(["probabilities"], {"points": points(case, EXTREME[case])})
    agree(got, expected(case, EXTREME[case]))


@pytest.mark.parametrize("case", CASES)
def test_in_float32_both_give_the_same_probabilities(tmp_path, case):
    (path,) = export(classifier(case), "onnx", tmp_path / "model.onnx", dtype="float32")
    model = onnx.load(path)
    assert {each.data_type for each in model.graph.initializer} <= {onnx.TensorProto.FLOAT, onnx.TensorProto.INT64}
    X, wanted = expected_single(case)
    for run in onnx_runs(path):
        with np.errstate(all="ignore"):
            (got,) = run(["probabilities"], {"points": X})
        assert got.dtype == np.float32
        agree_single(got, wanted)


def test_hostile_names_come_back_and_the_bytes_are_always_the_same(tmp_path):
    model = Classifier(MLP(12, [12]), Scaling([0.0] * 12, [1.0] * 12), HOSTILE, HOSTILE[::-1])
    (path,) = export(model, "onnx", tmp_path / "model.onnx")
    (names,) = [json.loads(each.value) for each in onnx.load(path).metadata_props if each.key == "micrograd-mlp"]
    assert (tuple(names["features"]), tuple(names["classes"])) == (HOSTILE, HOSTILE[::-1])
    (again,) = export(model, "onnx", tmp_path / "again.onnx")
    assert path.read_bytes() == again.read_bytes()


def test_without_the_package_one_sentence_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(ValueError, match=r"^ONNX is written by the package onnx; pip install 'micrograd-mlp\[onnx\]'$"):
        export(classifier("relu"), "onnx", tmp_path / "model.onnx")
    assert [*tmp_path.iterdir()] == []
