"""The command line as a user meets it: what is written, what is said, and one sentence for what goes wrong."""

import csv
import io
import os
import random
import re
import signal
import subprocess
import sys
import warnings
from importlib import import_module

import numpy as np
import pytest
from click.testing import CliRunner

from micrograd_mlp import MLP, __version__, cli, experiment
from micrograd_mlp.classifier import Classifier, Scaling
from micrograd_mlp.drawing import Drawing, RenderError
from micrograd_mlp.regressor import Regressor
from micrograd_mlp.tables import load_csv
from micrograd_mlp.training import Epoch

COMMANDS = ("train", "sweep", "predict", "draw", "export", "import", "datasets", "info")
SMALL = ("--samples", "24", "--hidden", "3", "--epochs", "3")
PROGRAM = (sys.executable, "-m", "micrograd_mlp")


def call(*arguments, **options):
    return CliRunner().invoke(cli.main, [str(argument) for argument in arguments], **options)


def refused(*arguments, code=2):
    """Return the sentence with which the program refuses; on stdout there is nothing."""
    result = call(*arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr
    return result.stderr.removesuffix("\n")


@pytest.fixture
def no_pictures(monkeypatch):
    monkeypatch.setattr(experiment, "PICTURES", {})


@pytest.fixture
def model(tmp_path, no_pictures):
    """A small model that was trained on the moons."""
    result = call("train", "moons", *SMALL, "--out", tmp_path / "run")
    assert (result.exit_code, result.stderr) == (0, "")
    return tmp_path / "run" / "model.safetensors"


# What is said


@pytest.mark.filterwarnings("always")
def test_a_warning_is_one_line_without_the_code_that_gave_it(tmp_path, no_pictures, monkeypatch):
    monkeypatch.setattr(
        experiment, "describe_network", lambda _: warnings.warn("first\nsecond", stacklevel=1) or "a network"
    )
    result = call("train", "moons", *SMALL, "--out", tmp_path / "run")
    assert result.exit_code == 0
    assert set(result.stderr.splitlines()) == {"Warning: first\\nsecond"}


# Help


@pytest.mark.parametrize("arguments", [[], *([command] for command in COMMANDS)], ids=str)
def test_help_shows_examples(arguments):
    result = call(*arguments, "--help")
    assert result.exit_code == 0
    assert "Examples:\n    micrograd-mlp " in result.stdout


def test_help_names_what_each_option_takes():
    text = " ".join(call("train", "--help").stdout.split())
    for part in ("--hidden", "[default: 16,16]", "hinge, bce, mse, cross_entropy", "0.02 for adam", "runs/PROBLEM"):
        assert part in text


def test_examples_name_options_that_exist():
    for command in (cli.main, *cli.main.commands.values()):
        for line in command.epilog.splitlines()[2:]:
            name, *rest = line.removeprefix("  micrograd-mlp ").split()
            known = {text for parameter in cli.main.commands[name].params for text in parameter.opts}
            assert {text for text in rest if text.startswith("--")} <= known


def test_version_and_no_command():
    assert call("--version").stdout == f"micrograd-mlp, version {__version__}\n"
    result = call()
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Usage: ")


@pytest.mark.parametrize(
    "arguments", [["--help"], ["train", "--help"], ["sweep", "--help"], ["--version"], ["train", "--epochs", "0"]]
)
def test_help_and_bad_options_load_nothing_heavy(arguments):
    code = (
        "import sys; from micrograd_mlp.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "finally: print({'numpy', 'sklearn', 'matplotlib', 'rich', 'safetensors'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert result.stdout.endswith("set()\n")


# train


def test_train_tells_how_it_went_and_what_it_wrote(tmp_path, no_pictures):
    out = tmp_path / "run"
    result = call("train", "moons", *SMALL, "--out", out)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "moons: 2-3-1, tanh, 13 parameters" in result.stdout
    for part in ("epoch 1/3: loss ", "epoch 3/3: ", "points learned from", "points held out", "taken for 1"):
        assert part in result.stdout
    for part in ("18 to learn from, 6 held out", "3 of 3: all epochs done", "seed ", "seconds"):
        assert part in result.stdout
    assert [line for line in result.stdout.splitlines() if line.startswith(str(out))] == [
        f"{out}/{name}" for name in ("model.safetensors", "history.csv", "explorer.html", "report.html")
    ]


def test_at_most_a_line_for_a_tenth_of_the_epochs(tmp_path, no_pictures):
    result = call("train", "moons", "--samples", 16, "--hidden", 1, "--epochs", 205, "--out", tmp_path)
    epochs = re.findall(r"^epoch (\d+)/205", result.stdout, re.MULTILINE)
    assert epochs == ["1", "21", "41", "62", "82", "103", "123", "144", "164", "185", "205"]


def test_options_reach_the_run(tmp_path, no_pictures):
    given = (
        "--activation sin --init uniform --loss hinge --optimizer sgd --lr 0.3 --schedule step --epochs 2 --batch 7"
        " --l1 0.1 --l2 0.2 --noise 0.3 --samples 20 --test-share 0.4 --seed 5 --stop-accuracy 1 --patience 2"
        " --hidden 2,3 --engine numpy"
    )
    result = call("train", "rings", *given.split(), "--out", tmp_path)
    assert result.exit_code == 0
    assert "hinge, sgd, lr 0.3 step, batches of 7, l1 0.1, l2 0.2" in result.stdout
    chosen = Classifier.load(tmp_path / "model.safetensors").about["options"]
    assert chosen == {
        "problem": "rings", "activation": ["sin"], "init": "uniform", "loss": "hinge", "optimizer": "sgd", "lr": 0.3,
        "schedule": "step", "epochs": 2, "batch": 7, "l1": 0.1, "l2": 0.2, "noise": 0.3, "samples": 20,
        "test_share": 0.4, "seed": 5, "stop_accuracy": 1.0, "patience": 2, "hidden": [2, 3], "engine": "numpy",
    }  # fmt: skip


def test_the_command_line_comes_before_the_file(tmp_path, no_pictures):
    config = tmp_path / "run.toml"
    config.write_text(
        f'problem = "xor"\nepochs = 2\nsamples = 16\nhidden = [2]\nseed = 4\nout = "{tmp_path}/run"\n', encoding="utf-8"
    )
    assert call("train", "--config", config, "--seed", 9).exit_code == 0
    about = Classifier.load(tmp_path / "run" / "model.safetensors").about["options"]
    assert (about["problem"], about["epochs"], about["seed"]) == ("xor", 2, 9)


def test_names_from_a_file_reach_no_terminal_as_they_are(tmp_path, no_pictures):
    path = tmp_path / "own.csv"
    hostile = ("<script>alert(1)</script>", "\x1b[31m[bold red]x[/]")
    path.write_text(
        "a\x1b[2J,b,kind\n" + "".join(f"{k},{k % 2},{hostile[k % 2]}\n" for k in range(20)), encoding="utf-8"
    )
    result = call("train", path, "--epochs", 2, "--hidden", 2, "--out", tmp_path / "run")
    assert result.exit_code == 0
    assert "\x1b" not in result.stdout
    report = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "&lt;script&gt;" in report
    assert "<script" not in report
    result = call("info", tmp_path / "run" / "model.safetensors")
    assert "\x1b" not in result.stdout
    assert r"\x1b[31m[bold red]x[/]" in result.stdout
    assert r"a\x1b[2J" in result.stdout
    assert "\x1b" not in refused("train", path, "--label", "\x1b[31m")


def test_a_run_that_diverges_says_where_and_keeps_the_last_good_weights(tmp_path, no_pictures):
    diverging = ("--optimizer", "sgd", "--schedule", "constant", "--loss", "mse", "--activation", "relu", "--seed", 1)
    result = call("train", "moons", *SMALL, *diverging, "--epochs", 500, "--lr", 1e3, "--out", tmp_path)
    assert result.exit_code == 1
    assert re.fullmatch(
        r"diverged in epoch \d+: .* = (inf|nan).*; what was learned until then is in .*; a smaller --lr may help\n",
        result.stderr,
    )
    assert np.isfinite(list(Classifier.load(tmp_path / "model.safetensors").model.state_dict().values())).all()


def test_a_run_that_diverges_at_once_writes_nothing(tmp_path):
    options = ("--optimizer", "sgd", "--lr", 1e300, "--loss", "mse", "--activation", "linear", "--batch", 0)
    result = call("train", "moons", *SMALL, *options, "--out", tmp_path / "run")
    assert result.exit_code == 1
    assert "nothing was learned yet, so nothing was written; a smaller --lr may help" in result.stderr
    assert os.listdir(tmp_path / "run") == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mons"], "Error: there is no problem or file 'mons', did you mean 'moons'?"),
        (["nowhere.csv"], "Error: nowhere.csv: No such file or directory"),
        (["moons", "--hiden", "3"], "Error: No such option '--hiden'."),
        (["moons", "--hidden"], "Error: Option '--hidden' requires an argument."),
        (["moons", "--hidden", "a"], "Error: hidden takes sizes of layers from 1 to 10000 between commas"),
        (["moons", "--loss", "mae"], "Error: loss takes one of hinge, bce, mse, cross_entropy; got 'mae'"),
        (["moons", "--lr", "-1"], "Error: lr takes a number above 0, got '-1'"),
        (["moons", "--out", "/proc/run"], "Error: out takes a folder that can be written; /proc/run: "),
        (["moons", "--out", "/dev/null"], "Error: out takes a folder that can be written; /dev/null: it is a file"),
        (["moons", "rings"], "Error: Got unexpected extra argument (rings)"),
        (["--config", "nowhere.toml"], "Error: nowhere.toml: No such file or directory"),
        (["--config", "/"], "Error: /: Is a directory"),
    ],
    ids=str,
)
def test_what_train_refuses(arguments, message):
    assert refused("train", *arguments).startswith(message)


def test_bad_tables_are_refused_with_line_and_column(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("a,b,kind\n1,2,x\n1,?,y\n")
    assert refused("train", path) == f"Error: {path}, line 3, column 2 (b): a number is needed, got '?'"
    assert "has no column 'c'; it has a, b, kind" in refused("train", path, "--label", "c")
    path.write_bytes(b"\xff\xfe\x00")
    assert "is no UTF-8 text" in refused("train", path)


def test_a_bar_is_drawn_where_a_terminal_is(monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    with cli._Progress(40) as progress:
        for epoch in range(1, 31):
            progress(Epoch(epoch, 0.1, 0.9, 0.2, 0.8, 0.01), None)
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue())
    assert "30/40" in shown
    assert "loss 0.100 | 0.200, accuracy 90.0% | 80.0%" in shown
    assert max(map(len, re.split(r"[\r\n]", shown))) <= 80


# Real processes


def test_ctrl_c_leaves_a_model_that_loads(tmp_path, interruptible):
    options = ("--samples", "40", "--hidden", "3", "--batch", "4", "--epochs", "100000", "--out", tmp_path / "run")
    with subprocess.Popen(
        [*PROGRAM, "train", "moons", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        for line in process.stdout:
            if line.startswith("epoch 1/"):
                break
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    on = r"(micrograd-mlp train --resume --out \S+/run goes on with it|it left nothing to go on from)"
    assert re.fullmatch(rf"interrupted in epoch \d+; what was learned until then is in .*/run; {on}\n", err)
    assert "of 100000: interrupted in epoch" in out
    assert Classifier.load(tmp_path / "run" / "model.safetensors").about["epochs"] >= 1
    assert {"history.csv", "boundary.png", "curves.png", "learning.gif", "report.html"} <= set(
        os.listdir(tmp_path / "run")
    )


def test_ctrl_c_while_pictures_are_made_leaves_the_model(tmp_path, monkeypatch):
    def interrupt(done, path):
        raise KeyboardInterrupt

    monkeypatch.setattr(experiment, "PICTURES", {"curves.png": (interrupt, "", False)})
    result = call("train", "moons", *SMALL, "--out", tmp_path)
    assert result.exit_code == 130
    on = f"micrograd-mlp train --resume --out {tmp_path} goes on with it"
    assert result.stderr == f"interrupted; what was learned until then is in {tmp_path}; {on}\n"
    assert sorted(os.listdir(tmp_path)) == ["checkpoint.safetensors", "history.csv", "model.safetensors"]


def test_ctrl_c_before_training_writes_nothing(tmp_path, monkeypatch):
    def interrupt(options):
        raise KeyboardInterrupt

    monkeypatch.setattr(experiment, "prepare", interrupt)
    result = call("train", "moons", "--out", tmp_path / "run")
    assert (result.exit_code, result.stderr.strip()) == (130, "interrupted; nothing was written")
    assert not (tmp_path / "run").exists()


def test_nobody_reading_on_is_no_error(model):
    command = f'"{sys.executable}" -m micrograd_mlp info "{model}" | head -c 1'
    result = subprocess.run(["sh", "-c", command], capture_output=True, check=False)
    assert (result.returncode, result.stderr) == (0, b"")


def test_training_goes_on_where_nobody_reads_on(tmp_path):
    arguments = [*PROGRAM, "train", "moons", "--samples", "16", "--hidden", "none", "--epochs", "20", "--out", tmp_path]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        err = process.stderr.read()
    assert (process.returncode, err) == (0, "")
    assert (tmp_path / "report.html").exists()


@pytest.mark.parametrize(
    "arguments", [["train", "mons"], ["info", "nowhere"], ["draw", "x+"], ["bogus"], ["predict", "a", "b"]], ids=str
)
def test_a_real_process_ends_with_one_sentence(arguments):
    result = subprocess.run([*PROGRAM, *arguments], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert result.stderr.startswith("Error: ")


def test_a_terminal_that_lacks_letters_gets_others(model):
    result = subprocess.run(
        [*PROGRAM, "info", str(model)],
        capture_output=True,
        check=False,
        env=os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
    )
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout.isascii()


# predict and info


def test_predict_gives_class_and_probabilities_by_header(model, tmp_path):
    points = tmp_path / "new.csv"
    points.write_text("x2,note,x1\n0.5,a,-1\n-0.5,b,1\n0,c,0.5\n")
    result = call("predict", model, points)
    header, *rows = csv.reader(io.StringIO(result.stdout))
    assert (result.exit_code, header) == (0, ["class", "p(0)", "p(1)"])
    classifier, X = Classifier.load(model), [[-1, 0.5], [1, -0.5], [0.5, 0]]
    assert [row[0] for row in rows] == classifier.predict(X)
    shares = np.array([[float(share) for share in row[1:]] for row in rows])
    np.testing.assert_allclose(shares, classifier.predict_proba(X), atol=1e-5)


def test_predict_reads_standard_input(model, tmp_path):
    points, text = tmp_path / "new.csv", "x2,note,x1\n0.5,a,-1\n-0.5,b,1\n"
    points.write_text(text)
    assert call("predict", model, "-", input=text).stdout == call("predict", model, points).stdout
    result = call("predict", model, "-", input="x1,x2\n1,a\n")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Error: standard input, line 2, column 2")
    closed = subprocess.run(
        [*PROGRAM, "predict", model, "-"], preexec_fn=lambda: os.close(0), capture_output=True, text=True, check=False
    )
    told = "Error: standard input is empty; a line for each point is needed\n"
    assert (closed.returncode, closed.stdout, closed.stderr) == (2, "", told)


def test_predict_writes_a_file_but_not_over_what_it_reads(model, tmp_path):
    points, out = tmp_path / "new.csv", tmp_path / "classes.csv"
    points.write_text("1,2\n3,4\n")
    assert call("predict", model, points, "--out", out).stdout == f"{out}\n"
    assert out.read_text() == call("predict", model, points).stdout
    for source in (points, model):
        assert "is read here; name another file to write" in refused("predict", model, points, "--out", source)


def test_what_predict_and_info_refuse(model, tmp_path):
    points = tmp_path / "new.csv"
    points.write_text("x1,height\n1,2\n")
    assert refused("predict", model, points) == f"Error: {points}: columns x1, x2 are needed, found x1, height"
    assert "is no model file, or is damaged" in refused("predict", points, points)
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(model.read_bytes()[:-8])
    assert "is no model file, or is damaged" in refused("info", damaged)
    assert refused("info", tmp_path / "nowhere").endswith("nowhere: No such file or directory")
    assert refused("predict", model) == "Error: Missing argument 'FILE.csv'."


@pytest.fixture
def regressor(tmp_path):
    network = MLP(2, [3, 1], rng=random.Random(0))
    it = Regressor(network, Scaling([1.0, 2.0], [3.0, 4.0]), ("width", "height"), ("price",))
    return it.save(tmp_path / "regressor.safetensors")


def test_a_regressor_is_used_as_a_classifier_is(regressor, tmp_path):
    points = tmp_path / "new.csv"
    points.write_text("height,width\n2,1\n-3,0.5\n")
    expected = Regressor.load(regressor).predict([[1.0, 2.0], [0.5, -3.0]]).tolist()
    assert call("predict", regressor, points).stdout == "price\n" + "".join(f"{number!r}\n" for number in expected)
    told = call("info", regressor).stdout
    assert "targets" in told
    assert "price" in told
    assert call("draw", regressor, "--at", "1,2", "--out", tmp_path / "graph.dot").exit_code == 0
    assert call("explore", regressor, "--at", "1,2", "--out", tmp_path / "page.html").exit_code == 0
    assert "--target is a class; this model is a regressor" in refused("explore", regressor, "--target", "price")
    for to in ("c", "python", "json", "torch"):
        assert call("export", regressor, "--to", to).exit_code == 0
    for file in ("regressor.json", "regressor_torch.safetensors"):
        assert call("import", tmp_path / file, "--out", tmp_path / "back.safetensors").exit_code == 0
        assert Regressor.load(tmp_path / "back.safetensors").targets == ("price",)
    named = ("--features", "a,b", "--targets", "y", "--activation", "relu")
    call("import", tmp_path / "regressor_torch.safetensors", *named, "--out", tmp_path / "named.safetensors")
    back = Regressor.load(tmp_path / "named.safetensors")
    assert (back.features, back.targets) == (("a", "b"), ("y",))


# export and import


@pytest.mark.parametrize(("to", "names"), [
    ("c", ["model.c"]), ("python", ["model.py"]), ("json", ["model.json"]),
    ("torch", ["model_torch.safetensors", "model_torch.py"]),
])  # fmt: skip
def test_export_writes_beside_the_model(model, to, names):
    result = call("export", model, "--to", to)
    assert (result.exit_code, result.stdout.split()) == (0, [str(model.parent / name) for name in names])
    assert Classifier.load(model).classes == ("0", "1")


def test_the_exported_program_says_what_predict_says(model, tmp_path):
    out = tmp_path / "classify.py"
    assert call("export", model, "--to", "python", "--out", out).stdout == f"{out}\n"
    points = tmp_path / "points.csv"
    points.write_text("0.5,-0.25\n1,0.5\n-1,0.3\n")
    done = subprocess.run([sys.executable, out], input=points.read_text(), capture_output=True, text=True, check=True)
    told = [row[0] for row in csv.reader(io.StringIO(done.stdout))]
    assert told == [row.split(",")[0] for row in call("predict", model, points).stdout.splitlines()[1:]]


def test_export_with_a_training_step_says_by_what_it_was_trained(tmp_path, no_pictures):
    call("train", "moons", *SMALL, "--loss", "hinge", "--optimizer", "rmsprop", "--out", tmp_path)
    assert call("export", tmp_path / "model.safetensors", "--to", "c", "--train-step").exit_code == 0
    assert "one step of rmsprop on the hinge of n points" in (tmp_path / "model.c").read_text()
    call("export", tmp_path / "model.safetensors", "--to", "c", "--dtype", "float32", "--out", tmp_path / "floats.c")
    assert "extern const double" not in (tmp_path / "floats.c").read_text()


def test_what_export_refuses(model, tmp_path):
    assert refused("export", model, "--to", "pyton") == "Error: there is no target 'pyton', did you mean 'python'?"
    assert refused("export", model) == "Error: Missing option '--to'."
    assert "a training step is written in C only" in refused("export", model, "--to", "json", "--train-step")
    assert "json is written in float64 only" in refused("export", model, "--to", "json", "--dtype", "float32")
    assert "would replace" in refused("export", model, "--to", "c", "--out", model)
    assert "nowhere" in refused("export", model, "--to", "c", "--out", tmp_path / "nowhere" / "model.c")


def test_import_takes_tensors_and_json_exports(model, tmp_path):
    call("export", model, "--to", "json", "--out", tmp_path / "a.json")
    call("export", model, "--to", "torch", "--out", tmp_path / "b.py")
    for source in ("a.json", "b.safetensors"):
        result = call("import", tmp_path / source, "--out", tmp_path / "back.safetensors")
        assert (result.exit_code, result.stdout) == (0, f"{tmp_path / 'back.safetensors'}\n")
        back, original = Classifier.load(tmp_path / "back.safetensors"), Classifier.load(model)
        assert (back.model.state_dict(), back.scaling) == (original.model.state_dict(), original.scaling)
    call("import", tmp_path / "b.safetensors", "--classes", "no,yes", "--activation", "relu", "--out", tmp_path / "c")
    changed = Classifier.load(tmp_path / "c")
    assert changed.classes == ("no", "yes")
    assert [layer.neurons[0].activation for layer in changed.model.layers] == ["relu", "linear"]


def test_what_import_refuses(model, tmp_path):
    (tmp_path / "network.pt").write_bytes(b"PK")
    (tmp_path / "a.json").write_text("{}")
    assert "is a pickle, which is not opened" in refused("import", tmp_path / "network.pt", "--out", tmp_path / "out")
    assert "is no JSON export" in refused("import", tmp_path / "a.json", "--out", tmp_path / "out")
    assert "--classes is for tensors" in refused("import", tmp_path / "a.json", "--classes", "a,b")
    assert "is read here" in refused("import", model, "--out", model)
    assert not (tmp_path / "out").exists()


def test_info_tells_what_is_in_a_model(model):
    result = call("info", model)
    assert result.exit_code == 0
    for part in (
        "2-3-1, tanh, 13 parameters",
        "0, 1",
        "x1",
        "deviation",
        "options: epochs",
        "all epochs done",
        "moons",
    ):
        assert part in result.stdout


# draw


def test_draw_an_expression_with_values_and_gradients(tmp_path):
    out = tmp_path / "graph.dot"
    result = call("draw", "relu(2*x + y**2)", "x=1.5", "y=-2", "--out", out)
    assert (result.exit_code, result.stdout) == (0, f"{out}\n")
    text = out.read_text()
    for number in ("1.5000", "-2.0000", "7.0000", "-4.0000", "ReLU"):
        assert number in text
    call("draw", "relu(2*x + y**2)", "x=1.5", "y=-2", "--out", out, "--edges")
    assert out.read_text() != text


@pytest.mark.parametrize(("suffix", "start"), [("svg", b"<svg"), ("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_the_suffix_says_the_format(tmp_path, suffix, start):
    if not (import_module("importlib.util").find_spec("pygraphviz") or import_module("shutil").which("dot")):
        pytest.skip("no Graphviz")
    out = tmp_path / f"graph.{suffix}"
    assert call("draw", "x*x", "x=3", "--out", out).exit_code == 0
    assert out.read_bytes().startswith(start)


def test_explore_an_expression(tmp_path):
    out = tmp_path / "page.html"
    result = call("explore", "relu(2*x + y**2)", "x=1.5", "y=-2", "--out", out)
    assert (result.exit_code, result.output) == (0, f"{out}\n")
    assert "<title>relu(2*x + y**2) ·" in out.read_text(encoding="utf-8")
    assert "expression takes its numbers by name" in refused("explore", "x", "x=1", "--at", "2")
    assert "x has no number" in refused("explore", "2*x")
    assert "is written as .html" in refused("explore", "2*x", "x=1", "--out", tmp_path / "page.png")


def test_explore_a_model_and_its_loss(model, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    out = tmp_path / "page.html"
    assert call("explore", model, "--at", "0.5,-0.2", "--out", out).exit_code == 0
    assert "The network at x1 = 0.5, x2 = -0.2" in out.read_text(encoding="utf-8")
    assert opened == []
    assert call("explore", model, "--target", "1", "--loss", "hinge", "--out", out, "--open").exit_code == 0
    assert "The loss (hinge) at" in out.read_text(encoding="utf-8")
    assert opened == [out.as_uri()]
    assert refused("explore", model, "--target", "9") == "Error: --target is one of 0, 1; got '9'"
    assert (
        refused("explore", model, "--loss", "bce") == "Error: --loss goes with --target, the class that is right there"
    )
    assert "no loss 'mae', did you mean 'mse'?" in refused("explore", model, "--target", "1", "--loss", "mae")


def test_draw_a_model_at_a_point(model, tmp_path):
    first, second = tmp_path / "first.dot", tmp_path / "second.dot"
    assert call("draw", model, "--out", first).exit_code == 0
    assert call("draw", model, "--at", "-0.5,0.2", "--out", second, "--level", "neuron").exit_code == 0
    assert "The network at x1 = -0.5, x2 = 0.2" in second.read_text()
    assert "neurons[2]" in first.read_text()


def test_without_graphviz_draw_says_what_to_install(tmp_path, monkeypatch):
    def fail(drawing, format=""):
        raise RenderError("No picture without Graphviz. Install it.")

    monkeypatch.setattr(Drawing, "render", fail)
    assert "Install it. Here that is --out graph.dot" in refused("draw", "x*x", "x=3", "--out", tmp_path / "graph.svg")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["x+"], "Error: 'x+' is no expression: invalid syntax"),
        (["__import__('os')"], "Error: there is no function '__import__'"),
        (["x+z", "x=1"], "Error: z has no number; add z=1.5 after the expression"),
        (["x", "x"], "Error: each name is given one number, as x=1.5; got 'x'"),
        (["x", "x=1", "x=2"], "Error: each name is given one number, as x=1.5; got 'x=1 x=2'"),
        (["x", "x=one"], "Error: x takes a number, as x=1.5; got 'one'"),
        (["x", "x=inf"], "Error: x takes a number, as x=1.5; got 'inf'"),
        (["x", "x=1", "--at", "1"], "Error: --at is for models; an expression takes its numbers by name, as x=1.5"),
        (["x", "x=1", "--out", "graph.bmp"], "Error: a drawing is saved as .dot, .svg, .png, .pdf; got 'graph.bmp'"),
        (["x", "x=1", "--out", "/nowhere/graph.dot"], "Error: /nowhere/graph.dot: No such file or directory"),
        (["x", "x=1", "--level", "all"], "Error: level is one of scalar, "),
        (["nowhere.safetensors"], "Error: nowhere.safetensors: No such file or directory"),
        ([], "Error: Missing argument 'EXPRESSION|MODEL'."),
    ],
    ids=str,
)
def test_what_draw_refuses(arguments, message):
    assert refused("draw", *arguments).startswith(message)


def test_a_model_is_drawn_at_as_many_numbers_as_it_has_features(model):
    assert refused("draw", model, "--at", "1") == "Error: --at takes 2 numbers: x1, x2; got '1'"
    assert refused("draw", model, "--at", "1,x") == "Error: --at takes 2 numbers: x1, x2; got 'x'"
    assert refused("draw", model, "x=1") == "Error: a model takes its point as --at 0.5,-0.2; got 'x=1'"


# datasets


def test_datasets_are_listed_and_described():
    result = call("datasets")
    assert result.exit_code == 0
    assert all(problem in result.stdout for problem in cli.PROBLEMS)
    assert "two half circles" in call("datasets", "moons").stdout


def test_a_problem_is_written_as_points_that_can_be_read_again(tmp_path):
    path = tmp_path / "rings.csv"
    result = call("datasets", "rings", "--csv", path, "--samples", 31, "--seed", 2, "--noise", 0.2)
    assert (result.exit_code, result.stdout) == (0, f"{path}\n")
    table, (X, y) = load_csv(path), import_module("micrograd_mlp.datasets").rings(31, noise=0.2, seed=2)
    np.testing.assert_array_equal(table.X, X)
    np.testing.assert_array_equal(table.y, y)
    assert (table.features, table.classes) == (("x1", "x2"), ("0", "1", "2"))


def test_a_problem_is_previewed_as_a_picture(tmp_path):
    path = tmp_path / "moons.png"
    assert call("datasets", "moons", "--out", path, "--samples", 40).stdout == f"{path}\n"
    assert path.read_bytes().startswith(b"\x89PNG")


def test_what_datasets_refuses():
    assert refused("datasets", "mons") == "Error: there is no problem 'mons', did you mean 'moons'?"
    assert refused("datasets", "moons", "--samples", "x").startswith("Error: samples takes a whole number")
    assert refused("datasets", "moons", "--csv", "/nowhere/a.csv") == "Error: /nowhere/a.csv: No such file or directory"
    assert refused("datasets", "moons", "--out", "/tmp/a.bmp").startswith("Error: a figure is written as ")


def test_a_table_of_real_measurements_is_trained_on_and_written(tmp_path):
    result = call("train", "iris", "--epochs", 20, "--engine", "numpy", "--out", tmp_path / "iris")
    assert result.exit_code == 0
    assert "iris: 112 to learn from, 38 held out" in result.stdout
    model = Classifier.load(tmp_path / "iris" / "model.safetensors")
    assert model.classes == ("setosa", "versicolor", "virginica")
    assert call("datasets", "iris", "--csv", tmp_path / "iris.csv").exit_code == 0
    table = load_csv(tmp_path / "iris.csv")
    assert table.features[0] == "sepal length (cm)"
    assert model.accuracy(table.X, table.y) > 0.9
    assert "178 wines of three growers" in call("datasets", "wine").stdout


def test_play_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name, package=None: None)
    assert refused("play") == (
        "Error: play needs starlette and uvicorn, missing here: pip install 'micrograd-mlp[play]'"
    )
    assert refused("play", "--port", "nan") == "Error: --port takes a whole number from 0 to 65535, got 'nan'"


def test_play_serves_until_it_is_told_to_end(monkeypatch):
    pytest.importorskip("starlette", reason="the playground's server is not installed")
    pytest.importorskip("uvicorn", reason="the playground's server is not installed")
    served = []
    monkeypatch.setattr("micrograd_mlp.play.server.serve", lambda *given: served.append(given[:2]))
    assert call("play", "--no-browser", "--port", "0").exit_code == 0
    assert call("play").exit_code == 0
    assert served == [(0, False), (None, True)]


def test_whatever_goes_wrong_is_said_on_a_short_line():
    for arguments in (["info", "x" * 100_000], ["draw", "\n" * 100_000], ["x" * 100_000], ["info", "x", "y" * 100_000]):
        sentence = refused(*arguments)
        assert sentence.startswith("Error: ")
        assert len(sentence) <= 500
    assert refused("info", "x" * 300 + ".safetensors").endswith("…: File name too long")
