"""A scalar that remembers how it was computed, and the chain rule that walks this memory backwards.

Every operation on a `Value` makes a new Value that keeps its row of `ops` and its arguments: the computational graph.
It holds no reference cycle, so it is freed the moment it is dropped, and nothing here recurses, so a chain of a million
Values works like one of three. Source: Griewank and Walther, Evaluating Derivatives, 2nd edition, 2008, chapter 3.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from . import ops
from .ieee import as_float
from .ops import Op

_new = object.__new__
watch: Callable[[Value], None] | None = None  # `anomaly` looks at each Value that is made, and passed in backward


def _method(op: Op) -> Callable[..., Value]:
    def method(self: Value, *args: Any) -> Value:
        return op(self, *args)  # type: ignore[no-any-return]

    method.__name__, method.__doc__ = op.name, f"Return {op.formula}, where a is this Value. {op.note}"
    return method


def _binary(op: Op, swapped: bool = False) -> Callable[[Value, Any], Value]:
    forward = op.forward

    def method(self: Value, other: Any) -> Value:
        if other.__class__ is not Value and not isinstance(other, Value):
            if hasattr(other, "__len__") or hasattr(other, "apply_op") or not hasattr(other, "__float__"):
                return NotImplemented  # type: ignore[no-any-return]  # arrays, text, symbols: the other side may know what to do
            other = Constant(other)
        if swapped:
            self, other = other, self
        out = _new(Value)
        out.data, out.grad, out.op = forward(self.data, other.data), 0, op
        out._a, out._b = self, other
        if watch is not None:
            watch(out)
        return out

    return method


def _comparison(compare: Callable[[float, float], bool]) -> Callable[[Value, Any], bool]:
    return lambda self, other: compare(self.data, other.data if isinstance(other, Value) else as_float(other))


class Value:
    """A number that remembers where it came from and, after `backward`, knows the derivative of an output by it.

    `Value(3.0)` is a leaf, an input or a parameter; TypeError if it is no number. `Value(data, children, "name")` is an
    operation of one's own: give its derivatives by the children as `local_grads`, or assign its `_backward`.
    """

    __slots__ = ("__dict__", "__weakref__", "_a", "_b", "data", "grad", "op")
    data: float
    grad: float
    op: Op | None  # what made this Value; None for a leaf
    _a: Value | None  # its first argument; None for a leaf
    _b: Value | None  # its second argument; two slots take half the time of a tuple
    _more: tuple[Value, ...] = ()  # the third and later ones, which few operations have
    label: str = ""
    frozen: bool = False  # optimisers leave a frozen Value as it is

    def __init__(
        self, data: Any, _children: Sequence[Value] = (), _op: str | Sequence[float] = "", *, label: str = "",
        _prev: Sequence[Value] = (), children: Sequence[Value] = (), local_grads: Sequence[float] = (),
    ) -> None:  # fmt: skip
        if isinstance(data, Value):
            raise TypeError(f"Value takes a number, got a Value: {data!r}; use it as it is, or its .data")
        self.data, self.grad, self.op, self._a, self._b = as_float(data), 0, None, None, None
        if label:
            self.label = label
        if nodes := tuple(_children or _prev or children):  # the names that the micrograds give to one thing
            if not all(isinstance(node, Value) for node in nodes):
                raise TypeError(f"the children of a Value are Values, got {nodes!r}")
            name, slopes = (_op, local_grads) if isinstance(_op, str) else ("", _op)
            if slopes and len(slopes) != len(nodes):
                raise ValueError(f"{len(nodes)} children need as many local_grads, got {len(slopes)}: {slopes!r}")
            partials = tuple(lambda *_, slope=slope: slope for slope in map(as_float, slopes))
            self.op = Op(name, name, as_float, partials, symbol=name, selects=len(slopes) not in (1, 2))
            self._a, self._b, self._more = nodes[0], nodes[1] if len(nodes) > 1 else None, nodes[2:]

    @staticmethod
    def apply_op(op: Op, *args: Any) -> Value:
        """Return op(*args) as a Value that remembers both. Each argument is a Value or a number (else TypeError)."""
        nodes = [arg if isinstance(arg, Value) else Constant(arg) for arg in args]
        out = _new(Value)
        out.data, out.grad, out.op = op.forward(*[node.data for node in nodes]), 0, op
        out._a, out._b = nodes[0], nodes[1] if len(nodes) > 1 else None
        if len(nodes) > 2:
            out._more = tuple(nodes[2:])
        if watch is not None:
            watch(out)
        return out

    @property
    def args(self) -> tuple[Value | float, ...]:
        """The arguments of the operation in order: Values, and the plain numbers among them. Empty for a leaf."""
        return tuple(node.data if node.__class__ is Constant else node for node in self._nodes())

    @property
    def _prev(self) -> tuple[Value, ...]:
        """The Values among `args`, in order; `x * x` has two."""
        return tuple(node for node in self._nodes() if node.__class__ is not Constant)

    _children = _prev

    @property
    def _op(self) -> str:
        """The symbol of the operation as micrograd writes it, such as "+" or "**2"; empty for a leaf."""
        if self.op is ops.pow and self._b.__class__ is Constant:
            return f"**{self._b.data:g}"
        return self.op.symbol if self.op else ""

    @property
    def _local_grads(self) -> tuple[float, ...]:
        """The derivative of this Value by each of `_prev`."""
        return tuple(slope for node, slope in self._slopes() if node.__class__ is not Constant)

    def _nodes(self) -> tuple[Value, ...]:
        return tuple(node for node in (self._a, self._b, *self._more) if node is not None)

    def _slopes(self) -> Iterator[tuple[Value, float]]:
        numbers = [node.data for node in self._nodes()]
        for node, partial in zip(self._nodes(), self.op.partials if self.op else (), strict=False):
            yield node, partial(self.data, *numbers)  # one's own operation may have no partials

    def _backward(self) -> None:
        """Apply the chain rule here: each argument's gradient grows by this one times the derivative by it."""
        a, b, op = self._a, self._b, self.op
        if a is None or op is None or op.flat:
            return
        if b is None:
            slope = op.partials[0](self.data, a.data) if op.partials else 0.0
            a.grad += slope * self.grad if slope or not op.selects else 0.0
        elif op.selects:
            for node, slope in self._slopes():
                if node.__class__ is not Constant:
                    node.grad += slope * self.grad if slope else 0.0
        else:
            (by_a, by_b), grad = op.partials, self.grad
            out, x, y = self.data, a.data, b.data
            if a.__class__ is not Constant:
                a.grad += by_a(out, x, y) * grad
            if b.__class__ is not Constant:
                b.grad += by_b(out, x, y) * grad

    def backward(self) -> None:
        """Compute the derivative of this Value by every Value that it was made from, into their `grad`.

        Leaves add it to what they hold, as in PyTorch: set it to zero between steps. All others start from zero.
        """
        order = topological_order(self)
        for node in order:
            if node._a is not None:
                node.grad = 0  # an int, until a gradient comes here: what lies behind a detach is never reached
        self.grad += 1.0
        for node in reversed(order):
            if node.grad.__class__ is not int:
                node._backward()
            if watch is not None:
                watch(node)

    def __repr__(self) -> str:
        label = f", label={self.label!r}" if self.label else ""
        return f"Value(data={self.data}, grad={self.grad}{label})"

    def __float__(self) -> float:
        return float(self.data)

    __add__, __radd__ = _binary(ops.add), _binary(ops.add, swapped=True)
    __sub__, __rsub__ = _binary(ops.sub), _binary(ops.sub, swapped=True)
    __mul__, __rmul__ = _binary(ops.mul), _binary(ops.mul, swapped=True)
    __truediv__, __rtruediv__ = _binary(ops.div), _binary(ops.div, swapped=True)
    __pow__, __rpow__ = _binary(ops.pow), _binary(ops.pow, swapped=True)
    __lt__, __le__ = _comparison(operator.lt), _comparison(operator.le)
    __gt__, __ge__ = _comparison(operator.gt), _comparison(operator.ge)
    __neg__, __abs__ = _method(ops.neg), _method(ops.abs)
    exp, expm1, log, log1p, sqrt = map(_method, (ops.exp, ops.expm1, ops.log, ops.log1p, ops.sqrt))
    sin, cos, tanh, sigmoid, softplus = map(_method, (ops.sin, ops.cos, ops.tanh, ops.sigmoid, ops.softplus))
    relu, leaky_relu, abs, step, detach = map(_method, (ops.relu, ops.leaky_relu, ops.abs, ops.step, ops.detach))
    maximum, minimum = _method(ops.maximum), _method(ops.minimum)


class Constant(Value):
    """A number met in code, as the 2 in `2 * x`: an argument like any other, but no gradient is ever given to it."""

    __slots__ = ()


def topological_order(root: Value) -> list[Value]:
    """Return every Value that `root` was made from, arguments before their users, `root` last. No plain numbers.

    Depth first, a stack in place of recursion: under each node that waits for its arguments lies the mark None.
    """
    if not isinstance(root, Value):
        raise TypeError(f"expected a Value, the output of a graph, got {type(root).__name__}: {root!r}")
    order: list[Value] = []
    met: set[Value] = set()
    stack: list[Any] = [root]
    while stack:
        node = stack.pop()
        if node is None:
            order.append(stack.pop())
        elif node not in met:
            met.add(node)
            a, b = node._a, node._b
            if a is not None:
                stack += (node, None)
                if b is not None and b not in met:
                    stack.append(b)
                if node.op.selects:
                    stack += node._more
                if a not in met:
                    stack.append(a)
            elif node.__class__ is not Constant:
                order.append(node)
    return order


def grad(output: Value, inputs: Any) -> Any:
    """Return d output / d input as a Value for each of `inputs`: a list for a sequence of Values, one Value for one.

    The results are graphs themselves, so `grad` nests: Hessians, gradient penalties. No `grad` attribute is touched.
    An input that `output` does not depend on gets 0. Raises ValueError at an operation that only has a `_backward`.
    """
    if hasattr(output, "gradients"):  # a symbol of the compiler
        return output.gradients(inputs)
    if isinstance(inputs, Value):
        return grad(output, [inputs])[0]
    if not all(isinstance(node, Value) for node in inputs):
        raise TypeError(f"grad takes a Value or a sequence of Values to differentiate by, got {inputs!r}")
    order, between = topological_order(output), set(inputs)
    for node in order:
        if not between.isdisjoint(node._nodes()):
            between.add(node)
    adjoint: dict[Value | float, Any] = {output: 1.0}
    for node in reversed(order):
        if node.op is None or node.op.flat or node not in between or node not in adjoint:
            continue
        if not node.op.partials:
            raise ValueError(f"grad cannot pass {node!r}, it has no local_grads; backward() can, by its own _backward")
        for arg, partial in zip(node.args, node.op.partials, strict=True):
            if arg in between:
                slope = partial(node, *node.args)
                share = ops.where(slope, slope * adjoint[node], 0.0) if node.op.selects else slope * adjoint[node]
                adjoint[arg] = adjoint[arg] + share if arg in adjoint else share
    return [slope if isinstance(slope := adjoint.get(node, 0.0), Value) else Value(slope) for node in inputs]
