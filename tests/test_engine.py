import gc
import math
import pickle
import re
import tracemalloc
import weakref
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from micrograd_mlp import Value, grad, ops, topological_order
from micrograd_mlp.engine import Constant

inf, nan = math.inf, math.nan
STEPS = 1_000_000


def gradients(output, *inputs):
    for x in inputs:
        x.grad = 0
    output.backward()
    return [x.grad for x in inputs]


# --- the chain rule


def test_a_shared_argument_gets_every_share():
    a = Value(3.0)
    assert gradients(a + a, a) == [2.0]
    assert gradients(a * a, a) == [6.0]
    assert gradients(a - a, a) == [0.0]
    assert gradients(a / a, a) == [0.0]
    assert gradients(a**a, a) == [pytest.approx(27.0 * (1.0 + math.log(3.0)))]
    b = a + a
    assert gradients(b * b + b, a) == [26.0]


def test_leaves_accumulate_and_the_rest_starts_from_zero():
    w = Value(3.0)
    h = w * 2.0
    (h * 1.0).backward()
    (h * 1.0).backward()
    assert (w.grad, h.grad) == (4.0, 1.0)
    loss = h * h
    loss.backward()
    loss.backward()
    assert (w.grad, h.grad, loss.grad) == (4.0 + 2 * 24.0, 12.0, 1.0)


def test_two_passes_after_clearing_only_a_leaf():
    a = Value(2.0)
    b = a * a
    c = b * a
    assert gradients(c, a) == gradients(c, a) == [12.0]


def test_backward_of_a_leaf_counts_as_one_use():
    x = Value(5.0)
    x.backward()
    x.backward()
    assert x.grad == 2.0


def test_an_argument_is_finished_before_its_own_arguments_are_served():
    a = Value(1.5)
    b = a + a
    c = b + b
    d = c * b + a  # a, b and c are met on several ways of different length
    assert gradients(d, a) == [pytest.approx(2.0 * 2.0 * 4.0 * 1.5 + 1.0)]


def test_numbers_in_code_are_constants():
    x = Value(3.0)
    out = 2 * x + 1.0
    assert out.args[1] == 1.0
    assert out._prev[0].args == (2.0, x)
    assert out._prev[0]._prev == (x,)
    assert topological_order(out) == [x, out._prev[0], out]
    for swapped in (2 + x, 2 - x, 2 * x, 2 / x, 2**x):
        assert swapped.args == (2.0, x)


def test_order_puts_arguments_before_users_and_names_each_once():
    a, b, c = Value(1.0), Value(2.0), Value(3.0)
    root = ops.where(a, b * c, b.relu()) * (a + b) / c
    order = topological_order(root)
    place = {node: index for index, node in enumerate(order)}
    assert len(place) == len(order) == 9
    assert order[-1] is root
    assert all(place[arg] < place[node] for node in order for arg in node._prev)


def test_one_node_for_each_operation():
    x, y = Value(3.0), Value(4.0)
    for out, symbol in ((x - y, "-"), (x / y, "/"), (x * x, "*"), (x**y, "**"), (x + y, "+")):
        assert len(out._prev) == 2
        assert out._op == symbol
        assert all(arg.op is None for arg in out._prev)
    assert (x**2)._op == "**2"
    assert (x**-0.5)._op == "**-0.5"
    assert (2**x)._op == "**"
    assert (x.relu()._op, x.tanh()._op, x.exp()._op, x.log()._op, (-x)._op) == ("ReLU", "tanh", "exp", "log", "-")
    assert (x._op, x._prev, x.args, x._local_grads) == ("", (), (), ())
    assert (x * y)._local_grads == (4.0, 3.0)
    assert (x * 2)._local_grads == (2.0,)


def test_three_arguments():
    switch, a, b = Value(1.0), Value(2.0), Value(3.0)
    assert gradients(ops.where(switch, a, b) * 5.0, switch, a, b) == [0, 5.0, 0]
    switch.data = 0.0
    out = ops.where(switch, a, b) * 5.0
    assert gradients(out, switch, a, b) == [0, 0, 5.0]
    assert out._prev[0]._prev == (switch, a, b)
    assert ops.where(switch, a, 7.0).args == (switch, a, 7.0)


def test_detach_cuts():
    x = Value(3.0)
    assert gradients(x * x.detach(), x) == [3.0]
    assert grad(x * x.detach(), x).data == 3.0
    zero = Value(0.0)
    log = zero.log()
    for out in (zero + log.detach(), zero + ops.step(log), zero + ops.equal(1.0, log)):
        log.grad = 7.0  # left by an earlier pass
        assert gradients(out, zero) == [1.0]  # and not 0 * inf by way of the logarithm
        assert grad(out, zero).data == 1.0
        assert log.grad == 0


def test_what_is_not_selected_gets_zero_and_passes_it_on():
    zero = Value(0.0)
    for out in (ops.where(1.0, 2.0 * zero, zero.log()), ops.where(Value(1.0), 2.0 * zero, zero.log())):
        assert math.isnan(gradients(out, zero)[0])  # 0 / 0, in PyTorch as well
        assert math.isnan(grad(out, zero).data)


def test_sum_over_values():
    values = [Value(float(i)) for i in range(5)]
    total = sum(values)
    assert total.data == 10.0
    assert gradients(total, *values) == [1.0] * 5


# --- memory and depth


def test_a_graph_holds_no_reference_cycle():
    gc.collect()
    gc.disable()
    try:
        a = Value(2.0)
        middle = (a * 3.0).tanh()
        root = ops.where(middle, middle.exp() + a, 1.0) ** 2
        slope = grad(root, a)
        root.backward()
        slope.backward()
        gone = [weakref.ref(node) for node in (a, middle, root, slope)]
        del a, middle, root, slope
        assert [ref() for ref in gone] == [None] * 4
    finally:
        gc.enable()


def test_memory_returns_without_the_collector():
    x = Value(1.0)

    def work():
        y = x
        for _ in range(1_000):
            y = (y * 1.0001).tanh() + 0.1
        y.backward()

    work()
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        work()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(5):
            work()
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()
    assert after - before < 10_000 < peak - before


@pytest.fixture(scope="module")
def chain():
    x = Value(1.0, label="x")
    root = x
    for _ in range(STEPS):
        root = root + x
    return x, [root]


def test_a_chain_of_a_million_additions(chain):
    x, held = chain
    held[0].backward()
    assert x.grad == STEPS + 1
    assert repr(held[0]) == f"Value(data={STEPS + 1.0}, grad=1.0)"
    assert len(topological_order(held[0])) == STEPS + 1
    held.clear()  # freed without recursion
    assert x.data == 1.0


def test_grad_through_a_long_chain():
    x = Value(1.0)
    root = x
    for _ in range(50_000):
        root = root * 1.00001 + x
    slope = grad(root, x)
    assert slope.data == pytest.approx(gradients(root, x)[0], rel=1e-12)


def test_a_long_chain_is_pickled():
    root = x = Value(1.0)
    for _ in range(200_000):
        root = root + x
    twin = pickle.loads(pickle.dumps(root))
    assert gradients(twin, topological_order(twin)[0]) == [200_001.0]


# --- gradients of gradients


def rosenbrock(x, y):
    return (1.0 - x) ** 2 + 100.0 * (y - x**2) ** 2


@pytest.mark.parametrize(("x", "y"), [(1.0, 1.0), (-1.2, 1.0), (0.5, -2.0)])
def test_hessian_of_rosenbrock(x, y):
    inputs = Value(x), Value(y)
    first = grad(rosenbrock(*inputs), inputs)
    assert [d.data for d in first] == pytest.approx([-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)])
    hessian = [[d.data for d in grad(slope, inputs)] for slope in first]
    assert hessian == [pytest.approx(row) for row in ([2 - 400 * (y - 3 * x * x), -400 * x], [-400 * x, 200.0])]


@pytest.mark.parametrize("x", [-2.0, 0.0, 0.3, 1.7])
def test_third_derivative_of_tanh(x):
    value = Value(x)
    d1 = grad(value.tanh(), value)
    d2 = grad(d1, value)
    d3 = grad(d2, value)
    t = math.tanh(x)
    assert d1.data == pytest.approx(1 - t * t)
    assert d2.data == pytest.approx(-2 * t * (1 - t * t))
    assert d3.data == pytest.approx((6 * t * t - 2) * (1 - t * t))


def test_a_gradient_penalty_reaches_the_parameters():
    w, x = Value(0.7), Value(1.3)
    (grad((w * x).tanh(), x) ** 2).backward()
    t = math.tanh(0.7 * 1.3)
    s = 1 - t * t
    assert w.grad == pytest.approx(2 * (0.7 * s) * (s + 0.7 * -2 * t * s * 1.3))


def test_grad_touches_no_grad_attribute():
    x = Value(2.0)
    x.grad = 5.0
    out = x * x
    assert grad(out, [x])[0].data == 4.0
    assert (x.grad, out.grad) == (5.0, 0)


def test_grad_by_something_in_between_and_by_the_output_itself():
    x = Value(2.0)
    h = x * x
    out = h * h * x
    by_h, by_x, by_out = grad(out, [h, x, out])
    assert (by_h.data, by_x.data, by_out.data) == (2 * 4.0 * 2.0, 5 * 16.0, 1.0)


def test_grad_by_what_has_no_part_in_it_is_zero():
    x, other = Value(2.0), Value(3.0)
    slopes = grad(x * x, (x, other))
    assert isinstance(slopes, list)
    assert [slope.data for slope in slopes] == [4.0, 0.0]
    assert isinstance(grad(x * x, other), Value)


def test_grad_agrees_with_backward():
    a, b = Value(0.4), Value(-1.2)
    out = ops.maximum((a * b).sigmoid(), a.exp().log1p()) / (b.softplus() + 2.0) + abs(a - b).sqrt() - b.leaky_relu()
    assert [slope.data for slope in grad(out, [a, b])] == pytest.approx(gradients(out, a, b), rel=1e-15)


# --- an operation of one's own


def cube(x):
    out = Value(x.data**3, (x,), "cube")

    def _backward():
        x.grad += 3 * x.data**2 * out.grad

    out._backward = _backward
    return out


def test_a_backward_of_ones_own():
    x = Value(2.0)
    assert gradients(cube(x) * cube(x) + x, x) == [2 * 8 * 12 + 1.0]
    assert cube(x)._op == "cube"


def test_grad_cannot_pass_a_backward_of_ones_own():
    x = Value(2.0)
    message = "grad cannot pass Value(data=8.0, grad=0), it has no local_grads; backward() can, by its own _backward"
    with pytest.raises(ValueError, match=re.escape(message)):
        grad(cube(x) + 1.0, x)
    other = Value(1.0)
    assert grad(cube(x) * other, other).data == 8.0  # where it is not on the way it does not matter
    assert grad(cube(x), other).data == 0.0


@pytest.mark.parametrize("how", [lambda *a: Value(*a[:2], a[2]), lambda *a: Value(a[0], a[1], local_grads=a[2])])
def test_local_grads_of_ones_own(how):
    a, b, c = Value(2.0), Value(3.0), Value(4.0)
    assert gradients(how(24.0, (a, b, c), (12.0, 8.0, 6.0)) * 2.0, a, b, c) == [24.0, 16.0, 12.0]
    assert gradients(how(5.0, (a, b), (1, 1)), a, b) == [1.0, 1.0]
    assert gradients(how(4.0, (a,), (4,)), a) == [4.0]
    assert [slope.data for slope in grad(how(24.0, (a, b, c), (12.0, 8.0, 6.0)), [a, b, c])] == [12.0, 8.0, 6.0]


def test_an_operation_of_ones_own_has_as_many_children_as_one_likes():
    children = [Value(float(n)) for n in range(300)]
    slopes = [float(n % 7) for n in range(300)]
    assert gradients(Value(0.0, children, local_grads=slopes), *children) == slopes


def test_an_operation_without_any_rule_passes_nothing():
    x = Value(2.0)
    assert gradients(Value(8.0, (x,), "cube"), x) == [0]
    y, z = Value(3.0), Value(4.0)
    assert gradients(Value(24.0, (x, y, z), "product"), x, y, z) == [0, 0, 0]
    assert Value(24.0, (x, y, z), "product")._local_grads == ()


def test_a_result_of_two_arguments_holds_nothing_but_its_slots():
    x, y = Value(1.0), Value(2.0)
    for out in (x, x + y, x * 2.0, ops.maximum(x, y), x.tanh()):
        assert vars(out) == {}
        assert out.grad == 0


def test_a_slope_of_zero_times_an_infinite_gradient_is_nan_in_an_operation_of_ones_own():
    for count in (1, 2):
        children = [Value(1.0) for _ in range(count)]
        out = Value(1.0, children, (0.0,) * count)
        assert all(map(math.isnan, gradients(Value(0.0, (out,), (inf,)), *children)))


def test_keywords_of_the_three_micrograds():
    a, b = Value(1.0), Value(2.0)
    for out in (
        Value(3.0, (a, b), "+"),
        Value(3.0, _children=(a, b), _op="+"),
        Value(3.0, _prev=(a, b), _op="+"),
        Value(3.0, children=(a, b), _op="+"),
        Value(3.0, {a: None, b: None}, "+"),
    ):
        assert out._prev == out._children == (a, b)
        assert out._op == "+"
    assert Value(3.0, children=(a, b), local_grads=(1, 1))._local_grads == (1.0, 1.0)
    assert Value(3.0, (), "")._prev == ()


# --- Values among other things


def test_repr_is_that_of_micrograd():
    x = Value(-4.0)
    assert repr(x) == "Value(data=-4.0, grad=0)"
    (x * 2.0).backward()
    assert repr(x) == str(x) == "Value(data=-4.0, grad=2.0)"
    assert repr(Value(1, label="w[0]")) == "Value(data=1.0, grad=0, label='w[0]')"


def test_labels_and_attributes_of_ones_own():
    x = Value(1.0)
    assert x.label == ""
    x.label, x.m, x._vis_color = "x", 0.5, "red"
    assert (x.label, x.m, x._vis_color) == ("x", 0.5, "red")
    assert Value(1.0, label="a").label == "a"
    assert not x.frozen


def test_equality_and_hash_are_identity():
    a, b = Value(1.0), Value(1.0)
    assert a == a
    assert a != b
    assert a != 1.0
    assert len({a, b, a}) == 2
    assert {a: "first"}[a] == "first"
    assert a in [b, a]
    assert a not in [b]


def test_comparisons_look_at_the_numbers():
    a, b = Value(1.0), Value(2.0)
    assert a < b and a <= b and b > a and b >= a  # noqa: PT018
    assert a < 1.5 < b
    assert 0 < a <= 1
    assert not a < nan
    assert max([b, a, Value(0.5)]) is b
    assert min(b, a) is a
    assert [v.data for v in sorted([b, a, Value(0.5)])] == [0.5, 1.0, 2.0]
    assert float(b) == 2.0
    assert math.sqrt(Value(4.0)) == 2.0
    assert f"{float(a):.2f}" == "1.00"


SCALARS = [np.float64(3.0), np.float32(3.0), np.int64(3), np.array(3.0), Fraction(3), True + 2, 3]


@pytest.mark.parametrize("three", SCALARS, ids=lambda x: type(x).__name__)
def test_scalars_of_other_libraries_on_both_sides(three):
    x = Value(2.0)
    for out, number, slope in (
        (three + x, 5.0, 1.0),
        (x + three, 5.0, 1.0),
        (three - x, 1.0, -1.0),
        (x - three, -1.0, 1.0),
        (three * x, 6.0, 3.0),
        (x * three, 6.0, 3.0),
        (three / x, 1.5, -0.75),
        (x / three, 2 / 3, 1 / 3),
        (three**x, 9.0, 9.0 * math.log(3.0)),
        (x**three, 8.0, 12.0),
    ):
        assert out.__class__ is Value
        assert out.data == pytest.approx(number)
        assert out.data.__class__ is float
        assert gradients(out, x) == pytest.approx([slope])
    assert x < three
    assert three > x


def test_arrays_take_values_as_their_elements():
    x = Value(2.0)
    for array in (np.array([1.0, 3.0]) * x, x * np.array([1.0, 3.0])):
        assert array.dtype == object
        assert [out.data for out in array] == [2.0, 6.0]
    points = np.array([[Value(1.0), Value(2.0)]])
    assert (points @ np.array([3.0, 4.0]))[0].data == 11.0
    assert np.dot([x, x], [x, x]).data == 8.0
    assert np.mean([x, Value(4.0)]).data == 3.0
    assert np.exp(np.array([x]))[0].data == math.exp(2.0)
    assert np.tanh(x).data == math.tanh(2.0)
    assert gradients((np.array([1.0, 3.0]) * x).sum(), x) == [4.0]


def test_another_class_that_records_takes_a_value():
    class Symbol:
        def apply_op(self, op, *args):
            return op.name

        def __float__(self):
            return 1.0

        def __rmul__(self, other):
            return f"{other.data} times a symbol"

    assert Value(2.0) * Symbol() == "2.0 times a symbol"
    assert ops.exp(Symbol()) == "exp"


def test_integers_of_any_size():
    assert (Value(1) + 10**400).data == inf
    assert Value(-(10**400)).data == -inf
    assert Value(3).data.__class__ is float


def test_subclasses_are_values():
    class Weight(Value):
        pass

    w = Weight(2.0)
    for out, number in ((w * 3.0, 6.0), (3.0 * w, 6.0), (Value(3.0) * w, 6.0), (w * Value(3.0), 6.0), (w.relu(), 2.0)):
        assert out.data == number
        assert w in out._prev


# --- refusals


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Value("a"), "expected a number, got str: 'a'"),
        (lambda: Value("1.5"), "expected a number, got str: '1.5'"),
        (lambda: Value(None), "expected a number, got NoneType: None"),
        (lambda: Value([1.0]), "expected a number, got list: [1.0]"),
        (
            lambda: Value(Value(1)),
            "Value takes a number, got a Value: Value(data=1.0, grad=0); use it as it is, or its .data",
        ),
        (lambda: Value(1.0) + "a", "unsupported operand type(s) for +: 'Value' and 'str'"),
        (lambda: [1] * Value(2.0), "can't multiply sequence by non-int of type 'Value'"),
        (lambda: Value(1.0) * 1j, "unsupported operand type(s) for *: 'Value' and 'complex'"),
        (lambda: Value(1.0) ** None, "unsupported operand type(s) for ** or pow(): 'Value' and 'NoneType'"),
        (lambda: Value(1.0) < "a", "expected a number, got str: 'a'"),
        (lambda: Value(1.0).maximum("a"), "expected a number, got str: 'a'"),
        (lambda: Value(1.0, (2.0,), "+"), "the children of a Value are Values, got (2.0,)"),
        (lambda: topological_order(3.0), "expected a Value, the output of a graph, got float: 3.0"),
        (lambda: grad([Value(1.0)], []), "expected a Value, the output of a graph, got list: [Value("),
        (lambda: Value.backward(3.0), "expected a Value, the output of a graph, got float: 3.0"),
        (lambda: grad(Value(1.0) * 2, [3]), "grad takes a Value or a sequence of Values to differentiate by, got [3]"),
        (lambda: Value(1.0).relu(2.0), "relu (max(a, 0)) takes 1 argument(s), got 2"),
    ],
)
def test_wrong_types_are_named(make, message):
    with pytest.raises(TypeError, match="^" + re.escape(message)):
        make()


def test_a_wrong_count_of_local_grads_is_named():
    with pytest.raises(ValueError, match=re.escape("1 children need as many local_grads, got 2: (1, 2)")):
        Value(1.0, (Value(1.0),), (1, 2))
    with pytest.raises(ValueError, match=re.escape("2 children need as many local_grads, got 1: (1,)")):
        Value(1.0, (Value(1.0), Value(2.0)), local_grads=(1,))


# --- edges go through the engine as through the table


@pytest.mark.parametrize("a", [0.0, -0.0, inf, -inf, nan, 1.5, -2.0, 1e308])
def test_operators_never_raise_for_numbers(a):
    for b in (0.0, -0.0, inf, -inf, nan, 0.5, -3.0, 1e308):
        x, y = Value(a), Value(b)
        for out in (x + y, x - y, x * y, x / y, x**y, -x, abs(x), x / b, a / y, x**b, a**y):
            out.backward()
            assert out.data.__class__ is float
            assert isinstance(x.grad, float | int)
            grad(out, [x, y])


@pytest.mark.parametrize("op", ops.TABLE.values(), ids=lambda op: op.name)
def test_grad_and_backward_agree_at_every_edge(op):
    edges = [0.0, -0.0, inf, -inf, nan, 1.0, -1.0, 0.5, 3.0, -8.0, 800.0, -1000.0, 1e308, 5e-324]
    for point in product(edges if len(op.partials) < 3 else edges[:7], repeat=len(op.partials)):
        for incoming in (1.0, 0.0, inf, nan):
            inputs = [Value(x) for x in point]
            root = Value(0.0, (op(*inputs),), (incoming,))
            slopes = [slope.data for slope in grad(root, inputs)]
            assert slopes == pytest.approx(gradients(root, *inputs), nan_ok=True), (point, incoming)


def test_a_constant_is_a_value_without_a_gradient():
    x = Value(2.0)
    out = x * 3.0
    out.backward()
    number = out._b
    assert isinstance(number, Constant)
    assert number.grad == 0
