"""A whole program as an LLVM module: `run(frame)` for one call, `steps(frame)` for many in a row.

The frame is an array of addresses and integers, all that the code works on: `Slots` says what lies where. Several
threads may run the same code at once, each with a frame of its own: each does its share of the tiles, and the first
one alone does all that lies between.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

import numpy as np
from llvmlite import binding, ir

from ..loops import LoopProgram, Nest, Region
from ..program import Loop
from .llvm_code import INT, POINTER, VOID, Code, Places, Table, Turn, copy_numbers
from .llvm_kernel import Slots
from .llvm_lanes import splat
from .llvm_plain import emit_plain
from .llvm_tiles import Column, Layout, Shape, Tile, joined

SPINS = 4000  # turns that a thread waits before it lets others have the processor


@dataclass(frozen=True)
class Tuning:
    """How tiles are cut: vectors in a group, and results computed at once for a whole group and for a single vector.

    With 16 registers, 2 results times 4 vectors, or 4 times 3, stay in them with what is loaded.
    """

    vectors: int = 4
    results: int = 2
    rest: int = 4
    bytes: int = 256 << 10  # of the rows of a tile, about: it should stay in the caches
    groups: int = 8  # at most

    @classmethod
    def of(cls, samples: int, longest: int, lanes: int) -> Tuning:
        """Return what suits a batch of about so many samples, and sums of which the longest has so many products."""
        return cls(3, 4) if longest >= LONG and samples >= MANY * lanes else cls()


LONG, MANY = 32, 64  # products in a sum, and vectors of samples, from which on four results at once are quicker


class Emitter:
    """Emits the module of a program; `own` counts its results that no batch has for itself."""

    def __init__(
        self, loops: LoopProgram, dtype: str, samples: int = 0, threads: bool = False, loop: Loop | None = None
    ) -> None:
        """Emit for batches of about so many `samples`, if there are any; others take longer, not more."""
        self.loops, self.program, self.loop, self.threads = loops, loops.arrays, loop, threads
        self.element = ir.DoubleType() if dtype == "float64" else ir.FloatType()
        self.lanes = vector_bytes() // np.dtype(dtype).itemsize
        self.samples = samples
        self.tuning = Tuning.of(samples, self._longest(), self.lanes)
        self.table, self.slots = Table(), Slots(loops)
        in_groups = {place for group in self.program.wanted for place in range(group.first, group.first + group.size)}
        self.wanted = np.array([p for p in range(len(self.program.outputs)) if p not in in_groups], dtype=np.int64)
        self.own = len(self.wanted)
        self.outputs = self.program.addresses(self.program.outputs[self.wanted])  # in memory
        grouped = {place for group in self.program.given for place in range(group.first, group.first + group.size)}
        single = np.array([p for p in range(len(self.program.inputs)) if p not in grouped], dtype=np.int64)
        self.single = self.program.addresses(self.program.inputs[single])  # of the numbers; -1 for one never read
        self.layouts = {id(r): Layout(self.program, r, self.lanes, threads) for r in loops.regions if r.batch}
        sizes = []
        for layout in self.layouts.values():
            shape = self._shape(layout)
            sizes.append(layout.size(shape.width) + layout.find_outer(shape.most))
        self.tile_size = -(-max(sizes, default=0) // 64) * 64

    def _longest(self) -> int:
        """Return how many products the longest sum has that a sample has for itself."""
        sums = (term for s in self.program.statements if self.program.arrays[s.out].batch for term in s.terms)
        return max((prod(self.program.extents(term.axes)) for term in sums), default=0)

    def module(self) -> Any:
        """Return the LLVM module."""
        module = ir.Module()
        once = self._once(module)
        function = ir.Function(module, ir.FunctionType(VOID, [POINTER]), "run")
        b = ir.IRBuilder(function.append_basic_block())
        (frame,) = function.args
        if self.loop is not None:
            self._steps(b, frame, once, self.loop)
            return module
        s = self.slots
        numbers, results, memory, table = (self.slot(b, frame, n) for n in (s.NUMBERS, s.RESULTS, s.MEMORY, s.TABLE))
        code, alone = Code(b, self.element, memory, table), _Alone(self, b, frame)
        used = np.flatnonzero(self.single >= 0)
        alone.do(lambda: copy_numbers(code, (memory, self.single[used]), (numbers, used), self.table, self.lanes))
        b.call(once, [frame, ir.Constant(POINTER, None)])
        own = np.arange(self.own)
        alone.do(lambda: copy_numbers(code, (results, own), (memory, self.outputs), self.table, self.lanes))
        b.ret_void()
        return module

    def slot(self, b: Any, frame: Any, slot: int, kind: Any = POINTER) -> Any:
        """Return what the frame holds there."""
        return b.load(b.gep(frame, [INT(slot)], source_etype=INT), typ=kind)

    def _once(self, module: Any) -> Any:
        """Return the function (frame, index) of all regions; the index says which samples these are for."""
        function = _function(module, "once", [POINTER] * 2)
        b = ir.IRBuilder(function.append_basic_block())
        frame, index = function.args
        s = self.slots
        memory, table, tile = (self.slot(b, frame, slot) for slot in (s.MEMORY, s.TABLE, s.TILE))
        code = Code(b, self.element, memory, table)
        alone = _Alone(self, b, frame)
        for place, region in enumerate(self.loops.regions):
            if not region.batch:
                steps = [self._plain(module, region, *block, f"once{place}") for block in region.blocks()]
                alone.do(partial(_call_all, b, steps, [memory, table]))
                continue
            layout = self.layouts[id(region)]
            length = self.slot(b, frame, s.lengths[region.batch], INT)
            share = self._share(b, frame, length)
            mine = code.at(tile, b.mul(self.slot(b, frame, s.THREAD, INT), INT(self.tile_size)))
            alone.wait()
            b.call(self._tiles(module, region, layout, f"tiles{place}"), [frame, memory, table, mine, *share, index])
            alone.wait()
            if self.threads:
                alone.do(partial(self._add_up, code, frame, layout, tile))
        b.ret_void()
        return function

    def _share(self, b: Any, frame: Any, length: Any) -> list[Any]:
        """Return the first and the last sample that this thread takes."""
        if not self.threads:
            return [INT(0), length]
        width = INT(self.lanes * self.tuning.vectors)
        thread, threads = (self.slot(b, frame, slot, INT) for slot in (self.slots.THREAD, self.slots.THREADS))
        tiles = b.sdiv(b.add(length, b.sub(width, INT(1))), width)
        each = b.mul(b.sdiv(b.add(tiles, b.sub(threads, INT(1))), threads), width)
        first = b.mul(each, thread)
        ends = []
        for end in (first, b.add(first, each)):
            ends.append(b.select(b.icmp_signed("<", end, length), end, length))
        return ends

    def _plain(self, module: Any, region: Region, times: int, nests: list[tuple[int, Nest]], name: str) -> Any:
        """Return the function (memory, table) that does these nests of a region so many times."""
        function = _function(module, name, [POINTER] * 2)
        b = ir.IRBuilder(function.append_basic_block())
        code = Code(b, self.element, *function.args)

        def turn_of(turn: Any, _: Any) -> list[Any]:
            places = Places(Turn(code, self.table, turn), self.program, region.turns)
            for _, nest in nests:
                emit_plain(places, nest, self.lanes)
            return []

        code.loop(INT(0), INT(times), 1, [], turn_of)
        b.ret_void()
        return function

    def _tiles(self, module: Any, region: Region, layout: Layout, name: str) -> Any:
        """Return the function (frame, memory, table, tile, first, last, index) that does a region for these samples."""
        function = _function(module, name, [POINTER] * 4 + [INT] * 2 + [POINTER])
        b = ir.IRBuilder(function.append_basic_block())
        frame, memory, table, tile, first, last, index = function.args
        code = Code(b, self.element, memory, table)
        with b.if_then(b.icmp_signed(">=", first, last)):
            self._clear(code, layout, tile if layout.own else memory)
        full, rest = self._shape(layout), Shape(self.lanes, 1, self.tuning.rest)
        columns = self._columns(b, frame, layout)
        gathers = self.loop is not None and self.loop.gather
        whole = b.sub(last, b.srem(b.sub(last, first), INT(full.group)))

        def tile_of(shape: Shape, n: Any, groups: Any, valid: Any) -> list[Any]:
            each = Tile(code, layout, self.table, shape, tile, b.icmp_signed("==", n, first), valid)

            def take(start: Any) -> None:
                for column in columns:
                    each.take(start, column, index if gathers and column.given else None)

            def give(start: Any) -> None:
                for array in region.outputs:
                    each.give(start, array, self.slot(b, frame, self.slots.outside[array]))

            each.run(region, n, groups, take, give)
            return []

        def whole_groups(n: Any, _: Any) -> list[Any]:
            left = b.sdiv(b.sub(whole, n), INT(full.group))
            groups = b.select(b.icmp_signed("<", left, INT(full.groups)), left, INT(full.groups))
            return tile_of(full, n, groups, None)

        code.loop(first, whole, full.most, [], whole_groups)
        code.loop(whole, last, self.lanes, [], lambda n, _: tile_of(rest, n, INT(1), b.sub(last, n)))
        b.ret_void()
        return function

    def _shape(self, layout: Layout) -> Shape:
        """Return how the tiles of a region are cut."""
        group = self.lanes * self.tuning.vectors
        size = max(layout.count, 1) * group * (8 if isinstance(self.element, ir.DoubleType) else 4)
        wanted = self.samples // group if self.samples else self.tuning.groups
        groups = max(1, min(wanted, self.tuning.groups, self.tuning.bytes // size))
        return Shape(self.lanes, self.tuning.vectors, self.tuning.results, groups)

    def _columns(self, b: Any, frame: Any, layout: Layout) -> list[Column]:
        """Return where the rows that a region takes come from."""
        inputs, out = layout.region.inputs, []
        for array in inputs:
            if array in self.slots.outside:
                size, base = self.program.arrays[array].size, self.slot(b, frame, self.slots.outside[array])
                out.append(Column(base, size, layout.rows[array] + np.arange(size), np.arange(size), given=False))
        for group, slot in zip(self.program.given, self.slots.columns, strict=True):
            places = self.program.inputs[group.first : group.first + group.size]
            here = [np.flatnonzero(places[:, 0] == array) for array in inputs]
            taken = [(array, numbers) for array, numbers in zip(inputs, here, strict=True) if len(numbers)]
            if taken:
                base = self.slot(b, frame, slot)
                each = [Column(base, group.size, layout.rows[array] + places[p, 1], p) for array, p in taken]
                out += joined(each)
        return out

    def _clear(self, code: Code, layout: Layout, sums: Any) -> None:
        """Emit the sums over no samples."""
        for array, start in layout.sums.items():

            def some(i: Any, lanes: int, start: int = start) -> None:
                code.store(splat(code.vector(lanes), -0.0), sums, code.place(start, (1,), [i]))

            code.in_vectors(self.program.arrays[array].size, self.lanes, some)

    def _add_up(self, code: Code, frame: Any, layout: Layout, tile: Any) -> None:
        """Emit the sums of all threads, added up, to where the program has them."""
        threads = self.slot(code.builder, frame, self.slots.THREADS, INT)
        for array, start in layout.sums.items():

            def some(i: Any, lanes: int, start: int = start, base: int = self.program.bases[array]) -> None:
                own = code.place(start, (1,), [i])

                def further(thread: Any, total: list[Any]) -> list[Any]:
                    there = code.place(0, (1, self.tile_size), [own, thread])
                    return [code.add(total[0], code.load(tile, there, lanes))]

                total = code.loop(INT(1), threads, 1, [code.load(tile, own, lanes)], further)
                code.store(total[0], code.memory, code.place(base, (1,), [i]))

            code.in_vectors(self.program.arrays[array].size, self.lanes, some)

    def _steps(self, b: Any, frame: Any, once: Any, loop: Loop) -> None:
        """Emit the loop over steps: it ends before the step whose outs are not all finite, and says where in DONE.

        The state stays in memory from step to step; `numbers` hold the first one, and get the last.
        """
        s = self.slots
        code = Code(b, self.element, self.slot(b, frame, s.MEMORY), self.slot(b, frame, s.TABLE))
        memory, numbers = code.memory, self.slot(b, frame, s.NUMBERS)
        order, starts, knobs, out = (self.slot(b, frame, slot) for slot in (s.ORDER, s.STARTS, s.KNOBS, s.OUT))
        first, last = self.slot(b, frame, s.DONE, INT), self.slot(b, frame, s.LAST, INT)
        stop_at = b.gep(self.slot(b, frame, s.BARRIER), [INT(2)], source_etype=INT)
        done_at = b.gep(frame, [INT(s.DONE)], source_etype=INT)
        alone = _Alone(self, b, frame)
        used = np.flatnonzero(self.single >= 0)
        alone.do(lambda: copy_numbers(code, (memory, self.single[used]), (numbers, used), self.table, self.lanes))
        head, after = b.append_basic_block("step"), b.append_basic_block("after")
        before = b.block
        b.cbranch(b.icmp_signed("<", first, last), head, after)
        b.position_at_end(head)
        k = b.phi(INT)
        k.add_incoming(first, before)
        begin, end = (b.load(b.gep(starts, [n], source_etype=INT), typ=INT) for n in (k, b.add(k, INT(1))))
        count = b.sub(end, begin)
        for slot in s.lengths.values():
            b.store(count, b.gep(frame, [INT(slot)], source_etype=INT))

        def prepare() -> None:
            for knob, place in enumerate(range(loop.state, loop.state + loop.knobs)):
                if self.single[place] >= 0:
                    number = code.load(knobs, code.place(knob, (loop.knobs,), [k]))
                    code.store(number, memory, int(self.single[place]))
            for place, _ in loop.counts:
                code.store(b.sitofp(count, self.element), memory, int(self.single[place]))

        alone.do(prepare)
        index = b.gep(order, [begin], source_etype=INT) if loop.gather else ir.Constant(POINTER, None)
        b.call(once, [frame, index])

        def take() -> None:
            bad = ir.Constant(ir.IntType(1), 0)
            for place in range(loop.outs):
                number = code.load(memory, int(self.outputs[place]))
                code.store(number, out, code.place(place, (loop.outs,), [k]))
                bad = b.or_(bad, b.fcmp_unordered("uno", b.fsub(number, number), self.element(0.0)))
            b.store(b.select(bad, INT(1), INT(0)), stop_at)
            with b.if_then(b.not_(bad)):
                self._carry(code, loop, numbers, self.slot(b, frame, s.RESULTS))
                b.store(b.add(k, INT(1)), done_at)

        alone.do(take)
        alone.wait()
        stopped = b.load(stop_at, typ=INT)
        alone.wait()
        following = b.add(k, INT(1))
        k.add_incoming(following, b.block)
        more = b.and_(b.icmp_signed("<", following, last), b.icmp_signed("==", stopped, INT(0)))
        b.cbranch(more, head, after)
        b.position_at_end(after)
        state = used[used < loop.state]
        alone.do(lambda: copy_numbers(code, (numbers, state), (memory, self.single[state]), self.table, self.lanes))
        b.ret_void()

    def _carry(self, code: Code, loop: Loop, numbers: Any, results: Any) -> None:
        """Emit the copy of the next state to where the state lies; of what no step reads, to the numbers."""
        here, there = self.outputs[loop.outs :], self.single[: loop.state]
        moves = (there >= 0) & (here != there)
        source = code.memory
        if np.isin(here[moves], there[moves]).any():  # it would be overwritten before it is read
            own = np.arange(len(here))
            copy_numbers(code, (results, own), (code.memory, here), self.table, self.lanes)
            source, here = results, own
        copy_numbers(code, (code.memory, there[moves]), (source, here[moves]), self.table, self.lanes)
        unread = np.flatnonzero(there < 0)
        copy_numbers(code, (numbers, unread), (source, here[unread]), self.table, self.lanes)


def _call_all(b: Any, functions: list[Any], args: list[Any]) -> None:
    for function in functions:
        b.call(function, args)


class _Alone:
    """What only the first of the threads does, and how they wait for each other."""

    def __init__(self, emitter: Emitter, b: Any, frame: Any) -> None:
        self.emitter, self.b, self.frame = emitter, b, frame

    def do(self, emit: Callable[[], Any]) -> None:
        """Emit what the first thread does."""
        if not self.emitter.threads:
            emit()
            return
        b = self.b
        thread = self.emitter.slot(b, self.frame, self.emitter.slots.THREAD, INT)
        with b.if_then(b.icmp_signed("==", thread, INT(0))):
            emit()

    def wait(self) -> None:
        """Emit the call that returns when all threads have come here."""
        if self.emitter.threads:
            b = self.b
            state = self.emitter.slot(b, self.frame, Slots.BARRIER)
            b.call(_barrier(b.module), [state, self.emitter.slot(b, self.frame, Slots.THREADS, INT)])


def _barrier(module: Any) -> Any:
    """Return the function (state, threads): the last thread to come opens the next turn, for which the others wait.

    `state` holds how many have come, and the number of the turn. Source: Hensgen, Finkel and Manber, Two algorithms for
    barrier synchronization (1988), the central counter.
    """
    if "barrier" in module.globals:
        return module.globals["barrier"]
    function = _function(module, "barrier", [POINTER, INT])
    state, threads = function.args
    entry, last, spin, check, rest, done = (function.append_basic_block() for _ in range(6))
    b = ir.IRBuilder(entry)
    turn_at = b.gep(state, [INT(1)], source_etype=INT)
    turn = b.load_atomic(turn_at, "acquire", 8, typ=INT)
    came = b.atomic_rmw("add", state, INT(1), "acq_rel")
    b.cbranch(b.icmp_signed("==", came, b.sub(threads, INT(1))), last, spin)
    b.position_at_end(last)
    b.atomic_rmw("xchg", state, INT(0), "acq_rel")
    b.atomic_rmw("xchg", turn_at, b.add(turn, INT(1)), "acq_rel")
    b.branch(done)
    b.position_at_end(spin)
    spun = b.phi(INT)
    b.cbranch(b.icmp_signed("!=", b.load_atomic(turn_at, "acquire", 8, typ=INT), turn), done, check)
    b.position_at_end(check)
    following = b.add(spun, INT(1))
    b.cbranch(b.icmp_signed("<", following, INT(SPINS)), spin, rest)
    b.position_at_end(rest)
    if binding.address_of_symbol("sched_yield"):
        b.call(ir.Function(module, ir.FunctionType(ir.IntType(32), []), "sched_yield"), [])
    b.branch(spin)
    for turns, block in ((INT(0), entry), (following, check), (INT(0), rest)):
        spun.add_incoming(turns, block)
    b.position_at_end(done)
    b.ret_void()
    return function


def _function(module: Any, name: str, kinds: list[Any]) -> Any:
    function = ir.Function(module, ir.FunctionType(VOID, kinds), module.get_unique_name(name))
    function.linkage = "internal"
    function.attributes.add("noinline")  # LLVM's time grows faster than the length of a function
    return function


def vector_bytes() -> int:
    """Return the size of the vectors of this machine."""
    features = binding.get_host_cpu_features()
    return 64 if features.get("avx512f") else 32 if features.get("avx") else 16
