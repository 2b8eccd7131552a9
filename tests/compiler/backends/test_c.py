"""C from programs: a rule for every operation, and what NumPy computes, compiled by the system's compiler."""

import ctypes
import math
import random
import shutil
import subprocess

import numpy as np
import pytest
from random_programs import random_program

from micrograd_mlp import MLP, ops
from micrograd_mlp.compiler import jit, vmap
from micrograd_mlp.compiler.backends.c import RULES, number, rule, table, write_c
from micrograd_mlp.losses import mean, total
from micrograd_mlp.ops import TABLE

COMPILER = shutil.which("cc")
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="there is no C compiler (cc) here, so no C was tried")
EDGES = (0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, 1e-300, 1e300, -1e300, math.inf, -math.inf, math.nan)
HEAD = "#include <math.h>\n#include <stddef.h>\n"


class Built:
    """A function of C, compiled with all warnings as errors, to be called with arrays."""

    def __init__(self, folder, source):
        self.source = source
        types = ", ".join(kind + what for what, kind in source.parameters)
        names = ", ".join(what for what, _ in source.parameters)
        entry = f"void entry({types});\nvoid entry({types})\n{{\n    f({names});\n}}\n"
        (folder / "f.c").write_text(HEAD + source.tables + source.function + entry)
        strict = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-shared", "-fPIC")
        done = subprocess.run(
            [COMPILER, *strict, "f.c", "-o", "f.so", "-lm"], cwd=folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        self.entry = ctypes.CDLL(str(folder / "f.so")).entry
        self.entry.restype = None

    def __call__(self, outs, given=(), state=(), columns=(), lengths=()):
        """Return the results, and the state afterwards; memory is full of nan before."""
        arrays = {
            "given": np.array(given, dtype=np.float64),
            "state": np.array(state, dtype=np.float64),
            "results": np.full(outs, np.nan),
            "memory": np.full(self.source.memory, np.nan),
        }
        arrays |= {f"column{k}": np.ascontiguousarray(c, dtype=np.float64) for k, c in enumerate(columns, 1)}
        sizes = {f"samples{batch}": length for batch, length in enumerate(lengths, 1)}
        self.entry(
            *(
                ctypes.c_size_t(sizes[what]) if what in sizes else ctypes.c_void_p(arrays[what].ctypes.data)
                for what, _ in self.source.parameters
            )
        )
        return arrays["results"], arrays["state"]


def recorded(fast):
    """Return what a compiled function gives its backend in each call from now on, and what comes back."""
    variant, calls = fast._latest, []
    run = variant.run

    def record(numbers, columns=(), lengths=()):
        out = run(numbers, columns, lengths)
        calls.append((np.array(numbers), [np.array(column) for column in columns], list(lengths), out[0]))
        return out

    variant.run = record
    return calls


def compiled(function, *arguments):
    """Return the program that `function` becomes for such arguments, by way of the NumPy backend."""
    fast = jit(function, backend="numpy")
    fast(*arguments)
    return fast.program.arrays


def test_there_is_a_rule_for_every_operation():
    assert set(RULES) == set(TABLE)


@needs_compiler
@pytest.mark.parametrize("real", ["double", "float"])
def test_the_rules_compute_what_the_table_says(tmp_path, real):
    body, tables, expected = [], [], []
    for op in TABLE.values():
        edges = EDGES if real == "double" else [edge for edge in EDGES if not 1e30 < abs(edge) < math.inf]
        rest = [edges[:9]] * (len(op.partials) - 1)
        grid = np.array(np.meshgrid(edges, *rest)).reshape(len(op.partials), -1)
        grid = grid if real == "double" else grid.astype(np.float32).astype(float)
        tables += [table(f"{op.name}_{k}", row.tolist(), real) for k, row in enumerate(grid)]
        arguments = [f"{op.name}_{k}[i]" for k in range(len(grid))]
        body.append(f"for (int i = 0; i < {grid.shape[1]}; ++i) *out++ = {rule(op.name, arguments, real)};")
        expected += [op.forward(*point) for point in grid.T.tolist()]
    text = (
        HEAD + "".join(tables) + f"void rules({real} *out);\nvoid rules({real} *out)\n{{\n" + "\n".join(body) + "\n}\n"
    )
    (tmp_path / "rules.c").write_text(text)
    strict = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-Wdouble-promotion", "-shared", "-fPIC")
    subprocess.run([COMPILER, *strict, "rules.c", "-o", "rules.so", "-lm"], cwd=tmp_path, check=True)
    got = np.empty(len(expected), dtype=np.float64 if real == "double" else np.float32)
    ctypes.CDLL(str(tmp_path / "rules.so")).rules(ctypes.c_void_p(got.ctypes.data))
    np.testing.assert_allclose(got, expected, rtol=1e-14 if real == "double" else 1e-6)


def test_numbers_are_written_to_the_bit():
    for value in (0.1, -0.0, 5e-324, 1.7976931348623157e308, 1e22, 1.0):
        assert float(number(value)).hex() == value.hex()
    for value in (0.1, -0.0, 1e-40, 3.4028235e38, 1e22, 1.0, 1 / 3):
        assert number(value, "float").endswith("f")
        assert np.float32(number(value, "float")[:-1]) == np.float32(value)
    assert number(1e39, "float") == "INFINITY"
    assert [number(value) for value in (math.inf, -math.inf, math.nan)] == ["INFINITY", "-INFINITY", "NAN"]


@needs_compiler
def test_random_programs_compute_what_numpy_computes(tmp_path):
    tried, refused = 0, []
    for seed in range(40):
        program = random_program(seed)
        fast = jit(program.function, backend="numpy")
        fast(*program.arguments[0])
        arrays = fast.program.arrays
        try:
            source = write_c(arrays, "f")
        except ValueError as error:
            refused.append(str(error))
            continue
        (tmp_path / str(seed)).mkdir()
        built = Built(tmp_path / str(seed), source)
        calls = recorded(fast)
        for arguments in program.arguments:
            fast(*arguments)
        for numbers, columns, lengths, expected in calls:
            got, _ = built(len(expected), numbers, (), columns, lengths)
            np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-300, err_msg=f"seed {seed}")
            tried += 1
    assert tried > 50
    assert len(refused) < 15
    assert all(sentence.startswith("C is written for programs ") for sentence in refused)


@needs_compiler
def test_what_is_known_becomes_a_table_and_the_rest_is_given(tmp_path):
    program = compiled(lambda w, x: [sum(a * b for a, b in zip(row, x, strict=True)) for row in w], np.ones((2, 3)),
                       np.ones(3))  # fmt: skip
    weights = [1.0, 2.0, 3.0, -4.0, 0.5, 0.25]
    source = write_c(program, "f", dict(enumerate(weights)))
    assert "static const double f_w" in source.tables
    got, _ = Built(tmp_path, source)(2, [1.0, 10.0, 100.0])
    assert got.tolist() == [321.0, 26.0]


@needs_compiler
def test_a_state_is_changed_in_place_where_nothing_reads_it_afterwards(tmp_path):
    def step(state, x):
        return [sum(a * a for a in state), *(a + x for a in state)]

    source = write_c(compiled(step, np.ones(4), 1.0), "f", state=4)
    assert source.memory == 5  # four squares and their sum
    assert [a.tolist() for a in Built(tmp_path, source)(1, [10.0], [1.0, 2.0, 3.0, 4.0])] == [[30.0], [11, 12, 13, 14]]


@needs_compiler
@pytest.mark.parametrize("back", ["the sum of all", "the first one"])
def test_a_state_that_is_read_afterwards_is_changed_at_the_end(tmp_path, back):
    def step(state):
        new = [a * 2.0 for a in state]
        last = [b + sum(state) + sum(new) for b in new] if back == "the sum of all" else [b + state[0] for b in new]
        return [*state[:1], *last]

    got, state = Built(tmp_path, write_c(compiled(step, np.ones(3)), "f", state=3))(1, (), [1.0, 2.0, 3.0])
    assert got.tolist() == [1.0]
    assert state.tolist() == ([20.0, 22.0, 24.0] if back == "the sum of all" else [3.0, 5.0, 7.0])


@needs_compiler
def test_a_state_that_is_only_read_stays(tmp_path):
    program = compiled(lambda w, x: [a * x for a in w], np.ones(2), 1.0)
    source = write_c(program, "f", state=2, changed=False)
    assert ("state", "const double *") in source.parameters
    assert [a.tolist() for a in Built(tmp_path, source)(2, [3.0], [1.0, 2.0])] == [[3.0, 6.0], [1.0, 2.0]]


@needs_compiler
def test_memory_does_not_grow_with_the_batch(tmp_path):
    model = MLP(2, [4, 1], rng=random.Random(0))
    run = jit(lambda X, y: mean(vmap(lambda x, t: (model(x) - t) ** 2)(X, y)), backend="numpy")
    X, y = np.random.default_rng(0).normal(size=(500, 2)), np.ones(500)
    run(X, y)
    source = write_c(run.program.arrays, "f")
    assert source.memory < 30  # a copy of 17 parameters among them
    built, calls = Built(tmp_path, source), recorded(run)
    for n in (500, 3):
        expected = run(X[:n], y[:n])
        numbers, columns, lengths, _ = calls.pop()
        got, _ = built(1, numbers, (), columns, lengths)
        assert got[0] == pytest.approx(expected, rel=1e-12)


def twice(X):
    powers = vmap(lambda x: ops.exp(x[0]))(X)
    whole = total(powers)
    return total(vmap(lambda power: power / whole * power)(powers))


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (vmap(lambda x: x[0] * 2.0), "whose results are sums over samples, not one for each sample"),
        (twice, "that go over their samples once; here some are needed again"),
        (lambda X: [sum(x[0] for x in X), *(x[0] + x[1] for x in X)], "whose sums in one array have one length"),
    ],
)
def test_what_is_not_written_is_refused_in_one_sentence(function, sentence):
    program = compiled(function, np.ones((5, 2)))
    with pytest.raises(ValueError, match=f"^C is written for programs {sentence}$"):
        write_c(program, "f")


def test_a_state_of_numbers_that_move_is_refused():
    with pytest.raises(ValueError, match=r"^C is written for programs that move no number of their state$"):
        write_c(compiled(lambda s: [s[0] + s[1], s[1], s[0]], np.ones(2)), "f", state=2)


def test_names_of_the_user_are_no_code():
    def hostile(exp, double):
        return ops.exp(exp) + double

    source = write_c(compiled(hostile, 1.0, 2.0), "f")
    assert "double *const exp " not in source.function
    assert "double *const double " not in source.function
