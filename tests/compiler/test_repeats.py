"""Steps of a recurrence become turns of one loop, to the numbers of the interpreter, whatever the steps read."""

import math
import random
from dataclasses import replace

import numpy as np
import pytest

from micrograd_mlp import Value, grad, losses, ops
from micrograd_mlp.compiler import jit, loops, repeats, vmap
from micrograd_mlp.compiler.loops import LoopProgram, show_loops
from micrograd_mlp.compiler.program import Array, ArrayProgram, Operand, Statement
from micrograd_mlp.compiler.repeats import LEAST_STATEMENTS, LEAST_TIMES, Repeat, find_repeats, shortened

pytest.importorskip("llvmlite", reason="native code is compiled by llvmlite")
from micrograd_mlp.compiler.backends import llvm_plain, llvm_tiles

# Finding blocks


def chain(*kinds, reads=None):
    """Return a program of single numbers; each statement is of its kind, and reads one so many back, else the last."""
    arrays = tuple(Array(f"a{k}", 1, ()) for k in range(len(kinds) + 2))
    statements = []
    for k, kind in enumerate(kinds):
        back = 1 if reads is None else reads[k]
        operand = Operand(k + 2 - back, 0, ())
        operands = (operand, operand) if kind in ("add", "mul") else (operand,)
        statements.append(Statement(k + 2, kind, (), operands))
    ends = np.array([[len(arrays) - 1, 0]])
    return ArrayProgram((), arrays, np.array([2.0]), tuple(statements), np.array([[1, 0]]), ends)


def found(*kinds, reads=None):
    program = chain(*kinds, reads=reads)
    program.check()
    return find_repeats(program, program.statements)


def test_a_block_is_found_with_what_comes_before_and_after():
    assert found("exp", "log", *["sin", "cos", "mul"] * 40, "neg", "exp") == [Repeat(2, 3, 40)]
    assert found(*["sin"] * 60) == [Repeat(0, 1, 60)]
    assert Repeat(2, 3, 40).end == 122


def test_a_block_may_begin_in_the_middle_of_what_was_written():
    (repeat,) = found("exp", "mul", *["sin", "cos", "mul"] * 40, "sin")
    assert (repeat.first, repeat.size, repeat.times) == (1, 3, 40)


def test_several_blocks_are_found_in_their_order():
    kinds = ["exp"] + ["sin", "mul"] * 40 + ["neg"] + ["cos", "exp", "tanh"] * 50 + ["neg"] + ["log"] * 60
    assert found(*kinds) == [Repeat(1, 2, 40), Repeat(82, 3, 50), Repeat(233, 1, 60)]


def test_few_or_short_repetitions_are_written_out():
    block = ["sin", "cos", "tanh", "exp", "log", "neg", "mul", "sqrt"]
    assert found("exp", *block * LEAST_TIMES) == [Repeat(1, 8, LEAST_TIMES)]
    assert found("exp", *block * (LEAST_TIMES - 1)) == []
    assert found(*["sin"] * (LEAST_STATEMENTS - 1)) == []
    assert found() == []


def test_what_a_step_reads_of_itself_is_part_of_the_pattern():
    """The third statement reads the second or the first of its step, in turns: two steps are a block."""
    kinds = ["exp"] + ["sin", "cos", "mul"] * 60
    assert found(*kinds, reads=[1] + [1, 1, 2] * 60) == [Repeat(1, 3, 60)]
    (repeat,) = found(*kinds, reads=[1] + [1, 1, 1, 1, 1, 2] * 30)
    assert (repeat.size, repeat.times) == (6, 30)


def test_what_lies_further_back_may_lie_anywhere():
    reads = [1, 1] * 10 + [random.Random(k).randrange(3, 20) if k % 2 else 1 for k in range(100)]
    (repeat,) = found(*["sin", "mul"] * 60, reads=reads)
    assert (repeat.size, repeat.times) == (2, 50)


def test_a_sum_of_very_many_numbers_is_in_no_block():
    program = chain(*["sin"] * 50)
    many = tuple(Operand(1, 0, ()) for _ in range(40))
    odd = tuple(replace(s, op="max", operands=many) if s.out == 27 else s for s in program.statements)
    assert find_repeats(program, odd) == []


# The numbers


def values_of(function, args):
    def wrapped(arg):
        return [wrapped(each) for each in arg] if isinstance(arg, list) else Value(arg)

    def numbers(out):
        return [numbers(each) for each in out] if isinstance(out, list | tuple) else getattr(out, "data", out)

    return np.hstack([np.ravel(each) for each in numbers(function(*map(wrapped, args)))])


def repeats_of(function):
    blocks = [block for region in function.program.loops.regions for block in region.blocks()]
    return [(times, len(nests)) for times, nests in blocks if times > 1]


def held(function, args, *, blocks, tolerance=1e-12):
    """Native code gives what the interpreter does, in so many blocks that repeat, and so does NumPy's."""
    expected = values_of(function, args)
    for dtype, share in (("float64", tolerance), ("float32", 2e-4)):
        for backend in ("llvm", "numpy"):
            made = jit(function, backend=backend, dtype=dtype)
            for _ in range(3):
                got = np.hstack([np.ravel(each) for each in made(*args)])
            scale = np.abs(expected).max() if dtype == "float32" else np.abs(expected)
            np.testing.assert_array_less(np.abs(got - expected), share * scale + 1e-300)
            made.program.loops.check()
    assert len(repeats_of(made)) == blocks
    return made


def pendulum(angle, length, steps):
    speed = 0.0 * angle
    for _ in range(steps):
        speed = speed - 0.02 * 9.81 / length * ops.sin(angle)
        angle = angle + 0.02 * speed
    return angle


def test_a_pendulum_and_its_gradient():
    def both(angle, length):
        out = pendulum(angle, length, 80)
        return [out, *grad(out, [angle, length])]

    made = held(both, [1.0, 2.0], blocks=2)
    text = show_loops(made.program.loops)
    assert "\n    78 times:\n" in text
    assert text.count("sin(") < 5


def test_a_recurrent_network_and_its_gradient():
    rng = random.Random(1)
    size, steps = 6, 40

    def loss(W, U, xs, ys):
        state, total = [0.0] * size, 0.0
        for x, y in zip(xs, ys, strict=True):
            state = [ops.tanh(sum(w * h for w, h in zip(row, state, strict=True)) + u * x)
                     for row, u in zip(W, U, strict=True)]  # fmt: skip
            total = total + (sum(state) - y) ** 2
        return [total, *grad(total, [*(w for row in W for w in row), *U]), *state]

    W = [[rng.uniform(-0.5, 0.5) for _ in range(size)] for _ in range(size)]
    made = held(loss, [W, *([rng.gauss(0, 1) for _ in range(n)] for n in (size, steps, steps))], blocks=2)
    assert max(times for times, _ in repeats_of(made)) >= steps - 3


@pytest.mark.parametrize(
    "number",
    [lambda k: 0.5, lambda k: 1.0 + k, lambda k: math.sin(k * k), lambda k: float(k % 3)],
    ids=["one", "rising", "any", "few"],
)
def test_constants_of_each_step(number):
    def steps(x):
        for k in range(60):
            x = ops.tanh(x * number(k) + 0.1)
        return [x]

    held(steps, [0.3], blocks=1)


def test_inputs_in_any_order():
    order = random.Random(2).sample(range(70), 70)

    def steps(xs, forward):
        a = b = 0.1
        for k in range(70):
            a = ops.sin(a + xs[order[k]])
            b = ops.cos(b * xs[69 - k] + (forward[k] if k % 2 else forward[k // 2]))
        return [a, b]

    rng = random.Random(3)
    held(steps, [[rng.gauss(0, 1) for _ in range(70)] for _ in range(2)], blocks=2)


def test_results_out_of_the_middle_are_kept():
    def steps(x):
        seen = []
        for k in range(60):
            inner = ops.exp(-x)  # read in its own step only, but for two steps
            x = 1.0 / (1.0 + inner * inner)
            seen += [x] if k in (0, 7, 58) else [inner] if k == 33 else []
        return [*seen, x]

    held(steps, [0.4], blocks=1)


def test_a_state_of_long_ago():
    def steps(x):
        states = [x, x + 1.0, x + 2.0, x + 3.0, x + 4.0]
        for _ in range(80):
            states.append(ops.sin(states[-1] + 0.5 * states[-5]))
        return [states[-1], states[40]]

    held(steps, [0.4], blocks=1)


def test_steps_with_sums_over_what_is_ragged():
    rng = random.Random(5)

    def steps(w, x):
        for _ in range(20):
            x = [ops.tanh(sum(w[i][j] * x[j] for j in range(i + 1))) for i in range(5)]
        return x

    held(steps, [[[rng.uniform(-0.9, 0.9) for _ in range(5)] for _ in range(5)], [0.4] * 5], blocks=1)


def test_before_and_after_the_samples_of_a_batch():
    def steps(w, X):
        for _ in range(60):
            w = ops.sin(w + 0.1)
        out = vmap(lambda x: ops.tanh(x[0] * w + x[1]))(X)
        total = losses.mean(out)
        for _ in range(60):
            total = ops.cos(total * w)
        return [total]

    X = np.random.default_rng(0).normal(size=(37, 2))
    made, w = jit(steps), 0.3
    for _ in range(60):
        w = math.sin(w + 0.1)
    expected = float(np.mean(np.tanh(X[:, 0] * w + X[:, 1])))
    for _ in range(60):
        expected = math.cos(expected * w)
    assert made(0.3, X)[0] == pytest.approx(expected, rel=1e-12)
    assert len(repeats_of(made)) == 2


def test_thousands_of_steps():
    def steps(x):
        for _ in range(5_000):
            x = ops.sin(x + 1.0)
        return x

    x = 0.25
    for _ in range(5_000):
        x = math.sin(x + 1.0)
    assert jit(steps)(0.25) == pytest.approx(x, rel=1e-12)


def sequence_step(steps, size, at=lambda k: k):
    """Return a step that learns from series: a loss over a batch, by a recurrent network, with its gradient."""

    def loss(W, U, V, x, y):
        state = [0.0] * size
        for k in range(steps):
            inner = [sum(w * h for w, h in zip(row, state, strict=True)) for row in W]
            state = [ops.tanh(z + u * x[at(k)]) for z, u in zip(inner, U, strict=True)]
        return (sum(v * h for v, h in zip(V, state, strict=True)) - y) ** 2, state

    def step(W, U, V, X, y):
        out = vmap(lambda x, t: loss(W, U, V, x, t))(X, y)
        total = losses.mean(vmap(lambda pair: pair[0])(out))
        return [total, *grad(total, [*(w for row in W for w in row), *U, *V])], vmap(lambda pair: pair[1])(out)

    return step


@pytest.mark.parametrize(
    ("steps", "size", "samples", "threads"), [(40, 3, 1, 1), (30, 5, 23, 1), (60, 4, 100, 2), (20, 9, 67, 1)]
)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_recurrent_network_over_a_batch(steps, size, samples, threads, dtype):
    rng = np.random.default_rng(steps)
    order = rng.permutation(steps).tolist()
    shapes = [(size, size), (size,), (size,), (samples, steps), (samples,)]
    args = [rng.normal(size=shape) / np.sqrt(shape[-1]) for shape in shapes]
    for at in (lambda k: k, lambda k: steps - 1 - k, lambda k: order[k]):
        made = jit(sequence_step(steps, size, at), dtype=dtype, threads=threads)
        reference = jit(sequence_step(steps, size, at), backend="numpy")
        for count in (samples, max(1, samples - 5)):
            some = [*args[:3], args[3][:count], args[4][:count]]
            (got, got_states), (expected, states) = made(*some), reference(*some)
            near = 1e-12 if dtype == "float64" else 2e-5
            np.testing.assert_allclose(got, expected, rtol=near, atol=near * np.abs(expected).max())
            np.testing.assert_allclose(got_states, states, rtol=near, atol=near)
        made.program.loops.check()
        assert repeats_of(made)


def test_the_batch_of_a_recurrence_against_the_interpreter():
    steps, size = 15, 3
    rng = random.Random(4)
    W, U, V, X, y = [[rng.uniform(-0.6, 0.6) for _ in range(n)] for n in (9, 3, 3, 4 * steps, 4)]
    table, rows = [W[k : k + 3] for k in (0, 3, 6)], [X[k * steps : (k + 1) * steps] for k in range(4)]
    got, _ = jit(sequence_step(steps, size))(table, U, V, np.array(rows), np.array(y))
    values = [[Value(w) for w in row] for row in table], [Value(u) for u in U], [Value(v) for v in V]

    def loss(x, t):
        state = [0.0] * size
        for k in range(steps):
            inner = [sum(w * h for w, h in zip(row, state, strict=True)) for row in values[0]]
            state = [ops.tanh(z + u * x[k]) for z, u in zip(inner, values[1], strict=True)]
        return (sum(v * h for v, h in zip(values[2], state, strict=True)) - t) ** 2

    total = losses.mean([loss(x, t) for x, t in zip(rows, y, strict=True)])
    slopes = grad(total, [*(w for row in values[0] for w in row), *values[1], *values[2]])
    np.testing.assert_allclose(got, [total.data, *(slope.data for slope in slopes)], rtol=1e-12)


def random_recurrence(seed):
    """Return a function of (weights, xs, states) that takes random steps, and arguments for it."""
    rng = random.Random(seed)
    count, width, length = rng.randint(1, 3), rng.choice([1, 1, 2, 4]), rng.randint(10, 60)
    plan = []
    for _ in range(count):
        op = rng.choice([ops.tanh, ops.sin, ops.cos, lambda a: 1.0 / (1.0 + a * a), lambda a: ops.maximum(a, -a) * 0.5])
        plan.append((op, [rng.randrange(count) for _ in range(2)], rng.choice(["own", "sum", "back", "none"])))
    order = rng.sample(range(length), length) if rng.random() < 0.5 else list(range(length))
    numbers = [rng.choice([0.5, 2.0]) for _ in range(length)] if rng.random() < 0.3 else [0.5] * length
    lag, kept, slopes = rng.randint(1, 3), rng.randrange(length), rng.random() < 0.6

    def steps(weights, xs, *start):
        history, total = [list(start)], 0.0
        for k in range(length):
            states = list(history[-1])
            for s, (op, (a, b), how) in enumerate(plan):
                further = history[max(0, len(history) - lag)][b]
                states[s] = [
                    op(weights[s] * states[a][i] + numbers[k] * xs[order[k]] + (
                        states[b][(i + 1) % width] if how == "own" else
                        sum(v * w for v, w in zip(states[b], weights, strict=False)) * 0.3 if how == "sum" else
                        further[i] if how == "back" else 0.0))
                    for i in range(width)
                ]  # fmt: skip
            history.append(states)
            total = total + states[-1][0] * states[0][-1]
        out = [total, *history[-1][-1], *history[kept][0]]
        return [*out, *grad(total, [*weights, xs[0], xs[-1]])] if slopes else out

    args = [[rng.uniform(-0.9, 0.9) for _ in range(n)] for n in (count, length, *[width] * count)]
    return steps, args


@pytest.fixture
def all_repeats(monkeypatch):
    """What comes twice is a loop, and so are sums of three terms."""
    for module, name, number in (
        (repeats, "LEAST_TIMES", 2), (repeats, "LEAST_STATEMENTS", 2), (loops, "MANY", 3), (llvm_plain, "LEAST_RUN", 2)
    ):  # fmt: skip
        monkeypatch.setattr(module, name, number)


@pytest.mark.parametrize("seed", [540, 542, *range(100, 110)])
def test_random_recurrences_over_a_batch(seed, all_repeats):
    """With 540 and 542, two factors of a product are the same number in the first turn alone."""
    function, (weights, xs, *start) = random_recurrence(seed)
    samples = random.Random(seed).choice([1, 2, 17, 40])
    X = np.random.default_rng(seed).normal(size=(samples, len(xs)))

    def batched(weights, X, *start):
        out = vmap(lambda x: function(weights, x, *start))(X)
        total = losses.mean(vmap(lambda row: row[0])(out))
        return [total, *grad(total, list(weights))], out

    expected = jit(batched, backend="numpy")(weights, X, *start)
    made = jit(batched, threads=random.Random(seed).choice([1, 2]))
    for one, other in zip(made(weights, X, *start), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-10 * np.abs(other).max())
    made.program.loops.check()
    assert repeats_of(made)


@pytest.mark.parametrize("seed", range(24))
def test_random_recurrences(seed):
    function, args = random_recurrence(seed)
    expected = values_of(function, args)
    made = jit(function)
    got = np.hstack([np.ravel(each) for each in made(*args)])
    np.testing.assert_allclose(got, expected, rtol=1e-8, atol=1e-10 * np.abs(expected).max())
    made.program.loops.check()


def test_most_random_recurrences_have_blocks():
    with_blocks = 0
    for seed in range(16):
        function, args = random_recurrence(seed)
        made = jit(function, backend="numpy")
        made(*args)
        with_blocks += bool(repeats_of(made))
    assert with_blocks > 8


def test_columns_of_a_table_come_into_a_tile_together():
    def column(rows, places):
        return llvm_tiles.Column(None, 99, np.array(rows), np.array(places))

    def told(columns):
        return [(each.rows.tolist(), each.places.tolist()) for each in llvm_tiles.joined(columns)]

    assert told([column([5], [1]), column([4], [0]), column([6, 7], [2, 3])]) == [([4, 5, 6, 7], [0, 1, 2, 3])]
    assert told([column([9], [0]), column([8], [1]), column([7], [2])]) == [([9, 8, 7], [0, 1, 2])]
    apart = [column([0, 1, 2, 3, 4], [10, 11, 12, 13, 14]), column([5, 6, 7, 8, 9], [0, 1, 2, 3, 4])]
    assert told(apart) == [([5, 6, 7, 8, 9], [0, 1, 2, 3, 4]), ([0, 1, 2, 3, 4], [10, 11, 12, 13, 14])]
    rows = random.Random(0).sample(range(40), 40)
    (single,) = told([column([row], [place]) for place, row in enumerate(rows)])
    assert single == (rows, list(range(40)))
    assert told([]) == []


# What is checked


def test_a_turn_that_reads_its_own_nest_in_another_way_is_refused():
    made = jit(lambda angle, length: pendulum(angle, length, 80))
    made(1.0, 2.0)
    planned = made.program.loops
    place = next(place for place, region in enumerate(planned.regions) if region.turns)
    region = planned.regions[place]
    inside = [(nest, s) for nest in region.nests if nest.block for s in nest.statements]
    first = next(s for nest, s in inside if {r.source for r in s.reads} & {each.out for each in nest.statements})
    turns = list(region.turns[first.out])
    other = next(s for s in region.turns[first.out] if s is not turns[5])
    turns[5] = replace(turns[5], operands=other.operands, terms=other.terms)
    wrong = replace(region, turns={**region.turns, first.out: tuple(turns)})
    with pytest.raises(ValueError, match="wrong loops: .* reads .* of its nest, other than in the first turn"):
        LoopProgram(planned.arrays, (*planned.regions[:place], wrong, *planned.regions[place + 1 :])).check()


# What is shown


def test_lines_that_come_many_times_are_shown_first_and_last():
    lines = ["begin", *(f"a{k} = b{k + 1}" for k in range(12)), "end"]
    assert shortened(lines, lines, "({})") == [
        "begin", lines[1], "(10 times more so, with other numbers, until)", lines[12], "end"
    ]  # fmt: skip
    assert shortened(lines[:10], lines[:10], "{}") == lines[:10]
    pairs = [f"{name}{k}" for k in range(1500) for name in "ab"]
    assert shortened(pairs, pairs, "{}") == [
        "a0", "b0", "1,498 times more so, with other numbers, until", "a1499", "b1499"
    ]  # fmt: skip
    assert shortened([], [], "{}") == []
    letters = [f"h{k}[{a}] = Σ_{b}2 W[{a},{b}2]·h{k + 1}[{b}2]" for k, (a, b) in enumerate(["ni", "ab"] * 10)]
    assert len(shortened(letters, letters, "{}")) == 3
    turned = [f"h{k}[a] = Σ_b W[{'a,b' if k % 2 else 'b,a'}]" for k in range(9)]
    assert shortened(turned, turned, "{}") == turned


def test_the_equations_of_a_recurrence_are_few():
    def steps(w, y):
        state, total = w, 0.0
        for k in range(40):
            state = ops.tanh(w * state + y[k])
            total = total + state * state
        return total

    made = jit(steps, backend="numpy")
    made(0.5, [0.1 * k for k in range(40)])
    text = made.program.show()
    assert len(text.splitlines()) <= 8
    assert "\n... 37 times more so, with other numbers, until\nt40[" in text
    assert "= t2[1] + t3[1] + ... + t40[1] + h40·h40\nreturn" in text
    latex = made.program.latex()
    assert r"&\ldots\text{ 37 times more so, with other numbers, until} \\" in latex
    assert r" + \cdots + " in latex
