"""What came of a sweep: its trials in order, its configurations ranked, the best model, a table and a picture."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from ..classifier import Classifier
from ..drawing.trials import Panel, plot_trials
from ..experiment import Score
from .ledger import columns_of, row_of, to_csv
from .space import BY_FACTORS, Values, text_of
from .trials import Outcome, Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Record:
    """A trial and what came of it."""

    trial: Trial
    outcome: Outcome


@dataclass(frozen=True)
class Standing:
    """How a configuration did with all its seeds on the highest rung it came to: means of its trials' scores.

    Trials that diverged are counted and left out of the means; if all did, these are nan.
    """

    configuration: int
    values: Values
    records: tuple[Record, ...]
    rung: int
    diverged: int
    accuracy: float  # held out, as is the loss
    loss: float

    @property
    def order(self) -> tuple[float, ...]:
        """What it is ranked by: rung, trials that diverged, accuracy, loss, and then its number; least is best."""
        return (-self.rung, self.diverged, *_rank(self.accuracy, self.loss), self.configuration)

    @property
    def best(self) -> Record:
        """The trial that did best, of its seeds."""
        return min(self.records, key=_order)


@dataclass(frozen=True)
class Result:
    """A sweep that is done: its trials in order, the model of the best one, and how that does on the test points.

    No trial has seen the test points, so `test` estimates what the model will do; the scores by which it was chosen do
    not, for the best of many is lucky as well as good. It is None if there are no test points.
    """

    records: tuple[Record, ...]
    classifier: Classifier
    test: Score | None

    @property
    def ranking(self) -> list[Standing]:
        """The configurations, the best first."""
        return rank(self.records)

    @property
    def best(self) -> Record:
        """The trial whose model is the `classifier`: the best seed of the best configuration."""
        return self.ranking[0].best

    @property
    def varied(self) -> tuple[str, ...]:
        """The options that vary."""
        return tuple(name for name, _ in self.records[0].trial.values)

    def to_csv(self) -> str:
        """Return the trials as CSV text: a header, then a line for each, in order."""
        rows = (row_of(record.trial, record.outcome) for record in self.records)
        return to_csv([columns_of(self.varied), *rows])

    def plot(self, theme: str = "light") -> Figure:
        """Return a picture of the held-out accuracy of each trial by each option that varies."""
        panels = [_panel(name, [dict(record.trial.values)[name] for record in self.records]) for name in self.varied]
        if not panels:
            panels = [Panel("seed", [record.trial.options.seed for record in self.records], False)]
        rungs = [record.trial.rung for record in self.records]
        epochs = {record.trial.rung: _epochs(record.trial.options.epochs or 0) for record in self.records}
        return plot_trials(
            panels,
            [math.nan if record.outcome.diverged else record.outcome.held_accuracy for record in self.records],
            groups=[epochs[rung] for rung in rungs] if len(epochs) > 1 else None,
            best=self.records.index(self.best),
            theme=theme,
        )


def rank(records: Iterable[Record]) -> list[Standing]:
    """Return how each configuration did, the best first: by its rung, then mean held-out accuracy, then mean loss."""
    found: dict[int, list[Record]] = {}
    for record in records:
        found.setdefault(record.trial.configuration, []).append(record)
    return sorted(map(_standing, found.values()), key=lambda standing: standing.order)


def _standing(records: Sequence[Record]) -> Standing:
    rung = max(record.trial.rung for record in records)
    highest = tuple(record for record in records if record.trial.rung == rung)
    counted = [record.outcome for record in highest if not record.outcome.diverged]
    accuracy = fmean(each.held_accuracy for each in counted) if counted else math.nan
    loss = fmean(each.held_loss for each in counted) if counted else math.nan
    trial = highest[0].trial
    return Standing(trial.configuration, trial.values, highest, rung, len(highest) - len(counted), accuracy, loss)


def _order(record: Record) -> tuple[float, ...]:
    outcome = record.outcome
    return (outcome.diverged, *_rank(outcome.held_accuracy, outcome.held_loss), record.trial.number)


def _rank(accuracy: float, loss: float) -> tuple[float, float]:
    """Return what accuracy and loss are ranked by: nan comes last."""
    return (math.inf if math.isnan(accuracy) else -accuracy, math.inf if math.isnan(loss) else loss)


def _panel(name: str, values: Sequence[Any]) -> Panel:
    """Return what is drawn of an option; the values are those of all trials."""
    if all(isinstance(value, int | float) for value in values):
        return Panel(name, values, name in BY_FACTORS)
    return Panel(name, [text_of(value) for value in values], order=[text_of(value) for value in sorted(set(values))])


def _epochs(count: int) -> str:
    return f"{count} epoch{'s' * (count > 1)}"
