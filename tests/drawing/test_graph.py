import math
import random

import pytest

from micrograd_mlp import MLP, Neuron, Value
from micrograd_mlp.drawing.graph import Folding, Node, _in_order, expression_of, graph_of, number, span


def picture(*outputs, slopes=False, **more):
    return graph_of(expression_of(outputs, more.get("parameters", {}), more.get("names", {})), Folding(), slopes)


def by_title(graph):
    return {node.title: node for node in graph.nodes if node.title}


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (1.0, "1.0000"),
        (-2.34567, "-2.3457"),
        (0.0, "0.0000"),
        (-0.0, "0.0000"),
        (0.001, "0.0010"),
        (1e-9, "1e-09"),
        (0.00012345, "0.0001234"),
        (12345.678, "12345.7"),
        (1e6, "1e+06"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (math.nan, "nan"),
        (3, "3.0000"),
    ],
)
def test_number(x, text):
    assert number(x) == text


def test_span_gives_the_ends_and_counts_what_is_not_a_number():
    assert span([1.0, 1.0]) == "1.0000"
    assert span([3.0, -1.0, 2.0]) == "-1.0000 … 3.0000"
    assert span([3.0, math.nan, 2.0]) == "2.0000 … 3.0000, 1 nan"
    assert span([math.nan]) == "nan"


def test_every_value_has_a_box_and_every_operation_a_circle():
    x = Value(3.0, label="x")
    y = x * 2 + 1
    y.backward()
    graph = picture(y)
    assert [(node.kind, node.title) for node in graph.nodes] == [
        ("input", "x"),
        ("value", ""),
        ("operation", "*"),
        ("number", "2"),
        ("output", ""),
        ("operation", "+"),
        ("number", "1"),
    ]
    assert by_title(graph)["x"].rows == (("data", "3.0000"), ("grad", "2.0000"))
    assert by_title(graph)["2"].rows == ()
    assert [(edge.tail, edge.head) for edge in graph.edges] == [
        ("v1o", "v1"),
        ("v0", "v1o"),
        ("v1c1", "v1o"),
        ("v2o", "v2"),
        ("v1", "v2o"),
        ("v2c1", "v2o"),
    ]


def test_a_square_has_two_edges_and_a_shared_value_one_box():
    x = Value(3.0)
    graph = picture(x * x)
    assert [(edge.tail, edge.head) for edge in graph.edges].count(("v0", "v1o")) == 2
    assert sum(node.kind == "input" for node in graph.nodes) == 1


def test_a_power_shows_its_exponent_once():
    graph = picture(Value(3.0) ** 2)
    assert [node.title for node in graph.nodes if node.kind in ("operation", "number")] == ["**2"]
    assert len(graph.edges) == 2


def test_slopes_are_the_local_derivatives_and_numbers_have_none():
    a, b = Value(3.0), Value(5.0)
    labels = {(edge.tail, edge.head): edge.label for edge in picture(a * b + 1, slopes=True).edges}
    assert labels["v0", "v2o"] == "∂ 5.0000"
    assert labels["v1", "v2o"] == "∂ 3.0000"
    assert labels["v3c1", "v3o"] == ""
    assert all(not edge.label for edge in picture(a * b + 1).edges)


def test_an_operation_of_ones_own_without_derivatives_is_drawn():
    a, b = Value(1.0), Value(2.0)
    graph = picture(Value(3.0, (a, b), "mine"), slopes=True)
    assert "mine" in by_title(graph)
    assert len(graph.edges) == 3


def test_parameters_are_known_by_place():
    model = MLP(2, [2, 1], rng=random.Random(0))
    kinds = [node.kind for node in picture(model([Value(1.0), Value(2.0)])).nodes]
    assert kinds.count("parameter") == 9
    assert kinds.count("input") == 2


def test_b_is_a_parameter_only_beside_weights():
    a, b = Value(1.0, label="a"), Value(2.0, label="b")
    assert by_title(picture(a * b))["b"].kind == "input"
    assert by_title(picture(Neuron(1, rng=random.Random(0))([a])))["b"].kind == "parameter"


def test_given_parameters_and_names_need_no_labels():
    a, w = Value(1.0), Value(2.0)
    titles = by_title(picture(a * w, parameters={w: "deep.scale"}, names={a: "x[0]"}))
    assert titles["deep.scale"].kind == "parameter"
    assert titles["x[0]"].kind == "input"
    assert (a.label, w.label) == ("", "")


def test_several_outputs_share_one_picture():
    x = Value(2.0, label="x")
    graph = picture(x.exp(), x.log())
    assert [node.kind for node in graph.nodes].count("output") == 2
    assert [node.title for node in graph.nodes].count("x") == 1


def test_numbers_in_names_may_be_of_any_length():
    titles = ["n[" + "9" * 5000 + "]", "n[10]", "n[2]", "n[007]", "n[0]"]
    ordered = sorted((Node("", "neuron", title) for title in titles), key=_in_order)
    assert [node.title for node in ordered] == ["n[0]", "n[2]", "n[007]", "n[10]", titles[0]]
