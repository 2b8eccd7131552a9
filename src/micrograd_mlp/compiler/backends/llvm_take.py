"""The native function that Python calls: it takes numbers out of the objects given, and runs the code of a program.

What the objects have to be it reads from records, see `llvm_call`. Where numbers lie in an object is looked up in
objects at hand, not assumed; if they do not lie as expected, or if no global lock holds them still, there is no such
function. Sources: the C API of Python, and PyArrayObject, whose layout NumPy has kept since 1.7.
"""

from __future__ import annotations

import ctypes
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from struct import pack, unpack_from
from typing import Any

import numpy as np
from llvmlite import ir

from ...engine import Value
from .llvm_code import INT, POINTER, VOID, Code, copy
from .llvm_native import Native

DOUBLE, FLAG, SHORT = ir.DoubleType(), ir.IntType(1), ir.IntType(32)
NULL = POINTER(None)
NUMBER, ARRAY, LIST, TUPLE, DICT, SAME, COLUMN = range(7)  # what a record is of
API = ("PyTuple_New", "PyTuple_SetItem", "PyTuple_GetItem", "PyFloat_FromDouble", "PyObject_CallNoArgs", "PyDict_Next",
       "PyBool_FromLong", "Py_IncRef", "Py_DecRef", "PyEval_SaveThread", "PyEval_RestoreThread")  # fmt: skip
PLAN = (*API, "run", "frame", "results", "busy", "alone", "count", "captured", "leaves", "single",
        "value", "float", "float64")  # fmt: skip
_PLAIN = 0x101  # the flags of an array in one piece, each number where its type has to lie
_DIMENSIONS, _SHAPE, _FLAGS = 24, 32, 64  # in an array


@cache
def layout() -> Mapping[str, int] | None:
    """Return at which byte of an object its type, its number and so on lie; None where that cannot be relied on."""
    locked = sys.implementation.name == "cpython" and not sysconfig.get_config_var("Py_GIL_DISABLED")
    if not locked or ctypes.sizeof(ctypes.c_void_p) != 8 or ctypes.sizeof(ctypes.c_ssize_t) != 8:
        return None
    number, value, array = 1234.5, Value(5432.1), np.zeros((3, 5))[1:]
    row = (object(), *[None] * 1000)  # of a length that is no count of references
    (bits,) = unpack_from("q", pack("d", number))
    out = {
        "type": _offset(number, float.__basicsize__, id(float)),
        "number": _offset(number, float.__basicsize__, bits),
        "data": _offset(value, Value.__basicsize__, id(value.data)),
        "size": _offset(row, tuple.__basicsize__, len(row)),
        "tuple": _offset(row, tuple.__basicsize__ + tuple.__itemsize__, id(row[0])),
        "list": _offset(list(row), list.__basicsize__ - 8, len(row)) + 8,
        "array": _offset(array, 24, array.ctypes.data),
        "dtype": _offset(array, 64, id(array.dtype)),
    }
    alike = _offset(np.float64(number), float.__basicsize__, bits) == out["number"] and out["list"] == out["size"] + 8
    head = unpack_from("16xqi", _bytes(array, 72)) + unpack_from("i", _bytes(array, 72), _FLAGS)
    as_numpy = head == (array.ctypes.data, 2, array.flags.num) and out["dtype"] == 56
    return out if alike and as_numpy and min(out.values()) > 0 else None


def _bytes(thing: Any, size: int) -> bytes:
    return ctypes.string_at(id(thing), size)


def _offset(thing: Any, size: int, word: int) -> int:
    """Return at which byte of a thing a word lies; a negative number if it is not there, or more than once."""
    words = unpack_from(f"{size // 8}q", _bytes(thing, size))
    return 8 * words.index(word) if words.count(word) == 1 else -100


class _Method(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p), ("function", ctypes.c_void_p), ("flags", ctypes.c_int), ("doc", ctypes.c_char_p),
    )  # fmt: skip


_FASTCALL = 0x80  # METH_FASTCALL: f(self, arguments, their count)
_new_function: Callable[..., Any] = ctypes.PYFUNCTYPE(
    ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p
)(("PyCFunction_NewEx", ctypes.pythonapi))


def function_of(plan: Any, dtype: str) -> Callable[..., bool]:
    """Return the function with this plan, an array that begins with `PLAN`; it stores numbers of this type."""
    return _new_function(ctypes.addressof(_method(dtype)[0]), plan, None)  # type: ignore[no-any-return]


def api() -> dict[str, int]:
    """Return the addresses of the functions of Python that it calls."""
    return {name: ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value or 0 for name in API}


@cache
def _method(dtype: str) -> tuple[_Method, Native]:
    """Return what functions for this type of numbers have in common; it lives as long as the process."""
    where = layout()
    assert where is not None
    native = Native(_module(where, DOUBLE if dtype == "float64" else ir.FloatType()))
    return _Method(b"call", native.address("call"), _FASTCALL, None), native


def _module(where: Mapping[str, int], element: Any) -> Any:
    module = ir.Module("call")
    take = ir.Function(module, ir.FunctionType(FLAG, [POINTER] * 3), "take")
    take.linkage = "internal"
    body = _Body(take, where, element, take.args[1])
    with body.refusing(lambda: FLAG(0)):
        _emit_take(body)
    call = ir.Function(module, ir.FunctionType(POINTER, [POINTER, POINTER, INT]), "call")
    body = _Body(call, where, element)
    body.plan = body.field(call.args[0], "array")
    out = body.cell()
    body.b.store(NULL, out)

    def refuse() -> Any:
        body.outside("Py_DecRef", VOID, body.b.load(out, typ=POINTER))
        return body.outside("PyBool_FromLong", POINTER, INT(0))

    with body.refusing(refuse):
        _emit_call(body, take, out)
    return module


class Callee:
    """An address as llvmlite takes a function."""

    type = POINTER

    def __init__(self, address: Any, function_type: Any) -> None:
        self.function_type, self.get_reference = function_type, address.get_reference


class _Body:
    """A function under way, which returns something else as soon as a demand is not met."""

    def __init__(self, function: Any, where: Mapping[str, int], element: Any, plan: Any = None) -> None:
        self.function, self.where, self.element, self.plan = function, where, element, plan
        self.b = ir.IRBuilder(function.append_basic_block())
        self.code = Code(self.b, element, None, None)

    @contextmanager
    def refusing(self, result: Callable[[], Any]) -> Iterator[None]:
        """Let what is emitted inside return `result` where a demand is not met."""
        self.refused = self.function.append_basic_block()
        yield
        self.b.position_at_end(self.refused)
        self.b.ret(result())

    def demand(self, condition: Any) -> None:
        """Go on only if this holds."""
        inside = self.b.append_basic_block()
        self.b.cbranch(condition, inside, self.refused)
        self.b.position_at_end(inside)

    def demand_same(self, one: Any, other: Any) -> None:
        self.demand(self.b.icmp_unsigned("==", one, other))

    def each(self, count: Any, emit: Callable[[Any], Any]) -> None:
        """Emit something for each i below a count."""
        self.code.loop(INT(0), count, 1, [], lambda i, _: emit(i) or [])

    def inside(self, thing: Any, where: str | int) -> Any:
        """Return the address of a part of an object."""
        offset = self.where[where] if isinstance(where, str) else where
        return self.b.gep(thing, [INT(offset)], source_etype=ir.IntType(8))

    def field(self, thing: Any, where: str | int, kind: Any = POINTER) -> Any:
        """Return a part of an object."""
        return self.b.load(self.inside(thing, where), typ=kind)

    def word(self, words: Any, i: Any, kind: Any = POINTER) -> Any:
        """Return word i from there on."""
        return self.b.load(self.b.gep(words, [i], source_etype=INT), typ=kind)

    def planned(self, name: str, kind: Any = POINTER) -> Any:
        return self.word(self.plan, INT(PLAN.index(name)), kind)

    def next(self, cursor: Any, kind: Any = POINTER) -> Any:
        """Return the next word of the records."""
        at = self.b.load(cursor, typ=POINTER)
        self.b.store(self.inside(at, 8), cursor)
        return self.b.load(at, typ=kind)

    def outside(self, name: str, result: Any, *args: Any) -> Any:
        """Return what a function returns whose address is in the plan."""
        return self.b.call(Callee(self.planned(name), ir.FunctionType(result, [arg.type for arg in args])), args)

    def cell(self, kind: Any = POINTER) -> Any:
        with self.b.goto_entry_block():
            return self.b.alloca(kind)

    def kinds(self) -> list[Any]:
        """Return what a number may be of: a Value, a float, a float of NumPy's."""
        return [self.planned(name) for name in ("value", "float", "float64")]

    def number(self, thing: Any, kinds: Sequence[Any], to: Any) -> None:
        """Store the number that an object is, or that a Value holds."""
        b, cell, (value, *floats) = self.b, self.cell(), kinds
        b.store(thing, cell)
        with b.if_then(b.icmp_unsigned("==", self.field(thing, "type"), value)):
            data = self.field(thing, "data")
            self.demand(b.icmp_unsigned("!=", data, NULL))  # null: it was deleted
            b.store(data, cell)
        number = b.load(cell, typ=POINTER)
        kind = self.field(number, "type")
        self.demand(b.or_(*(b.icmp_unsigned("==", kind, known) for known in floats)))
        self.store(self.field(number, "number", DOUBLE), to)

    def store(self, double: Any, to: Any) -> None:
        self.b.store(double if self.element == DOUBLE else self.b.fptrunc(double, self.element), to)


def _emit_call(body: _Body, take: Any, out: Any) -> None:
    """Emit: take all arguments and the captured Values, compute, and return the results.

    The tuple of the results is made first: it alone may let the garbage collector run, and with it any code.
    """
    b, (_, given, count), cursor = body.b, body.function.args, body.cell()
    body.demand_same(count, body.planned("count", INT))
    results = body.outside("PyTuple_New", POINTER, body.planned("leaves", INT))
    with b.if_then(b.icmp_unsigned("==", results, NULL)):
        b.ret(NULL)
    b.store(results, out)
    body.demand_same(b.load(body.planned("busy"), typ=INT), INT(0))
    b.store(body.inside(body.plan, 8 * len(PLAN)), cursor)
    body.each(count, lambda i: body.demand(b.call(take, [body.word(given, i), body.plan, cursor])))
    body.demand(b.call(take, [body.planned("captured"), body.plan, cursor]))
    state, alone = body.cell(), b.icmp_unsigned("!=", body.planned("alone", INT), INT(0))
    with b.if_then(b.not_(alone)):
        b.store(body.outside("PyEval_SaveThread", POINTER), state)
    body.outside("run", VOID, body.planned("frame"))
    with b.if_then(b.not_(alone)):
        body.outside("PyEval_RestoreThread", VOID, b.load(state, typ=POINTER))
    body.each(body.planned("leaves", INT), lambda i: _emit_leaf(body, results, i, cursor))
    with b.if_then(b.icmp_unsigned("!=", body.planned("single", INT), INT(0))):
        leaf = body.outside("PyTuple_GetItem", POINTER, results, INT(0))
        body.outside("Py_IncRef", VOID, leaf)
        body.outside("Py_DecRef", VOID, results)
        b.ret(leaf)
    b.ret(results)


def _emit_leaf(body: _Body, results: Any, i: Any, cursor: Any) -> None:
    """Emit: put a result in its place, a number, or what the bound method returns that copies an array."""
    b, leaf = body.b, body.cell()
    place, method = body.next(cursor, INT), body.next(cursor)
    with b.if_else(b.icmp_unsigned("!=", method, NULL)) as (arrays, numbers):
        with arrays:
            b.store(body.outside("PyObject_CallNoArgs", POINTER, method), leaf)
        with numbers:
            number = b.load(body.code.at(body.planned("results"), place), typ=body.element)
            double = number if body.element == DOUBLE else b.fpext(number, DOUBLE)
            b.store(body.outside("PyFloat_FromDouble", POINTER, double), leaf)
    made = b.load(leaf, typ=POINTER)
    with b.if_then(b.icmp_unsigned("==", made, NULL)):  # there is no memory
        body.outside("Py_DecRef", VOID, results)
        b.ret(NULL)
    body.outside("PyTuple_SetItem", SHORT, results, i, made)


def _emit_take(body: _Body) -> None:
    """Emit: take an object by the record at the cursor, leave that at the next, and return whether it was like that."""
    b, (thing, _, cursor) = body.b, body.function.args
    cases = {NUMBER: _take_number, SAME: _take_same, ARRAY: _take_array, DICT: _take_dict,
             LIST: _take_list, TUPLE: _take_tuple, COLUMN: _take_column}  # fmt: skip
    kind, blocks = body.next(cursor, INT), {case: body.function.append_basic_block() for case in cases}
    switch = b.switch(kind, body.refused)
    for case, emit in cases.items():
        switch.add_case(INT(case), blocks[case])
        b.position_at_end(blocks[case])
        emit(body, thing, cursor)
        b.ret(FLAG(1))


def _take_number(body: _Body, thing: Any, cursor: Any) -> None:
    body.number(thing, body.kinds(), body.next(cursor))


def _take_column(body: _Body, thing: Any, cursor: Any) -> None:
    """Let the code read a column where the next record puts its numbers, unless that record says otherwise."""
    slot, to = body.next(cursor), body.next(cursor)
    body.b.store(to, slot)
    body.demand(body.b.call(body.function, [thing, body.plan, cursor]))


def _take_same(body: _Body, thing: Any, cursor: Any) -> None:
    body.demand_same(thing, body.next(cursor))


def _take_list(body: _Body, thing: Any, cursor: Any) -> None:
    body.demand_same(body.field(thing, "type"), body.next(cursor))
    _take_items(body, thing, body.field(thing, "list"), cursor)


def _take_tuple(body: _Body, thing: Any, cursor: Any) -> None:
    body.demand_same(body.field(thing, "type"), body.next(cursor))
    _take_items(body, thing, body.inside(thing, "tuple"), cursor)


def _take_items(body: _Body, thing: Any, items: Any, cursor: Any) -> None:
    """Take the items of a list or tuple, numbers side by side or each by its own record."""
    b, count, to, kinds = body.b, body.next(cursor, INT), body.next(cursor), body.kinds()
    body.demand_same(body.field(thing, "size", INT), count)
    with b.if_else(b.icmp_unsigned("!=", to, NULL)) as (numbers, others):
        with numbers:
            body.each(count, lambda i: body.number(body.word(items, i), kinds, body.code.at(to, i)))
        with others:
            body.each(count, lambda i: body.demand(b.call(body.function, [body.word(items, i), body.plan, cursor])))


def _take_dict(body: _Body, thing: Any, cursor: Any) -> None:
    """Take a dict with the same keys, the very objects, in the same order."""
    b, position, key, value = body.b, body.cell(INT), body.cell(), body.cell()
    b.store(INT(0), position)
    body.demand_same(body.field(thing, "type"), body.next(cursor))

    def following() -> Any:
        return body.outside("PyDict_Next", SHORT, thing, position, key, value)

    def entry(_: Any) -> None:
        body.demand(b.icmp_unsigned("!=", following(), SHORT(0)))
        body.demand_same(b.load(key, typ=POINTER), body.next(cursor))
        body.demand(b.call(body.function, [b.load(value, typ=POINTER), body.plan, cursor]))

    body.each(body.next(cursor, INT), entry)
    body.demand_same(following(), SHORT(0))


def _take_array(body: _Body, thing: Any, cursor: Any) -> None:
    """Take an array of this type and shape, in one piece: its numbers, or its address if the record has a slot."""
    b = body.b
    body.demand_same(body.field(thing, "type"), body.next(cursor))
    body.demand_same(body.field(thing, "dtype"), body.next(cursor))
    body.demand_same(b.and_(body.field(thing, _FLAGS, SHORT), SHORT(_PLAIN)), SHORT(_PLAIN))
    slot, to, size, count = body.next(cursor), body.next(cursor), body.next(cursor, INT), body.next(cursor, INT)
    body.demand_same(b.sext(body.field(thing, _DIMENSIONS, SHORT), INT), count)
    shape, data = body.field(thing, _SHAPE), body.field(thing, "array")
    body.each(count, lambda i: body.demand_same(body.word(shape, i, INT), body.next(cursor, INT)))
    with b.if_else(b.icmp_unsigned("!=", slot, NULL)) as (points, copies):
        with points:
            b.store(data, slot)
        with copies:
            if body.element == DOUBLE:
                copy(body.code, to, data, b.mul(size, INT(8)))
            else:
                body.each(size, lambda i: body.store(body.word(data, i, DOUBLE), body.code.at(to, i)))
