"""Training steps compiled by us beside hand-written C++, JAX, PyTorch and micrograd: times of one run, one core.

    python benchmarks/steps.py                       everything that is installed
    python benchmarks/steps.py moons digits          these workloads
    python benchmarks/steps.py --markdown FILE       the tables as a file too

Every implementation starts from the same weights and must arrive at the same weights before it is timed. Then they take
turns, each in a process of its own, so that noise meets all of them. Given are medians, quartiles and the best turn.
"""

import argparse
import math
import os
import platform
import sys
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import numpy as np
from engine import processor
from peers import PROCESSES
from workers import ONE_THREAD, LeftOut, Worker
from workloads import WORKLOADS, Weights

CHECKED, CHECKED_SLOW = 20, 2  # steps after which weights are compared, and for an implementation of seconds a step
SLOW = {"micrograd"}
TOLERANCE = {"float64": 1e-9, "float32": 1e-4}  # of the largest weight; against NumPy in float64
PEAK, OURS = "FMA peak", "ours"


@dataclass
class Timed:
    """An implementation that is in the race: how many steps it takes at a time, and how long a step took."""

    name: str
    worker: Worker
    steps: int
    microseconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return median(self.microseconds)


def difference(found: Weights, expected: Weights) -> float:
    """Return the largest difference of two weights, as a share of the largest weight."""
    largest = max(np.abs(w).max() for w in expected)
    return float(max(np.abs(a - b).max() for a, b in zip(found, expected, strict=True)) / largest)


def admit(name: str, worker: Worker, workload: str, dtype: str, expected: dict[int, Weights], seconds: float) -> Timed:
    """Return the implementation, ready to be timed; LeftOut if it cannot do the workload or does another one."""
    checked = CHECKED_SLOW if name in SLOW else CHECKED
    taken, weights = worker.run(name, workload, dtype, checked)
    if name != PEAK and not (off := difference(weights, expected[checked])) <= TOLERANCE[dtype]:
        raise LeftOut(f"after {checked} steps its weights are off by {off:.1e}")
    if name not in SLOW:
        taken = min(worker.run(name, workload, dtype, checked)[0] for _ in range(3))  # the first call compiled
    steps = max(1, round(seconds * checked / taken))
    if name not in SLOW:
        worker.run(name, workload, dtype, steps)  # a loop inside may be compiled for each number of steps
    return Timed(name, worker, steps)


def race(workload: str, dtype: str, workers: dict[str, Worker], options: Any) -> list[Timed]:
    """Return the times of all that can do the workload; say aloud who is left out."""
    expected = {k: workers["numpy"].run("NumPy", workload, "float64", k)[1] for k in (CHECKED, CHECKED_SLOW)}
    racers = []
    for process, worker in workers.items():
        for name in PROCESSES[process]:
            try:
                racers.append(admit(name, worker, workload, dtype, expected, options.seconds))
            except LeftOut as reason:
                print(f"left out of {workload}, {dtype}: {name}: {reason}", file=sys.stderr, flush=True)
    for turn in range(options.rounds):
        for racer in racers[turn % len(racers) :] + racers[: turn % len(racers)]:
            if racer.name not in SLOW or turn < 3:
                seconds, _ = racer.worker.run(racer.name, workload, dtype, racer.steps)
                racer.microseconds.append(seconds / racer.steps * 1e6)
    return racers


def table(workload: str, dtype: str, racers: list[Timed]) -> list[str]:
    """Return the lines of a table, the fastest first; also valid Markdown."""
    chosen = WORKLOADS[workload]()
    times = {racer.name: racer.median for racer in racers}
    lines = [
        f"### {chosen.title}, {dtype}",
        "",
        f"{chosen.flops:,} floating-point operations a step in the matrix products.",
        "",
        f"| {'':22} | {'µs a step':>10} | {'quartiles':>22} | {'best':>9} "
        f"| {'x ours':>7} | {'GFLOP/s':>7} | {'of peak':>7} |",
        f"|{'-' * 24}|{'-' * 11}:|{'-' * 23}:|{'-' * 10}:|{'-' * 8}:|{'-' * 8}:|{'-' * 8}:|",
    ]
    for racer in sorted(racers, key=lambda racer: racer.median):
        low, _, high = quantiles(racer.microseconds, n=4, method="inclusive")
        spread = f"{_number(low)} to {_number(high)}"
        ratio = _number(racer.median / times[OURS]) if OURS in times else "–"
        share = f"{times[PEAK] / racer.median:.0%}" if PEAK in times else "–"
        lines.append(
            f"| {racer.name:22} | {_number(racer.median):>10} | {spread:>22} | {_number(min(racer.microseconds)):>9} "
            f"| {ratio:>7} | {_number(chosen.flops / racer.median / 1e3):>7} | {share:>7} |"
        )
    return [*lines, ""]


def _number(n: float) -> str:
    """Return n with three significant digits, or all before the point; tiny ones with one."""
    return f"{n:,.{max(0, 2 - math.floor(math.log10(n)))}f}" if n >= 1e-3 else f"{n:.0e}"


def machine(core: int | None) -> str:
    """Return the processor, the core in use, and the versions of what was timed."""
    versions = []
    for package in ("micrograd-mlp", "llvmlite", "numpy", "jax", "jaxlib", "torch", "micrograd"):
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    where = "one core of them, the same for all" if core is not None else "one thread, on any of them"
    return f"{processor()}, {os.cpu_count()} cores, {where}; Python {platform.python_version()}, {', '.join(versions)}."


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=f"of {', '.join(WORKLOADS)}; else all")
    parser.add_argument("--dtype", choices=TOLERANCE, help="one type of number only")
    parser.add_argument("--rounds", type=int, default=101, help="turns of each implementation (101)")
    parser.add_argument("--seconds", type=float, default=0.03, help="time of a turn (0.03)")
    parser.add_argument("--compile", action="store_true", help="torch.compile too, which takes minutes to compile")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables to this file too")
    options = parser.parse_args()
    if unknown := set(options.workloads) - set(WORKLOADS):
        parser.error(f"no workload {', '.join(sorted(unknown))}; there are {', '.join(WORKLOADS)}")
    os.environ.update(ONE_THREAD)
    core = max(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    workers = {name: Worker(name, core) for name in PROCESSES if options.compile or name != "torch-compile"}
    command = " ".join(["python benchmarks/steps.py", *sys.argv[1:]])
    lines = [
        "# Training steps",
        "",
        machine(core),
        "",
        f"Written by `{command}`: medians of {options.rounds} turns.",
        "",
    ]
    print("\n".join(lines))
    for workload in options.workloads or WORKLOADS:
        for dtype in [options.dtype] if options.dtype else TOLERANCE:
            lines += (found := table(workload, dtype, race(workload, dtype, workers, options)))
            print("\n".join(found), flush=True)
    for worker in workers.values():
        worker.close()
    if options.markdown:
        options.markdown.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
