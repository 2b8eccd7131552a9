import math
import re

import pytest

from micrograd_mlp import MLP, Value, detect_anomaly, engine
from micrograd_mlp.anomaly import describe, first_non_finite

inf = math.inf


def refusal(message):
    return pytest.raises(FloatingPointError, match="^" + re.escape(message) + "$")


def test_the_first_value_that_is_not_finite_is_named():
    x = Value(0.0, label="x")
    with detect_anomaly(), refusal("forward: log(0.0 (x)) = -inf"):
        (x.log() * 2.0).exp()
    with detect_anomaly(), refusal("forward: exp(1000.0) = inf"):
        Value(1000.0).exp()
    with detect_anomaly(), refusal("forward: pow(-8.0 (x), 0.5) = nan"):
        x.data = -8.0
        x**0.5


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda x: 1.0 / x, "div(1.0, 0.0 (x)) = inf"),
        (lambda x: x / x, "div(0.0 (x), 0.0 (x)) = nan"),
        (lambda x: x**-1, "pow(0.0 (x), -1.0) = inf"),
        (lambda x: (x + 1e308) * 10, "mul(1e+308, 10.0) = inf"),
        (lambda x: (x - 1.0).sqrt(), "sqrt(-1.0) = nan"),
    ],
)
def test_operators_and_methods_are_watched(make, message):
    with detect_anomaly(), refusal(f"forward: {message}"):
        make(Value(0.0, label="x"))


def test_labels_stand_beside_the_numbers():
    a, b = Value(1e308, label="a"), Value(10.0, label="b")
    product = a * b
    product.label = "area"
    assert describe(product) == "mul(1e+308 (a), 10.0 (b)) = inf, labelled 'area'"
    assert describe(a) == "the leaf = 1e+308, labelled 'a'"
    assert describe(Value(2.0)) == "the leaf = 2.0"


def test_a_leaf_and_an_operation_of_ones_own_are_named_at_their_first_use():
    with detect_anomaly(), refusal("forward: the leaf = nan, labelled 'x'"):
        Value(math.nan, label="x") + 1.0
    with detect_anomaly(), refusal("forward: cube(3.0) = inf"):
        Value(inf, (Value(3.0),), "cube") + 1.0


def test_the_first_gradient_that_is_not_finite_is_named():
    x = Value(0.0, label="x")
    with detect_anomaly():
        root = (x + 0.0).sqrt()
        loss = root * 3.0
        with refusal("backward: the gradient of an argument is inf at sqrt(0.0) = 0.0, with gradient 3.0"):
            loss.backward()


def test_a_graph_made_before_is_judged_in_backward():
    y = Value(1000.0).exp() * 2.0
    with detect_anomaly(), refusal("forward: exp(1000.0) = inf"):
        y.backward()


def test_the_switch_goes_back_on_any_exit_and_nests():
    assert engine.watch is None
    with detect_anomaly():
        with detect_anomaly():
            pass
        with pytest.raises(FloatingPointError):
            Value(0.0).log()
    assert engine.watch is None
    assert Value(0.0).log().data == -inf


def test_a_healthy_network_passes():
    model = MLP(2, [3, 1], activation="tanh")
    with detect_anomaly():
        loss = (model([1.0, -2.0]) - 1.0) ** 2
        loss.backward()
    assert first_non_finite(loss) is None


def test_first_non_finite_looks_in_order_of_computation():
    x = Value(0.0)
    log = x.log()
    assert first_non_finite((log + 1.0).exp() * log) is log


def test_the_blame_falls_on_a_parameter_by_its_place():
    model = MLP(2, [2, 1])
    model.layers[0].neurons[1].w[0].data = inf
    with detect_anomaly(), refusal("forward: the leaf = inf, labelled 'layers[0].neurons[1].w[0]'"):
        model([1.0, 1.0])
