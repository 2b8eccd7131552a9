"""Checkpoints: all that decides how a training run goes on, in one file, from which it continues to the bit.

A `State` is a run between two epochs. A `Keeper` reads the one that a stopped run has left, writes one when it is due
and when the run ends, and lets no other run write to its file.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np

from .archive import CHECKPOINT, pack, unpack
from .files import clear_temporaries, locked, write_atomically
from .names import clean, told
from .reading import reason_of

Array = np.ndarray[Any, np.dtype[Any]]
Generator = random.Random | np.random.Generator

PAUSE = 1.0  # seconds from one checkpoint to the next, if the run does not say how many epochs
SHARE = 0.05  # of the time that checkpoints may take then
MOST_TEXT = 100  # letters of what differs


@dataclass(frozen=True)
class State:
    """A run after some epochs. `weights` are all parameters in their order, and so are `good` and `best`.

    `good` are the last ones with a finite loss and gradients, `best` those of the lowest loss, which came in
    `best_epoch`; nan if there is none. `memories` has a column for each parameter: what the optimiser remembers of it
    after so many `steps`. `rng` is the state of the generator that orders the batches, `history` has a row for each
    epoch, `ended` says why the run is over and explains, and is empty if it goes on. `callbacks` are the states of
    those that have one.
    """

    weights: Array
    good: Array
    best: Array
    best_loss: float
    best_epoch: int
    frozen: tuple[bool, ...]
    memories: Array
    steps: int
    lr: float
    rng: Any
    history: Array
    ended: tuple[str, ...]
    callbacks: tuple[dict[str, Any], ...]

    def __post_init__(self) -> None:
        count = len(self.weights)
        rows = {"weights": self.weights, "good": self.good, "best": self.best}
        shapes = {name: row.shape for name, row in rows.items() if row.shape != (count,)}
        if self.memories.shape[1:] != (count,) or len(self.frozen) != count or self.history.ndim != 2 or shapes:
            raise ValueError("its numbers do not fit each other")
        for name, row in {**rows, "memories": self.memories, "history": self.history}.items():
            if row.dtype != np.float64:
                raise ValueError(f"{name} are numbers in float64, got {row.dtype}")
        if len(self.ended) not in (0, 2):
            raise ValueError("ended is a reason with a message, or nothing")


def save(path: str | Path, about: Mapping[str, Any], state: State) -> Path:
    """Write the state of a run, and what the run is `about`, in one step; return the path. Raises OSError."""
    tensors = {name: getattr(state, name) for name in _TENSORS}
    notes: list[dict[str, Any]] = []
    for place, each in enumerate(state.callbacks):
        arrays = {name: value for name, value in each.items() if isinstance(value, np.ndarray)}
        tensors |= {f"callbacks.{place}.{name}": np.ascontiguousarray(array) for name, array in arrays.items()}
        notes.append({name: value for name, value in each.items() if name not in arrays})
    note = {
        "run": dict(about),
        "best_loss": state.best_loss,
        "best_epoch": state.best_epoch,
        "frozen": [place for place, frozen in enumerate(state.frozen) if frozen],
        "steps": state.steps,
        "lr": state.lr,
        "rng": state.rng,
        "ended": list(state.ended),
        "callbacks": notes,
    }
    return write_atomically(path, pack(CHECKPOINT, note, tensors))


_TENSORS = ("weights", "good", "best", "memories", "history")


def load(path: str | Path) -> tuple[dict[str, Any], State]:
    """Return what the run in a checkpoint is about, and its state. Raises OSError, or ValueError for another file."""
    return unpack(path, CHECKPOINT, _state_of)


def _state_of(note: dict[str, Any], tensors: dict[str, Array]) -> tuple[dict[str, Any], State]:
    callbacks = [dict(each) for each in note["callbacks"]]
    places = {str(place): each for place, each in enumerate(callbacks)}
    for name in [name for name in tensors if name.startswith("callbacks.")]:
        place, _, key = name.removeprefix("callbacks.").partition(".")
        places[place][key] = tensors.pop(name)
    count = len(tensors["weights"])
    frozen = set(note["frozen"])
    state = State(
        **{name: tensors[name] for name in _TENSORS},
        best_loss=float(_number(note, "best_loss")),
        best_epoch=_count(note, "best_epoch"),
        frozen=tuple(place in frozen for place in range(count)),
        steps=_count(note, "steps"),
        lr=float(_number(note, "lr")),
        rng=note["rng"],
        ended=tuple(map(str, note["ended"])),
        callbacks=tuple(callbacks),
    )
    return dict(note["run"]), state


def _number(note: dict[str, Any], name: str) -> float:
    number: float = note[name]
    if not isinstance(number, int | float):
        raise ValueError(f"{name} is a number, got {told(number, 60)}")
    return number


def _count(note: dict[str, Any], name: str) -> int:
    number: int = note[name]
    if not isinstance(number, int) or not 0 <= number < 2**53:
        raise ValueError(f"{name} is a whole number from 0, got {told(number, 60)}")
    return number


class Keeper:
    """Keeps the state of a run in the file at `path`: a block around the run, in which `note` is told every state.

    A state is written when `every` so many epochs are done, or, without a number, when a second has gone by; and at
    the end of the block, however it ends. On entry `state` is the one in the file, if there is any. ValueError if it is
    of a run about something else, with the first difference, or if another process keeps a run there; OSError if
    the file cannot be read or written.
    """

    def __init__(self, path: str | Path, every: int | None, about: Mapping[str, Any]) -> None:
        if every is not None and every < 1:
            raise ValueError(f"every is a number of epochs, at least 1; got {every}")
        self.path, self.every = Path(path), every
        self.about = json.loads(json.dumps(about))  # as it comes back from the file
        self.state: State | None = None
        self._due: State | None = None  # noted, and not yet written
        self._next = monotonic() + PAUSE
        self._block = ExitStack()

    def __enter__(self) -> Keeper:
        with ExitStack() as block:
            block.enter_context(locked(self.path.parent / f".{self.path.name}.lock", str(self.path)))
            clear_temporaries(self.path)
            if self.path.exists():
                about, self.state = load(self.path)
                if different := difference(about, self.about):
                    raise ValueError(
                        f"{clean(str(self.path), 200)} is of another run: {different}; give what it began with, or"
                        " another path"
                    )
            self._block = block.pop_all()
        return self

    def resume(self, go_on: Callable[[State], object]) -> None:
        """Hand the state in the file to `go_on`, if there is one. ValueError if it cannot be used."""
        try:
            if self.state is not None:
                go_on(self.state)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError) as error:
            raise ValueError(f"{clean(str(self.path), 200)} cannot be used: {reason_of(error)}") from None

    def note(self, state: State) -> None:
        """Take the state after an epoch, and write it if that is due."""
        self._due = state
        if len(state.history) % self.every == 0 if self.every else monotonic() >= self._next:
            self._write()

    def _write(self) -> None:
        state = self._due
        if state is None:
            return
        begun = monotonic()
        try:
            save(self.path, self.about, state)  # if a signal ends it here, the state stays due
        except OSError as error:
            self._due = None
            there = self.state is not None and self.path.exists()
            kept = (
                f"that of epoch {len(self.state.history)} is there still" if there and self.state else "there is none"
            )
            epoch = f"no checkpoint could be written after epoch {len(state.history)}"
            raise OSError(error.errno, f"{error.strerror}; {epoch}, {kept}", str(self.path)) from None
        self.state, self._due = state, None
        self._next = monotonic() + max(PAUSE, (monotonic() - begun) / SHARE)

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        with self._block:
            try:
                self._write()
            finally:
                self._write()  # if a signal came meanwhile; else there is nothing due


def difference(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """Return the first thing in which two runs differ, in words; "" if there is none."""
    for name in [*here, *(name for name in there if name not in here)]:
        was, now = there.get(name), here.get(name)
        if isinstance(was, dict) and isinstance(now, dict):
            if within := difference(was, now):
                return within
        elif was != now:
            return f"{clean(name)} was {_short(was)}, is {_short(now)} now"
    return ""


def _short(value: Any) -> str:
    return clean(value if isinstance(value, str) else json.dumps(value), MOST_TEXT)


def fingerprint(array: Array | None) -> str | None:
    """Return the shape of an array and 16 digits of the SHA-256 of its numbers; None for None."""
    if array is None:
        return None
    digest = hashlib.sha256(f"{array.dtype}".encode() + np.ascontiguousarray(array).tobytes()).hexdigest()
    return f"{' × '.join(map(str, array.shape))} numbers ({digest[:16]})"


def state_of(rng: Generator) -> Any:
    """Return the state of a generator as what JSON holds."""
    if isinstance(rng, random.Random):
        return rng.getstate()
    return json.loads(json.dumps(rng.bit_generator.state, default=lambda array: array.tolist()))


def restore(rng: Generator, state: Any) -> None:
    """Bring a generator into a state of another one of its kind. Raises ValueError for anything else."""
    try:
        if isinstance(rng, random.Random):
            version, numbers, gauss = state
            rng.setstate((version, tuple(numbers), gauss))
        else:
            if not 0 <= state["state"].get("pos", 0) <= 624:  # of MT19937, which reads there without a look
                raise ValueError
            rng.bit_generator.state = state
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError):
        raise ValueError("its generator cannot be brought into the state that was kept") from None
