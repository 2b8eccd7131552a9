import copy
import pickle

import pytest

from micrograd_mlp import MLP, Value, grad, ops, topological_order
from micrograd_mlp.engine import Constant

WAYS = {
    "pickle": lambda thing: pickle.loads(pickle.dumps(thing)),
    "protocol 0": lambda thing: pickle.loads(pickle.dumps(thing, 0)),
    "protocol 2": lambda thing: pickle.loads(pickle.dumps(thing, 2)),
    "python pickle": lambda thing: pickle._loads(pickle._dumps(thing)),
    "deepcopy": copy.deepcopy,
}
ways = pytest.mark.parametrize("again", WAYS.values(), ids=WAYS)


@ways
def test_a_leaf_keeps_its_attributes(again):
    x = Value(3.0, label="x")
    x.grad, x.m, x.frozen = 2.5, 0.25, True
    y = again(x)
    assert (y.data, y.grad, y.label, y.m, y.frozen) == (3.0, 2.5, "x", 0.25, True)
    assert y is not x
    assert vars(again(Value(1.0))) == {}


@ways
def test_a_graph_comes_back_whole(again):
    a, b = Value(2.0, label="a"), Value(-3.0)
    root = ops.where(a - 1.0, (a * b + a**3).tanh(), 0.5) + (2.0 * b).leaky_relu() / a
    root.label = "root"
    root.backward()
    twin = again(root)
    for mine, other in zip(topological_order(root), topological_order(twin), strict=True):
        assert (mine.data, mine.grad, mine.label, mine.op) == (other.data, other.grad, other.label, other.op)
        assert list(map(repr, mine.args)) == list(map(repr, other.args))
        assert mine is not other
    leaf = next(node for node in topological_order(twin) if node.label == "a")
    leaf.grad = 0
    twin.backward()
    assert leaf.grad == a.grad
    assert [arg.__class__ for arg in root._nodes()] == [arg.__class__ for arg in twin._nodes()]


@ways
def test_what_is_shared_stays_shared(again):
    a = Value(2.0)
    inner = a * a
    outer = inner.exp() + inner
    for things in ((a, inner, outer), (outer, inner, a), (inner, outer, a)):
        twins = again({"things": things, "again": things})
        assert all(x is y for x, y in zip(twins["things"], twins["again"], strict=True))
        a2, inner2, outer2 = (twins["things"][things.index(thing)] for thing in (a, inner, outer))
        assert outer2._prev[1] is inner2 is outer2._prev[0]._prev[0]
        assert inner2._prev == (a2, a2)


@ways
def test_a_network_and_its_loss_stay_connected(again):
    model = MLP(2, [3, 1], activation="tanh")
    loss = model([1.0, 2.0]) ** 2
    model2, loss2 = again((model, loss))
    loss.backward()
    loss2.backward()
    assert [p.grad for p in model2.parameters()] == [p.grad for p in model.parameters()]
    assert model2.state_dict() == model.state_dict()
    assert [p.label for p in model2.parameters()] == [p.label for p in model.parameters()]
    assert repr(model2) == repr(model)


@ways
def test_an_operation_of_ones_own_keeps_its_slopes(again):
    a, b = Value(2.0), Value(5.0)
    a2, root = again((a, Value(10.0, (a, b), "times", local_grads=(5.0, 2.0)) * 3.0))
    root.backward()
    assert a2.grad == 15.0
    assert root._prev[0]._op == "times"
    assert grad(root, a2).data == 15.0
    bare = again(Value(10.0, (a, b), "times"))
    assert (bare._op, [child.data for child in bare._prev], bare._local_grads) == ("times", [2.0, 5.0], ())


@ways
def test_a_backward_of_ones_own_is_refused(again):
    x = Value(2.0)
    out = Value(4.0, (x,), "sq")
    out._backward = lambda: None
    for thing in (out, out + 1.0):
        with pytest.raises(TypeError, match=r"has a _backward of its own.*; give local_grads instead$"):
            again(thing)
    assert again(x + 1.0).data == 3.0  # and what was under way is forgotten


@ways
def test_rows_of_the_table_are_the_same_rows(again):
    assert again(ops.tanh) is ops.tanh


def test_a_copy_has_the_same_arguments():
    a = Value(2.0, label="a")
    twin = copy.copy(a * 3.0)
    assert twin._prev == (a,)
    assert twin.args == (a, 3.0)
    assert copy.copy(a).label == "a"
    assert isinstance(copy.copy(Constant(1.0)), Constant)


def test_depth_and_many_outputs_are_no_problem():
    total, sums = Value(0.0), []
    for _ in range(20_000):
        total = total + 1.0
        sums.append(total)
    total.deep = sums[10] * 2.0  # an attribute may hold a graph
    saved = pickle.dumps((sums[10], sums[5_000], total))
    tenth, middle, end = pickle.loads(saved)
    assert (tenth.data, middle.data, end.data) == (11.0, 5_001.0, 20_000.0)
    order = topological_order(end)
    assert order[11] is tenth
    assert order[5_001] is middle
    assert end.deep._prev[0] is tenth
    assert len(saved) < 50 * 20_000
    assert copy.deepcopy(total).data == 20_000.0
