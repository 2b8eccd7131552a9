"""The pipeline from scalars to arrays, read top to bottom; each stage is checked and timed as it ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

from .axes import find_axes
from .families import find_families, find_sums
from .latex import latex_of
from .loops import LoopProgram, plan_loops, show_loops
from .program import ArrayProgram, Families, ScalarProgram
from .samples import find_samples
from .show import show_equations, show_families, show_scalars
from .simplify import simplify

if TYPE_CHECKING:
    from ..drawing import Drawing

STAGES: tuple[Callable[[Any], Any], ...] = (simplify, find_sums, find_families, find_axes)
LINES = 60  # of equations that a notebook shows by itself


@dataclass(frozen=True, eq=False, repr=False)
class Compiled:
    """What each stage made of a program, and the seconds it took."""

    traced: ScalarProgram
    scalars: ScalarProgram
    families: Families
    arrays: ArrayProgram
    seconds: dict[str, float]

    def show(self, stage: str = "equations") -> str:
        """Return the program as text after a stage, a key of SHOWN; ValueError for another."""
        if stage not in SHOWN:
            raise ValueError(f"a program is shown as one of {', '.join(SHOWN)}; got {stage!r}")
        return SHOWN[stage](self)

    @property
    def loops(self) -> LoopProgram:
        """The loops in which native code runs the statements."""
        unrolled = find_samples(self.arrays)
        return plan_loops(unrolled.program if unrolled else self.arrays, repeats=True)

    def draw(
        self,
        level: str | None = None,
        *,
        rankdir: str = "TB",
        title: str = "",
        renderer: str | None = None,
        timeout: float = 20.0,
    ) -> Drawing:
        """Return a drawing of the arrays and of what computes them, as `drawing.draw` does for Values.

        At the level "equation" each array is a box with the right-hand side of its equation in it; at "statement" every
        array of the program is a box, and every statement a node of its own. Without a level it is "equation", unless
        that is too much to look at: ValueError then, as for another level or `rankdir`.
        """
        from ..drawing.program import draw_program
        from .sketch import tables_of

        tables = tables_of(self.arrays, self.scalars.labels, in_place=level != "statement")
        whole, drawn = len(self.arrays.statements), sum(table.formula != "" for table in tables)
        equations = f"{drawn} equation{'s' * (drawn != 1)}"
        note = f"{whole} statements in {equations}. level='statement' draws each of them." * (drawn < whole)
        return draw_program(tables, level, rankdir=rankdir, title=title, note=note, renderer=renderer, timeout=timeout)

    def latex(self) -> str:
        """Return the equations in LaTeX, an aligned environment without the signs that begin a formula."""
        return latex_of(self.arrays)

    def __repr__(self) -> str:
        scalars, statements = len(self.scalars.op), len(self.arrays.statements)
        return f"<Compiled: {scalars:,} scalars in {statements:,} statements>"

    def _repr_latex_(self) -> str:
        return f"$$\n{latex_of(self.arrays, LINES)}\n$$"


SHOWN: Mapping[str, Callable[[Compiled], str]] = {
    "scalars": lambda program: show_scalars(program.scalars),
    "families": lambda program: show_families(program.families),
    "equations": lambda program: show_equations(program.arrays),
    "loops": lambda program: show_loops(program.loops),
    "llvm": lambda program: str(_native(program).llvm),
    "asm": lambda program: str(_native(program).assembly),
}


def _native(program: Compiled) -> Any:
    """Return the native code of a program, for float64. Raises ImportError where llvmlite is not installed."""
    from .backends import llvm

    return llvm.lower(program.arrays).kernel.native


def compile_scalars(traced: ScalarProgram) -> Compiled:
    """Return what the stages make of a traced program. Raises ValueError if a stage makes a wrong one."""
    traced.check()
    program: Any = traced
    results, seconds = [], {}
    for stage in STAGES:
        start = perf_counter()
        program = stage(program)
        seconds[stage.__name__] = perf_counter() - start
        program.check()
        results.append(program)
    return Compiled(traced, results[0], results[2], results[3], seconds)
