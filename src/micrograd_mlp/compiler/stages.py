"""The pipeline from scalars to arrays, read top to bottom; each stage is checked and timed as it ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from .axes import find_axes
from .families import find_families, find_sums
from .program import ArrayProgram, Families, ScalarProgram
from .show import show_equations, show_families, show_scalars
from .simplify import simplify

STAGES: tuple[Callable[[Any], Any], ...] = (simplify, find_sums, find_families, find_axes)
SHOWN = ("scalars", "families", "equations")


@dataclass(frozen=True, eq=False)
class Compiled:
    """What each stage made of a program, and the seconds it took."""

    traced: ScalarProgram
    scalars: ScalarProgram
    families: Families
    arrays: ArrayProgram
    seconds: dict[str, float]

    def show(self, stage: str = "equations") -> str:
        """Return the program as text after a stage: "scalars", "families" or "equations"; ValueError for another."""
        if stage == "scalars":
            return show_scalars(self.scalars)
        if stage == "families":
            return show_families(self.families)
        if stage == "equations":
            return show_equations(self.arrays)
        raise ValueError(f"a program is shown as one of {', '.join(SHOWN)}; got {stage!r}")


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
