"""What someone meant who wrote a name that is not there."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

Entry = TypeVar("Entry")


def chosen(name: str, table: Mapping[str, Entry], what: str) -> Entry:
    """Return the entry `name` of a table; ValueError if there is none, with the nearest name there is."""
    refuse_unknown(name, table, what)
    return table[name]


def refuse_unknown(name: str, known: Iterable[str], what: str) -> None:
    """Raise ValueError if `name` is none of the `known` names; it gives the nearest, or all if none is near."""
    known = list(known)
    if name not in known:
        from difflib import get_close_matches

        near = get_close_matches(name, known, n=1)
        hint = f", did you mean {near[0]!r}?" if near else f"; there are {', '.join(known)}"
        raise ValueError(f"there is no {what} {name!r}{hint}")
