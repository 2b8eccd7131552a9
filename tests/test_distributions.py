"""What is in the wheel and in the source distribution. `make package` uses them in an empty environment."""

import ast
import email
import os
import re
import shutil
import subprocess
import sys
import zipfile
from itertools import chain
from pathlib import Path

import pytest
from distributions import COMMANDS, PROJECT, ROOT, build, files_of, unpack

import micrograd_mlp

SOURCES = ROOT / "src"
INFO = f"micrograd_mlp-{micrograd_mlp.__version__}.dist-info"
ADDED = {"PKG-INFO", "pyproject.toml.orig"}  # by the backend, to the source distribution
IMPORTED_AS = {"pillow": "PIL", "scikit-learn": "sklearn"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    pytest.importorskip("uv_build", reason="uv_build is not installed, so nothing can be built; make test installs it")
    return tmp_path_factory.mktemp("built")


@pytest.fixture(scope="module")
def wheel(folder):
    return build(sys.executable, "wheel", ROOT, folder)


@pytest.fixture(scope="module")
def sdist(folder):
    return build(sys.executable, "sdist", ROOT, folder)


def test_the_wheel_is_the_package_and_what_pip_wants_to_know(wheel):
    package = {
        path.relative_to(SOURCES).as_posix(): path.read_bytes()
        for path in SOURCES.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and ".egg-info" not in str(path)
    }
    licences = {f"{INFO}/licenses/{name}" for name in PROJECT["project"]["license-files"]}
    inside = files_of(wheel)
    about = {f"{INFO}/{name}" for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt")}
    assert set(inside) - set(package) == about | licences
    assert {name: inside[name] for name in package} == package
    assert {f"micrograd_mlp/{name}" for name in ("py.typed", "web/play.js", "drawing/report.html.j2")} <= set(inside)
    assert b"micrograd-mlp = micrograd_mlp.cli:main" in inside[f"{INFO}/entry_points.txt"]


def test_the_wheel_names_no_folder_of_the_machine_it_was_built_on(wheel):
    places = {str(ROOT), f"{sys.prefix}{os.sep}", *(f"/{name}/" for name in ("home", "root", "Users", "tmp"))}
    for name, content in files_of(wheel).items():
        assert not [place for place in places if place.encode() in content], name


def test_the_metadata_say_what_the_project_says(wheel):
    said = email.message_from_bytes(files_of(wheel)[f"{INFO}/METADATA"])
    project = PROJECT["project"]
    assert said["Version"] == project["version"] == micrograd_mlp.__version__
    assert said["Requires-Python"] == project["requires-python"]
    assert set(said.get_all("Provides-Extra")) == set(project["optional-dependencies"])
    assert [need for need in said.get_all("Requires-Dist") if "extra" not in need] == project["dependencies"]
    assert said.get_payload(decode=True).decode() == (ROOT / "README.md").read_text()


def listed_by_git(*which):
    words = ["git", "ls-files", "-z", "--cached", *which]
    run = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    if run.returncode:
        pytest.skip(f"git does not know the files of the project: {run.stderr.strip():.200}")
    return {name for name in run.stdout.split("\0") if (ROOT / name).is_file()}


def test_the_source_distribution_is_the_whole_project(sdist):
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("no checkout or no git, which knows the files of the project")
    inside = set(files_of(sdist)) - ADDED
    assert listed_by_git() <= inside <= listed_by_git("--others", "--exclude-standard")


def test_a_wheel_of_the_source_distribution_is_the_same(wheel, sdist, tmp_path):
    again = build(sys.executable, "wheel", unpack(sdist, tmp_path), tmp_path)
    assert files_of(again) == files_of(wheel)


def test_every_package_that_is_imported_is_declared():
    project = PROJECT["project"]
    declared = chain(project["dependencies"], *project["optional-dependencies"].values())
    names = [re.match(r"[\w-]+", need)[0] for need in declared]
    imported = set()
    for path in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imported.add(node.module.partition(".")[0])
    assert imported - sys.stdlib_module_names <= {IMPORTED_AS.get(name, name) for name in names}


def test_the_wheel_trains_and_writes_its_pages(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "site")}

    def python(*words):
        run = [sys.executable, *words]
        return subprocess.run(run, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True).stdout

    assert Path(python("-c", "print(__import__('micrograd_mlp').__file__)")).is_relative_to(tmp_path)
    words = "train moons --samples 40 --hidden 3 --epochs 1 --out run"
    python("-m", "micrograd_mlp", *words.split(" "))
    assert (tmp_path / "run/report.html").exists()
    assert (tmp_path / "run/explorer.html").exists()


def test_every_command_and_every_extra_is_tried_on_the_wheel():
    from micrograd_mlp.cli import main

    tried = {command.split(" ")[0] for command, *_ in COMMANDS}
    assert set(main.commands) <= tried
    answers = " ".join(answer for *_, answer in COMMANDS)
    for extra in ("native", "viz", "onnx", "play", "dask"):
        assert f"micrograd-mlp[{extra}]" in answers
