"""Imports point down, and the first-principles part needs nothing but Python."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import micrograd_mlp

ROOT = Path(micrograd_mlp.__file__).parent
PACKAGE = ROOT.name

# Each module imports from the floors below its own, never from its own floor or from above. A new module goes in here.
FLOORS = (
    ("collector", "ieee", "memory", "names", "play.turns", "signals"),
    ("checks", "reading"),
    ("ops",),
    ("engine", "operators"),
    ("anomaly", "nn", "pickling"),
    ("__init__", "files", "web"),
    ("archive", "cache", "columns", "expressions", "history", "losses", "optim", "recording", "tables"),
    ("checkpoints",),
    # the drawing of graphs knows nothing of training and of compiling
    ("drawing.graph",),
    ("drawing.dot", "drawing.folding"),
    ("drawing.path", "drawing.render"),
    ("drawing.picture", "drawing.program"),
    ("drawing",),
    # operations in native code know only numbers
    ("compiler.backends.series",),
    ("compiler.backends.llvm_lanes", "compiler.backends.llvm_native"),
    ("compiler.backends.llvm_math",),
    # the compiler knows operations, Values and Modules, and nothing that is made of them
    ("compiler.program",),
    ("compiler.levels", "compiler.strides", "compiler.trace"),
    ("compiler.naming",),
    ("compiler.equations",),
    ("compiler.alike", "compiler.batch", "compiler.simplify", "compiler.families", "compiler.members"),
    ("compiler.drafts",),
    ("compiler.axes",),
    ("compiler.repeats",),
    ("compiler.latex", "compiler.show", "compiler.sketch"),
    ("compiler.loops", "compiler.samples"),
    ("compiler.arguments",),
    ("compiler.results",),
    ("compiler.given",),
    ("compiler.backends.llvm_code", "compiler.backends.numpy", "compiler.backends.c"),
    ("compiler.backends.llvm_plain", "compiler.backends.llvm_take"),
    ("compiler.backends.llvm_call", "compiler.backends.llvm_outer"),
    ("compiler.backends.llvm_kernel", "compiler.backends.llvm_tiles"),
    ("compiler.backends.llvm_program",),
    ("compiler.backends.llvm",),
    ("compiler.kept", "compiler.stages", "compiler.backends"),
    ("compiler.variants",),
    ("compiler.jit",),
    ("compiler.mapped", "compiler.steps"),
    ("compiler",),
    ("engines", "explorer.arithmetic", "explorer.folds"),
    ("explorer.model", "explorer.page"),
    ("explorer.exploration",),
    ("explorer",),
    ("course", "datasets", "options"),
    ("training",),
    ("trained",),
    ("classifier", "estimator.checks", "estimator.weights"),
    ("regressor",),
    ("estimator.stopping",),
    ("estimator.perceptron",),
    ("estimator.classification", "estimator.regression"),
    ("estimator",),
    # models that leave and models that arrive know nothing of training
    ("exports.plain", "imports.parts"),
    ("exports.c", "exports.json", "exports.onnx", "exports.python", "exports.torch"),
    ("imports.json", "imports.sklearn", "imports.torch"),
    ("exports.targets", "imports"),
    ("exports",),
    ("drawing.theme", "drawing.report"),
    ("drawing.boundary", "drawing.curves", "drawing.trials", "drawing.weights"),
    ("drawing.animation",),
    ("drawing.plots",),
    ("experiment",),
    # many runs, and what came of them
    ("sweeps.space",),
    ("sweeps.trials",),
    ("sweeps.ledger", "sweeps.searches", "sweeps.workers"),
    ("sweeps.results",),
    ("sweeps.run",),
    ("sweeps",),
    # the playground, and in it the server above the runs that it serves
    ("play.features", "play.maps", "play.problems"),
    ("play.settings", "play.points_text"),
    ("play.machine",),
    ("play.explain",),
    ("play.run",),
    ("play.choices", "play.code", "play.documents", "play.frames", "play.messages"),
    ("play.session",),
    ("play.guard", "play.store"),
    ("play.server",),
    ("play",),
    ("terminal",),
    ("cli",),
    ("__main__",),
)
STANDARD_LIBRARY_ONLY = ("ieee", "names", "ops", "engine", "nn", "anomaly", "pickling", "__init__")
FIRST_READ = ("ops", "engine", "nn")  # what a learner reads first, 500 lines together at most

FLOOR = {module: floor for floor, modules in enumerate(FLOORS) for module in modules}


def name_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1]) if len(parts) > 1 and parts[-1] == "__init__" else ".".join(parts)


FILES = {name_of(path): path for path in sorted(ROOT.rglob("*.py"))}


def imports_of(source, module, package=False):
    """Yield what `module` imports anywhere in its file: ("own", module) or ("other", top-level name)."""
    here = module.split(".") if package else module.split(".")[:-1]
    if module == "__init__":
        here = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level:
            base = here[: len(here) - node.level + 1] + (node.module.split(".") if node.module else [])
            targets = [".".join([PACKAGE, *base, alias.name]) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            targets = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for target in targets:
            top, *inner = target.split(".")
            if top != PACKAGE:
                yield "other", top
                continue
            while inner and ".".join(inner) not in FILES:
                inner.pop()  # a name inside a module
            yield "own", ".".join(inner) or "__init__"


def imports(module):
    path = FILES[module]
    return set(imports_of(path.read_text(encoding="utf-8"), module, package=path.name == "__init__.py"))


def test_every_module_has_its_floor():
    assert set(FILES) == set(FLOOR)


@pytest.mark.parametrize("module", FILES)
def test_imports_point_down(module):
    up = [other for kind, other in imports(module) if kind == "own" and FLOOR[other] >= FLOOR[module]]
    assert up == [], f"{module} on floor {FLOOR[module]} imports from its own floor or from above"


@pytest.mark.parametrize("module", STANDARD_LIBRARY_ONLY)
def test_the_first_principles_need_the_standard_library_only(module):
    assert {top for kind, top in imports(module) if kind == "other"} <= sys.stdlib_module_names


def test_a_wrong_arrow_would_be_seen():
    source = """
import os.path, numpy.linalg
from . import nn, __version__
from .engine import Value
from ..training import fit
def late():
    from micrograd_mlp.cli import main
"""
    assert set(imports_of(source, "drawing.path")) == {
        ("other", "os"),
        ("other", "numpy"),
        ("own", "drawing"),  # drawing has no nn and no engine of its own
        ("own", "training"),
        ("own", "cli"),
    }
    assert ("own", "nn") in set(imports_of(source.replace("..training", ".training"), "losses"))
    assert ("own", "__init__") in set(imports_of(source.replace("..training", ".training"), "losses"))


def test_what_a_learner_reads_first_stays_short():
    lines = {module: len(FILES[module].read_text(encoding="utf-8").splitlines()) for module in FIRST_READ}
    assert sum(lines.values()) <= 500, lines


def test_importing_the_package_loads_the_standard_library_alone():
    code = "import json, sys, micrograd_mlp; print(json.dumps(sorted(sys.modules)))"
    loaded = json.loads(subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, check=True).stdout)
    bare = json.loads(
        subprocess.run(
            [sys.executable, "-I", "-c", code.replace(", micrograd_mlp", "")], capture_output=True, check=True
        ).stdout
    )  # what the installation itself loads at every start
    tops = {name.partition(".")[0] for name in set(loaded) - set(bare)}
    assert tops - {PACKAGE} <= sys.stdlib_module_names
    own = {name.partition(".")[2] or "__init__" for name in loaded if name.partition(".")[0] == PACKAGE}
    assert own == {"__init__", "ieee", "names", "ops", "engine", "nn", "anomaly", "pickling"}
