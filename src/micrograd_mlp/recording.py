"""What a network went through in training: the number in each parameter after each epoch."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, field
from typing import Any

import numpy as np

MOST_MOMENTS = 200
MOST_NUMBERS = 500_000  # in all moments together: 4 MB


@dataclass(frozen=True)
class Moment:
    """The weights after so many epochs, in the order of the names, and the mean loss; nan before the first epoch."""

    epoch: int
    loss: float
    weights: array[float]


@dataclass
class Recording:
    """Keeps the parameters of a model after each epoch: `fit(..., record=recording)`; `explore` shows them.

    Its memory is bounded: of more than `most` epochs (fewer, if the model is large) every second one is dropped, then
    every second one of those that are left, and so on. The start and the latest epoch are always kept.
    """

    most: int = MOST_MOMENTS
    names: list[str] = field(default_factory=list)
    stride: int = 1
    _kept: list[Moment] = field(default_factory=list)
    _latest: Moment | None = None

    def __post_init__(self) -> None:
        if self.most < 2:
            raise ValueError(f"a recording keeps at least 2 moments, the start and the latest; got most={self.most}")

    def begin(self, model: Any) -> None:
        """Forget what was recorded, and note the parameters of `model` before training."""
        named = {parameter: name for name, parameter in model.named_parameters()}
        self.names = [named[parameter] for parameter in model.parameters()]
        self.stride, self._kept, self._latest = 1, [], None
        self._note(0, math.nan, model)

    def __call__(self, epoch: Any, model: Any) -> None:
        """Note the parameters after an epoch; a callback of `fit`."""
        if not self.names:
            self.begin(model)
            self._kept.clear()
        self._note(epoch.epoch, epoch.loss, model)

    @property
    def moments(self) -> list[Moment]:
        """What was kept, in order."""
        late = self._latest is not None and (not self._kept or self._kept[-1] is not self._latest)
        return [*self._kept, self._latest] if late and self._latest else list(self._kept)

    def state_dict(self) -> dict[str, Any]:
        """Return what was recorded as arrays and what JSON holds, for a checkpoint."""
        moments = self.moments
        return {
            "stride": self.stride,
            "kept": len(self._kept),
            "epochs": np.array([moment.epoch for moment in moments], dtype=np.int64),
            "losses": np.array([moment.loss for moment in moments], dtype=np.float64),
            "weights": np.array([moment.weights for moment in moments], dtype=np.float64),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on with what another recording of the same model has recorded. ValueError for another one."""
        if int(state["stride"]) < 1 or (state["weights"].size and state["weights"].shape[1:] != (len(self.names),)):
            raise ValueError(f"this recording has a stride and rows of {len(self.names)} weights")
        if state["epochs"].dtype.kind not in "iu":
            raise ValueError(f"the epochs of a recording are whole numbers, got {state['epochs'].dtype}")
        rows = zip(state["epochs"].tolist(), state["losses"].tolist(), state["weights"].tolist(), strict=True)
        moments = [Moment(epoch, loss, array("d", weights)) for epoch, loss, weights in rows]
        self.stride = int(state["stride"])
        self._kept, self._latest = moments[: int(state["kept"])], moments[-1] if moments else None

    def _note(self, epoch: int, loss: float, model: Any) -> None:
        moment = Moment(epoch, loss, array("d", [parameter.data for parameter in model.parameters()]))
        self._latest = moment
        if epoch % self.stride:
            return
        self._kept.append(moment)
        if len(self._kept) > max(2, min(self.most, MOST_NUMBERS // max(1, len(self.names)))):
            self.stride *= 2
            self._kept = [kept for kept in self._kept if kept.epoch % self.stride == 0]

    def __repr__(self) -> str:
        moments = self.moments
        epochs = f"epochs {moments[0].epoch} to {moments[-1].epoch}" if moments else "nothing yet"
        return f"<Recording: {len(moments)} moments of {len(self.names)} parameters, {epochs}>"
