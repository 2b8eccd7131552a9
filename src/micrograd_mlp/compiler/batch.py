"""One sample for all: `vmap` traces a function once, for a batch of whatever length the call will bring."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from functools import update_wrapper
from typing import Any, NoReturn

import numpy as np

from .trace import Symbol, Tape, array_of, refuse


def vmap(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function of sequences that applies `function` to their first items, to their second ones, and so on.

    It returns the list of results. In a compiled function, for arguments of it or results of another `vmap`, it is
    traced once, for one sample, and the program runs for any number of them; `losses.mean` and `losses.total` close
    such a batch, and a compiled function may return it. Raises ValueError if the sequences differ in length.
    """
    if not callable(function):
        raise TypeError(f"vmap takes a function, got {type(function).__name__}: {function!r}")

    def mapped(*sequences: Any) -> Any:
        if not sequences:
            raise TypeError("vmap takes at least one sequence, got none")
        if not all(_stands_for_all(each) for each in sequences):
            return [function(*each) for each in zip(*sequences, strict=True)]
        lengths = {each.length for each in sequences}
        if len(lengths) > 1:
            raise ValueError(f"vmap takes sequences of one length, got {[each.length for each in sequences]}")
        batch = sequences[0].tape.batch_of_length(lengths.pop())
        result = function(*[each.sample(batch) for each in sequences])
        return Batched(sequences[0].tape, batch, result)

    return update_wrapper(mapped, function, updated=())


def _stands_for_all(sequence: Any) -> bool:
    return isinstance(sequence, Batched) or (isinstance(sequence, Lazy) and not sequence.filled)


class Batched:
    """A result that each sample of a batch has for itself; `of_each` is that of any one."""

    def __init__(self, tape: Tape, batch: int, of_each: Any) -> None:
        self.tape, self.batch, self.of_each = tape, batch, of_each

    @property
    def length(self) -> int:
        """How many samples there were when it was traced."""
        return self.tape.lengths[self.batch - 1]

    @property
    def count(self) -> Symbol:
        """The number of samples, as a traced number."""
        return self.tape.count(self.batch)

    def sample(self, batch: int) -> Any:
        """Return what one sample has."""
        return self.of_each

    def total(self) -> Symbol:
        """Return the sum over all samples. Raises TypeError if they have not a single number each."""
        if not isinstance(self.of_each, Symbol | float | int) and not hasattr(self.of_each, "apply_op"):
            kind = type(self.of_each).__name__
            raise TypeError(f"total and mean close a batch of numbers; here each sample has a {kind}: {self.of_each!r}")
        return self.tape.close(self.of_each, self.batch)

    def sum(self, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
        """Return the sum over all samples: what np.sum asks for."""
        if axis not in (None, 0) or out is not None:
            raise TypeError("np.sum and np.mean close a batch as a whole, over axis 0")
        return self.total()

    def mean(self, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
        """Return the mean over all samples: what np.mean asks for."""
        count: Any = self.count
        return self.sum(axis, dtype, out) * (1.0 / count)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NoReturn:
        self._refuse("an array of the results of vmap")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *args: Any, **options: Any) -> NoReturn:
        self._refuse(f"np.{ufunc.__name__} of the results of vmap")

    def with_slopes(self, output: Symbol) -> Batched:
        """Return the derivative of `output` by what each sample has, in the same lists."""
        return _slopes(output, self.tape, self.batch, self.of_each)

    def __iter__(self) -> Iterator[Any]:
        self._refuse("iterating over the results of vmap")

    def __len__(self) -> int:  # noqa: PLE0303  # it always raises
        self._refuse("len() of the results of vmap")

    def __getitem__(self, place: Any) -> Any:
        self._refuse("taking one of the results of vmap")

    def __bool__(self) -> bool:
        return True

    @staticmethod
    def _refuse(what: str) -> NoReturn:
        refuse(what, "how many samples there are", "use losses.mean or losses.total, another vmap, or return them")


class Lazy(ABC):
    """An argument whose items are traced one by one when the function looks at them, or by `vmap` as one.

    `make(item, label, batch)` returns the symbols of an item; there are `size` numbers in all items together.
    """

    def __init__(self, tape: Tape, items: Any, label: str, make: Callable[[Any, str, int], Any], size: int) -> None:
        self.size = size
        self.tape, self.label, self.filled, self.batch = tape, label, False, 0
        self._items, self._make, self._sample = items, make, None

    @property
    def length(self) -> int:
        """How many items there are in this call."""
        return len(self._items)

    def sample(self, batch: int) -> Any:
        """Return the symbols of one item, which stand for those of all."""
        if not self.batch:
            self._sample, self.batch = self._make(self._items[0], f"{self.label}[0]", batch), batch
        return self._sample

    def with_slopes(self, output: Symbol) -> Any:
        """Return the derivative of `output` by each item; for all of them at once if they were mapped over."""
        if self.batch:
            return _slopes(output, self.tape, self.batch, self._sample)
        return output.gradients(self.plain)

    def fill(self) -> None:
        """Trace each item for itself. Raises TypeError if they were mapped over before."""
        if self.batch:
            refuse(
                f"looking at single items of {self.label}", "its length", "vmap maps over it: use vmap for all of it"
            )
        if not self.filled:
            self.filled = True
            self._hold([self._make(item, f"{self.label}[{place}]", 0) for place, item in enumerate(self._items)])

    @property
    @abstractmethod
    def plain(self) -> Any:
        """What it is to the function: an ordinary list or array."""

    @abstractmethod
    def _hold(self, items: list[Any]) -> None: ...


class Rows(Lazy, list[Any]):
    """A list among the arguments."""

    @property
    def plain(self) -> list[Any]:
        """The items in a list."""
        return list(self)

    def _hold(self, items: list[Any]) -> None:
        list.extend(self, items)


class Grid(Lazy):
    """An array among the arguments: to the function it is an array of symbols, for NumPy to go through."""

    __class__ = property(lambda self: np.ndarray)  # what isinstance goes by

    @property
    def plain(self) -> Any:
        """The symbols in an array."""
        self.fill()
        return self._array

    def _hold(self, items: list[Any]) -> None:
        self._array = array_of(items, np.shape(self._items))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return self.plain if dtype is None else self.plain.astype(dtype)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *args: Any, **options: Any) -> Any:
        return getattr(ufunc, method)(*[each.plain if isinstance(each, Grid) else each for each in args], **options)

    def __getattr__(self, name: str) -> Any:
        if not hasattr(np.ndarray, name):
            raise AttributeError(f"an array of traced numbers has no attribute {name!r}")
        return getattr(self.plain, name)


def _of_list(name: str) -> Any:
    plain = getattr(list, name)

    def method(self: Rows, *args: Any, **named: Any) -> Any:
        self.fill()
        return plain(self, *args, **named)

    method.__name__, method.__doc__ = name, plain.__doc__
    return method


def _of_array(name: str) -> Any:
    return lambda self, *args: getattr(self.plain, name)(*args)


def _of_batch(sign: str) -> Any:
    return lambda self, other: self._refuse(f"{sign} with the results of vmap")


for _name, _sign in (("add", "+"), ("sub", "-"), ("mul", "*"), ("truediv", "/"), ("pow", "**"), ("matmul", "@"),
                     ("lt", "<"), ("le", "<="), ("gt", ">"), ("ge", ">=")):  # fmt: skip
    setattr(Batched, f"__{_name}__", _of_batch(_sign))
    if _sign[0] not in "<>":
        setattr(Batched, f"__r{_name}__", _of_batch(_sign))
for _name in ("iter", "len", "getitem", "reversed", "contains", "add", "mul", "rmul", "eq", "ne", "setitem", "delitem",
              "iadd", "imul", "repr"):  # fmt: skip
    setattr(Rows, f"__{_name}__", _of_list(f"__{_name}__"))
for _name in ("append", "extend", "insert", "pop", "remove", "index", "count", "sort", "reverse", "copy", "clear"):
    setattr(Rows, _name, _of_list(_name))
for _name in ("iter", "len", "getitem", "contains", "setitem", "repr", "bool", "neg", "abs", "lt", "le", "gt", "ge",
              "eq", "ne", "add", "sub", "mul", "truediv", "pow", "matmul", "radd", "rsub", "rmul", "rtruediv", "rpow",
              "rmatmul"):  # fmt: skip
    setattr(Grid, f"__{_name}__", _of_array(f"__{_name}__"))


def _slopes(output: Symbol, tape: Tape, batch: int, of_each: Any) -> Batched:
    symbols: list[Any] = []
    _collect(of_each, symbols)
    slopes = iter(output.gradients(symbols))
    return Batched(tape, batch, _rebuild(of_each, slopes))


def _collect(thing: Any, symbols: list[Any]) -> None:
    if isinstance(thing, list | tuple | np.ndarray):
        for item in thing:
            _collect(item, symbols)
    else:
        symbols.append(thing)


def _rebuild(thing: Any, slopes: Iterator[Any]) -> Any:
    if isinstance(thing, np.ndarray):
        return array_of([_rebuild(item, slopes) for item in thing], thing.shape)
    return [_rebuild(item, slopes) for item in thing] if isinstance(thing, list | tuple) else next(slopes)
