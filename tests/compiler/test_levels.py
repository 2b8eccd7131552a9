"""Levels, ranges and groups."""

import numpy as np
import pytest

from micrograd_mlp.compiler import levels
from micrograd_mlp.compiler.levels import distinct, edges, find_levels, group, ranges, starts_run, stretches


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


@pytest.mark.parametrize("thin", [0, 1, 3, 1000])
def test_levels_are_the_same_one_by_one_and_all_at_once(thin, monkeypatch):
    monkeypatch.setattr(levels, "THIN", thin)
    rng = np.random.default_rng(thin)
    for size in (1, 7, 200):
        count = np.minimum(rng.integers(0, 4, size), np.arange(size))
        args = np.concatenate([np.zeros(0, dtype=np.int64), *(rng.integers(0, i, n) for i, n in enumerate(count) if n)])
        start, expected = np.concatenate([[0], np.cumsum(count)]), []
        for row in range(size):
            read = args[start[row] : start[row + 1]].tolist()
            expected.append(max((expected[arg] + 1 for arg in read), default=0))
        assert find_levels(start, args).tolist() == expected


def test_stretches_of_thin_levels_are_one(monkeypatch):
    monkeypatch.setattr(levels, "THIN", 2)
    ends = np.cumsum([0, 3, 1, 2, 1, 5, 4, 2])
    expected = [(0, 3, False), (3, 7, True), (7, 12, False), (12, 16, False), (16, 18, True)]
    assert list(stretches(ends)) == expected
    assert list(stretches(np.array([0, 4]))) == [(0, 4, False)]
    assert list(stretches(np.array([0, 0]))) == [(0, 0, True)]
