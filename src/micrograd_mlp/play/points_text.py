"""A few hundred points as text that fits in an address: six bytes each, in base64."""

from __future__ import annotations

import base64
import binascii
from dataclasses import replace
from typing import Any

import numpy as np

from .problems import Points, blank

MOST = 500  # points; an address with more is longer than some programs take
_RECORD: np.dtype[Any] = np.dtype([("x1", "<i2"), ("x2", "<i2"), ("y", "<i2")])
_REACH, _STEPS = 10.0, 32_000  # what a coordinate can be at most, and in how many steps it is written


def to_text(points: Points) -> str:
    """Return points as text; "" if they are too many, or lie too far out."""
    if not len(points.X) or len(points.X) > MOST or np.abs(points.X).max() > _REACH:
        return ""
    if not points.classes and np.abs(points.y).max() > _REACH:
        return ""
    records = np.zeros(len(points.X), dtype=_RECORD)
    records["x1"], records["x2"] = np.rint(points.X.T * (_STEPS / _REACH))
    records["y"] = points.y if points.classes else np.rint(points.y * (_STEPS / _REACH))
    head = np.array([round(points.reach * 10)], dtype="<u2").tobytes()
    return base64.urlsafe_b64encode(head + records.tobytes()).decode().rstrip("=")


def from_text(text: str, kind: str, classes: int) -> Points:
    """Return the points of a text from `to_text`, none of them held out. Raises ValueError for any other text."""
    try:
        content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        records = np.frombuffer(content[2:], dtype=_RECORD)
    except (ValueError, binascii.Error):
        raise ValueError("points in an address are a text that this page has written, got something else") from None
    if not 1 <= len(records) <= MOST:
        raise ValueError(f"an address holds 1 to {MOST} points, got {len(records)}")
    X = np.stack([records["x1"], records["x2"]], axis=1) * (_REACH / _STEPS)
    y = records["y"] * (1.0 if kind == "classification" else _REACH / _STEPS)
    reach = min(max(1.0, int.from_bytes(content[:2], "little") / 10, float(np.abs(X).max())), 2 * _REACH)
    plane = replace(blank(kind, classes), reach=reach)
    return plane.add(np.column_stack([X, y]), MOST)
