"""Native code: each statement of an array program is a nest of loops, which LLVM turns into vector instructions.

Sums may be added in another order, and fused with products; everything else is computed as it stands.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

import numpy as np
from llvmlite import ir

from ..program import ANYWHERE, ArrayProgram, Ints, Operand, Statement, Term
from .llvm_math import RULES
from .llvm_native import Native

Numbers = np.ndarray[Any, np.dtype[np.floating[Any]]]
Run = Callable[[Any], Numbers]

_INT, _POINTER = ir.IntType(64), ir.PointerType()
_SUM_FLAGS = ("reassoc", "contract")


def lower(program: ArrayProgram, dtype: str = "float64") -> Run:
    """Return a function from the numbers of all inputs to those of all outputs, each in one array.

    The memory of the program is laid out once and used at every call, one call at a time. Raises ValueError if the
    program would read or write outside of it, and the function if it is given too few or too many numbers.
    """
    program.check()
    module, table = emit(program, dtype)
    native = Native(module)
    call = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4)(native.address("run"))
    memory: Numbers = np.zeros(program.bases[-1], dtype=dtype)
    memory[: len(program.constants)] = program.constants
    places = memory.ctypes.data, table.ctypes.data
    shape, n_out, lock = program.inputs.shape, len(program.outputs), Lock()

    def run(numbers: Any) -> Numbers:
        given: Numbers = np.ascontiguousarray(numbers, dtype=dtype)
        if given.shape != shape:
            raise ValueError(f"the program takes {shape[0]} numbers, got an array of shape {given.shape}")
        out: Numbers = np.empty(n_out, dtype=dtype)
        with lock:
            call(given.ctypes.data, out.ctypes.data, *places)
        return out

    run.native, run.arrays = native, (memory, table)  # type: ignore[attr-defined]  # they live as long as the function
    return run


def emit(program: ArrayProgram, dtype: str = "float64") -> tuple[Any, Ints]:
    """Return the LLVM module with the function run(numbers, results, memory, table), and the table.

    The table holds all index arrays and offsets, and where inputs and outputs lie in memory.
    """
    module, table = ir.Module(), _Table([])
    element = ir.DoubleType() if dtype == "float64" else ir.FloatType()
    run = ir.Function(module, ir.FunctionType(ir.VoidType(), [_POINTER] * 4), "run")
    b = ir.IRBuilder(run.append_basic_block())
    numbers, results, memory, entries = run.args
    (used,) = np.nonzero(program.inputs >= 0)
    here = np.arange(len(program.outputs))
    _emit_copy(_Code(b, element, memory, numbers, entries), table, program.inputs[used], used)
    for statement in program.statements:
        step = _emit_statement(module, program, statement, element, table)
        if step is not None:
            out = b.gep(memory, [_INT(program.bases[statement.out])], source_etype=element)
            b.call(step, [out, memory, entries])
    _emit_copy(_Code(b, element, results, memory, entries), table, here, program.outputs)
    b.ret_void()
    return module, np.concatenate(table.columns)


@dataclass
class _Table:
    """Index arrays and offsets, one after the other."""

    columns: list[Ints]

    def add(self, column: Ints) -> int:
        """Append a column and return where it begins."""
        self.columns.append(np.ascontiguousarray(column, dtype=np.int64).ravel())
        return sum(len(c) for c in self.columns[:-1])


@dataclass(frozen=True)
class _Access:
    """Where an operand reads: start + sum of strides * position, in memory or, for a gather, first in the table."""

    start: int
    strides: tuple[int, ...]
    gathers: bool = False


@dataclass(frozen=True)
class _Code:
    """Where the instructions of a statement go, and what they work on."""

    builder: Any
    element: Any
    out: Any
    memory: Any
    table: Any

    def load(self, access: _Access, position: Sequence[Any]) -> Any:
        """Return the number that is read at this position of the loops."""
        place = self.place(access.start, access.strides, position)
        if access.gathers:
            place = self.entry(place)
        b = self.builder
        return b.load(b.gep(self.memory, [place], source_etype=self.element), typ=self.element)

    def entry(self, place: Any) -> Any:
        """Return an integer of the table."""
        b = self.builder
        return b.load(b.gep(self.table, [place], source_etype=_INT), typ=_INT)

    def out_at(self, strides: Sequence[int], position: Sequence[Any]) -> Any:
        """Return the address of a number of the result."""
        place = self.place(0, strides, position)
        return self.builder.gep(self.out, [place], source_etype=self.element)

    def place(self, start: int, strides: Sequence[int], position: Sequence[Any]) -> Any:
        """Return start + sum of strides * position."""
        place = _INT(start)
        for stride, i in zip(strides, position, strict=True):
            if stride:
                place = self.builder.add(place, self.builder.mul(i, _INT(stride), flags=["nsw"]), flags=["nsw"])
        return place

    def add(self, a: Any, b: Any) -> Any:
        """Return a + b, as part of a sum that may be added in any order."""
        return self.builder.fadd(a, b, flags=_SUM_FLAGS)

    def product(self, accesses: Sequence[_Access], position: Sequence[Any]) -> Any:
        """Return the product of what is read at this position."""
        first, *rest = [self.load(access, position) for access in accesses]
        for number in rest:
            first = self.builder.fmul(first, number, flags=["contract"])
        return first

    def loop(self, first: Any, last: Any, total: Any, body: Callable[[Any, Any], Any]) -> Any:
        """Emit total = body(i, total) for first <= i < last, and return the last total; it may be None."""
        b = self.builder
        before = b.block
        head, inside, after = (b.append_basic_block() for _ in range(3))
        b.branch(head)
        b.position_at_end(head)
        i = b.phi(_INT)
        i.add_incoming(first, before)
        carried = None
        if total is not None:
            carried = b.phi(self.element)
            carried.add_incoming(total, before)
        b.cbranch(b.icmp_signed("<", i, last), inside, after)
        b.position_at_end(inside)
        result = body(i, carried)
        following = b.add(i, _INT(1), flags=["nsw"])
        i.add_incoming(following, b.block)
        if carried is not None:
            carried.add_incoming(result, b.block)
        b.branch(head)
        b.position_at_end(after)
        return carried

    def nest(self, extents: Sequence[int], total: Any, body: Callable[[list[Any], Any], Any]) -> Any:
        """Emit total = body(position, total) for each position within the extents, and return the last total."""
        if not extents:
            return body([], total)
        if extents[0] == 1:
            return self.nest(extents[1:], total, lambda rest, t: body([_INT(0), *rest], t))

        def inner(i: Any, outer: Any) -> Any:
            return self.nest(extents[1:], outer, lambda rest, t: body([i, *rest], t))

        return self.loop(_INT(0), _INT(extents[0]), total, inner)


def _emit_copy(code: _Code, table: _Table, to: Ints, origin: Ints) -> None:
    """Emit out[to[i]] = memory[origin[i]] for all i."""
    b, into, access = code.builder, table.add(to), _Access(table.add(origin), (1,), gathers=True)

    def body(i: Any, _: Any) -> None:
        place = code.entry(code.place(into, (1,), [i]))
        b.store(code.load(access, [i]), b.gep(code.out, [place], source_etype=code.element))

    code.loop(_INT(0), _INT(len(to)), None, body)


def _emit_statement(module: Any, program: ArrayProgram, statement: Statement, element: Any, table: _Table) -> Any:
    """Add the function (out, memory, table) of a statement to the module; None if there is nothing to compute."""
    extents = program.extents(statement.axes)
    if 0 in extents:
        return None
    name = module.get_unique_name(program.arrays[statement.out].name)
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [_POINTER] * 3), name)
    function.linkage = "internal"
    function.attributes.add("noinline")  # LLVM's time grows faster than the length of a function
    for arg in function.args:
        arg.add_attribute("noalias")  # a statement does not read its own array
    b = ir.IRBuilder(function.append_basic_block())
    code = _Code(b, element, *function.args)
    if statement.op == "sum":
        _emit_sum(code, program, statement, table)
    else:
        _emit_elements(code, program, statement, table)
    code.builder.ret_void()
    return function


def _emit_elements(code: _Code, program: ArrayProgram, statement: Statement, table: _Table) -> None:
    extents = program.extents(statement.axes)
    reads = [_access(program, operand, extents, table) for operand in statement.operands]
    extents, (out, *reads) = _merged(extents, [_Access(0, _row_major(extents)), *reads])

    def body(position: list[Any], _: Any) -> None:
        result = RULES[statement.op](code.builder, *(code.load(access, position) for access in reads))
        code.builder.store(result, code.out_at(out.strides, position))

    code.nest(extents, None, body)


def _emit_sum(code: _Code, program: ArrayProgram, statement: Statement, table: _Table) -> None:
    """Emit the sum of the terms: those that add up along the last axis of the result after all others."""
    extents = program.extents(statement.axes)
    depth, strides, b = len(extents), _row_major(extents), code.builder
    inner: list[Callable[[list[Any], Any], Any]] = []
    outer = []
    for term in statement.terms:
        space = extents + program.extents(term.axes) if term.offsets is None else (term.length,)
        reads = [_access(program, factor, space, table) for factor in term.factors]
        if term.offsets is not None:
            inner.append(_ragged(code, term, reads, strides, table))
        elif _adds_rows(reads, depth, space):
            outer.append((space, reads))
        else:
            inner.append(_reduction(code, reads, depth, space))

    def body(position: list[Any], _: Any) -> None:
        total = code.element(-0.0)  # -0 + x is x, also for -0
        for term in inner:
            total = term(position, total)
        b.store(total, code.out_at(strides, position))

    code.nest(extents, None, body)
    for space, reads in outer:
        _emit_rows(code, space, reads, depth, strides)


def _reduction(
    code: _Code, reads: list[_Access], depth: int, space: tuple[int, ...]
) -> Callable[[list[Any], Any], Any]:
    def term(position: list[Any], total: Any) -> Any:
        return code.nest(space[depth:], total, lambda rest, t: code.add(t, code.product(reads, position + rest)))

    return term


def _ragged(
    code: _Code, term: Term, reads: list[_Access], strides: Sequence[int], table: _Table
) -> Callable[[list[Any], Any], Any]:
    assert term.offsets is not None
    offsets = table.add(np.append(term.offsets, term.length))

    def emit_term(position: list[Any], total: Any) -> Any:
        at = code.place(offsets, strides, position)
        first, last = code.entry(at), code.entry(code.builder.add(at, _INT(1)))
        return code.loop(first, last, total, lambda i, t: code.add(t, code.product(reads, [i])))

    return emit_term


def _adds_rows(reads: list[_Access], depth: int, space: tuple[int, ...]) -> bool:
    """Say whether to add whole rows of the result: where numbers lie side by side along it, but not along the sum."""
    if depth == 0 or len(space) == depth or any(access.gathers for access in reads):
        return False
    along_row = {access.strides[depth - 1] for access in reads}
    along_sum = {access.strides[-1] for access in reads}
    return 1 in along_row and along_row <= {0, 1} and not along_sum <= {0, 1}


def _emit_rows(code: _Code, space: tuple[int, ...], reads: list[_Access], depth: int, strides: tuple[int, ...]) -> None:
    order = [*range(depth - 1), *range(depth, len(space)), depth - 1]  # the row goes innermost
    turned = [replace(access, strides=tuple(access.strides[axis] for axis in order)) for access in reads]
    out = tuple((*strides, *[0] * (len(space) - depth))[axis] for axis in order)

    def body(position: list[Any], _: Any) -> None:
        b, where = code.builder, code.out_at(out, position)
        b.store(code.add(b.load(where, typ=code.element), code.product(turned, position)), where)

    code.nest([space[axis] for axis in order], None, body)


def _access(program: ArrayProgram, operand: Operand, space: tuple[int, ...], table: _Table) -> _Access:
    base = 0 if operand.source == ANYWHERE else program.bases[operand.source]
    if operand.index is None:
        return _Access(base + operand.offset, tuple(int(stride) for stride in operand.strides))
    return _Access(table.add(operand.index + base), _row_major(space), gathers=True)


def _row_major(extents: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(np.prod(extents[axis + 1 :], dtype=np.int64)) for axis in range(len(extents)))


def _merged(extents: tuple[int, ...], accesses: list[_Access]) -> tuple[tuple[int, ...], list[_Access]]:
    """Return the same loops with as few axes as possible: two become one where all walk through both in one stride."""
    for axis in range(len(extents) - 1):
        inner = extents[axis + 1]
        if all(access.strides[axis] == access.strides[axis + 1] * inner for access in accesses):
            fewer = (*extents[:axis], extents[axis] * inner, *extents[axis + 2 :])
            drop = [replace(a, strides=a.strides[:axis] + a.strides[axis + 1 :]) for a in accesses]
            return _merged(fewer, drop)
    return extents, accesses
