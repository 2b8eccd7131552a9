"""What the compiler makes of scalar code: scalars, families, statements, and the seconds of each stage."""

import sys
from math import inf
from time import perf_counter
from typing import Any

from programs import PROGRAMS

from micrograd_mlp.compiler import jit
from micrograd_mlp.compiler.program import ArrayProgram

HEAD = (
    f"{'':36}{'scalars':>9}{'families':>10}{'statements':>12}{'gathers':>13}{'trace':>8}{'to axes':>9}"
    f"{'numpy':>11}{'llvm':>11}"
)


def gathers(program: ArrayProgram) -> str:
    """Return how many index maps are not affine, of all."""
    reads = [read for statement in program.statements for read in statement.reads]
    return f"{sum(read.index is not None for read in reads)} of {len(reads)}"


def microseconds(compiled: Any, args: Any) -> float:
    """Return the time of a call, the best of many, from Python and back."""
    compiled(*args)
    best = inf
    for _ in range(30):
        start = perf_counter()
        compiled(*args)
        best = min(best, perf_counter() - start)
    return 1e6 * best


def row(name: str) -> str:
    """Return a line of the table."""
    function, args = PROGRAMS[name]()
    compiled: Any = jit(function, backend="numpy")
    start = perf_counter()
    compiled(*args)
    first = perf_counter() - start
    program = compiled.program
    stages = sum(program.seconds.values())
    return (
        f"{name:36}{len(program.traced.op):9,}{program.families.count:10,}{len(program.arrays.statements):12,}"
        f"{gathers(program.arrays):>13}{first - stages:7.2f}s{stages:8.3f}s"
        f"{microseconds(compiled, args):8,.0f} µs{microseconds(jit(function, backend='llvm'), args):8,.0f} µs"
    )


if __name__ == "__main__":
    print(HEAD)
    for name in sys.argv[1:] or PROGRAMS:
        print(row(name), flush=True)
