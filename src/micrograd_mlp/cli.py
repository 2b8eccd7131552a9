"""The command line: `micrograd-mlp train | sweep | predict | draw | explore | play | export | import | ...`.

What a user can get wrong ends with one sentence and exit code 2. Only click is loaded here, so that --help is quick;
every command loads what it needs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import __version__
from .options import PROBLEMS, SEARCHED, SWEPT, TABLES, Options, SweepOptions, read_toml
from .signals import Stopped
from .terminal import INTERRUPTED, Program, plain, progress_bar, say, table, tell

if TYPE_CHECKING:
    from .experiment import Run
    from .sweeps.results import Record, Result
    from .training import Epoch

DIVERGED = 1  # an exit code
MOST_RANKED = 10  # configurations in a table
TEST_POINTS = "the points that no trial saw"


def _examples(*lines: str) -> str:
    return "\b\nExamples:\n" + "\n".join(f"  micrograd-mlp {line}" for line in lines)


@click.group(
    cls=Program,
    epilog=_examples(
        "train moons",
        "train own.csv --label species --hidden 16,16",
        "sweep moons --hidden 8/16,16 --seeds 3",
        "predict runs/moons/model.safetensors new.csv",
        'draw "relu(2*x + y**2)" x=1.5 y=-2',
        "play",
        "datasets",
    ),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(__version__, prog_name="micrograd-mlp")
def main() -> None:
    """Train small neural networks one number at a time, and see every number in them."""


def _options_of(
    options: Any, without: Sequence[str] = ("problem",), several: Sequence[str] = ()
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command an option for each field of `options`; they come as text and are checked there.

    Those that are `several` may hold more than one value.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for each in reversed(fields(options)):
            if each.name not in without:
                meaning, default = each.metadata["meaning"], each.default
                shown = ",".join(map(str, default)) if isinstance(default, tuple) else f"{default}"
                varies = ", or by problem" if any(each.name in found for found in (PROBLEMS | TABLES).values()) else ""
                help_text = meaning if default is None else f"{meaning} [default: {shown}{varies}]"
                name = "--" + each.name.replace("_", "-")
                metavar = "VALUES" if each.name in several else "VALUE"
                command = click.option(name, each.name, metavar=metavar, help=help_text)(command)
        return command

    return decorate


@main.command(
    epilog=_examples(
        "train moons",
        "train spirals --hidden 24,24 --activation sin --epochs 80",
        "train circles --loss bce --optimizer adam --stop-accuracy 0.99",
        "train digits --hidden 64,32",
        "train own.csv --label species --out runs/species",
        "train --config run.toml --seed 7",
        "train moons --resume",
    )
)
@click.argument("problem", required=False, metavar="[PROBLEM|FILE.csv]")
@_options_of(Options)
@click.option("--config", metavar="FILE.toml", help="take options from a file; those given here come first")
@click.option("--resume", is_flag=True, help="go on with the run that was stopped in the folder")
def train(problem: str | None, config: str | None, resume: bool, **given: str | None) -> int:
    """Train a network on a problem or on the points in a CSV file.

    Problems are listed by `datasets`. Writes the model, its history and pictures of both into a folder. Ctrl-C ends the
    run and keeps what was learned. A run that was stopped in any way goes on with --resume, as if it had never stopped.
    """
    chosen = {name: value for name, value in ({"problem": problem} | given).items() if value is not None}
    chosen = (read_toml(config) if config else {}) | chosen
    options = Options.of(chosen)
    from . import experiment

    if resume:
        stopped = experiment.stopped(options.out or "")
        if stopped is None and (ended := experiment.ended(options.out or "", chosen)):
            say(plain(f"The run in {options.out} has come to its end: {ended}"))
            return 0
        if stopped is None and "problem" not in chosen:
            raise ValueError(f"no run was stopped in {options.out}; name a problem or a file, and one begins there")
        if stopped is None:
            say(plain(f"No run was stopped in {options.out}: this one begins."))
        else:
            options = experiment.same(stopped, chosen)
    start = experiment.prepare(options)
    with experiment.claimed(start.folder, options.problem):
        say(plain(f"{options.problem}: {experiment.describe_network(start.classifier)}"))
        if len(start.points.y_test):
            say("Loss and accuracy: on the points it learns from | on those held out.")
        try:
            with _Progress(start.options.epochs or 0) as progress:
                done = experiment.learn(start, [progress], keep=True, resume=resume)
        except (KeyboardInterrupt, Stopped) as error:
            tell(f"{_ending(error)}; {experiment.left(start.folder)}")
            return _code(error)
        return _finish(done)


def _ending(error: BaseException) -> str:
    return str(error) if isinstance(error, Stopped) else "interrupted"


def _code(error: BaseException) -> int:
    return error.code if isinstance(error, Stopped) else INTERRUPTED


def _finish(done: Run) -> int:
    """Tell what came of a run, write its files, and return the exit code."""
    from . import experiment

    code = {"diverged": DIVERGED, "interrupted": INTERRUPTED}.get(done.history.reason, 0)
    ended = done.history.message
    advice = "; a smaller --lr may help" if code == DIVERGED else ""
    if code and not done.learned:
        tell(f"{ended}; nothing was learned yet, so nothing was written{advice}")
        return code
    kept = False
    try:
        for each in experiment.write(done):
            if not kept:  # the model, which comes first
                kept = True
                _summarise(done)
                say("Ctrl-C again leaves out the pictures." if code == INTERRUPTED else "Files:")
            say(plain(str(each.path) if each.path else f"({each.note})"))
    except (KeyboardInterrupt, Stopped) as error:
        ended = ended if code else _ending(error)
        code = _code(error)
    if code:
        what = "what was learned until then is in" if kept else "nothing was written into"
        on = f"; {experiment.left(done.folder)}" if code != DIVERGED else ""
        tell(f"{ended}; {what} {done.folder}{on}{advice}")
    return code


def _summarise(done: Run) -> None:
    from . import experiment

    found = experiment.scores(done)
    table(("", "accuracy", "loss"), [(f"points {k}", f"{v.accuracy:.2%}", f"{v.loss:.4g}") for k, v in found.items()])
    classes = done.classifier.classes
    if len(classes) <= 10:
        counts = experiment.confusion(done).tolist()
        rows = [(name, *map(str, row)) for name, row in zip(classes, counts, strict=True)]
        table((f"class ({list(found)[-1]})", *(f"taken for {name}" for name in classes)), rows)
    table((), experiment.summary(done))


@main.command(
    epilog=_examples(
        "sweep moons --hidden 8/16,16 --activation tanh/relu --seeds 3",
        "sweep spirals --hidden 16,16/32,32 --lr 0.003..0.1 --search random --trials 40",
        "sweep digits --lr 0.001..0.1 --l2 1e-6..1e-2 --batch 16..128 --search halving --trials 81",
        "sweep own.csv --label species --optimizer adam/sgd --out runs/species",
        "sweep moons --hidden 8/16/32 --seeds 20 --scheduler 127.0.0.1:8786",
    )
)
@click.argument("problem", required=False, metavar="[PROBLEM|FILE.csv]")
@_options_of(SweepOptions, without=())
@_options_of(Options, without=("problem", "out"), several=SEARCHED)
@click.option("--out", metavar="VALUE", help="folder for what is written [default: runs/sweep-PROBLEM]")
@click.option("--config", metavar="FILE.toml", help="take options from a file; those given here come first")
def sweep(problem: str | None, config: str | None, **given: str | None) -> int:
    """Try options on a problem or a CSV file, and keep the best model.

    Where VALUES stands, slashes part several values (--hidden 16/16,16 tries 16 and 16,16), and for a random or a
    halving search two dots make a range (--lr 0.001..0.1). A file has them as text: hidden = "16/16,16".

    Each configuration is trained with each seed, and ranked by its mean accuracy on points held out of learning, then
    by its mean loss there. The best model is tested once, on points that no trial has seen. Each trial is kept when it
    ends: after Ctrl-C or a power cut, the same command goes on.
    """
    chosen = {name: value for name, value in ({"problem": problem} | given).items() if value is not None}
    chosen = (read_toml(config, SWEPT) if config else {}) | chosen
    if "out" not in chosen:
        chosen["out"] = str(Path("runs", f"sweep-{Path(str(chosen.get('problem', 'moons'))).stem}"))
    from .sweeps import run

    asked = run.plan(chosen)
    with run.opened(asked) as ledger:
        say(plain(f"{chosen.get('problem', 'moons')}: {run.describe(asked)}"))
        try:
            with _Trials() as progress:
                result = run.carry_out(asked, ledger, progress)
        except (KeyboardInterrupt, Stopped) as error:
            ended = f"{len(ledger.rows) if ledger else 0} of {asked.search.total} trials are in {chosen['out']}"
            tell(f"{_ending(error)}; {ended}; the same command goes on from there")
            return _code(error)
        return _tell_of_sweep(result, str(chosen["out"]))


def _tell_of_sweep(result: Result, folder: str) -> int:
    """Print the ranking, the test of the best model and the files of a sweep; return the exit code."""
    from .sweeps.space import text_of

    ranking = result.ranking
    header = tuple(dict.fromkeys(("rank", *result.varied, "epochs", "accuracy", "loss", "trials")))  # each once
    rows = []
    for place, each in enumerate(ranking[:MOST_RANKED], 1):
        scores = (f"{each.accuracy:.2%}", f"{each.loss:.4g}") if each.diverged < len(each.records) else ("diverged", "")
        lost = f", {each.diverged} diverged" if 0 < each.diverged < len(each.records) else ""
        values = {name: text_of(value) for name, value in each.values}
        epochs = str(each.records[0].trial.options.epochs)
        rows.append((str(place), *(values | {"epochs": epochs}).values(), *scores, f"{len(each.records)}{lost}"))
    table(header, rows)
    if len(ranking) > MOST_RANKED:
        say(f"{len(ranking) - MOST_RANKED} more configurations are in {plain(folder)}/trials.csv.")
    say("Ranked by accuracy on the points held out; that of the best of many is no estimate, its test is.")
    if result.test:
        say(f"The best model on {TEST_POINTS}: accuracy {result.test.accuracy:.2%}, loss {result.test.loss:.4g}")
    say("Files:")
    for name in ("model.safetensors", "trials.csv", "sweep.png"):
        say(plain(str(Path(folder, name))))
    if result.best.outcome.diverged:
        tell("every trial diverged; smaller values of --lr may help")
        return DIVERGED
    return 0


class _Trials:
    """A progress of a sweep: a live bar where a terminal is, else a line at every tenth of the trials."""

    def __init__(self) -> None:
        self.ended, self.best = 0, 0.0
        self.bar: Any = None

    def __enter__(self) -> _Trials:
        self.bar = progress_bar("trial", 0)
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar:
            self.bar.stop()

    def __call__(self, record: Record, ended: int, total: int) -> None:
        before, self.ended = self.ended, ended
        if not record.outcome.diverged:
            self.best = max(self.best, record.outcome.held_accuracy)
        told = f"best held-out accuracy {self.best:.1%}"
        if self.bar:
            self.bar.update(self.bar.task_ids[0], completed=ended, total=total, description=told)
        elif before == 0 or ended * 10 // total > before * 10 // total:
            say(f"trial {ended}/{total}: {told}")


class _Progress:
    """A callback for `fit`: a live bar where a terminal is, else a line at every tenth of the epochs."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        self.bar: Any = None

    def __enter__(self) -> _Progress:
        self.bar = progress_bar("epoch", self.epochs)
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar:
            self.bar.stop()

    def __call__(self, epoch: Epoch, model: Any) -> None:
        loss, accuracy = f"{epoch.loss:.3f}", f"{epoch.accuracy:.1%}"
        if epoch.test_loss == epoch.test_loss:  # there are points held out
            loss, accuracy = f"{loss} | {epoch.test_loss:.3f}", f"{accuracy} | {epoch.test_accuracy:.1%}"
        told = f"loss {loss}, accuracy {accuracy}"
        if self.bar:
            self.bar.update(self.bar.task_ids[0], completed=epoch.epoch, description=told)
        elif epoch.epoch == 1 or epoch.epoch * 10 // self.epochs > (epoch.epoch - 1) * 10 // self.epochs:
            say(f"epoch {epoch.epoch}/{self.epochs}: {told}")


@main.command(
    epilog=_examples(
        "predict runs/moons/model.safetensors new.csv",
        "predict runs/moons/model.safetensors new.csv --out classes.csv",
        "predict runs/moons/model.safetensors - < new.csv",
    )
)
@click.argument("model")
@click.argument("file", metavar="FILE.csv")
@click.option("--out", metavar="FILE", help="write to this file [default: the terminal]")
def predict(model: str, file: str, out: str | None) -> None:
    """Print the class of each row of a CSV file; - stands for the standard input.

    It comes as CSV, with how probable each class is; of a regressor, what it predicts. Columns are found by the names
    in the header; without a header, by their order.
    """
    import csv
    import io

    from .files import refuse_same, write_atomically
    from .regressor import Regressor, load_model
    from .tables import load_features, parse_features

    trained = load_model(model)
    if out:
        refuse_same(out, (model, file))
    if file == "-":
        content = sys.stdin.buffer.read() if sys.stdin else b""  # None where it was closed
        X = parse_features(content, "standard input", trained.features)
    else:
        X = load_features(file, trained.features)
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    if isinstance(trained, Regressor):
        lines.writerow(trained.targets)
        lines.writerows([repr(number) for number in row] for row in trained.predict(X).reshape(len(X), -1).tolist())
    else:
        lines.writerow(["class", *(f"p({name})" for name in trained.classes)])
        for name, shares in zip(trained.predict(X), trained.predict_proba(X), strict=True):
            lines.writerow([name, *(f"{share:.6g}" for share in shares)])
    if out:
        say(plain(str(write_atomically(out, text.getvalue()))))
    elif sys.stdout.isatty():
        say("\n".join(map(plain, text.getvalue().splitlines())))
    else:
        say(text.getvalue().rstrip("\n"))


@main.command(
    epilog=_examples(
        'draw "relu(2*x + y**2)" x=1.5 y=-2 --out graph.svg',
        'draw "tanh(w1*x1 + w2*x2 + b)" x1=2 x2=0 w1=-3 w2=1 b=6.9 --edges',
        "draw runs/moons/model.safetensors --at 0.5,-0.2 --out network.png",
    )
)
@click.argument("what", metavar="EXPRESSION|MODEL")
@click.argument("numbers", nargs=-1, metavar="[NAME=NUMBER]...")
@click.option("--at", metavar="NUMBERS", help="for a model: the point, as 0.5,-0.2 [default: the mean of its points]")
@click.option("--out", default="graph.svg", show_default=True, metavar="FILE", help=".svg, .png, .pdf or .dot")
@click.option("--level", metavar="LEVEL", help="scalar, neuron, layer or depth [default: what can be read]")
@click.option("--edges", is_flag=True, help="write the derivative along each edge")
def draw(what: str, numbers: tuple[str, ...], at: str | None, out: str, level: str | None, edges: bool) -> None:
    """Draw how an expression or a model is computed.

    Every value is shown, and every gradient. A model is drawn at a point.
    """
    from .drawing import RenderError

    if what.endswith(".safetensors") or os.path.isfile(what):
        drawing = _drawn_model(what, numbers, at, level, edges)
    else:
        drawing = _drawn_expression(what, numbers, at, level, edges)
    try:
        say(plain(str(drawing.save(out))))
    except RenderError as error:
        raise ValueError(f"{error} Here that is --out graph.dot") from None
    if drawing.note:
        say(plain(f"({drawing.note})"))


@main.command(
    epilog=_examples(
        'explore "tanh(w1*x1 + w2*x2 + b)" x1=2 x2=0 w1=-3 w2=1 b=6.9',
        "explore runs/moons/model.safetensors --at 0.5,-0.2",
        "explore runs/moons/model.safetensors --at 0.5,-0.2 --target 1 --out loss.html --open",
    )
)
@click.argument("what", metavar="EXPRESSION|MODEL")
@click.argument("numbers", nargs=-1, metavar="[NAME=NUMBER]...")
@click.option("--at", metavar="NUMBERS", help="for a model: the point, as 0.5,-0.2 [default: the mean of its points]")
@click.option("--target", metavar="CLASS", help="for a model: the class that is right there; then it is about the loss")
@click.option("--loss", metavar="LOSS", help="with --target [default: the one that the model was trained with]")
@click.option("--out", default="explorer.html", show_default=True, metavar="FILE.html")
@click.option("--open", "show", is_flag=True, help="open it in the browser as well")
def explore(
    what: str, numbers: tuple[str, ...], at: str | None, target: str | None, loss: str | None, out: str, show: bool
) -> None:
    """Write a page on which a computation is stepped through.

    It shows the forward pass, the backward pass and the update, one operation at a time. The page loads nothing; any
    browser opens it from disk. `train` leaves one in the folder of each run, with all its epochs.
    """
    if what.endswith(".safetensors") or os.path.isfile(what):
        explorer = _explored_model(what, numbers, at, target, loss)
    else:
        explorer = _explored_expression(what, numbers, (at, target, loss))
    path = explorer.save(out)
    say(plain(str(path)))
    if show:
        import webbrowser

        webbrowser.open(path.resolve().as_uri())


def _explored_expression(text: str, numbers: Sequence[str], of_models: Sequence[str | None]) -> Any:
    from .explorer import explore as explore_value
    from .expressions import evaluate

    if any(of_models):
        raise ValueError("--at, --target and --loss are for models; an expression takes its numbers by name, as x=1.5")
    return explore_value(evaluate(text, _named(numbers)), title=text)


def _explored_model(path: str, numbers: Sequence[str], at: str | None, target: str | None, loss: str | None) -> Any:
    from .experiment import explore_at
    from .regressor import Regressor

    trained, x = _model_at(path, numbers, at)
    if loss and target is None:
        raise ValueError("--loss goes with --target, the class that is right there")
    if target is not None and isinstance(trained, Regressor):
        raise ValueError("--target is a class; this model is a regressor, which has none")
    if target is not None and target not in trained.names:
        raise ValueError(f"--target is one of {', '.join(trained.names)}; got {target!r}")
    return explore_at(trained, x, None if target is None else trained.names.index(target), loss=loss)


def _drawn_expression(text: str, numbers: Sequence[str], at: str | None, level: str | None, edges: bool) -> Any:
    from .drawing import draw as draw_value
    from .expressions import evaluate

    if at is not None:
        raise ValueError("--at is for models; an expression takes its numbers by name, as x=1.5")
    value = evaluate(text, _named(numbers))
    value.backward()
    return draw_value(value, level=level, edges=edges, title=text)


def _named(numbers: Sequence[str]) -> dict[str, float]:
    named: dict[str, float] = {}
    for text in numbers:
        name, _, number = text.partition("=")
        if not number or name in named:
            raise ValueError(f"each name is given one number, as x=1.5; got {' '.join(numbers)!r}")
        named[name.strip()] = _number(number, f"{name} takes a number, as {name}=1.5")
    return named


def _drawn_model(path: str, numbers: Sequence[str], at: str | None, level: str | None, edges: bool) -> Any:
    from .experiment import draw_at

    trained, x = _model_at(path, numbers, at)
    return draw_at(trained, x, level, edges)


def _model_at(path: str, numbers: Sequence[str], at: str | None) -> tuple[Any, list[float]]:
    """Return the model in a file, and the point that it is shown at."""
    from .regressor import load_model

    if numbers:
        raise ValueError(f"a model takes its point as --at 0.5,-0.2; got {' '.join(numbers)!r}")
    trained = load_model(path)
    texts = at.split(",") if at else [str(mean) for mean in trained.scaling.mean]
    wants = f"--at takes {len(trained.features)} numbers: {', '.join(trained.features)}"
    if len(texts) != len(trained.features):
        raise ValueError(f"{wants}; got {at!r}")
    return trained, [_number(text, wants) for text in texts]


def _number(text: str, wants: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not abs(number) < float("inf"):
        raise ValueError(f"{wants}; got {text!r}")
    return number


@main.command(
    epilog=_examples(
        "play",
        "play --port 9000 --no-browser",
    )
)
@click.option("--port", metavar="N", help="where the page is served [default: 8421, or another that is free]")
@click.option("--no-browser", is_flag=True, help="only print the address of the page")
def play(port: str | None, no_browser: bool) -> None:
    """Build, train and take apart networks on a page in the browser.

    The page is served to this machine alone, at an address that nobody can guess. Ctrl-C ends it.
    """
    from importlib.util import find_spec

    from .checks import checked, whole

    number = None if port is None else checked("--port", whole(0, 65535), port)
    if missing := [name for name in ("starlette", "uvicorn") if find_spec(name) is None]:
        raise ValueError(f"play needs {' and '.join(missing)}, missing here: pip install 'micrograd-mlp[play]'")
    from .play.server import serve

    serve(number, not no_browser, say)


@main.command(
    epilog=_examples(
        "export runs/moons/model.safetensors --to onnx",
        "export runs/moons/model.safetensors --to python --out classify.py",
        "export runs/moons/model.safetensors --to c --train-step --dtype float32",
    )
)
@click.argument("model")
@click.option("--to", required=True, metavar="TARGET", help="onnx, torch, c, python or json")
@click.option("--out", metavar="FILE", help="write to this file [default: beside the model]")
@click.option(
    "--dtype", default="float64", show_default=True, metavar="TYPE", help="or float32, with --to onnx, torch or c"
)
@click.option("--train-step", is_flag=True, help="with --to c: the network can learn where it runs")
def export(model: str, to: str, out: str | None, dtype: str, train_step: bool) -> None:
    """Write a model for use without this program.

    The file has the scaling and all names in it, takes points in the units of the data, and gives the same
    probabilities or predictions. For torch there are two files: Python code and, beside it, its numbers.
    """
    from .exports import TARGETS
    from .exports import export as write
    from .names import refuse_unknown
    from .regressor import load_model

    refuse_unknown(to, TARGETS, "target")
    ending = TARGETS[to][0]
    beside = os.path.splitext(model)[0] + ("_torch" if to == "torch" else "") + ending
    for path in write(load_model(model), to, out or beside, dtype=dtype, train_step=train_step, sources=[model]):
        say(plain(str(path)))


@main.command(
    "import",
    epilog=_examples(
        "import network.safetensors --activation relu --classes no,maybe,yes",
        "import model.json --out model.safetensors",
    ),
)
@click.argument("file")
@click.option("--activation", metavar="NAMES", help="of the hidden layers: one name, or with commas one for each layer")
@click.option("--features", metavar="NAMES", help="between commas [default: x1,x2,...]")
@click.option("--classes", metavar="NAMES", help="between commas [default: 0,1,...]")
@click.option("--targets", metavar="NAMES", help="between commas, of a regressor: what it predicts")
@click.option("--out", default="model.safetensors", show_default=True, metavar="FILE", help="write to this file")
def import_(file: str, out: str, **listed: str | None) -> None:
    """Make a model of one that was trained elsewhere.

    FILE holds the state_dict of a PyTorch Sequential of linear layers, as safetensors, or is a JSON export. Models of
    scikit-learn are imported in Python, by micrograd_mlp.imports.from_sklearn: a file of theirs can run code.
    """
    from .files import refuse_same
    from .imports import from_json, from_torch

    given: dict[str, Any] = {name: text.split(",") for name, text in listed.items() if text is not None}
    refuse_same(out, [file])
    if file.lower().endswith(".json"):
        if given:
            raise ValueError(f"a JSON export has all names in it; --{next(iter(given))} is for tensors")
        trained = from_json(file)
    else:
        if len(given.get("activation", [])) == 1:  # for all hidden layers
            given["activation"] = given["activation"][0]
        trained = from_torch(file, **given)
    say(plain(str(trained.save(out))))


@main.command(
    epilog=_examples(
        "datasets",
        "datasets moons --out moons.png --noise 0.2",
        "datasets spirals --csv spirals.csv --samples 1000",
        "datasets iris --csv iris.csv",
    )
)
@click.argument("problem", required=False)
@click.option("--samples", metavar="N", help="how many points [default: by problem]")
@click.option("--noise", metavar="X", help="standard deviation of the jitter [default: by problem]")
@click.option("--seed", metavar="N", help="[default: 0]")
@click.option("--out", metavar="FILE", help="draw the points: .png, .svg or .pdf")
@click.option("--csv", metavar="FILE", help="write the points as CSV")
def datasets(problem: str | None, out: str | None, csv: str | None, **given: str | None) -> None:
    """List the problems, or preview one as a picture or CSV."""
    import csv as tables
    import io

    from .datasets import PROBLEMS as MADE
    from .datasets import TABLES as MEASURED
    from .experiment import load
    from .files import write_atomically
    from .names import refuse_unknown

    functions: dict[str, Callable[..., Any]] = {**MADE, **MEASURED}
    if problem is None:
        return table(("problem", "points"), [(name, _first_line(function)) for name, function in functions.items()])
    refuse_unknown(problem, functions, "problem")
    options = Options.of({"problem": problem} | {name: value for name, value in given.items() if value is not None})
    points = load(options)
    if out:
        from .drawing.plots import plot_data, save_figure

        say(plain(str(save_figure(plot_data(points.X, points.y, features=points.features), out))))
    if csv:
        text = io.StringIO()
        lines = tables.writer(text, lineterminator="\n")
        lines.writerow([*points.features, "class"])
        lines.writerows([*map(repr, x), points.classes[k]] for x, k in zip(points.X.tolist(), points.y, strict=True))
        say(plain(str(write_atomically(csv, text.getvalue()))))
    if not (out or csv):
        say(_first_line(functions[problem]))
        table(("option", "default here"), [(name, str(value)) for name, value in (PROBLEMS | TABLES)[problem].items()])
    return None


def _first_line(function: Callable[..., Any]) -> str:
    return (function.__doc__ or "").partition("\n")[0].removeprefix("Return ")


@main.command(
    epilog=_examples(
        "info runs/moons/model.safetensors",
    )
)
@click.argument("model")
def info(model: str) -> None:
    """Tell what is in a model file.

    That is its network, features, classes or targets, scaling, and how it was trained.
    """
    from .experiment import describe_network
    from .regressor import load_model

    trained = load_model(model)
    table((), [("network", describe_network(trained)), (trained.answers, ", ".join(trained.names))])
    scaling = zip(trained.features, trained.scaling.mean, trained.scaling.deviation, strict=True)
    table(("feature", "mean", "deviation"), [(name, f"{mean:.6g}", f"{spread:.6g}") for name, mean, spread in scaling])
    if trained.about:
        table(("how it was trained", ""), _flat(trained.about))


def _flat(about: dict[str, Any]) -> list[tuple[str, str]]:
    """Return rows of (name, value), those of a dictionary within it after its name."""
    rows: list[tuple[str, str]] = []
    for name, value in about.items():
        if isinstance(value, dict):
            rows += [(f"{name}: {inner}", _listed(each)) for inner, each in value.items()]
        else:
            rows.append((name, _listed(value)))
    return rows


def _listed(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
