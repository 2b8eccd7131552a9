"""Names of arrays and axes."""

import random

import numpy as np
import pytest
from programs import dot

from micrograd_mlp import MLP, losses
from micrograd_mlp.compiler import jit
from micrograd_mlp.compiler.naming import OWN, name_arrays, name_axes
from micrograd_mlp.compiler.program import Array, Operand, Statement, Term

LAYER = "layers[{}].neurons[{}].w[{}]"


def test_arrays_are_named_by_what_their_labels_share():
    arrays = [("input", ["X[0][1]", "X[1][1]"]), ("input", ["layers[0].neurons[1].w[0]"]), ("input", ["l[0].w[3]"])]
    assert name_arrays([*arrays, ("relu", [""]), ("mul", [""]), ("input", ["a", "b"])]) == [
        "X", "w1", "w2", "h", "t", "x",
    ]  # fmt: skip


def test_keys_of_dicts_are_part_of_a_name():
    arrays = [("input", ["p['up'][0][1]"]), ("input", ["m['up'][0][1]"]), ("input", ["d['odd key'][0]"])]
    assert name_arrays(arrays) == ["p.up", "m.up", "d"]


def test_numbered_names_meet_no_other_name():
    assert name_arrays([("input", [label]) for label in ("w1", "w[0]", "w[1]", "x2[0]", "x2[1]")]) == [
        "w1", "w2", "w3", "x2_1", "x2_2",
    ]  # fmt: skip


def copies(extents):
    """Return arrays over one axis each, and statements that read them."""
    arrays = [Array("constants", 0, ()), *(Array(f"t{d}", extent, (d,)) for d, extent in enumerate(extents))]
    return arrays, [Statement(0, "exp", (d,), (Operand(d + 1, 0, (1,)),)) for d in range(len(extents))]


def test_without_labels_letters_come_in_order_and_do_not_run_out():
    extents = range(2, 62)
    names = name_axes(extents, *copies(extents), [[] for _ in range(61)])
    assert names[:4] == ["n", "i", "a", "b"]
    assert names[25] == "n2"
    assert len(set(names)) == 60
    assert OWN not in names


def test_what_is_read_comes_before_what_is_only_given():
    arrays, statements = copies([3, 4])
    assert name_axes([3, 4], arrays, statements[1:], [[]] * 3) == ["i", "n"]


@pytest.mark.parametrize(
    ("labels", "letter"),
    [
        ([f"layers[0].neurons[{a}].b" for a in range(3)], "a"),
        ([LAYER.format(0, 0, i) for i in range(3)], "i"),
        ([LAYER.format(0, a, 1) for a in range(3)], "a"),
        ([f"X[{n}][0]" for n in range(3)], "n"),
        ([f"X[4][{i}]" for i in range(3)], "i"),
        ([f"y[{n}]" for n in range(3)], "n"),
        ([f"w[{i}]" for i in range(3)], "i"),
        ([f"w[{a}][0]" for a in range(3)], "a"),
        ([f"w[0][{a}][0]" for a in range(3)], "n"),  # the first of the others
        ([f"bias[{a}]" for a in range(3)], "a"),
        ([f"x2[{n}][0]" for n in range(3)], "n"),
        ([f"{word}[{n}]" for n, word in enumerate("uvw")], "n"),
        ([LAYER.format(0, i // 2, i % 2) for i in range(3)], "n"),
    ],
)
def test_labels_say_what_an_axis_counts(labels, letter):
    arrays, statements = copies([5, 3])
    assert name_axes([5, 3], arrays, statements[1:], [[], [], labels])[1] == letter


def test_a_batch_is_counted_by_n_even_if_its_length_is_not_known():
    arrays = [Array("constants", 0, ()), Array("x", 3, (1, 0)), Array("y", 1, (1,))]
    statements = [
        Statement(0, "exp", (1, 0), (Operand(1, 0, (3, 1)),)),
        Statement(0, "exp", (1,), (Operand(2, 0, (1,)),)),
    ]
    assert name_axes([3, 0], arrays, statements, [[], ["x[0]", "x[1]", "x[2]"], ["y"]]) == ["i", "n"]


def test_axes_that_meet_in_a_sum_keep_their_own_letters():
    arrays = [Array("constants", 0, ()), Array("x", 3, (0,)), Array("t", 9, (1, 2))]
    outer = Statement(2, "mul", (1, 2), (Operand(1, 0, (1, 0)), Operand(1, 0, (0, 1))))
    names = name_axes([3, 3, 3], arrays, [outer], [[]] * 3)
    assert names[0] == names[1] != names[2]
    squares = tuple(Term((Operand(1, 0, (1,)), Operand(1, 0, (1,))), (axis,)) for axis in (1, 2))
    arrays[2] = Array("z", 1, ())
    assert len(set(name_axes([3, 3, 3], arrays, [Statement(2, "sum", (), (), squares)], [[]] * 3))) == 1


def test_a_part_of_an_array_is_another_axis():
    arrays = [Array("constants", 0, ()), Array("x", 6, (0,)), Array("t", 2, (1,))]
    names = name_axes([6, 2], arrays, [Statement(2, "exp", (1,), (Operand(1, 0, (1,)),))], [[]] * 3)
    assert names[0] != names[1]


def equations(function, *args):
    run = jit(function)
    run(*args)
    return run.program.show().splitlines()[:-1]


def test_a_hidden_unit_has_one_letter_wherever_it_stands():
    model = MLP(2, [16, 16, 1], rng=random.Random(0))

    def loss(X, y):
        return losses.mean(losses.hinge(model(x), t) for x, t in zip(X, y, strict=True)) + losses.l2(model.parameters())

    lines = equations(loss, np.ones((9, 2)) * np.arange(9.0)[:, None], [1.0] * 9)
    assert lines[0] == "h1[n,a] = relu(b1[a] + Σ_i w1[a,i]·X[n,i])"
    assert lines[1] == "h2[n,b] = relu(b2[b] + Σ_a w2[b,a]·h1[n,a])"
    squares = (
        "Σ_a Σ_i w1[a,i]·w1[a,i] + Σ_a b1[a]·b1[a] + Σ_b Σ_a w2[b,a]·w2[b,a] + Σ_b b2[b]·b2[b]"
        " + Σ_b w3[b]·w3[b] + b3·b3"
    )
    assert any(squares in line for line in lines)


def test_one_sample_has_features_and_no_n():
    model = MLP(3, [4, 2], rng=random.Random(0))
    assert equations(model, [1.0, 2.0, 3.0]) == [
        "h[a] = relu(b1[a] + Σ_i w1[a,i]·x[i])",
        "z2[b] = b2[b] + Σ_a w2[b,a]·h[a]",
    ]


def test_arguments_are_read_as_parameters_and_samples():
    def scores(w, b, X):
        return [dot(w, x) + b for x in X]

    assert equations(scores, [1.0] * 3, 0.5, np.arange(15.0).reshape(5, 3)) == ["z[n] = b + Σ_i w[i]·X[n,i]"]
