"""Whether there is memory, asked before code runs that would end the process where there is none."""

from __future__ import annotations

import mmap

NEEDED = 128 * 2**20  # bytes that a library may take at once, which it cannot do without


def is_left(size: int = NEEDED) -> bool:
    """Return whether the process could get `size` bytes more, in one piece; it gives them back at once."""
    try:
        mmap.mmap(-1, size).close()
    except (OSError, MemoryError):
        return False
    return True
