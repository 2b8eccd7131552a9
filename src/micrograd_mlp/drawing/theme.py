"""How plots look: the colours, the markers and the settings of matplotlib that all of them share, and saving them.

Whatever a colour says, a marker, a line style or a number says too; the colours are those that Okabe and Ito chose for
the colour-blind (Color Universal Design, 2008). matplotlib is loaded on first use, and its settings stay as they are.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..files import write_atomically
from ..names import clean

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D


@dataclass(frozen=True)
class Theme:
    """The colours of a picture: of the paper, the writing, the fine lines, and of the classes in order."""

    paper: str
    ink: str
    fine: str
    colours: tuple[str, ...]


THEMES = {
    "light": Theme(
        "#ffffff", "#1b1f24", "#d5d9de",
        ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#6b6b6b"),
    ),
    "dark": Theme(
        "#14171c", "#e6e9ee", "#3a4049",
        ("#56b4e9", "#e69f00", "#2cc59b", "#cc79a7", "#f0e442", "#d55e00", "#b0b0b0"),  # the green lightened
    ),
}  # fmt: skip
MARKERS = "os^DvPX*"  # 8 of them and 7 colours: 56 classes look different
METADATA: dict[str, dict[str, None]] = {  # what would change from day to day or from version to version is left out
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
MOST_NAMED = 12  # classes named in a legend


def save_figure(figure: Figure, path: str | Path) -> Path:
    """Write a figure as PNG, SVG or PDF, by the suffix of `path`, and return the path; the same figure, the same bytes.

    Raises ValueError for another suffix, and OSError.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in METADATA:
        raise ValueError(f"a figure is written as {', '.join(METADATA)}; got {str(path)!r}")
    buffer = io.BytesIO()
    with themed(), missing_glyphs_allowed():
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # each layout starts from the one before and differs from it a little
        figure.savefig(buffer, format=suffix[1:], dpi=160, metadata=METADATA[suffix])
    return write_atomically(path, buffer.getvalue())


@contextmanager
def themed(colours: Theme = THEMES["light"]) -> Iterator[Theme]:
    """Within this block matplotlib has its own defaults and these colours, whatever the user has set."""
    import matplotlib.style

    settings = {
        "figure.facecolor": colours.paper,
        "axes.facecolor": colours.paper,
        "axes.edgecolor": colours.fine,
        "axes.labelcolor": colours.ink,
        "axes.titlelocation": "left",
        "axes.titlesize": 11,
        "axes.axisbelow": True,
        "text.color": colours.ink,
        "xtick.color": colours.fine,
        "ytick.color": colours.fine,
        "xtick.labelcolor": colours.ink,
        "ytick.labelcolor": colours.ink,
        "grid.color": colours.fine,
        "grid.linewidth": 0.6,
        "figure.constrained_layout.w_pad": 0.12,
        "figure.constrained_layout.h_pad": 0.1,
        "legend.handletextpad": 0.5,
        "legend.columnspacing": 1.6,
        "svg.hashsalt": "micrograd-mlp",
    }
    with matplotlib.style.context(["default", settings]):
        yield colours


@contextmanager
def missing_glyphs_allowed() -> Iterator[None]:
    """Within this block a name in a script that the font lacks is drawn as boxes, without a warning for each letter."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def colour_of(k: int, colours: Theme) -> str:
    """Return the colour of class `k`; after the last one they begin again, with other markers."""
    return colours.colours[k % len(colours.colours)]


def marker_of(k: int) -> str:
    """Return matplotlib's letter for the marker of class `k`."""
    return MARKERS[k % len(MARKERS)]


def legend(figure: Figure, handles: Sequence[Line2D]) -> None:
    """Write the keys under the picture, row by row, in as many columns as their texts allow."""
    longest = max(len(str(handle.get_label())) for handle in handles)
    columns = max(1, min(len(handles), int(13 * figure.get_figwidth()) // (longest + 4)))
    in_rows = [handle for start in range(columns) for handle in handles[start::columns]]  # matplotlib goes by columns
    length = 3.0 if handles[0].get_linestyle() != "None" else 1.0
    figure.legend(handles=in_rows, handlelength=length, loc="outside lower center", ncols=columns, frameon=False)


def names_of(given: Any, count: int, first: int = 0, prefix: str = "") -> list[str]:
    """Return `count` names, as text that can be drawn; those given, or `prefix` and a number from `first`."""
    names = [f"{prefix}{index + first}" for index in range(count)] if given is None else [str(name) for name in given]
    if len(names) < count:
        raise ValueError(f"{count} names are needed, got {len(names)}: {', '.join(names)}")
    return [drawable(name) for name in names]


def drawable(name: str) -> str:
    """Return `name` on one short line, with nothing that matplotlib would read as a formula."""
    return clean(name, 24).replace("$", r"\$")


def network_of(model: Any) -> Any:
    """Return the network of a Classifier, or the network itself."""
    return getattr(model, "model", model)
