"""From a text such as "relu(2*x + y**2)" to a Value, by a list of what is allowed: nothing of the text is executed."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import ops
from .engine import Value
from .ieee import as_float
from .names import clean, refuse_unknown, told
from .ops import Op

OPERATORS: dict[type[ast.AST], Op] = {
    ast.Add: ops.add,
    ast.Sub: ops.sub,
    ast.Mult: ops.mul,
    ast.Div: ops.div,
    ast.Pow: ops.pow,
    ast.USub: ops.neg,
}
MOST_CHARACTERS = 1_000
MOST_LEVELS = 100


def evaluate(text: str, numbers: Mapping[str, float]) -> Value:
    """Return the Value of `text`, with a Value for each name in `numbers`; its functions are the rows of `ops.TABLE`.

    Raises ValueError for whatever is no such expression, too long, too deep, or has other names than `numbers`.
    """
    leaves = {name: Value(number, label=name) for name, number in numbers.items()}
    for name in leaves:
        if not name.isidentifier() or name in ops.TABLE:
            raise ValueError(f"{told(name)} cannot be the name of a number: it is no name, or that of a function")
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"an expression has at most {MOST_CHARACTERS} characters, got {len(text)}")
    try:
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = getattr(error, "msg", "") or "it is nested too deeply, or holds characters that no text has"
        raise ValueError(f"{text!r:.80} is no expression: {reason}") from None
    named = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - ops.TABLE.keys()
    if unused := sorted(leaves.keys() - named):
        raise ValueError(f"{clean(unused[0])} is given a number, but does not stand in {text!r:.80}")
    value = _Reader(text.strip(), leaves).read(tree.body, MOST_LEVELS)
    if not isinstance(value, Value):
        raise ValueError(f"{text!r:.80} has no variable to differentiate by; write one, such as x, and x=1 after it")
    return value


@dataclass(frozen=True)
class _Reader:
    text: str
    leaves: Mapping[str, Value]

    def read(self, node: ast.AST, levels: int) -> Any:
        """Return what `node` stands for: a Value, or a float if no variable is in it."""
        if not levels:
            raise ValueError(f"the expression is nested deeper than {MOST_LEVELS} levels")
        match node:
            case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
                return as_float(number)
            case ast.Name(id=name):
                return self._leaf(name)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.read(operand, levels - 1)
            case ast.UnaryOp(op=operation, operand=operand) if type(operation) in OPERATORS:
                return OPERATORS[type(operation)](self.read(operand, levels - 1))
            case ast.BinOp(left=left, op=operation, right=right) if type(operation) in OPERATORS:
                return OPERATORS[type(operation)](self.read(left, levels - 1), self.read(right, levels - 1))
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
                refuse_unknown(name, ops.TABLE, "function")
                return _call(ops.TABLE[name], [self.read(arg, levels - 1) for arg in args])
        part = ast.get_source_segment(self.text, node) or self.text
        raise ValueError(f"an expression has numbers, names, + - * / ** and functions like tanh(x); got {part!r:.60}")

    def _leaf(self, name: str) -> Value:
        if name in self.leaves:
            return self.leaves[name]
        if name in ops.TABLE:
            raise ValueError(f"{name} is a function and takes its arguments in brackets: {name}(x)")
        raise ValueError(f"{clean(name)} has no number; add {clean(name)}=1.5 after the expression")


def _call(op: Op, args: list[Any]) -> Any:
    try:
        return op(*args)
    except TypeError as error:
        raise ValueError(str(error)) from None
