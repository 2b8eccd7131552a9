"""Compile functions of numbers, written as ordinary scalar code, and graphs that were built already."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Hashable, Iterator, Mapping
from functools import update_wrapper
from inspect import signature
from numbers import Real
from typing import Any

import numpy as np

from ..engine import Value
from ..ieee import as_float
from ..nn import Module
from .backends import numpy as numpy_backend
from .program import ArrayProgram
from .stages import Compiled, compile_scalars
from .trace import Symbol, Tape, refuse_symbols

Lower = Callable[[ArrayProgram, str], Callable[[Any], Any]]


def _lower_to_llvm(program: ArrayProgram, dtype: str) -> Callable[[Any], Any]:
    try:
        from .backends import llvm
    except ImportError as error:
        remedy = "pip install 'micrograd-mlp[native]', or use backend='numpy'"
        raise ImportError(f"backend='llvm' needs llvmlite, which is not installed: {remedy}") from error
    return llvm.lower(program, dtype)


BACKENDS: dict[str, Lower] = {"numpy": numpy_backend.lower, "llvm": _lower_to_llvm}
DTYPES = ("float64", "float32")


def jit(function: Any = None, *, backend: str = "numpy", dtype: str = "float64") -> Any:
    """Return `function` compiled: traced at the first call, then run as arrays. Also as a decorator.

    It takes numbers, Values, lists, tuples, dicts and NumPy arrays of them, and Modules; anything else, such as a word
    or None, has to be the same at each call, or another variant is made. It returns a float for a number, an array for
    a list of numbers or of equal lists, a tuple for a tuple and a dict for a dict. Values that it meets outside itself
    are read anew at each call. Raises ValueError for an unknown `backend` or `dtype`, and TypeError, with the line,
    where the function asks what number a traced number is.
    """
    _refuse_unknown(backend, dtype)
    if function is None:
        return lambda later: Jitted(later, backend, dtype)
    return Jitted(function, backend, dtype)


def _refuse_unknown(backend: str, dtype: str) -> None:
    if backend not in BACKENDS:
        raise ValueError(f"backend is one of {', '.join(BACKENDS)}; got {backend!r}")
    if dtype not in DTYPES:
        raise ValueError(f"dtype is one of {', '.join(DTYPES)}; got {dtype!r}")


class Jitted:
    """A compiled function; `variants` holds one program for each structure of arguments it was called with."""

    def __init__(self, function: Callable[..., Any], backend: str, dtype: str) -> None:
        if not callable(function):
            raise TypeError(f"jit takes a function, got {type(function).__name__}: {function!r}")
        self.function, self.backend, self.dtype = function, backend, dtype
        self.variants: dict[Any, _Variant] = {}
        self._latest: _Variant | None = None
        update_wrapper(self, function, updated=())

    def __call__(self, *args: Any, **named: Any) -> Any:
        """Return what the function returns for these numbers. Inside another traced function it is traced with it."""
        numbers = array("d")
        try:
            key = _flatten((args, named), numbers)
        except _Traced:
            return self.function(*args, **named)
        variant = self._latest = self.variants.get(key) or self.variants.setdefault(key, self._compile(args, named))
        numbers.extend(value.data for value in variant.captured)
        return _unflatten(variant.structure, variant.run(np.frombuffer(numbers)))[0]

    @property
    def program(self) -> Compiled:
        """The program of the latest call; ValueError if there was none."""
        if self._latest is None:
            raise ValueError("there is no program yet; call the function once, for its arguments are its shape")
        return self._latest.program

    def _compile(self, args: tuple[Any, ...], named: dict[str, Any]) -> _Variant:
        tape = Tape()
        symbols = [_symbols(arg, tape, name) for arg, name in zip(args, _names(self.function, len(args)), strict=True)]
        more = {name: _symbols(arg, tape, name) for name, arg in named.items()}
        with refuse_symbols():
            result = self.function(*symbols, **more)
        tape.refuse_changes()
        numbers: list[Any] = []
        structure = _structure(result, numbers, self.function)
        program = compile_scalars(tape.program([tape.index(number) for number in numbers]))
        return _Variant(structure, tape.captured, program, BACKENDS[self.backend](program.arrays, self.dtype))


class Replay:
    """A graph of Values as one compiled step, see `replay`; `program` is what it was compiled to."""

    def __init__(self, loss: Value, backend: str, dtype: str) -> None:
        tape = Tape()
        root = Symbol(tape, tape.index(loss))
        self.loss, self.leaves = loss, list(tape.captured)
        slopes = root.gradients(self.leaves)
        self.program = compile_scalars(tape.program([root.index, *(slope.index for slope in slopes)]))
        self._run = BACKENDS[backend](self.program.arrays, dtype)

    def __call__(self) -> float:
        """Compute the loss and its gradients from the numbers that the leaves hold now; return the loss."""
        data, *slopes = self._run([leaf.data for leaf in self.leaves]).tolist()
        for leaf, slope in zip(self.leaves, slopes, strict=True):
            leaf.grad = slope
        self.loss.data = data
        return float(data)


def replay(loss: Value, *, backend: str = "numpy", dtype: str = "float64") -> Replay:
    """Return a function without arguments that computes the graph of `loss` again, from the `.data` of its leaves.

    It writes `loss.data` and the `.grad` of every leaf, as zero_grad and backward would: nothing is added to what was
    there. The Values between are left as they are. Raises TypeError if `loss` is no Value.
    """
    if not isinstance(loss, Value):
        raise TypeError(f"replay takes a Value, the output of a graph, got {type(loss).__name__}: {loss!r}")
    _refuse_unknown(backend, dtype)
    return Replay(loss, backend, dtype)


class _Variant:
    def __init__(self, structure: Any, captured: list[Value], program: Compiled, run: Callable[[Any], Any]) -> None:
        self.structure, self.captured, self.program, self.run = structure, captured, program, run


class _Traced(Exception):  # noqa: N818  # no error: among the arguments is a symbol
    pass


def _is_number(thing: Any) -> bool:
    return isinstance(thing, Real | Value) and not isinstance(thing, bool)


def _flatten(thing: Any, numbers: array[float]) -> Hashable:
    """Append the numbers in `thing`, and return what else it is: equal for two things of one structure."""
    kind = thing.__class__
    if kind is float or _is_number(thing):
        numbers.append(thing.data if isinstance(thing, Value) else as_float(thing))
        return "number"
    if isinstance(thing, Symbol):
        raise _Traced
    if isinstance(thing, np.ndarray):
        return _flatten_array(thing, numbers)
    if isinstance(thing, list | tuple):
        word = "list" if isinstance(thing, list) else "tuple"
        if set(map(type, thing)) == {float}:
            numbers.extend(thing)
            return word, len(thing), "number"
        keys = [_flatten(item, numbers) for item in thing]
        alike = bool(keys) and all(key == keys[0] for key in keys)
        return (word, len(keys), keys[0]) if alike else (word, tuple(keys))
    if isinstance(thing, Mapping):
        return "dict", tuple(thing), tuple(_flatten(item, numbers) for item in thing.values())
    if isinstance(thing, Module):
        numbers.extend(value.data for value in _parameters(thing))
        return _skeleton(thing, {})
    if not isinstance(thing, Hashable):
        raise TypeError(f"a compiled function takes numbers, lists, dicts and Modules, got {kind.__name__}: {thing!r}")
    return "same", kind, thing


def _flatten_array(thing: Any, numbers: array[float]) -> Hashable:
    if thing.dtype.kind == "O":
        return _flatten(thing.tolist(), numbers)
    if thing.dtype.kind not in "fiub":
        raise TypeError(f"a compiled function takes real numbers, got an array of {thing.dtype}")
    numbers.frombytes(np.ascontiguousarray(thing, dtype=np.float64).tobytes())
    key: Hashable = "number"
    for size in reversed(thing.shape):
        key = ("list", size, key) if size else ("list", ())
    return key


def _parameters(module: Module) -> list[Value]:
    return list(dict.fromkeys(value for _, value in module.named_parameters()))


def _skeleton(thing: Any, met: dict[Value, int]) -> Hashable:
    if isinstance(thing, Value):
        return "parameter", met.setdefault(thing, len(met))
    if isinstance(thing, Module):
        return type(thing), tuple((name, _skeleton(item, met)) for name, item in vars(thing).items())
    if isinstance(thing, list | tuple):
        return type(thing), tuple(_skeleton(item, met) for item in thing)
    return (type(thing), thing) if isinstance(thing, Hashable) else repr(thing)


def _names(function: Callable[..., Any], count: int) -> list[str]:
    try:
        parameters = list(signature(function).parameters.values())
    except ValueError:  # of a function that was not written in Python
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return [*names, *(f"x{place}" for place in range(len(names), count))][:count]


def _symbols(thing: Any, tape: Tape, label: str) -> Any:
    """Return `thing` with a symbol in place of each number, in the order of `_flatten`."""
    if _is_number(thing):
        return tape.input(label)
    if isinstance(thing, np.ndarray):
        return _symbols((thing if thing.dtype.kind == "O" else thing.astype(np.float64)).tolist(), tape, label)
    if isinstance(thing, list | tuple):
        items = [_symbols(item, tape, f"{label}[{place}]") for place, item in enumerate(thing)]
        return items if isinstance(thing, list) else tuple(items)
    if isinstance(thing, Mapping):
        return {key: _symbols(item, tape, f"{label}[{key!r}]") for key, item in thing.items()}
    if isinstance(thing, Module):
        for value in _parameters(thing):
            tape.bind(value, value.label or label)
    return thing


def _structure(thing: Any, numbers: list[Any], function: Callable[..., Any]) -> Any:
    """Append the numbers of a result, and return how they are put together again."""
    if isinstance(thing, np.ndarray):
        thing = thing.tolist()
    if _is_number(thing) or isinstance(thing, Symbol):
        numbers.append(thing)
        return "number"
    if isinstance(thing, Mapping):
        return "dict", tuple(thing), tuple(_structure(item, numbers, function) for item in thing.values())
    if isinstance(thing, list | tuple | Iterator):
        parts = tuple(_structure(item, numbers, function) for item in thing)
        if isinstance(thing, tuple):
            return "tuple", parts
        if any(part != parts[0] for part in parts):
            return "list", parts
        if not parts or parts[0] == "number":
            return "array", (len(parts),)
        return ("array", (len(parts), *parts[0][1])) if parts[0][0] == "array" else ("list", parts)
    code = getattr(function, "__code__", None)
    where = f"{code.co_filename}, line {code.co_firstlineno}: " if code else ""
    name = getattr(function, "__name__", repr(function))
    raise TypeError(
        f"{where}{name} returns {type(thing).__name__}: {thing!r}; return numbers, or lists or dicts of them"
    )


def _unflatten(structure: Any, numbers: Any) -> tuple[Any, Any]:
    """Return the result made of the first numbers, and the numbers that are left."""
    if structure == "number":
        return float(numbers[0]), numbers[1:]
    if structure[0] == "array":
        size = int(np.prod(structure[1]))
        return numbers[:size].reshape(structure[1]).copy(), numbers[size:]
    parts = []
    for part in structure[-1]:
        item, numbers = _unflatten(part, numbers)
        parts.append(item)
    if structure[0] == "dict":
        return dict(zip(structure[1], parts, strict=True)), numbers
    return (tuple(parts) if structure[0] == "tuple" else parts), numbers
