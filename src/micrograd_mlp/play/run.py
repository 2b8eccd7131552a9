"""One run of the playground: settings, points and weights, trained a little at a time, and all that can be done to it.

There are no threads in here. Programs are compiled for NumPy at once; `wanted` says that native code would be welcome,
and whoever has made such a machine hands it to `upgrade`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np

from ..checks import checked, number
from ..names import refuse_unknown
from ..training import Epoch, History, batches, confusion_matrix
from . import problems
from .explain import first_failure
from .machine import Machine, fastest, first_network
from .problems import Points
from .settings import MOST_CLASSES, MOST_POINTS, OF_POINTS, OF_PROGRAM, OF_WEIGHTS, Settings

Array = np.ndarray[Any, np.dtype[Any]]

MOST_EPOCHS_KEPT = 2_000  # rows of history; of more, every second one goes
LARGEST = 1e6  # of a weight that is set by hand
_SIZE = number(-LARGEST, LARGEST)


class Run:
    """A run by these settings; on its own points, if some are given."""

    def __init__(self, settings: Settings, points: Points | None = None) -> None:
        self.settings = settings
        self.edited = points is not None  # the points are not those that the problem makes
        self.points = points if points is not None else self._made()
        self.playing = False
        self.ended, self.message = "", ""  # how training ended by itself, and why
        self.history = History()
        self.confusion: list[list[int]] = []
        self.epoch = 0
        self.machine: Machine | None = None
        self.start: list[float] = []  # the first weights
        self.version = 0  # grows with whatever changes what the page shows beside the numbers of training
        self.history_begins = 0  # grows when rows that were there before change
        self._seconds = 1e-4  # that a step takes, with the shuffling for it
        self._left: list[Sequence[int]] = []  # batches of the epoch that has begun
        self._best, self._best_epoch = math.inf, 0
        self._begin()

    # --- what the page asks for

    def change(self, given: Mapping[str, Any]) -> None:
        """Change settings by name. ValueError, and nothing changed, for what cannot be."""
        before, after = self.settings, self.settings.changed(given)
        differ = {name for name in given if getattr(before, name) != getattr(after, name)}
        differ |= {name for name in ("loss", "problem", "activation") if getattr(before, name) != getattr(after, name)}
        self.settings = after
        if differ & {"kind", "problem"} or (differ & set(OF_POINTS) and not self.edited):
            self.points, self.edited = self._made(), False
            self._begin()
        elif "classes" in differ:
            names = tuple(map(str, range(after.classes)))
            kept = self.points.y < after.classes
            self.points = replace(self.points.delete(np.flatnonzero(~kept).tolist()), classes=names)
            self._begin()
        elif differ & {"test_share", "seed"}:
            self.points = self.points.split(after.test_share, after.seed)
            self._begin()
        elif differ & set(OF_WEIGHTS):
            self._begin()
        elif differ & set(OF_PROGRAM):
            self._rebuild()
            self._resume()
        elif self.machine:
            self.machine.adjust(after, len(self.points.train[0]))
            if differ & {"batch", "lr", "schedule", "horizon"} or any(name.startswith("stop") for name in differ):
                self._resume()
            if "batch" in differ:
                self._left = []
        self.version += 1

    def play(self) -> None:
        """Train until told otherwise. Raises ValueError if there is nothing to train on."""
        if not self.machine:
            raise ValueError("there are no points to train on; paint some, or load a file")
        self._resume()
        self.playing = True
        self.version += 1

    def pause(self) -> None:
        """Stop training where it is."""
        self.playing = False
        self.version += 1

    def rewind(self) -> None:
        """Go back to the first weights: the same run again."""
        if self.machine:
            self.machine.restart(self.start)
        self._forget()

    def set_weight(self, name: str, value: Any) -> None:
        """Set a weight or a bias by its name, such as layers[0].neurons[1].b."""
        machine = self._needed()
        refuse_unknown(name, machine.names, "weight")
        machine.parameters[machine.names.index(name)].data = checked(name, _SIZE, value)
        self._resume()
        self._measure(replace_last=True)
        self.version += 1

    def add_points(self, rows: Any) -> None:
        """Add points to train on, each a list of x1, x2 and target."""
        self._edit(self.points.add(_rows(rows, 3), MOST_POINTS))

    def move_point(self, index: int, to: Any) -> None:
        """Move a point to another place, a list of x1 and x2."""
        self._edit(self.points.move(index, _rows([to], 2)[0]))

    def delete_points(self, indices: Sequence[int]) -> None:
        """Delete points by their numbers."""
        self._edit(self.points.delete(indices))

    def clear_points(self) -> None:
        """Delete all points: a plane to paint on."""
        kind, count = self.settings.kind, self.settings.count
        self._edit(replace(problems.blank(kind, count), reach=self.points.reach))

    def load_csv(self, content: bytes, name: str) -> None:
        """Take the points of a CSV file. Raises ValueError with line and column for what is no such file."""
        s = self.settings
        points = problems.of_csv(content, name, s.kind, s.test_share, s.seed, MOST_POINTS, MOST_CLASSES)
        self.settings = s.changed({"problem": "own", "classes": max(2, len(points.classes))})
        self.points, self.edited = points, True
        self._begin()

    # --- training

    def advance(self, seconds: float, epochs: float = math.inf) -> int:
        """Train for about so many seconds, at most until `epochs` have ended; return how many have."""
        machine = self._needed()
        if self.settings.stop_epochs:
            epochs = min(epochs, self.settings.stop_epochs - self.epoch)
            if epochs <= 0:
                self._stop("epochs", f"Stopped after {self.epoch} epochs.")
                return 0
        begin, room = perf_counter(), max(1, int(seconds / self._seconds))
        plan: list[Sequence[int]] = []
        ends: list[int] = []  # after how many steps of the plan an epoch ends
        while len(plan) < room and len(ends) < epochs:
            if not self._left:
                self._left = self._batches()
            take, self._left = self._left[: room - len(plan)], self._left[room - len(plan) :]
            plan += take
            ends += [] if self._left else [len(plan)]
        if plan:
            steps = machine.rule.steps
            if problem := machine.engine.take(plan):
                self.epoch += sum(end <= machine.rule.steps - steps for end in ends)
                self._diverge(problem)
                return 0
            self._seconds = max(1e-7, (perf_counter() - begin) / len(plan))
        if ends:
            self.epoch += len(ends)
            self._measure()
            self._stop_by_rule()
        return len(ends)

    def upgrade(self, machine: Machine) -> None:
        """Go on with a machine of native code, made for the program of `wanted`."""
        if self.machine:
            machine.take_over(self.machine)
            machine.take_points(self.points)
            machine.adjust(self.settings, len(self.points.train[0]))
            self.machine, self._seconds = machine, 1e-4

    @property
    def moment(self) -> tuple[int, ...]:
        """What differs between two moments that look different on the page."""
        return self.version, self.epoch, self.machine.rule.steps if self.machine else 0

    @property
    def wanted(self) -> tuple[Any, ...] | None:
        """What distinguishes the program that native code is wanted for; None if there is nothing to compile."""
        if not self.machine or self.machine.backend == fastest():
            return None
        return self.settings.program

    def _diverge(self, problem: str) -> None:
        """Go back to the last weights whose loss was finite, and say which number was not, and what is large."""
        machine = self._needed()
        problem = first_failure(machine, self.points) or problem
        machine.load(machine.engine.good)
        weights = machine.weights()
        place = max(range(len(weights)), key=lambda index: abs(weights[index]))
        self.playing, self._left = False, []
        self.ended = "diverged"
        self.message = (
            f"A number became inf or nan in epoch {self.epoch + 1}: {problem}. The weights are those before that step; "
            f"the largest is {machine.names[place]} = {weights[place]:.4g}, which began as {self.start[place]:.4g}."
        )
        self._measure(replace_last=True)
        self.version += 1

    def _stop_by_rule(self) -> None:
        s, last = self.settings, self.history.epochs[-1]
        tested = not math.isnan(last.test_loss)
        loss, accuracy = (last.test_loss, last.test_accuracy) if tested else (last.loss, last.accuracy)
        if loss < self._best:
            self._best, self._best_epoch = loss, self.epoch
        which = "test" if tested else "training"
        if s.stop_epochs and self.epoch >= s.stop_epochs:
            self._stop("epochs", f"Stopped after {self.epoch} epochs.")
        elif s.stop_loss and loss <= s.stop_loss:
            self._stop("loss", f"Stopped: the {which} loss is {loss:.4g}, at most {s.stop_loss:g}.")
        elif s.stop_accuracy and accuracy >= s.stop_accuracy:
            self._stop("accuracy", f"Stopped: the {which} accuracy is {accuracy:.1%}, at least {s.stop_accuracy:.1%}.")
        elif s.patience and self.epoch - self._best_epoch >= s.patience:
            self._stop("patience", f"Stopped: the {which} loss was lowest in epoch {self._best_epoch}.")

    def _stop(self, reason: str, message: str) -> None:
        self.playing, self.ended, self.message = False, reason, message
        self.version += 1

    def _resume(self) -> None:
        """Forget that training had ended by itself, and since when the loss has not fallen."""
        if self.settings.stop_epochs and self.epoch >= self.settings.stop_epochs and self.ended == "epochs":
            return
        self.ended, self.message = "", ""
        self._best, self._best_epoch = math.inf, self.epoch

    def _batches(self) -> list[Sequence[int]]:
        count = len(self.points.train[0])
        return list(batches(count, min(self.settings.batch, count) or count, self.rng))

    def _measure(self, replace_last: bool = False) -> None:
        """Note how good the network is now."""
        machine = self._needed()
        (loss, accuracy, table), (test_loss, test_accuracy, test_table) = map(
            self._score, (self.points.train, self.points.test)
        )
        self.confusion = test_table or table
        rate = machine.rule.lr * machine.rule.schedule(max(0, machine.rule.steps - 1))
        rows = self.history.epochs
        if replace_last and rows and rows[-1].epoch == self.epoch:
            rows.pop()
            self.history_begins += 1
        rows.append(Epoch(self.epoch, loss, accuracy, test_loss, test_accuracy, rate))
        if len(rows) > MOST_EPOCHS_KEPT:
            self.history.epochs = rows[: MOST_EPOCHS_KEPT // 2 : 2] + rows[MOST_EPOCHS_KEPT // 2 :]
            self.history_begins += 1

    def _score(self, samples: tuple[Array, Array]) -> tuple[float, float, list[list[int]]]:
        """Return the mean loss, the accuracy (for regression R²) and the confusion matrix; nan without points."""
        X, y = samples
        if not len(X):
            return math.nan, math.nan, []
        scores, each = self._needed().measure(X, y)
        with np.errstate(all="ignore"):
            loss = float(np.mean(each))
            if self.settings.kind == "regression":
                spread = float(np.sum((y - y.mean()) ** 2))
                return loss, 1.0 - float(np.sum((scores[:, 0] - y) ** 2)) / spread if spread else math.nan, []
        found = (scores[:, 0] > 0).astype(np.int64) if scores.shape[1] == 1 else scores.argmax(axis=1)
        table = confusion_matrix(y, found, len(self.points.classes))
        return loss, float(np.trace(table)) / len(y), table.tolist()

    # --- beginning

    def _made(self) -> Points:
        s = self.settings
        if s.problem == "own":
            return problems.blank(s.kind, s.classes)
        return problems.of_problem(s.problem, s.samples, s.noise, s.seed, s.test_share)

    def _begin(self) -> None:
        """Start from first weights, with the program that there is, if it is the same."""
        if self.machine and len(self.points.train[0]) and self.machine.settings.program == self.settings.program:
            self.start = [parameter.data for parameter in first_network(self.settings).parameters()]
            self.machine.adjust(self.settings, len(self.points.train[0]))
            self.machine.take_points(self.points)
            self.machine.restart(self.start)
        else:
            self.machine = None
            self._rebuild()
        self._forget()

    def _rebuild(self) -> None:
        """Make the program anew, with the weights that there are."""
        before = self.machine
        if not len(self.points.train[0]):
            self.machine = None
            return
        self.machine = Machine(self.settings, self.points, "numpy")
        if before:
            self.machine.take_over(before)
        else:
            self.start = self.machine.weights()
        self._seconds = 1e-4

    def _forget(self) -> None:
        """Be where training begins."""
        self.playing, self.epoch, self.history, self.confusion = False, 0, History(), []
        self.rng, self._left = random.Random(self.settings.seed), []
        self.history_begins += 1
        self.version += 1
        self._resume()
        if self.machine:
            self._measure()

    def _edit(self, points: Points) -> None:
        self.points, self.edited, self._left = points, True, []
        if self.settings.problem != "own":
            self.settings = self.settings.changed({"problem": "own", "classes": max(2, len(points.classes))})
        if not len(points.train[0]):
            self.machine, self.playing = None, False
        elif self.machine:
            self.machine.take_points(points)
            self._measure(replace_last=True)
        else:
            self._rebuild()
            self._forget()
        self._resume()
        self.version += 1

    def _needed(self) -> Machine:
        if self.machine is None:
            raise ValueError("there are no points yet; paint some, or load a file")
        return self.machine


def _rows(rows: Any, width: int) -> Array:
    """Return lists of finite numbers as an array of this width."""
    if not isinstance(rows, list) or not all(isinstance(row, list) and len(row) == width for row in rows):
        raise ValueError(f"points are lists of {width} numbers, got {rows!r:.80}")
    numbers = [[checked("a point", _SIZE, each) for each in row] for row in rows]
    return np.array(numbers, dtype=np.float64).reshape(len(rows), width)
