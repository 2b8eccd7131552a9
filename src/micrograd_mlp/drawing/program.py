"""Pictures of programs: boxes for arrays, and what computes one from the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap

from ..names import LONGEST
from .dot import dot_of
from .folding import EDGES, NODES
from .graph import Edge, Graph, Node
from .render import Drawing

LEVELS = ("equation", "statement")
LINES = 8  # of a formula that are shown


@dataclass(frozen=True, slots=True)
class Table:
    """An array of a program, which looks as `kind` says: one of the kinds of graph.Node that are boxes.

    `axes` hold the letter and the extent of each; an extent of 0 is not known yet. What is not given is computed by a
    `formula` from the tables at the places `reads`; `tip` shows under the mouse.
    """

    name: str
    kind: str
    axes: tuple[tuple[str, int], ...] = ()
    formula: str = ""
    reads: tuple[int, ...] = ()
    tip: str = ""

    @property
    def title(self) -> str:
        """The name with the letters of the axes, such as h[n,a]."""
        return f"{self.name}[{','.join(letter for letter, _ in self.axes)}]" if self.axes else self.name

    @property
    def extents(self) -> str:
        """How far it extends, such as n 100 × a 16; empty for a single number."""
        return " × ".join(f"{letter} {extent:,}" if extent else f"{letter} any" for letter, extent in self.axes)


def draw_program(
    tables: Sequence[Table],
    level: str | None = None,
    *,
    rankdir: str = "TB",
    title: str = "",
    note: str = "",
    renderer: str | None = None,
    timeout: float = 20.0,
) -> Drawing:
    """Return a drawing of these tables, of which those are left out that are neither read nor computed nor wanted.

    At the level "statement" each formula is a node of its own, else it is written into the box of what it computes.
    Without a level, ValueError for what is too much to look at; and for another level or `rankdir`.
    """
    if level is not None and level not in LEVELS:
        raise ValueError(f"level is one of {', '.join(LEVELS)}; got {level!r}")
    read = {place for table in tables for place in table.reads}
    shown = [place for place, table in enumerate(tables) if place in read or table.formula or table.kind == "output"]
    apart = level == "statement"
    nodes = [node for place in shown for node in _nodes(place, tables[place], apart)]
    edges = [edge for place in shown for edge in _edges(place, tables[place], apart)]
    if level is None and (len(nodes) > NODES or len(edges) > EDGES):
        raise ValueError(
            f"the program makes {len(nodes):,} boxes and {len(edges):,} arrows, of which {NODES} and {EDGES} can be"
            f" told apart; show() prints it, and level={LEVELS[0]!r} draws it all the same"
        )
    graph = Graph(tuple(nodes), tuple(edges), title=title, note=note)
    return Drawing(dot_of(graph, rankdir), note, renderer=renderer, timeout=timeout)


def _nodes(place: int, table: Table, apart: bool) -> Iterator[Node]:
    rows = ((table.extents, ""),) if table.axes else ()
    if table.formula and apart:
        yield Node(f"s{place}", "operation", table.formula, tip=table.tip)
    lines = tuple(_lines(table.formula)) if table.formula and not apart else ()
    yield Node(f"a{place}", table.kind, table.title, rows, table.tip or table.title, lines=lines)


def _lines(formula: str) -> list[str]:
    """Return a formula in lines that are short enough, broken before a sign."""
    unbroken = formula.replace(" ", "\0").replace("\0+\0", " +\0").replace("\0-\0", " -\0")
    lines = [line.replace("\0", " ") for line in wrap(unbroken, LONGEST - 2, break_long_words=False)]
    if len(lines) > LINES:
        lines = [*lines[: LINES - 1], f"… {len(lines) - LINES + 1} more lines"]
    return [f"{'  ' if k else '= '}{line}" for k, line in enumerate(lines)]


def _edges(place: int, table: Table, apart: bool) -> Iterator[Edge]:
    head = f"s{place}" if apart and table.formula else f"a{place}"
    yield from (Edge(f"a{tail}", head) for tail in table.reads)
    if head != f"a{place}":
        yield Edge(head, f"a{place}")
