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
from .program import CODE, CONSTANT, INPUT, NAMES, SUM, Group, ScalarProgram

_OPS = [TABLE.get(name) for name in NAMES]
_PACKAGE = __name__.rpartition(".")[0].rpartition(".")[0]


class Tape:
    """Rows of operations, as they are recorded; and the Values met from outside, which become inputs.

    In a batch, one sample stands for all. What is computed from it is of the batch too, until a sum closes it.
    """

    def __init__(self) -> None:
        self.rows = array("i")  # four numbers a row: the operation, three arguments
        self.values: dict[int, float] = {}  # of the rows that are constants; of sums over samples, their batch
        self.labels: dict[int, str] = {}  # of the inputs
        self.captured: dict[Value, int] = {}  # the inputs that are Values
        self.lengths: list[int] = []  # of the batches 1, 2, ... when they were traced
        self.counts: dict[int, int] = {}  # batch: the input that is its length
        self._batch = bytearray()  # of each row, as far as it was asked for
        self._samples: dict[int, int] = {}  # input: the batch that has it for each sample
        self._constants: dict[Any, int] = {}
        self._known: dict[Value, int] = {}
        self._data: dict[Value, float] = {}  # of the leaves, when they were met

    def row(self, code: int, a: int = -1, b: int = -1, c: int = -1) -> int:
        """Append a row, and return its number."""
        self.rows.extend((code, a, b, c))
        return len(self.rows) // 4 - 1

    def input(self, label: str, batch: int = 0) -> Symbol:
        """Return the symbol of a further number that is given, or that each sample of a batch has for itself."""
        index = self.row(INPUT)
        self.labels[index] = label
        if batch:
            self._samples[index] = batch
        return Symbol(self, index)

    def bind(self, value: Value, symbol: Symbol) -> None:
        """Let a number that is given stand for this Value wherever it is met."""
        self._known[value], self._data[value] = symbol.index, value.data

    def batch_of_length(self, length: int) -> int:
        """Return the number of the batch of so many samples."""
        if length not in self.lengths:
            self.lengths.append(length)
        return self.lengths.index(length) + 1

    def count(self, batch: int) -> Symbol:
        """Return the symbol of the number of samples in a batch."""
        if batch not in self.counts:
            self.counts[batch] = self.input("count").index
        return Symbol(self, self.counts[batch])

    def close(self, number: Any, batch: int) -> Symbol:
        """Return the sum of a number over all samples of a batch."""
        row = self.row(SUM, self.index(number))
        self.values[row] = float(batch)
        return Symbol(self, row)

    def batches(self) -> bytearray:
        """Return the batch of each row so far, 0 for none. Raises ValueError where two batches meet."""
        rows, batch = self.rows, self._batch
        if not self.lengths:
            return bytearray(len(rows) // 4)
        fresh = iter(rows[4 * len(batch) :])
        for index, (code, a, *others) in enumerate(zip(*[fresh] * 4, strict=True), len(batch)):
            own = batch[a] if a >= 0 else self._samples.get(index, 0)
            for arg in others:
                if arg >= 0 and batch[arg] != own:
                    if own and batch[arg]:
                        one, other = (self.lengths[number - 1] for number in sorted((own, batch[arg])))
                        raise ValueError(
                            f"numbers of a batch of {one} and of one of {other} samples meet; close one with mean"
                        )
                    own = own or batch[arg]
            batch.append(own if code != SUM else 0)
        return batch

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
            self._data[node] = node.data
            self.captured[node] = self.input(node.label).index
            return self.captured[node]
        if TABLE.get(node.op.name) is not node.op:
            raise ValueError(f"{node!r} comes from an operation of one's own, {node.op.name!r}; use operations of ops")
        return self.row(CODE[node.op.name], *(self._of_node(arg) for arg in node._nodes()))

    def _of_node(self, node: Value) -> int:
        return self.constant(node.data) if node.__class__ is Constant else self._known[node]

    def program(
        self,
        outputs: Sequence[int],
        inputs: Sequence[int] | None = None,
        given: Sequence[Group] = (),
        wanted: Sequence[Group] = (),
    ) -> ScalarProgram:
        """Return what was recorded, as a program with these rows as outputs, and as inputs: all in order, if None."""
        inputs = list(self.labels) if inputs is None else inputs
        rows = np.array(self.rows, dtype=np.int32).reshape(-1, 4)
        value = np.zeros(len(rows))
        value[list(self.values)] = list(self.values.values())
        return ScalarProgram(
            rows[:, 0].astype(np.uint8),
            rows[:, 1:].copy(),
            value,
            np.array(inputs, dtype=np.int64),
            np.array(outputs, dtype=np.int64),
            tuple(self.labels.get(row, "") for row in inputs),
            np.frombuffer(bytes(self.batches()), dtype=np.uint8),
            tuple(given),
            tuple(wanted),
        )


class Symbol:
    """One number of a program under way. It takes part in operations; what number it is, nobody knows yet."""

    __slots__ = ("index", "tape")

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
        if hasattr(inputs, "with_slopes"):  # a batch of samples
            return inputs.with_slopes(self)
        if isinstance(inputs, np.ndarray):
            return array_of(self.gradients(inputs.ravel().tolist()), (inputs.size,)).reshape(inputs.shape)
        return [slope if isinstance(slope, Symbol) else Symbol(self.tape, self.tape.constant(slope))
                for slope in _slopes(self, [self.tape.index(node) for node in inputs])]  # fmt: skip

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *args: Any, **options: Any) -> Any:
        """Let NumPy go through numbers and symbols one by one, as it does with Values: np.sin(x) is x.sin()."""
        try:
            return getattr(ufunc, method)(*map(_boxed, args), **options)
        except TypeError as error:
            if error.__traceback__ is None or error.__traceback__.tb_next:
                raise  # of a symbol, which says so itself
            _refuse(f"np.{ufunc.__name__}", f"use {_PACKAGE}.ops, and lists or arrays with dtype=object for results")

    def __neg__(self) -> Symbol:
        return self.apply_op(ops.neg, self)

    def __abs__(self) -> Symbol:
        return self.apply_op(ops.abs, self)

    def __repr__(self) -> str:
        return f"Symbol({self.index})"

    def __float__(self) -> float:
        _refuse("float(x)", "use x itself, ops.sin(x) for math.sin(x); jit(dtype=...) chooses float32 or float64")

    def __int__(self) -> int:
        _refuse("int(x)", "count and choose with plain numbers from outside the function, or with ops.where")

    def __index__(self) -> int:  # noqa: PLE0305  # it always raises
        _refuse("an index or a count", "index and count with plain numbers from outside the function")

    def __format__(self, spec: str) -> str:
        return repr(self) if not spec else _refuse(f"format {spec!r}", "print numbers outside the function")

    def __bool__(self) -> bool:
        return _refuse("bool(x)", _BRANCH)

    def __getattr__(self, name: str) -> NoReturn:
        if name == "data":
            _refuse("x.data", "use x itself, or ops.detach(x) for a number without a gradient")
        if name in ("backward", "grad"):
            _refuse(f"x.{name}", "use engine.grad(output, inputs), which returns the gradients")
        raise AttributeError(f"a traced number has no attribute {name!r}")


def array_of(items: Sequence[Any], shape: tuple[int, ...]) -> Any:
    """Return an array of these objects, each a number or an array of them."""
    array = np.empty(shape, dtype=object)
    for place, item in enumerate(items):
        array[place] = item
    return array


def _boxed(arg: Any) -> Any:
    return array_of([arg], (1,)).reshape(()) if isinstance(arg, Symbol) else arg


_BRANCH = "use ops.where(condition, a, b), ops.maximum, ops.minimum, ops.step or ops.equal in place of a branch"


def _refuse(what: str, instead: str) -> NoReturn:
    refuse(what, "a traced number for its value", instead)


def refuse(what: str, asked: str, instead: str) -> NoReturn:
    """Raise TypeError that names the line of the user's code, and says what to use there instead."""
    raise TypeError(f"{_user_line()}: {what} asks {asked}, which is not known yet; {instead}")


def _user_line() -> str:
    frame = sys._getframe()
    while frame.f_back and _ours(frame.f_globals.get("__name__")):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}, line {frame.f_lineno}"


def _ours(module: object) -> bool:
    return f"{module}.".startswith((f"{_PACKAGE}.", "numpy."))


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
    """Return d output / d row for each row of `inputs`, as `engine.grad` does; what is nowhere reached gets 0.0.

    What a batch reads from outside is the same number for all of its samples: its slope is the sum of theirs, but that
    of the sample alone where `output` itself is one of a sample. Raises ValueError where that depends on all samples.
    """
    tape, first = output.tape, min(inputs, default=0)
    rows, batch = tape.rows[: 4 * (output.index + 1)], tape.batches()
    alone = batch[output.index] > 0
    between = bytearray(output.index + 1)  # what depends on an input
    for index in inputs:
        if index <= output.index:
            between[index] = 1
    for index in range(first, output.index + 1):
        for arg in rows[4 * index + 1 : 4 * index + 4]:
            if arg >= 0 and between[arg]:
                between[index] = 1
    adjoint: dict[int, Any] = {output.index: 1.0}
    shared: dict[int, dict[int, Any]] = {}  # row: what the samples of each batch add to its adjoint
    for index in range(output.index, first - 1, -1):
        for number, share in shared.pop(index, {}).items():
            closed = tape.close(share, number)
            adjoint[index] = adjoint[index] + closed if index in adjoint else closed
        if index not in adjoint or not between[index]:
            continue
        code = rows[4 * index]
        op, above = _OPS[code], adjoint[index]
        if code == SUM:
            arg = rows[4 * index + 1]
            if alone and batch[arg]:
                raise ValueError("the gradient of one sample cannot pass a sum over all; take that of a mean or total")
            share = above if batch[arg] else tape.count(int(tape.values[index])) * above
            adjoint[arg] = adjoint[arg] + share if arg in adjoint else share
        if op is None or op.flat:
            continue
        args = rows[4 * index + 1 : 4 * index + 1 + len(op.partials)]
        numbers = [tape.values[arg] if arg in tape.values and rows[4 * arg] == CONSTANT else Symbol(tape, arg)
                   for arg in args]  # fmt: skip
        out = Symbol(tape, index)
        for arg, partial in zip(args, op.partials, strict=True):
            if between[arg]:
                slope = partial(out, *numbers)
                share = _times(slope, above)
                share = ops.where(slope, share, 0.0) if op.selects else share
                own = alone or batch[arg] == batch[index]
                sums, key = (adjoint, arg) if own else (shared.setdefault(arg, {}), batch[index])
                sums[key] = sums[key] + share if key in sums else share
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
