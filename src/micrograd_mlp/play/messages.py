"""What the page can ask of a session: each message by its name, with the fields that it takes."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

from ..checks import checked, flag, whole
from ..names import chosen, refuse_unknown
from ..reading import json_of
from .run import Run
from .settings import MOST_POINTS

Fields = Mapping[str, Any]
MOST_SEED = 2**31


def read_json(content: bytes) -> dict[str, Any]:
    """Return the object in JSON text. Raises ValueError for anything else, for NaN and for infinities."""
    try:
        found = json_of(content, finite=True)
    except ValueError as error:
        raise ValueError(f"the message cannot be read: {error}") from None
    if not isinstance(found, dict):
        raise ValueError(f"a message is an object in JSON, got {type(found).__name__}")
    return found


def _set(run: Run, fields: Fields) -> None:
    run.change(fields)


def _play(run: Run, fields: Fields) -> None:
    run.play()


def _pause(run: Run, fields: Fields) -> None:
    run.pause()


def _step(run: Run, fields: Fields) -> None:
    """Train to the end of an epoch, or as far as a second allows, and stop."""
    run.pause()
    until = monotonic() + 1.0
    while not run.advance(0.05, 1) and not run.ended and monotonic() < until:
        pass


def _rewind(run: Run, fields: Fields) -> None:
    run.rewind()


def _reset(run: Run, fields: Fields) -> None:
    run.change({"init_seed": secrets.randbelow(MOST_SEED)})


def _regenerate(run: Run, fields: Fields) -> None:
    run.change({"seed": secrets.randbelow(MOST_SEED)})


def _weight(run: Run, fields: Fields) -> None:
    _refuse_others(fields, "name", "value")
    run.set_weight(str(fields.get("name"))[:80], fields.get("value"))


def _add(run: Run, fields: Fields) -> None:
    _refuse_others(fields, "rows")
    run.add_points(fields.get("rows"))


def _move(run: Run, fields: Fields) -> None:
    _refuse_others(fields, "index", "to")
    run.move_point(checked("index", whole(0, MOST_POINTS), fields.get("index")), fields.get("to"))


def _delete(run: Run, fields: Fields) -> None:
    _refuse_others(fields, "indices")
    indices = fields.get("indices")
    if not isinstance(indices, list) or len(indices) > MOST_POINTS:
        raise ValueError(f"indices takes a list of the numbers of points, got {indices!r:.80}")
    run.delete_points([checked("indices", whole(0, MOST_POINTS), index) for index in indices])


def _clear(run: Run, fields: Fields) -> None:
    run.clear_points()


def _refuse_others(fields: Fields, *known: str) -> None:
    for name in fields:
        refuse_unknown(name, known, "field")


MESSAGES: dict[str, Callable[[Run, Fields], None]] = {
    "set": _set, "play": _play, "pause": _pause, "step": _step, "rewind": _rewind, "reset": _reset,
    "regenerate": _regenerate, "weight": _weight, "add": _add, "move": _move, "delete": _delete, "clear": _clear,
}  # fmt: skip


def message_of(name: str, fields: Fields) -> Callable[[Run], None]:
    """Return what a message does to a run; ValueError if there is no such message."""
    act = chosen(name, MESSAGES, "message")
    return lambda run: act(run, fields)


def view_of(fields: Fields) -> tuple[bool | None, int | None, bool]:
    """Return of a message on what is looked at: whether the page is visible, which unit, and whether it was said."""
    _refuse_others(fields, "visible", "unit")
    visible = checked("visible", flag, fields["visible"]) if "visible" in fields else None
    unit = fields.get("unit")
    return visible, None if unit is None else checked("unit", whole(0, 100_000), unit), "unit" in fields
