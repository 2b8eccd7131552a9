"""Points of one's own: labelled numbers from a CSV file, or an error that says in which line and column it is wrong."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .collector import paused_collector
from .names import clean, listed, told

Array = np.ndarray[Any, np.dtype[np.float64]]
Row = tuple[int, list[str]]  # the number of its last line in the file, and its cells

MOST_CLASSES = 100
QUOTED = re.compile(r'(?:^|(?<=[;\t,]))"(?:[^"]|"")*+"?', re.M)  # a cell in quotes: separators in it are text
MOST_HEADER = 100_000  # letters in which the separator is looked for


@dataclass(frozen=True)
class Table:
    """Labelled points: `X` (n samples by n_in features), `y` (for each its index in `classes`), the names of both."""

    X: Array
    y: np.ndarray[Any, np.dtype[np.int64]]
    features: tuple[str, ...]
    classes: tuple[str, ...]


def load_csv(path: str | Path, label: str | int | None = None) -> Table:
    """Return the labelled points in a CSV file: columns of numbers, and one of labels, which may be text.

    A first line without any number is a header. `label` is the name or the index (from 0, negative from the end) of
    the column of labels; without it, the last one. Cells are parted by comma, semicolon or tab. Raises ValueError with
    line and column for whatever is no table of finite numbers, and OSError for what cannot be read.
    """
    return parse_csv(Path(path).read_bytes(), path, label)


def parse_csv(content: bytes, path: str | Path, label: str | int | None = None) -> Table:
    """Return the labelled points in the content of a CSV file, as `load_csv` does; `path` is its name in errors."""
    path = clean(str(path), 200)
    names, rows = _parsed(content, path)
    place = _place(path, names, len(names) - 1 if label is None else label)
    if len(names) < 2:
        raise ValueError(
            f"{path} has one column; a table of labelled points has at least one of numbers and one of labels"
        )
    labels = [_label(path, line, place, names[place], cells[place]) for line, cells in rows]
    classes = sorted(set(labels), key=_in_order)
    if not 2 <= len(classes) <= MOST_CLASSES:
        raise ValueError(
            f"{path}, column {place + 1} ({clean(names[place])}): labels of 2 to {MOST_CLASSES} classes are needed, "
            f"found {len(classes)}: {listed(classes[:3])}{', ...' if len(classes) > 3 else ''}"
        )
    columns = [index for index in range(len(names)) if index != place]
    y = np.array([classes.index(text) for text in labels], dtype=np.int64)
    return Table(_numbers(path, names, rows, columns), y, tuple(names[index] for index in columns), tuple(classes))


def parse_numbers(content: bytes, path: str | Path) -> tuple[Array, tuple[str, ...]]:
    """Return all columns of the content of a CSV file, shape (n, columns), and their names. Raises as `load_csv`."""
    path = clean(str(path), 200)
    names, rows = _parsed(content, path)
    return _numbers(path, names, rows, list(range(len(names)))), tuple(names)


def load_features(path: str | Path, features: Sequence[str]) -> Array:
    """Return the columns named `features` of a CSV file, in that order, of shape (n, len(features)).

    A file without a header, or whose header names none of them, must have exactly these columns in this order, or one
    more, the labels, at the end. Raises ValueError with line and column as `load_csv` does.
    """
    return parse_features(Path(path).read_bytes(), path, features)


def parse_features(content: bytes, path: str | Path, features: Sequence[str]) -> Array:
    """Return these columns of the content of a CSV file, as `load_features` does; `path` is its name in errors."""
    path = clean(str(path), 200)
    names, rows = _parsed(content, path)
    if len(names) == len(features) and names == [f"x{index + 1}" for index in range(len(names))]:  # there is no header
        columns = list(range(len(names)))
    elif set(features) <= set(names):
        places = {name: index for index, name in enumerate(names)}
        columns = [places[feature] for feature in features]
    elif len(names) in (len(features), len(features) + 1) and not set(features) & set(names):
        columns = list(range(len(features)))
    else:
        raise ValueError(f"{path}: columns {listed(features, 60)} are needed, found {listed(names, 60)}")
    return _numbers(path, names, rows, columns)


def _parsed(content: bytes, path: str) -> tuple[list[str], list[Row]]:
    """Return the names of the columns (x1, x2, ... where a header gives none) and the rows, all of the same length."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no UTF-8 text (byte {error.start}); save it as CSV in UTF-8") from None
    first = next((line for line in QUOTED.sub("", text[:MOST_HEADER]).splitlines() if line.strip()), "")
    separator = max(";\t,", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        with paused_collector():
            rows = [(reader.line_num, cells) for cells in reader if any(map(str.strip, cells))]
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: {clean(str(error), 200)}") from None
    if not rows:
        raise ValueError(f"{path} is empty; a line for each point is needed")
    width = len(rows[0][1])
    for line, cells in rows:
        if len(cells) != width:
            raise ValueError(f"{path}, line {line}: {len(cells)} cells, but line {rows[0][0]} has {width}")
    numbered = [f"x{index + 1}" for index in range(width)]
    if any(_is_number(cell) for cell in rows[0][1]):
        return numbered, rows
    if len(rows) == 1:
        raise ValueError(f"{path} has a header and no points")
    names = [cell.strip() or number for cell, number in zip(rows[0][1], numbered, strict=True)]
    met: set[str] = set()
    for index, name in enumerate(names):
        if name in met:
            raise ValueError(
                f"{path}, line {rows[0][0]}, column {index + 1}: {told(name)} is the name of a column before it"
            )
        met.add(name)
    return names, rows[1:]


def _place(path: str, names: list[str], label: str | int) -> int:
    if isinstance(label, str) and label in names:
        return names.index(label)
    with suppress(ValueError):
        label = int(label)
    if isinstance(label, int) and -len(names) <= label < len(names):
        return label % len(names)
    raise ValueError(f"{path} has no column {told(label)}; it has {listed(names)} (0 to {len(names) - 1})")


def _label(path: str, line: int, place: int, name: str, cell: str) -> str:
    text = cell.strip()
    if not text:
        raise ValueError(f"{path}, line {line}, column {place + 1} ({clean(name)}): the label is missing")
    if _is_number(text) and abs(float(text)) < 2**53:  # 1, 1.0 and 01 are one class
        return str(float(text) + 0.0).removesuffix(".0")
    return text


def _in_order(label: str) -> tuple[float, str]:
    return (float(label) if _is_number(label) and math.isfinite(float(label)) else math.inf, label)


def _numbers(path: str, names: list[str], rows: list[Row], columns: list[int]) -> Array:
    for line, cells in rows:
        for index in columns:
            if not (_is_number(cells[index]) and math.isfinite(float(cells[index]))):
                what = told(cells[index], 42) if cells[index].strip() else "nothing"
                raise ValueError(
                    f"{path}, line {line}, column {index + 1} ({clean(names[index])}): a number is needed, got {what}"
                )
    return np.array([[float(cells[index]) for index in columns] for _, cells in rows])


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text
