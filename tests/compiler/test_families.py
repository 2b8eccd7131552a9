"""Sums of any length, and who does the same thing."""

import random
from dataclasses import replace

import numpy as np
import pytest
from programs import attention, convolution_1d, moons_loss, moons_step

from micrograd_mlp import ops
from micrograd_mlp.compiler import families as module
from micrograd_mlp.compiler import jit
from micrograd_mlp.compiler.families import family_of_rows, find_families, find_sums, with_single_sums
from micrograd_mlp.compiler.program import CODE, NAMES, SUM
from micrograd_mlp.compiler.simplify import simplify
from micrograd_mlp.compiler.trace import Tape


def sums_of(function, count):
    tape = Tape()
    out = function([tape.input(f"x[{i}]") for i in range(count)])
    program = find_sums(simplify(tape.program([tape.index(o) for o in (out if isinstance(out, list) else [out])])))
    program.check()
    return program


def compiled(program):
    function, args = program
    run = jit(function)
    run(*args)
    return run.program


def sizes(families):
    families.check()
    first = {int(f): NAMES[op] for f, op in zip(families.family[::-1], families.scalars.op[::-1], strict=True)}
    count = np.bincount(families.family, minlength=families.count)
    return sorted((first[f], int(count[f])) for f in first)


def test_a_sum_used_by_one_sum_dissolves():
    program = sums_of(sum, 5)
    assert [NAMES[op] for op in program.op] == ["input"] * 5 + ["sum"]
    assert sorted(program.args.tolist()) == [0, 1, 2, 3, 4]


def test_a_sum_that_is_used_otherwise_stays():
    def function(x):
        part = x[0] + x[1]
        return [part + x[2], (x[2] + x[3]) + ops.exp(x[2] + x[3])]

    program = sums_of(function, 4)
    assert [NAMES[op] for op in program.op].count("sum") == 3
    program = sums_of(lambda x: [x[0] + x[1], x[0] + x[1] + x[2]], 3)
    assert [NAMES[op] for op in program.op].count("sum") == 2  # the first is wanted itself


def test_a_sum_may_count_a_number_twice():
    program = sums_of(lambda x: (x[0] + x[1]) + (x[0] + x[2]), 3)
    assert sorted(program.args.tolist()) == [0, 0, 1, 2]


def test_families_of_a_dot_product():
    families = find_families(sums_of(lambda x: sum(a * ops.exp(b) for a, b in zip(x[:4], x[4:], strict=True)), 8))
    assert sizes(families) == [("exp", 4), ("input", 4), ("input", 4), ("mul", 4), ("sum", 1)]


def test_borders_stay_in_the_family():
    families = compiled(convolution_1d(20, 3)).families
    assert families.regular
    assert families.count < 20
    assert ("tanh", 18) in sizes(families)
    assert ("input", 20) in sizes(families)


def test_the_number_of_families_does_not_depend_on_the_samples():
    assert compiled(moons_step(3)).families.count == compiled(moons_step(9)).families.count


def test_data_among_the_constants_does_not_split_families():
    def loss(x):
        return sum(ops.exp(a * (1.5 + i) + 2.0 * a) for i, a in enumerate(x))

    apart = module._by_colour(sums_of(loss, 30), constants_alike=False)
    assert apart.count > 100
    assert find_families(apart.scalars).count < 10


def test_without_regularity_families_are_levels():
    def chain(x):
        for name in ["exp", "tanh", "sin", "cos", "neg"] * 30:
            x = [ops.TABLE[name](a) * 0.5 + b for a, b in zip(x, [*x[1:], x[0] * len(x)], strict=True)]
        return sum(a * (i + 1.0) for i, a in enumerate(x))

    families = find_families(sums_of(chain, 4))
    families.check()
    levels = len(families.scalars.levels) - 1
    assert families.count <= 5 * levels


def test_equal_hashes_are_checked(monkeypatch):
    program = compiled(moons_loss(4)).families.scalars
    expected = find_families(program).count
    mix, calls = module._mix, []

    def weak(hashes):
        calls.append(1)
        return mix(hashes) if len(calls) > 200 else hashes & np.uint64(3)

    monkeypatch.setattr(module, "_mix", weak)
    families = find_families(program)
    families.check()
    assert families.count >= expected or not families.regular  # never two colours in one


def test_no_hash_that_serves_leaves_families_by_level(monkeypatch):
    program = compiled(moons_loss(4)).families.scalars
    monkeypatch.setattr(module, "_mix", lambda hashes: hashes & np.uint64(1))
    families = find_families(program)
    families.check()
    assert not families.regular


def test_a_number_where_others_have_a_sum_becomes_a_sum_of_one():
    def looking_back(x):
        return [sum(ops.exp(a * x[t]) for a in x[4 : t + 5]) * x[t] for t in range(4)]

    program = sums_of(looking_back, 8)
    assert (program.op == SUM).sum() == 3
    single = with_single_sums(program)
    single.check()
    assert (single.op == SUM).sum() == 4
    assert with_single_sums(single) is single
    found = sizes(module._by_colour(single, False))
    assert found == [("exp", 10), ("input", 4), ("input", 4), ("mul", 4), ("mul", 10), ("sum", 4)]


def test_attention_is_as_many_families_for_any_text():
    assert compiled(attention(6)).families.count == compiled(attention(9)).families.count


def test_wrong_families_are_refused():
    families = compiled(moons_loss(2)).families
    with pytest.raises(ValueError, match="a family mixes operations"):
        replace(families, family=np.zeros_like(families.family)).check()
    op = families.scalars.op.copy()
    op[-1] = CODE["where"]
    with pytest.raises(ValueError, match="wrong number of arguments"):
        replace(families.scalars, op=op).check()
    with pytest.raises(ValueError, match="read before it is defined"):
        replace(families.scalars, args=families.scalars.args * 0 + len(op) - 1).check()


def test_rows_without_regularity_have_the_family_of_their_level():
    tape, rng = Tape(), random.Random(0)
    made = [tape.input(f"x{k}") for k in range(3)]
    for _ in range(300):
        operation = rng.choice([ops.exp, ops.tanh, ops.sin, ops.cos, ops.neg])
        made.append(operation(rng.choice(made)) * rng.choice(made))
    family = family_of_rows(tape.program([made[-1].index]))
    codes = np.array(tape.rows[::4])[: len(family)]
    assert len(family) == len(codes)
    assert all(len(set(codes[family == f].tolist())) == 1 for f in set(family.tolist()))
    assert len(set(family.tolist())) < len(family) / 3


def test_each_row_has_a_family_and_sums_go_with_what_they_dissolve_into():
    tape = Tape()
    a, b, c, d = (tape.input(label) for label in "abcd")
    total = a * b + ops.tanh(c) + ops.tanh(d)
    family = family_of_rows(tape.program([total.index]))
    products = [row for row, code in enumerate(tape.rows[::4]) if code == CODE["mul"]]
    sums = [row for row, code in enumerate(tape.rows[::4]) if code == CODE["add"]]
    assert len(sums) == 2
    assert family[sums[0]] == family[sums[1]]
    assert set(family[products]).isdisjoint(family[sums])
    assert family[c.index] == family[d.index] != family[a.index]
