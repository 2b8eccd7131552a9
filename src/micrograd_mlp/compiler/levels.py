"""Which scalars of a graph can be computed together: the level of each is the longest way to it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from .program import Ints

THIN = 24  # rows of a level, up to which a loop over them is quicker than NumPy


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
    views = [array.data for array in (first, users, waiting, level)]
    frontier: Ints = np.flatnonzero(count == 0)
    while frontier.size:
        if frontier.size <= THIN:
            frontier, depth = _climb(frontier, depth, *views)
            continue
        level[frontier] = depth
        met = np.sort(users[ranges(first[frontier], uses[frontier])])
        new = np.flatnonzero(starts_run(met))
        rows = met[new]
        waiting[rows] -= np.diff(new, append=met.size)
        frontier = rows[waiting[rows] == 0]
        depth += 1
    return level


def _climb(frontier: Ints, depth: int, first: Any, users: Any, waiting: Any, level: Any) -> tuple[Ints, int]:
    """Do the same one by one, which is quicker for few rows, until there are many; return these and their level."""
    rows = frontier.tolist()
    while 0 < len(rows) <= 2 * THIN:
        following = []
        for row in rows:
            level[row] = depth
            for user in users[first[row] : first[row + 1]]:
                waiting[user] = left = waiting[user] - 1
                if not left:
                    following.append(user)
        rows, depth = following, depth + 1
    return np.array(rows, dtype=np.int64), depth


def stretches(start: Ints) -> Iterator[tuple[int, int, bool]]:
    """Yield (first, last, thin) of the levels from start[l] to start[l + 1], those of few rows in a row as one."""
    thin = np.diff(start) <= THIN
    alone = np.ones(len(start), dtype=bool)
    alone[1:-1] = ~(thin[1:] & thin[:-1])
    edges = np.flatnonzero(alone)
    for first, last in pairwise(edges.tolist()):
        yield int(start[first]), int(start[last]), bool(thin[first])


def edges(args: Ints) -> tuple[Ints, Ints]:
    """Return `start` and the arguments one after the other of a table (n, 3) in which -1 stands for none."""
    given = args >= 0
    return np.concatenate([[0], np.cumsum(given.sum(axis=1))]), args[given]
