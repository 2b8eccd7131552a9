"""Which scalars of a graph can be computed together: the level of each is the longest way to it."""

from __future__ import annotations

from typing import Any

import numpy as np

from .program import Ints


def ranges(start: Ints, count: Ints) -> Ints:
    """Return the integers from each start on, as many as its count says, one range after the other."""
    before = np.cumsum(count) - count
    return np.repeat(start - before, count) + np.arange(int(count.sum()))


def starts_run(ordered: Any) -> Any:
    """Return for each number whether it differs from the one before."""
    new = np.ones(len(ordered), dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
    return new


def distinct(numbers: Any) -> Any:
    """Return the distinct numbers, in rising order."""
    ordered = np.sort(numbers, axis=None)
    return ordered[starts_run(ordered)]


def group(keys: Ints, size: int) -> tuple[Ints, Ints]:
    """Return `order` and `start` such that order[start[k]:start[k + 1]] are the places of key k, for k in range(size).

    Inside a group the places ascend.
    """
    start = np.concatenate([[0], np.cumsum(np.bincount(keys, minlength=size))])
    return np.argsort(keys, kind="stable"), start


def find_levels(start: Ints, args: Ints) -> Ints:
    """Return the level of each row, where row i reads the rows args[start[i]:start[i + 1]]; 0 if it reads none."""
    count = np.diff(start)
    order, first = group(args, len(count))
    users, uses = np.repeat(np.arange(len(count)), count)[order], np.diff(first)
    waiting, level, depth = count.copy(), np.zeros(len(count), dtype=np.int64), 0
    frontier = np.flatnonzero(count == 0)
    while frontier.size:
        level[frontier] = depth
        met = np.sort(users[ranges(first[frontier], uses[frontier])])
        new = np.flatnonzero(starts_run(met))
        rows = met[new]
        waiting[rows] -= np.diff(new, append=met.size)
        frontier = rows[waiting[rows] == 0]
        depth += 1
    return level


def edges(args: Ints) -> tuple[Ints, Ints]:
    """Return `start` and the arguments one after the other of a table (n, 3) in which -1 stands for none."""
    given = args >= 0
    return np.concatenate([[0], np.cumsum(given.sum(axis=1))]), args[given]
