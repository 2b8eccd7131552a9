"""The built pages are in the package, hold what their sources say, and bring the licences of what is in them."""

import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from micrograd_mlp.web import asset

ROOT = Path(__file__).parents[1]
WEB, BUILT = ROOT / "web", ROOT / "src/micrograd_mlp/web"
PAGES = [path.parent.name for path in sorted(WEB.glob("src/*/main.js"))]
FILES = [f"{page}.{kind}" for page in PAGES for kind in ("js", "css")] + ["LICENCES.txt"]


def hash_of(page):
    """SHA-256 over the path and the content of all that a page is built from, as web/build.mjs takes it."""
    paths = [WEB / "build.mjs", WEB / "package.json"]
    paths += [path for folder in (page, "shared") for path in (WEB / "src" / folder).rglob("*") if path.is_file()]
    digest = hashlib.sha256()
    for name, path in sorted((path.relative_to(WEB).as_posix(), path) for path in paths):
        digest.update(f"{name}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("kind", ["js", "css"])
def test_the_built_files_are_of_these_sources(page, kind):
    built = re.match(r"/\* sources sha256 ([0-9a-f]{64}) \*/", asset(f"{page}.{kind}"))
    assert built
    assert built[1] == hash_of(page), "the sources have changed since; make web builds them again"


def test_building_again_gives_the_same_bytes(tmp_path):
    node = shutil.which("node")
    if not node or not (WEB / "node_modules/esbuild").exists():
        pytest.skip("no node, or no packages in web/node_modules: make web installs them")
    subprocess.run([node, "build.mjs", tmp_path], cwd=WEB, check=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (BUILT / name).read_bytes(), name


def test_the_licences_name_what_is_bundled():
    pinned = json.loads((WEB / "package.json").read_text())["dependencies"]
    licences = asset("LICENCES.txt")
    named = dict(re.findall(r"^(\S+) (\d+\.\d+\.\d+) \(", licences, re.MULTILINE))
    assert {"preact", "htm"} <= named.keys()
    assert named.items() <= pinned.items()
    assert "Permission is hereby granted" in licences


def test_packages_are_pinned():
    package = json.loads((WEB / "package.json").read_text())
    for name, version in (package["dependencies"] | package["devDependencies"]).items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), f"{name} {version}"


@pytest.mark.parametrize("page", PAGES)
def test_a_page_names_no_address_that_it_could_load(page):
    text = asset(f"{page}.js") + asset(f"{page}.css")
    assert set(re.findall(r"https?://[^\s\"'`)]+", text)) <= {
        f"http://www.w3.org/{name}" for name in ("1998/Math/MathML", "1999/xhtml", "2000/svg")
    }
    assert "@import" not in asset(f"{page}.css")
    assert "</script" not in text


def test_a_missing_file_is_told():
    with pytest.raises(ValueError, match=r"^none\.js is no built file of a page; in a checkout, make web builds them$"):
        asset("none.js")
