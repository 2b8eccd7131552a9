"""Programs as text: a line a scalar, a line a family, or the loops of the user as equations."""

from __future__ import annotations

import numpy as np

from .equations import Notation, equations_of
from .program import CONSTANT, INPUT, NAMES, ArrayProgram, Families, ScalarProgram
from .repeats import shortened

LIMIT = 200  # lines shown of scalars


def show_scalars(program: ScalarProgram) -> str:
    """Return a line for each scalar, such as `%3 = mul %0 %1`; of a long program the first ones."""
    label = dict(zip(program.inputs.tolist(), program.labels, strict=True))
    lines = []
    rows = zip(program.op.tolist(), program.args.tolist(), program.value.tolist(), strict=True)
    for row, (op, args, value) in zip(range(LIMIT), rows, strict=False):
        read = [f"%{arg}" for arg in args if arg >= 0]
        what = [f"{value:.17g}"] if op == CONSTANT else [label[row]] if op == INPUT else read
        lines.append(" ".join([f"%{row} = {NAMES[op]}", *what]).rstrip())
    more = len(program.op) - len(lines)
    lines += [f"... and {more:,} more"] * (more > 0)
    return "\n".join([*lines, "return " + " ".join(f"%{row}" for row in program.outputs[:LIMIT])])


def show_families(families: Families) -> str:
    """Return a line for each family: its number, operation, size, and the families that it reads."""
    program, lines = families.scalars, []
    sizes = np.bincount(families.family, minlength=families.count).tolist()
    first = np.full(families.count, -1)
    first[families.family[::-1]] = np.arange(len(families.family))[::-1]
    for family, (size, row) in enumerate(zip(sizes, first.tolist(), strict=True)):
        if size:
            read = families.family[program.args[program.start[row] : program.start[row + 1]]].tolist()
            shown = " ".join(f"#{other}" for other in (sorted(set(read)) if NAMES[program.op[row]] == "sum" else read))
            lines.append(f"#{family} {NAMES[program.op[row]]} × {size}{' of ' if shown else ''}{shown}")
    return "\n".join(lines)


def show_equations(program: ArrayProgram) -> str:
    """Return the statements as equations, such as `h[n,a] = relu(b[a] + Σ_i w[a,i]·X[n,i])`.

    A result that is used once, where it stands, is written into its user. Of equations that come many times with other
    numbers, as the steps of a recurrence do, the first and the last ones are shown.
    """
    equations, results = equations_of(program, Notation())
    whole = [f"{equation.left} = {equation.right}" for equation in equations]
    lines = shortened(whole, whole, "... {}")
    return "\n".join([*lines, f"return {', '.join(piece.text for piece in results)}"])
