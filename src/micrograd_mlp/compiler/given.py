"""What a backend is told of a call, so that it can take the next ones itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..engine import Value
from .results import Leaf


@dataclass(frozen=True)
class Given:
    """Arguments and results of a compiled function, as they were in one call.

    `parts` are the arrays that the numbers of each part of the arguments go to, and which column of a batch each is, -1
    for none; those of the Values `captured` go `into` an array. `leaves` are the results, that come in a tuple, the
    only one if `single` as it is.
    The code is not run while the number in `busy`, an array, is not 0, and keeps the interpreter's lock if it is
    `short`.
    """

    args: Sequence[Any]
    parts: Sequence[tuple[Any, int]]
    captured: Sequence[Value]
    into: Any
    leaves: Sequence[Leaf]
    single: bool
    busy: Any
    short: bool
