"""What a call of a compiled function costs beside the native code that it runs: numbers in, results out."""

import sys
from collections.abc import Callable
from ctypes import CFUNCTYPE, c_int64, c_void_p
from functools import cache
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from llvmlite import ir
from workloads import L2, LR, WORKLOADS

from micrograd_mlp import MLP, Module, Value, grad, vmap
from micrograd_mlp.compiler import jit
from micrograd_mlp.compiler.backends.llvm_code import Code
from micrograd_mlp.compiler.backends.llvm_native import Native
from micrograd_mlp.compiler.backends.llvm_take import Callee
from micrograd_mlp.losses import hinge, l2, mean

HEAD = f"{'':44}{'native':>10}{'call':>10}{'difference':>12}{'quartiles':>18}"
Case = tuple[Any, tuple[Any, ...]]  # a compiled function, and arguments for it


def moons() -> tuple[Any, Any]:
    return WORKLOADS["moons"]().data("float64")


def parameters_as_array(dtype: str = "float64") -> Case:
    """Return the training step of an MLP 2-16-16-1 whose parameters are given."""
    model = MLP(2, [16, 16, 1])

    def step(numbers: Any, X: Any, y: Any) -> Any:
        given = iter(numbers)
        layers = [
            [([next(given) for _ in n.w], next(given), n.nonlin) for n in layer.neurons] for layer in model.layers
        ]

        def score(x: Any) -> Any:
            for layer in layers:
                sums = [sum((w * a for w, a in zip(ws, x, strict=True)), b) for ws, b, _ in layer]
                x = [s.relu() if relu else s for s, (_, _, relu) in zip(sums, layer, strict=True)]
            return x[0]

        parameters = list(numbers)
        loss = mean(vmap(lambda x, label: hinge(score(x), label))(X, y)) + L2 * l2(parameters)
        return loss, [p - LR * slope for p, slope in zip(parameters, grad(loss, parameters), strict=True)]

    return jit(step, dtype=dtype), (np.array([p.data for p in model.parameters()]), *moons())


def captured_values(mapped: bool = True) -> Case:
    """Return the same of a model that the function finds outside."""
    model = MLP(2, [16, 16, 1])
    parameters = model.parameters()

    def step(X: Any, y: Any) -> Any:
        if mapped:
            hinges = vmap(lambda x, label: hinge(model(x), label))(X, y)
        else:
            hinges = [hinge(model(x), label) for x, label in zip(X, y, strict=True)]
        loss = mean(hinges) + L2 * l2(parameters)
        return loss, [p - LR * slope for p, slope in zip(parameters, grad(loss, parameters), strict=True)]

    return jit(step), moons()


def model_given() -> Case:
    """Return the same of a model that is an argument."""

    def step(model: Module, X: Any, y: Any) -> Any:
        parameters = model.parameters()
        loss = mean(vmap(lambda x, label: hinge(model(x), label))(X, y)) + L2 * l2(parameters)  # type: ignore[operator]
        return loss, [p - LR * slope for p, slope in zip(parameters, grad(loss, parameters), strict=True)]

    return jit(step), (MLP(2, [16, 16, 1]), *moons())


HELD = Value(2.0)


def rosenbrock(x: Any, y: Any) -> Any:
    return (1.0 - x) ** 2 + 100.0 * (y - x * x) ** 2


CASES: dict[str, Callable[[], Case]] = {
    "(a), parameters as array": parameters_as_array,
    "(a), parameters as array, float32": lambda: parameters_as_array("float32"),
    "(a), captured Values": captured_values,
    "(a), captured Values, unrolled": lambda: captured_values(mapped=False),
    "(a), a Module as argument": model_given,
    "two numbers": lambda: (jit(rosenbrock), (0.5, 0.25)),
    "a captured Value and a number": lambda: (jit(lambda x: HELD * x), (0.5,)),
    "an array of three": lambda: (jit(lambda x: [2.0 * a for a in x]), (np.arange(3.0),)),
    "a list of three": lambda: (jit(lambda x: [2.0 * a for a in x]), ([0.0, 1.0, 2.0],)),
    "a matrix in nested lists, 3 by 3": lambda: (jit(lambda x: x[0][1] * x[2][2]), (np.eye(3).tolist(),)),
    "a tuple of two arrays": lambda: (jit(lambda p: p[0][0] + p[1][0]), ((np.ones(2), np.ones(3)),)),
    "a dict of two arrays": lambda: (jit(lambda p: p["a"][0] + p["b"][0]), ({"a": np.ones(2), "b": np.ones(3)},)),
    "results in a dict of five": lambda: (jit(lambda x: dict.fromkeys("abcde", x[0] * 2.0)), (np.ones(1),)),
}  # fmt: skip


@cache
def repeater() -> tuple[Any, Any]:
    """Return native code that calls a function with an argument so many times, and what keeps it alive."""
    module, integer, pointer = ir.Module(), ir.IntType(64), ir.PointerType()
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [pointer, pointer, integer]), "repeat")
    b, (callee, argument, count) = ir.IRBuilder(function.append_basic_block()), function.args
    typed = Callee(callee, ir.FunctionType(ir.VoidType(), [pointer]))
    Code(b, ir.DoubleType(), None, None).loop(
        ir.IntType(64)(0), count, 1, [], lambda *_: b.call(typed, [argument]) and []
    )
    b.ret_void()
    native = Native(module)
    return CFUNCTYPE(None, c_void_p, c_void_p, c_int64)(native.address("repeat")), native


def times(case: Case, rounds: int) -> tuple[list[float], list[float]]:
    """Return the microseconds of native code alone and of calls, by turns, each the mean of many in a row."""
    compiled, args = case
    for _ in range(5):
        compiled(*args)
    kernel = compiled._latest.run.kernel
    address, frame, (repeat, _) = kernel.native.address("run"), kernel._addresses[0], repeater()
    native, call = [], []
    count = 500
    for _ in range(rounds):
        start = perf_counter()
        repeat(address, frame, count)
        between = perf_counter()
        for _ in range(count):
            compiled(*args)
        end = perf_counter()
        native.append(1e6 * (between - start) / count)
        call.append(1e6 * (end - between) / count)
    return native, call


def row(name: str, rounds: int) -> str:
    """Return a line of the table."""
    native, call = times(CASES[name](), rounds)
    over = sorted(b - a for a, b in zip(native, call, strict=True))
    return (
        f"{name:44}{median(native):8.2f}µs{median(call):8.2f}µs{median(over):10.2f}µs"
        f"{over[rounds // 4]:8.2f} to {over[3 * rounds // 4]:5.2f}"
    )


if __name__ == "__main__":
    print(HEAD)
    for name in sys.argv[1:] or CASES:
        print(row(name, rounds=61), flush=True)
