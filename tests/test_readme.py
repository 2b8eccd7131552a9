"""Every example in the README runs, and prints what stands beside it."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PYTHON = re.findall(r"```python\n(.*?)```(?:\n+```text\n(.*?)```)?", README, re.DOTALL)
COMMANDS = [line[2:] for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]


@pytest.mark.parametrize(("code", "output"), PYTHON, ids=[f"example {index + 1}" for index in range(len(PYTHON))])
def test_an_example_prints_what_the_readme_says(code, output, tmp_path):
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.stderr == ""
    assert run.stdout == output


def test_the_commands_run_one_after_the_other(tmp_path):
    commands = [command for command in COMMANDS if command.startswith("micrograd-mlp ")]
    assert len(commands) >= 5
    for command in commands:
        words = [sys.executable, "-m", "micrograd_mlp", *shlex.split(command)[1:]]
        run = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert run.returncode == 0, (command, run.stderr)
    assert (tmp_path / "runs/spirals/report.html").exists()
    assert (tmp_path / "expression.svg").exists()


def test_the_other_commands_are_targets_of_the_makefile():
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    used = re.findall(r"`?make ([a-z]+)`?", README)
    assert {"train", "test", "oracle"} <= set(used) <= set(targets)


def test_every_picture_and_file_it_points_to_is_there():
    paths = re.findall(r'(?:\]\(|src="|srcset=")((?!http)[^)"]+)', README)
    assert len(paths) >= 6
    assert [path for path in paths if not (ROOT / path).exists()] == []
