"""`explore`: from a Value, or a network and one input, to the page that shows how it was computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

from ..collector import paused_collector
from ..drawing.picture import expression_behind
from ..engine import Value
from ..files import write_atomically
from ..names import clean
from ..nn import Module
from ..recording import Recording
from .model import data_of
from .page import LONGEST, page_of, policy

HEIGHT = 720  # pixels, in a notebook


@dataclass(frozen=True, eq=False)
class Explorer:
    """A page on a graph: `html` is the whole of it, `save` writes it, and in a notebook it shows itself."""

    data: dict[str, Any] = field(repr=False)

    @cached_property
    def html(self) -> str:
        """The page as text. It loads nothing, and opens from disk."""
        return page_of(self.data)

    def with_nonce(self, nonce: str) -> str:
        """Return the page for a server that marks its own scripts by a nonce in the content security policy."""
        return page_of(self.data, nonce)

    @property
    def policy(self) -> str:
        """The content security policy that `html` holds, for a server that sends it as a header."""
        return policy()

    def save(self, path: str | Path = "explorer.html") -> Path:
        """Write the page in one step, and return its path. Raises ValueError for another suffix, and OSError."""
        if Path(path).suffix.lower() not in (".html", ".htm"):
            raise ValueError(f"an explorer is written as .html, got {str(path)!r}")
        return write_atomically(path, self.html)

    def __repr__(self) -> str:
        return f"<Explorer: {self.data['count']:,} Values; save('explorer.html') writes the page>"

    def _repr_html_(self) -> str:
        return (
            f'<iframe srcdoc="{escape(self.html)}" sandbox="allow-scripts allow-downloads" width="100%"'
            f' height="{HEIGHT}" style="border: 1px solid #8888; border-radius: 8px"'
            f' title="{escape(clean(self.data["title"], LONGEST) or "A graph of Values")}"></iframe>'
        )


def explore(
    root: Value | Sequence[Value] | Module,
    x: Any = None,
    *,
    model: Module | None = None,
    record: Recording | None = None,
    optimizer: Any = None,
    lr: float = 0.05,
    select: Value | None = None,
    title: str = "",
    path: str | Path | None = None,
) -> Explorer:
    """Return a page on how `root` was computed: a Value, several, or what the network `root` makes of one input `x`.

    The page goes through the forward pass, the backward pass and the update one operation at a time and says what
    happens in numbers; it computes all of them anew from the leaves as they are now, so that no `grad` is touched and
    none needs to be there. `model` gives their places to parameters that have no labels. `record`, as `fit` filled it,
    adds the epochs of a training. The update is the next step of `optimizer`, or else gradient descent with the rate
    `lr`. The page opens at the Value `select`. With a `path` it is written there. Raises TypeError for a `root` that is
    none of these, ValueError for an empty one, a `select` that is not in the graph, or a `record` of something else.
    """
    with paused_collector():
        expression = expression_behind(root, x, model, "explore")
        data = data_of(expression, record=record, optimizer=optimizer, lr=lr, select=select, title=title)
    explorer = Explorer(data)
    if path is not None:
        explorer.save(path)
    return explorer
