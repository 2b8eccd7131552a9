"""What a training run is asked to do: every option once, with its default, what it takes, and what it is for.

The command line, a TOML file and Python all give options by name; one check each says what is wrong with a value,
whether it came as text or as a number.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from .losses import LOSSES
from .names import refuse_unknown
from .nn import ACTIVATIONS, INITS
from .optim import OPTIMIZERS, SCHEDULES

Check = Callable[[Any], Any]  # returns the value in its own type, or raises ValueError: what is taken, and what came

# What serves each problem better than the defaults of Options.
PROBLEMS: dict[str, dict[str, Any]] = {
    "moons": {"samples": 400, "epochs": 40},
    "circles": {"samples": 400, "epochs": 40},
    "spirals": {"samples": 400, "epochs": 60, "activation": "sin"},
    "xor": {"samples": 400, "epochs": 40},
    "checkerboard": {"samples": 600, "epochs": 60, "activation": "sin"},
    "blobs": {"samples": 300, "epochs": 30},
    "rings": {"samples": 400, "epochs": 40},
    "yinyang": {"samples": 600, "epochs": 60, "activation": "sin"},
    "sine": {"samples": 400, "epochs": 40, "activation": "sin"},
}
# The same for the tables of real measurements.
TABLES: dict[str, dict[str, Any]] = {
    "iris": {"epochs": 40},
    "wine": {"epochs": 30},
    "breast-cancer": {"epochs": 20},
    "digits": {"epochs": 30},
}
ENGINES = ("python", "numpy", "native")  # those of training, which is not loaded for a list of options
LEARNING_RATES = {"sgd": 0.5, "adam": 0.02, "adamw": 0.02, "rmsprop": 0.01}


def _text(value: Any) -> str:
    if isinstance(value, str | Path):
        return str(value)
    raise ValueError(f"a text, got {value!r}")


def _whole(low: int, high: int) -> Check:
    def check(value: Any) -> int:
        number = _as_number(value)
        if not (number == number // 1 and low <= number <= high):
            raise ValueError(f"a whole number from {low} to {high}, got {value!r}")
        return int(number)

    return check


def _number(low: float, high: float = math.inf, above: bool = False, below: bool = False) -> Check:
    """Return the check for a finite number from `low` to `high`; with `above` and `below`, these are not taken."""
    span = f"{'above' if above else 'of at least'} {low:g}" if high == math.inf else f"from {low:g} to {high:g}"
    without = f" ({' and '.join(f'{end:g}' for end, out in ((low, above), (high, below)) if out)} excluded)"

    def check(value: Any) -> float:
        number = _as_number(value)
        inside = low <= number <= high and not (above and number == low) and not (below and number == high)
        if not (inside and math.isfinite(number)):
            excluded = without if high < math.inf and (above or below) else ""
            raise ValueError(f"a number {span}{excluded}, got {value!r}")
        return number

    return check


def _as_number(value: Any) -> float:
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            return float(value)
        except (ValueError, OverflowError):
            pass
    return math.nan


def _one_of(names: Collection[str]) -> Check:
    def check(value: Any) -> Any:
        if value not in tuple(names):
            raise ValueError(f"one of {', '.join(names)}; got {value!r}")
        return value

    return check


def _parts(value: Any) -> list[Any]:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")]
    return list(value) if isinstance(value, list | tuple) else [value]


def _sizes(value: Any) -> tuple[int, ...]:
    parts = [] if value == "none" else _parts(value)
    try:
        return tuple(map(_whole(1, 10_000), parts))
    except ValueError:
        taken = "sizes of layers from 1 to 10000 between commas, such as 16,16, or none"
        raise ValueError(f"{taken}; got {value!r}") from None


def _activations(value: Any) -> tuple[str, ...]:
    return tuple(map(_one_of(ACTIVATIONS), _parts(value)))


def _option(default: Any, check: Check, meaning: str) -> Any:
    return field(default=default, metadata={"check": check, "meaning": meaning})


@dataclass(frozen=True)
class Options:
    """The options of a run, each checked; ValueError names the option, what it takes and what it got.

    None stands for what goes by the problem, its file, or the optimiser. `Options.of` fills in what suits a problem.
    """

    problem: str = _option("moons", _text, "a problem by name, or a CSV file")
    label: str | None = _option(None, _text, "the column of labels in a CSV file, by name or index [default: the last]")
    samples: int | None = _option(None, _whole(8, 1_000_000), "how many points to make [default: by problem]")
    noise: float | None = _option(None, _number(0, 1000), "standard deviation of the jitter [default: by problem]")
    test_share: float = _option(0.25, _number(0, 1, below=True), "share of the points held out to test on")
    hidden: tuple[int, ...] = _option((16, 16), _sizes, "sizes of the hidden layers, or none")
    activation: tuple[str, ...] = _option(
        ("tanh",), _activations, f"{', '.join(ACTIVATIONS)}; one for all hidden layers, or one for each"
    )
    init: str | None = _option(None, _one_of(INITS), f"first weights: {', '.join(INITS)} [default: by activation]")
    loss: str = _option("cross_entropy", _one_of(LOSSES), ", ".join(LOSSES))
    optimizer: str = _option("adam", _one_of(OPTIMIZERS), ", ".join(OPTIMIZERS))
    lr: float | None = _option(
        None,
        _number(0, above=True),
        f"learning rate [default: {', '.join(f'{rate} for {name}' for name, rate in LEARNING_RATES.items())}]",
    )
    schedule: str = _option("cosine", _one_of(SCHEDULES), f"course of the learning rate: {', '.join(SCHEDULES)}")
    epochs: int | None = _option(None, _whole(1, 1_000_000), "passes over the points [default: by problem]")
    batch: int = _option(32, _whole(0, 1_000_000), "points a step; 0 takes them all at once")
    l1: float = _option(0.0, _number(0), "weight of the sum of the parameters' absolute values")
    l2: float = _option(0.0, _number(0), "weight of the sum of their squares")
    engine: str | None = _option(
        None,
        _one_of(ENGINES),
        "native and numpy compile the step, python builds every graph [default: native, with llvmlite]",
    )
    seed: int = _option(0, _whole(0, 2**32 - 1), "the same seed gives the same run to the bit")
    stop_accuracy: float | None = _option(
        None, _number(0, 1, above=True), "stop at this accuracy on the held-out points, such as 0.99"
    )
    patience: int | None = _option(
        None, _whole(1, 1_000_000), "stop when their loss has not fallen for so many epochs; keep the best weights"
    )
    out: str | None = _option(None, _text, "folder for what is written [default: runs/PROBLEM]")

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if value is not None or each.default is not None:
                object.__setattr__(self, each.name, _checked(each.name, each.metadata["check"], value))
        if self.lr is None:
            object.__setattr__(self, "lr", LEARNING_RATES[self.optimizer])
        if self.out is None:
            object.__setattr__(self, "out", str(Path("runs", Path(self.problem).stem or "run")))
        if not self.is_file and self.label is not None:
            raise ValueError(f"label is for CSV files; {self.problem} is a problem that has its own")
        if self.problem not in PROBLEMS and (self.samples is not None or self.noise is not None):
            raise ValueError(f"samples and noise are for problems; the points come from {self.problem}")
        if len(self.activation) not in (1, len(self.hidden)):
            raise ValueError(
                f"activation takes one name, or one for each of {len(self.hidden)} hidden layers;"
                f" got {','.join(self.activation)}"
            )

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Options:
        """Return the options of a run, from those `given` by name; the rest suit the problem."""
        for name in given:
            refuse_unknown(name, [each.name for each in fields(cls)], "option")
        problem = _checked("problem", _text, given.get("problem", "moons"))
        return cls(**((PROBLEMS | TABLES).get(problem, {}) | dict(given)))

    @property
    def is_file(self) -> bool:
        """Whether the points come from a file; otherwise `problem` is the name of a problem."""
        return self.problem not in PROBLEMS | TABLES

    def of_training(self) -> dict[str, Any]:
        """Return the options that were chosen, by name, without `out`: for the notes in a model file."""
        return {name: value for name, value in asdict(self).items() if value is not None and name != "out"}


def read_toml(path: str | Path) -> dict[str, Any]:
    """Return the options in a TOML file by name. ValueError for bad TOML and unknown keys, OSError if it is no file."""
    try:
        with open(path, "rb") as file:
            given = tomllib.load(file)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path} is no TOML: {error}") from None
    options = {name.replace("-", "_"): value for name, value in given.items()}
    try:
        for name in options:
            refuse_unknown(name, [each.name for each in fields(Options)], "option")
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return options


def _checked(name: str, check: Check, value: Any) -> Any:
    try:
        return check(value)
    except ValueError as error:
        raise ValueError(f"{name.replace('_', '-')} takes {error}") from None
