"""The notebooks run from top to bottom again, and print what they printed when they were committed."""

import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SPEC = importlib.util.spec_from_file_location("build", ROOT / "notebooks/build.py")
build = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(build)
COMMITTED = {source.stem: json.loads(build.target(source).read_text()) for source in build.SOURCES}
of_each_notebook = pytest.mark.parametrize("name", COMMITTED)


def texts(cell):
    """Return what a cell prints and what it shows as text, and the kinds of its pictures."""
    found = []
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        found += [output.get("text", ""), data.get("text/plain", ""), data.get("text/latex", ""), *sorted(data)]
    return ["".join(text) for text in found]


def source(cell):
    return "".join(cell["source"])


def varies(cell):
    """Say whether a cell prints what differs between machines: times, or machine code."""
    return "varies" in cell["metadata"].get("tags", [])


@of_each_notebook
@pytest.mark.filterwarnings("ignore")  # of the kernel's own libraries
def test_it_runs_again_with_the_same_result(name):
    fresh = build.executed(next(path for path in build.SOURCES if path.stem == name)).cells
    committed = COMMITTED[name]["cells"]
    assert [source(cell) for cell in fresh] == [source(cell) for cell in committed], "run make notebook"
    for again, before in zip(fresh, committed, strict=True):
        if not varies(before):
            assert texts(again) == texts(before), source(before)


@of_each_notebook
def test_it_is_executed_in_order_and_holds_no_error_and_no_path_of_a_machine(name):
    cells = [cell for cell in COMMITTED[name]["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert {output["output_type"] for cell in cells for output in cell["outputs"]} <= {
        "stream",
        "execute_result",
        "display_data",
    }
    text = json.dumps(COMMITTED[name])
    assert [path for path in (str(ROOT), str(Path.home()), "/tmp/", "ipykernel") if path in text] == []
    assert "iopub" not in text, "times of cells"


@of_each_notebook
def test_what_varies_between_machines_is_little(name):
    assert sum(map(varies, COMMITTED[name]["cells"])) <= 2


@pytest.mark.parametrize(
    ("name", "least"),
    [("micrograd_mlp", {"image/svg+xml": 8, "image/png": 6}), ("compiler", {"image/svg+xml": 1, "text/latex": 7})],
)
def test_every_picture_and_formula_it_promises_is_in_it(name, least):
    kinds = [kind for cell in COMMITTED[name]["cells"] for kind in texts(cell)]
    assert {kind: kinds.count(kind) >= count for kind, count in least.items()} == dict.fromkeys(least, True)
