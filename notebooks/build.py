"""Write micrograd_mlp.ipynb at the root from the script beside this file, executed, the same each time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jupytext
from nbclient import NotebookClient

SOURCE = Path(__file__).with_name("micrograd_mlp.py")
TARGET = SOURCE.parents[1] / "micrograd_mlp.ipynb"


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

    TARGET.write_text(nbformat.writes(executed(SOURCE)) + "\n", encoding="utf-8")
    print(f"wrote {TARGET.name}, {TARGET.stat().st_size / 1e6:.1f} MB")
