import math
import random

import pytest

from micrograd_mlp import MLP, Value, ops
from micrograd_mlp.drawing import trace_path


def test_the_only_path_is_the_chain_rule():
    x = Value(0.5, label="x")
    y = (x * 3.0).tanh()
    y.label = "y"
    y.backward()
    path = trace_path(y, x)
    assert [(step.op.name, step.index) for step in path.steps] == [("mul", 0), ("tanh", 0)]
    assert [step.local for step in path.steps] == [3.0, 1 - math.tanh(1.5) ** 2]
    assert path.count == 1
    assert path.product == path.total == x.grad
    text = str(path)
    assert text.startswith("d y / d x = ")
    assert ops.TABLE["tanh"].formula in text
    assert "The only path; 2 steps:" in text
    assert "x.grad holds the same number." in text


def test_a_square_has_two_paths():
    x = Value(3.0)
    y = x * x
    y.backward()
    path = trace_path(y, x)
    assert (path.count, path.product, path.total) == (2, 3.0, 6.0)
    assert "of 2 paths" in str(path)
    assert "This path gives 3.0000, all paths together 6.0000." in str(path)


def test_the_largest_of_all_paths_is_shown():
    """Against every path, listed one by one."""
    rng = random.Random(1)
    for _ in range(20):
        values = [Value(rng.uniform(-2, 2)) for _ in range(3)]
        for _ in range(10):
            a, b = rng.choice(values), rng.choice(values)
            values.append(rng.choice([lambda a, b: a * b, lambda a, b: a - b, lambda a, b: a.sin()])(a, b))
        x, y = values[0], values[-1]
        y.backward()
        products = list(every_path(y, x))
        path = trace_path(y, x)
        assert path.count == len(products)
        assert path.total == pytest.approx(sum(products), abs=1e-12)
        assert path.total == pytest.approx(x.grad, abs=1e-12)
        if products:
            assert abs(path.product) == pytest.approx(max(map(abs, products)))


def every_path(value, target):
    if value is target:
        yield 1.0
    for arg, slope in zip(value._prev, value._local_grads, strict=True):
        yield from (slope * product for product in every_path(arg, target))


def test_in_a_network_all_paths_together_are_the_gradient():
    model = MLP(2, [4, 3, 1], activation="tanh", rng=random.Random(0))
    loss = sum((model([0.1 * k, -0.2 * k]) - 1.0) ** 2 for k in range(5))
    loss.backward()
    for parameter in model.parameters():
        assert trace_path(loss, parameter).total == pytest.approx(parameter.grad, rel=1e-12)
    weight = model.layers[0].neurons[0].w[0]
    assert trace_path(loss, weight).count == 5 * 3  # samples, times neurons that read this one


def test_paths_beyond_any_list_are_counted():
    value = x = Value(1.0)
    for _ in range(5000):
        value = value * 0.5 + value * 0.5
    path = trace_path(value, x)
    assert path.count == 2**5000
    assert path.total == 1.0
    assert len(path.steps) == 10_000
    assert "of about 10^1505.1 paths" in str(path)
    assert "..." in str(path)
    assert len(str(path).splitlines()) < 40


def test_additions_in_a_row_are_one_line():
    x = Value(2.0)
    value = x * 3.0
    for _ in range(50):
        value = value + 1.0
    assert "2 to 51" in str(trace_path(value, x))


def test_a_product_too_small_for_a_float_still_finds_the_larger_path():
    x = Value(1e-200)
    large = x * 1e-150 * 1e-150 * 1e-150
    small = x * 1e-250 * 1e-250 * 1e-250
    path = trace_path(small + large, x)
    assert [step.local for step in path.steps][:1] == [1e-150]


def test_nan_is_followed_to_where_it_comes_from():
    x = Value(-1.0, label="x")
    y = x * 1.0 + x.log()
    bad = y * Value(math.nan)
    path = trace_path(bad, x)
    assert math.isnan(path.product)
    assert "nan" in str(path)


def test_no_path():
    x, y = Value(1.0, label="x"), Value(2.0, label="y")
    path = trace_path(y * 2, x)
    assert (path.count, path.steps, path.total, path.product) == (0, (), 0.0, 0.0)
    assert "loss does not depend on x." in str(path)


def test_from_a_value_to_itself():
    y = Value(2.0) * 2
    y.backward()
    path = trace_path(y, y)
    assert (path.count, path.steps, path.total, path.product) == (1, (), 1.0, 1.0)
    assert "same number" in str(path)


def test_a_gradient_that_is_not_this_one_is_told():
    x = Value(2.0, label="x")
    y = x * 3
    assert "x.grad holds 0.0000: backward() was not called on loss" in str(trace_path(y, x))
    y.backward()
    y.backward()
    assert "x.grad holds 6.0000" in str(trace_path(y, x))


def test_hostile_labels_stay_on_their_line():
    x = Value(2.0, label="a\nb\x1b[31m")
    assert str(trace_path(x * 2, x)).splitlines()[0] == "d loss / d a b [31m = 2.0000"


def test_what_is_refused():
    x = Value(2.0)
    with pytest.raises(TypeError, match=r"start of the path, got float: 2.0"):
        trace_path(x * 2, 2.0)
    with pytest.raises(TypeError, match="output of a graph, got float"):
        trace_path(2.0, x)
    with pytest.raises(ValueError, match="no local_grads"):
        trace_path(Value(4.0, (x,), "mine") * 2, x)
