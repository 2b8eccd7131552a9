"""`micrograd-mlp sweep` as a user meets it."""

import csv
import io
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

from micrograd_mlp import cli
from micrograd_mlp.classifier import Classifier
from micrograd_mlp.sweeps import run

SMALL = ("--samples", "40", "--epochs", "2", "--engine", "numpy", "--jobs", "1")


def call(*arguments):
    return CliRunner().invoke(cli.main, [str(argument) for argument in arguments])


def refused(*arguments):
    result = call(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    return result.stderr.removesuffix("\n")


def test_a_sweep_tells_how_it_went_and_leaves_a_model(tmp_path):
    out = tmp_path / "sweep"
    command = ("sweep", "moons", "--hidden", "2/3,3", "--seeds", "2", *SMALL, "--out", out)
    result = call(*command)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("moons: grid search, 2 configurations with 2 seeds each: 4 trials\ntrial 1/4: best")
    for part in (
        "trial 4/4: ",
        "3,3",
        "The best model on the points that no trial saw: accuracy ",
        "model.safetensors",
    ):
        assert part in result.stdout
    model = out / "model.safetensors"
    assert Classifier.load(model).about["sweep"]["seeds"] == 2
    for other in (["info", model], ["draw", model, "--out", tmp_path / "a.dot"], ["export", model, "--to", "python"]):
        assert call(*other).exit_code == 0
    again = call(*command)
    assert again.exit_code == 0
    assert "trial 1/4" not in again.stdout
    assert "sweep with hidden 2/3,3, not 4/5; name another folder as out" in refused(
        "sweep", "--hidden", "4/5", "--seeds", "2", *SMALL, "--out", out
    )


def test_options_come_from_a_file(tmp_path):
    path = tmp_path / "sweep.toml"
    path.write_text(
        'problem = "moons"\nsamples = 40\nhidden = [2]\nengine = "numpy"\nlr = "0.01..0.1"\n'
        'search = "halving"\ntrials = 3\nepochs = 3\njobs = 1\nheld-share = 0.5\n'
    )
    result = call("sweep", "--config", path, "--epochs", "6", "--out", tmp_path / "sweep")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("moons: halving search, 3 for 2 epochs, then 1 for 6 epochs: 4 trials\n")


def test_the_table_is_cut_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(cli, "MOST_RANKED", 2)
    result = call(
        "sweep", "--batch", "8..32", "--search", "random", "--trials", "4", *SMALL, "--hidden", 2, "--out", tmp_path
    )
    assert f"2 more configurations are in {tmp_path}/trials.csv." in result.stdout


def test_all_diverged_is_said(tmp_path):
    result = call("sweep", *SMALL, "--lr", "1e300", "--epochs", "9", "--loss", "mse", "--out", tmp_path)
    assert result.exit_code == 1
    assert result.stderr == "every trial diverged; smaller values of --lr may help\n"
    assert "diverged" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--hidden", "8..16"],
            "Error: hidden takes values with slashes between them; ranges are for numbers, got '8..16'",
        ),
        (["--lr", "0.1..1"], "Error: a grid takes values for lr, such as 0.1/1; the range 0.1..1 is for a random or a"),
        (["--jobs", "0"], "Error: jobs takes a whole number from 1 to 1024, got '0'"),
        (["nonsense"], "Error: there is no problem or file 'nonsense'"),
    ],
    ids=str,
)
def test_what_is_wrong_is_one_sentence(arguments, message):
    assert refused("sweep", *arguments).startswith(message)


def test_epochs_are_named_once(tmp_path):
    result = call("sweep", *SMALL, "--epochs", "1/2", "--hidden", 2, "--out", tmp_path)
    assert (result.exit_code, result.stderr) == (0, "")
    header = next(line for line in result.stdout.splitlines() if "rank" in line)
    assert header.count("epochs") == 1


@pytest.mark.parametrize(
    ("sent", "code", "told", "jobs"),
    [("SIGINT", 130, "interrupted", "2"), ("SIGTERM", 143, "stopped by SIGTERM", "1")],
)
def test_a_stop_keeps_what_was_done_and_the_command_goes_on(tmp_path, interruptible, sent, code, told, jobs):
    small = [word for word in SMALL if word not in ("--jobs", "1")]
    command = [
        sys.executable,
        "-m",
        "micrograd_mlp",
        "sweep",
        *small,
        "--out",
        "here",
        "--jobs",
        jobs,
        "--hidden",
        "2/3/4",
    ]
    process = subprocess.Popen(
        [*command, "--seeds", "1000"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    path = tmp_path / "here" / "trials.csv"
    while process.poll() is None and not (path.exists() and path.read_text().count("\n") > 2):
        time.sleep(0.02)
    stop = os.killpg if sent == "SIGINT" else os.kill  # a terminal sends Ctrl-C to all processes in it
    stop(process.pid, getattr(signal, sent))
    _, stderr = process.communicate()
    assert process.returncode == code, stderr
    kept = path.read_text().count("\n") - 1
    found = re.fullmatch(rf"{told}; (\d+) of 3000 trials are in here; the same command goes on from there\n", stderr)
    assert found, stderr
    assert 0 <= kept - int(found[1]) <= 1  # the stop may come when a line is written, and not yet counted
    assert not (tmp_path / "here" / "model.safetensors").exists()
    made = []
    again = run.plan(
        {"samples": 40, "epochs": 2, "engine": "numpy", "hidden": "2/3/4", "seeds": 1000, "out": tmp_path / "here"}
    )
    with run.opened(again) as ledger:
        (trials,) = again.search.stages(lambda *_: [])
        made = [trial for trial in trials if ledger.outcome(trial)]
    assert len(made) == kept


def test_a_list_in_a_file_is_what_slashes_are(tmp_path):
    (tmp_path / "sweep.toml").write_text('problem = "moons"\nlr = [0.01, 0.1]\nhidden = [[2], [3, 3]]\n')
    tables = []
    for folder, asked in (
        ("a", ["--config", tmp_path / "sweep.toml"]),
        ("b", ["moons", "--lr", "0.01/0.1", "--hidden", "2/3,3"]),
    ):
        assert call("sweep", *asked, *SMALL, "--out", tmp_path / folder).exit_code == 0
        rows = csv.reader(io.StringIO((tmp_path / folder / "trials.csv").read_text()))
        tables.append([row[:-1] for row in rows])  # without the seconds
    assert tables[0] == tables[1]
    assert len(tables[0]) == 5
