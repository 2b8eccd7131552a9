"""Native code against the NumPy backend and the operations themselves."""

import itertools
import math
import random
import re
import subprocess
import sys
import threading

import numpy as np
import pytest
from programs import PROGRAMS

from micrograd_mlp import MLP, grad, losses
from micrograd_mlp.compiler import jit
from micrograd_mlp.compiler.backends import numpy as reference
from micrograd_mlp.compiler.jit import say_once
from micrograd_mlp.compiler.loops import plan_loops
from micrograd_mlp.compiler.program import Array, ArrayProgram, Axis, Operand, Statement, Term
from micrograd_mlp.ops import TABLE

pytest.importorskip("llvmlite")
from micrograd_mlp.compiler.backends import llvm
from micrograd_mlp.compiler.backends.llvm_program import Emitter

# Sums are added in another order and functions differ in the last places.
TOLERANCE = {"float64": 1e-13, "float32": 1e-4}


def close(program, numbers, dtype="float64"):
    out, expected = (backend.lower(program, dtype)(numbers)[0] for backend in (llvm, reference))
    assert out.dtype == expected.dtype == dtype
    scale = np.abs(expected[np.isfinite(expected)]).max(initial=1e-30)
    np.testing.assert_allclose(out, expected, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype] * scale)


SMALL = ["moons loss, 100 samples", "moons step, 1 sample", "logistic regression", "1-D convolution"]
SMALL += ["two 2-D convolutions", "recurrent network", "causal attention"]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", SMALL)
def test_programs_agree_with_numpy(name, dtype):
    function, args = PROGRAMS[name]()
    compiled = jit(function)
    compiled(*args)
    program = compiled.program.arrays
    rng = np.random.default_rng(0)
    close(program, rng.uniform(0.5, 1.5, len(program.inputs)), dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", TABLE)
def test_every_operation(name, dtype):
    op = TABLE[name]
    numbers = [0.0, -0.0, 1.5, -2.0, 0.25, 40.0, 1000.0, math.inf, -math.inf, math.nan]
    columns = list(zip(*itertools.product(numbers, repeat=len(op.partials)), strict=True))
    out = jit(lambda *columns: [op(*row) for row in zip(*columns, strict=True)], backend="llvm", dtype=dtype)(*columns)
    with np.errstate(over="ignore"):
        expected = np.array([op(*row) for row in zip(*columns, strict=True)]).astype(dtype)
        np.testing.assert_allclose(out, expected, rtol={"float64": 1e-15, "float32": 1e-6}[dtype])
    zero = expected == 0
    assert (np.signbit(out) == np.signbit(expected))[zero].all()


def test_gradients_of_a_model_under_jit():
    model = MLP(3, [8, 2], activation="tanh", rng=random.Random(1))
    rows = [[0.1 * i, -0.2, 0.3 * i] for i in range(7)]

    def slopes(rows):
        loss = losses.mean(losses.cross_entropy(model(x), i % 2) for i, x in enumerate(rows))
        return loss, grad(loss, model.parameters())

    loss, expected = slopes(rows)
    for backend in ("llvm", "numpy"):
        got, gradient = jit(slopes, backend=backend)(rows)
        assert got == pytest.approx(loss.data, rel=1e-13)
        np.testing.assert_allclose(gradient, [g.data for g in expected], rtol=1e-12, atol=1e-15)


def places_of(arrays, numbers):
    places = [(number, place) for number in numbers for place in range(arrays[number].size)]
    return np.array(places, dtype=np.int64).reshape(-1, 2)


def program_of(axes, sizes, statements, constants=(2.0, -0.0)):
    """Return a program: array 0 the constants, then inputs of these sizes, then what the statements make; all out."""
    extents = [axis.extent for axis in axes]
    made = [math.prod(extents[axis] for axis in statement.axes) for statement in statements]
    arrays = [Array(f"a{i}", size, ()) for i, size in enumerate([len(constants), *sizes, *made])]
    program = ArrayProgram(
        tuple(axes),
        tuple(arrays),
        np.array(constants),
        tuple(statements),
        places_of(arrays, range(1, len(sizes) + 1)),
        places_of(arrays, range(len(sizes) + 1, len(arrays))),
    )
    program.check()
    return program


FIVE, SEVEN, NINE = Axis("i", 5), Axis("j", 7), Axis("k", 9)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_contractions_along_any_axis(dtype):
    rng = np.random.default_rng(2)
    turns = [((9, 0, 1), (0, 1, 7)), ((1, 0, 5), (0, 9, 1)), ((-9, 0, -1), (0, 9, 1)), ((9, 0, 1), (0, 9, 1))]
    for strides in turns:
        starts = [-sum(min(s * (e - 1), 0) for s, e in zip(stride, (5, 7, 9), strict=True)) for stride in strides]
        factors = [Operand(1 + n, starts[n], strides[n]) for n in range(2)]
        terms = (Term((Operand(1, 3, (0, 1)),)), Term(tuple(factors), (2,)), Term((Operand(2, 0, (1, 0, 7)),), (2,)))
        program = program_of((FIVE, SEVEN, NINE), [63, 63], [Statement(3, "sum", (0, 1), terms=terms)])
        close(program, rng.normal(size=126), dtype)


def test_gathers_and_ragged_sums():
    rng = np.random.default_rng(3)
    places = Operand(1, 0, (), rng.integers(0, 20, 35))
    anywhere = Operand(-1, 0, (), rng.integers(0, 22, 35))
    cut, length = np.array([0, 1, 4, 9, 10]), 14
    ragged = Term((Operand(1, 2, (1,)),), offsets=cut, length=length)
    ragged_gather = Term((Operand(1, 0, (), rng.integers(0, 20, length)),), offsets=cut, length=length)
    statements = [
        Statement(2, "mul", (0, 1), (places, anywhere)),
        Statement(3, "sum", (0,), terms=(Term((Operand(1, 0, (2,)),)), ragged, ragged_gather)),
        Statement(4, "sum", (0,), terms=(Term((places,), (1,)), Term((Operand(2, 34, (-7, -1)),), (1,)))),
    ]
    close(program_of((FIVE, SEVEN), [20], statements), rng.normal(size=20))


def test_ragged_sums_may_be_empty_and_hold_products():
    cut = np.array([0, 0, 2, 3, 3])
    term = Term((Operand(1, 0, (1,)), Operand(1, 3, (-1,))), offsets=cut, length=4)
    program = program_of((FIVE,), [4], [Statement(2, "sum", (0,), terms=(term,))])
    assert llvm.lower(program)([1.0, 2.0, 3.0, 4.0])[0].tolist() == [0.0, 4.0 + 6.0, 6.0, 0.0, 4.0]


def test_sums_keep_the_sign_of_zero():
    sums = [
        Statement(2, "sum", (), terms=(Term((Operand(1, 0, ()),)),)),
        Statement(3, "sum", (), terms=(Term((Operand(1, 0, (0,)),), (0,)),)),
    ]
    out = llvm.lower(program_of((FIVE,), [1], sums))([-0.0])[0]
    assert np.signbit(out).tolist() == [True, True]


def test_an_empty_axis():
    statement = Statement(2, "exp", (0,), (Operand(1, 0, (0,)),))
    assert llvm.lower(ArrayProgram((Axis("n", 0),), *_empty(statement)))([1.0])[0].tolist() == []


def _empty(statement):
    arrays = (Array("c", 0, ()), Array("x", 1, ()), Array("y", 0, (0,)))
    return arrays, np.zeros(0), (statement,), np.array([[1, 0]]), np.zeros((0, 2), dtype=np.int64)


def test_a_program_that_reads_outside_is_refused():
    program = program_of((FIVE,), [4], [])
    for operand in (Operand(1, 0, (1,)), Operand(1, -1, (0,)), Operand(1, 0, (), np.array([0, 1, 2, 3, 4]))):
        wrong = ArrayProgram(
            program.axes,
            (*program.arrays, Array("y", 5, (0,))),
            program.constants,
            (Statement(2, "exp", (0,), (operand,)),),
            program.inputs,
            program.outputs,
        )
        with pytest.raises(ValueError, match="wrong program: y reads 1 from"):
            llvm.lower(wrong)


def test_inputs_are_counted_and_may_be_strided_whole_or_read_only():
    run = llvm.lower(program_of((FIVE,), [5], [Statement(2, "neg", (0,), (Operand(1, 0, (1,)),))]))
    for wrong in ([1.0] * 4, [1.0] * 6, [[1.0] * 5], 1.0):
        with pytest.raises(ValueError, match=r"the program takes 5 numbers, got an array of shape \("):
            run(wrong)
    numbers = np.arange(10.0)
    numbers.flags.writeable = False
    assert run(numbers[::-2])[0].tolist() == [-9.0, -7.0, -5.0, -3.0, -1.0]
    assert run(range(5))[0].tolist() == [0.0, -1.0, -2.0, -3.0, -4.0]


def test_inputs_that_nothing_needs_are_left_out():
    assert jit(lambda a, b, c: a - c, backend="llvm")(3.0, math.nan, 1.0) == 2.0


def test_loops_become_vectors_and_nothing_else_is_called():
    wide = Axis("n", 1000)
    program = program_of((wide,), [1000], [Statement(2, "tanh", (0,), (Operand(1, 0, (1,)),))])
    native = llvm.lower(program).kernel.native
    assert re.search(r"fdiv <\d+ x double>", native.llvm)
    declared = re.findall(r"declare .*@([\w.]+)\(", native.llvm)
    assert all(name.startswith("llvm.") for name in declared)
    assert not re.search(r"\b(tanh|exp|fma)\b", native.assembly)


def test_axes_are_joined_where_all_walk_through_them():
    program = program_of((FIVE, SEVEN), [35], [Statement(2, "neg", (0, 1), (Operand(1, 0, (7, 1)),))])
    assert "x double>" in str(emitted(program))  # one loop of 35, of whole vectors and the rest
    turned = program_of((FIVE, SEVEN), [35], [Statement(2, "neg", (0, 1), (Operand(1, 0, (1, 5)),))])
    assert str(emitted(turned)).count("phi") == 2  # a loop in a loop


def emitted(program):
    return Emitter(plan_loops(program), "float64").module()


def test_calls_from_threads_do_not_mix():
    square = jit(lambda xs: [x * x for x in xs], backend="llvm")
    square([0.0] * 64)
    wrong = []

    def work(number):
        wrong.extend(number for _ in range(200) if set(square([number] * 64).tolist()) != {number * number})

    threads = [threading.Thread(target=work, args=(float(n),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_without_llvmlite_numpy_runs_and_it_is_said_once(monkeypatch):
    for name in [name for name in sys.modules if ".backends.llvm" in name]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr("micrograd_mlp.compiler.backends.llvm", raising=False)
    monkeypatch.setitem(sys.modules, "llvmlite", None)
    say_once.cache_clear()
    with pytest.warns(RuntimeWarning, match=re.escape("runs on NumPy; pip install 'micrograd-mlp[native]'")):
        assert jit(lambda a: a + 1.0)(1.0) == 2.0
    assert jit(lambda a: a + 2.0)(1.0) == 3.0  # in silence: a warning is an error here


def test_the_compiler_alone_loads_no_llvmlite():
    code = "import sys, micrograd_mlp.compiler; print('llvmlite' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
