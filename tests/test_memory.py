"""Asking for memory changes nothing but the answer."""

import subprocess
import sys

import pytest

from micrograd_mlp.memory import is_left

LIMITED = """
import resource
from micrograd_mlp.memory import is_left
resource.setrlimit(resource.RLIMIT_AS, (300_000_000, 300_000_000))
print(is_left(100_000_000), is_left(400_000_000), is_left(100_000_000))
"""


def test_there_is_memory_here_but_not_for_everything():
    assert is_left()
    assert not is_left(2**62)


def test_a_limit_is_seen():
    pytest.importorskip("resource", reason="limits of Unix")
    found = subprocess.run([sys.executable, "-c", LIMITED], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["True", "False", "True"]
