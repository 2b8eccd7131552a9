"""What one process traced and compiled, the next one finds: the same to the bit, or not at all."""

import math
import os
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from micrograd_mlp import losses
from micrograd_mlp.compiler import backends, kept, mapped, steps, vmap
from micrograd_mlp.compiler.backends import llvm_native
from micrograd_mlp.compiler.mapped import Mapped
from micrograd_mlp.compiler.steps import Steps

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(12, 2)), RNG.normal(size=12)


def step(state, X, y, rate):
    """Move the state towards what fits."""
    v, w = state
    error = losses.mean(vmap(lambda x, t: w * x[0] + v * x[1] - t)(X, y))
    return [error], [v - rate * error, w - rate * error * v]


def taken(**options):
    """Return where ten steps lead, and what was seen on the way."""
    made = Steps(step, [0.5, -0.25], [X, Y], 1, **{"known": "a step"} | options)
    seen = made.run(np.arange(12).repeat(10), np.arange(11) * 12, np.full(10, 0.1))
    return made.state.tolist(), seen.tolist()


@pytest.fixture
def traced(tmp_path, monkeypatch):
    """Use an empty folder, and return a list that grows with each function that is traced."""
    monkeypatch.setenv("MICROGRAD_MLP_CACHE", str(tmp_path / "kept"))
    counted = []
    for module in (steps, mapped):
        original = module.Traced
        monkeypatch.setattr(module, "Traced", lambda *args, o=original: counted.append(1) or o(*args))
    return counted


def test_the_second_time_nothing_is_traced_and_all_is_the_same_to_the_bit(traced):
    first, second = taken(), taken()
    assert len(traced) == 1
    assert first == second == taken(known="")
    assert len(traced) == 2


def test_what_was_found_has_no_program_and_begins_again(traced):
    options = {"known": "a step"}
    made, found = (Steps(step, [0.5, -0.25], [X, Y], 1, **options) for _ in range(2))
    assert made.program is not None
    assert found.program is None
    other = found.again([1.0, 2.0], [X[:5], Y[:5]])
    expected = made.again([1.0, 2.0], [X[:5], Y[:5]])
    for each in (other, expected):
        each.run(np.arange(5), [0, 5], [[0.3]])
    assert other.state.tolist() == expected.state.tolist()
    assert found.state.tolist() == [0.5, -0.25]


@pytest.mark.parametrize(
    "options",
    [{"known": "another"}, {"dtype": "float32"}, {"threads": 2}, {"shuffled": False}, {"batch": 3}],
    ids=str,
)
def test_another_step_is_made_for_itself(traced, options):
    taken()
    if options.get("dtype") or options.get("known") or options.get("batch"):
        taken(**options)
    else:
        Steps(step, [0.5, -0.25], [X, Y], 1, **{"known": "a step"} | options)
    assert len(traced) == 2


CHANGES = {
    "sources": lambda patch: [patch.setattr(kept, name, lambda: "another") for name in ("sources", "running")],
    "NumPy": lambda patch: patch.setattr(np, "__version__", "0.0"),
    "Python": lambda patch: patch.setattr(sys, "version", "0.0"),
    "llvmlite": lambda patch: patch.setattr("llvmlite.__version__", "0.0"),
    "LLVM": lambda patch: patch.setattr(llvm_native.binding, "llvm_version_info", (1, 2, 3)),
    "processor": lambda patch: patch.setattr(llvm_native.binding, "get_host_cpu_name", lambda: "x86-64"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_something_else_made_is_not_used(traced, monkeypatch, change):
    expected = taken()
    CHANGES[change](monkeypatch)
    kept.find("a step")  # looks, and finds nothing of the other
    taken()
    assert len(traced) == 2
    taken()
    assert len(traced) == 2
    monkeypatch.undo()
    assert taken(known="") == expected


def test_nothing_is_kept_of_sources_that_changed_under_the_process(traced, monkeypatch):
    kept.running()
    monkeypatch.setattr(kept, "sources", lambda: "edited")
    taken()
    taken()
    assert len(traced) == 2


def test_nothing_is_kept_where_there_are_no_sources(traced, monkeypatch, tmp_path):
    monkeypatch.setattr(kept, "__file__", str(tmp_path / "compiler" / "kept.pyc"))
    assert kept.sources() == ""
    monkeypatch.setattr(kept, "running", kept.sources)
    taken()
    taken()
    assert len(traced) == 2
    assert not (tmp_path / "kept").exists() or len(list((tmp_path / "kept").iterdir())) == 1  # the machine code alone


def test_the_checksum_is_one_of_all_that_code_depends_on(monkeypatch, tmp_path):
    (tmp_path / "compiler" / "backends").mkdir(parents=True)
    for name in ("ops.py", "compiler/kept.py", "compiler/backends/llvm.py"):
        (tmp_path / name).write_text("")
    monkeypatch.setattr(kept, "__file__", str(tmp_path / "compiler" / "kept.py"))
    assert kept.sources() == ""  # written just now: what runs here may be something else
    monkeypatch.setattr(kept, "LOADED", math.inf)
    sums = [kept.sources()]
    for name in ("ops.py", "compiler/kept.py", "compiler/backends/llvm.py", "more.py"):
        (tmp_path / name).write_text("x = 1")
        sums.append(kept.sources())
    (tmp_path / "compiler/backends/llvm.py").rename(tmp_path / "compiler/backends/other.py")
    sums.append(kept.sources())
    assert len(set(sums)) == 6


def test_a_damaged_file_is_made_anew(traced, tmp_path):
    expected = taken()
    for file in (tmp_path / "kept").iterdir():
        file.write_bytes(file.read_bytes()[:-7])
    assert taken() == expected
    assert len(traced) == 2
    assert taken() == expected
    assert len(traced) == 2


def test_without_a_folder_it_works_as_well(traced, tmp_path, monkeypatch):
    expected = taken()
    (tmp_path / "file").write_text("")
    for place in ("", tmp_path / "file" / "below"):
        monkeypatch.setenv("MICROGRAD_MLP_CACHE", str(place))
        assert taken() == expected
    assert len(traced) == 3


def test_a_step_that_reads_more_than_it_is_given_is_not_kept(traced):
    from micrograd_mlp import Value

    scale = Value(0.5)
    for number in (0.5, 2.0):
        scale.data = number
        made = Steps(
            lambda s, x: ([s[0]], [s[0] + losses.mean(vmap(lambda n: scale * n)(x))]), [0.0], [Y], known="reads a Value"
        )
        made.run(np.arange(12), [0, 12])
        assert made.state[0] == pytest.approx(number * Y.mean())
    assert len(traced) == 2


def test_a_function_of_each_sample_is_found_too(traced):
    def each(state, x, t):
        return [state[0] * x[0] + t, state[1] * x[1]]

    rows = [Mapped(each, [2.0, 3.0], [X, Y], known="each")([2.0, 3.0], X, Y).tolist() for _ in range(2)]
    assert rows[0] == rows[1]
    assert len(traced) == 1


def test_two_that_are_kept_under_one_text_but_differ_in_shape_are_two(traced):
    for width in (2, 3, 2):
        points = RNG.normal(size=(6, width))
        made = Mapped(lambda state, x: [sum(x)], [1.0], [points], known="sums")
        np.testing.assert_allclose(made([1.0], points)[:, 0], points.sum(axis=1), rtol=1e-12)
    assert len(traced) == 2


PROCESS = """
import random, sys
import numpy as np
from micrograd_mlp import MLP
from micrograd_mlp.compiler import variants
from micrograd_mlp.compiler.backends import llvm_native
from micrograd_mlp.training import fit
traced, optimized = variants.Traced.__init__, llvm_native.Native.__init__
variants.Traced.__init__ = lambda *args: print("traced") or traced(*args)
llvm_native.Native.__init__ = lambda *args, **named: print("compiled") or optimized(*args, **named)
X = np.random.default_rng(0).normal(size=(40, 3))
model = MLP(3, [4, 3], rng=random.Random(0))
history = fit(model, X, np.arange(40) % 3, epochs=4, batch_size=16, engine="native")
print([p.data for p in model.parameters()], history.loss)
print("micrograd_mlp.compiler.backends.llvm_program" in sys.modules)
"""


def processes(count, folder):
    """Return what so many processes at once print."""
    env = {"PYTHONPATH": os.pathsep.join(sys.path), "MICROGRAD_MLP_CACHE": str(folder)}
    command = [sys.executable, "-c", PROCESS]
    running = [subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    return [process.communicate()[0].splitlines() for process in running]


def test_another_process_neither_traces_nor_compiles(tmp_path):
    first = processes(2, tmp_path / "kept")  # at once: each makes it, or finds it
    ((numbers, loaded),) = [*processes(1, tmp_path / "kept")]
    assert {line for told in first for line in told} - {"True", "False", numbers} == {"traced", "compiled"}
    assert all(numbers in told for told in first)
    assert loaded == "False"  # nor does it load what writes code


def test_without_llvmlite_nothing_is_kept_nor_found(traced, monkeypatch):
    taken()
    monkeypatch.delattr(backends, "llvm_kernel")
    monkeypatch.setitem(sys.modules, "micrograd_mlp.compiler.backends.llvm_kernel", None)
    kept.keep("a function", lambda: None)
    assert kept.find("a function") is None


def test_nothing_else_is_kept(traced, tmp_path):
    kept.keep("a function", lambda: None)
    assert kept.find("a function") is None
    assert kept.find("") is None
    assert not (tmp_path / "kept").exists()
