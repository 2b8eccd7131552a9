"""One HTML file with everything about a run in it: numbers, pictures, tables. It loads nothing and runs no script."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..files import write_atomically
from ..training import COLUMNS, Epoch, History

KINDS = {".png": "image/png", ".gif": "image/gif", ".svg": "image/svg+xml"}
MOST_EPOCHS = 25  # a longer history is shown in as many rows


class Picture(NamedTuple):
    """A picture file (PNG, GIF or SVG), what is written under it, and what is read out in its place (the caption)."""

    caption: str
    path: str | Path
    alt: str = ""


def write_report(
    path: str | Path,
    *,
    title: str,
    summary: Sequence[tuple[str, str]] = (),
    pictures: Sequence[Picture | tuple[str, str | Path]] = (),
    confusion: Any = None,
    classes: Sequence[str] = (),
    history: History | None = None,
    notes: Sequence[str] = (),
) -> Path:
    """Write a self-contained HTML page and return its path.

    `summary` is rows of (name, value); `notes` are sentences under it; `pictures` are embedded; `confusion` is
    a matrix as `training.confusion_matrix` returns it (rows are true classes), named by `classes`; `history` gives a
    table of the epochs. All texts are taken as text, never as HTML. Raises ValueError for a picture of another kind or
    a matrix that does not fit the classes, and OSError.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    template = environment.from_string(files(__package__).joinpath("report.html.j2").read_text("utf-8"))
    epochs = history.epochs if history else []
    page = template.render(
        title=title,
        summary=summary,
        notes=notes,
        pictures=[_embedded(Picture(*picture)) for picture in pictures],
        confusion=_rows(confusion, classes),
        classes=classes,
        columns=[name.replace("_", " ") for name in COLUMNS],
        epochs=[_texts(epoch) for epoch in _spread(epochs)],
        count=len(epochs),
    )
    return write_atomically(path, page.encode(errors="replace"))  # a file name may hold bytes that are no text


def _embedded(picture: Picture) -> dict[str, Any]:
    """Return what the page needs of a picture. As an image, an SVG can run no script and load nothing either.

    Drawings in SVG are full of small print, so they get the whole width.
    """
    suffix = Path(picture.path).suffix.lower()
    if suffix not in KINDS:
        raise ValueError(f"a report shows pictures of the kinds {', '.join(KINDS)}; got {str(picture.path)!r}")
    data = base64.b64encode(Path(picture.path).read_bytes()).decode()
    source = f"data:{KINDS[suffix]};base64,{data}"
    alt = picture.alt or picture.caption
    return {"source": source, "caption": picture.caption, "alt": alt, "wide": suffix == ".svg"}


def _rows(confusion: Any, classes: Sequence[str]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return for each true class its name and cells: the count, its share of the row, and whether it is right."""
    if confusion is None:
        return []
    matrix = np.asarray(confusion)
    if matrix.shape != (len(classes), len(classes)):
        raise ValueError(f"{len(classes)} classes take a square matrix of that size, got one of shape {matrix.shape}")
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    return [
        (name, [{"count": int(matrix[i, j]), "share": shares[i, j], "right": i == j} for j in range(len(classes))])
        for i, name in enumerate(classes)
    ]


def _spread(epochs: Sequence[Epoch]) -> list[Epoch]:
    """Return all epochs, or of many the first, the last and evenly spread ones between them."""
    places = np.linspace(0, len(epochs) - 1, min(len(epochs), MOST_EPOCHS)).round().astype(int)
    return [epochs[place] for place in places]


def _texts(epoch: Epoch) -> list[str]:
    """Return the numbers of an epoch as text, in the order of COLUMNS; a dash for what was not measured."""
    numbers = [getattr(epoch, name) for name in COLUMNS]
    return [
        "–" if math.isnan(number) else f"{number:.2%}" if name.endswith("accuracy") else f"{number:.4g}"
        for name, number in zip(COLUMNS, numbers, strict=True)
    ]
