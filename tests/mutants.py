"""How many faults the tests notice: `ops`, `engine` and `ieee` changed in some thousand ways, one change at a time.

    python tests/mutants.py        # half an hour or more; goes on where a run was interrupted
    python tests/mutants.py ops    # of one module only

cosmic-ray makes the changes, in a copy of the project in `runs/mutants`. Ends with exit code 1 if fewer than 95 in 100
are noticed in a module, or if one that is not noticed has no reason in EXPLAINED.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
COPY = ROOT / "runs/mutants"
MODULES = ("ops", "engine", "ieee")
TESTS = (
    "ieee",
    "engine",
    "ops",
    "anomaly",
    "operators",
    "dropin",
)  # those that are quick, and of them all but the slow
COMMAND = (
    "python -m pytest -x -q -p no:cacheprovider --noconftest --assert=plain --tb=no"
    f" {' '.join(f'tests/test_{name}.py' for name in TESTS)} -k 'not long and not million and not demo'"
)
SECONDS = 60.0  # after which a change that makes an endless loop is taken to be noticed
NO_FAULTS = (
    "core/ReplaceBinaryOperator_BitOr_.*",  # | stands between types only
    "core/ReplaceComparisonOperator_Is_Eq",  # of classes and of None it says the same
    "core/ReplaceComparisonOperator_IsNot_NotEq",
)
ENOUGH = 0.95

# A changed line that no test can notice, and why.
EXPLAINED = {
    "if a is None and op is None or op.flat:": "what has no argument has no operation",
    "if other.__class__ is not Value or not isinstance(other, Value):": "a subclass answers with the same",
    "for arg, partial in zip(node.args, node.op.partials, strict=False):": "both have one length, as rows were made",
    "out._a, out._b = nodes[0], nodes[1] if len(nodes) != 1 else None": "one is there",
    "self._a, self._b, self._more = nodes[0], nodes[1] if len(nodes) != 1 else None, nodes[2:]": "one is there",
    "return grad(output, [inputs])[ -1]": "of one result, the last is the first",
    "slope = op.partials[ -1](self.data, a.data) if op.partials else 0.0": "of one slope, the last is the first",
    "args += self.default[: len(self.partials) >> len(args)]": "no row has more than one default",
    "if len(args) is not len(self.partials):": "a small whole number is one object",
    "if a < 0.0 and b > math.floor(b):": "nothing lies below its floor",
    "return math.inf if number >= 0 else -math.inf": "0 overflows no float",
    "return math.inf if number > 1 else -math.inf": "1 overflows no float",
    "return math.inf if number > -1 else -math.inf": "0 overflows no float",
    "return (a if a >= 0.0 else 0.0) + math.log1p(math.exp(-math.fabs(a)))": "either way 0 + ln 2",
    "return (1.0 if a > 0.0 else small) / (1.0 + small)": "at 0, small is 1",
}


def prepare() -> None:
    """Make a copy of what is changed and tested; one that is there stays if nothing in it is new."""
    paths = [ROOT / "pyproject.toml", *sorted((ROOT / "src").rglob("*.py")), *sorted((ROOT / "tests").glob("*.py"))]
    digest = hashlib.sha256(b"".join(f"\0{path.relative_to(ROOT)}\0".encode() + path.read_bytes() for path in paths))
    made_of = COPY / "made of"
    if not made_of.exists() or made_of.read_text() != digest.hexdigest():
        shutil.rmtree(COPY, ignore_errors=True)
        for path in paths:
            (COPY / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, COPY / path.relative_to(ROOT))
        made_of.write_text(digest.hexdigest())


def call(program: str, *words: str) -> str:
    """Run a program of this environment in the copy; return what it prints."""
    programs = Path(sys.executable).parent
    environment = os.environ | {
        "PATH": os.pathsep.join([str(programs), os.environ.get("PATH", "")]),
        "PYTHONPATH": str(COPY / "src"),
        "PYTHONDONTWRITEBYTECODE": "1",  # a changed file may have the size and the second of the one before
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    done = subprocess.run(
        [programs / program, *words], cwd=COPY, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout


def settings(module: str) -> str:
    """Return what cosmic-ray is to do with a module, in its format."""
    quoted = json.dumps
    return f"""[cosmic-ray]
module-path = {quoted(f"src/micrograd_mlp/{module}.py")}
timeout = {SECONDS}
excluded-modules = []
test-command = {quoted(COMMAND)}
distributor.name = "local"
filters.operators-filter.exclude-operators = {quoted(NO_FAULTS)}
"""


def results_of(module: str) -> list[dict[str, str]]:
    """Try all changes of a module; return what became of each: `test_outcome`, `output` of the tests, `diff`."""
    config, session = f"{module}.toml", f"{module}.sqlite"
    source = Path("src/micrograd_mlp") / f"{module}.py"
    shutil.copyfile(ROOT / source, COPY / source)  # a run that was killed leaves its change behind
    if not (COPY / session).exists():
        (COPY / config).write_text(settings(module))
        call("cosmic-ray", "baseline", config)
        call("cosmic-ray", "init", config, session)
        call("cr-filter-operators", session, config)
    call("cosmic-ray", "exec", config, session)
    results = [json.loads(line)[1] for line in call("cosmic-ray", "dump", session).splitlines()]
    return [result for result in results if result["worker_outcome"] != "skipped"]


def changed_line(diff: str) -> str:
    """Return the first line that a diff adds, without its indent."""
    return next((line[1:].strip() for line in diff.splitlines()[3:] if line.startswith("+")), "")


def main() -> int:
    parser = argparse.ArgumentParser(description="How many changes of the sources the tests notice.")
    parser.add_argument("modules", nargs="*", help=f"{', '.join(MODULES)}; all if none is given")
    modules = parser.parse_args().modules or MODULES
    prepare()
    code = 0
    for module in modules:
        results = results_of(module)
        missed = sorted(changed_line(result["diff"]) for result in results if result["test_outcome"] != "killed")
        late = sum(result["output"] == "timeout" for result in results)
        share = 1.0 - len(missed) / len(results)
        print(
            f"{module}: {len(results)} changes, {share:.1%} noticed, {late} of them by the time they took; not noticed:"
        )
        print(*(f"  {line}\n      {EXPLAINED.get(line, 'NOT EXPLAINED')}" for line in missed), sep="\n", flush=True)
        if share < ENOUGH or not set(missed) <= set(EXPLAINED):
            code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
