"""Training: one loop that reads from top to bottom, the history it leaves, and what a trained model predicts."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from .checkpoints import Keeper
from .columns import losses_of, scores_of
from .course import Course, Samples, about
from .engine import Value
from .engines import ENGINES, Compiled, SampleLoss, Task, engine_of
from .history import COLUMNS, Callback, Epoch, History
from .losses import LOSSES
from .names import chosen
from .optim import OPTIMIZERS, SCHEDULES, Optimizer
from .recording import Recording

__all__ = [
    "COLUMNS",
    "Callback",
    "Epoch",
    "History",
    "accuracy",
    "batches",
    "confusion_matrix",
    "evaluate",
    "fit",
    "predict",
    "predict_proba",
    "probabilities",
]

Array = np.ndarray[Any, np.dtype[Any]]


def fit(
    model: Any,
    X: Any,
    y: Any,
    *,
    X_test: Any = None,
    y_test: Any = None,
    weights: Any = None,
    weights_test: Any = None,
    loss: str | SampleLoss = "cross_entropy",
    optimizer: str | Optimizer = "adam",
    lr: float = 0.05,
    schedule: str = "constant",
    l1: float = 0.0,
    l2: float = 0.0,
    penalized: Iterable[Value] | None = None,
    epochs: int = 100,
    batch_size: int | None = None,
    seed: int | np.random.Generator = 0,
    stop_accuracy: float | None = None,
    patience: int | None = None,
    callbacks: Iterable[Callback] = (),
    measured: bool = True,
    record: Recording | None = None,
    engine: str | None = None,
    threads: int = 1,
    checkpoint: str | Path | None = None,
    every: int | None = None,
    depends_on: Mapping[str, Any] | None = None,
) -> History:
    """Train `model` in place on X (n samples by n_in) with classes y (integers from 0), and return the history.

    The model gives one score for two classes, or one score for each class. `loss` is a name in `LOSSES` or a function
    of the scores and the target of one sample; `l1` and `l2` weigh the penalties on all parameters, or on those that
    are `penalized`. A sample may have a weight: the mean of the losses is then one weighted by it, over the mean weight
    of all samples, and so are the losses and accuracies told. So a sample of weight 2 counts as two, and one of weight
    0 is left out. Batches of `batch_size` (all samples, if None) come in an order set by `seed`, a number or a
    generator of NumPy. `optimizer` may be an Optimizer, then `lr` and `schedule` are its own. The run ends after
    `epochs`; when the accuracy reaches `stop_accuracy`; when the loss has not fallen for `patience` epochs, after which
    the best weights return (both on the test points, where given); when a callback returns True; at Ctrl-C, which
    leaves the weights of the last whole step; or when a loss or gradient is inf or nan: then the last good weights
    stay, and `History.message` says which Value it was. Unless `measured`, no pass over all samples ends an epoch: its
    loss is the mean over its batches of what was minimised, and there are no accuracies. `record` notes
    the parameters after each epoch, for `explore`. `engine` is "native", which compiles the step to machine code and
    takes an epoch of steps in one call, on up to so many `threads` if the batches are large; "numpy", which compiles it
    to arrays; or "python", which builds the graph of every batch. By default it is "native" where llvmlite is installed
    and the code can be compiled, else "python". All go the same way, but for rounding.

    A `checkpoint` is a file in which the run is kept, after `every` so many epochs (by default about once a second), at
    its end, and when an exception ends it. Where the file is there already, the run goes on from it, to the bit as if
    it had never stopped; callbacks with a `state_dict()` and a `load_state_dict(state)` do, too. What the run depends
    on must be as it was: data, model, options, and what is told in `depends_on`, by name, as JSON can hold it.

    Raises ValueError for what does not fit, and OSError if no checkpoint can be written.
    """
    train = _checked(model, X, y, weights, loss)
    tested = X_test is not None
    test = _checked(model, X_test, y_test, weights_test, loss) if tested else Samples(train.X[:0], train.y[:0])
    sample_loss = chosen(loss, LOSSES, "loss") if isinstance(loss, str) else loss
    for name, number in (("epochs", epochs), ("batch_size", batch_size), ("patience", patience)):
        if number is not None and number < 1:
            raise ValueError(f"{name} is at least 1, got {number}")
    if tested and not measured:
        raise ValueError("test points are measured after each epoch: give none, or leave out measured=False")
    count = len(train.X)
    batch_size = min(batch_size or count, count)
    parameters: list[Value] = model.parameters()
    total = epochs * math.ceil(count / batch_size)  # steps
    if isinstance(optimizer, str):
        rates = chosen(schedule, SCHEDULES, "schedule")(total)
        rule: Optimizer = chosen(optimizer, OPTIMIZERS, "optimizer")(parameters, lr=lr, schedule=rates)
    else:
        rule = optimizer

    if engine is not None:
        chosen(engine, ENGINES, "engine")
    held = None if penalized is None else list(penalized)
    task = Task(model, parameters, train.X, train.y, sample_loss, rule, l1, l2, batch_size, train.weights, held)
    steps = engine_of(engine, task, threads)
    if record is not None:
        record.begin(model)
        callbacks = [record, *callbacks]
    measure = steps.measure() if measured and isinstance(steps, Compiled) else None
    rng = random.Random(seed) if isinstance(seed, int) else seed
    course = Course(steps, rng, list(callbacks), steps.reached)
    history = course.history
    keeper = None
    if checkpoint is not None:
        options = {
            "loss": loss if isinstance(loss, str) else loss.__qualname__,
            "schedule": schedule if rule is not optimizer else "its own",
            "epochs": epochs,
            "seed": seed if isinstance(seed, int) else type(seed).__name__,
            "stop_accuracy": stop_accuracy,
            "patience": patience,
            "measured": measured,
            "threads": threads,
        }
        keeper = Keeper(checkpoint, every, {**(depends_on or {}), **options, **about(course, train, test, total)})
    with keeper or nullcontext():
        if keeper:
            keeper.resume(course.go_on)
        try:
            for epoch in range(len(history.epochs) + 1, epochs + 1) if history.goes_on else ():
                if problem := steps.take(list(batches(count, batch_size, rng)), apart=keeper is not None):
                    _restore(parameters, steps.good)
                    return history.end("diverged", f"diverged in epoch {epoch}: {problem}")
                if measured:
                    scores = [evaluate(model, s.X, s.y, sample_loss, measure, s.weights) for s in (train, test)]
                else:
                    scores = [(float(np.mean(steps.watched)), math.nan), (math.nan, math.nan)]
                rate = rule.lr * rule.schedule(rule.steps - 1)
                history.epochs.append(Epoch(epoch, *scores[0], *scores[1], rate))
                watched_loss, watched_accuracy = scores[tested]
                if watched_loss < course.best_loss:
                    course.best_loss, course.best_epoch, course.best = watched_loss, epoch, steps.reached
                ended = [callback(history.epochs[-1], model) for callback in callbacks]  # each is called
                if any(ended):
                    history.end("callback", f"a callback ended the run after epoch {epoch}")
                elif stop_accuracy is not None and watched_accuracy >= stop_accuracy:
                    history.end("accuracy", f"accuracy {watched_accuracy:.2%} reached in epoch {epoch}")
                elif patience is not None and epoch - course.best_epoch >= patience:
                    history.end("patience", f"loss lowest in epoch {course.best_epoch}, weights taken from there")
                if keeper:
                    keeper.note(course.state())
                if not history.goes_on:
                    break
        except KeyboardInterrupt:
            _restore(parameters, steps.reached)
            return history.end("interrupted", f"interrupted in epoch {len(history.epochs) + 1}")
    if patience is not None and history.reason in ("epochs", "patience"):
        _restore(parameters, course.best)
    return history


def evaluate(
    model: Any, X: Array, y: Array, sample_loss: SampleLoss, measure: Any = None, weights: Array | None = None
) -> tuple[float, float]:
    """Return the mean loss and the accuracy (share of 1) on X and y; two nans if there are no samples.

    Both are weighted means, if there are `weights`. `measure(X, y)` may give the scores and the losses of the samples,
    faster than the model does.
    """
    if len(X) == 0:
        return math.nan, math.nan
    if measure is not None:
        scores, each = measure(X, y)
    else:
        scores = scores_of(model, X)
        each = losses_of(sample_loss, scores, y)
    right = _classes(scores) == y if np.issubdtype(y.dtype, np.integer) else np.full(len(y), math.nan)
    with np.errstate(over="ignore"):  # a mean that is inf says so itself
        return float(np.average(each, weights=weights)), float(np.average(right, weights=weights))


def predict(model: Any, X: Any) -> Array:
    """Return the class of each row of X (n by n_in): an array of n integers from 0."""
    return _classes(scores_of(model, X))


def predict_proba(model: Any, X: Any) -> Array:
    """Return the probability of each class for each row of X: shape (n, classes), rows sum to 1.

    It is the sigmoid of one score or the softmax of several: what a model trained on cross-entropy means by them. A
    model trained on another loss ranks the classes by the same numbers, but they are not calibrated.
    """
    return probabilities(scores_of(model, X))


def probabilities(scores: Array) -> Array:
    """Return the probability of each class by the scores of each sample, (n, 1) for two classes or (n, classes)."""
    if scores.shape[1] == 1:
        scores = np.concatenate([np.zeros_like(scores), scores], axis=1)
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: Array = powers / powers.sum(axis=1, keepdims=True)
    return shares


def accuracy(y: Any, predicted: Any) -> float:
    """Return the share of `predicted` that equals `y`. Raises ValueError if the lengths differ or are 0."""
    y, predicted = np.asarray(y), np.asarray(predicted)
    if y.shape != predicted.shape or y.size == 0:
        raise ValueError(
            f"accuracy takes as many predictions as labels, at least one; got {len(predicted)} and {len(y)}"
        )
    return float(np.mean(y == predicted))


def confusion_matrix(y: Any, predicted: Any, classes: int | None = None) -> Array:
    """Return how often class i (row) was predicted as class j (column): integers of shape (classes, classes)."""
    y, predicted = np.asarray(y, dtype=np.int64), np.asarray(predicted, dtype=np.int64)
    accuracy(y, predicted)  # for its checks
    size = classes or int(max(y.max(), predicted.max())) + 1
    matrix: Array = np.bincount(y * size + predicted, minlength=size * size).reshape(size, size)
    return matrix


def _checked(model: Any, X: Any, y: Any, weights: Any, loss: str | SampleLoss) -> Samples:
    """Return the samples as arrays that fit each other and the model, or raise ValueError."""
    X, y = np.asarray(X, dtype=np.float64), np.asarray(y)
    if X.ndim != 2 or y.shape != X.shape[:1] or len(X) == 0:
        raise ValueError(
            f"fit takes X of shape (n, n_in) and y of shape (n,), n at least 1; got {X.shape} and {y.shape}"
        )
    if not np.isfinite(X).all():
        row, column = np.argwhere(~np.isfinite(X))[0]
        raise ValueError(f"X holds {X[row, column]} in row {row}, column {column}; fit takes finite numbers")
    if isinstance(loss, str):
        outputs = model(X[0].tolist())
        classes = len(outputs) if isinstance(outputs, Sequence) else 2
        if not np.isin(y, range(classes)).all():
            found = sorted(set(y.tolist()))
            raise ValueError(f"this model tells {classes} classes apart, y holds 0 to {classes - 1}; got {found[:5]}")
        y = y.astype(np.int64)
    if weights is None:
        return Samples(X, y)
    weights = np.asarray(weights, dtype=np.float64)
    if weights.shape != y.shape or not (np.isfinite(weights).all() and (weights >= 0).all() and weights.any()):
        raise ValueError(f"weights are {len(y)} finite numbers of at least 0, not all 0; got {weights!r:.60}")
    kept = weights > 0
    largest = weights.max()  # so that no sum overflows
    return Samples(X[kept], y[kept], weights[kept] / largest / np.mean(weights[kept] / largest))


def batches(n: int, size: int, rng: random.Random | np.random.Generator) -> Iterator[Sequence[int]]:
    """Yield the indices of all samples in batches; shuffled, unless one batch holds them all."""
    order: Any = list(range(n)) if isinstance(rng, random.Random) else np.arange(n)
    if size < n:
        rng.shuffle(order)
    for start in range(0, n, size):
        yield order[start : start + size]


def _classes(scores: Array) -> Array:
    classes: Array = (scores[:, 0] > 0).astype(np.int64) if scores.shape[1] == 1 else scores.argmax(axis=1)
    return classes


def _restore(parameters: list[Value], weights: list[float]) -> None:
    for parameter, weight in zip(parameters, weights, strict=True):
        parameter.data = weight
