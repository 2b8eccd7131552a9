"""Nothing of what a user writes or names is run: no text is evaluated, no file is unpickled."""

import ast
import pickle
from pathlib import Path

import pytest

import micrograd_mlp
from micrograd_mlp.classifier import Classifier
from micrograd_mlp.imports import from_torch

ROOT = Path(micrograd_mlp.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
RUNS = {"eval", "exec", "compile", "__import__"}  # as names, and of `builtins`
MODULES = {
    "pickle",
    "cPickle",
    "_pickle",
    "dill",
    "cloudpickle",
    "joblib",
    "marshal",
    "shelve",
    "code",
    "codeop",
    "runpy",
    "imp",
}
LOADS = {  # functions of modules
    ("np", "load"), ("numpy", "load"), ("torch", "load"), ("yaml", "load"), ("pd", "read_pickle"),
    ("pandas", "read_pickle"), ("importlib", "import_module"), ("os", "system"), ("os", "popen"),
    ("builtins", "eval"), ("builtins", "exec"),
}  # fmt: skip
# What may do what it would not be let do, and why.
EXCEPTIONS = {
    ("__init__.py", "import_module"): "a module of this package, by a name in the table of what it offers",
    ("exports/targets.py", "import_module"): "a module of this package, by a name in the table of targets",
    ("compiler/backends/llvm_kernel.py", "np.load"): "arrays of a private folder, without pickles",
    ("compiler/backends/llvm_kernel.py", "allow_pickle"): "which is False",
    ("sweeps/trials.py", "pickle"): "the points of a sweep, from the process that asked for the trial",
    ("sweeps/workers.py", "pickle"): "the points of a sweep, for its own workers",
    ("sweeps/workers.py", "import_module"): "Dask, by its name",
    ("sweeps/workers.py", "importlib.import_module"): "this package, by its name",
    ("sweeps/workers.py", "joblib"): "spreads the trials; its own pickles go between the processes of a sweep",
    ("sweeps/workers.py", "joblib.externals.loky"): "the same",
    ("sweeps/workers.py", "joblib._dask"): "the same",
}


def found_in(source):
    """Yield what `source` has that runs text or unpickles: the name, and the line."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names if alias.name.partition(".")[0] in MODULES)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            if (node.module or "").partition(".")[0] in MODULES:
                yield node.module, node.lineno
            yield from ((a.name, node.lineno) for a in node.names if (node.module, a.name) in LOADS)
        elif isinstance(node, ast.Name) and node.id in RUNS:
            yield node.id, node.lineno
        elif (
            isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and (node.value.id, node.attr) in LOADS
        ):
            yield f"{node.value.id}.{node.attr}", node.lineno
        elif isinstance(node, ast.keyword) and node.arg in ("allow_pickle", "weights_only", "shell"):
            yield node.arg, node.value.lineno


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_runs_text_or_unpickles(path):
    place = path.relative_to(ROOT).as_posix()
    found = [(name, line) for name, line in found_in(path.read_text("utf-8")) if (place, name) not in EXCEPTIONS]
    assert found == []


def test_every_exception_is_needed():
    for place, name in EXCEPTIONS:
        assert name in [found for found, _ in found_in((ROOT / place).read_text("utf-8"))], (place, name)


def test_what_runs_would_be_seen():
    source = """
import pickle, os.path
from marshal import loads
from numpy import load
from importlib import import_module
import numpy as np
f = eval
exec("1")
np.load("x", allow_pickle=True)
subprocess.run("x", shell=True)
torch.load("x")
json.loads("{}"), re.compile("x"), self.compile(), model.eval()
"""
    names = [
        "pickle",
        "marshal",
        "load",
        "import_module",
        "eval",
        "exec",
        "allow_pickle",
        "np.load",
        "shell",
        "torch.load",
    ]
    assert sorted(name for name, _ in found_in(source)) == sorted(names)


class Trap:
    """Runs when it is unpickled."""

    def __reduce__(self):
        return Path.touch, (Path("sprung"),)


@pytest.mark.parametrize("read", [Classifier.load, from_torch], ids=["load", "from_torch"])
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_that_is_named_like_a_model_is_not_opened(tmp_path, monkeypatch, read, protocol):
    monkeypatch.chdir(tmp_path)
    Path("model.safetensors").write_bytes(pickle.dumps(Trap(), protocol))
    with pytest.raises(ValueError, match=r"^model\.safetensors is no model file|is no safetensors file|is a pickle"):
        read("model.safetensors")
    assert not Path("sprung").exists()
    pickle.loads(Path("model.safetensors").read_bytes())
    assert Path("sprung").exists()  # and it would have sprung
