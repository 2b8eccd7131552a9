"""Compile functions of numbers, written as ordinary scalar code, and graphs that were built already."""

from __future__ import annotations

import warnings
from array import array
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, update_wrapper
from inspect import signature
from itertools import pairwise
from numbers import Real
from threading import Lock
from typing import Any

import numpy as np

from ..engine import Value
from ..ieee import as_float
from ..nn import Module
from .backends import numpy as numpy_backend
from .batch import Batched, Rows
from .program import ArrayProgram, Group
from .stages import Compiled, compile_scalars
from .trace import Symbol, Tape, refuse_symbols

BACKENDS = ("llvm", "numpy")
DTYPES = ("float64", "float32")


def lower(program: ArrayProgram, backend: str, dtype: str, threads: int = 1, samples: int = 0) -> Callable[..., Any]:
    """Return the program as a function, see `backends.numpy.lower`; on NumPy where there is no llvmlite."""
    if backend == "llvm":
        try:
            from .backends import llvm

            return llvm.lower(program, dtype, threads, samples)
        except ImportError:
            say_once("llvmlite is not installed, so compiled code runs on NumPy; pip install 'micrograd-mlp[native]'")
    return numpy_backend.lower(program, dtype)


@cache
def say_once(what: str) -> None:
    warnings.warn(what, RuntimeWarning, stacklevel=2)


def jit(function: Any = None, *, backend: str = "llvm", dtype: str = "float64", threads: int = 1) -> Any:
    """Return `function` compiled: traced at the first call, then run as arrays. Also as a decorator.

    It takes numbers, Values, lists, tuples, dicts and NumPy arrays of them, and Modules; anything else, such as a word
    or None, has to be the same at each call, or another variant is made. It returns a float for a number, an array for
    a list of numbers or of equal lists, a tuple for a tuple and a dict for a dict. Values that it meets outside itself
    are read anew at each call. A list that it only maps over by `vmap` may have another length at each call. The
    backend "llvm" makes machine code, and is "numpy" where llvmlite is not installed; up to so many `threads` share the
    samples of a large batch. Raises ValueError for an unknown `backend` or `dtype`, and TypeError, with the line, where
    the function asks what number a traced number is.
    """
    _refuse_unknown(backend, dtype)
    if threads < 1:
        raise ValueError(f"threads is at least 1, got {threads}")
    if function is None:
        return lambda later: Jitted(later, backend, dtype, threads)
    return Jitted(function, backend, dtype, threads)


def _refuse_unknown(backend: str, dtype: str) -> None:
    if backend not in BACKENDS:
        raise ValueError(f"backend is one of {', '.join(BACKENDS)}; got {backend!r}")
    if dtype not in DTYPES:
        raise ValueError(f"dtype is one of {', '.join(DTYPES)}; got {dtype!r}")


class Jitted:
    """A compiled function; `variants` holds one program for each structure of arguments it was called with."""

    def __init__(self, function: Callable[..., Any], backend: str, dtype: str, threads: int) -> None:
        if not callable(function):
            raise TypeError(f"jit takes a function, got {type(function).__name__}: {function!r}")
        self.function, self.backend, self.dtype, self.threads = function, backend, dtype, threads
        self.variants: dict[Any, _Variant] = {}  # by how the arguments are put together, and by what the parts are
        self._latest: _Variant | None = None
        update_wrapper(self, function, updated=())

    def __call__(self, *args: Any, **named: Any) -> Any:
        """Return what the function returns for these numbers. Inside another traced function it is traced with it."""
        if self._latest is not None and not named and (known := self._latest.again(args)) is not None:
            return known
        parts: list[_Part] = []
        try:
            key = (*[_divide(arg, parts) for arg in args], _divide(named, parts)), tuple(part.key for part in parts)
        except _Traced:
            return self.function(*args, **named)
        variant = self.variants.get(key) or self._fitting(key, parts, args, named)
        self._latest = variant
        return variant(() if named else args, parts)

    def _fitting(self, key: Any, parts: list[_Part], args: Any, named: Any) -> _Variant:
        """Return a variant for other batch lengths that fits, or a new one."""
        for other, variant in self.variants.items():
            if other[0] == key[0] and variant.fits(parts):
                break
        else:
            traced = Traced(self.function, args, named)
            samples = max(traced.lengths, default=0)
            run = lower(traced.program.arrays, self.backend, self.dtype, self.threads, samples)
            variant = _Variant(traced, run, parts)
        self.variants[key] = variant
        return variant

    @property
    def program(self) -> Compiled:
        """The program of the latest call; ValueError if there was none."""
        if self._latest is None:
            raise ValueError("there is no program yet; call the function once, for its arguments are its shape")
        return self._latest.program


class Traced:
    """A function traced and compiled to arrays.

    Its inputs are the numbers of those arguments that no batch goes over (`single` lists them, by their place among the
    parts), the `captured` Values, the lengths of the batches `counted`; and then a group for each argument of a batch,
    (part, batch) in `columns`.
    """

    def __init__(
        self, function: Callable[..., Any], args: tuple[Any, ...], named: Mapping[str, Any], bound: Sequence[Value] = ()
    ) -> None:
        """Trace a function; the Values `bound` stand for the first numbers of the first argument, a list."""
        tape, made = Tape(), _Symbols()
        symbols = [made.of(arg, tape, name) for arg, name in zip(args, _names(function, len(args)), strict=True)]
        for value, symbol in zip(bound, symbols[0] if bound else (), strict=False):
            tape.bind(value, symbol)
            tape.labels[symbol.index] = value.label
        more = {name: made.of(arg, tape, name) for name, arg in named.items()}
        with refuse_symbols():
            result = function(*symbols, **more)
        tape.refuse_changes()
        results = _Results(tape, function)
        self.structure = results.structure(result)
        batches = [part.batch if isinstance(part, Rows) else 0 for part in made.parts]
        self.single = [place for place, batch in enumerate(batches) if not batch]
        self.columns = [(place, batch) for place, batch in enumerate(batches) if batch]
        self.captured, self.counted = list(tape.captured), list(tape.counts)
        inputs = [row for place in self.single for row in made.inputs(place)]
        inputs += [*tape.captured.values(), *tape.counts.values()]
        given = []
        for place, batch in self.columns:
            given.append(Group(len(inputs), len(made.rows[place]), batch))
            inputs += made.rows[place]
        self.lengths = tuple(tape.lengths)
        self.program = compile_scalars(tape.program(results.rows, inputs, given, results.groups))


class _Variant:
    """A compiled program with its inputs and outputs taken from and brought into the structures of Python."""

    def __init__(self, traced: Traced, run: Callable[..., Any], parts: list[_Part]) -> None:
        self.program, self.run, self.traced = traced.program, run, traced
        self.keys = [part.key for part in parts]
        self.lengths = list(traced.lengths)
        self._pack = compiled_structure(traced.structure)
        self._lock = Lock()
        self._plan: list[_Argument] | None = None
        self._direct: Any = None  # a call of native code on them, and where its results are

    def fits(self, parts: list[_Part]) -> bool:
        """Say whether these arguments differ from those it was made for in nothing but the lengths of batches."""
        lengths: dict[int, int] = {}
        batch_of = dict(self.traced.columns)
        for place, (part, key) in enumerate(zip(parts, self.keys, strict=True)):
            batch = batch_of.get(place)
            if batch and part.length and part.key[2] == key[2]:
                if lengths.setdefault(batch, part.length) != part.length:
                    return False
            elif part.key != key:
                return False
        return bool(batch_of)

    def __call__(self, args: tuple[Any, ...], parts: list[_Part]) -> Any:
        """Return the result for arguments that were divided into parts."""
        traced = self.traced
        with self._lock:
            for place, batch in traced.columns:
                self.lengths[batch - 1] = parts[place].length
            sizes = [len(parts[place].numbers) for place in traced.single]
            ends = np.cumsum([0, *sizes]).tolist()
            self._numbers = np.empty(ends[-1] + len(traced.captured) + len(traced.counted))
            single = [self._numbers[a:b] for a, b in pairwise(ends)]
            for view, place in zip(single, traced.single, strict=True):
                view[:] = parts[place].numbers
            self._captured = self._numbers[ends[-1] : ends[-1] + len(traced.captured)]
            self._numbers[ends[-1] + len(traced.captured) :] = [self.lengths[batch - 1] for batch in traced.counted]
            self._columns = [np.array(parts[p].numbers).reshape(parts[p].length, -1) for p, _ in traced.columns]
            self._plan = self._planned(args, dict(zip(traced.single, single, strict=True)), len(parts))
            return self._run()

    def _planned(self, args: tuple[Any, ...], single: dict[int, Any], parts: int) -> list[_Argument] | None:
        """Return how to take the next arguments, if these are all arrays, a part each; columns are read in place."""
        if len(args) != parts or any(arg.__class__ is not _ARRAY or arg.ndim == 0 for arg in args):
            return None
        plan = []
        columns = {part: place for place, (part, _) in enumerate(self.traced.columns)}
        for part, arg in enumerate(args):
            if part in columns and arg.dtype is _FLOAT64 and arg.flags.c_contiguous:
                self._columns[columns[part]] = arg.reshape(len(arg), -1)
            view = single[part].reshape(arg.shape) if part in single else None
            plan.append((arg, arg.shape, view, columns.get(part, -1)))
        return plan

    def again(self, args: tuple[Any, ...]) -> Any:
        """Return the result if all arguments are arrays of the same shapes as in the latest call, else None."""
        plan = self._plan
        if plan is None or len(args) != len(plan):
            return None
        with self._lock:
            if self._plan is not plan:
                return None  # another thread came between
            direct = self._direct
            for place, (arg, (array, shape, view, column)) in enumerate(zip(args, plan, strict=True)):
                if arg is not array and (arg.__class__ is not _ARRAY or arg.dtype is not _FLOAT64):
                    return None
                if arg.shape != shape:
                    return None
                if view is not None:
                    view[...] = arg
                elif arg is not array:
                    if not arg.flags.c_contiguous:
                        return None
                    plan[place], direct = (arg, shape, view, column), None
                    self._columns[column] = arg.reshape(len(arg), -1)
            if direct is None:
                return self._run()
            if self.traced.captured:
                self._captured[:] = [value.data for value in self.traced.captured]
            call, address, results = direct
            call(address)
            return self._pack(results, ())

    def _run(self) -> Any:
        if self.traced.captured:
            self._captured[:] = [value.data for value in self.traced.captured]
        out = self._pack(*self.run(self._numbers, self._columns, self.lengths))
        self._direct = self.run.direct() if hasattr(self.run, "direct") else None
        return out


# An array that was given, its shape, and where its numbers are copied to, or else which column of the batch it is.
_Argument = tuple[Any, tuple[int, ...], Any, int]
_ARRAY, _FLOAT64 = np.ndarray, np.dtype(np.float64)


class Replay:
    """A graph of Values as one compiled step, see `replay`; `program` is what it was compiled to."""

    def __init__(self, loss: Value, backend: str, dtype: str) -> None:
        tape = Tape()
        root = Symbol(tape, tape.index(loss))
        self.loss, self.leaves = loss, list(tape.captured)
        slopes = root.gradients(self.leaves)
        outputs = [root.index, *(slope.index for slope in slopes)]
        self.program = compile_scalars(tape.program(outputs))
        self._run = lower(self.program.arrays, backend, dtype)

    def __call__(self) -> float:
        """Compute the loss and its gradients from the numbers that the leaves hold now; return the loss."""
        data, *slopes = self._run(np.array([leaf.data for leaf in self.leaves]))[0].tolist()
        for leaf, slope in zip(self.leaves, slopes, strict=True):
            leaf.grad = slope
        self.loss.data = data
        return float(data)


def replay(loss: Value, *, backend: str = "llvm", dtype: str = "float64") -> Replay:
    """Return a function without arguments that computes the graph of `loss` again, from the `.data` of its leaves.

    It writes `loss.data` and the `.grad` of every leaf, as zero_grad and backward would: nothing is added to what was
    there. The Values between are left as they are. Raises TypeError if `loss` is no Value.
    """
    if not isinstance(loss, Value):
        raise TypeError(f"replay takes a Value, the output of a graph, got {type(loss).__name__}: {loss!r}")
    _refuse_unknown(backend, dtype)
    return Replay(loss, backend, dtype)


class _Traced(Exception):  # noqa: N818  # no error: among the arguments is a symbol
    pass


def _is_number(thing: Any) -> bool:
    return isinstance(thing, Real | Value) and not isinstance(thing, bool)


@dataclass(frozen=True)
class _Part:
    """Some numbers among the arguments that belong together: a list of lists, an array, a Module or a single number."""

    key: Any  # what it is beside its numbers
    numbers: Any

    @property
    def length(self) -> int:
        """How many items it has, if they are alike; else 0."""
        return int(self.key[1]) if isinstance(self.key, tuple) and self.key[0] == "list" and len(self.key) == 3 else 0


def _divide(thing: Any, parts: list[_Part]) -> Hashable:
    """Append the parts of `thing`, and return how they are put together."""
    if isinstance(thing, tuple) and not _is_row(thing):
        return "tuple", tuple(_divide(item, parts) for item in thing)
    if isinstance(thing, Mapping):
        return "dict", tuple(thing), tuple(_divide(item, parts) for item in thing.values())
    numbers = array("d")
    parts.append(_Part(_flatten(thing, numbers), numbers))
    return "part"


def _is_row(thing: tuple[Any, ...]) -> bool:
    return set(map(type, thing)) == {float}


def _flatten(thing: Any, numbers: array[float]) -> Hashable:
    """Append the numbers in `thing`, and return what else it is: equal for two things of one structure."""
    kind = thing.__class__
    if kind is float or _is_number(thing):
        numbers.append(thing.data if isinstance(thing, Value) else as_float(thing))
        return "number"
    if isinstance(thing, Symbol | Rows | Batched):
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
        numbers.extend([value.data for value in _parameters(thing)])
        return _skeleton(thing, {})
    try:
        hash(thing)
    except (TypeError, ValueError):
        sentence = f"a compiled function takes numbers, lists, dicts and Modules, got {kind.__name__}: {thing!r}"
        raise TypeError(sentence) from None
    if isinstance(thing, Iterator):
        raise TypeError(f"a compiled function takes lists, got {kind.__name__}: {thing!r}; use list(...)")
    return "same", kind, thing


def _flatten_array(thing: Any, numbers: array[float]) -> Hashable:
    if isinstance(thing, np.ma.MaskedArray):
        raise TypeError(f"a compiled function takes arrays without a mask, got {thing!r}; use .filled(...)")
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


class _Symbols:
    """Puts a symbol in place of each number of the arguments; `rows` are the inputs of each part, in its order."""

    def __init__(self) -> None:
        self.rows: list[list[int]] = []
        self.parts: list[Any] = []

    def inputs(self, place: int) -> list[int]:
        """Return the input of each number in a part; -1 for those of a list that the function never looked at."""
        part = self.parts[place]
        return [-1] * part.size if isinstance(part, Rows) and not part.filled else self.rows[place]

    def of(self, thing: Any, tape: Tape, label: str) -> Any:
        """Return the arguments with symbols in them, divided into parts as `_divide` does."""
        if isinstance(thing, tuple) and not _is_row(thing):
            return _tuple_like(thing, [self.of(item, tape, f"{label}[{place}]") for place, item in enumerate(thing)])
        if isinstance(thing, Mapping):
            return {key: self.of(item, tape, f"{label}[{key!r}]") for key, item in thing.items()}
        rows: list[int] = []
        self.rows.append(rows)
        part = self._rows(thing, tape, label, rows)
        self.parts.append(_symbols(thing, tape, label, rows) if part is None else part)
        return self.parts[-1]

    @staticmethod
    def _rows(thing: Any, tape: Tape, label: str, rows: list[int]) -> Rows | None:
        """Return the Rows of a list whose items are alike, None for anything else."""
        if isinstance(thing, np.ndarray):
            thing = _as_lists(thing)
        if not isinstance(thing, list) or not thing:
            return None
        numbers = array("d")
        key = _flatten(thing, numbers)
        if not (isinstance(key, tuple) and len(key) == 3):
            return None
        make = lambda item, name, batch: _symbols(item, tape, name, rows, batch)  # noqa: E731
        return Rows(tape, thing, label, make, len(numbers))


def _tuple_like(thing: Any, items: list[Any]) -> Any:
    """Return a tuple of these items, a named one if `thing` is one."""
    return type(thing)._make(items) if hasattr(thing, "_make") else tuple(items)


def _as_lists(thing: Any) -> Any:
    return (thing if thing.dtype.kind == "O" else thing.astype(np.float64)).tolist()


def _symbols(thing: Any, tape: Tape, label: str, rows: list[int], batch: int = 0) -> Any:
    """Return `thing` with a symbol in place of each number, and append their inputs in the order of `_flatten`."""
    if _is_number(thing):
        symbol = tape.input(label, batch)
        rows.append(symbol.index)
        return symbol
    if isinstance(thing, np.ndarray):
        return _symbols(_as_lists(thing), tape, label, rows, batch)
    if isinstance(thing, list | tuple):
        items = [_symbols(item, tape, f"{label}[{place}]", rows, batch) for place, item in enumerate(thing)]
        return items if isinstance(thing, list) else _tuple_like(thing, items)
    if isinstance(thing, Mapping):
        return {key: _symbols(item, tape, f"{label}[{key!r}]", rows, batch) for key, item in thing.items()}
    if isinstance(thing, Module):
        for value in _parameters(thing):
            symbol = tape.input(value.label or label)
            rows.append(symbol.index)
            tape.bind(value, symbol)
    return thing


class _Results:
    """The rows of a result, those of each batch in a group of their own."""

    def __init__(self, tape: Tape, function: Callable[..., Any]) -> None:
        self.tape, self.function = tape, function
        self.rows: list[int] = []
        self.groups: list[Group] = []

    def structure(self, thing: Any) -> Any:
        """Append the numbers of a result, and return how they are put together again."""
        if isinstance(thing, Rows) and thing.batch:
            thing = Batched(thing.tape, thing.batch, thing.sample(thing.batch))
        if isinstance(thing, Batched):
            first = len(self.rows)
            inner = self.structure(thing.of_each)
            self.groups.append(Group(first, len(self.rows) - first, thing.batch))
            return "batch", inner
        if isinstance(thing, np.ndarray):
            thing = thing.tolist()
        if _is_number(thing) or isinstance(thing, Symbol):
            self.rows.append(self.tape.index(thing))
            return "number"
        if isinstance(thing, Mapping):
            return "dict", tuple(thing), tuple(self.structure(item) for item in thing.values())
        if isinstance(thing, list | tuple | Iterator):
            parts = tuple(self.structure(item) for item in thing)
            if isinstance(thing, tuple):
                return "tuple", parts
            if any(part != parts[0] for part in parts):
                return "list", parts
            if not parts or parts[0] == "number":
                return "array", (len(parts),)
            return ("array", (len(parts), *parts[0][1])) if parts[0][0] == "array" else ("list", parts)
        code = getattr(self.function, "__code__", None)
        where = f"{code.co_filename}, line {code.co_firstlineno}: " if code else ""
        name = getattr(self.function, "__name__", repr(self.function))
        raise TypeError(
            f"{where}{name} returns {type(thing).__name__}: {thing!r}; return numbers, or lists or dicts of them"
        )


Pack = Callable[[Any, Sequence[Any]], Any]


def compiled_structure(structure: Any) -> Pack:
    """Return the function that makes a result of its numbers: `own`, and an array (samples, size) for each batch."""
    return _pack(structure, [0], iter(range(1 << 30)), of_batch=False)


def _pack(structure: Any, at: list[int], groups: Iterator[int], of_batch: bool) -> Pack:
    """Return the function for a part of a result, whose numbers come `at` from there on, for each sample `of_batch`."""
    first = at[0]
    if structure == "number":
        at[0] += 1
        return (lambda own, _: own[:, first].copy()) if of_batch else (lambda own, _: float(own[first]))
    if structure[0] == "batch":
        group, inner = next(groups), _pack(structure[1], [0], groups, of_batch=True)
        return lambda _, columns: inner(columns[group], ())
    if structure[0] == "array":
        at[0] = last = first + int(np.prod(structure[1]))
        shape = structure[1]
        if of_batch:
            return lambda own, _: own[:, first:last].reshape(len(own), *shape).copy()
        if len(shape) == 1:
            return lambda own, _: own[first:last].copy()
        return lambda own, _: own[first:last].reshape(shape).copy()
    parts = [_pack(part, at, groups, of_batch) for part in structure[-1]]
    if structure[0] == "dict":
        names = structure[1]
        return lambda own, columns: {n: part(own, columns) for n, part in zip(names, parts, strict=True)}
    if structure[0] == "tuple":
        return lambda own, columns: tuple([part(own, columns) for part in parts])
    return lambda own, columns: [part(own, columns) for part in parts]
