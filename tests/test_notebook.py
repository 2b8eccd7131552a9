"""The notebook runs from top to bottom again, and prints what it printed when it was committed."""

import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COMMITTED = json.loads((ROOT / "micrograd_mlp.ipynb").read_text())


@pytest.fixture(scope="module")
def fresh():
    spec = importlib.util.spec_from_file_location("build", ROOT / "notebooks/build.py")
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    return build.executed(build.SOURCE)


def texts(cell):
    """Return what a cell prints and what it shows as text, and the kinds of its pictures."""
    found = []
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        found += [output.get("text", ""), data.get("text/plain", ""), *sorted(data)]
    return ["".join(text) for text in found]


def source(cell):
    return "".join(cell["source"])


@pytest.mark.filterwarnings("ignore")  # of the kernel's own libraries
def test_it_runs_again_with_the_same_result(fresh):
    assert [source(cell) for cell in fresh.cells] == [source(cell) for cell in COMMITTED["cells"]], "run make notebook"
    for again, committed in zip(fresh.cells, COMMITTED["cells"], strict=True):
        assert texts(again) == texts(committed), source(committed)


def test_it_is_executed_in_order_and_holds_no_path_of_a_machine():
    counts = [cell["execution_count"] for cell in COMMITTED["cells"] if cell["cell_type"] == "code"]
    assert counts == list(range(1, len(counts) + 1))
    assert str(ROOT) not in json.dumps(COMMITTED)
    assert str(Path.home()) not in json.dumps(COMMITTED)


def test_every_picture_it_promises_is_in_it():
    kinds = [kind for cell in COMMITTED["cells"] for kind in texts(cell)]
    assert kinds.count("image/svg+xml") >= 8
    assert kinds.count("image/png") >= 6
