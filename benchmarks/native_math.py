"""Nanoseconds a number for each operation in native code, beside NumPy: python benchmarks/native_math.py [name ...]."""

import ctypes
import sys
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
from llvmlite import binding, ir

from micrograd_mlp.compiler.backends.llvm_math import RULES
from micrograd_mlp.compiler.backends.llvm_native import Native, features_without_fma
from micrograd_mlp.ops import TABLE

COUNT, REPEATS = 4096, 60  # the numbers stay in the second-level cache
KINDS = {  # a loop over scalars, which LLVM makes a loop over vectors, and vectors as they are
    "float64": ("float64", 1, True),
    "4 float64": ("float64", 4, True),
    "8 float64": ("float64", 8, True),
    "8 float32": ("float32", 8, True),
    "16 float32": ("float32", 16, True),
    "4, no FMA": ("float64", 4, False),
}
POSITIVE = {"log", "pow", "sqrt", "log1p"}


def kernel(module: Any, name: str, rule: Callable[..., Any], arity: int, dtype: str, lanes: int) -> None:
    """Add to `module` the function (count, inputs..., output) that applies a rule to arrays, `lanes` at a time."""
    element = ir.DoubleType() if dtype == "float64" else ir.FloatType()
    kind = ir.VectorType(element, lanes) if lanes > 1 else element
    size, pointer = ir.IntType(64), ir.PointerType()
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [size] + [pointer] * (arity + 1)), name)
    for arg in function.args[1:]:
        arg.add_attribute("noalias")
    entry, loop, done = (function.append_basic_block() for _ in range(3))
    b = ir.IRBuilder(entry)
    b.branch(loop)
    b.position_at_end(loop)
    i = b.phi(size)
    i.add_incoming(size(0), entry)
    at = [b.gep(base, [i], source_etype=element) for base in function.args[1:]]
    align = np.dtype(dtype).itemsize
    b.store(rule(b, *(b.load(p, typ=kind, align=align) for p in at[:-1])), at[-1], align=align)
    following = b.add(i, size(lanes))
    i.add_incoming(following, b.block)
    b.cbranch(b.icmp_unsigned("<", following, function.args[0]), loop, done)
    b.position_at_end(done)
    b.ret_void()


def inputs(name: str, dtype: str) -> list[Any]:
    """Return the columns of numbers an operation is timed on."""
    rng = np.random.default_rng(0)
    low = 0.01 if name in POSITIVE else -10.0
    return [rng.uniform(low, 10.0, COUNT).astype(dtype) for _ in TABLE[name].partials]


def nanoseconds(call: Callable[[], Any]) -> float:
    """Return the least time of many, for one number."""
    times = []
    for _ in range(REPEATS):
        start = perf_counter()
        for _ in range(4):
            call()
        times.append(perf_counter() - start)
    return min(times) / 4 / COUNT * 1e9


def native(name: str, dtype: str, lanes: int, fma: bool) -> float:
    """Return the time of native code."""
    module, columns = ir.Module(), inputs(name, dtype)
    kernel(module, "run", RULES[name], len(TABLE[name].partials), dtype, lanes)
    code = Native(module, features=None if fma else features_without_fma())
    columns.append(np.empty(COUNT, dtype))
    pointers = [column.ctypes.data for column in columns]
    run = ctypes.CFUNCTYPE(None, ctypes.c_int64, *[ctypes.c_void_p] * len(pointers))(code.address("run"))
    return nanoseconds(lambda: run(COUNT, *pointers))


if __name__ == "__main__":
    print(f"ns a number on {binding.get_host_cpu_name()}")
    print(f"{'':12}" + "".join(f"{kind:>12}" for kind in [*KINDS, "NumPy"]))
    for name in sys.argv[1:] or TABLE:
        times = [f"{native(name, *kind):12.2f}" for kind in KINDS.values()]
        if isinstance(peer := getattr(np, {"pow": "power"}.get(name, name), None), np.ufunc):
            times.append(f"{nanoseconds(partial(peer, *inputs(name, 'float64'), out=np.empty(COUNT))):12.2f}")
        print(f"{name:12}" + "".join(times), flush=True)
