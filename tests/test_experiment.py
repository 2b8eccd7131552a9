"""A run from its options to its files: the same seed gives the same bytes, and nothing that was on disk is lost."""

import os
import subprocess
import sys

import numpy as np
import pytest

from micrograd_mlp import experiment
from micrograd_mlp.classifier import Classifier
from micrograd_mlp.drawing import Drawing, RenderError
from micrograd_mlp.experiment import claimed, learn, load, prepare, run, scores, split, summary
from micrograd_mlp.options import Options
from micrograd_mlp.tables import Table

SMALL = {"samples": 24, "epochs": 3, "hidden": "3"}


@pytest.fixture
def no_pictures(monkeypatch):
    """Leave out the pictures, which take seconds."""
    monkeypatch.setattr(experiment, "PICTURES", {})


def options(folder, **given):
    return Options.of(SMALL | {"out": folder / "run"} | given)


def flowers(path, features=4, rows=30):
    rng = np.random.default_rng(0)
    names = [f"f{index}" for index in range(features)]
    lines = [",".join([*names, "kind"])]
    for row in range(rows):
        numbers = rng.normal(row % 3, 0.3, features)
        lines.append(",".join([*map(str, numbers), ("<b>", "plain", "[red]")[row % 3]]))
    path.write_text("\n".join(lines))
    return path


def test_a_run_leaves_its_files_and_its_model_predicts(tmp_path):
    done, written = run(options(tmp_path))
    names = {"model.safetensors", "history.csv", "boundary.png", "curves.png", "learning.gif", "explorer.html"}
    names.add("report.html")
    made = {each.path.name for each in written if each.path}
    assert made >= names
    assert made - names <= {"network.svg", "network.dot"}
    assert made == set(os.listdir(tmp_path / "run"))
    model = Classifier.load(tmp_path / "run" / "model.safetensors")
    assert model.accuracy(done.points.X_test, done.points.y_test) == scores(done)["held out"].accuracy
    assert model.about["options"]["seed"] == 0
    assert model.about["epochs"] == 3
    history = (tmp_path / "run" / "history.csv").read_text().splitlines()
    assert len(history) == 4
    assert history[0] == "epoch,loss,accuracy,test_loss,test_accuracy,learning_rate"
    report = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "<img" in report or "<svg" in report
    assert "<script" not in report


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_the_same_seed_gives_the_same_bytes_in_every_process(tmp_path, hash_seed, no_pictures):
    source = flowers(tmp_path / "flowers.csv")
    run(options(tmp_path, problem=source, samples=None, out=tmp_path / "here"))
    code = (
        "from micrograd_mlp import experiment as e, options as o; import sys; e.PICTURES = {};"
        f"e.run(o.Options.of({SMALL | {'samples': None}} | {{'problem': sys.argv[1], 'out': sys.argv[2]}}))"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(source), str(tmp_path / "there")],
        check=True,
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
    )
    for name in ("model.safetensors", "history.csv"):
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes()


def test_another_seed_gives_another_run(tmp_path, no_pictures):
    models = [run(options(tmp_path, seed=seed, out=tmp_path / str(seed)))[0].classifier.model for seed in (0, 1)]
    assert models[0].state_dict() != models[1].state_dict()


@pytest.mark.parametrize(
    "changed",
    [
        {"activation": "relu"}, {"init": "uniform"}, {"loss": "hinge"}, {"optimizer": "sgd"}, {"lr": 0.1},
        {"schedule": "constant"}, {"batch": 5}, {"l1": 0.1}, {"l2": 0.1}, {"noise": 0.3}, {"samples": 30},
        {"test_share": 0.5}, {"hidden": "4"}, {"epochs": 4}, {"stop_accuracy": 0.01}, {"patience": 1, "lr": 2.0},
    ],
    ids=str,
)  # fmt: skip
def test_every_option_changes_the_run(tmp_path, changed):
    plain, other = (learn(prepare(options(tmp_path, **given))) for given in ({}, changed))
    assert plain.classifier.model.state_dict() != other.classifier.model.state_dict()


def test_points_are_held_out_of_each_class_alike(tmp_path):
    points = split(load(options(tmp_path, problem="rings", samples=120)), 0.25, seed=0)
    assert np.bincount(points.y).tolist() == [30, 30, 30]
    assert np.bincount(points.y_test).tolist() == [10, 10, 10]
    everything = np.concatenate([points.X, points.X_test])
    assert len(np.unique(everything, axis=0)) == 120


@pytest.mark.parametrize(
    ("labels", "share", "sizes"),
    [([0, 1], 0.5, (1, 1)), ([0, 1, 1], 0.3, (2, 1)), ([0] * 9 + [1], 0.2, (8, 2)), ([0, 1] * 5, 0.0, (10, 0))],
)
def test_few_points_are_split_as_far_as_they_go(labels, share, sizes):
    X = np.arange(2.0 * len(labels)).reshape(-1, 2)
    points = split(Table(X, np.array(labels), ("a", "b"), ("0", "1")), share, seed=0)
    assert (len(points.y), len(points.y_test)) == sizes


def test_a_split_leaves_something_to_learn_from():
    table = Table(np.zeros((2, 1)), np.array([0, 1]), ("a",), ("0", "1"))
    with pytest.raises(ValueError, match=r"^test-share 0.9 of 2 points leaves none to learn from$"):
        split(table, 0.9, seed=0)


def test_inputs_are_scaled_by_what_is_learned_from_alone(tmp_path):
    start = prepare(options(tmp_path))
    np.testing.assert_allclose(start.classifier.scaling(start.points.X).mean(axis=0), 0, atol=1e-12)
    assert abs(start.classifier.scaling(start.points.X_test).mean()) > 1e-3


def test_a_file_of_four_features_and_three_classes(tmp_path, monkeypatch):
    monkeypatch.delitem(experiment.PICTURES, "curves.png")
    monkeypatch.delitem(experiment.PICTURES, "network.svg")
    done, written = run(options(tmp_path, problem=flowers(tmp_path / "own.csv"), samples=None, epochs=None, lr=0.05))
    assert scores(done)["held out"].accuracy == 1
    assert done.classifier.classes == ("<b>", "[red]", "plain")
    assert done.options.epochs == 300
    notes = [each.note for each in written if not each.path]
    assert notes == [f"{name} is for points of 2 features; these have 4" for name in ("boundary.png", "learning.gif")]
    report = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;" in report
    assert "<b>" not in report


def test_the_more_points_the_fewer_epochs_for_a_file(tmp_path):
    for rows, epochs in ((4, 300), (150, 142), (2000, 20)):
        path = flowers(tmp_path / "own.csv", features=1, rows=rows)
        assert prepare(options(tmp_path, problem=path, samples=None, epochs=None)).options.epochs == epochs


def test_without_points_held_out(tmp_path, no_pictures):
    done, _ = run(options(tmp_path, test_share=0))
    assert list(scores(done)) == ["learned from"]
    assert experiment.confusion(done).sum() == 24
    assert dict(summary(done))["points"] == "moons: 24 to learn from, 0 held out"


def test_without_graphviz_the_text_of_the_graph_is_kept(tmp_path, monkeypatch):
    def render_no_picture(drawing, format=""):
        if format == "dot":
            return drawing.dot.encode()
        raise RenderError("No picture without Graphviz. Install it.")

    monkeypatch.setattr(Drawing, "render", render_no_picture)
    monkeypatch.setattr(experiment, "PICTURES", {"network.svg": experiment.PICTURES["network.svg"]})
    _, written = run(options(tmp_path))
    assert "network.svg was not made: No picture without Graphviz. Install it." in [each.note for each in written]
    assert (tmp_path / "run" / "network.dot").read_text().startswith("digraph")


def test_a_picture_that_fails_is_told_and_the_rest_is_there(tmp_path, monkeypatch):
    def fail(done, path):
        raise ValueError("no")

    monkeypatch.setattr(experiment, "PICTURES", {"curves.png": (fail, "", False)})
    _, written = run(options(tmp_path))
    assert [each.note for each in written if not each.path] == ["curves.png was not made: no"]
    assert (tmp_path / "run" / "report.html").exists()


def test_a_run_replaces_an_earlier_one_and_says_what_is_left_of_it(tmp_path, no_pictures):
    run(options(tmp_path))
    before = (tmp_path / "run" / "model.safetensors").read_bytes()
    (tmp_path / "run" / "boundary.png").write_text("old")
    _, written = run(options(tmp_path, seed=1))
    assert (tmp_path / "run" / "model.safetensors").read_bytes() != before
    assert [each.note for each in written if not each.path] == [f"{tmp_path}/run/boundary.png is from an earlier run"]
    assert (tmp_path / "run" / "boundary.png").read_text() == "old"


def test_an_earlier_run_stays_until_training_has_ended(tmp_path, no_pictures):
    run(options(tmp_path))
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}

    def fail(epoch, model):
        raise RuntimeError("the power went")

    with pytest.raises(RuntimeError, match="the power went"):
        run(options(tmp_path, seed=1), [fail])
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before


def claim(options):
    with claimed(prepare(options).folder, options.problem):
        pass


def test_out_that_cannot_be_written_is_refused_before_training(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ValueError, match=r"^out takes a folder that can be written; .*/file: it is a file$"):
        claim(options(tmp_path, out=tmp_path / "file"))
    with pytest.raises(ValueError, match=r"^out takes a folder that can be written; .*/file/run: Not a directory$"):
        claim(options(tmp_path, out=tmp_path / "file" / "run"))
    with pytest.raises(ValueError, match=r"^out takes a folder that can be written; /proc/run: "):
        claim(options(tmp_path, out="/proc/run"))
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_without_write_permission_is_refused(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(experiment.tempfile, "TemporaryFile", refuse)  # root may write anywhere
    with pytest.raises(ValueError, match=r"^out takes a folder that can be written; .*/run: Permission denied$"):
        claim(options(tmp_path))


@pytest.mark.parametrize("content", [b"my own work", b""])
@pytest.mark.parametrize("name", ["report.html", "model.safetensors"])
def test_files_that_are_not_of_a_run_are_not_replaced(tmp_path, name, content):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).write_bytes(content)
    message = rf"^out takes a new folder, or one of an earlier run; .*/run/{name} is there without a model of"
    with pytest.raises(ValueError, match=message):
        claim(options(tmp_path))


def test_the_points_themselves_are_not_replaced(tmp_path, no_pictures):
    run(options(tmp_path))
    history = tmp_path / "run" / "history.csv"
    flowers(history)
    with pytest.raises(ValueError, match=r"history.csv would replace .*history.csv, which is read here"):
        claim(options(tmp_path, problem=history, samples=None))


def test_unknown_problems_and_oversized_networks_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"^there is no problem or file 'mons', did you mean 'moons'\?$"):
        prepare(options(tmp_path, problem="mons", samples=None))
    with pytest.raises(FileNotFoundError):
        prepare(options(tmp_path, problem="mons.csv", samples=None))
    with pytest.raises(ValueError, match=r"^hidden 9999,9999 makes 100,029,997 parameters; one number at a time, at"):
        prepare(options(tmp_path, hidden="9999,9999"))


def test_numbers_that_cannot_be_standardised_are_refused(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("".join(f"{number},{index % 2}\n" for index, number in enumerate(["1e308", "-1e308"] * 4)))
    with pytest.raises(ValueError, match=r"own.csv holds numbers too far from each other to be standardised$"):
        prepare(options(tmp_path, problem=path, samples=None))


def test_ctrl_c_keeps_what_was_learned(tmp_path, no_pictures):
    def interrupt(epoch, model):
        if epoch.epoch == 2:
            raise KeyboardInterrupt

    done, _ = run(options(tmp_path), [interrupt])
    assert (done.history.reason, done.learned) == ("interrupted", True)
    assert Classifier.load(tmp_path / "run" / "model.safetensors").about["ended"] == "interrupted in epoch 3"


def test_a_run_that_learned_nothing_writes_nothing(tmp_path):
    done, written = run(options(tmp_path, optimizer="sgd", lr=1e300, loss="mse", activation="linear", batch=0))
    assert (done.history.reason, done.learned, written) == ("diverged", False, [])
    assert os.listdir(tmp_path / "run") == []


def test_weights_are_drawn_by_the_seed_and_the_last_layer_is_linear(tmp_path):
    start = prepare(options(tmp_path, hidden="3,2", activation="sin,tanh"))
    assert [layer.neurons[0].activation for layer in start.classifier.model.layers] == ["sin", "tanh", "linear"]
    assert not start.learned
    assert experiment.describe_network(start.classifier) == "2-3-2-1, sin, tanh, 20 parameters"
    assert experiment.describe_network(prepare(options(tmp_path, hidden="none")).classifier) == (
        "2-1, linear, 3 parameters"
    )


def test_the_network_is_drawn_at_a_point_in_the_units_of_the_data(tmp_path):
    start = prepare(options(tmp_path))
    drawing = experiment.draw_at(start.classifier, start.classifier.scaling.mean)
    assert drawing.dot.count("0.0000") >= 2  # the mean, standardised
    assert "x1" in drawing.dot
    assert "The network at x1 = " in drawing.dot
