"""How a model did, epoch by epoch: what training leaves beside the trained model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(frozen=True)
class Epoch:
    """How well the model does after `epoch` passes over the data: accuracies are shares of 1; nan without test data."""

    epoch: int
    loss: float
    accuracy: float
    test_loss: float
    test_accuracy: float
    learning_rate: float


# Called after each epoch with the epoch and the model; True ends the run.
Callback = Callable[[Epoch, Any], bool | None]
COLUMNS = tuple(column.name for column in fields(Epoch))


@dataclass
class History:
    """The epochs of a run in order; `history.loss` and the other columns of `Epoch` are lists of numbers.

    `reason` says why the run ended: epochs, accuracy, patience, callback, interrupted or diverged; `message` explains.
    """

    epochs: list[Epoch] = field(default_factory=list)
    reason: str = "epochs"
    message: str = "all epochs done"

    def __getattr__(self, name: str) -> list[Any]:
        if name in COLUMNS:
            return [getattr(epoch, name) for epoch in self.epochs]
        raise AttributeError(f"a History has the columns {', '.join(COLUMNS)}; no {name!r}")

    @property
    def goes_on(self) -> bool:
        """Whether the run has not been ended before its last epoch."""
        return self.reason == "epochs"

    def end(self, reason: str, message: str) -> History:
        """Note why the run ended, and return this history."""
        self.reason, self.message = reason, message
        return self

    def to_csv(self) -> str:
        """Return the history as CSV text: a header, then one line an epoch."""
        rows = [COLUMNS, *([repr(getattr(epoch, name)) for name in COLUMNS] for epoch in self.epochs)]
        return "".join(",".join(row) + "\n" for row in rows)
