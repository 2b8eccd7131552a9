"""Python's garbage collector: where very much is made that holds no cycles, it would search all of it many times."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused_collector() -> Iterator[None]:
    """Within this block, Python's cyclic garbage collector rests; then it is as it was, however the block ends."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()
