"""A training run from its options to its files, without a terminal: load, split, scale, build, fit, write.

`run(Options.of({"problem": "moons"}))` is the whole of it. The command line takes the same three steps, `prepare`,
`learn` and `write`, to talk in between.
"""

from __future__ import annotations

import json
import random
import shlex
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from . import __version__, checkpoints, datasets
from .classifier import Classifier, Scaling
from .engine import Value
from .files import clear_temporaries, locked, refuse_same, write_atomically
from .losses import LOSSES
from .names import chosen, refuse_unknown
from .nn import MLP
from .options import PROBLEMS, TABLES, Options
from .recording import Recording
from .tables import Table, load_csv
from .trained import Trained
from .training import Callback, History, evaluate, fit

Array = np.ndarray[Any, np.dtype[Any]]

MOST_PARAMETERS = 100_000
MOST_EXPLORED = 20_000  # parameters of a network whose page can be looked at
SHOWN_POINTS = 16_000  # a file's points are gone through until the network has seen about so many


@dataclass(frozen=True)
class Points:
    """Points to learn from (X, y) and held out from learning (X_test, y_test), in the units of the data."""

    X: Array
    y: Array
    X_test: Array
    y_test: Array


@dataclass(frozen=True)
class Run:
    """What a run starts from; and after `learn`, what came of it: `classifier` is trained, `history` says how."""

    options: Options
    points: Points
    classifier: Classifier
    history: History
    snapshots: Any = None  # the BoundaryFrames of the run
    record: Recording | None = None  # the parameters after each epoch
    seconds: float = 0.0  # of training

    @property
    def folder(self) -> Path:
        """Where the files go."""
        return Path(self.options.out or "")

    @property
    def learned(self) -> bool:
        """Whether any weight has changed: if not, there is nothing to write."""
        features, classes = len(self.classifier.features), len(self.classifier.classes)
        return self.classifier.model.state_dict() != _network(self.options, features, classes).state_dict()


@dataclass(frozen=True)
class Written:
    """A file of a run, its `note` what it shows; or, where `path` is None, why there is none."""

    path: Path | None
    note: str = ""


@dataclass(frozen=True)
class Score:
    """The mean loss and the accuracy (share of 1) on some points."""

    loss: float
    accuracy: float


def run(options: Options, callbacks: Iterable[Callback] = (), resume: bool = False) -> tuple[Run, list[Written]]:
    """Train as `options` say, write the files of the run, and return both. Raises ValueError and OSError.

    With `resume`, a run that was stopped in the same folder goes on, to the bit as if it had never stopped.
    """
    start = prepare(options)
    with claimed(start.folder, options.problem):
        done = learn(start, callbacks, keep=True, resume=resume)
        return done, list(write(done)) if done.learned else []


def stopped(folder: str | Path) -> Options | None:
    """Return the options of the run that was stopped in a folder; None if there is none. Raises ValueError, OSError."""
    path = Path(folder) / CHECKPOINT
    if not path.exists():
        return None
    try:
        about, _ = checkpoints.load(path)
        return Options.of({**about["options"], "out": str(folder)})
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} is of no run of this program ({error}); without --resume, one begins anew") from None
    except ValueError as error:
        raise ValueError(f"{error}; without --resume, a run begins anew") from None


def same(stopped: Options, given: Mapping[str, Any]) -> Options:
    """Return the options of a stopped run. ValueError if options that are `given` by name are other than they were."""
    kept = stopped.of_training()
    if different := checkpoints.difference(kept, Options.of({**kept, **given}).of_training()):
        raise ValueError(
            f"the run that was stopped in {stopped.out} had other options: {different}; leave that out to go on with"
            " it, or --resume to begin anew"
        )
    return stopped


def ended(folder: str | Path, given: Mapping[str, Any]) -> str:
    """Return how the run in a folder has come to its end; "" if there is none, or one with options not as `given`."""
    try:
        about = Classifier.load(Path(folder) / "model.safetensors").about
        again = Options.of({**about["options"], **given}).of_training()
        return "" if checkpoints.difference(about["options"], json.loads(json.dumps(again))) else str(about["ended"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ""


def left(folder: Path) -> str:
    """Return in words how the run that was stopped in a folder can go on."""
    if not (folder / CHECKPOINT).exists():
        return "it left nothing to go on from"
    return f"micrograd-mlp train --resume --out {shlex.quote(str(folder))} goes on with it"


def prepare(options: Options) -> Run:
    """Return the run before its first step. Raises ValueError or OSError for points that cannot serve."""
    table = load(options)
    return begin(options, split(table, options.test_share, options.seed), table.features, table.classes)


def begin(options: Options, points: Points, features: tuple[str, ...], classes: tuple[str, ...]) -> Run:
    """Return the run on these points before its first step; it has no folder yet. Raises ValueError as `prepare`."""
    options = replace(options, epochs=options.epochs or default_epochs(len(points.y)))
    with np.errstate(all="ignore"):
        scaling = Scaling.of(points.X)
        held_out = scaling(points.X_test)
    if not (np.isfinite([scaling.mean, scaling.deviation]).all() and np.isfinite(held_out).all()):
        raise ValueError(f"{options.problem} holds numbers too far from each other to be standardised")
    network = _network(options, len(features), len(classes))
    return Run(options, points, Classifier(network, scaling, features, classes), History())


def load(options: Options) -> Table:
    """Return the labelled points that `options` ask for: of a problem or a table that is known, or from a CSV file."""
    if options.is_file:
        if not (Path(options.problem).suffix or Path(options.problem).exists()):
            refuse_unknown(options.problem, PROBLEMS | TABLES, "problem or file")
        return load_csv(options.problem, options.label)
    if options.problem in TABLES:
        return datasets.TABLES[options.problem]()
    chosen = {"n": options.samples, "noise": options.noise, "seed": options.seed}
    X, y = datasets.PROBLEMS[options.problem](**{name: value for name, value in chosen.items() if value is not None})
    return Table(X, y, ("x1", "x2"), tuple(map(str, range(int(y.max()) + 1))))


def split(table: Table, share: float, seed: int) -> Points:
    """Return the points of `table`, a `share` of them held out: of each class alike, where there are enough of each."""
    from sklearn.model_selection import train_test_split

    held_out = int(np.ceil(share * len(table.y)))
    if not held_out:
        return Points(table.X, table.y, table.X[:0], table.y[:0])
    left = len(table.y) - held_out
    if left < 1:
        raise ValueError(f"test-share {share:g} of {len(table.y)} points leaves none to learn from")
    enough = min(held_out, left) >= len(table.classes) and np.bincount(table.y).min() >= 2
    X, X_test, y, y_test = train_test_split(
        table.X, table.y, test_size=held_out, random_state=seed, stratify=table.y if enough else None
    )
    return Points(X, y, X_test, y_test)


def learn(start: Run, callbacks: Iterable[Callback] = (), *, keep: bool = False, resume: bool = False) -> Run:
    """Train the network of `start`, and return the run with its history. Ctrl-C ends it early and in order.

    To `keep` its state, a checkpoint is written into its folder; with `resume`, the run goes on from the one there.
    """
    from .drawing.plots import BoundaryFrames

    snapshots = BoundaryFrames() if len(start.classifier.features) == 2 else None
    seen: Iterable[Callback] = [snapshots, *callbacks] if snapshots else callbacks
    return replace(train(start, seen, Recording(), keep=keep, resume=resume), snapshots=snapshots)


def train(
    start: Run,
    callbacks: Iterable[Callback] = (),
    record: Recording | None = None,
    *,
    keep: bool = False,
    resume: bool = False,
) -> Run:
    """Train the network of `start` as `learn` does, without the memories that pictures are made of."""
    options, classifier, points = start.options, start.classifier, start.points
    tested = len(points.y_test) > 0
    path = start.folder / CHECKPOINT
    if keep and not resume:
        path.unlink(missing_ok=True)
    begun = time.perf_counter()
    history = fit(
        classifier.model,
        classifier.scaling(points.X),
        points.y,
        X_test=classifier.scaling(points.X_test) if tested else None,
        y_test=points.y_test if tested else None,
        batch_size=options.batch or None,
        callbacks=callbacks,
        record=record,
        checkpoint=path if keep else None,
        depends_on={"options": options.of_training()},
        **{name: getattr(options, name) for name in _FIT},
    )
    done = replace(start, history=history, record=record, seconds=time.perf_counter() - begun)
    classifier.about.update(_about(done))
    if keep and history.reason == "diverged" and not done.learned:
        path.unlink(missing_ok=True)
    return done


_FIT = ("loss", "optimizer", "lr", "schedule", "l1", "l2", "epochs", "seed", "stop_accuracy", "patience", "engine")


def scores(done: Run) -> dict[str, Score]:
    """Return how well the network does on the points that it learned from and on those held out, if there are any."""
    points, loss = done.points, LOSSES[done.options.loss]
    sets = {"learned from": (points.X, points.y), "held out": (points.X_test, points.y_test)}
    network, scaling = done.classifier.model, done.classifier.scaling
    return {name: Score(*evaluate(network, scaling(X), y, loss)) for name, (X, y) in sets.items() if len(y)}


def confusion(done: Run) -> Array:
    """Return the confusion matrix on the points held out; if there are none, on those learned from."""
    points = done.points
    X, y = (points.X_test, points.y_test) if len(points.y_test) else (points.X, points.y)
    return done.classifier.confusion_matrix(X, y)


def summary(done: Run) -> list[tuple[str, str]]:
    """Return rows of (name, value) that say what was done and how it ended; how well, is in `scores`."""
    options, points, epochs = done.options, done.points, len(done.history.epochs)
    penalties = "".join(f", {name} {weight:g}" for name in ("l1", "l2") if (weight := getattr(options, name)))
    batch = f"batches of {options.batch}" if options.batch else "all points a step"
    return [
        ("points", f"{options.problem}: {len(points.y):,} to learn from, {len(points.y_test):,} held out"),
        ("network", describe_network(done.classifier)),
        ("training", f"{options.loss}, {options.optimizer}, lr {options.lr:g} {options.schedule}, {batch}{penalties}"),
        ("epochs", f"{epochs} of {options.epochs}: {done.history.message}"),
        ("seed", str(options.seed)),
        ("seconds", f"{done.seconds:.1f}"),
    ]


def describe_network(trained: Trained) -> str:
    """Return the sizes of the layers, their activations, and the number of parameters, on one line."""
    layers = trained.model.layers
    sizes = [len(trained.features), *(len(layer.neurons) for layer in layers)]
    activations = dict.fromkeys(layer.neurons[0].activation for layer in layers[:-1] or layers)
    return f"{'-'.join(map(str, sizes))}, {', '.join(activations)}, {len(trained.model.parameters()):,} parameters"


def write(done: Run) -> Iterator[Written]:
    """Write the files of a run one after the other, the model first; yield each as it is there, or why it is not.

    Each is written in one step: what it replaces is lost only when the new one is whole. With the last one there, the
    checkpoint of a run that has come to its end is removed.
    """
    folder = done.folder
    yield Written(done.classifier.save(folder / "model.safetensors"))
    yield Written(write_atomically(folder / "history.csv", done.history.to_csv()))
    pictures = []
    for written in _write_pictures(done):
        pictures.append(written)
        yield written
    if len(done.classifier.model.parameters()) <= MOST_EXPLORED:
        yield Written(_write_explorer(done, folder / "explorer.html"))
    else:
        yield Written(None, f"explorer.html is for networks of at most {MOST_EXPLORED:,} parameters")
    yield Written(_write_report(done, pictures))
    made = {
        "model.safetensors",
        "history.csv",
        "explorer.html",
        "report.html",
        *(each.path.name for each in pictures if each.path),
    }
    for name in FILES:
        if name not in made and (folder / name).exists():
            yield Written(None, f"{folder / name} is from an earlier run")
    if done.history.reason != "interrupted":
        (folder / CHECKPOINT).unlink(missing_ok=True)


def _write_pictures(done: Run) -> Iterator[Written]:
    """Write what can be drawn. Where there is no Graphviz, or the graph is too much for it, its DOT text is kept."""
    from .drawing import RenderError

    features = len(done.classifier.features)
    for name, (make, caption, plane) in PICTURES.items():
        if plane and features != 2:
            yield Written(None, f"{name} is for points of 2 features; these have {features}")
            continue
        try:
            yield Written(make(done, done.folder / name), caption)
        except (ValueError, RenderError, TimeoutError) as error:
            yield Written(None, f"{name} was not made: {error}")
            if make is _write_network:
                yield Written(make(done, done.folder / "network.dot"))


def _write_boundary(done: Run, path: Path) -> Path:
    from .drawing import plots

    return plots.save_figure(plots.plot_boundary(done.classifier, **_drawn_points(done)), path)


def _write_curves(done: Run, path: Path) -> Path:
    from .drawing import plots

    return plots.save_figure(plots.plot_curves(done.history), path)


def _write_network(done: Run, path: Path) -> Path:
    point: list[float] = [*done.points.X_test, *done.points.X][0].tolist()
    saved: Path = draw_at(done.classifier, point).save(path)
    return saved


def _write_explorer(done: Run, path: Path) -> Path:
    """Write the page on the loss of the first point, with the epochs of the run."""
    points = done.points
    X, y = (points.X_test, points.y_test) if len(points.y_test) else (points.X, points.y)
    record = done.record if done.history.epochs else None
    saved: Path = explore_at(done.classifier, X[0].tolist(), int(y[0]), record=record).save(path)
    return saved


def _write_animation(done: Run, path: Path) -> Path:
    from .drawing import plots

    return plots.animate_boundary(done.snapshots, done.classifier, path=path, **_drawn_points(done))


PICTURES: dict[str, tuple[Callable[[Run, Path], Path], str, bool]] = {  # how, what it shows, whether only in the plane
    "boundary.png": (_write_boundary, "What the network finds probable in the plane, and the points", True),
    "curves.png": (_write_curves, "Loss and accuracy after each epoch", False),
    "network.svg": (_write_network, "The computational graph at one point, with values and gradients", False),
    "learning.gif": (_write_animation, "The decision boundary while it was learned", True),
}
CHECKPOINT = "checkpoint.safetensors"  # of a run that is on its way, or was stopped
FILES = ("model.safetensors", "history.csv", *PICTURES, "network.dot", "explorer.html", "report.html")


def _drawn_points(done: Run) -> dict[str, Any]:
    points = done.points
    return asdict(points) if len(points.y_test) else {"X": points.X, "y": points.y}


def _write_report(done: Run, pictures: Iterable[Written]) -> Path:
    from .drawing.report import write_report

    found = [(name, f"accuracy {each.accuracy:.2%}, loss {each.loss:.4g}") for name, each in scores(done).items()]
    return write_report(
        done.folder / "report.html",
        title=f"A network that learned {done.options.problem}",
        summary=[*found, *summary(done)],
        pictures=[(each.note, each.path) for each in pictures if each.path and each.note],
        notes=[each.note for each in pictures if not each.path],
        confusion=confusion(done),
        classes=done.classifier.classes,
        history=done.history if done.history.epochs else None,
    )


def _inputs_at(trained: Trained, x: list[float]) -> tuple[list[Value], str]:
    """Return the inputs of the network at `x`, standardised, and in words where that is."""
    scaled = trained.scaling([x])[0].tolist()
    inputs = [Value(number, label=feature) for number, feature in zip(scaled, trained.features, strict=True)]
    return inputs, ", ".join(f"{feature} = {number:g}" for number, feature in zip(x, trained.features, strict=True))


def draw_at(trained: Trained, x: list[float], level: str | None = None, edges: bool = False) -> Any:
    """Return the Drawing of the network at `x`, one number for each feature in the units of the data."""
    from .drawing import draw

    inputs, at = _inputs_at(trained, x)
    return draw(trained.model, inputs, level=level, edges=edges, title=f"The network at {at} (standardised below)")


def explore_at(
    trained: Trained,
    x: list[float],
    target: int | None = None,
    *,
    loss: str | None = None,
    record: Recording | None = None,
) -> Any:
    """Return the Explorer of the network at `x`, one number for each feature in the units of the data.

    With a `target`, the number of a class, it is that of the loss there: the one it was trained with, or a key of
    LOSSES.
    """
    from .explorer import explore

    model = trained.model
    inputs, at = _inputs_at(trained, x)
    if target is None:
        return explore(model, inputs, record=record, title=f"The network at {at}")
    name = loss or trained.about.get("options", {}).get("loss", Options.loss)
    scores = model(inputs)
    for k, score in enumerate(scores if isinstance(scores, list) else [scores]):
        score.label = score.label or (f"score[{k}]" if isinstance(scores, list) else "score")
    value = chosen(name, LOSSES, "loss")(scores, target)
    value.label = "loss"
    title = f"The loss ({name}) at {at}, class {trained.names[target]}"
    return explore(value, model=model, record=record, title=title)


def _about(done: Run) -> dict[str, Any]:
    """Return the notes on a run that go into its model file: the same for the same run, so no time and no folder."""
    found = scores(done)
    return {
        "options": done.options.of_training(),
        "epochs": len(done.history.epochs),
        "ended": done.history.message,
        "accuracy": {name: each.accuracy for name, each in found.items()},
        "made_by": f"micrograd-mlp {__version__}",
    }


def _network(options: Options, n_in: int, classes: int) -> MLP:
    """Return the network that a run begins with; its weights come from the seed."""
    sizes = [n_in, *options.hidden, 1 if classes == 2 else classes]
    parameters = sum((i + 1) * o for i, o in pairwise(sizes))
    if parameters > MOST_PARAMETERS:
        raise ValueError(
            f"hidden {','.join(map(str, options.hidden))} makes {parameters:,} parameters; one number at a time,"
            f" at most {MOST_PARAMETERS:,} are trained"
        )
    names = options.activation * (len(options.hidden) if len(options.activation) == 1 else 1)
    chosen = {"init": options.init} if options.init else {}
    return MLP(n_in, sizes[1:], activation=[*names, "linear"], rng=random.Random(options.seed), **chosen)


def default_epochs(points: int) -> int:
    """Return how many epochs so many points are learned for, if it is not said."""
    return min(max(SHOWN_POINTS // points, 20), 300)


def make_folder(folder: Path) -> None:
    """Make the folder of an `out`, if it is not there. Raises ValueError if it is not one that can be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = "it is a file" if isinstance(error, FileExistsError) else error.strerror
        raise ValueError(f"out takes a folder that can be written; {folder}: {reason}") from None


@contextmanager
def claimed(folder: Path, problem: str) -> Iterator[None]:
    """Within this block, the folder is there and this run's alone.

    Raises ValueError if no run can be written there, if another one is being written there, or if it would replace what
    is not of an earlier run.
    """
    make_folder(folder)
    with locked(folder / ".lock", str(folder)):
        present = [folder / name for name in FILES if (folder / name).exists()]
        for path in present:
            refuse_same(path, [problem])
        try:
            if present:
                Classifier.load(folder / "model.safetensors")
        except (ValueError, OSError):
            raise ValueError(
                f"out takes a new folder, or one of an earlier run; {present[0]} is there without a model of this"
                " program"
            ) from None
        for name in FILES:
            clear_temporaries(folder / name)
        yield
