"""Compiled functions give what the engine gives, for code of many kinds and for arguments of many structures."""

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import PROGRAMS, flat, gpt_step, moons_loss, moons_step

from micrograd_mlp import MLP, Module, Value, grad, losses, ops
from micrograd_mlp.compiler import jit, replay, vmap
from micrograd_mlp.compiler.program import NAMES
from micrograd_mlp.ops import TABLE

# Statements at most, and index maps that are not affine at most.
BOUNDS = {
    "moons loss, 100 samples": (40, 0),
    "moons step, 100 samples": (100, 0),
    "moons step, 1 sample": (100, 0),
    "moons step with Adam, 100 samples": (120, 0),
    "logistic regression": (15, 0),
    "1-D convolution": (15, 1),
    "two 2-D convolutions": (40, 3),
    "recurrent network": (60, 0),
    "LSTM, 8 units, 10 steps": (400, 0),
    "causal attention": (50, 23),
    "two bodies, leapfrog": (400, 100),
    "Cholesky likelihood, n = 16": (500, 400),
}


def numbers_in(result):
    if isinstance(result, dict):
        result = list(result.values())
    if isinstance(result, np.ndarray):
        result = result.tolist()
    if isinstance(result, list | tuple):
        return [number for item in result for number in numbers_in(item)]
    return [float(result)]


def with_values(thing):
    """Return `thing` with a Value in place of each number."""
    if isinstance(thing, dict):
        return {key: with_values(item) for key, item in thing.items()}
    if isinstance(thing, list | tuple):
        return type(thing)(with_values(item) for item in thing)
    return Value(thing)


def assert_agrees(function, args, tolerance=1e-12):
    """Hold a compiled function against the engine; sums are added in another order, hence the tolerance."""
    expected = np.array(numbers_in(function(*with_values(args))))
    scale = np.abs(expected[np.isfinite(expected)]).max(initial=1e-300)
    for backend in ("llvm", "numpy"):
        compiled = jit(function, backend=backend)
        got = np.array(numbers_in(compiled(*args)))
        assert got.shape == expected.shape
        np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance * scale)
    return compiled.program


@pytest.mark.parametrize("name", BOUNDS)
def test_programs_agree_with_the_engine_in_few_statements(name):
    statements, gathers = BOUNDS[name]
    program = assert_agrees(*PROGRAMS[name]()).arrays
    assert len(program.statements) <= statements
    assert sum(read.index is not None for s in program.statements for read in s.reads) <= gathers


def test_a_gpt_agrees_with_the_engine():
    assert_agrees(*gpt_step(tokens=3, width=4, heads=2, vocabulary=5))


def test_a_gpt_is_as_many_statements_whatever_its_text():
    counts = [statements_of(gpt_step(tokens)) for tokens in (4, 6)]
    assert counts[0] == counts[1] <= 600


def statements_of(program):
    function, args = program
    compiled = jit(function)
    compiled(*args)
    return len(compiled.program.arrays.statements)


def test_the_number_of_statements_does_not_depend_on_the_size():
    assert statements_of(moons_loss(10)) == statements_of(moons_loss(20))


def test_the_same_program_runs_on_other_numbers():
    function, (X, y) = moons_loss(10)
    compiled = jit(function)
    compiled(X, y)
    more = np.random.default_rng(1).normal(size=(10, 2))
    assert compiled(more, y) == pytest.approx(function(more.tolist(), y).data, rel=1e-12)
    assert len(compiled.variants) == 2  # one for lists, one for an array
    compiled(more.tolist(), y)
    compiled(more[::-1], y)
    assert len(compiled.variants) == 2
    compiled(more[:5], y[:5])
    assert len(compiled.variants) == 3


def test_captured_values_are_read_at_each_call():
    w = Value(2.0, label="w")
    square = w * w  # a Value made outside comes with its graph
    compiled = jit(lambda x: square + x)
    assert compiled(1.0) == 5.0
    w.data = 3.0
    assert compiled(1.0) == 10.0


def test_values_made_inside_without_arguments():
    w = Value(3.0)

    @jit
    def slope():
        return grad(w * w, [w])

    assert slope().tolist() == [6.0]
    w.data = -1.0
    assert slope().tolist() == [-2.0]


def test_a_module_is_an_argument():
    one, two = MLP(2, [3, 1], rng=random.Random(1)), MLP(2, [3, 1], rng=random.Random(2))

    @jit
    def slopes(model, x):
        out = model(x)
        return out, grad(out, model.parameters())

    for model in (one, two):
        out = model([1.0, 2.0])
        got, by = slopes(model, [1.0, 2.0])
        assert got == pytest.approx(out.data, rel=1e-12)
        assert by == pytest.approx([slope.data for slope in grad(out, model.parameters())], rel=1e-12)
    assert len(slopes.variants) == 1
    slopes(MLP(2, [3, 1], activation="tanh"), [1.0, 2.0])
    assert len(slopes.variants) == 2
    assert isinstance(one, Module)


def test_results_keep_their_structure():
    @jit
    def shapes(x, y):
        return {
            "number": x,
            "list": [x, y],
            "matrix": [[x, y], [y, x], [1, 2.0]],
            "pair": (x, [y]),
            "ragged": [[x], []],
        }

    got = shapes(1, 2)
    assert got["number"] == 1.0
    assert type(got["number"]) is float
    assert got["list"].tolist() == [1.0, 2.0]
    assert got["matrix"].tolist() == [[1.0, 2.0], [2.0, 1.0], [1.0, 2.0]]
    assert got["pair"][0] == 1.0
    assert got["pair"][1].tolist() == [2.0]
    assert [row.tolist() for row in got["ragged"]] == [[1.0], []]
    got["list"][0] = 7.0
    assert shapes(1, 2)["list"].tolist() == [1.0, 2.0]  # a result is the caller's own


@pytest.mark.parametrize(
    ("function", "args", "expected"),
    [
        (lambda x: x, (3.0,), 3.0),
        (lambda x: x * x, (3.0,), 9.0),
        (lambda x: 5, (3.0,), 5.0),
        (lambda x: Value(2.0) + 1.0, (3.0,), 3.0),
        (lambda x: [x, x, x + 1, x + 1], (3.0,), [3.0, 3.0, 4.0, 4.0]),
        (list, (), []),
        (lambda x: [], (3.0,), []),
        (lambda x: [[], []], ([3.0],), [[], []]),
        (lambda x: grad(x, x), (3.0,), 1.0),
        (lambda x, y: grad(x, [y]), (3.0, 1.0), [0.0]),
        (lambda x, mode: x * 2 if mode == "twice" else x, (3.0, "twice"), 6.0),
        (lambda x: x["a"] - x["b"], ({"a": 3.0, "b": 1},), 2.0),
        (lambda x, y=4.0: x + y, (3.0,), 7.0),
        (lambda xs: xs[0] + xs[1], ((1.0, 2.0),), 3.0),
        (lambda x: np.float64(2.0) * x + x * np.float64(3.0), (1.0,), 5.0),
        (lambda x: -(abs(x) ** 2), (-3.0,), -9.0),
    ],
)
def test_small_programs(function, args, expected):
    result = jit(function)(*args)
    assert (result.tolist() if isinstance(result, np.ndarray) else result) == expected


def test_named_arguments_and_decorators():
    @jit(backend="numpy", dtype="float32")
    def third(x, scale=1.0):
        """Return a third."""
        return x / 3.0 * scale

    assert third(1.0) == float(np.float32(1.0) / np.float32(3.0))
    assert third(1.0, scale=2.0) == pytest.approx(2 / 3, rel=1e-6)
    assert third.__doc__ == "Return a third."


def test_a_compiled_function_may_be_used_in_another():
    square = jit(lambda x: x * x)
    assert jit(lambda x: square(x) + grad(square(x), x))(3.0) == 15.0


def test_gradients_of_gradients():
    def hessian(x, y):
        slopes = grad(ops.exp(x * y) + ops.sin(x) * y, [x, y])
        return [grad(slope, [x, y]) for slope in slopes]

    expected = [[h.data for h in row] for row in hessian(Value(0.3), Value(-0.7))]
    np.testing.assert_allclose(jit(hessian)(0.3, -0.7), expected, rtol=1e-12)


@pytest.mark.parametrize("x", [0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("op", TABLE.values(), ids=list(TABLE))
def test_edges_of_every_operation_and_slope(op, x):
    def both(*args):
        out = op(*args)
        return [out, *grad(out, list(args))]

    for rest in ((0.0, 2.0), (x, -1.0), (-1.0, math.inf)):
        args = (x, *rest)[: len(op.partials)]
        expected = [v.data for v in both(*map(Value, args))]
        np.testing.assert_allclose(jit(both)(*args), expected, rtol=1e-12)


UNARY = ("tanh", "sin", "cos", "sigmoid", "neg", "relu", "abs", "softplus", "detach", "step")
BINARY = ("add", "sub", "mul", "maximum", "minimum", "equal")


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(UNARY + BINARY), st.integers(0, 10**6), st.integers(0, 10**6)), max_size=40))
def test_any_expression_agrees_with_the_engine(rows):
    def expression(xs):
        made = [*xs, 1.0, -0.5]
        for name, i, j in rows:
            op, a, b = TABLE[name], made[i % len(made)], made[j % len(made)]
            made.append(op(a) if name in UNARY else op(a, b))
        out = losses.total(made[-3:])
        return out, grad(out + 0.0 * xs[0], xs)

    assert_agrees(expression, ([0.3, -1.2, 0.7],))


def test_a_large_expression_without_regularity():
    rng = random.Random(3)
    rows = [(rng.choice(UNARY + BINARY), rng.randrange(10**6), rng.randrange(10**6)) for _ in range(3000)]

    def expression(xs):
        made = [*xs]
        for name, i, j in rows:
            op, a, b = TABLE[name], made[i % len(made)], made[j % len(made)]
            made.append(ops.tanh(op(a) if name in UNARY else op(a, b)))
        out = losses.total(made[-300:])
        return out, grad(out, xs)

    program = assert_agrees(expression, ([0.1 * i for i in range(-10, 10)],), tolerance=1e-9)
    assert not program.families.regular
    assert len(program.arrays.statements) < len(program.scalars.op) / 3


def test_replay_writes_the_loss_and_the_gradients():
    function, (X, y) = moons_loss(10)
    loss = function(with_values(X), y)
    step = replay(loss)
    leaves = step.leaves
    for leaf in leaves:
        leaf.data += 0.01
    value = step()
    written = [leaf.grad for leaf in leaves]
    assert loss.data == value
    assert [leaf.grad for leaf in leaves] == (step() and written)  # nothing is added to what was there
    for leaf in leaves:
        leaf.grad = 0
    again = function(with_values(X), y)
    assert step.program.arrays.outputs.shape == (1 + len(leaves), 2)
    fresh = replay(again)
    for old, new in zip(leaves, fresh.leaves, strict=True):
        new.data = old.data
    assert fresh() == value


def test_replay_agrees_with_backward():
    a, b = Value(2.0), Value(-3.0)
    loss = (a * b + a).tanh() * b + a.detach()
    step = replay(loss)
    step()
    slopes = a.grad, b.grad
    a.grad = b.grad = 0
    loss.backward()
    assert slopes == pytest.approx((a.grad, b.grad), rel=1e-12)


def test_the_trajectory_of_many_steps():
    function, (X, y, memories, count) = moons_step(5)
    compiled = jit(function)
    loss, (values, _) = compiled(X, y, memories, count)
    expected, (numbers, _) = function(X, y, memories, count)
    assert loss == pytest.approx(expected.data, rel=1e-12)
    assert values == pytest.approx([float(n) for n in flat(list(numbers))], rel=1e-12)


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (np.zeros(0), 0.0),
        ([], 0.0),
        (np.array([2, 3]), 13.0),
        (np.array([True, False]), 1.0),
        (np.arange(6.0)[::2], 20.0),
        (np.array([1.5], dtype=np.float32), 2.25),
        (np.array([1.5], dtype=object), 2.25),
        ([Value(2.0), 1, np.float32(3.0)], 14.0),
        ([math.nan], math.nan),
        ([10**400], math.inf),
    ],
)
def test_numbers_of_every_kind(x, expected):
    compiled = jit(lambda x: losses.total(a * a for a in x))
    read_only = np.ones(len(x))
    read_only.flags.writeable = False
    for _ in range(2):
        assert compiled(x) == pytest.approx(expected, nan_ok=True)
        assert compiled(read_only if isinstance(x, np.ndarray) else [1.0] * len(x)) == len(x)
    assert len(compiled.variants) == 1


def test_a_compiled_function_changes_no_value():
    w = Value(2.0, label="w")

    def function(x):
        out = w * x
        w.data = out
        return out

    with pytest.raises(TypeError, match=r"cannot change the data of Value\(.*label='w'\); return the new number"):
        jit(function)(1.0)
    assert w.data == 2.0


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: jit(lambda x: x, threads=0), ValueError, "threads is at least 1, got 0"),
        (lambda: jit(lambda x: x, backend="fortran"), ValueError, r"backend is one of llvm, numpy; got 'fortran'"),
        (lambda: jit(lambda x: x, dtype="int8"), ValueError, r"dtype is one of float64, float32; got 'int8'"),
        (lambda: jit(3), TypeError, r"jit takes a function, got int: 3"),
        (lambda: jit(lambda x: x).program, ValueError, r"call the function once"),
        (lambda: jit(lambda x: "word")(1.0), TypeError, r"test_jit.py, line \d+: <lambda> returns str: 'word'; return"),
        (lambda: jit(lambda x: None)(1.0), TypeError, r"<lambda> returns NoneType: None"),
        (lambda: jit(lambda x: x)({1, 2}), TypeError, r"takes numbers, lists, dicts and Modules, got set: \{1, 2\}"),
        (lambda: jit(lambda x: x)(np.array([1j])), TypeError, r"takes real numbers, got an array of complex128"),
        (lambda: replay(2.0), TypeError, r"replay takes a Value, the output of a graph, got float: 2.0"),
        (lambda: replay(Value(1.0), dtype="int8"), ValueError, r"dtype is one of"),
    ],
)
def test_what_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_every_name_of_an_operation_is_known():
    assert set(TABLE) <= set(NAMES)


@pytest.mark.parametrize("op", [op for op in TABLE.values() if len(op.partials) > 1], ids=lambda op: op.name)
def test_a_captured_value_may_come_first(op):
    w = Value(1.5)
    orders = [lambda x: op(*([w, x, x][: len(op.partials)])), lambda x: op(*([x, w, w][: len(op.partials)]))]
    orders.append(lambda x: op(*([w, w, x][-len(op.partials) :])))
    for function in orders:
        assert jit(function)(2.0) == pytest.approx(float(function(2.0)), rel=1e-15)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("backend", ["llvm", "numpy"])
def test_calls_again_read_what_arrays_and_parameters_hold_then(backend, dtype):
    model = MLP(2, [3, 1], rng=random.Random(0))
    X = np.random.default_rng(0).normal(size=(20, 2))

    def unrolled(X):
        return losses.mean(model(x) for x in X)

    def mapped(X):
        return losses.mean(vmap(model)(X))

    compiled = [jit(unrolled, backend=backend, dtype=dtype), jit(mapped, backend=backend, dtype=dtype)]
    for turn in range(6):
        X = X * 1.5 if turn == 3 else X  # another array now and then, else the same one
        X[turn] += 1.0
        model.parameters()[0].data += 0.1
        expected = unrolled(X.tolist()).data
        for function in compiled:
            assert function(X) == pytest.approx(expected, rel=1e-5)
