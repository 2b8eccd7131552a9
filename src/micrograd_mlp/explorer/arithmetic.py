"""The table of operations for a page: its rules as trees to be written out, and its arithmetic in JavaScript.

The derivatives are those of `ops.TABLE`, run on symbols that record. How a browser computes an operation forward is the
one thing that is said here, in FORWARD.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from ..ieee import as_float
from ..operators import Operators
from ..ops import TABLE, Op

Tree = Any  # a number, the name of a variable, or a list: the name of an operation and the trees of its arguments

LETTERS = ("a", "b", "c")  # of the arguments, as the table has them
FORWARD = {  # operation: an expression of a, b and c in JavaScript, right at the edges too
    "add": "a + b",
    "sub": "a - b",
    "mul": "a * b",
    "div": "a / b",
    "neg": "-a",
    "pow": "b === 0 || a === 1 || (a === -1 && Math.abs(b) === Infinity) ? 1 : a ** b",
    "exp": "Math.exp(a)",
    "expm1": "Math.expm1(a)",
    "log": "Math.log(a)",
    "log1p": "Math.log1p(a)",
    "sqrt": "Math.sqrt(a)",
    "sin": "Math.sin(a)",
    "cos": "Math.cos(a)",
    "tanh": "Math.tanh(a)",
    "sigmoid": "(a >= 0 ? 1 : Math.exp(-Math.abs(a))) / (1 + Math.exp(-Math.abs(a)))",
    "softplus": "(a > 0 ? a : 0) + Math.log1p(Math.exp(-Math.abs(a)))",
    "relu": "a < 0 ? 0 : a",
    "leaky_relu": "a > 0 ? a : b * a",
    "abs": "Math.abs(a)",
    "maximum": "a >= b || Number.isNaN(a) ? a : b",
    "minimum": "a <= b || Number.isNaN(a) ? a : b",
    "step": "a > 0 ? 1 : 0",
    "equal": "a === b ? 1 : 0",
    "where": "a !== 0 ? b : c",
    "detach": "a",
}


class Formula(Operators):
    """A symbol that takes part in operations and remembers how: `tree` is what was done."""

    __slots__ = ("tree",)
    gradients = None  # Values give way to it, as to any symbol

    def __init__(self, tree: Tree) -> None:
        self.tree = tree

    @staticmethod
    def apply_op(op: Op, *args: Any) -> Formula:
        """Return op(*args) as a Formula."""
        return Formula([op.name, *map(tree_of, args)])


def tree_of(thing: Any) -> Tree:
    """Return the tree of a Formula; of a number, itself."""
    return thing.tree if isinstance(thing, Formula) else as_float(thing)


@cache
def rules() -> list[dict[str, Any]]:
    """Return a row for each operation, in the order of the table: what it says of it, `partials` as trees."""
    return [
        {
            "name": op.name,
            "symbol": op.symbol,
            "formula": op.formula,
            "note": op.note,
            "arity": len(op.partials),
            "selects": op.selects,
            "flat": op.flat,
            "partials": list(_partials(op)),
        }
        for op in TABLE.values()
    ]


def _partials(op: Op) -> Iterator[Tree]:
    letters = [Formula(letter) for letter in LETTERS[: len(op.partials)]]
    for partial in op.partials:
        yield tree_of(partial(Formula("out"), *letters))


def update_of(optimizer: Any) -> dict[str, Any]:
    """Return the rule of an optimizer as trees of value, slope, lr, step and its memory m0, m1, ...: the next ones."""
    memory = tuple(Formula(f"m{index}") for index in range(len(optimizer.memory)))
    value, after = optimizer.rule(Formula("value"), Formula("slope"), memory, Formula("lr"), Formula("step"))
    return {"value": tree_of(value), "memory": [tree_of(each) for each in after]}


@cache
def javascript() -> str:
    """Return a script that defines `arithmetic`: for each operation its `forward`, and its `partials` in order."""
    forward = [f"  {name}: (a, b, c) => {code}," for name, code in FORWARD.items()]
    partials = [
        f"  {row['name']}: [{', '.join(f'(out, a, b, c) => {script_of(tree)}' for tree in row['partials'])}],"
        for row in rules()
    ]
    lines = ["const forward = {", *forward, "};", "const partials = {", *partials, "};"]
    return "\n".join([*lines, "const arithmetic = { forward, partials };", ""])


def script_of(tree: Tree) -> str:
    """Return a tree as an expression in JavaScript, made of calls of `forward`."""
    if isinstance(tree, str):
        return tree
    if isinstance(tree, list):
        name, args = tree[0], _listed(tree[1:])
        return f"forward.{name}({args})"
    return {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}.get(repr(tree), repr(tree))


def _listed(trees: Sequence[Tree]) -> str:
    return ", ".join(map(script_of, trees))
