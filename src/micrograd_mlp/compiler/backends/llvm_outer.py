"""Sums over the samples of a tile of the products of two columns, sample by sample: each adds an outer product.

In a tile, samples lie side by side, so a sum over them ends with a sum across the lanes of a vector. Where a tile has
few samples for many sums, that takes longer than the products. So one factor is turned around first: all of its
numbers of one sample come to lie side by side. The lanes of a vector are then results, and the other factor is read
number by number.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

from ..program import ArrayProgram, Operand, Statement
from .llvm_code import INT, best_blocks, row_major
from .llvm_lanes import intrinsic, splat

Tile = Any  # that of `llvm_tiles`, which takes this in

SHORT = {2: 3, 4: 3, 8: 6, 16: 8}  # lanes: so many samples a row of results are turned faster than sums across lanes


@dataclass(frozen=True)
class Outer:
    """out[..., r, c] = sum over samples n of singles[..., r, n] * turned[c, n], for c below `columns`."""

    singles: Operand
    turned: Operand
    columns: int  # in whole vectors; those left over are summed in the other way
    lanes: int

    @property
    def width(self) -> int:
        """Numbers from one turned sample to the next: not a power of two, as in `Shape.width`."""
        return self.columns + 2 * self.lanes


def outer_product(program: ArrayProgram, statement: Statement, lanes: int, samples: int) -> Outer | None:
    """Return the sum as one of outer products, if it is one and a tile has few enough samples for it to pay."""
    extents, terms = program.extents(statement.axes), statement.terms
    if not extents or len(terms) != 1 or len(terms[0].axes) != 1 or len(terms[0].factors) != 2 or lanes not in SHORT:
        return None
    columns = extents[-1] // lanes * lanes
    if not columns or samples > SHORT[lanes] * prod(extents[:-1]):
        return None
    if not all(program.arrays[factor.source].batch for factor in terms[0].factors):
        return None
    for singles, turned in (terms[0].factors, terms[0].factors[::-1]):
        if singles.strides[len(extents) - 1] == 0 and turned.strides[:-1] == (0,) * (len(extents) - 1) + (1,):
            return Outer(singles, turned, columns, lanes)
    return None


def emit_outer(tile: Tile, statement: Statement, outer: Outer, groups: Any) -> None:
    """Emit the sums of the tile, several rows and vectors of results at once."""
    code, shape, lanes = tile.code, tile.shape, outer.lanes
    vectors = outer.columns // lanes
    extents = tile.program.extents(statement.axes)
    count = _samples(tile, groups)
    scratch = code.at(tile.tile, tile.layout.size(shape.width))
    _turn(tile, outer, scratch, count)
    strides = row_major(extents)
    apart = (0, 0, *strides)[-2]
    step = (0, *outer.singles.strides[: len(extents)])[-2] * shape.width
    zero = splat(code.vector(lanes), -0.0)

    def block(position: list[Any], i: Any, j: Any, high: int, wide: int) -> None:
        where = [*position, i][: len(extents) - 1]
        singles = tile.row_of(outer.singles, where)

        def sample(n: Any, sums: list[Any]) -> list[Any]:
            numbers = [code.spread(code.load(singles, code.place(r * step, (1,), [n])), lanes) for r in range(high)]
            turned = code.at(scratch, code.place(0, (outer.width, lanes), [n, j]))
            out = list(sums)
            for v in range(wide):
                vector = code.load(turned, v * lanes, lanes)
                for r in range(high):
                    out[r * wide + v] = intrinsic(code.builder, "fmuladd", numbers[r], vector, sums[r * wide + v])
            return out

        totals = code.loop(INT(0), count, 1, [zero] * (high * wide), sample)
        to = code.at(tile.sums, code.place(tile.layout.sums[statement.out], [*strides[:-1], lanes], [*where, j]))
        for place, total in enumerate(totals):
            tile.add_to_sum(total, to, place // wide * apart + place % wide * lanes)

    def rows(position: list[Any], _: Any) -> list[Any]:
        code.in_blocks(
            rows_high, most_high, lambda i, high: code.in_blocks(
                vectors, most_wide, lambda j, wide: block(position, i, j, high, wide)
            )
        )  # fmt: skip
        return []

    rows_high = (1, 1, *extents)[-2]
    most_high, most_wide = best_blocks(rows_high, vectors, 1)
    code.nest(extents[:-2], [], rows)


def _samples(tile: Tile, groups: Any) -> Any:
    """Return how many samples there are in so many groups."""
    b, group = tile.code.builder, INT(tile.shape.group)
    if tile.valid is None:
        return b.mul(groups, group, flags=["nsw"])
    return b.select(b.icmp_signed("<", tile.valid, group), tile.valid, group)


def _turn(tile: Tile, outer: Outer, scratch: Any, count: Any) -> None:
    """Emit the copy of a factor into `scratch`, one sample after the other."""
    code, lanes, width = tile.code, outer.lanes, tile.shape.width
    source = tile.row_of(outer.turned, [INT(0)] * (len(outer.turned.strides) - 1))

    def samples(n: Any, _: Any) -> list[Any]:
        def some(c: Any, _: Any) -> list[Any]:
            rows = [code.load(source, code.place(i * width, (1, width), [n, c]), lanes) for i in range(lanes)]
            for j, numbers in enumerate(code.transposed(rows)):
                code.store(numbers, scratch, code.place(j * outer.width, (outer.width, 1), [n, c]))
            return []

        code.loop(INT(0), INT(outer.columns), lanes, [], some)
        return []

    code.loop(INT(0), count, lanes, [], samples)
