"""From DOT text to a picture: the `dot` program where there is one, else pygraphviz, else a message."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..files import write_atomically

FORMATS = ("dot", "svg", "png", "pdf")
RENDERERS = ("dot", "pygraphviz")
# In a process of its own, for only a process can be stopped when the layout takes too long.
_PYGRAPHVIZ = (
    "import sys, pygraphviz; source = sys.stdin.buffer.read().decode();"
    " sys.stdout.buffer.write(pygraphviz.AGraph(string=source).draw(format=sys.argv[1], prog='dot'))"
)


class RenderError(RuntimeError):
    """No picture could be made of the DOT text: there is no Graphviz, or it failed."""


def render_dot(source: str, format: str = "svg", renderer: str | None = None, timeout: float = 20.0) -> bytes:
    """Return the picture of the DOT text `source` in `format`, one of FORMATS; SVG without the version of its maker.

    `renderer` is one of RENDERERS; without it, the first of them that is installed. Raises ValueError for another
    format or renderer, RenderError if there is none or it fails, TimeoutError if it takes more than `timeout` seconds.
    """
    _check(format, renderer)
    if format == "dot":
        return source.encode()
    picture = _run(_command(renderer, format), source.encode(), timeout)
    return _embeddable(picture.decode()).encode() if format == "svg" else picture


def _check(format: str, renderer: str | None) -> None:
    if format not in FORMATS:
        raise ValueError(
            f"format is one of {', '.join(FORMATS)}; got {format!r}. To write a file, call save('name.svg')"
        )
    if renderer is not None and renderer not in RENDERERS:
        raise ValueError(f"renderer is one of {', '.join(RENDERERS)}, or None for the first there is; got {renderer!r}")


def _command(renderer: str | None, format: str) -> list[str]:
    if renderer != "pygraphviz" and (program := shutil.which("dot")):
        return [program, f"-T{format}"]
    if renderer != "dot" and importlib.util.find_spec("pygraphviz"):
        return [sys.executable, "-P", "-c", _PYGRAPHVIZ, format]
    raise RenderError(
        f"A picture needs Graphviz, and there is no {renderer or 'program dot, and no pygraphviz'}. Install"
        " one: pip install 'micrograd-mlp[viz]', or the graphviz package of your system. The DOT text needs neither:"
        " save('name.dot')."
    )


def _run(command: Sequence[str], source: bytes, timeout: float) -> bytes:
    """Return what `command` makes of `source`. Files, not pipes: a pipe that a child left open would be waited for."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as made, tempfile.TemporaryFile() as said:
        given.write(source)
        given.seek(0)
        try:
            code = subprocess.run(
                command, stdin=given, stdout=made, stderr=said, timeout=timeout, check=False
            ).returncode
        except subprocess.TimeoutExpired:
            raise TimeoutError(
                f"Graphviz took more than {timeout:g} s for {len(source):,} bytes of DOT. Draw less of the graph, by"
                " level='layer' or level='depth', allow more by timeout=..., or keep the DOT text: save('name.dot')."
            ) from None
        made.seek(0)
        said.seek(0)
        if code or not (picture := made.read()):
            raise RenderError(
                f"{Path(command[0]).name} failed ({code}): {said.read(2000).decode(errors='replace').strip()}"
            )
        return picture


def _embeddable(svg: str) -> str:
    """Return the <svg> element alone, never wider than the page around it."""
    element = re.sub(r"<!-- (?:Generated|Title|Pages).*?-->\s*", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    return element.replace("<svg ", '<svg style="max-width: 100%; height: auto" ', 1)


@dataclass(frozen=True)
class Drawing:
    """A picture of a graph, as DOT text; a notebook shows it by itself, as `format`. `note` says what was folded.

    Raises ValueError for a format or a renderer that `render_dot` does not take.
    """

    dot: str
    note: str = ""
    format: str = "svg"
    renderer: str | None = None
    timeout: float = 20.0

    def __post_init__(self) -> None:
        _check(self.format, self.renderer)

    def render(self, format: str = "") -> bytes:
        """Return the picture in `format`, one of FORMATS; without it, in its own. Raises as `render_dot` does."""
        return render_dot(self.dot, format or self.format, self.renderer, self.timeout)

    def svg(self) -> str:
        """Return the picture as one <svg> element without scripts, to be put into a page or a file."""
        return self.render("svg").decode()

    def save(self, path: str | Path) -> Path:
        """Write the picture to `path`, in the format of its suffix (.dot, .svg, .png or .pdf), and return the path.

        Raises ValueError for another suffix, OSError, and as `render_dot` does; then no file is touched.
        """
        suffix = Path(path).suffix.lower().removeprefix(".")
        if suffix not in FORMATS:
            raise ValueError(f"a drawing is saved as .{', .'.join(FORMATS)}; got {str(path)!r}")
        return write_atomically(path, self.render(suffix))

    def __str__(self) -> str:
        return self.dot

    def __repr__(self) -> str:
        return f"<Drawing: {len(self.dot.splitlines()):,} lines of DOT. {self.note}>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        try:
            if self.format == "png":
                return {"image/png": self.render("png"), "text/plain": repr(self)}
            return {"image/svg+xml": self.svg(), "text/plain": repr(self)}
        except (RenderError, TimeoutError) as error:
            return {"text/plain": f"{error}\n\n{self.dot}"}
