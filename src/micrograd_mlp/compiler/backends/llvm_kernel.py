"""Machine code with the memory that it works on, and how to run it.

All that it takes to run is a `Plan` and the code, numbers alone: so both can be kept in a file, and run from there.
"""

from __future__ import annotations

import ctypes
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cached_property
from io import BytesIO
from threading import Lock
from typing import Any

import numpy as np

from ..given import Given
from ..loops import LoopProgram
from ..program import Floats, Group, Ints, Loop
from .llvm_native import Loaded

Numbers = np.ndarray[Any, np.dtype[np.floating[Any]]]
Results = tuple[
    Numbers, list[Numbers]
]  # those that no batch has for itself, and an array (samples, size) of each group
LEAST_SHARE = 1024  # samples of a batch, below which another thread is not worth the waiting


class Slots:
    """What lies where in a frame."""

    NUMBERS, RESULTS, MEMORY, TABLE, TILE, THREAD, THREADS, BARRIER, ORDER, STARTS, KNOBS, OUT, LAST, DONE = range(14)

    def __init__(self, loops: LoopProgram) -> None:
        slots = iter(range(14, 1 << 30))
        self.lengths = {batch: next(slots) for batch in loops.arrays.batches}
        self.columns = [next(slots) for _ in loops.arrays.given]
        self.outside = {array: next(slots) for region in loops.regions for array in region.outputs}
        self.size = next(slots)


MEMORY = -1  # where a number of each sample is the same for all of them; see `Plan.wanted`


@dataclass(frozen=True, eq=False)
class Plan:
    """What machine code works on: how large each part is, and what lies in which of the `slots` of its frame.

    Of each group of results that the samples have, `wanted` says where its numbers are, (size, 2): the slot of a column
    or of an array that leaves a region, and the place in a row of it; or MEMORY and the place there.
    """

    dtype: str
    threads: int
    numbers: int  # that are given, those that no batch has for itself
    own: int  # results that no batch has for itself
    memory: int  # numbers in memory, of which the `constants` are the first
    tile: int  # numbers that a thread needs for its tile
    constants: Floats
    table: Ints
    slots: int
    lengths: Mapping[int, int]  # batch: the slot of its length
    given: tuple[tuple[int, Group], ...]  # the slot of each column
    outside: tuple[tuple[int, Group], ...]  # the slot of each array that leaves a region
    wanted: tuple[tuple[int, Ints], ...]  # (batch, where)
    loop: Loop | None = None  # if the code is for many steps in a row, see `steps`


class Kernel:
    """Machine code with its memory, laid out once and used at every call, one call at a time."""

    def __init__(self, plan: Plan, native: Loaded) -> None:
        self.plan, self.native, self.dtype, self.kernel = plan, native, plan.dtype, self
        self._call = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(native.address("run"))
        self._lock = Lock()
        self._table = np.ascontiguousarray(plan.table)
        self._memory: Numbers = np.zeros(max(plan.memory, 1), dtype=plan.dtype)
        with np.errstate(over="ignore"):  # a constant too large for float32 is inf there
            self._memory[: len(plan.constants)] = plan.constants
        self._tile, tile = _aligned(plan.tile * plan.threads, plan.dtype)
        self._results: Numbers = np.zeros(max(plan.own, 1), dtype=plan.dtype)
        self._barrier = np.zeros(8, dtype=np.int64)
        self.frames = np.zeros((plan.threads, plan.slots), dtype=np.int64)
        for slot, array in (
            (Slots.RESULTS, self._results), (Slots.MEMORY, self._memory), (Slots.TABLE, self._table),
            (Slots.BARRIER, self._barrier),
        ):  # fmt: skip
            self.frames[:, slot] = array.ctypes.data
        self.frames[:, Slots.TILE], self.frames[:, Slots.THREAD] = tile, np.arange(plan.threads)
        self._addresses = [frame.ctypes.data for frame in self.frames]
        self._held: list[Any] = []
        self._known: list[int] = []

    @cached_property
    def _helpers(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.plan.threads - 1, thread_name_prefix="micrograd-mlp")

    def __call__(self, numbers: Any, columns: Sequence[Any] = (), lengths: Sequence[int] = ()) -> Results:
        """Return the outputs for these inputs."""
        with self._lock:
            arrays = (numbers, *columns)
            if [*map(id, arrays)] != self._known:  # the same arrays lie where they lay, if they need no conversion
                given = checked(numbers, self.plan.numbers, self.dtype)
                self.frames[:, Slots.NUMBERS] = given.ctypes.data
                held = [given, *self.give(columns, lengths)]
                plain = all(a is b for a, b in zip(arrays, held, strict=True))
                self._held, self._known = held, [*map(id, arrays)] if plain else []
            outside = self._outside(lengths)
            self.start(max(lengths, default=0))
            rows = outside | {slot: held for (slot, _), held in zip(self.plan.given, self._held[1:], strict=True)}
            groups = [self._group(where, rows, lengths[batch - 1]) for batch, where in self.plan.wanted]
            return self._results[: self.plan.own].copy(), groups

    def call_of(self, given: Given) -> Callable[..., Any] | None:
        """Return a function that calls the code with arguments like these, see `llvm_call.call_of`.

        None if the arrays of the latest call had to be converted, or if there is more to do than to run the code.
        """
        plan = self.plan
        if not self._known or plan.outside or plan.wanted or plan.threads > 1:
            return None
        from .llvm_call import Code, call_of

        slots = [self._addresses[0] + 8 * slot for slot, _ in plan.given]
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
            held = self.give(columns, [length] * len(self.plan.lengths))
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
        for batch, slot in self.plan.lengths.items():
            self.frames[:, slot] = lengths[batch - 1]
        for column, (slot, group) in zip(columns, self.plan.given, strict=True):
            shape = (lengths[group.batch - 1], group.size)
            with np.errstate(over="ignore"):
                held.append(np.ascontiguousarray(column, dtype=self.dtype))
            if held[-1].shape != shape:
                raise ValueError(f"a batch takes an array of shape {shape}, got {held[-1].shape}")
            self.frames[:, slot] = held[-1].ctypes.data
        return held

    def start(self, samples: int) -> None:
        """Run the code, on as many threads as are worth it for a batch of so many samples."""
        threads = max(1, min(self.plan.threads, samples // LEAST_SHARE))
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
        """Return arrays for what leaves a region for each sample, by their slots."""
        out: dict[int, Numbers] = {}
        for slot, group in self.plan.outside:
            out[slot] = np.empty((lengths[group.batch - 1], group.size), dtype=self.dtype)
            self.frames[:, slot] = out[slot].ctypes.data
        return out

    def _group(self, where: Ints, rows: Mapping[int, Numbers], length: int) -> Numbers:
        """Return the results of each sample that are there, in an array of their own or one of the arrays outside."""
        first = int(where[0, 0]) if len(where) else MEMORY
        outside = {slot for slot, _ in self.plan.outside}
        if first in outside and np.array_equal(where, [(first, place) for place in range(rows[first].shape[1])]):
            return rows[first]
        out: Numbers = np.empty((length, len(where)), dtype=self.dtype)
        for column, (slot, place) in enumerate(where.tolist()):
            out[:, column] = self._memory[place] if slot == MEMORY else rows[slot][:, place]
        return out


def to_bytes(kernel: Kernel) -> bytes:
    """Return the plan and the code of a kernel as the content of a file."""
    plan = asdict(kernel.plan)
    arrays = {name: plan.pop(name) for name in ("constants", "table")}
    plan["wanted"] = [(batch, where.tolist()) for batch, where in plan["wanted"]]
    about = np.frombuffer(json.dumps(plan).encode(), dtype=np.uint8)
    file = BytesIO()
    np.savez(file, allow_pickle=False, about=about, code=np.frombuffer(kernel.native.code, dtype=np.uint8), **arrays)
    return file.getvalue()


def of_bytes(content: bytes) -> Kernel:
    """Return the kernel that `to_bytes` gave as this content, which nobody else may have written: it is run."""
    with np.load(BytesIO(content), allow_pickle=False) as arrays:
        plan = json.loads(arrays["about"].tobytes())
        code, table, constants = arrays["code"].tobytes(), arrays["table"], arrays["constants"]
    plan["lengths"] = {int(batch): slot for batch, slot in plan["lengths"].items()}
    for name in ("given", "outside"):
        plan[name] = tuple((slot, Group(**group)) for slot, group in plan[name])
    plan["wanted"] = tuple((batch, np.reshape(where, (-1, 2)).astype(np.int64)) for batch, where in plan["wanted"])
    if plan["loop"] is not None:
        plan["loop"]["counts"] = tuple(map(tuple, plan["loop"]["counts"]))
        plan["loop"] = Loop(**plan["loop"])
    return Kernel(Plan(table=table, constants=constants, **plan), Loaded(code))


def checked(numbers: Any, expected: int, dtype: str) -> Numbers:
    """Return the numbers in one array of this type. Raises ValueError if there are fewer or more than expected."""
    with np.errstate(over="ignore"):
        given: Numbers = np.ascontiguousarray(numbers, dtype=dtype)
    if given.shape != (expected,) or np.ndim(numbers) != 1:
        raise ValueError(f"the program takes {expected} numbers, got an array of shape {np.shape(numbers)}")
    return given


def _aligned(size: int, dtype: str) -> tuple[Any, int]:
    """Return memory for so many numbers, and the address in it from which they lie on cache lines."""
    memory = np.zeros(size + 64, dtype=dtype)
    return memory, -(-memory.ctypes.data // 64) * 64
