"""Run scalar code on symbols, and record what it does as a flat program.

A `Symbol` stands for one number. Whatever is computed from it goes to a tape, one row an operation; derivatives too,
for `grad` calls the `partials` of the table on symbols. The order of the rows is the order in which they were made.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from traceback import walk_tb
from typing import Any, NoReturn

import numpy as np

from .. import ops
from ..engine import Constant, Value, topological_order
from ..ieee import as_float
from ..ops import TABLE, Op
from .program import CODE, CONSTANT, INPUT, NAMES, ScalarProgram

_OPS = [TABLE.get(name) for name in NAMES]
_PACKAGE = __name__.rpartition(".")[0].rpartition(".")[0]


class Tape:
    """Rows of operations, as they are recorded; and the Values met from outside, which become inputs."""

    def __init__(self) -> None:
        self.rows = array("i")  # four numbers a row: the operation, three arguments
        self.values: dict[int, float] = {}  # of the rows that are constants
        self.inputs: list[int] = []
        self.labels: list[str] = []
        self.captured: list[Value] = []  # those of the inputs that are Values, in order, after all others
        self._constants: dict[Any, int] = {}
        self._known: dict[Value, int] = {}
        self._data: dict[Value, float] = {}  # of the leaves, when they were met

    def row(self, code: int, a: int = -1, b: int = -1, c: int = -1) -> int:
        """Append a row, and return its number."""
        self.rows.extend((code, a, b, c))
        return len(self.rows) // 4 - 1

    def input(self, label: str) -> Symbol:
        """Return the symbol of a further number that is given."""
        self.inputs.append(self.row(INPUT))
        self.labels.append(label)
        return Symbol(self, self.inputs[-1])

    def bind(self, value: Value, label: str) -> None:
        """Let a number that is given stand for this Value wherever it is met."""
        self._known[value], self._data[value] = self.input(label).index, value.data

    def constant(self, number: Any) -> int:
        """Return the row of a constant."""
        number = as_float(number)
        key = number or repr(number)  # 0.0 and -0.0 are equal, but not the same
        index = self._constants.get(key)
        if index is None:
            index = self._constants[key] = self.row(CONSTANT)
            self.values[index] = number
        return index

    def index(self, number: Any) -> int:
        """Return the row that stands for a symbol, a Value or a number."""
        if number.__class__ is Symbol:
            if number.tape is not self:
                raise ValueError("a symbol left the function it was traced in; return it, and pass the number in")
            return int(number.index)
        return self._of_value(number) if isinstance(number, Value) else self.constant(number)

    def refuse_changes(self) -> None:
        """Raise TypeError if the traced function wrote a symbol to a Value, which gets back the number it had."""
        changed = [value for value in self._data if isinstance(value.data, Symbol)]
        for value in changed:
            value.data = self._data[value]
        if changed:
            raise TypeError(f"a compiled function cannot change the data of {changed[0]!r}; return the new number")

    def _of_value(self, value: Value) -> int:
        if value.__class__ is Constant:
            return self.constant(value.data)
        if value in self._known:
            return self._known[value]
        for node in topological_order(value):
            if node not in self._known:
                self._known[node] = self._import(node)
        return self._known[value]

    def _import(self, node: Value) -> int:
        if node.op is None:
            self.captured.append(node)
            self._data[node] = node.data
            return self.input(node.label).index
        if TABLE.get(node.op.name) is not node.op:
            raise ValueError(f"{node!r} comes from an operation of one's own, {node.op.name!r}; use operations of ops")
        return self.row(CODE[node.op.name], *(self._of_node(arg) for arg in node._nodes()))

    def _of_node(self, node: Value) -> int:
        return self.constant(node.data) if node.__class__ is Constant else self._known[node]

    def program(self, outputs: Sequence[int]) -> ScalarProgram:
        """Return what was recorded, as a program with these rows as outputs."""
        rows = np.array(self.rows, dtype=np.int32).reshape(-1, 4)
        value = np.zeros(len(rows))
        value[list(self.values)] = list(self.values.values())
        ends = np.array(self.inputs, dtype=np.int32), np.array(outputs, dtype=np.int32)
        return ScalarProgram(rows[:, 0].astype(np.uint8), rows[:, 1:].copy(), value, *ends, tuple(self.labels))


class Symbol:
    """One number of a program under way. It takes part in operations; what number it is, nobody knows yet."""

    __slots__ = ("index", "tape")
    __array_ufunc__ = None  # a NumPy number leaves the operation to the symbol

    def __init__(self, tape: Tape, index: int) -> None:
        self.tape, self.index = tape, index

    @staticmethod
    def apply_op(op: Op, *args: Any) -> Symbol:
        """Return op(*args) as a symbol. Each argument is a symbol, a Value or a number."""
        tape = next(arg.tape for arg in args if arg.__class__ is Symbol)
        return Symbol(tape, tape.row(CODE[op.name], *map(tape.index, args)))

    def gradients(self, inputs: Any) -> Any:
        """Return d self / d input for each of `inputs`, symbols or Values; `grad` of the engine comes here."""
        if isinstance(inputs, Value | Symbol):
            return self.gradients([inputs])[0]
        return [slope if isinstance(slope, Symbol) else Symbol(self.tape, self.tape.constant(slope))
                for slope in _slopes(self, [self.tape.index(node) for node in inputs])]  # fmt: skip

    def __neg__(self) -> Symbol:
        return self.apply_op(ops.neg, self)

    def __abs__(self) -> Symbol:
        return self.apply_op(ops.abs, self)

    def __repr__(self) -> str:
        return f"Symbol({self.index})"

    def __float__(self) -> float:
        _refuse("float(x)", "use x itself; float32 or float64 is chosen with jit(dtype=...)")

    def __int__(self) -> int:
        _refuse("int(x)", "count and choose with plain numbers from outside the function, or with ops.where")

    def __bool__(self) -> bool:
        return _refuse("bool(x)", _BRANCH)

    def __getattr__(self, name: str) -> NoReturn:
        if name == "data":
            _refuse("x.data", "use x itself, or ops.detach(x) for a number without a gradient")
        if name in ("backward", "grad"):
            _refuse(f"x.{name}", "use engine.grad(output, inputs), which returns the gradients")
        raise AttributeError(f"a traced number has no attribute {name!r}")


_BRANCH = "use ops.where(condition, a, b), ops.maximum, ops.minimum, ops.step or ops.equal in place of a branch"


def _refuse(what: str, instead: str) -> NoReturn:
    raise TypeError(f"{_user_line()}: {what} asks a traced number for its value, which is not known yet; {instead}")


def _user_line() -> str:
    frame = sys._getframe()
    while frame.f_back and _ours(frame.f_globals.get("__name__")):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}, line {frame.f_lineno}"


def _ours(module: object) -> bool:
    return f"{module}.".startswith(f"{_PACKAGE}.")


def _operator(code: int, swapped: bool) -> Callable[[Symbol, Any], Symbol]:
    def method(self: Symbol, other: Any) -> Symbol:
        tape = self.tape
        if other.__class__ is Symbol and other.tape is tape:
            index = other.index
        elif hasattr(other, "__len__") or not hasattr(other, "__float__"):
            return NotImplemented  # type: ignore[no-any-return]
        else:
            index = tape.index(other)
        out: Symbol = object.__new__(Symbol)
        rows = tape.rows
        out.tape, out.index = tape, len(rows) >> 2
        rows.extend((code, index, self.index, -1) if swapped else (code, self.index, index, -1))
        return out

    return method


def _method(op: Op) -> Callable[..., Symbol]:
    def method(self: Symbol, *args: Any) -> Any:
        return op(self, *args)

    method.__name__, method.__doc__ = op.name, f"Return the symbol of {op.formula}, where a is this one."
    return method


def _comparison(sign: str) -> Callable[[Symbol, Any], bool]:
    return lambda self, other: _refuse(f"x {sign} y", _BRANCH)


for _name, _op in (("add", ops.add), ("sub", ops.sub), ("mul", ops.mul), ("truediv", ops.div), ("pow", ops.pow)):
    setattr(Symbol, f"__{_name}__", _operator(CODE[_op.name], swapped=False))
    setattr(Symbol, f"__r{_name}__", _operator(CODE[_op.name], swapped=True))
for _name, _sign in (("lt", "<"), ("le", "<="), ("gt", ">"), ("ge", ">="), ("eq", "=="), ("ne", "!=")):
    setattr(Symbol, f"__{_name}__", _comparison(_sign))
for _name, _op in TABLE.items():
    if hasattr(Value, _name):
        setattr(Symbol, _name, _method(_op))


def _slopes(output: Symbol, inputs: list[int]) -> list[Any]:
    """Return d output / d row for each row of `inputs`, as `engine.grad` does; what is nowhere reached gets 0.0."""
    tape, first = output.tape, min(inputs, default=0)
    rows = tape.rows[: 4 * (output.index + 1)]
    between = bytearray(output.index + 1)  # what depends on an input
    for index in inputs:
        if index <= output.index:
            between[index] = 1
    for index in range(first, output.index + 1):
        for arg in rows[4 * index + 1 : 4 * index + 4]:
            if arg >= 0 and between[arg]:
                between[index] = 1
    adjoint: dict[int, Any] = {output.index: 1.0}
    for index in range(output.index, first - 1, -1):
        if index not in adjoint or not between[index]:
            continue
        op = _OPS[rows[4 * index]]
        if op is None or op.flat:
            continue
        args = rows[4 * index + 1 : 4 * index + 1 + len(op.partials)]
        numbers = [tape.values[arg] if arg in tape.values else Symbol(tape, arg) for arg in args]
        out, above = Symbol(tape, index), adjoint[index]
        for arg, partial in zip(args, op.partials, strict=True):
            if between[arg]:
                slope = partial(out, *numbers)
                share = _times(slope, above)
                share = ops.where(slope, share, 0.0) if op.selects else share
                adjoint[arg] = adjoint[arg] + share if arg in adjoint else share
    return [adjoint.get(index, 0.0) for index in inputs]


def _times(slope: Any, above: Any) -> Any:
    if above.__class__ is float and above == 1.0:
        return slope
    if slope.__class__ is float and slope == 1.0:
        return above
    return -above if slope.__class__ is float and slope == -1.0 else slope * above


@contextmanager
def refuse_symbols() -> Iterator[None]:
    """Let a TypeError that a traced number causes where a plain one is expected name the line of the user's code."""
    try:
        yield
    except TypeError as error:
        if "expected a number, got Symbol" not in str(error):
            raise
        frames = [frame for frame, _ in walk_tb(error.__traceback__)]
        lines = [(f, line) for f, line in walk_tb(error.__traceback__) if not _ours(f.f_globals.get("__name__"))]
        frame, line = lines[-1] if lines else (frames[-1], frames[-1].f_lineno)
        where = f"{frame.f_code.co_filename}, line {line}"
        message = f"{where}: a plain number is needed here, but a traced one has no value yet; {_BRANCH}"
        raise TypeError(message) from None
