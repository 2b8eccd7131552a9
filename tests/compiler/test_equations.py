"""Equations say what the program computes."""

import random
import re
from functools import reduce

import numpy as np
import pytest
from programs import PROGRAMS

from micrograd_mlp import ops
from micrograd_mlp.compiler import jit
from micrograd_mlp.compiler.backends import numpy as backend
from micrograd_mlp.compiler.equations import Notation, Piece, equations_of
from micrograd_mlp.compiler.program import Array, ArrayProgram, Axis, Operand, Statement, Term


class Reader:
    """Computes what a formula says, by its text alone: Σ takes in one product, · and / go from left to right."""

    def __init__(self, text, extent, element):
        pattern = r"Σ_\w+|\*\*|[\d.]+(?:e[-+]\d+)?(?![\w.])|[A-Za-z][\w.]*(?:\[[^\]]*\])?|\S"
        self.tokens, self.extent, self.element = re.findall(pattern, text), extent, element

    def value(self, **at):
        self.at, self.place = at, 0
        out = self.sum()
        assert self.place == len(self.tokens), self.tokens
        return out

    def peek(self):
        return self.tokens[self.place] if self.place < len(self.tokens) else ""

    def take(self):
        self.place += 1
        return self.tokens[self.place - 1]

    def sum(self):
        total = self.summand()
        while self.peek() in ("+", "-"):
            total = ops.add(total, self.summand()) if self.take() == "+" else ops.sub(total, self.summand())
        return total

    def summand(self):
        if not self.peek().startswith("Σ_"):
            return self.product()
        letter, start, total = self.take()[2:], self.place, 0.0
        assert letter not in self.at
        for point in range(self.extent[letter]):
            self.at[letter], self.place = point, start
            total = ops.add(total, self.summand())
        del self.at[letter]
        return total

    def product(self):
        if self.peek() == "-":
            self.take()
            return ops.neg(self.power())
        total = self.power()
        while self.peek() in ("·", "/"):
            total = ops.mul(total, self.power()) if self.take() == "·" else ops.div(total, self.power())
        return total

    def power(self):
        base = self.atom()
        if self.peek() != "**":
            return base
        self.take()
        return ops.pow(base, self.atom())

    def atom(self):
        token = self.take()
        if token == "(":
            return self.closing(self.sum())
        if token in ops.TABLE and self.peek() == "(":
            self.take()
            args = [self.sum()]
            while self.peek() == ",":
                self.take()
                args.append(self.sum())
            return self.closing(ops.TABLE[token](*args))
        return float(token) if token[0].isdigit() else self.element(token, self.at)

    def closing(self, result):
        assert self.take() == ")"
        return result


class Memory:
    """The arrays of a program, filled by what its equations say."""

    def __init__(self, program, numbers):
        self.program, self.extent = program, {axis.name: axis.extent for axis in program.axes}
        self.axes = {array.name: program.extents(array.axes) for array in program.arrays}
        self.data = {array.name: np.zeros(array.size) for array in program.arrays} | {"constants": program.constants}
        needed = program.inputs[:, 0] >= 0
        for (name, place), number in zip(self.places(program.inputs[needed]), numbers[needed], strict=True):
            self.data[name][place] = number
        for equation in equations_of(program, Notation())[0]:
            name, _, letters = equation.left.rstrip("]").partition("[")
            read, letters = Reader(equation.right, self.extent, self.element).value, letters.split(",") * bool(letters)
            points = np.ndindex(*(self.extent[letter] for letter in letters))
            self.data[name] = np.array([read(**dict(zip(letters, point, strict=True))) for point in points])

    def places(self, places):
        """Return the name of the array of each input or output, and where in it that is."""
        return [(self.program.arrays[array].name, place) for array, place in places.tolist()]

    def element(self, token, at):
        name, _, indices = token.rstrip("]").partition("[")
        texts = indices.split(",") if indices else []
        places = [eval(re.sub(r"(\d)([a-z])", r"\1*\2", text), {}, at) for text in texts]
        extents = self.axes[name] if len(self.axes[name]) == len(places) else [self.extent.get(t, 1) for t in texts]
        return float(self.data[name][np.ravel_multi_index(places, extents) if len(places) > 1 else sum(places)])


@pytest.mark.parametrize(
    "name", ["moons loss, 100 samples", "moons step, 1 sample", "logistic regression", "recurrent network"]
)
def test_reading_the_equations_gives_what_the_program_gives(name):
    function, args = PROGRAMS[name]()
    if name.startswith("moons loss"):
        args = tuple(arg[:7] for arg in args)
    run = jit(function)
    run(*args)
    program, rng = run.program.arrays, random.Random(2)
    numbers = np.array([rng.uniform(0.5, 1.5) for _ in range(len(program.inputs))])
    memory = Memory(program, numbers)
    read = [memory.data[name][place] for name, place in memory.places(program.outputs)]
    np.testing.assert_allclose(read, backend.lower(program)(numbers)[0], rtol=1e-4)  # six digits are printed


# Formulas with what they stand for: functions of j, which sums run through.
TEXT = Notation()
NUMBERS = {"x": 0.5, "y": -3.0, "u": 1.75}
LEAVES = [
    *((Piece(name), lambda j, value=value: value) for name, value in NUMBERS.items()),
    *((TEXT.number(value), lambda j, value=value: value) for value in (2.0, -0.25, 1e-8)),
    (Piece("v[j]"), lambda j: j + 0.5),
]
ARITY = {name: len(ops.TABLE[name].partials) for name in ("sub", "mul", "div", "pow", "neg", "exp", "maximum")}


def applied(op, parts):
    texts, values = zip(*parts, strict=True)
    return TEXT.apply(op, texts), lambda j: ops.TABLE[op](*(value(j) for value in values))


def added(parts, running=0):
    """Return the sum of these parts, of which the first few, `running`, are themselves summed over j = 0, 1, 2."""
    texts, values = zip(*parts, strict=True)
    texts = [TEXT.over("sum", ["j"] * (k < running), text) for k, text in enumerate(texts)]
    sums = [(lambda j, v=v: reduce(ops.add, map(v, range(3)), 0.0)) if k < running else v for k, v in enumerate(values)]
    return TEXT.total("sum", texts), lambda j: reduce(ops.add, (each(j) for each in sums))


def trees(rng, depth):
    if depth == 0 or rng.random() < 0.2:
        return rng.choice(LEAVES)
    op = rng.choice([*ARITY, "add"])
    parts = [trees(rng, depth - 1) for _ in range(ARITY.get(op, 3))]
    return added(parts) if op == "add" else applied(op, parts)


def test_parentheses_stand_where_they_are_needed():
    rng = random.Random(7)
    for _ in range(2000):
        terms = added([trees(rng, 3) for _ in range(rng.randint(1, 3))], rng.randint(0, 2))
        op = rng.choice([*ARITY])
        piece, value = applied(op, [terms if rng.random() < 0.5 else trees(rng, 2) for _ in range(ARITY[op])])
        read = Reader(piece.text, {"j": 3}, lambda token, at: NUMBERS.get(token, at.get("j", 7) + 0.5))
        assert read.value() == pytest.approx(value(7), rel=0.0, abs=0.0, nan_ok=True), piece.text


def test_only_parentheses_that_are_needed():
    run = jit(lambda x, y, u: [ops.exp(x - y * u), ops.exp(x * y / u - 1.0), ops.sin(-x * y)])
    run(1.0, 2.0, 3.0)
    assert [equation.right for equation in equations_of(run.program.arrays, Notation())[0]] == [
        "exp(x - y·u)", "sin((-x)·y)", "exp(x·y / u - 1)",
    ]  # fmt: skip


def hand_built(axes, arrays, statements, constants=()):
    arrays = [Array("constants", len(constants), ()), *arrays]
    outputs = np.array([[0, 0]])
    return ArrayProgram(
        tuple(axes), tuple(arrays), np.array(constants), tuple(statements), np.array([[-1, -1]]), outputs
    )


def lines(program):
    return [f"{equation.left} = {equation.right}" for equation in equations_of(program, Notation())[0]]


def test_a_batch_of_unknown_length():
    axes = Axis("n", 0), Axis("a", 2), Axis("i", 3)
    arrays = [
        Array("x", 3, (0, 2)),
        Array("w", 6, (1, 2)),
        Array("h", 2, (0, 1)),
        Array("z", 1, ()),
        Array("g", 2, (0, 1)),
    ]
    layer = Term((Operand(2, 0, (0, 3, 1)), Operand(1, 0, (3, 0, 1))), (2,))
    program = hand_built(axes, arrays, [
        Statement(3, "sum", (0, 1), (), (layer,)),
        Statement(4, "sum", (), (), (Term((Operand(3, 1, (2,)),), (0,)), Term((Operand(2, 0, (0,)),), (0,)))),
        Statement(5, "exp", (0, 1), (Operand(3, 0, (), np.array([1, 0])),)),
    ])  # fmt: skip
    assert lines(program) == [
        "h[n,a] = Σ_i w[a,i]·x[n,i]",
        "z = Σ_n h[n,1] + Σ_n w[0,0]",  # as often as there are samples
        "g[n,a] = exp(h[n,index[a]])",
    ]


def test_the_largest_of_many():
    axes = Axis("a", 2), Axis("i", 3)
    arrays = [Array("x", 6, (0, 1)), Array("b", 2, (0,)), Array("m", 2, (0,)), Array("c", 2, (0,))]
    largest = Term((Operand(1, 0, (3, 1)),), (1,))
    program = hand_built(axes, arrays, [
        Statement(3, "largest", (0,), (), (largest,)),
        Statement(4, "largest", (0,), (), (Term((Operand(2, 0, (1,)),)), largest)),
    ])  # fmt: skip
    assert lines(program) == ["m[a] = max_i x[a,i]", "c[a] = maximum(b[a], max_i x[a,i])"]


def test_given_numbers_in_a_row_are_read_as_the_table_that_they_are():
    axes = Axis("a", 2), Axis("i", 3), Axis("j", 6)
    arrays = [Array("x", 6, (2,)), Array("h", 6, (0, 1)), Array("g", 6, (0, 1)), Array("f", 4, (0,))]
    program = hand_built(axes, arrays, [
        Statement(2, "exp", (0, 1), (Operand(1, 0, (3, 1)),)),
        Statement(3, "exp", (0, 1), (Operand(1, 0, (1, 2)),)),
        Statement(4, "exp", (0,), (Operand(1, 0, (3,)),)),
    ])  # fmt: skip
    assert lines(program) == ["h[a,i] = exp(x[a,i])", "g[a,i] = exp(x[i,a])", "f[a] = exp(x[3a])"]
    made = Array("y", 6, (2,)), Array("h", 6, (0, 1))
    walk, read = (
        Statement(1, "exp", (2,), (Operand(0, 0, (0,)),)),
        Statement(2, "exp", (0, 1), (Operand(1, 0, (3, 1)),)),
    )
    assert lines(hand_built(axes, made, [walk, read], [1.0]))[1] == "h[a,i] = exp(y[3a+i])"  # what it was made as


def test_a_fixed_place_of_a_table():
    axes = Axis("a", 2), Axis("i", 3)
    arrays = [Array("x", 6, (0, 1)), Array("h", 2, (0,)), Array("g", 1, ())]
    program = hand_built(axes, arrays, [
        Statement(2, "exp", (0,), (Operand(1, 2, (3,)),)), Statement(3, "exp", (), (Operand(1, 4, ()),)),
    ])  # fmt: skip
    assert lines(program) == ["h[a] = exp(x[a,2])", "g = exp(x[1,1])"]


def test_what_is_walked_backwards_or_in_steps():
    axes = Axis("a", 2), Axis("j", 6)
    arrays = [Array("x", 6, (1,)), Array("h", 2, (0,)), Array("g", 2, (0,)), Array("f", 2, (0,))]
    program = hand_built(axes, arrays, [
        Statement(2, "exp", (0,), (Operand(1, 5, (-1,)),)),
        Statement(3, "exp", (0,), (Operand(1, 4, (-3,)),)),
        Statement(4, "exp", (0,), (Operand(1, 1, (2,)),)),
    ])  # fmt: skip
    assert lines(program) == ["h[a] = exp(x[5-a])", "g[a] = exp(x[4-3a])", "f[a] = exp(x[2a+1])"]


def test_what_an_equation_reads():
    run = jit(lambda x, y: [ops.exp(a * 2.0) - b for a, b in zip(x, y, strict=True)])
    run([1.0, 2.0], [3.0, 4.0])
    program = run.program.arrays
    (equation,), results = equations_of(program, Notation())
    assert [program.arrays[place].name for place in equation.reads] == ["x", "y"]
    assert [piece.text for piece in results] == [program.arrays[equation.out].name]
    assert len(equations_of(program, Notation(), in_place=False)[0]) == 3
