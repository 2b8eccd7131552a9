"""Find who does the same thing: sums of any length, then colour refinement, until all scalars of a colour are alike.

A colour is a 64-bit hash of the operation, of the set of the colours of the arguments and of that of the users. Sets,
not multisets: a number at the border of a convolution has fewer users than one inside, and still is of its family.
Equal hashes are checked, not believed. Source: Weisfeiler and Leman (1968); for programs, this is partition refinement.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from .levels import distinct, edges, find_levels, group, ranges, starts_run
from .program import CODE, CONSTANT, REDUCTIONS, SUM, Families, Floats, Ints, ScalarProgram, SumProgram

Hashes = np.ndarray[tuple[int, ...], np.dtype[np.uint64]]
_KEY_BITS = np.uint64(40)  # of a hash; the other 24 count the rows of a level
_KEY_REST, _KEY_MASK = np.uint64(24), np.uint64((1 << 40) - 1)
_SHIFTS, _FACTORS = np.array([30, 27, 31], np.uint64), np.array([0xBF58476D1CE4E5B9, 0x94D049BB133111EB], np.uint64)
_BELOW, _ABOVE = np.uint64(3), np.uint64(5)
FEW = 80  # families, of which fewer are not sought
MOST_OF_A_BATCH = 1000  # families of a program for one sample, which has few scalars, and is slow without regularity
ATTEMPTS = 4  # with other hashes, should two have met


def find_sums(program: ScalarProgram) -> SumProgram:
    """Let each sum whose only use is another sum dissolve into it, and order the rows by level; so with maxima.

    A sum over samples takes in the sum that it adds up, but is not taken in itself.
    """
    rows, op = np.arange(len(program.op)), program.op.copy()
    for name, reduction in REDUCTIONS.items():
        op[program.op == CODE[name]] = reduction
    start, args = edges(program.args)
    user = np.repeat(rows, np.diff(start))
    uses = np.bincount(args, minlength=len(rows))
    uses[program.outputs] += 1
    root = rows.copy()  # of a sum: the one into which it dissolves
    dissolves = np.isin(op, list(REDUCTIONS.values())) & (program.op != SUM) & (uses == 1)
    closes = np.where(program.op == SUM, program.value, 0.0).astype(np.int64)
    batch = np.where(program.op == SUM, closes, program.batch)
    inner = dissolves[args] & (op[args] == op[user]) & (batch[args] == batch[user])
    root[args[inner]] = user[inner]
    while not np.array_equal(root, root[root]):
        root = root[root]
    lone = program.op == CODE["maximum"]  # where the sign of a zero goes by which comes first
    lone[root[user[inner]]] = False
    op[lone] = CODE["maximum"]
    order = np.argsort(root[user[~inner]], kind="stable")
    user, args = root[user[~inner]][order], args[~inner][order]
    kept = np.flatnonzero(root == rows)
    new = (np.cumsum(root == rows) - 1)[root]
    return _by_level(op[kept], program.value[kept], program.batch[kept], new[user], new[args], new, program)


def _by_level(
    op: Ints, value: Floats, batch: Ints, user: Ints, args: Ints, new: Ints, program: ScalarProgram | SumProgram
) -> SumProgram:
    """Return the rows in the order of their levels; `new` says which row stands for each of `program`."""
    count = np.bincount(user, minlength=len(op))
    start = np.concatenate([[0], np.cumsum(count)])
    level = find_levels(start, args)
    order, levels = group(level, int(level.max(initial=0)) + 1)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return SumProgram(
        op[order],
        np.concatenate([[0], np.cumsum(count[order])]),
        place[args[ranges(start[order], count[order])]],
        value[order],
        levels,
        np.where(program.inputs >= 0, place[new[program.inputs]], -1) if len(op) else program.inputs,
        place[new[program.outputs]],
        program.labels,
        batch[order],
        program.given,
        program.wanted,
    )


def find_families(program: SumProgram) -> Families:
    """Return the coarsest families found: by colour with each constant its own or all alike; or, without any, by level.

    Constants that are data, such as labels, would split what uses them: if colours without them are much fewer,
    they count as alike. So does what is a sum in one place and a single number in another, such as the first token's
    look back at itself: if sums of one make fewer families, they are put in. Where most colours have a single member,
    the families are those of (level, operation).
    """
    families = _by_colour(program, constants_alike=False)
    many = max(FEW, 4 * len(program.levels) // 3)  # a level is a family at least
    if families.count > many and (program.op == CONSTANT).sum() > 1:
        families = _fewer(families, _by_colour(program, constants_alike=True))
    if families.count > many and (single := with_single_sums(program)) is not program:
        families = _fewer(families, _by_colour(single, constants_alike=False))
        families = _fewer(families, _by_colour(single, constants_alike=True))
    most = MOST_OF_A_BATCH if program.batch.any() else 64
    if families.count > max(most, len(program.op) // 4):
        return _by_operation(program)
    return families


def family_of_rows(program: ScalarProgram) -> Ints:
    """Return the family of each row of a program, whatever its constants are; a sum goes with what it dissolves into.

    Rows of the same family do the same operation; where there is no regularity, that and their level is all.
    """
    every = replace(program, inputs=np.arange(len(program.op)), labels=("",) * len(program.op))  # so each is followed
    families = _by_colour(find_sums(every), constants_alike=True)
    if families.count > max(64, len(program.op) // 4):
        families = _by_operation(families.scalars)
    rows: Ints = families.family[families.scalars.inputs]
    return rows


def _fewer(families: Families, others: Families) -> Families:
    return others if 4 * others.count < 3 * families.count else families


def with_single_sums(program: SumProgram) -> SumProgram:
    """Return the program with sums of one where rows that otherwise do the same read a sum in one, a number in another.

    What is otherwise the same is told by colours for which a sum of alike numbers has the colour of one of them. The
    outputs count as one more row, that reads them all.
    """
    size, inner = len(program.op), len(program.args)
    user = np.append(np.repeat(np.arange(size), np.diff(program.start)), np.full(len(program.outputs), size))
    read = np.append(program.args, program.outputs)
    place = np.append(_Side.of_arguments(program).place, np.zeros(len(program.outputs), dtype=np.int64))
    colour, op = np.append(_colours_without_sums(program), np.uint64(0)), np.append(program.op, CONSTANT)
    _, kind = np.unique(_mix(colour[user] * np.uint64(3) + _mix(colour[read] + place.astype(np.uint64))),
                        return_inverse=True)  # fmt: skip
    plain = np.append((program.op == SUM) & (program.value == 0.0), False)  # sums that close no batch
    mixed = np.bincount(kind, weights=plain[read]) > 0
    chosen = np.flatnonzero(mixed[kind] & (op[read] != SUM) & (op[read] != CONSTANT))
    if not chosen.size:
        return program
    in_sum, batch = op[user[chosen]] == SUM, program.batch[read[chosen]]  # in a sum, all of one kind become one sum
    owner = np.where(in_sum, user[chosen], read[chosen])
    groups = np.column_stack([owner, np.where(in_sum, kind[chosen], -1)])
    _, first, group_of = np.unique(groups, axis=0, return_index=True, return_inverse=True)
    group_of = group_of.reshape(-1)
    parts = np.column_stack([size + group_of, read[chosen]])
    parts = np.concatenate([parts[in_sum], np.unique(parts[~in_sum], axis=0)])
    read[chosen] = size + group_of
    once = np.ones(len(read), dtype=bool)  # a sum reads each of its new parts once
    once[chosen[in_sum]] = False
    once[chosen[np.unique(group_of, return_index=True)[1]]] = True
    lines = np.concatenate([np.column_stack([user, read])[:inner][once[:inner]], parts])
    made = np.append(np.arange(size), owner[first] + 0.5).argsort(kind="stable")  # beside what they belong to
    new = np.empty_like(made)
    new[made] = np.arange(len(made))
    lines = new[lines]
    lines = lines[np.argsort(lines[:, 0], kind="stable")]
    value = np.append(program.value, np.zeros(len(first)))[made]
    op = np.append(program.op, np.full(len(first), SUM, dtype=program.op.dtype))[made]
    batch = np.append(program.batch, batch[first])[made]
    return _by_level(op, value, batch, lines[:, 0], lines[:, 1], new, replace(program, outputs=read[inner:]))


def _colours_without_sums(program: SumProgram) -> Hashes:
    below = _Side.of_arguments(program)
    colour = _mix(program.kind.astype(np.uint64) + np.uint64(1 << 40))
    for first, last in zip(program.levels[1:-1].tolist(), program.levels[2:].tolist(), strict=True):
        read = colour[below.other[below.start[first] : below.start[last]]]
        begin = below.start[first:last] - below.start[first]
        alike = np.minimum.reduceat(read, begin) == np.maximum.reduceat(read, begin)
        mixed = _mix(colour[first:last] * _BELOW + below.sets(colour, first, last))
        plain = (program.op[first:last] == SUM) & (program.value[first:last] == 0.0)
        colour[first:last] = np.where(alike & plain, read[begin], mixed)
    return colour


def _by_colour(program: SumProgram, constants_alike: bool) -> Families:
    for seed in range(1, ATTEMPTS + 1):
        families = _numbered(program, _refine(program, seed, constants_alike), regular=True)
        if _equitable(families):
            return families
    return _by_operation(program)


def _by_operation(program: SumProgram) -> Families:
    level = np.repeat(np.arange(len(program.levels) - 1), np.diff(program.levels))
    return _numbered(program, (level << 32) + program.kind, regular=False)


def _numbered(program: SumProgram, colour: Ints | Hashes, regular: bool) -> Families:
    """Return colours numbered in the order of their first rows, so arguments come first; all constants are family 0."""
    if not len(colour):
        return Families(program, np.zeros(0, dtype=np.int64), 1, regular)
    _, first, which = np.unique(colour, return_index=True, return_inverse=True)
    first[np.isin(np.arange(len(first)), which[program.op == CONSTANT])] = -1
    _, number = np.unique(first, return_inverse=True)
    shift = 0 if (program.op == CONSTANT).any() else 1
    return Families(program, number[which] + shift, int(number.max()) + 1 + shift, regular)


def _equitable(families: Families) -> bool:
    """Return whether all members of each family do the same operation and read the same families, each at its place."""
    side = _Side.of_arguments(families.scalars)
    family = families.family.astype(np.int64)
    kind = families.scalars.kind
    first = np.zeros(families.count, dtype=np.int64)
    first[family] = kind
    if (first[family] != kind).any():
        return False
    rows = np.repeat(np.arange(len(family)), np.diff(side.start))
    places = int(side.place.max(initial=0)) + 1
    read = distinct((rows * places + side.place) * families.count + family[side.other])  # a set for each row
    kinds = family[read // (places * families.count)] * (places * families.count) + read % (places * families.count)
    kinds, members = np.unique(kinds, return_counts=True)
    size = np.bincount(family, minlength=families.count)
    return bool((members == size[kinds // (places * families.count)]).all())


@dataclass(frozen=True, eq=False)
class _Side:
    """The neighbours of each row on one side, arguments or users: `other`, and the argument position they meet at."""

    start: Ints
    other: Ints
    place: Ints

    @cached_property
    def owner(self) -> Hashes:
        """The row that each neighbour is one of."""
        return np.repeat(np.arange(len(self.start) - 1, dtype=np.uint64), np.diff(self.start))

    @cached_property
    def salt(self) -> Hashes:
        """What makes a colour another one at each place."""
        salts: Hashes = self.place.astype(np.uint64) * np.uint64(0x9E37)
        return salts

    @staticmethod
    def of_arguments(program: SumProgram) -> _Side:
        """Return what each row reads; the arguments of a sum are all at place 0."""
        place = np.arange(len(program.args)) - np.repeat(program.start[:-1], np.diff(program.start))
        reduces = np.repeat(program.reduces, np.diff(program.start))
        return _Side(program.start, program.args, np.where(reduces, 0, place + 1))

    @staticmethod
    def of_users(program: SumProgram) -> _Side:
        """Return who reads each row."""
        user = np.repeat(np.arange(len(program.op)), np.diff(program.start))
        order, start = group(program.args, len(program.op))
        return _Side(start, user[order], _Side.of_arguments(program).place[order])

    def sets(self, colour: Hashes, first: int, last: int) -> Hashes:
        """Return a hash of the set of (colour, place) of the neighbours for each of the rows first to last."""
        out = np.zeros(last - first, dtype=np.uint64)
        begin, end = self.start[first], self.start[last]
        if begin == end:
            return out
        row = self.owner[begin:end] - np.uint64(first)
        key = _mix(colour[self.other[begin:end]] + self.salt[begin:end])
        both = np.sort((row << _KEY_BITS) | (key >> _KEY_REST))
        both = both[starts_run(both)]  # each neighbour's colour once
        row = both >> _KEY_BITS
        new = np.flatnonzero(starts_run(row))
        out[row[new].astype(np.int64)] = np.add.reduceat(_mix(both & _KEY_MASK), new)
        return out


def _refine(program: SumProgram, seed: int, constants_alike: bool) -> Hashes:
    below, above = _Side.of_arguments(program), _Side.of_users(program)
    constant = program.op == CONSTANT
    colour = _mix(program.kind.astype(np.uint64) + np.uint64(seed << 32))
    if not constants_alike:
        colour = np.where(constant, _mix(program.value.view(np.uint64) + colour), colour)
    levels = list(zip(program.levels[:-1].tolist(), program.levels[1:].tolist(), strict=True))
    count, before = distinct(colour).size, 0
    while count > before:
        for first, last in levels[1:]:
            colour[first:last] = _mix(colour[first:last] * _BELOW + below.sets(colour, first, last))
        for first, last in reversed(levels):
            mixed = _mix(colour[first:last] * _ABOVE + above.sets(colour, first, last))
            colour[first:last] = np.where(constant[first:last], colour[first:last], mixed)
        count, before = distinct(colour).size, count
    return colour


def _mix(hashes: Hashes) -> Hashes:
    """Return the bits well stirred. Source: Steele, Lea and Flood, SplitMix (2014)."""
    out: Hashes = hashes >> _SHIFTS[0]
    out ^= hashes
    out *= _FACTORS[0]
    out ^= out >> _SHIFTS[1]
    out *= _FACTORS[1]
    out ^= out >> _SHIFTS[2]
    return out
