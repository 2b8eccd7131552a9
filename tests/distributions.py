"""What pip gets of this project, the source distribution and the wheel, built and tried as a user meets them.

    python tests/distributions.py   # needs Python alone; all goes into environments and folders that are empty before

In one environment both are built, as `pyproject.toml` says. The wheel alone goes into another, without any extra, where
every command of `COMMANDS` is run in an empty folder. A wheel made of the source distribution holds the same bytes, and
the tests in the source distribution that need no extra pass on the wheel.
"""

import os
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
BUILD = """
import sys
from importlib import import_module
backend = import_module(sys.argv[1])
print(getattr(backend, "build_" + sys.argv[2])(sys.argv[3]))
"""
POINTS = "x1,x2\n0.5,-0.25\n1e308,-3\n"

# What is typed, the exit code, and words of what is answered. There is no `dot` where they run.
COMMANDS = (
    ("--version", 0, f"version {PROJECT['project']['version']}"),
    ("datasets", 0, "moons"),
    ("train moons --samples 60 --hidden 4 --epochs 2 --out run", 0, "model.safetensors"),
    ("train moons --samples 60 --epochs 1 --engine native --out numpy", 0, "pip install 'micrograd-mlp[native]'"),
    ("info run/model.safetensors", 0, "moons"),
    ("predict run/model.safetensors points.csv", 0, "0.5"),
    ('draw relu(2*x+y**2) x=1.5 y=-2 --out graph.dot', 0, "graph.dot"),
    ('draw relu(2*x+y**2) x=1.5 y=-2 --out graph.svg', 2, "pip install 'micrograd-mlp[viz]'"),
    ("explore tanh(w*x+b) w=1 x=2 b=3 --out neuron.html", 0, "neuron.html"),
    ("export run/model.safetensors --to python --out classify.py", 0, "classify.py"),
    ("export run/model.safetensors --to json --out model.json", 0, "model.json"),
    ("export run/model.safetensors --to c --train-step --out model.c", 0, "model.c"),
    ("export run/model.safetensors --to torch --out model_torch.py", 0, "model_torch.py"),
    ("export run/model.safetensors --to onnx --out model.onnx", 2, "pip install 'micrograd-mlp[onnx]'"),
    ("import model.json --out copy.safetensors", 0, "copy.safetensors"),
    ("predict copy.safetensors points.csv", 0, "0.5"),
    ("play", 2, "pip install 'micrograd-mlp[play]'"),
    ("sweep moons --samples 60 --hidden 2/3 --epochs 1 --out sweep", 0, "trials.csv"),
    ("sweep moons --samples 60 --hidden 2/3 --scheduler 127.0.0.1:1", 2, "pip install 'micrograd-mlp[dask]'"),
)  # fmt: skip
WRITTEN = (
    "run/model.safetensors", "run/report.html", "run/explorer.html", "graph.dot", "neuron.html", "classify.py",
    "model.json", "model.c", "model_torch.py", "copy.safetensors",
    "sweep/model.safetensors", "sweep/trials.csv",
)  # fmt: skip
TESTS = ("ops", "engine", "ieee", "nn", "losses", "optim", "anomaly", "dropin", "expressions", "layers", "init")


def build(python: Path | str, kind: str, source: Path, folder: Path) -> Path:
    """Return the "sdist" or "wheel" of `source`, built into `folder` by the backend installed beside `python`."""
    path = os.pathsep.join(
        [str(Path(python).parent), os.environ.get("PATH", "")]
    )  # where the backend finds its program
    words = [python, "-c", BUILD, PROJECT["build-system"]["build-backend"], kind, folder]
    run = subprocess.run(
        words, cwd=source, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False
    )
    if run.returncode:
        raise RuntimeError(f"no {kind} was built: {run.stderr}")
    return folder / run.stdout.split()[-1]


def files_of(distribution: Path) -> dict[str, bytes]:
    """Return what is in a wheel, or in a source distribution without its outermost folder: bytes by path."""
    if distribution.suffix == ".whl":
        with zipfile.ZipFile(distribution) as wheel:
            return {name: wheel.read(name) for name in wheel.namelist() if not name.endswith("/")}
    with tarfile.open(distribution) as archive:
        members = [member for member in archive.getmembers() if member.isfile()]
        return {member.name.partition("/")[2]: archive.extractfile(member).read() for member in members}


def unpack(sdist: Path, folder: Path) -> Path:
    """Unpack a source distribution, and return where the project lies in it."""
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    return folder / sdist.name.removesuffix(".tar.gz")


def environment(folder: Path, *packages: str) -> Path:
    """Make an environment with `packages` and nothing else; return its python."""
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    install(python, *packages)
    return python


def install(python: Path, *packages: str) -> None:
    pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", *packages], check=True)
    subprocess.run([*pip, "check"], check=True)


def use(python: Path, folder: Path) -> list[str]:
    """Run COMMANDS in the empty `folder`, and return what went wrong, a line for each."""
    (folder / "points.csv").write_text(POINTS)
    faults = []
    bare = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    bare |= {"PATH": str(python.parent), "MICROGRAD_MLP_CACHE": ""}
    for command, code, answer in COMMANDS:
        words = [python.parent / "micrograd-mlp", *command.split(" ")]
        run = subprocess.run(words, cwd=folder, env=bare, capture_output=True, text=True, check=False)
        said = run.stdout + run.stderr
        one_sentence = not code or said.count("\n") == 1
        if (
            run.returncode != code
            or answer not in said
            or not one_sentence
            or re.search("Traceback|RuntimeWarning", said)
        ):
            faults.append(f"{command}: exit code {run.returncode}, {said!r}")
        print(f"micrograd-mlp {command}", *([f"  {said.strip()}"] if code else []), sep="\n", flush=True)
    faults += [f"{name} was not written" for name in WRITTEN if not (folder / name).exists()]
    return faults


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        builder = environment(folder / "builder", *PROJECT["build-system"]["requires"])
        sdist, wheel = (build(builder, kind, ROOT, folder) for kind in ("sdist", "wheel"))
        for each in (sdist, wheel):
            print(f"{each.name}: {len(files_of(each))} files, {each.stat().st_size:,} bytes", flush=True)
        source = unpack(sdist, folder)
        (folder / "again").mkdir()
        faults = []
        if files_of(build(builder, "wheel", source, folder / "again")) != files_of(wheel):
            faults.append("the wheel made of the source distribution is another")
        alone = environment(folder / "alone", str(wheel))
        (folder / "empty").mkdir()
        faults += use(alone, folder / "empty")
        install(alone, "pytest", "hypothesis")
        tests = [f"tests/test_{each}.py" for each in TESTS]
        words = [alone, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
        if subprocess.run(words, cwd=source, check=False).returncode:
            faults.append("tests of the source distribution fail on the wheel")
        print(*faults or ["From an empty environment, all of it works."], sep="\n")
        return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
