"""Scalar programs as a user would write them, at random, and whether every backend makes of them what the engine does.

A seed is a program: `random_program(seed)`. It is a function of nested lists, tuples, dicts and numbers that takes a
few steps of `STEPS` (a new kind of step is one more function there), returns results in a structure of its own, and
most often gradients too. All it chooses, it chooses by the seed and by lengths, so it does the same on numbers, on
Values and on symbols.

    python tests/compiler/random_programs.py --count 10000   # in processes of their own; reports crashes by their seeds
    python tests/compiler/random_programs.py --seed 17       # one program: its equations, and where backends disagree
"""

import argparse
import math
import subprocess
import sys
import time
from dataclasses import dataclass, field
from functools import partial, reduce
from itertools import accumulate
from random import Random

import numpy as np
from ranges import Ranged, constant, ranged

from micrograd_mlp import Value, grad, losses, ops
from micrograd_mlp.compiler import jit, replay
from micrograd_mlp.engine import Constant, topological_order
from micrograd_mlp.ops import TABLE

BACKENDS = ("numpy", "llvm")
SPECIAL = (
    0.0,
    -0.0,
    1.0,
    -1.0,
    5e-324,
    -1e-310,
    2.2e-308,
    1e-160,
    1e154,
    -1e300,
    1.7e308,
    math.inf,
    -math.inf,
    math.nan,
)
OPERATORS = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b,
    "div": lambda a, b: ops.div(a, b) if _are_plain(a, b) else a / b,
    "pow": lambda a, b: ops.pow(a, b) if _are_plain(a, b) else a**b, "neg": lambda a: -a, "abs": abs,
}  # fmt: skip
LARGEST = 120  # numbers made in one step


def _are_plain(a, b):
    """Say whether both are numbers of Python, which raises, or goes to complex numbers, where IEEE 754 does not."""
    return isinstance(a, float | int) and isinstance(b, float | int)


@dataclass(frozen=True)
class RandomProgram:
    """A function, `arguments` of one structure to call it with, the ordinary ones first, and the Values it captures."""

    seed: int
    arguments: list
    captured: list

    def function(self, *args):
        return self.run(args, self.captured)

    def run(self, args, captured):
        return _Writer(Random(f"steps {self.seed}"), args, captured).write()


def random_program(seed):
    rng = Random(f"arguments {seed}")
    shapes = [_random_shape(rng) for _ in range(rng.randint(1, 4))]
    arguments = [tuple(_fill(shape, partial(_ordinary, rng)) for shape in shapes) for _ in range(2)]
    odd = rng.choice([0.05, 0.3, 1.0])
    arguments.append(tuple(_fill(shape, partial(_odd, rng, odd)) for shape in shapes))
    captured = [Value(rng.gauss(0.0, 1.0), label=f"c{i}") for i in range(rng.choice([0, 0, 1, 3]))]
    return RandomProgram(seed, arguments, captured)


def _random_shape(rng):
    """Return nested lists, tuples and dicts with None for each number."""
    size = partial(rng.choice, [1, 2, 3, 3, 4, 5, 8] * 2 + [17, 33])
    kind = rng.randrange(6)
    if kind == 0:
        return None
    if kind <= 2:
        return [None] * size()
    if kind <= 4:
        rows, columns = size(), min(size(), 6)
        return [[None] * columns for _ in range(rows)]
    parts = [None, [None] * size()]
    return tuple(parts) if rng.random() < 0.5 else {"w": parts[1], "b": parts[0]}


def _fill(shape, number):
    if isinstance(shape, dict):
        return {name: _fill(item, number) for name, item in shape.items()}
    return number() if shape is None else type(shape)(_fill(item, number) for item in shape)


def _ordinary(rng):
    return rng.choice([rng.gauss(0.0, 1.0), rng.gauss(0.0, 1.0), float(rng.randint(-3, 3))])


def _odd(rng, share):
    return rng.choice(SPECIAL) if rng.random() < share else _ordinary(rng)


def flat(thing):
    """Return the numbers in a structure one after the other."""
    if isinstance(thing, dict):
        thing = list(thing.values())
    if isinstance(thing, np.ndarray):
        thing = thing.tolist()
    return [number for item in thing for number in flat(item)] if isinstance(thing, list | tuple) else [thing]


class _Writer:
    """A program under way: what was computed so far, each a number, a list of numbers or a list of equal lists."""

    def __init__(self, rng, args, captured):
        self.rng, self.inputs = rng, [*flat(list(args)), *captured]
        self.made = [part for arg in args for part in self._parts(arg)] + list(captured)

    def _parts(self, arg):
        if isinstance(arg, dict | tuple):
            return list(arg.values() if isinstance(arg, dict) else arg)
        return [arg]

    def write(self):
        rng, first = self.rng, len(self.made)
        for _ in range(rng.randint(1, 7)):
            made = rng.choice(STEPS)(self)
            if 0 < len(flat(made)) <= LARGEST:
                self.made.append(self.tamed(made))
        results = [self.made[-1], *(rng.choice(self.made[first // 2 :]) for _ in range(rng.choice([0, 0, 1, 3])))]
        if rng.random() < 0.2:
            results.append(rng.choice(self.made[:first]))  # as it was given
        if rng.random() < 0.75:
            results.append(self.slopes(results))
            if rng.random() < 0.15 and len(self.inputs) < 20:
                results.append(self.slopes(results[-1:]))
        return self.structure(results)

    def slopes(self, things):
        """Return the gradient of a sum of these by some of the inputs."""
        rng, numbers = self.rng, flat(things)[:LARGEST]
        loss = losses.total(number * rng.choice([1.0, 1.0, -0.5]) for number in numbers) + 0.0 * self.inputs[0]
        by = [number for number in self.inputs if rng.random() < 0.8]
        return grad(loss, by) if by else [grad(loss, self.inputs[0])]

    def structure(self, results):
        kind = self.rng.randrange(4)
        if kind == 0:
            return {f"r{i}": result for i, result in enumerate(results)}
        if kind == 1:
            return results[0], {"rest": results[1:]}
        return tuple(results) if kind == 2 else results

    def tamed(self, thing):
        """Return a result so that what comes after it is mostly neither inf nor nan."""
        kind = self.rng.randrange(6)
        if kind == 0:
            return each(ops.tanh, thing)
        return each(lambda a: a * 0.25, thing) if kind == 1 else thing

    # What a step works on

    def number(self):
        return self.rng.choice(flat(self.rng.choice(self.made)))

    def list(self):
        lists = [thing for thing in self.made if isinstance(thing, list)]
        if not lists:
            return [self.number() for _ in range(self.rng.randint(1, 4))]
        thing = self.rng.choice(lists)
        if isinstance(thing[0], list):
            thing = self.rng.choice([thing[self.rng.randrange(len(thing))], flat(thing), [row[0] for row in thing]])
        return thing

    def like(self, length):
        """Return a list of this length."""
        fitting = [thing for thing in self.made if isinstance(thing, list) and len(thing) == length]
        fitting = [thing for thing in fitting if not isinstance(thing[0], list)]
        if fitting and self.rng.random() < 0.8:
            return self.rng.choice(fitting)
        if self.rng.random() < 0.3:
            return [float(self.rng.randint(-2, 2)) for _ in range(length)]
        return [self.number() for _ in range(length)]

    def matrix(self):
        matrices = [thing for thing in self.made if isinstance(thing, list) and isinstance(thing[0], list)]
        if matrices and self.rng.random() < 0.9:
            return self.rng.choice(matrices)
        row = self.list()[:6]
        return [row, self.like(len(row)), *([self.like(len(row))] * self.rng.randrange(2))]

    def operation(self, arity=None):
        """Return an operation of the table, written in one of the ways there are."""
        names = [name for name, op in TABLE.items() if arity in (None, len(op.partials))]
        op = TABLE[self.rng.choice(names)]
        return OPERATORS[op.name] if op.name in OPERATORS and self.rng.random() < 0.7 else op

    def count(self, operation):
        return (
            {"neg": 1, "abs": 1}.get(_name(operation), 2)
            if operation in OPERATORS.values()
            else len(operation.partials)
        )


def _name(operation):
    return next((name for name, function in OPERATORS.items() if function is operation), "")


def each(function, thing):
    return [each(function, item) for item in thing] if isinstance(thing, list) else function(thing)


def dot(a, b):
    return losses.total(x * y for x, y in zip(a, b, strict=True))


# Steps: each makes a number, a list or a matrix of what was made before.


def elementwise(w):
    operation = w.operation()
    count = w.count(operation)
    if w.rng.random() < 0.3:
        rows = w.matrix()
        others = [w.rng.choice([w.number(), w.rng.choice([0.5, 2.0, -1.0, 0.0])]) for _ in range(count - 1)]
        return each(lambda a: operation(a, *others), rows)
    first = w.list()
    columns = [first, *(w.like(len(first)) for _ in range(count - 1))]
    w.rng.shuffle(columns)
    return [operation(*row) for row in zip(*columns, strict=True)]


def chain(w):
    out = w.number()
    for _ in range(w.rng.randint(1, 8)):
        operation = w.operation()
        others = [w.number() for _ in range(w.count(operation) - 1)]
        place = w.rng.randrange(len(others) + 1)
        out = operation(*others[:place], out, *others[place:])
    return out


def reduction(w):
    reduce_list = w.rng.choice(REDUCTIONS)
    kind = w.rng.randrange(4)
    if kind == 0:
        return [reduce_list(row) for row in w.matrix()]
    if kind == 1:
        return [reduce_list(list(column)) for column in zip(*w.matrix(), strict=True)]
    return reduce_list(flat(w.matrix()) if kind == 2 else w.list())


REDUCTIONS = (
    losses.total, losses.mean, sum, lambda a: sum(a[::-1]), lambda a: losses.total(x * x for x in a),
    partial(reduce, ops.maximum), partial(reduce, ops.minimum), lambda a: math.prod(a[:5]),
    lambda a: ops.log(losses.total(map(ops.exp, a))), lambda a: ops.sqrt(dot(a, a)), losses.l1,
    lambda a: losses.cross_entropy(a, 0),
)  # fmt: skip


def products(w):
    kind = w.rng.randrange(5)
    if kind == 0:
        a = w.list()
        return dot(a, w.like(len(a)))
    if kind == 1:
        a, b = w.list()[:8], w.list()[:8]
        return [[x * y for y in b] for x in a]
    rows = w.matrix()[:8]
    if kind == 2:
        x = w.like(len(rows[0]))
        return [dot(row, x) for row in rows]
    if kind == 3:
        return [[dot(a, b) for b in rows] for a in rows]
    columns = [w.like(len(rows[0])) for _ in range(w.rng.randint(1, 4))]
    return [[dot(row, column) for column in columns] for row in rows]


def layer(w):
    rows = w.matrix()[:8]
    activation, x, bias = w.operation(1), w.like(len(rows[0])), w.like(len(rows))
    return [activation(dot(row, x) + b) for row, b in zip(rows, bias, strict=True)]


def samples(w):
    """Do one thing, itself a small program, with each row of a matrix, and perhaps close the batch."""
    rows = w.matrix()
    seed, weights, biases = w.rng.random(), w.like(len(rows[0])), w.list()[:3]

    def one(row):
        rng, made = Random(seed), [dot(row, weights), *row, *biases]
        for _ in range(rng.randint(1, 6)):
            op = TABLE[rng.choice(list(TABLE))]
            made.append(op(*(rng.choice(made) for _ in op.partials)))
        return made[-rng.choice([1, 1, 2, 3]) :]

    results = [one(row) for row in rows]
    kind = w.rng.randrange(4)
    if kind == 0:
        return losses.mean(losses.total(result) for result in results)
    if kind == 1:
        return [reduce(ops.maximum, result) for result in results]
    return [result[-1] for result in results] if kind == 2 else results


def rearrangement(w):
    kind = w.rng.randrange(8)
    if kind == 0:
        return [list(column) for column in zip(*w.matrix(), strict=True)]
    if kind == 1:
        return flat(w.matrix())
    if kind == 2:
        return w.list() + w.list()
    if kind == 3:
        rows = w.matrix()
        return [row[::-1] for row in rows[::-1]]
    a = w.list()
    if kind == 4:
        return a[w.rng.randrange(len(a)) :: w.rng.choice([1, 2, -1])]
    if kind == 5:
        return [w.rng.choice(a) for _ in range(w.rng.randint(1, 20))]
    if kind == 6 and len(a) % 2 == 0:
        return [a[: len(a) // 2], a[len(a) // 2 :]]
    return [w.number() for _ in range(w.rng.randint(1, 5))]


def softmax(w):
    def one(a):
        shift = reduce(ops.maximum, a) if w.rng.random() < 0.5 else 0.0
        exps = [ops.exp(x - shift) for x in a]
        norm = losses.total(exps)
        return [e / norm for e in exps]

    return [one(row) for row in w.matrix()[:6]] if w.rng.random() < 0.5 else one(w.list()[:12])


def recurrence(w):
    activation, out, decay = w.rng.choice([ops.tanh, ops.sigmoid, ops.relu, ops.sin]), [w.number()], w.number()
    for x in w.list()[:10]:
        out.append(activation(decay * out[-1] + x))
    return out


def ragged(w):
    """Make sums of different lengths."""
    a = w.list()[:12]
    b = w.like(len(a))
    kind = w.rng.randrange(3)
    if kind == 0:
        return list(accumulate(a, lambda x, y: x + y))
    if kind == 1:
        return [dot(a[: i + 1], b[: i + 1]) for i in range(len(a))]
    return [losses.total(a[i:]) * b[i] for i in range(len(a))]


def windows(w):
    a, taps = w.list(), w.list()[: w.rng.choice([1, 2, 3])]
    count = len(a) - len(taps) + 1
    return [dot(taps, a[i : i + len(taps)]) for i in range(count)] if count > 0 else []


def pairs(w):
    a, b, operation = w.list()[:6], w.list()[:6], w.operation(2)
    table = [[operation(x, y) for y in b] for x in a]
    return table if w.rng.random() < 0.6 else [losses.total(row) for row in table]


def choice(w):
    """Choose by number, as a branch would."""
    a = w.list()
    b, pivot = w.like(len(a)), w.number()
    kind = w.rng.randrange(3)
    if kind == 0:
        return [ops.where(ops.step(x - pivot), x, y) for x, y in zip(a, b, strict=True)]
    if kind == 1:
        return [ops.equal(x, float(i % 3)) * y for i, (x, y) in enumerate(zip(a, b, strict=True))]
    return [ops.minimum(ops.maximum(x, -1.0), 1.0) for x in a]


def update(w):
    """Take a step against the gradient."""
    if len(w.inputs) > 40:
        return []
    loss = losses.total(flat(w.made[-1])[:20]) + 0.0 * w.inputs[0]
    return [x - 0.1 * slope for x, slope in zip(w.inputs, grad(loss, w.inputs), strict=True)]


STEPS = [elementwise] * 4 + [reduction] * 3 + [products] * 3 + [chain] * 2
STEPS += [
    samples,
    samples,
    layer,
    layer,
    rearrangement,
    rearrangement,
    softmax,
    recurrence,
    ragged,
    windows,
    pairs,
    choice,
    update,
]


# Checks


@dataclass
class Tally:
    """What a run of many programs met; `tight` are the results that had to agree to nine digits or in their pattern."""

    programs: int = 0
    results: int = 0
    tight: int = 0
    finite: int = 0
    statements: int = 0
    irregular: int = 0
    wrong: list = field(default_factory=list)

    def summary(self, seconds, crashes):
        programs, results = max(self.programs, 1), max(self.results, 1)
        return (
            f"{self.programs} programs of {self.statements / programs:.0f} statements in {seconds:.0f} s, "
            f"{self.irregular} of them without regularity: {len(self.wrong)} disagreements, {crashes} crashes. "
            f"Of {self.results} results, {self.tight / results:.1%} are held to nine digits or their pattern, "
            f"{self.finite / results:.1%} are finite."
        )


def with_values(thing):
    if isinstance(thing, dict):
        return {name: with_values(item) for name, item in thing.items()}
    return type(thing)(map(with_values, thing)) if isinstance(thing, list | tuple) else Value(thing)


def check(program, tally, backends=BACKENDS):
    """Hold the backends, and the engine, against the ranges of the results; add what was met to the tally."""
    compiled = {backend: jit(program.function, backend=backend) for backend in backends}
    tally.programs += 1
    for turn, args in enumerate(program.arguments):
        for value in program.captured:
            value.data += 0.125 * turn
        expected = [float(number) for number in flat(program.function(*with_values(args)))]
        got = {"engine": expected} | {name: flat(function(*args)) for name, function in compiled.items()}
        ranges = flat(program.run(ranged(args), [Ranged.of(value.data) for value in program.captured]))
        allowed = [r.range if isinstance(r, Ranged) else constant(float(r)) for r in ranges]
        tally.results += len(expected)
        tally.tight += sum(r.is_tight for r in allowed)
        tally.finite += sum(map(math.isfinite, expected))
        for name, numbers in got.items():
            assert len(numbers) == len(allowed)
            outside = [i for i, (number, r) in enumerate(zip(numbers, allowed, strict=True)) if number not in r]
            for i in outside[:1]:
                tally.wrong.append(
                    f"seed {program.seed}, arguments {turn}: result {i} of {len(numbers)} is {numbers[i]!r} by {name} "
                    f"and {expected[i]!r} by the engine; it lies in {allowed[i][:3]} ({len(outside)} such)"
                )
    made = compiled[backends[0]].program
    tally.statements += len(made.arrays.statements)
    tally.irregular += not made.families.regular
    if program.seed % 4 == 0:
        _check_replay(program, tally, backends)


def _check_replay(program, tally, backends):
    """Hold the first result that is no plain number, and its gradients, as `replay` computes them."""
    results = flat(program.function(*with_values(program.arguments[0])))
    graph = next((result for result in results if isinstance(result, Value) and result.op is not None), None)
    if graph is None:
        return
    for name in backends:
        step = replay(graph, backend=name)
        step.leaves[0].data += 0.25
        known = {}
        for node in topological_order(graph):
            args = [arg.data if isinstance(arg, Constant) else known[arg] for arg in node._nodes()]
            known[node] = Ranged.apply_op(node.op, *args) if node.op else Ranged.of(node.data)
        slopes = known[graph].gradients([known[leaf] for leaf in step.leaves])
        numbers = [step(), *(leaf.grad for leaf in step.leaves)]
        allowed = [r.range for r in (known[graph], *slopes)]
        if any(number not in r for number, r in zip(numbers, allowed, strict=True)):
            tally.wrong.append(f"seed {program.seed}: replay by {name} gives {numbers}, which lie in {allowed}")


def _run_one(seed, backends):
    program = random_program(seed)
    tally = Tally()
    check(program, tally, backends)
    made = jit(program.function)
    made(*program.arguments[0])
    print(made.program.show())
    print(tally)


def _run_chunk(seeds, backends):
    """Check programs in this process, and print what it is at before each, for the one who watches."""
    for seed in seeds:
        print(f"at {seed}", flush=True)
        tally = Tally()
        try:
            check(random_program(seed), tally, backends)
        except Exception as error:
            tally.wrong.append(f"seed {seed}: {type(error).__name__}: {error}")
        for line in tally.wrong:
            print(f"wrong {line}")
        print("tally", tally.programs, tally.results, tally.tight, tally.finite, tally.statements, tally.irregular)


def run_all(first, count, chunk, command, kind=Tally):
    """Check programs in processes of `chunk` each, and go on after one that crashed; return 1 if anything is wrong.

    `command` and two numbers, the first seed and how many, start a process that does `_run_chunk`, of a tally of this
    `kind`.
    """
    start, tally, crashes, seed = time.perf_counter(), kind(), [], first
    while seed < first + count:
        size = min(chunk, first + count - seed)
        ended = subprocess.run([*command, str(seed), str(size)], stdout=subprocess.PIPE, text=True, check=False)
        at = seed
        for line in ended.stdout.splitlines():
            word, _, rest = line.partition(" ")
            if word == "at":
                at = int(rest)
            elif word == "wrong":
                tally.wrong.append(rest)
                print(rest, flush=True)
            elif word == "tally":
                for name, number in zip(kind.__annotations__, map(int, rest.split()), strict=False):
                    setattr(tally, name, getattr(tally, name) + number)
        if ended.returncode:
            crashes.append(at)
            print(f"seed {at}: the process ended with {ended.returncode}", flush=True)
        seed = at + 1
    print(tally.summary(time.perf_counter() - start, len(crashes)))
    return 1 if tally.wrong or crashes else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, help="one program only")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--count", type=int, default=10_000, help="how many programs")
    parser.add_argument("--chunk", type=int, default=200, help="programs a process")
    parser.add_argument("--backends", default=",".join(BACKENDS))
    parser.add_argument("--level", type=int, default=3, help="how much LLVM optimizes, 0 to 3")
    parser.add_argument("--in-process", type=int, nargs=2, help="the first seed and how many, in this process")
    given = parser.parse_args()
    backends = tuple(given.backends.split(","))
    if "llvm" in backends:
        from micrograd_mlp.compiler.backends import llvm

        llvm.Native = partial(llvm.Native, level=given.level)
    if given.seed is not None:
        return _run_one(given.seed, backends)
    if given.in_process:
        first, count = given.in_process
        return _run_chunk(range(first, first + count), backends)
    options = ["--backends", given.backends, "--level", str(given.level), "--in-process"]
    return run_all(given.first, given.count, given.chunk, [sys.executable, __file__, *options])


if __name__ == "__main__":
    sys.exit(main())
