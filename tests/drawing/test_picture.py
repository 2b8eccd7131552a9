import random

import pytest

from micrograd_mlp import MLP, Neuron, Value
from micrograd_mlp.drawing import draw


@pytest.fixture
def model():
    return MLP(2, [2, 1], rng=random.Random(5))


def test_a_network_at_one_input_is_labelled_from_end_to_end(model):
    dot = draw(model, [0.5, -1.0]).dot
    for label in ("x[0]", "x[1]", "layers[0].neurons[1].w[1]", "layers[1].neurons[0].b", "y"):
        assert f";{label}&" in dot


def test_several_outputs_are_numbered():
    dot = draw(MLP(1, [2], rng=random.Random(0)), [1.0]).dot
    assert ";y[0]&" in dot
    assert ";y[1]&" in dot


def test_a_network_is_drawn_with_its_gradients_and_keeps_its_own(model):
    for index, parameter in enumerate(model.parameters()):
        parameter.grad = float(index)
    x = Value(0.5, label="mine")
    x.grad = 77.0
    dot = draw(model, [x, -1.0]).dot
    assert [parameter.grad for parameter in model.parameters()] == [float(i) for i in range(9)]
    assert x.grad == 77.0
    assert "77.0" not in dot
    for parameter in model.parameters():
        parameter.grad = 0
    model([x, -1.0]).backward()
    bias = model.layers[0].neurons[0].b
    assert f"layers[0].neurons[0].b: data {bias.data!r}, grad {float(bias.grad)!r}" in dot
    assert (x.label, model.layers[0].neurons[0].b.label) == ("mine", "layers[0].neurons[0].b")


def test_one_number_is_one_input():
    assert ";x[0]&" in draw(Neuron(1, rng=random.Random(0)), [3.0]).dot


def test_a_model_gives_places_to_parameters_without_labels(model):
    for parameter in model.parameters():
        parameter.label = ""
    loss = model([1.0, 2.0]) * 2
    assert "layers[0].neurons[0].w[0]" not in draw(loss).dot
    assert "layers[0].neurons[0].w[0]" in draw(loss, model=model).dot
    assert "layers[1]" in draw(loss, model=model, level="layer").dot


def test_the_picture_itself_says_that_it_is_folded(model):
    loss = sum(model([0.1 * k, 1.0]) for k in range(100))
    drawing = draw(loss)
    assert "folded by neuron" in drawing.note
    assert drawing.note.split(".")[0] in drawing.dot
    assert draw(loss, level="scalar").note == ""


def test_what_is_refused(model):
    with pytest.raises(TypeError, match=r"draw takes a Value, a sequence of Values.*got 3.0"):
        draw(3.0)
    with pytest.raises(TypeError, match=r"got \[1.0\]"):
        draw([1.0])
    with pytest.raises(ValueError, match=r"draw takes a Value.*got \[\]"):
        draw([])
    with pytest.raises(TypeError, match=r"drawn at one input: draw\(model, x\); got no x for MLP"):
        draw(model)
    with pytest.raises(TypeError, match=r"goes with a network, draw\(model, x\); got Value"):
        draw(Value(1.0), [1.0])
    with pytest.raises(ValueError, match="takes 2 inputs, got 1"):
        draw(model, [1.0])
