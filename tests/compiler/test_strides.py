"""Sequences as nested strides, and ways to cut what they walk through."""

import numpy as np
import pytest

from micrograd_mlp.compiler.strides import blocks_of, cuts_of, extents_of, factor, is_slice, refine


@pytest.mark.parametrize(
    ("line", "dims"),
    [
        ([7], []),
        ([0, 1, 2, 3], [(4, 1)]),
        ([5, 5, 5], [(3, 0)]),
        ([0, 1, 2, 10, 11, 12], [(2, 10), (3, 1)]),
        ([0, 1, 1, 2, 2, 3], [(3, 1), (2, 1)]),
        ([9, 6, 3, 8, 5, 2], [(2, -1), (3, -3)]),
        ([0, 0, 1, 1, 0, 0, 1, 1], [(2, 0), (2, 1), (2, 0)]),
        ([0, 1, 3], None),
        ([0, 1, 2, 10, 11, 13], None),
        ([0, 1, 2, 10, 11, 12, 30, 31, 32], None),
    ],
)
def test_factors(line, dims):
    assert factor(np.array(line)) == dims


def test_cuts_and_extents_and_blocks():
    assert cuts_of([(2, 10), (5, 2), (3, 1)]) == (3, 15)
    assert extents_of((3, 15), 30) == (2, 5, 3)
    assert blocks_of((3, 15), 30) == (15, 3, 1)
    assert extents_of((), 1) == blocks_of((), 1) == ()
    assert extents_of((), 6) == (6,)
    assert refine((3,), (6,), 12) == (3, 6)
    assert refine((4,), (6,), 24) is None
    assert refine((), (5,), 12) is None


@pytest.mark.parametrize(
    ("dims", "offset", "size", "whole"),
    [
        ([(4, 3), (3, 1)], 0, 12, True),
        ([(3, 1), (4, 3)], 0, 12, True),
        ([(4, 3)], 2, 12, True),
        ([(3, 1)], 6, 12, True),
        ([(3, 1), (2, 1)], 0, 4, False),
        ([(11, 1)], 1, 12, False),
        ([(2, -1)], 1, 2, False),
        ([(4, 0)], 5, 12, True),
    ],
)
def test_slices(dims, offset, size, whole):
    assert is_slice(dims, offset, size) == whole
