"""Run the page's own JavaScript in node, where there is one."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from micrograd_mlp.explorer.arithmetic import javascript

SOURCES = Path(__file__).parents[2] / "web/src/explorer"


def run(code, given=None):
    """Return what the module `code` prints as JSON, with `given` as `given` and the arithmetic of the table."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node on this machine: the page's JavaScript is not run")
    text = f"{javascript()}globalThis.arithmetic = arithmetic; const given = {json.dumps(given)};\n{code}"
    text = text.replace("SOURCES", SOURCES.as_uri())
    command = [node, "--input-type=module", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def number(written):
    """JSON has no inf and no nan: they come as text."""
    return float(written)


PRINT = "\nconst told = (x) => (Number.isFinite(x) ? x : String(x).replace('Infinity', 'inf'));\n"
