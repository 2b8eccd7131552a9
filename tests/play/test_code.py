"""The program that a run is written as runs, and ends with the same weights."""

import pytest

from micrograd_mlp.play.code import code_of
from micrograd_mlp.play.run import Run
from micrograd_mlp.play.settings import Settings


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"features": "x1,x2,x1x2", "problem": "rings", "loss": "hinge", "init": "uniform", "init_seed": 4},
        {
            "features": "sinx1,x2",
            "optimizer": "adam",
            "schedule": "cosine",
            "horizon": 9,
            "regularization": "l1",
            "batch": 0,
        },
        {"hidden": "none", "output": "tanh", "loss": "mse", "momentum": 0.5, "test_share": 0},
        {"kind": "regression", "problem": "hills", "loss": "absolute", "optimizer": "rmsprop", "seed": 3},
        {"edit": True, "batch": 7},
        {"edit": True, "kind": "regression", "problem": "waves"},
    ],
)
def test_it_ends_with_the_same_weights(given):
    edit = given.pop("edit", False)
    run = Run(Settings.of({"samples": 30, "hidden": "3"} | given))
    if edit:
        run.add_points([[0.5, -0.5, 1], [0.25, 0.25, 0]])
        run.rewind()
    while run.epoch < 4:
        run.advance(0.05, 4 - run.epoch)
    code, names = code_of(run), {}
    exec(compile(code, "run.py", "exec"), names)
    weights = [parameter.data for parameter in names["model"].parameters()]
    assert weights == pytest.approx(run.machine.weights(), rel=1e-9, abs=1e-12)
    assert names["history"].loss[-1] == pytest.approx(run.history.loss[-1])
    assert max(map(len, code.splitlines())) < 160


def test_there_is_no_program_without_points():
    with pytest.raises(ValueError, match=r"^there are no points yet; paint some, or load a file$"):
        code_of(Run(Settings.of({"problem": "own"})))
    run = Run(Settings.of({"samples": 20}))
    run.clear_points()
    with pytest.raises(ValueError, match="there are no points yet"):
        code_of(run)
