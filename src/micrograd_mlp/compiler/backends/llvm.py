"""Native code: the regions of a program as loops over vectors, compiled by LLVM for the machine at hand.

Sums may be added in another order, and fused with products; everything else is computed as it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..given import Given
from ..loops import LoopProgram, plan_loops
from ..program import ArrayProgram, Group, Ints, Loop
from ..samples import Unrolled, find_samples
from .llvm_kernel import MEMORY, Kernel, Plan, Results, Slots, checked
from .llvm_native import FEW, Native
from .llvm_program import Emitter

Run = Callable[..., Results]


def lower(
    program: ArrayProgram, dtype: str = "float64", threads: int = 1, samples: int = 0
) -> Kernel | _OfUnrolled | _OfEachLength:
    """Return a function from the numbers of all inputs to those of all outputs, see `backends.numpy.lower`.

    The memory of the program is laid out once and used at every call, one call at a time. Up to so many `threads` share
    the samples of a batch, if there are many. Raises ValueError if the program would read or write outside of its
    memory, and the function if it is given too few or too many numbers. It is quickest for batches of about so many
    `samples`.
    """
    unrolled = find_samples(program)
    if unrolled is not None and is_regular(unrolled.program):
        return _OfUnrolled(unrolled, compiled(unrolled.program, dtype, threads, samples=unrolled.length), program)
    if program.batches and not is_regular(program):
        return _OfEachLength(program, dtype)
    return compiled(program, dtype, threads, samples=samples)


def is_regular(program: ArrayProgram) -> bool:
    """Say whether all that the samples of a batch have is read by strides, and closed by sums."""
    for statement in program.statements:
        axes = (*statement.axes, *(axis for term in statement.terms for axis in term.axes))
        if not any(program.axes[axis].batch for axis in axes):
            continue
        closes = any(program.axes[axis].batch for term in statement.terms for axis in term.axes)
        gathers = any(read.index is not None for read in statement.reads)
        if gathers or any(term.offsets is not None for term in statement.terms) or (closes and statement.op != "sum"):
            return False
    return True


def compiled(program: ArrayProgram, dtype: str, threads: int = 1, loop: Loop | None = None, samples: int = 0) -> Kernel:
    """Return a program as machine code, for batches of about so many samples.

    With a `loop` it takes many steps in a row, see `steps`.
    """
    program.check()
    loops = plan_loops(program, repeats=True)
    loops.check()
    emitter = Emitter(loops, dtype, samples, threads > 1, loop)
    native = Native(emitter.module(), passes=FEW if program.batches else ())
    slots, arrays = emitter.slots, loops.arrays.arrays
    plan = Plan(
        dtype,
        threads,
        numbers=len(program.inputs) - sum(group.size for group in program.given),
        own=emitter.own,
        memory=sum(array.size for array in arrays if not array.batch),
        tile=emitter.tile_size,
        constants=program.constants,
        table=emitter.table.array(),
        slots=slots.size,
        lengths=slots.lengths,
        given=tuple(zip(slots.columns, program.given, strict=True)),
        outside=tuple(
            (slot, Group(0, arrays[array].size, arrays[array].batch)) for array, slot in slots.outside.items()
        ),
        wanted=tuple((group.batch, _where(group, loops, slots)) for group in program.wanted),
        loop=loop,
    )
    return Kernel(plan, native)


def _where(group: Group, loops: LoopProgram, slots: Slots) -> Ints:
    """Return where the results of a group are, see `Plan.wanted`."""
    program, out = loops.arrays, []
    given = {
        (array, place): (slot, number)
        for slot, each in zip(slots.columns, program.given, strict=True)
        for number, (array, place) in enumerate(program.inputs[each.first : each.first + each.size].tolist())
    }
    for array, place in program.outputs[group.first : group.first + group.size].tolist():
        if array in slots.outside:
            out.append((slots.outside[array], place))
        elif program.arrays[array].batch:
            out.append(given[array, place])
        else:
            out.append((MEMORY, program.bases[array] + place))
    return np.array(out, dtype=np.int64).reshape(-1, 2)


class _OfUnrolled:
    """A program whose samples were found."""

    def __init__(self, unrolled: Unrolled, kernel: Kernel, program: ArrayProgram) -> None:
        self.unrolled, self.kernel, self.program = unrolled, kernel, program
        self._latest: tuple[Any, Any] = None, None  # numbers, and the inputs that lie in them

    def __call__(self, numbers: Any, columns: Sequence[Any] = (), lengths: Sequence[int] = ()) -> Results:
        """Return the outputs for these inputs."""
        latest, inputs = self._latest
        if latest is not numbers or not self.unrolled.in_place:
            given = checked(numbers, len(self.program.inputs), self.kernel.dtype)
            inputs = self.unrolled.take(given)
            self._latest = numbers if given is numbers else None, inputs  # of a copy, nothing stays
        single, own = inputs
        return self.unrolled.put(*self.kernel(single, own, [self.unrolled.length])), []

    def call_of(self, given: Given) -> Callable[..., Any] | None:
        """Return a function that calls the code with arguments like these, see `Kernel.call_of`."""
        stays = self.unrolled.in_place and self._latest[0] is not None
        return self.kernel.call_of(given) if stays else None

    def forget(self) -> None:
        """See `Kernel.forget`."""
        self.kernel.forget()


class _OfEachLength:
    """A program that is compiled anew for each length of its batches; the latest ones are kept."""

    def __init__(self, program: ArrayProgram, dtype: str) -> None:
        self.program = program
        self.sized = lru_cache(maxsize=8)(lambda lengths: compiled(program.sized(lengths), dtype))

    @property
    def kernel(self) -> Kernel:
        """The code for two samples, to look at."""
        return self.sized((2,) * max(self.program.batches))

    def __call__(self, numbers: Any, columns: Sequence[Any] = (), lengths: Sequence[int] = ()) -> Results:
        """Return the outputs for these inputs."""
        out, _ = self.sized(tuple(lengths))(np.concatenate([numbers, *(np.ravel(column) for column in columns)]))
        return self.program.split(out, lengths)
