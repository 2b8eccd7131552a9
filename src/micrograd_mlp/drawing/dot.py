"""The picture as DOT, the language of Graphviz. See https://graphviz.org/doc/info/lang.html and .../shapes.html#html.

Kinds of nodes differ in their border as well as in colour. The colours are those of Okabe and Ito, Color Universal
Design (2008), which are told apart with any colour vision; the ground is white, so that they do not depend on the page.
"""

from __future__ import annotations

from html import escape
from typing import NamedTuple

from ..names import LONGEST, clean
from .graph import Edge, Graph, Node

RANKDIRS = {"LR": "ew", "TB": "sn", "RL": "we", "BT": "ns"}  # on which side arrows leave a node, on which they arrive


class _Style(NamedTuple):
    meaning: str
    fill: str
    line: str
    width: int = 1
    border: str = ""  # rounded or dashed
    double: bool = False


_FONT = 'fontname="Helvetica,Arial,sans-serif"'
_PAD = "&#160;"  # Graphviz guesses the width of a text, some browsers need more
_INK, _FAINT = "#1a1a1a", "#5c5c5c"
STYLES = {  # in the order of the legend
    "input": _Style("input", "#e4f2fc", "#0072b2", border="rounded"),
    "parameter": _Style("parameter", "#fdf1d6", "#b57a00", width=3),
    "number": _Style("number in code", "#ffffff", _FAINT, border="dashed"),
    "operation": _Style("operation", "#333333", "#333333", border="rounded"),
    "value": _Style("computed", "#ffffff", _INK),
    "neuron": _Style("neuron", "#ffffff", _INK),
    "layer": _Style("layer", "#ffffff", _INK),
    "sample": _Style("sample", "#ffffff", _INK),
    "output": _Style("output", "#ddf3ea", "#007a5a", double=True),
}


def dot_of(graph: Graph, rankdir: str = "LR") -> str:
    """Return `graph` as DOT text, laid out in the direction `rankdir`, one of RANKDIRS; ValueError for another."""
    if rankdir not in RANKDIRS:
        raise ValueError(f"rankdir is one of {', '.join(RANKDIRS)}; got {rankdir!r}")
    lines = [
        f'graph [rankdir={rankdir} bgcolor="white" {_FONT} fontsize=10 nodesep=0.15 {_spacing(graph)}]',
        f'node [shape=plain {_FONT} fontsize=10 fontcolor="{_INK}"]',
        f'edge [{_FONT} fontsize=9 fontcolor="{_FAINT}" color="{_FAINT}" arrowsize=0.6 {_ports(graph, rankdir)}]',
        f"labelloc=t labeljust=l label=<{_heading(graph)}>",
        *map(_node, graph.nodes),
        *map(_column, graph.columns),
        *map(_edge, graph.edges),
    ]
    return "digraph {\n" + "\n".join(lines) + "\n}\n"


def _text(text: str, longest: int = LONGEST) -> str:
    """Return `text` as it may stand in a label: Graphviz reads both HTML and backslashes there."""
    return escape(clean(text, longest)).replace("\\", "\\\\")


def _node(node: Node) -> str:
    tip = _text(node.tip, 300).replace("\\", "\\\\")  # Graphviz reads backslashes in tips twice
    if node.kind == "operation":
        symbol, fill = _text(node.title or " "), STYLES[node.kind].fill
        shape = f'shape=ellipse style=filled fillcolor="{fill}" margin=0.03 width=0.35 height=0.35'
        return f'{node.name} [{shape} fontcolor="white" fontsize=12 label=<<b>{symbol}</b>> tooltip="{tip}"]'
    return f'{node.name} [label=<{_box(node)}> tooltip="{tip}"]'


def _edge(edge: Edge) -> str:
    label = f' label="{_text(edge.label)}"' if edge.label else ""
    return f"{edge.tail} -> {edge.head} [{label}{' style=dashed weight=0 tailport=_' if edge.aside else ''}]"


def _bold(text: str) -> str:
    return f"<b>{2 * _PAD}{_text(text)}{2 * _PAD}</b>"


def _box(node: Node) -> str:
    """Return the table that is the picture of a node; the legend is made of the same ones."""
    style = STYLES[node.kind]
    shape = f' style="{style.border}"' if style.border else ""
    title = f'<tr><td colspan="2">{_bold(node.title)}</td></tr>' if node.title else ""
    if node.folded:
        ink = f'<font color="white">{_bold(node.title)}</font>'
        title = f'<tr><td colspan="2" bgcolor="{style.line}"{shape}>{ink}</td></tr>'
    rows = "".join([*map(_line, node.lines), *map(_row, node.rows)])
    table = (
        f'<table border="{style.width}" color="{style.line}" bgcolor="{style.fill}"{shape}'
        f' cellborder="0" cellspacing="0" cellpadding="2">{title}{rows}</table>'
    )
    frame = f'<table border="1" color="{style.line}" cellborder="0" cellspacing="0" cellpadding="2">'
    return f"{frame}<tr><td>{table}</td></tr></table>" if style.double else table


def _line(line: str) -> str:
    return f'<tr><td colspan="2" align="left">{_PAD}{_text(line)}{2 * _PAD}</td></tr>'


def _row(row: tuple[str, str]) -> str:
    what, text = map(_text, row)
    left = f'<td align="left"><font color="{_FAINT}">{_PAD}{what}</font></td>'
    return f'<tr>{left}<td align="right">{_PAD}{text}{2 * _PAD}</td></tr>'


def _spacing(graph: Graph) -> str:
    """Return the distance of columns: fans of straight lines between high ones need room."""
    longest = max(map(len, graph.columns), default=0)
    return f"splines=line ranksep={min(0.1 * longest + 0.3, 2.0):g}" if longest else "ranksep=0.3"


def _ports(graph: Graph, rankdir: str) -> str:
    """Return the sides at which arrows leave and arrive, where choosing them makes the picture clearer."""
    tail, head = RANKDIRS[rankdir][0], RANKDIRS[rankdir][1]
    if graph.columns:
        return f"tailport={tail} headport={head}"
    return f"tailport={tail}" if rankdir in ("LR", "RL") and not any(node.folded for node in graph.nodes) else ""


def _column(names: tuple[str, ...]) -> str:
    """Return what lines nodes up side by side, in this order."""
    return f"{{rank=same {' -> '.join(names)} [style=invis tailport=_ headport=_]}}"


def _heading(graph: Graph) -> str:
    title = [f'<font point-size="14"><b>{_text(graph.title, 100)}</b></font>'] if graph.title else []
    note = [f'<font color="{_FAINT}">{_text(graph.note, 200)}</font>'] if graph.note else []
    lines = "".join(f'<tr><td align="left">{line}</td></tr>' for line in [*title, *note, _legend(graph)])
    return f'<table border="0" cellborder="0" cellspacing="0" cellpadding="3">{lines}</table>'


def _legend(graph: Graph) -> str:
    folded = {node.kind: node.folded or node.kind == "operation" for node in graph.nodes}
    boxes = [_box(Node("", kind, STYLES[kind].meaning, folded=folded[kind])) for kind in STYLES if kind in folded]
    hints = {
        "∂: derivative of the operation by this argument": any(edge.label.startswith("∂") for edge in graph.edges),
        "at an arrow: how many edges it stands for": any(edge.label[:1].isdigit() for edge in graph.edges),
        "dashed: parameters used outside their neuron": any(edge.aside for edge in graph.edges),
    }
    texts = [f'<font color="{_FAINT}">{hint}</font>' for hint, is_used in hints.items() if is_used]
    cells = "".join(f"<td>{cell}</td>" for cell in boxes + texts)
    rest = '<td colspan="99"></td>'  # takes the width that the title leaves over
    return f'<table border="0" cellborder="0" cellspacing="0" cellpadding="3"><tr>{cells}{rest}</tr></table>'
