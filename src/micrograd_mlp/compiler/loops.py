"""Decide in which loops the statements of a program run: which together, in what order, and what has to be stored.

Statements over the same points are computed together, point by point, in a nest of loops; a result that only its own
nest reads is never stored. What a batch has for each sample is computed for a tile of samples at a time, from the first
of its statements to the last: such a sequence of nests is a region. A tile lies in rows, one row a number, with the
samples side by side, so that each instruction works on several of them; sums over samples are kept for each lane, and
added up across the lanes at the end of the region. All else are plain nests, before, between and after the regions.
Of a block of statements that comes many times in a row, as the steps of a recurrence do, there are the nests once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from math import prod

from .program import ANYWHERE, Array, ArrayProgram, Operand, Statement, Term
from .repeats import find_repeats

FEW = 4  # times that a number is written out in a sum
MANY = 100  # terms, from which on a sum is a loop over them


@dataclass(frozen=True, eq=False)
class Nest:
    """Statements that are computed together for each point within the extents, and those of their results to store.

    Of a batch, the axis of samples is not among the extents. A nest that `closes` adds up over the samples. Those of
    one `block` repeat together; 0 stands for none.
    """

    extents: tuple[int, ...]
    statements: tuple[Statement, ...]
    stored: frozenset[int]
    closes: bool = False
    block: int = 0


@dataclass(frozen=True, eq=False)
class Region:
    """Nests that run one after the other, for a tile of the batch after another if there is a `batch`.

    `inputs` are the arrays of the batch that are computed before, `outputs` those that are needed after the region.
    Of a block that repeats there are the nests of its first turn; for the result of each of their statements, `turns`
    are the statements that take its place, turn by turn.
    """

    batch: int
    nests: tuple[Nest, ...]
    inputs: tuple[int, ...] = ()
    outputs: tuple[int, ...] = ()
    turns: Mapping[int, tuple[Statement, ...]] = field(default_factory=dict)

    def blocks(self) -> Iterator[tuple[int, list[tuple[int, Nest]]]]:
        """Yield how often they run, and the nests with their places, of each block and of each nest that is in none."""
        for block, nests in groupby(enumerate(self.nests), key=lambda numbered: numbered[1].block):
            if block:
                inside = list(nests)
                yield len(self.turns[inside[0][1].statements[0].out]), inside
            else:
                yield from ((1, [numbered]) for numbered in nests)

    def steps(self) -> Iterator[tuple[int, int, Nest, list[Statement]]]:
        """Yield (turn, place, nest, its statements in this turn) of all nests, in the order in which they run."""
        for times, nests in self.blocks():
            for turn in range(times):
                for place, nest in nests:
                    yield turn, place, nest, [self.all_of(s)[turn] for s in nest.statements]

    def all_of(self, statement: Statement) -> tuple[Statement, ...]:
        """Return the statement in all turns."""
        return self.turns.get(statement.out, (statement,))

    @property
    def results(self) -> tuple[int, ...]:
        """All arrays that the region stores: rows of a tile, and sums over samples."""
        stored = (s for nest in self.nests for s in nest.statements if s.out in nest.stored)
        return tuple(each.out for s in stored for each in self.all_of(s))

    @property
    def sums(self) -> tuple[int, ...]:
        """The arrays that are sums over samples."""
        return tuple(s.out for nest in self.nests if nest.closes for s in nest.statements)


@dataclass(frozen=True, eq=False)
class LoopProgram:
    """The statements of `arrays` in regions."""

    arrays: ArrayProgram
    regions: tuple[Region, ...]

    def check(self) -> None:
        """Raise ValueError where a statement is missing, or reads what was not stored before."""
        self.arrays.check()
        planned = [s.out for region in self.regions for *_, statements in region.steps() for s in statements]
        computed = {s.out for s in self.arrays.statements}
        _require(sorted(planned) == sorted(computed), "not every statement is in one nest")
        ready = set(range(len(self.arrays.arrays))) - computed
        for region in self.regions:
            here = set(region.inputs)  # rows of the tile
            for _, _, nest, statements in region.steps():
                own = self._check_turn(nest, statements, here, ready)
                _require(nest.stored <= set(own), "a nest stores what it does not compute")
                stored = {own[out] for out in nest.stored if self.arrays.arrays[own[out]].batch or not region.batch}
                (here if region.batch else ready).update(stored)
            _require(set(region.outputs) <= here, "a region has outputs that it does not store")
            ready |= set(region.outputs) | set(region.sums)

    def _check_turn(self, nest: Nest, statements: list[Statement], here: set[int], ready: set[int]) -> dict[int, int]:
        """Check the statements of a nest in one turn; return their results by those in the first turn."""
        own: dict[int, int] = {}
        point: set[int] = set()
        for first, statement in zip(nest.statements, statements, strict=True):
            for model, read in zip(first.reads, statement.reads, strict=True):
                source = read.source
                alike = own.get(model.source) == source if model.source in own else source not in point
                _require(alike, f"{statement.out} reads {source} of its nest, other than in the first turn")
                batched = source != ANYWHERE and self.arrays.arrays[source].batch > 0
                known = source == ANYWHERE or model.source in own or source in (here if batched else ready)
                _require(known, f"{statement.out} reads {source} too early")
            own[first.out] = statement.out
            point.add(statement.out)
        return own


def plan_loops(program: ArrayProgram, *, repeats: bool = False) -> LoopProgram:
    """Return the program with its statements in regions and nests, each as early as can be.

    With `repeats`, steps of a recurrence become turns of one region, if they are many; else all is written out.
    """
    program = split_sums(program)
    phases = sorted(_phases(program).items())
    regions = [_region(program, batch, statements, repeats) for (_, batch), statements in phases]
    return LoopProgram(program, tuple(_with_ends(program, regions)))


def closed_batch(program: ArrayProgram, statement: Statement) -> int:
    """Return the batch over whose samples a statement adds up, 0 for none."""
    return max((program.axes[axis].batch for term in statement.terms for axis in term.axes), default=0)


def has_loop(statement: Statement) -> bool:
    """Say whether each result of a statement takes a loop, over what it sums."""
    return len(statement.terms) >= MANY or any(term.axes or term.offsets is not None for term in statement.terms)


def split_sums(program: ArrayProgram) -> ArrayProgram:
    """Let what adds up over samples be a sum of its own, and write x + x for a sum of x over a short axis."""
    arrays, statements = list(program.arrays), []
    for statement in program.statements:
        terms = tuple(short for term in statement.terms for short in _without_idle(program, statement, term))
        statement = replace(statement, terms=terms)  # noqa: PLW2901
        over = [term for term in statement.terms if any(program.axes[axis].batch for axis in term.axes)]
        rest = [term for term in statement.terms if term not in over]
        if over and rest:
            name, size = f"{arrays[statement.out].name}'", arrays[statement.out].size
            arrays.append(Array(name, size, statement.axes))
            own = Operand(len(arrays) - 1, 0, _own_strides(program.extents(statement.axes)))
            statements.append(Statement(len(arrays) - 1, statement.op, statement.axes, (), tuple(over)))
            statement = replace(statement, terms=(*rest, Term((own,))))  # noqa: PLW2901
        statements.append(statement)
    return replace(program, arrays=tuple(arrays), statements=tuple(statements))


def _without_idle(program: ArrayProgram, statement: Statement, term: Term) -> list[Term]:
    """Return the term as often as it is summed over an axis that it does not walk along, if that is not often."""
    depth = len(statement.axes)
    for place, axis in enumerate(term.axes):
        extent, at = program.axes[axis].extent, depth + place
        walks = any(factor.index is not None or factor.strides[at] for factor in term.factors)
        if term.offsets is None and not walks and 0 < extent <= FEW and statement.op == "sum":
            factors = tuple(replace(f, strides=f.strides[:at] + f.strides[at + 1 :]) for f in term.factors)
            axes = term.axes[:place] + term.axes[place + 1 :]
            return _without_idle(program, statement, Term(factors, axes)) * extent
    return [term]


def _own_strides(extents: Sequence[int]) -> tuple[int, ...]:
    return tuple(prod(extents[d + 1 :]) for d in range(len(extents)))


def _phases(program: ArrayProgram) -> dict[tuple[int, int], list[Statement]]:
    """Return the statements of each (phase, batch): even phases are plain, in odd ones tiles are computed."""
    phase: dict[int, int] = {}
    latest: dict[tuple[int, bool], int] = {}  # phase of those of a batch, and of those that close it
    out: dict[tuple[int, int], list[Statement]] = defaultdict(list)
    sums = {s.out for s in program.statements if closed_batch(program, s)}
    for statement in program.statements:
        batch = program.arrays[statement.out].batch or closed_batch(program, statement)
        earliest = 1 if batch else 0
        for source in (read.source for read in statement.reads if read.source in phase):
            same = program.arrays[source].batch == batch and source not in sums
            earliest = max(earliest, phase[source] + (0 if same else 1))
        if any(read.source == ANYWHERE for read in statement.reads):
            ends = [last + (0 if kind == (batch, False) else 1) for kind, last in latest.items()]
            earliest = max(earliest, *ends) if ends else earliest
        phase[statement.out] = earliest + ((earliest & 1) != (batch > 0))
        kind = program.arrays[statement.out].batch, statement.out in sums
        latest[kind] = max(latest.get(kind, 0), phase[statement.out])
    _postpone(program, phase)
    for statement in program.statements:
        batch = program.arrays[statement.out].batch or closed_batch(program, statement)
        out[phase[statement.out], batch].append(statement)
    return out


def _postpone(program: ArrayProgram, phase: dict[int, int]) -> None:
    """Let plain element-wise statements wait for the phase that needs them, if it is one only."""
    needed: dict[int, set[int]] = defaultdict(set)
    for array in program.outputs[:, 0].tolist():
        needed[array].add(-1)
    for statement in reversed(program.statements):
        plain = not statement.terms and phase[statement.out] % 2 == 0
        if plain and len(needed[statement.out]) == 1 and not needed[ANYWHERE]:
            (later,) = needed[statement.out]
            phase[statement.out] = later if later > 0 and later % 2 == 0 else phase[statement.out]
        for read in statement.reads:
            needed[read.source].add(phase[statement.out])


def _region(program: ArrayProgram, batch: int, statements: list[Statement], repeats: bool) -> Region:
    """Return a region with its statements in nests. Sums over samples come behind all else, if there are blocks."""
    own = [statement for statement in statements if not closed_batch(program, statement)]
    found = find_repeats(program, own) if repeats else []
    if not found:
        return Region(batch, tuple(_nests(program, batch, statements)))
    nests: list[Nest] = []
    turns: dict[int, tuple[Statement, ...]] = {}
    done = 0
    for number, each in enumerate(found, 1):
        nests += _nests(program, batch, own[done : each.first])
        block = [_apart(statement) for statement in own[each.first : each.first + each.size]]
        nests += [replace(nest, block=number) for nest in _nests(program, batch, block)]
        for place, statement in enumerate(block, each.first):
            turns[statement.out] = (statement, *own[place + each.size : each.end : each.size])
        done = each.end
    nests += _nests(program, batch, own[done:])
    nests += _nests(program, batch, [statement for statement in statements if closed_batch(program, statement)])
    return Region(batch, tuple(nests), turns=turns)


def _apart(statement: Statement) -> Statement:
    """Return a statement that has an operand of its own for each read: two may be equal in one turn alone."""
    terms = tuple(replace(term, factors=tuple(map(replace, term.factors))) for term in statement.terms)
    return replace(statement, operands=tuple(map(replace, statement.operands)), terms=terms)


def _nests(program: ArrayProgram, batch: int, statements: list[Statement]) -> list[Nest]:
    """Return the statements in nests, each in the first one that it fits in."""
    nests: list[tuple[tuple[int, ...], bool, list[Statement]]] = []
    where: dict[int, int] = {}
    for statement in statements:
        closes = closed_batch(program, statement) > 0
        extents = tuple(e for axis, e in zip(statement.axes, program.extents(statement.axes), strict=True)
                        if not program.axes[axis].batch)  # fmt: skip
        alone = has_loop(statement) and not batch
        earliest = 0
        for read in statement.reads:
            for source in where if read.source == ANYWHERE else [read.source]:
                if source in where:
                    apart = closes or not _pointwise(program, read, statement)
                    earliest = max(earliest, where[source] + apart)
        fitting = [place for place in range(earliest, len(nests)) if nests[place][:2] == (extents, closes)]
        open_ones = [] if alone else [place for place in fitting if not _is_alone(nests[place][2], batch)]
        place = min(open_ones, default=len(nests))
        if place == len(nests):
            nests.append((extents, closes, []))
        nests[place][2].append(statement)
        where[statement.out] = place
    _sink(program, batch, nests, where)
    return [Nest(extents, tuple(inside), frozenset(), closes) for extents, closes, inside in nests if inside]


def _is_alone(statements: list[Statement], batch: int) -> bool:
    return not batch and any(map(has_loop, statements))


def _pointwise(program: ArrayProgram, read: Operand, statement: Statement) -> bool:
    """Say whether a statement reads for each of its points the same point of the source."""
    if read.index is not None or read.source == ANYWHERE:
        return False
    source = program.arrays[read.source]
    if source.batch != program.arrays[statement.out].batch:
        return False
    extents = program.extents(statement.axes)
    own = _own_strides(extents) if not source.batch else (source.size, *_own_strides(extents[1:]))
    depth = len(own)
    same = all(s == o or e == 1 for s, o, e in zip(read.strides[:depth], own, extents, strict=True))
    return (
        same and read.offset == 0 and not any(read.strides[depth:]) and source.size == prod(extents[source.batch > 0 :])
    )


def _sink(
    program: ArrayProgram, batch: int, nests: list[tuple[tuple[int, ...], bool, list[Statement]]], where: dict[int, int]
) -> None:
    """Move what is cheap and used in one later nest only into that nest, where it need not be stored."""
    users: dict[int, list[tuple[int, bool]]] = defaultdict(list)
    wanted = {int(array) for array in program.outputs[:, 0]}
    inside = set(where)
    for statement in program.statements:
        for read in statement.reads:
            if statement.out in inside:
                users[read.source].append((statement.out, _pointwise(program, read, statement)))
            else:
                wanted.add(read.source)
                if read.source == ANYWHERE:
                    wanted |= inside
    for place in reversed(range(len(nests))):
        extents, closes, statements = nests[place]
        for statement in reversed(list(statements)):
            targets = {where[user] for user, _ in users[statement.out]}
            if closes or statement.terms or statement.out in wanted or len(targets) != 1 or ANYWHERE in users:
                continue
            (target,) = targets
            reads = {read.source for read in statement.reads} & inside
            free = all(len({where[user] for user, _ in users[source]} | {where[source]}) > 1 or where[source] == target
                       or _is_stored(source, users, where) for source in reads)  # fmt: skip
            fits = nests[target][:2] == (extents, False) and not _is_alone(nests[target][2], batch)
            if target > place and fits and free and all(pointwise for _, pointwise in users[statement.out]):
                statements.remove(statement)
                nests[target][2].insert(0, statement)
                where[statement.out] = target


def _is_stored(source: int, users: dict[int, list[tuple[int, bool]]], where: dict[int, int]) -> bool:
    return any(where[user] != where[source] or not pointwise for user, pointwise in users[source])


def _with_ends(program: ArrayProgram, regions: Sequence[Region]) -> Iterable[Region]:
    """Yield the regions with what each has to store, and what tiles take from and give to others."""
    readers: dict[int, set[tuple[int, int, int]]] = defaultdict(set)  # array: the (region, nest, turn) that read it
    for number, region in enumerate(regions):
        for turn, place, _, statements in region.steps():
            for statement in statements:
                for read in statement.reads:
                    readers[read.source].add((number, place, turn))
    wanted, anywhere = {int(array) for array in program.outputs[:, 0]}, readers[ANYWHERE]
    last = max((number for number, *_ in anywhere), default=-1)

    def is_needed(out: int, own: tuple[int, int, int]) -> bool:
        return out in wanted or any(reader != own for among in (readers[out], anywhere) for reader in among)

    for number, region in enumerate(regions):
        everything = [statement for *_, statements in region.steps() for statement in statements]
        made = {statement.out for statement in everything}
        stored: list[set[int]] = [set() for _ in region.nests]
        for turn, place, nest, statements in region.steps():
            for first, statement in zip(nest.statements, statements, strict=True):
                if nest.closes or is_needed(statement.out, (number, place, turn)):
                    stored[place].add(first.out)
        nests = tuple(replace(n, stored=frozenset(outs)) for n, outs in zip(region.nests, stored, strict=True))
        if not region.batch:
            yield replace(region, nests=nests)
            continue
        batched = [a for a, array in enumerate(program.arrays) if array.batch == region.batch]
        here = {read.source for statement in everything for read in statement.reads}
        inputs = tuple(a for a in batched if a in here and a not in made)
        later = [a for a in batched if a in made and max((n for n, *_ in readers[a]), default=-1) > number]
        outputs = tuple(a for a in batched if a in made and (a in wanted or a in later or last > number))
        yield replace(region, nests=nests, inputs=inputs, outputs=outputs)


def show_loops(program: LoopProgram) -> str:
    """Return the loops as text: a line a region, a nest and a statement; `*` marks what is stored."""
    arrays, lines = program.arrays, []
    for region in program.regions:
        name = f"for tiles of {arrays.axes[arrays.batches[region.batch]].name}" if region.batch else "once"
        ins = f", taking {', '.join(arrays.arrays[a].name for a in region.inputs)}" if region.inputs else ""
        lines.append(f"{name}{ins}:")
        for times, nests in region.blocks():
            indent = "    " * (2 if times > 1 else 1)
            lines += [f"    {times} times:"] * (times > 1)
            for _, nest in nests:
                what = "add up over the tile" if nest.closes else "for each point" if nest.extents else "at once"
                shape = " of " + " × ".join(map(str, nest.extents)) if nest.extents else ""
                lines.append(f"{indent}{what}{shape}:")
                for s in nest.statements:
                    names = ("memory" if r.source == ANYWHERE else arrays.arrays[r.source].name for r in s.reads)
                    star = "*" * (s.out in nest.stored)
                    lines.append(f"{indent}    {arrays.arrays[s.out].name}{star} = {s.op}({', '.join(names)})")
    return "\n".join(lines)


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise ValueError(f"wrong loops: {what}")
