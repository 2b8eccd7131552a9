"""The reference: each statement of an array program is a few calls of NumPy on views of one memory."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any

import numpy as np

from ..program import ANYWHERE, ArrayProgram, Operand, Statement, Term

Numbers = np.ndarray[Any, np.dtype[np.floating[Any]]]
Load = Callable[[], Numbers]
Run = Callable[[Any], Numbers]


def _logistic(a: Any) -> Any:
    small = np.exp(-np.abs(a))
    return np.where(a >= 0.0, 1.0, small) / (1.0 + small)


RULES: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "neg": np.negative,
    "pow": np.power,
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

    The memory of the program is laid out once and used at every call, one call at a time.
    """
    memory: Numbers = np.zeros(program.bases[-1], dtype=dtype)
    memory[: len(program.constants)] = program.constants
    steps = [_lower_statement(program, statement, memory) for statement in program.statements]
    used = program.inputs >= 0
    places, lock = program.inputs[used], Lock()

    def run(numbers: Any) -> Numbers:
        with lock, np.errstate(all="ignore"):
            memory[places] = np.asarray(numbers, dtype=dtype)[used]
            for step in steps:
                step()
            return memory[program.outputs]

    return run


def _lower_statement(program: ArrayProgram, statement: Statement, memory: Numbers) -> Callable[[], None]:
    extents = program.extents(statement.axes)
    out = _view(memory, program.bases[statement.out], extents, np.cumprod([1, *extents[:0:-1]])[::-1][: len(extents)])
    if statement.op == "sum":
        rule: Callable[..., Any] = _add
        loads = [_lower_term(program, term, extents, memory) for term in statement.terms]
    else:
        rule = RULES[statement.op]
        loads = [_load(program, operand, extents, memory) for operand in statement.operands]

    def step() -> None:
        out[...] = rule(*[load() for load in loads])

    return step


def _add(first: Any, *rest: Any) -> Any:
    for number in rest:
        first = first + number
    return first


def _lower_term(program: ArrayProgram, term: Term, extents: tuple[int, ...], memory: Numbers) -> Load:
    if term.offsets is not None:
        offsets, load = term.offsets, _load(program, term.factors[0], (term.length,), memory)
        return lambda: np.add.reduceat(load(), offsets).reshape(extents)
    loads = [_load(program, factor, extents + program.extents(term.axes), memory) for factor in term.factors]
    kept, summed = range(len(extents)), tuple(range(len(extents), len(extents) + len(term.axes)))
    if len(loads) == 1:
        return lambda: loads[0]().sum(axis=summed)
    both = [*kept, *summed]
    if not summed:
        return lambda: loads[0]() * loads[1]()
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
