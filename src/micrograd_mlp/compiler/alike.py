"""A function that does the same for each of many things, as the rule of an optimiser: traced twice, then copied."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from .program import CONSTANT, INPUT, SUM, Ints
from .trace import Symbol, Tape


def for_each(tape: Tape, function: Callable[..., Any], *columns: Sequence[Any]) -> list[Any]:
    """Return function(*each) for each of zip(*columns), of a function that does the same for all of them.

    They hold numbers of the tape, in tuples or not, and so do the results. The tape is as if each had been traced: the
    first one is, which makes the constants; so is the second; for the others its rows are copied, with their numbers
    in place of its own. Where it cannot be told which is whose, each one is traced.
    """
    each = list(zip(*columns, strict=True))
    results = [function(*args) for args in each[:1]]
    if len(each) < 2:
        return results
    own = np.array([[tape.index(number) for number in _numbers(args)] for args in each])
    first = len(tape.rows) // 4
    results.append(function(*each[1]))
    block = np.array(tape.rows[4 * first :], dtype=np.int32).reshape(-1, 4)
    if len(np.unique(own)) < own.size or np.isin(block[:, 0], (CONSTANT, INPUT, SUM)).any():
        return results + [function(*args) for args in each[2:]]

    def copied(rows: Ints) -> Ints:
        """Return these rows of the second one as the others have them, those that all share as they are."""
        shifts = len(block) * np.arange(1, len(each) - 1)
        own_rows = (rows >= first) & (rows < first + len(block))
        copies = rows + own_rows * shifts.reshape(-1, *[1] * rows.ndim)
        for place, number in enumerate(own[1].tolist()):
            copies[:, rows == number] = own[2:, place, None]
        return copies

    copies = np.repeat(block[None], len(each) - 2, axis=0)
    copies[:, :, 1:] = copied(block[:, 1:])
    tape.rows.frombytes(copies.tobytes())
    ends = copied(np.array([tape.index(number) for number in _numbers(results[1])])).tolist()
    return results + [_like(results[1], (Symbol(tape, row) for row in rows)) for rows in ends]


def _numbers(thing: Any) -> Iterator[Any]:
    if isinstance(thing, tuple):
        for item in thing:
            yield from _numbers(item)
    else:
        yield thing


def _like(thing: Any, symbols: Iterator[Symbol]) -> Any:
    return tuple(_like(item, symbols) for item in thing) if isinstance(thing, tuple) else next(symbols)
