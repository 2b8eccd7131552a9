"""The folder of a sweep: what was asked for, and a line for each trial that ended, whatever ends the sweep.

`sweep.json` says what the sweep is, `trials.csv` what came of its trials. A line is on disk when a trial counts as
done; what is left of a line after the last whole one is taken away, and its trial is made again.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, fields
from pathlib import Path

from ..files import write_atomically
from .space import text_of
from .trials import Outcome, Trial

ASKED, TRIALS = "sweep.json", "trials.csv"
IDENTITY = ("trial", "configuration", "rung")
SCORES = tuple("epochs_done" if each.name == "epochs" else each.name for each in fields(Outcome))


def columns_of(varied: Iterable[str]) -> tuple[str, ...]:
    """Return the header of `trials.csv`, where these options vary."""
    return (*IDENTITY, *(name for name in varied if name != "epochs"), "epochs", "seed", *SCORES)


def known_of(trial: Trial) -> list[str]:
    """Return the cells of a trial that are known before it is run."""
    values = [text_of(value) for name, value in trial.values if name != "epochs"]
    numbers = [trial.number, trial.configuration, trial.rung, *values, trial.options.epochs, trial.options.seed]
    return [str(each) for each in numbers]


def row_of(trial: Trial, outcome: Outcome) -> list[str]:
    """Return the line of a trial as its cells; numbers keep all their digits."""
    return [*known_of(trial), *(each if isinstance(each, str) else repr(each) for each in astuple(outcome))]


def to_csv(rows: Iterable[Sequence[str]]) -> str:
    """Return these lines as CSV text."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


class Ledger:
    """What is known of the trials of a sweep in a folder, line by line; a new folder is begun.

    Raises ValueError if the folder has another sweep, or files that are of none.
    """

    def __init__(self, folder: Path, asked: Mapping[str, str], columns: Sequence[str]) -> None:
        self.path, self.columns = folder / TRIALS, list(columns)
        if (folder / ASKED).exists():
            _refuse_other(folder, _read_asked(folder / ASKED), asked)
        else:
            _refuse_foreign(folder)
            write_atomically(folder / ASKED, json.dumps(asked, indent=1) + "\n")
        self.rows = self._read() if self.path.exists() else {}
        self._write()

    def outcome(self, trial: Trial) -> Outcome | None:
        """Return what came of a trial, if it was done. Raises ValueError if its line is of another one."""
        row = self.rows.get(trial.number)
        if row is None:
            return None
        known = known_of(trial)
        for column, found, made in zip(self.columns, row, known, strict=False):
            if found != made:
                raise ValueError(f"{self.path}, trial {trial.number}: {column} is {found}, where the sweep has {made}")
        return _outcome(row[len(known) :])

    def add(self, trial: Trial, outcome: Outcome) -> None:
        """Put a trial that ended on disk. Raises OSError."""
        row = row_of(trial, outcome)
        with open(self.path, "a", encoding="utf-8", newline="") as file:
            file.write(to_csv([row]))
            file.flush()
            os.fsync(file.fileno())
        self.rows[trial.number] = row

    def sort(self) -> None:
        """Put the lines in the order of the trials, in which they may not have ended."""
        if list(self.rows) != sorted(self.rows):
            self.rows = dict(sorted(self.rows.items()))
            self._write()

    def _write(self) -> None:
        write_atomically(self.path, to_csv([self.columns, *self.rows.values()]))

    def _read(self) -> dict[int, list[str]]:
        """Return the whole lines of the file, by the number of their trial."""
        text = self.path.read_text(encoding="utf-8", errors="replace")
        whole = text[: text.rfind("\n") + 1]
        try:
            header, *rows = list(csv.reader(io.StringIO(whole, newline=""), strict=True)) or [self.columns]
        except csv.Error as error:
            raise ValueError(f"{self.path}: {error}; without this file the sweep begins anew") from None
        known = {}
        for place, row in enumerate([header, *rows], 1):
            if place == 1 and row == self.columns:
                continue
            try:
                _outcome(row[-len(SCORES) :])
                known[int(row[0])] = row
            except (ValueError, IndexError, TypeError):
                raise ValueError(
                    f"{self.path}, line {place}: this is no line of this sweep; without it, its trial is made again"
                ) from None
            if len(row) != len(self.columns) or place == 1:
                raise ValueError(f"{self.path}, line {place}: {len(row)} cells; the sweep has {len(self.columns)}")
        return known


def _outcome(cells: Sequence[str]) -> Outcome:
    ended, epochs, *numbers = cells
    return Outcome(ended, int(epochs), *map(float, numbers))


def _read_asked(path: Path) -> dict[str, str]:
    try:
        asked = json.loads(path.read_bytes())
        if isinstance(asked, dict) and all(isinstance(value, str) for value in asked.values()):
            return asked
    except (ValueError, RecursionError):
        pass
    raise ValueError(f"{path} does not say what was asked for; name another folder as out")


def _refuse_other(folder: Path, before: Mapping[str, str], asked: Mapping[str, str]) -> None:
    """Raise ValueError, with the first difference, if the sweep in the folder is another one."""
    for name in dict.fromkeys([*asked, *before]):
        old, new = (each.get(name, "not given") for each in (before, asked))
        if old != new:
            option = f"{name.replace('_', '-')} {old}, not {new}"
            differs = "other points than those here" if name == "points" else option
            raise ValueError(f"{folder} holds a sweep with {differs}; name another folder as out")


def _refuse_foreign(folder: Path) -> None:
    for name in (TRIALS, "model.safetensors", "sweep.png"):
        if (folder / name).exists():
            raise ValueError(f"out takes a new folder, or one of a sweep; {folder / name} is there without {ASKED}")
