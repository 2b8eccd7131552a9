"""Options of a run: text and numbers meet one check, and what is refused is named with the way out."""

import re
from dataclasses import FrozenInstanceError, fields

import pytest

from micrograd_mlp import datasets, training
from micrograd_mlp.optim import OPTIMIZERS
from micrograd_mlp.options import ENGINES, LEARNING_RATES, PROBLEMS, TABLES, Options, read_toml


def test_every_problem_and_every_optimiser_has_defaults():
    assert list(PROBLEMS) == list(datasets.PROBLEMS)
    assert list(TABLES) == list(datasets.TABLES)
    assert LEARNING_RATES.keys() == OPTIMIZERS.keys()
    assert tuple(training.ENGINES) == ENGINES
    for problem in PROBLEMS:
        options = Options.of({"problem": problem})
        assert options.samples >= 300
        assert options.out == f"runs/{problem}"


def test_text_and_numbers_mean_the_same():
    text = {
        "hidden": "8, 4", "activation": "tanh,sin", "lr": "1e-2", "epochs": "10", "batch": "0", "l2": "0.1",
        "noise": ".2", "samples": "50", "test_share": "0", "seed": "7", "stop_accuracy": "1", "patience": "3",
    }  # fmt: skip
    numbers = {
        "hidden": [8, 4], "activation": ["tanh", "sin"], "lr": 0.01, "epochs": 10, "batch": 0, "l2": 0.1,
        "noise": 0.2, "samples": 50, "test_share": 0, "seed": 7, "stop_accuracy": 1.0, "patience": 3,
    }  # fmt: skip
    options = Options.of(text)
    assert options == Options.of(numbers)
    assert (options.hidden, options.activation, options.epochs, options.batch) == ((8, 4), ("tanh", "sin"), 10, 0)
    assert isinstance(options.epochs, int)
    assert options.problem == "moons"
    with pytest.raises(FrozenInstanceError):
        options.seed = 1


def test_what_is_given_comes_before_what_suits_the_problem():
    assert Options.of({"problem": "spirals"}).activation == ("sin",)
    assert Options.of({"problem": "spirals", "activation": "tanh"}).activation == ("tanh",)
    assert Options.of({"optimizer": "sgd"}).lr == LEARNING_RATES["sgd"]
    assert Options.of({"optimizer": "sgd", "lr": 1}).lr == 1


def test_a_network_may_have_no_hidden_layer():
    assert Options.of({"hidden": "none"}).hidden == Options.of({"hidden": []}).hidden == ()
    assert Options.of({"hidden": 5}).hidden == (5,)


def test_a_file_has_its_own_defaults():
    options = Options.of({"problem": "data/own.csv", "label": "kind"})
    assert (options.is_file, options.out, options.samples, options.epochs) == (True, "runs/own", None, None)


def test_notes_hold_what_was_chosen_but_not_where():
    notes = Options.of({"seed": 3, "out": "somewhere"}).of_training()
    assert notes["seed"] == 3
    assert notes.keys().isdisjoint({"out", "label", "noise"})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"epochs": 0}, "epochs takes a whole number from 1 to 1000000, got 0"),
        ({"epochs": "1.5"}, "epochs takes a whole number from 1 to 1000000, got '1.5'"),
        ({"epochs": True}, "epochs takes a whole number from 1 to 1000000, got True"),
        ({"epochs": []}, "epochs takes a whole number from 1 to 1000000, got []"),
        ({"epochs": "inf"}, "epochs takes a whole number from 1 to 1000000, got 'inf'"),
        ({"samples": 10**400}, "samples takes a whole number from 8 to 1000000, got 1"),
        ({"seed": -1}, "seed takes a whole number from 0 to 4294967295, got -1"),
        ({"lr": "0"}, "lr takes a number above 0, got '0'"),
        ({"lr": "nan"}, "lr takes a number above 0, got 'nan'"),
        ({"lr": float("inf")}, "lr takes a number above 0, got inf"),
        ({"l1": -1}, "l1 takes a number of at least 0, got -1"),
        ({"batch": None}, "batch takes a whole number from 0 to 1000000, got None"),
        ({"test_share": 1}, "test-share takes a number from 0 to 1 (1 excluded), got 1"),
        ({"stop_accuracy": 99}, "stop-accuracy takes a number from 0 to 1 (0 excluded), got 99"),
        ({"hidden": "16,x"}, "hidden takes sizes of layers from 1 to 10000 between commas, such as 16,16, or none;"),
        ({"hidden": "0"}, "hidden takes sizes of layers"),
        ({"activation": "rel"}, "activation takes one of relu, leaky_relu, tanh, sigmoid, sin, linear; got 'rel'"),
        ({"activation": "tanh,tanh,tanh"}, "activation takes one name, or one for each of 2 hidden layers; got tanh,"),
        ({"loss": "mae"}, "loss takes one of hinge, bce, mse, cross_entropy; got 'mae'"),
        ({"loss": ["bce"]}, "loss takes one of hinge, bce, mse, cross_entropy; got ['bce']"),
        ({"optimizer": ["adam"]}, "optimizer takes one of sgd, adam, adamw, rmsprop; got ['adam']"),
        ({"schedule": 3}, "schedule takes one of constant, linear, cosine, step; got 3"),
        ({"init": "x"}, "init takes one of he, lecun, uniform; got 'x'"),
        ({"problem": 3}, "problem takes a text, got 3"),
        ({"label": "kind"}, "label is for CSV files; moons is a problem that has its own"),
        ({"problem": "digits", "samples": 9}, "samples and noise are for problems; the points come from digits"),
        ({"problem": "iris", "label": "kind"}, "label is for CSV files; iris is a problem that has its own"),
        ({"problem": "a.csv", "noise": 1}, "samples and noise are for problems; the points come from a.csv"),
        ({"epoch": 3}, "there is no option 'epoch', did you mean 'epochs'?"),
        ({"zzz": 3}, "there is no option 'zzz'; there are problem, label, samples,"),
    ],
)
def test_what_is_refused_is_named(given, message):
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        Options.of(given)


def test_every_option_says_what_it_is_for():
    assert all(each.metadata["meaning"] for each in fields(Options))


def test_options_come_from_a_file_with_either_dash(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text('problem = "rings"\ntest-share = 0.5\nstop_accuracy = 0.9\nhidden = [4]\n', encoding="utf-8")
    given = read_toml(path)
    assert given == {"problem": "rings", "test_share": 0.5, "stop_accuracy": 0.9, "hidden": [4]}
    assert Options.of(given | {"seed": 1}).test_share == 0.5


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"epochs 3", r"run\.toml is no TOML: Expected '=' after a key"),
        (b"\xff", r"run\.toml is no TOML: it is no text in UTF-8 \(byte 0\)"),
        (b"a = " + b"[" * 5000, r"run\.toml is no TOML that can be read: it is nested too deeply"),
        (b"epoch = 3", r"run\.toml: there is no option 'epoch', did you mean 'epochs'\?$"),
        (b"[train]\nepochs = 3", r"run\.toml: there is no option 'train'; there are "),
    ],
)
def test_a_bad_file_is_refused_by_name(tmp_path, content, message):
    path = tmp_path / "run.toml"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_toml(path)
    with pytest.raises(FileNotFoundError):
        read_toml(tmp_path / "missing.toml")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("#" * 10_001, r"run\.toml cannot be read: it has more than 10,000 bytes"),
        (".".join("a" * 100_000) + " = 1", r"run\.toml cannot be read: it has more than 10,000 bytes"),
        (f"lr = {'9' * 5000}", r"run\.toml cannot be read: it holds a whole number of thousands of digits"),
    ],
)
def test_a_file_that_would_take_long_is_refused(tmp_path, content, message):
    path = tmp_path / "run.toml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read_toml(path)


def test_values_that_cannot_be_written_are_refused_by_name():
    with pytest.raises(ValueError, match=r"^lr takes a number above 0, got a value of type int that is too long"):
        Options.of({"lr": 16**5000})
    with pytest.raises(ValueError, match=r"^there is no option 'x{78}…; there are problem, "):
        Options.of({"x" * 1_000_000: 1})
