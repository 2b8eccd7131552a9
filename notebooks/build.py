"""Write the notebooks at the root from the scripts beside this file, executed, the same each time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jupytext
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
SOURCES = tuple(Path(__file__).with_name(name) for name in ("micrograd_mlp.py", "compiler.py"))


def target(source: Path) -> Path:
    """Return where the notebook of a script is."""
    return ROOT / source.with_suffix(".ipynb").name


def executed(source: Path) -> Any:
    """Return the notebook of a script in percent format, with the outputs of its cells; an error in one is raised."""
    notebook = jupytext.read(source)
    for index, cell in enumerate(notebook.cells):
        cell.id = f"cell-{index}"  # instead of a random one
    notebook.metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    NotebookClient(notebook, timeout=600, record_timing=False, coalesce_streams=True).execute()
    notebook.metadata.pop("language_info", None)  # it holds the version of Python
    return notebook


if __name__ == "__main__":
    import nbformat

    for source in SOURCES:
        path = target(source)
        path.write_text(nbformat.writes(executed(source)) + "\n", encoding="utf-8")
        print(f"wrote {path.name}, {path.stat().st_size / 1e6:.1f} MB")
