"""Compiled programs in the folder for such things (see `cache`), by a text that says all that their code depends on.

A process that finds one neither traces nor compiles. The text is completed here by what made the code: the sources of
this package, the versions of Python, NumPy and LLVM, and the processor. Nothing is kept where the sources cannot be
read, or may no longer be those that this process runs.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from functools import cache as once
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from .. import LOADED, cache

_SOURCES = ("*.py", "compiler/**/*.py")  # of the package: no other one is above the compiler or below it


def find(known: str) -> Any:
    """Return the kernel that was kept under a text, see `backends.llvm_kernel`; None if there is none."""
    if not known or not running():
        return None
    with suppress(ImportError):
        from .backends import llvm_kernel

        content = cache.load(_key(known))
        return None if content is None else llvm_kernel.of_bytes(content)
    return None


def keep(known: str, kernel: Any) -> None:
    """Keep a kernel under a text, if that is possible; another kind of code is not kept."""
    if not known or not running() or running() != sources():
        return
    with suppress(ImportError):
        from .backends import llvm_kernel

        if isinstance(kernel, llvm_kernel.Kernel):
            cache.save(_key(known), llvm_kernel.to_bytes(kernel))


def sources() -> str:
    """Return a checksum over the sources of this package; "" if they are not there, or changed since it was loaded."""
    root, digest = Path(__file__).parents[1], sha256()
    try:
        for path in sorted(path for pattern in _SOURCES for path in root.glob(pattern)):
            if path.stat().st_mtime >= LOADED:
                return ""
            digest.update(f"{path.relative_to(root)}\n".encode() + path.read_bytes())
    except OSError:
        return ""
    return digest.hexdigest() if Path(__file__).is_file() else ""


@once
def running() -> str:
    """Return the checksum of the sources that this process runs."""
    return sources()


def _key(known: str) -> str:
    from .backends.llvm_native import made_by

    return f"{known}\n{running()}, {sys.version}, {np.__version__}, {made_by()}"
