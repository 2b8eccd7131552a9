"""The reference: each statement of an array program is a few calls of NumPy on views of one memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from threading import Lock
from typing import Any

import numpy as np

from ..program import ANYWHERE, ArrayProgram, Operand, Statement, Term

Numbers = np.ndarray[Any, np.dtype[np.floating[Any]]]
Load = Callable[[], Numbers]
Run = Callable[..., tuple[Numbers, list[Numbers]]]
REDUCTIONS = {"sum": np.add, "largest": np.maximum}


def _logistic(a: Any) -> Any:
    small = np.exp(-np.abs(a))
    return np.where(a >= 0.0, 1.0, small) / (1.0 + small)


def _power(a: Any, b: Any) -> Any:
    """Return a ** b; for one exponent of 0.5, NumPy takes a square root, which differs at -0 and -inf."""
    return np.where((b == 0.5) & (a + a == a), np.abs(a), np.power(a, b))


RULES: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "neg": np.negative,
    "pow": _power,
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "sqrt": np.sqrt,
    "sin": np.sin,
    "cos": np.cos,
    "tanh": np.tanh,
    "sigmoid": _logistic,
    "softplus": lambda a: np.where(a > 0.0, a, 0.0) + np.log1p(np.exp(-np.abs(a))),
    "relu": lambda a: np.where(a < 0.0, 0.0, a),
    "leaky_relu": lambda a, b: np.where(a > 0.0, a, b * a),
    "abs": np.abs,
    "maximum": lambda a, b: np.where((a >= b) | np.isnan(a), a, b),
    "minimum": lambda a, b: np.where((a <= b) | np.isnan(a), a, b),
    "step": lambda a: a > 0.0,
    "equal": lambda a, b: a == b,
    "where": lambda a, b, c: np.where(a != 0.0, b, c),
    "detach": lambda a: a,
}


def lower(program: ArrayProgram, dtype: str = "float64") -> Run:
    """Return a function from the numbers of all inputs to those of all outputs, each in one array.

    `run(numbers, columns, lengths)` takes what no batch has for itself as `numbers`, the groups of those that one has
    as arrays (samples, size), and how long each batch is; it returns the same of the outputs. The memory of the program
    is laid out once for each length and used at every call, one call at a time.
    """
    lock, latest = Lock(), _Latest(program, dtype)

    def run(numbers: Any, columns: Sequence[Any] = (), lengths: Sequence[int] = ()) -> tuple[Numbers, list[Numbers]]:
        with lock, np.errstate(all="ignore"):
            out = latest.of(tuple(lengths))(np.concatenate([numbers, *(np.ravel(column) for column in columns)]))
        return program.split(out, lengths)

    return run


@dataclass
class _Latest:
    """The program as it was last laid out."""

    program: ArrayProgram
    dtype: str
    lengths: tuple[int, ...] = (-1,)
    run: Callable[[Any], Numbers] | None = None

    def of(self, lengths: tuple[int, ...]) -> Callable[[Any], Numbers]:
        if self.run is None or lengths != self.lengths:
            self.run, self.lengths = _lay_out(self.program.sized(lengths), self.dtype), lengths
        return self.run


def _lay_out(program: ArrayProgram, dtype: str) -> Callable[[Any], Numbers]:
    memory: Numbers = np.zeros(program.bases[-1], dtype=dtype)
    with np.errstate(over="ignore"):  # a constant too large for float32 is inf there
        memory[: len(program.constants)] = program.constants
    steps = [_lower_statement(program, statement, memory) for statement in program.statements]
    places, outputs = program.addresses(program.inputs), program.addresses(program.outputs)
    used = places >= 0

    def run(numbers: Any) -> Numbers:
        memory[places[used]] = numbers[used]
        for step in steps:
            step()
        return memory[outputs]

    return run


def _lower_statement(program: ArrayProgram, statement: Statement, memory: Numbers) -> Callable[[], None]:
    extents = program.extents(statement.axes)
    out = _view(memory, program.bases[statement.out], extents, np.cumprod([1, *extents[:0:-1]])[::-1][: len(extents)])
    if statement.terms:
        combine = REDUCTIONS[statement.op]
        rule: Callable[..., Any] = partial(_chain, combine)
        loads = [_lower_term(program, term, extents, memory, combine) for term in statement.terms]
    else:
        rule = RULES[statement.op]
        loads = [_load(program, operand, extents, memory) for operand in statement.operands]

    def step() -> None:
        out[...] = rule(*[load() for load in loads])

    return step


def _chain(combine: Any, *numbers: Any) -> Any:
    return reduce(combine, numbers)


def _lower_term(program: ArrayProgram, term: Term, extents: tuple[int, ...], memory: Numbers, combine: Any) -> Load:
    if term.offsets is not None:
        offsets, load = term.offsets, _load(program, term.factors[0], (term.length,), memory)
        return lambda: combine.reduceat(load(), offsets).reshape(extents)
    loads = [_load(program, factor, extents + program.extents(term.axes), memory) for factor in term.factors]
    kept, summed = range(len(extents)), tuple(range(len(extents), len(extents) + len(term.axes)))
    if len(loads) == 1:
        return lambda: combine.reduce(loads[0](), axis=summed)
    both = [*kept, *summed]
    if not summed:
        return lambda: loads[0]() * loads[1]()
    if any(0 in factor.strides[len(extents) :] for factor in term.factors):
        return lambda: (loads[0]() * loads[1]()).sum(axis=summed)  # einsum would multiply once, after the sum
    einsum: Callable[..., Numbers] = np.einsum
    return lambda: einsum(loads[0](), both, loads[1](), both, [*kept])


def _load(program: ArrayProgram, operand: Operand, extents: tuple[int, ...], memory: Numbers) -> Load:
    base = 0 if operand.source == ANYWHERE else program.bases[operand.source]
    if operand.index is not None:
        places = operand.index.reshape(extents) + base
        return lambda: memory[places]
    view = _view(memory, base + operand.offset, extents, operand.strides)
    return lambda: view


def _view(memory: Numbers, start: int, extents: tuple[int, ...], strides: Any) -> Numbers:
    """Return the numbers at start + sum of strides * position, without a copy; ValueError if they lie outside."""
    size = memory.itemsize
    return np.ndarray(extents, memory.dtype, memory, start * size, [int(stride) * size for stride in strides])
