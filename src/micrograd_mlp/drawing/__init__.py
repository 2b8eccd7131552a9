"""Pictures of computational graphs: `draw` any Value or network, `trace_path` the chain rule through it in numbers."""

from .path import Path, Step, trace_path
from .picture import draw, draw_dot
from .render import FORMATS, Drawing, RenderError

__all__ = ["FORMATS", "Drawing", "Path", "RenderError", "Step", "draw", "draw_dot", "trace_path"]
