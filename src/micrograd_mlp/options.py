"""What a training run or a sweep is asked to do: every option once, with its default, what it takes, what it is for.

The command line, a TOML file and Python all give options by name; one check each says what is wrong with a value,
whether it came as text or as a number.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from .checks import check_fields, checked, number, one_of, option, parts, text, whole
from .losses import LOSSES
from .names import clean, refuse_unknown, told
from .nn import ACTIVATIONS, INITS
from .optim import OPTIMIZERS, SCHEDULES

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
# The options of which a sweep takes several values.
SEARCHED = ("hidden", "activation", "init", "loss", "optimizer", "lr", "schedule", "epochs", "batch", "l1", "l2")
SEARCHES = ("grid", "random", "halving")
DRAWN = 20  # configurations, if not said
ENGINES = ("python", "numpy", "native")  # those of training, which is not loaded for a list of options
MOST_BYTES = 10_000  # of a TOML file; a name of very many parts takes time by the square of their number
LEARNING_RATES = {"sgd": 0.5, "adam": 0.02, "adamw": 0.02, "rmsprop": 0.01}


def _sizes(value: Any) -> tuple[int, ...]:
    sizes = [] if value == "none" else parts(value)
    try:
        return tuple(map(whole(1, 10_000), sizes))
    except ValueError:
        taken = "sizes of layers from 1 to 10000 between commas, such as 16,16, or none"
        raise ValueError(f"{taken}; got {told(value)}") from None


def _activations(value: Any) -> tuple[str, ...]:
    return tuple(map(one_of(ACTIVATIONS), parts(value)))


@dataclass(frozen=True)
class Options:
    """The options of a run, each checked; ValueError names the option, what it takes and what it got.

    None stands for what goes by the problem, its file, or the optimiser. `Options.of` fills in what suits a problem.
    """

    problem: str = option("moons", text, "a problem by name, or a CSV file")
    label: str | None = option(None, text, "the column of labels in a CSV file, by name or index [default: the last]")
    samples: int | None = option(None, whole(8, 1_000_000), "how many points to make [default: by problem]")
    noise: float | None = option(None, number(0, 1000), "standard deviation of the jitter [default: by problem]")
    test_share: float = option(0.25, number(0, 1, below=True), "share of the points held out to test on")
    hidden: tuple[int, ...] = option((16, 16), _sizes, "sizes of the hidden layers, or none")
    activation: tuple[str, ...] = option(
        ("tanh",), _activations, f"{', '.join(ACTIVATIONS)}; one for all hidden layers, or one for each"
    )
    init: str | None = option(None, one_of(INITS), f"first weights: {', '.join(INITS)} [default: by activation]")
    loss: str = option("cross_entropy", one_of(LOSSES), ", ".join(LOSSES))
    optimizer: str = option("adam", one_of(OPTIMIZERS), ", ".join(OPTIMIZERS))
    lr: float | None = option(
        None,
        number(0, above=True),
        f"learning rate [default: {', '.join(f'{rate} for {name}' for name, rate in LEARNING_RATES.items())}]",
    )
    schedule: str = option("cosine", one_of(SCHEDULES), f"course of the learning rate: {', '.join(SCHEDULES)}")
    epochs: int | None = option(None, whole(1, 1_000_000), "passes over the points [default: by problem]")
    batch: int = option(32, whole(0, 1_000_000), "points a step; 0 takes them all at once")
    l1: float = option(0.0, number(0), "weight of the sum of the parameters' absolute values")
    l2: float = option(0.0, number(0), "weight of the sum of their squares")
    engine: str | None = option(
        None,
        one_of(ENGINES),
        "native and numpy compile the step, python builds every graph [default: native, with llvmlite]",
    )
    seed: int = option(0, whole(0, 2**32 - 1), "the same seed gives the same run to the bit")
    stop_accuracy: float | None = option(
        None, number(0, 1, above=True), "stop at this accuracy on the held-out points, such as 0.99"
    )
    patience: int | None = option(
        None, whole(1, 1_000_000), "stop when their loss has not fallen for so many epochs; keep the best weights"
    )
    out: str | None = option(None, text, "folder for what is written [default: runs/PROBLEM]")

    def __post_init__(self) -> None:
        check_fields(self)
        if self.lr is None:
            object.__setattr__(self, "lr", LEARNING_RATES[self.optimizer])
        if self.out is None:
            object.__setattr__(self, "out", str(Path("runs", Path(self.problem).stem or "run")))
        if not self.is_file and self.label is not None:
            raise ValueError(f"label is for CSV files; {clean(self.problem)} is a problem that has its own")
        if self.problem not in PROBLEMS and (self.samples is not None or self.noise is not None):
            raise ValueError(f"samples and noise are for problems; the points come from {clean(self.problem)}")
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
        problem = checked("problem", text, given.get("problem", "moons"))
        return cls(**((PROBLEMS | TABLES).get(problem, {}) | dict(given)))

    @property
    def is_file(self) -> bool:
        """Whether the points come from a file; otherwise `problem` is the name of a problem."""
        return self.problem not in PROBLEMS | TABLES

    def of_training(self) -> dict[str, Any]:
        """Return the options that were chosen, by name, without `out`: for the notes in a model file."""
        return {name: value for name, value in asdict(self).items() if value is not None and name != "out"}


@dataclass(frozen=True)
class SweepOptions:
    """What a sweep is asked besides the options of its runs, each checked: how it searches, ranks and spreads."""

    search: str = option(
        "grid", one_of(SEARCHES), "grid tries every combination, random draws some, halving gives the best more epochs"
    )
    trials: int | None = option(
        None, whole(1, 100_000), f"configurations that random and halving draw; each has every seed [default: {DRAWN}]"
    )
    seeds: int = option(1, whole(1, 1000), "seeds that each configuration is tried with, from --seed on")
    eta: int | None = option(
        None, whole(2, 100), "halving goes on with one in so many, and as many times the epochs [default: 3]"
    )
    held_share: float = option(
        0.25, number(0, 1, above=True, below=True), "share of the points not tested on that trials are ranked by"
    )
    jobs: int | None = option(
        None, whole(1, 1024), "processes that trials run in [default: one a core, where it is worth their start]"
    )
    scheduler: str | None = option(
        None, text, "address of a Dask scheduler, such as 127.0.0.1:8786; trials run on its workers"
    )

    def __post_init__(self) -> None:
        check_fields(self)
        if self.search == "grid" and self.trials is not None:
            raise ValueError("trials is for a random or a halving search; a grid tries every combination")
        if self.search != "halving" and self.eta is not None:
            raise ValueError(f"eta is for a halving search, not for {self.search}")
        if self.jobs is not None and self.scheduler is not None:
            raise ValueError("jobs is for this machine; with a scheduler, its workers say how many trials they run")
        if self.search == "halving" and self.eta is None:
            object.__setattr__(self, "eta", 3)
        if self.search != "grid" and self.trials is None:
            object.__setattr__(self, "trials", DRAWN)

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> SweepOptions:
        """Return the options of a sweep among those `given` by name, the others of which are of its runs."""
        return cls(**{each.name: given[each.name] for each in fields(cls) if each.name in given})

    def of_search(self) -> dict[str, Any]:
        """Return what the results depend on: all but where the trials run."""
        values = {name: getattr(self, name) for name in SWEPT if name not in ("jobs", "scheduler")}
        return {name: value for name, value in values.items() if value is not None}


SWEPT = tuple(each.name for each in fields(SweepOptions))


def read_toml(path: str | Path, also: Iterable[str] = ()) -> dict[str, Any]:
    """Return the options in a TOML file by name: those of a run, and `also` these.

    Raises ValueError for bad TOML and unknown keys, OSError if it is no file.
    """
    shown = clean(str(path), 200)
    try:
        with open(path, "rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise ValueError(f"it has more than {MOST_BYTES:,} bytes, which no options need")
        given = tomllib.loads(content.decode())
    except UnicodeDecodeError as error:
        raise ValueError(f"{shown} is no TOML: it is no text in UTF-8 (byte {error.start})") from None
    except RecursionError:
        raise ValueError(f"{shown} is no TOML that can be read: it is nested too deeply") from None
    except tomllib.TOMLDecodeError as error:  # with line and column
        raise ValueError(f"{shown} is no TOML: {clean(str(error), 200)}") from None
    except ValueError as error:
        reason = "it holds a whole number of thousands of digits" if "digits" in str(error) else error
        raise ValueError(f"{shown} cannot be read: {reason}") from None
    options = {name.replace("-", "_"): value for name, value in given.items()}
    try:
        for name in options:
            refuse_unknown(name, [*(each.name for each in fields(Options)), *also], "option")
    except ValueError as error:
        raise ValueError(f"{shown}: {error}") from None
    return options
