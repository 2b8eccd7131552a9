"""Make less to compute, with the same result: IEEE 754 holds, so x * 0 stays. Only x + 0 is x, also where x is -0."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..ops import TABLE
from .levels import THIN, distinct, edges, find_levels, group, stretches
from .program import CODE, CONSTANT, INPUT, NAMES, SUM, Floats, Ints, ScalarProgram

_MIX = np.array([0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0xD6E8FEB86659FD93, 1], np.uint64).view(
    np.int64
)
_COMMUTE = (CODE["add"], CODE["mul"])


def simplify(program: ScalarProgram) -> ScalarProgram:
    """Return a program with the same outputs: constants folded, equal subexpressions shared, nothing idle left."""
    return drop_dead(share(fold(program)))


def fold(program: ScalarProgram) -> ScalarProgram:
    """Replace what is a constant by it, and x * 1, x + 0, x - 0, x / 1, x ** 1, --x, detach x, where(1, x, y) by x."""
    op, value, args, batch = program.op.copy(), program.value.copy(), program.args.copy(), program.batch.copy()
    rows = np.arange(len(op))
    same = np.append(rows, -1)  # same[-1] is -1: no argument
    while True:  # a few rounds: what is folded makes few other rows constant
        args = same[args]
        known = (args >= 0) & (op[args] == CONSTANT)
        constant = np.flatnonzero((known | (args < 0)).all(axis=1) & (args[:, 0] >= 0) & (op != SUM))
        if constant.size:
            value[constant] = _compute(op[constant], value[args[constant]])
            op[constant], args[constant], batch[constant] = CONSTANT, -1, 0
        target = _shortcut(op, args, known, value)
        found = (target >= 0) & (same[:-1] == rows)
        same[:-1][found] = target[found]
        while not np.array_equal(same, same[same]):
            same = same[same]
        if not found.any() and not constant.size:
            folded = replace(program, op=op, args=args.astype(np.int32), value=value, batch=batch)
            return replace(folded, outputs=same[program.outputs])


def _compute(op: Ints, numbers: Floats) -> Floats:
    kinds, which = np.unique(np.column_stack([op, numbers.view(np.int64)]), axis=0, return_inverse=True)
    results = []
    for code, *bits in kinds:  # distinct ones only
        operation = TABLE[NAMES[code]]
        results.append(operation.forward(*np.array(bits).view(np.float64)[: len(operation.partials)].tolist()))
    return np.array(results)[which.reshape(-1)]


def _shortcut(op: Ints, args: Ints, known: Ints, value: Floats) -> Ints:
    """Return for each row the row with the same value, or -1."""
    target = np.full(len(op), -1)

    def let(name: str, place: int, number: float | None, becomes: int) -> None:
        rows = np.flatnonzero(op == CODE[name])
        if number is not None:
            rows = rows[known[rows, place] & (value[args[rows, place]] == number)]
        target[rows] = args[rows, becomes]

    for name, place, number, becomes in (
        ("mul", 1, 1.0, 0), ("mul", 0, 1.0, 1), ("add", 1, 0.0, 0), ("add", 0, 0.0, 1), ("sub", 1, 0.0, 0),
        ("div", 1, 1.0, 0), ("pow", 1, 1.0, 0), ("detach", 0, None, 0), ("where", 0, 0.0, 2),
    ):  # fmt: skip
        let(name, place, number, becomes)
    rows = np.flatnonzero(op == CODE["where"])
    test, b, c = args[rows].T
    chosen = (known[rows, 0] & (value[test] != 0.0)) | (b == c)
    target[rows[chosen]] = b[chosen]
    rows = np.flatnonzero(op == CODE["neg"])
    rows = rows[op[args[rows, 0]] == CODE["neg"]]
    target[rows] = args[args[rows, 0], 0]
    return target


def share(program: ScalarProgram) -> ScalarProgram:
    """Let rows that do the same with the same arguments be one; a + b and b + a are the same."""
    args, same = program.args, np.append(np.arange(len(program.op)), -1)
    what = np.where(np.isin(program.op, (CONSTANT, SUM)), program.value.view(np.int64), program.batch)
    what = np.where(program.op == INPUT, np.arange(len(program.op)), what)
    commutes = np.isin(program.op, _COMMUTE)
    level = find_levels(*edges(program.args))
    order, start = group(level, int(level.max(initial=0)) + 1)
    for first, last, thin in stretches(start):  # equal rows are of one level
        rows = order[first:last]
        if thin:
            _share_one_by_one(rows, args[rows], program.op[rows], what[rows], same.data)
            continue
        read = same[args[rows]]
        swap = commutes[rows] & (read[:, 0] > read[:, 1])
        read[swap, :2] = read[swap, 1::-1]
        keys = np.column_stack([read, program.op[rows], what[rows]])
        if distinct(keys @ _MIX).size == len(rows):
            continue  # different hashes: different rows
        order_of_keys = np.lexsort((rows, *keys.T))
        new = np.append(True, (keys[order_of_keys[1:]] != keys[order_of_keys[:-1]]).any(axis=1))
        same[rows[order_of_keys]] = rows[order_of_keys][new][np.cumsum(new) - 1]
    return replace(program, args=same[args].astype(np.int32), outputs=same[program.outputs])


def _share_one_by_one(rows: Ints, args: Ints, op: Ints, what: Ints, same: Any) -> None:
    """Let equal rows be one, `same` of each, level after level; `args` and the others are theirs."""
    known: dict[tuple[int, ...], int] = {}
    lines = zip(rows.tolist(), args.tolist(), op.tolist(), what.tolist(), strict=True)
    for row, (a, b, c), code, own in lines:
        reads = same[a], same[b], same[c]
        if code in _COMMUTE and reads[0] > reads[1]:
            reads = reads[1], reads[0], reads[2]
        same[row] = known.setdefault((*reads, code, own), row)


def drop_dead(program: ScalarProgram) -> ScalarProgram:
    """Drop every row that no output needs."""
    live, frontier = np.zeros(len(program.op), dtype=bool), distinct(program.outputs)
    while frontier.size:
        if frontier.size <= THIN:
            frontier = _descend(frontier, program.args, live.data)
            continue
        live[frontier] = True
        read = program.args[frontier]
        frontier = distinct(read[(read >= 0) & ~live[read]])
    new = np.append(np.where(live, np.cumsum(live) - 1, -1), -1)
    return replace(
        program,
        op=program.op[live],
        args=new[program.args[live]].astype(np.int32),
        value=program.value[live],
        batch=program.batch[live],
        inputs=new[program.inputs],
        outputs=new[program.outputs],
    )


def _descend(frontier: Ints, args: Ints, live: Any) -> Ints:
    """Mark what is needed one by one, which is quicker for few rows, until there are many; return these."""
    rows, table = set(frontier.tolist()), args.data
    while 0 < len(rows) <= 2 * THIN:
        for row in rows:
            live[row] = True
        read = {table[row, place] for row in rows for place in (0, 1, 2)}
        rows = {row for row in read if row >= 0 and not live[row]}
    return np.array(sorted(rows), dtype=np.int64)
