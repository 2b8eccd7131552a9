"""Names and values that others wrote: how they stand in a sentence, and what someone meant by one that is not there."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

Entry = TypeVar("Entry")

LONGEST = 40  # characters of a name that are shown
MOST_LISTED = 240  # characters of a list of names


def chosen(name: str, table: Mapping[str, Entry], what: str) -> Entry:
    """Return the entry `name` of a table; ValueError if there is none, with the nearest name there is."""
    refuse_unknown(name, table, what)
    return table[name]


def refuse_unknown(name: str, known: Iterable[str], what: str) -> None:
    """Raise ValueError if `name` is none of the `known` names; it gives the nearest, or all if none is near."""
    known = list(known)
    if name not in known:
        from difflib import get_close_matches

        near = get_close_matches(name, known, n=1) if isinstance(name, str) and len(name) <= 2 * LONGEST else []
        hint = f", did you mean {near[0]!r}?" if near else f"; there are {listed(known)}"
        raise ValueError(f"there is no {what} {told(name)}{hint}")


def clean(text: str, longest: int = LONGEST) -> str:
    """Return `text` on one line without characters that do not print, shortened to `longest` characters."""
    shown = "".join(c if c.isprintable() else " " for c in text[: longest + 1])
    return shown if len(text) <= longest else shown[: longest - 1] + "…"


def told(value: Any, longest: int = 80) -> str:
    """Return any value as Python writes it, on one line, shortened to `longest` characters."""
    try:
        return clean(repr(value), longest)
    except (ValueError, RecursionError):  # a whole number of thousands of digits; lists in lists in lists
        return f"a value of type {type(value).__name__} that is too long to be written"


def listed(names: Iterable[str], longest: int = MOST_LISTED) -> str:
    """Return names with commas between them, each of them clean; of many the first ones, and how many there are."""
    shown, room, names = [], longest, list(names)
    for name in names:
        shown.append(clean(str(name)))
        room -= len(shown[-1]) + 2
        if room < 0 and len(shown) < len(names):
            return f"{', '.join(shown)}, … ({len(names):,} in all)"
    return ", ".join(shown)
