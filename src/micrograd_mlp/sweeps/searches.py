"""The searches: which trials a sweep makes, rung after rung, by what came of those before."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ..options import SweepOptions
from .space import Between, Space, Values
from .trials import Trial

MOST_TRIALS = 100_000


@dataclass(frozen=True)
class Rung:
    """A stage of a search: how many configurations are tried, and for how many epochs (None: as their options say)."""

    configurations: int
    epochs: int | None = None


@dataclass(frozen=True)
class Search:
    """The configurations of a sweep, numbered from 1 in order, and the rungs that they climb."""

    space: Space
    settings: SweepOptions
    configurations: tuple[Values, ...]
    rungs: tuple[Rung, ...]

    @classmethod
    def of(cls, space: Space, settings: SweepOptions) -> Search:
        """Return the search that the settings ask for. Raises ValueError for what no trial can be made of."""
        base, eta = space.base, settings.eta or 0
        if settings.search == "grid":
            if not any(isinstance(value, Between) for values in space.varied.values() for value in values):
                _refuse_many(space.size * settings.seeds)
            configurations = tuple(space.grid())
        else:
            _refuse_many((settings.trials or 0) * settings.seeds)
            configurations = tuple(space.draws(settings.trials or 0, random.Random(base.seed)))
        if base.seed + settings.seeds > 2**32:
            raise ValueError(f"seeds takes as many as there are from seed {base.seed} to {2**32 - 1}")
        for values in configurations:
            space.options(values)
        if settings.search != "halving":
            return cls(space, settings, configurations, (Rung(len(configurations)),))
        if "epochs" in space.varied:
            raise ValueError("epochs takes one number in a halving search, that of the last rung")
        return cls(space, settings, configurations, halving(len(configurations), base.epochs or 1, eta))

    @property
    def total(self) -> int:
        """How many trials there are in all."""
        return sum(rung.configurations for rung in self.rungs) * self.settings.seeds

    def stages(self, best: Callable[[int, int], Sequence[int]]) -> Iterator[list[Trial]]:
        """Yield the trials of each rung in order; each is to be run before the next one is asked for.

        `best(rung, count)` gives the numbers of the best `count` configurations on a rung, by which the next goes on.
        """
        first, chosen = 1, list(range(1, len(self.configurations) + 1))
        for place, rung in enumerate(self.rungs, 1):
            if place > 1:
                chosen = sorted(best(place - 1, rung.configurations))
            trials = [
                self._trial(first + index, configuration, place, rung, seed)
                for index, (configuration, seed) in enumerate(
                    (configuration, seed) for configuration in chosen for seed in range(self.settings.seeds)
                )
            ]
            first += len(trials)
            yield trials

    def _trial(self, number: int, configuration: int, place: int, rung: Rung, seed: int) -> Trial:
        values = self.configurations[configuration - 1]
        more = {"seed": self.space.base.seed + seed} | ({"epochs": rung.epochs} if rung.epochs else {})
        return Trial(number, configuration, place, values, self.space.options(values, **more))


def halving(configurations: int, epochs: int, eta: int) -> tuple[Rung, ...]:
    """Return the rungs of successive halving: one configuration in `eta` goes on, with `eta` times the epochs.

    The last rung has all `epochs`, the first one at least 1. A configuration that goes on is trained anew: the course
    of the learning rate goes by the epochs, so the beginning of a longer run is no shorter run.
    Source: Jamieson and Talwalkar, Non-stochastic Best Arm Identification and Hyperparameter Optimization (AISTATS
    2016), where eta is 2.
    """
    rungs = [Rung(configurations, epochs)]
    while rungs[0].epochs and rungs[0].epochs >= eta and configurations >= eta ** len(rungs):
        rungs.insert(0, Rung(0, max(1, round(epochs / eta ** len(rungs)))))
    return tuple(Rung(max(1, configurations // eta**k), rung.epochs) for k, rung in enumerate(rungs))


def _refuse_many(count: float) -> None:
    if count > MOST_TRIALS:
        raise ValueError(f"this sweep would make {count:,.0f} trials; at most {MOST_TRIALS:,} are made")
