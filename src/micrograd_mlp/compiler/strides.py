"""Sequences of places as nested strides: 0 1 2 10 11 12 is 2 steps of 10 over 3 steps of 1."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod

from .program import Ints

Dims = list[tuple[int, int]]  # (extent, stride), the slowest first
Cuts = tuple[int, ...]  # sizes of nested blocks, each a divisor of the next: (3,) cuts 6 into 2 times 3


def factor(line: Ints) -> Dims | None:
    """Return the fewest nested strides that walk through `line` from its first place; None if there are none."""
    dims: Dims = []
    while len(line) > 1:
        stride = int(line[1] - line[0])
        breaks = (line[1:] - line[:-1] != stride).nonzero()[0]
        if not len(breaks):
            dims.append((len(line), stride))
            break
        run = int(breaks[0]) + 1
        if len(line) % run:
            return None
        blocks = line.reshape(-1, run)
        if (blocks[:, 1:] - blocks[:, :-1] != stride).any():
            return None
        dims.append((run, stride))
        line = blocks[:, 0]
    return dims[::-1]


def cuts_of(dims: Dims) -> Cuts:
    """Return the sizes of the blocks between which the stride changes."""
    return tuple(prod(extent for extent, _ in dims[d:]) for d in range(len(dims) - 1, 0, -1))


def refine(cuts: Cuts, more: Cuts, size: int) -> Cuts | None:
    """Return the common refinement of two ways to cut `size` into nested blocks; None if they do not nest."""
    merged = sorted({*cuts, *more} - {1, size})
    nested = all(large % small == 0 for small, large in pairwise([*merged, size]))
    return tuple(merged) if nested else None


def extents_of(cuts: Cuts, size: int) -> tuple[int, ...]:
    """Return the extents into which the cuts divide `size`, the slowest first."""
    if size == 1:
        return ()
    blocks = [1, *cuts, size]
    return tuple(large // small for small, large in pairwise(blocks))[::-1]


def blocks_of(cuts: Cuts, size: int) -> tuple[int, ...]:
    """Return how many members one step along each extent passes, the slowest first."""
    return () if size == 1 else (*reversed(cuts), 1)


def strides_of(extents: Sequence[int]) -> tuple[int, ...]:
    """Return how many members of an array of these extents one step along each of them passes."""
    return tuple(prod(extents[d + 1 :]) for d in range(len(extents)))


def is_slice(dims: Dims, offset: int, size: int) -> bool:
    """Return whether the strides walk along whole dimensions of an array of `size`, one each, as x[:, 3, :] does."""
    reach = 1
    for stride, extent in sorted((stride, extent) for extent, stride in dims if stride):
        if stride <= 0 or stride % reach or offset % (stride * extent) >= stride:
            return False
        reach = stride * extent
    return size % reach == 0
