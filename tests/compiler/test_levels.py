"""Levels, ranges and groups."""

import numpy as np

from micrograd_mlp.compiler.levels import distinct, edges, find_levels, group, ranges, starts_run


def test_levels_are_the_longest_way():
    args = np.array([[-1, -1, -1], [-1, -1, -1], [0, 1, -1], [2, 0, -1], [0, 3, 2], [1, -1, -1]])
    start, flat = edges(args)
    assert start.tolist() == [0, 0, 0, 2, 4, 7, 8]
    assert find_levels(start, flat).tolist() == [0, 0, 1, 2, 3, 1]


def test_a_long_chain():
    start, args = np.append(0, np.arange(1000)), np.arange(999)
    assert find_levels(start, args).tolist() == list(range(1000))


def test_ranges_and_groups():
    assert ranges(np.array([5, 0, 9]), np.array([2, 0, 3])).tolist() == [5, 6, 9, 10, 11]
    order, start = group(np.array([1, 0, 1, 3]), 4)
    assert order.tolist() == [1, 0, 2, 3]
    assert start.tolist() == [0, 1, 3, 3, 4]


def test_runs():
    assert starts_run(np.array([1, 1, 2])).tolist() == [True, False, True]
    assert starts_run(np.array([])).tolist() == []
    assert distinct(np.array([3, 1, 3])).tolist() == [1, 3]
