"""The pages as they were built from the sources in `web/`: each script and style as text. `make web` writes them."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def asset(name: str) -> str:
    """Return the text of a built file, such as "explorer.js". Raises ValueError if it was not built."""
    try:
        return files(__package__).joinpath(name).read_text("utf-8")
    except FileNotFoundError:
        raise ValueError(f"{name} is no built file of a page; in a checkout, make web builds them") from None
