"""Everything that the page can set: each field once, with its default, what it takes, and what it is for.

The page, the URL and a saved session all give settings by name; here is where each is checked, whoever sent it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qsl, urlencode

from .. import losses
from ..checks import check_fields, checked, flag, number, one_of, option, parts, whole
from ..names import clean, listed, refuse_unknown, told
from ..nn import ACTIVATIONS, INITS
from ..optim import OPTIMIZERS, SCHEDULES
from .features import FEATURES
from .problems import PROBLEMS

MOST_POINTS = 10_000
MOST_QUERY = 100_000  # characters
MOST_LAYERS = 16
MOST_NEURONS = 128
MOST_PARAMETERS = 10_000
MOST_CLASSES = 7  # as many as there are colours to tell apart
LOSSES: dict[str, dict[str, Any]] = {  # those of each kind of problem
    "classification": losses.LOSSES,
    "regression": {"mse": losses.squared_error, "absolute": losses.absolute_error},
}
# What a change asks for: other points, other weights, or another program; all else acts at once.
OF_POINTS = ("kind", "problem", "samples", "noise", "seed", "test_share", "classes")
OF_WEIGHTS = ("kind", "features", "hidden", "activation", "output", "init", "init_seed")
OF_PROGRAM = (*OF_WEIGHTS[:5], "loss", "optimizer", "momentum", "regularization", "rate")


def _features(value: Any) -> tuple[str, ...]:
    names = [one_of(FEATURES)(name) for name in parts(value)]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"each feature once and at least one of {listed(FEATURES)}; got {told(value)}")
    return tuple(name for name in FEATURES if name in names)


def _sizes(value: Any) -> tuple[int, ...]:
    sizes = [] if value in ("none", "", [], ()) else parts(value)
    if len(sizes) > MOST_LAYERS:
        raise ValueError(f"at most {MOST_LAYERS} hidden layers, got {len(sizes)}")
    return tuple(map(whole(1, MOST_NEURONS), sizes))


def _activations(value: Any) -> tuple[str, ...]:
    names = [] if value in ("none", "", [], ()) else parts(value)
    if len(names) > MOST_LAYERS:
        raise ValueError(f"at most {MOST_LAYERS} activations, got {len(names)}")
    return tuple(map(one_of(ACTIVATIONS), names))


@dataclass(frozen=True)
class Settings:
    """The settings of a session, each checked; ValueError names the setting, what it takes and what it got."""

    kind: str = option("classification", one_of(LOSSES), "classification or regression")
    problem: str = option("circles", one_of([*PROBLEMS, "own"]), "a problem by name, or own points")
    samples: int = option(300, whole(8, MOST_POINTS), "how many points to make")
    noise: float = option(0.1, number(0, 10), "standard deviation of the jitter")
    seed: int = option(0, whole(0, 2**32 - 1), "of the points and of the order of the batches")
    test_share: float = option(0.3, number(0, 0.9), "share of the points held out to test on")
    classes: int = option(2, whole(2, MOST_CLASSES), "classes of own points")
    batch: int = option(10, whole(0, MOST_POINTS), "points a step; 0 takes them all at once")
    features: tuple[str, ...] = option(("x1", "x2"), _features, "what the first layer sees of a point")
    hidden: tuple[int, ...] = option((4, 2), _sizes, "sizes of the hidden layers, or none")
    activation: tuple[str, ...] = option(("tanh",), _activations, "one for all hidden layers, or one for each")
    output: str = option("linear", one_of(ACTIVATIONS), "activation of the output")
    init: str = option("auto", one_of(["auto", *INITS]), "first weights; auto goes by activation")
    init_seed: int = option(0, whole(0, 2**32 - 1), "of the first weights")
    loss: str = option("cross_entropy", one_of([name for of in LOSSES.values() for name in of]), "what is made small")
    optimizer: str = option("sgd", one_of(OPTIMIZERS), "how weights follow their gradients")
    lr: float = option(0.03, number(0, 1000, above=True), "learning rate")
    momentum: float = option(0.0, number(0, 1, below=True), "of sgd and rmsprop; the others have their own")
    schedule: str = option("constant", one_of(SCHEDULES), "course of the learning rate")
    horizon: int = option(500, whole(1, 1_000_000), "epochs that the schedule spans")
    regularization: str = option("none", one_of(["none", "l1", "l2"]), "penalty on the parameters")
    rate: float = option(0.001, number(0, 1000), "weight of the penalty")
    stop_epochs: int = option(0, whole(0, 10_000_000), "stop after so many epochs; 0 for never")
    stop_loss: float = option(0.0, number(0, 1e9), "stop when the loss is as low; 0 for never")
    stop_accuracy: float = option(0.0, number(0, 1), "stop when the accuracy is as high; 0 for never")
    patience: int = option(0, whole(0, 1_000_000), "stop when the loss has not fallen for so many epochs; 0 for never")
    speed: float = option(30.0, number(0, 10_000), "epochs a second; 0 for as fast as it goes")
    show_test: bool = option(False, flag, "show the points held out")
    discretize: bool = option(False, flag, "show the output in two colours, without shades")

    def __post_init__(self) -> None:
        check_fields(self)
        if len(self.activation) == 1:
            object.__setattr__(self, "activation", self.activation * max(1, len(self.hidden)))
        if len(self.activation) != max(1, len(self.hidden)):
            raise ValueError(
                f"activation takes one name, or one for each of {len(self.hidden)} hidden layers; "
                f"got {','.join(self.activation) or 'none'}"
            )
        if self.loss not in LOSSES[self.kind]:
            raise ValueError(f"loss takes one of {', '.join(LOSSES[self.kind])} for {self.kind}; got {self.loss!r}")
        if self.problem != "own" and PROBLEMS[self.problem].kind != self.kind:
            of_kind = ", ".join(name for name, each in PROBLEMS.items() if each.kind == self.kind)
            raise ValueError(f"problem takes one of {of_kind}, own for {self.kind}; got {self.problem!r}")
        if self.parameters > MOST_PARAMETERS:
            raise ValueError(
                f"hidden takes layers with at most {MOST_PARAMETERS} weights and biases in all; "
                f"{','.join(map(str, self.hidden))} has {self.parameters}"
            )

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Settings:
        """Return the settings `given` by name; the others have their defaults."""
        return cls().changed(given)

    def changed(self, given: Mapping[str, Any]) -> Settings:
        """Return these settings with those `given` by name in their place. What does not fit them any more follows.

        Another kind of problem brings its first problem and loss, another number of layers the activations.
        """
        if not isinstance(given, Mapping):
            raise ValueError(f"settings are given by name, got {told(given)}")
        for name in given:
            refuse_unknown(name, [each.name for each in fields(self)], "setting")
        given = dict(given)
        kind = checked("kind", one_of(LOSSES), given.get("kind", self.kind))
        if kind != self.kind:
            given.setdefault("loss", next(iter(LOSSES[kind])))
            given.setdefault("problem", next(name for name, each in PROBLEMS.items() if each.kind == kind))
        if "hidden" in given and "activation" not in given:
            count = max(1, len(checked("hidden", _sizes, given["hidden"])))
            given["activation"] = (*self.activation, *self.activation[-1:] * count)[:count]
        return replace(self, **given)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Neurons in each layer, the output included."""
        return (*self.hidden, self.outputs)

    @property
    def outputs(self) -> int:
        """Outputs of the network: one for two classes and for regression, else one for each class."""
        return self.count if self.kind == "classification" and self.count > 2 else 1

    @property
    def count(self) -> int:
        """How many classes there are."""
        return self.classes if self.problem == "own" else PROBLEMS[self.problem].classes

    @property
    def activations(self) -> tuple[str, ...]:
        """The activation of each layer, the output included."""
        return (*self.activation[: len(self.hidden)], self.output)

    @property
    def parameters(self) -> int:
        """How many weights and biases the network has."""
        widths = [len(self.features), *self.sizes]
        return sum((n_in + 1) * n_out for n_in, n_out in pairwise(widths))

    @property
    def program(self) -> tuple[Any, ...]:
        """What makes programs differ: with the same, two runs can exchange their machines."""
        return (self.outputs, *(getattr(self, name) for name in OF_PROGRAM))

    @property
    def sample_loss(self) -> Any:
        """The loss of a sample, a function of the scores and the target."""
        return LOSSES[self.kind][self.loss]

    def to_query(self) -> str:
        """Return what differs from the defaults, as the query of a URL."""
        default, own = (asdict(each) | {"activation": _once(each.activation)} for each in (Settings(), self))
        differ = {name: _written(value) for name, value in own.items() if value != default[name]}
        return urlencode(differ, safe=",")

    @classmethod
    def from_query(cls, query: str) -> Settings:
        """Return the settings in the query of a URL, as `to_query` writes it."""
        try:
            if len(query) > MOST_QUERY:
                raise ValueError(f"it has more than {MOST_QUERY:,} characters")
            return cls.of(dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query), max_num_fields=99)))
        except ValueError as error:
            raise ValueError(f"the address of the page cannot be read: {clean(str(error), 300)}") from None


def _once(names: tuple[str, ...]) -> tuple[str, ...]:
    return names[:1] if len(set(names)) == 1 else names


def _written(value: Any) -> Any:
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "none"
    return str(value).lower() if isinstance(value, bool) else value
