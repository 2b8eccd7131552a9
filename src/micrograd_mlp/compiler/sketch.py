"""What is drawn of an array program."""

from __future__ import annotations

from collections.abc import Sequence

from ..drawing.graph import parameters_among
from ..drawing.program import Table
from .equations import Notation, Piece, arrays_of, equations_of
from .program import ArrayProgram


class _Names(Notation):
    """Formulas of whole arrays; what their indices are, the titles of the boxes say."""

    def element(self, name: str, indices: Sequence[str]) -> Piece:
        return Piece(name)


def tables_of(program: ArrayProgram, labels: Sequence[str], in_place: bool = True) -> list[Table]:
    """Return a table for each array, in their order, given the `labels` of the inputs.

    What is used once, where it stands, is part of the formula of its user and has none of its own, unless `in_place`
    is False.
    """
    kinds, computed = _kinds(program, labels), {}
    short, whole = (equations_of(program, notation, in_place)[0] for notation in (_Names(), Notation()))
    for formula, equation in zip(short, whole, strict=True):
        computed[formula.out] = (formula.right, formula.reads, f"{equation.left} = {equation.right}")
    axes = [[(program.axes[axis].name, program.axes[axis].extent) for axis in array.axes] for array in program.arrays]
    return [
        Table(array.name, kinds[place], tuple(axes[place]), *computed.get(place, ()))
        for place, array in enumerate(program.arrays)
    ]


def _kinds(program: ArrayProgram, labels: Sequence[str]) -> list[str]:
    """Return how each array looks."""
    first = dict(reversed(list(zip(arrays_of(program, program.inputs), labels, strict=True))))
    parameters = parameters_among(first.values())
    made = {statement.out for statement in program.statements}
    wanted = set(arrays_of(program, program.outputs))
    kinds = ["output" if place in wanted else "value" if place in made
             else "parameter" if first.get(place) in parameters else "input"
             for place in range(1, len(program.arrays))]  # fmt: skip
    return ["number", *kinds]
