"""A sweep from what is asked for to its files: points, trials, ranking, the best model, its test."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from .. import __version__
from ..checks import checked, text
from ..experiment import Score, default_epochs, load, make_folder, split
from ..files import clear_temporaries, locked, refuse_same
from ..losses import LOSSES
from ..options import SWEPT, Options, SweepOptions
from ..tables import Table
from ..training import evaluate
from .ledger import ASKED, TRIALS, Ledger, columns_of
from .results import Record, Result, rank
from .searches import Search
from .space import Space, text_of
from .trials import Ground, make
from .workers import place_of, refuse_without_dask

FILES = (ASKED, TRIALS, "model.safetensors", "sweep.png")
Progress = Callable[[Record, int, int], Any]  # a trial that ended, how many have, and how many there are


@dataclass(frozen=True)
class Plan:
    """A sweep before its first trial: what it tries, on which points, and the points that no trial sees."""

    search: Search
    ground: Ground
    test: tuple[Any, Any]  # X and y
    asked: Mapping[str, str]  # all that the results depend on
    folder: Path | None


def sweep(problem: str | Path = "moons", *, progress: Progress | None = None, **given: Any) -> Result:
    """Try options on a problem, or on the points in a CSV file, and return all trials with the best model.

    `given` are options of `Options` and of `SweepOptions` by name. Those in SEARCHED take several values, in a list or
    with slashes between them, and in a random or a halving search ranges as well: `sweep("moons", hidden="8/16,16",
    lr="0.001..0.1", search="random", trials=20, seeds=3)`. Trials are made on the cores of this machine or on those of
    a Dask scheduler, to the same results; to the bit, where processors and libraries are alike. With `out`, a folder,
    each trial is on disk when it ends: whatever ends the sweep, the same call goes on from there. `progress(record,
    ended, total)` is called after each trial. Raises ValueError, before the first trial, for what does not fit, and
    OSError.
    """
    asked = plan({"problem": problem} | given)
    with opened(asked) as ledger:
        return carry_out(asked, ledger, progress)


def plan(given: Mapping[str, Any]) -> Plan:
    """Return the sweep that is asked for, by names of Options and SweepOptions. Raises ValueError and OSError."""
    settings = SweepOptions.of(given)
    if settings.scheduler is not None:
        refuse_without_dask()
    options = {name: value for name, value in given.items() if name not in SWEPT and name != "out"}
    out = None if given.get("out") is None else Path(checked("out", text, given["out"]))
    base = Space.of(options).base
    table = load(base)
    seen = split(table, base.test_share, base.seed)
    rest = Table(seen.X, seen.y, table.features, table.classes)
    points = split(rest, settings.held_share, base.seed)
    if not len(points.y_test):
        raise ValueError("held-share leaves no points to rank trials by")
    if base.epochs is None:
        options["epochs"] = default_epochs(len(points.y))
    search = Search.of(Space.of(options), settings)
    asked = _asked(search, table)
    if out is not None and base.is_file:
        for name in FILES:
            refuse_same(out / name, [base.problem])
    return Plan(search, Ground(points, table.features, table.classes), (seen.X_test, seen.y_test), asked, out)


def describe(plan: Plan) -> str:
    """Return how many trials are to be made, of what, on one line."""
    search = plan.search
    seeds = f" with {search.settings.seeds} seeds each" if search.settings.seeds > 1 else ""
    rungs = ", then ".join(
        f"{rung.configurations} for {rung.epochs} epochs" if rung.epochs else f"{rung.configurations} configurations"
        for rung in search.rungs
    )
    return f"{search.settings.search} search, {rungs}{seeds}: {search.total} trials"


def carry_out(plan: Plan, ledger: Ledger | None, progress: Progress | None = None) -> Result:
    """Make the trials of a plan, those that its folder does not have yet, and return what came of all of them.

    With a folder, the files of the sweep are in it then. Raises ValueError and OSError.
    """
    search, settings = plan.search, plan.search.settings
    records: dict[int, Record] = {}
    with place_of(plan.ground, settings.jobs, settings.scheduler) as place:

        def best(rung: int, count: int) -> list[int]:
            standings = rank(record for record in records.values() if record.trial.rung == rung)
            return [standing.configuration for standing in standings[:count]]

        for trials in search.stages(best):
            left = []
            for trial in trials:
                outcome = ledger.outcome(trial) if ledger else None
                if outcome is None:
                    left.append(trial)
                else:
                    records[trial.number] = Record(trial, outcome)
            for trial, outcome in place.run(left) if left else ():
                if ledger:
                    ledger.add(trial, outcome)
                records[trial.number] = Record(trial, outcome)
                if progress:
                    progress(records[trial.number], len(records), search.total)
        in_order = tuple(records[number] for number in sorted(records))
        result = _finish(plan, in_order)
        if ledger and plan.folder:
            ledger.sort()
            _write(plan.folder, result)
    return result


def _finish(plan: Plan, records: tuple[Record, ...]) -> Result:
    """Return the result: the best trial is run again for its model, which is tested once."""
    trial = rank(records)[0].best.trial
    done = make(trial.options, plan.ground)
    assert done is not None
    X, y = plan.test
    classifier, found = done.classifier, None
    if len(y):
        found = Score(*evaluate(classifier.model, classifier.scaling(X), y, LOSSES[trial.options.loss]))
        classifier.about["accuracy"]["test"] = found.accuracy
    settings = plan.search.settings
    classifier.about["sweep"] = settings.of_search() | {"trials": len(records), "seed": plan.search.space.base.seed}
    return Result(records, classifier, found)


def _write(folder: Path, result: Result) -> None:
    from ..drawing.theme import save_figure

    result.classifier.save(folder / "model.safetensors")
    save_figure(result.plot(), folder / "sweep.png")


@contextmanager
def opened(plan: Plan) -> Iterator[Ledger | None]:
    """Within this block the folder of a plan is this sweep's alone; yield what it has, or None if there is to be none.

    Raises ValueError if it has something else, or if another process has it.
    """
    if plan.folder is None:
        yield None
        return
    make_folder(plan.folder)
    with locked(plan.folder / ".lock", str(plan.folder)):
        for name in FILES:
            clear_temporaries(plan.folder / name)
        yield Ledger(plan.folder, plan.asked, columns_of(plan.search.space.varied))


def _asked(search: Search, table: Table) -> dict[str, str]:
    """Return all that the results depend on, as texts by name."""
    space = search.space
    options = {
        each.name: getattr(space.base, each.name)
        for each in fields(Options)
        if each.name != "out" and getattr(space.base, each.name) is not None
    }
    if "optimizer" in space.varied and "lr" not in {*space.fixed, *space.varied}:
        del options["lr"]  # goes by the optimiser
    options |= {name: "/".join(map(text_of, values)) for name, values in space.varied.items()}
    asked = options | search.settings.of_search()
    return {name: text_of(value) for name, value in asked.items()} | {
        "points": _fingerprint(table),
        "version": __version__,
    }


def _fingerprint(table: Table) -> str:
    """Return the SHA-256 of points and names, in hexadecimal."""
    digest = hashlib.sha256(repr((table.features, table.classes, table.X.shape)).encode())
    digest.update(table.X.astype("<f8").tobytes() + table.y.astype("<i8").tobytes())
    return digest.hexdigest()
