"""Native code: the regions of a program as loops over vectors, compiled by LLVM for the machine at hand.

Sums may be added in another order, and fused with products; everything else is computed as it stands.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, lru_cache
from threading import Lock
from typing import Any

import numpy as np

from ..given import Given
from ..loops import plan_loops
from ..program import ArrayProgram, Group
from ..samples import Unrolled, find_samples
from .llvm_call import Code, call_of
from .llvm_native import Native
from .llvm_program import Emitter, Loop, Slots

Numbers = np.ndarray[Any, np.dtype[np.floating[Any]]]
Results = tuple[
    Numbers, list[Numbers]
]  # those that no batch has for itself, and an array (samples, size) of each group
Run = Callable[..., Results]
LEAST_SHARE = 1024  # samples of a batch, below which another thread is not worth the waiting


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
        return _OfUnrolled(unrolled, Kernel(unrolled.program, dtype, threads, samples=unrolled.length), program)
    if program.batches and not is_regular(program):
        return _OfEachLength(program, dtype)
    return Kernel(program, dtype, threads, samples=samples)


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


class Kernel:
    """The machine code of a program with its memory. With a `loop`, it is for many steps in a row, see `steps`."""

    def __init__(
        self, program: ArrayProgram, dtype: str, threads: int = 1, loop: Loop | None = None, samples: int = 0
    ) -> None:
        """Compile a program; batches are of about so many `samples`."""
        program.check()
        self.program, self.dtype, self.threads, self.kernel = program, dtype, threads, self
        self.loops = plan_loops(program)
        self.loops.check()
        emitter = Emitter(self.loops, dtype, samples, threads > 1, loop)
        self.native = Native(emitter.module())
        self._call = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(self.native.address("run"))
        self.own, self.slots, self._lock = emitter.own, emitter.slots, Lock()
        self._table = emitter.table.array()
        size = sum(array.size for array in self.loops.arrays.arrays if not array.batch)
        self._memory: Numbers = np.zeros(max(size, 1), dtype=dtype)
        with np.errstate(over="ignore"):  # a constant too large for float32 is inf there
            self._memory[: len(program.constants)] = program.constants
        self._tile, tile = _aligned(emitter.tile_size * threads, dtype)
        self._results: Numbers = np.zeros(max(self.own, 1), dtype=dtype)
        self._barrier = np.zeros(8, dtype=np.int64)
        self.frames = np.zeros((threads, self.slots.size), dtype=np.int64)
        for slot, array in (
            (Slots.RESULTS, self._results), (Slots.MEMORY, self._memory), (Slots.TABLE, self._table),
            (Slots.BARRIER, self._barrier),
        ):  # fmt: skip
            self.frames[:, slot] = array.ctypes.data
        self.frames[:, Slots.TILE], self.frames[:, Slots.THREAD] = tile, np.arange(threads)
        self._addresses = [frame.ctypes.data for frame in self.frames]
        self._held: list[Any] = []
        self._known: list[int] = []

    @cached_property
    def _helpers(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.threads - 1, thread_name_prefix="micrograd-mlp")

    def __call__(self, numbers: Any, columns: Sequence[Any] = (), lengths: Sequence[int] = ()) -> Results:
        """Return the outputs for these inputs."""
        with self._lock:
            arrays = (numbers, *columns)
            if [*map(id, arrays)] != self._known:  # the same arrays lie where they lay, if they need no conversion
                given = checked(numbers, self.program, self.dtype)
                self.frames[:, Slots.NUMBERS] = given.ctypes.data
                held = [given, *self.give(columns, lengths)]
                plain = all(a is b for a, b in zip(arrays, held, strict=True))
                self._held, self._known = held, [*map(id, arrays)] if plain else []
            outside = self._outside(lengths) if self.slots.outside else {}
            self.start(max(lengths, default=0))
            own = self._results[: self.own].copy()
            return own, [self._group(g, outside, lengths) for g in self.program.wanted]

    def call_of(self, given: Given) -> Callable[..., Any] | None:
        """Return a function that calls the code with arguments like these, see `llvm_call.call_of`.

        None if the arrays of the latest call had to be converted, or if there is more to do than to run the code.
        """
        if not self._known or self.slots.outside or self.program.wanted or self.threads > 1:
            return None
        slots = [self._addresses[0] + 8 * slot for slot in self.slots.columns]
        code = Code(self, self.native.address("run"), self._addresses[0], self._results)
        return call_of(code, given, slots)

    def forget(self) -> None:
        """Look again where the arrays lie: a call has put others in their place."""
        self._known = []

    def steps(
        self,
        numbers: Numbers,
        columns: Sequence[Any],
        length: int,
        order: Any,
        starts: Any,
        knobs: Numbers,
        out: Numbers,
    ) -> int:
        """Take the steps of the loop from `numbers`, which then hold what the last left; return how many were taken.

        Step k takes the samples `order[starts[k]:starts[k + 1]]` and the row k of `knobs`, and writes row k of `out`.
        """
        with self._lock:
            held = self.give(columns, [length] * len(self.slots.lengths))
            slots = (Slots.NUMBERS, Slots.ORDER, Slots.STARTS, Slots.KNOBS, Slots.OUT)
            for slot, array in zip(slots, (numbers, order, starts, knobs, out), strict=True):
                self.frames[:, slot] = array.ctypes.data
            self.frames[:, Slots.LAST], self.frames[:, Slots.DONE] = len(out), 0
            self.start(int(np.diff(starts).max(initial=0)))
            del held
            return int(self.frames[0, Slots.DONE])

    def give(self, columns: Sequence[Any], lengths: Sequence[int]) -> list[Numbers]:
        """Let the code find the columns of the batches there, and return the arrays that must live as long."""
        held: list[Numbers] = []
        for batch, slot in self.slots.lengths.items():
            self.frames[:, slot] = lengths[batch - 1]
        for slot, column, group in zip(self.slots.columns, columns, self.program.given, strict=True):
            shape = (lengths[group.batch - 1], group.size)
            with np.errstate(over="ignore"):
                held.append(np.ascontiguousarray(column, dtype=self.dtype))
            if held[-1].shape != shape:
                raise ValueError(f"a batch takes an array of shape {shape}, got {held[-1].shape}")
            self.frames[:, slot] = held[-1].ctypes.data
        return held

    def start(self, samples: int) -> None:
        """Run the code, on as many threads as are worth it for a batch of so many samples."""
        threads = max(1, min(self.threads, samples // LEAST_SHARE))
        if threads == 1:
            self.frames[0, Slots.THREADS] = 1
            self._call(self._addresses[0])
            return
        self.frames[:, Slots.THREADS] = threads
        others = [self._helpers.submit(self._call, address) for address in self._addresses[1:threads]]
        self._call(self._addresses[0])
        for other in others:
            other.result()

    def _outside(self, lengths: Sequence[int]) -> dict[int, Numbers]:
        """Return arrays for what leaves a region for each sample."""
        out = {}
        for array, slot in self.slots.outside.items():
            kept = self.loops.arrays.arrays[array]
            out[array] = np.empty((lengths[kept.batch - 1], kept.size), dtype=self.dtype)
            self.frames[:, slot] = out[array].ctypes.data
        return out

    def _group(self, group: Group, outside: dict[int, Numbers], lengths: Sequence[int]) -> Numbers:
        places = self.program.outputs[group.first : group.first + group.size]
        first = int(places[0, 0]) if len(places) else -1
        if (
            first in outside
            and np.array_equal(places[:, 1], np.arange(outside[first].shape[1]))
            and (places[:, 0] == first).all()
        ):
            return outside[first]
        out: Numbers = np.empty((lengths[group.batch - 1], group.size), dtype=self.dtype)
        for column, (array, place) in enumerate(places.tolist()):
            if array in outside:
                out[:, column] = outside[array][:, place]
            elif self.program.arrays[array].batch:
                out[:, column] = self._of_input(array, place)
            else:
                out[:, column] = self._memory[self.loops.arrays.bases[array] + place]
        return out

    def _of_input(self, array: int, place: int) -> Numbers:
        """Return what each sample was given as this number of an array of inputs."""
        for group, column in zip(self.program.given, self._held[1:], strict=True):
            places = self.program.inputs[group.first : group.first + group.size]
            for found in np.flatnonzero((places == (array, place)).all(axis=1)):
                return column[:, found]  # type: ignore[no-any-return]
        raise AssertionError("no group gives this number")


class _OfUnrolled:
    """A program whose samples were found."""

    def __init__(self, unrolled: Unrolled, kernel: Kernel, program: ArrayProgram) -> None:
        self.unrolled, self.kernel, self.program = unrolled, kernel, program
        self._latest: tuple[Any, Any] = None, None  # numbers, and the inputs that lie in them

    def __call__(self, numbers: Any, columns: Sequence[Any] = (), lengths: Sequence[int] = ()) -> Results:
        """Return the outputs for these inputs."""
        latest, inputs = self._latest
        if latest is not numbers or not self.unrolled.in_place:
            given = checked(numbers, self.program, self.kernel.dtype)
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
        self.sized = lru_cache(maxsize=8)(lambda lengths: Kernel(program.sized(lengths), dtype))

    @property
    def kernel(self) -> Kernel:
        """The code for two samples, to look at."""
        return self.sized((2,) * max(self.program.batches))

    def __call__(self, numbers: Any, columns: Sequence[Any] = (), lengths: Sequence[int] = ()) -> Results:
        """Return the outputs for these inputs."""
        out, _ = self.sized(tuple(lengths))(np.concatenate([numbers, *(np.ravel(column) for column in columns)]))
        return self.program.split(out, lengths)


def checked(numbers: Any, program: ArrayProgram, dtype: str) -> Numbers:
    """Return the numbers in one array of this type. Raises ValueError if there are too few or too many."""
    with np.errstate(over="ignore"):
        given: Numbers = np.ascontiguousarray(numbers, dtype=dtype)
    expected = len(program.inputs) - sum(group.size for group in program.given)
    if given.shape != (expected,) or np.ndim(numbers) != 1:
        raise ValueError(f"the program takes {expected} numbers, got an array of shape {np.shape(numbers)}")
    return given


def _aligned(size: int, dtype: str) -> tuple[Any, int]:
    """Return memory for so many numbers, and the address in it from which they lie on cache lines."""
    memory = np.zeros(size + 64, dtype=dtype)
    return memory, -(-memory.ctypes.data // 64) * 64
