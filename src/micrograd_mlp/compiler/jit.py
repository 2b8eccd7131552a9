"""Compile functions of numbers, written as ordinary scalar code, and graphs that were built already."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache, update_wrapper
from typing import Any

import numpy as np

from ..engine import Value
from .arguments import HoldsSymbol, Part, divide
from .backends import numpy as numpy_backend
from .program import ArrayProgram
from .stages import Compiled, compile_scalars
from .trace import Symbol, Tape
from .variants import Traced, Variant

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
    or None, has to be the same at each call, or another variant is made. A list is a list to the function and an array
    an array, for NumPy to go through as it goes through one of Values: np.tanh(W @ x). It returns a float for a number,
    an array for a list of numbers or of equal lists, a tuple for a tuple and a dict for a dict. Values that it meets
    outside itself are read anew at each call. A list that it only maps over by `vmap` may have another length at each
    call. The backend "llvm" makes machine code, and is "numpy" where llvmlite is not installed; up to so many `threads`
    share the samples of a large batch. Raises ValueError for an unknown `backend` or `dtype`, and TypeError, with the
    line, where the function asks what number a traced number is.
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
        self.variants: dict[Any, Variant] = {}  # by how the arguments are put together, and by what the parts are
        self._latest: Variant | None = None
        update_wrapper(self, function, updated=())

    def __call__(self, *args: Any, **named: Any) -> Any:
        """Return what the function returns for these numbers. Inside another traced function it is traced with it."""
        if (latest := self._latest) is not None and not named:
            if (known := latest.call(*args)) is not False:
                return known
            if (known := latest.again(args)) is not None:
                return known
        parts: list[Part] = []
        try:
            key = (*[divide(arg, parts) for arg in args], divide(named, parts)), tuple(part.key for part in parts)
        except HoldsSymbol:
            return self.function(*args, **named)
        variant = self.variants.get(key) or self._fitting(key, parts, args, named)
        self._latest = variant
        return variant(() if named else args, parts)

    def _fitting(self, key: Any, parts: list[Part], args: Any, named: Any) -> Variant:
        """Return a variant for other batch lengths that fits, or a new one."""
        for other, variant in self.variants.items():
            if other[0] == key[0] and variant.fits(parts):
                break
        else:
            traced = Traced(self.function, args, named)
            samples = max(traced.lengths, default=0)
            run = lower(traced.program.arrays, self.backend, self.dtype, self.threads, samples)
            variant = Variant(traced, run, parts, self.dtype)
        self.variants[key] = variant
        return variant

    @property
    def program(self) -> Compiled:
        """The program of the latest call; ValueError if there was none."""
        if self._latest is None:
            raise ValueError("there is no program yet; call the function once, for its arguments are its shape")
        return self._latest.program


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
