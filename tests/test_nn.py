import copy
import math
import random
import re

import numpy as np
import pytest

from micrograd_mlp import MLP, Layer, Module, Neuron, Value, grad, ops
from micrograd_mlp.nn import ACTIVATIONS, INITS


def rng(seed=0):
    return random.Random(seed)


# --- what they compute


def test_a_neuron_is_its_formula():
    neuron = Neuron(3, activation="tanh", rng=rng())
    neuron.b.data = 0.25
    x = [0.5, -1.0, 2.0]
    expected = math.tanh(0.25 + sum(w.data * xi for w, xi in zip(neuron.w, x, strict=True)))
    assert neuron(x).data == pytest.approx(expected, rel=1e-15)
    assert neuron(list(map(Value, x))).data == neuron(np.array(x)).data == neuron(tuple(x)).data == neuron(x).data


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_is_applied_in_hidden_layers_only(name):
    model = MLP(2, [2, 1], activation=name, rng=rng())
    for parameter in model.parameters():
        parameter.data -= 0.3
    function = ACTIVATIONS[name][0]
    x = [0.4, -0.7]
    (first, second), (last,) = (layer.neurons for layer in model.layers)
    hidden = [function(n.w[0].data * x[0] + n.w[1].data * x[1] + n.b.data) for n in (first, second)]
    expected = last.w[0].data * hidden[0] + last.w[1].data * hidden[1] + last.b.data
    assert model(x).data == pytest.approx(expected, rel=1e-14)


def test_activations_by_layer():
    model = MLP(2, [3, 2, 1], activation=["sin", "leaky_relu", "sigmoid"])
    assert [layer.neurons[0].activation for layer in model.layers] == ["sin", "leaky_relu", "sigmoid"]
    assert 0.0 < model([1.0, 2.0]).data < 1.0


def test_outputs_are_one_value_or_a_list():
    assert isinstance(MLP(2, [3, 1])([1.0, 2.0]), Value)
    assert [out.__class__ for out in MLP(2, [3, 2])([1.0, 2.0])] == [Value, Value]
    assert isinstance(Layer(2, 1)([1.0, 2.0]), Value)
    assert len(Layer(2, 4)([1.0, 2.0])) == 4


@pytest.mark.parametrize("sizes", [[1], [1, 1], [16, 1, 1], [1, 3, 1, 2]])
def test_hidden_layers_of_one_neuron(sizes):
    model = MLP(2, sizes, activation="tanh", rng=rng())
    out = model([0.5, -0.5])
    total = sum(out) if isinstance(out, list) else out
    total.backward()
    assert all(parameter.grad != 0 for parameter in model.layers[0].neurons[0].w)


@pytest.mark.parametrize("one", [2.0, 2, np.float64(2.0), Value(2.0), [2.0], np.array([2.0])])
def test_a_model_of_one_input_takes_a_number(one):
    model = MLP(1, [2, 1], rng=rng(1))
    assert model(one).data == model([2.0]).data


def test_a_layer_takes_the_output_of_a_layer_of_one_neuron():
    first, second = Layer(3, 1, rng=rng()), Layer(1, 2, rng=rng(1))
    assert len(second(first([1.0, 2.0, 3.0]))) == 2


def test_gradients_of_a_network_against_differences():
    model = MLP(2, [3, 2, 1], activation=["tanh", "sigmoid", "sin"], rng=rng(3))

    def loss():
        return (model([0.3, -0.8]) - 0.7) ** 2 + 0.01 * sum(p * p for p in model.parameters())

    loss().backward()
    for parameter in model.parameters():
        kept, h = parameter.data, 1e-5
        parameter.data = kept + h
        above = loss().data
        parameter.data = kept - h
        below = loss().data
        parameter.data = kept
        assert parameter.grad == pytest.approx((above - below) / (2 * h), rel=1e-6, abs=1e-9)


# --- how they look


def test_reprs_are_those_of_micrograd():
    assert repr(Neuron(2)) == "ReLUNeuron(2)"
    assert repr(Neuron(2, nonlin=False)) == "LinearNeuron(2)"
    assert repr(Neuron(5, activation="tanh")) == "TanHNeuron(5)"
    assert repr(Layer(2, 2)) == "Layer of [ReLUNeuron(2), ReLUNeuron(2)]"
    assert repr(MLP(2, [2, 1])) == "MLP of [Layer of [ReLUNeuron(2), ReLUNeuron(2)], Layer of [LinearNeuron(2)]]"
    assert [repr(Neuron(1, activation=name)) for name in ACTIVATIONS] == [
        f"{what}Neuron(1)" for what in ("ReLU", "LeakyReLU", "TanH", "Sigmoid", "Sin", "Linear")
    ]


def test_nonlin_wins_over_the_activation():
    neuron = Neuron(2, False, activation="tanh")
    assert (neuron.nonlin, neuron.activation) == (False, "linear")
    assert not Layer(2, 1, nonlin=False).neurons[0].nonlin


def test_parameters_and_their_labels():
    model = MLP(2, [2, 1])
    names = [name for name, _ in model.named_parameters()]
    assert names == [
        *("layers[0].neurons[0].w[0]", "layers[0].neurons[0].w[1]", "layers[0].neurons[0].b"),
        *("layers[0].neurons[1].w[0]", "layers[0].neurons[1].w[1]", "layers[0].neurons[1].b"),
        *("layers[1].neurons[0].w[0]", "layers[1].neurons[0].w[1]", "layers[1].neurons[0].b"),
    ]
    assert [parameter.label for parameter in model.parameters()] == names
    assert len(MLP(2, [16, 16, 1]).parameters()) == 337
    assert [parameter.label for parameter in Neuron(2).parameters()] == ["w[0]", "w[1]", "b"]


def test_zero_grad():
    model = MLP(2, [2, 1], activation="tanh")
    model([1.0, 2.0]).backward()
    assert any(parameter.grad for parameter in model.parameters())
    model.zero_grad()
    assert all(parameter.grad == 0 for parameter in model.parameters())


# --- where they start


@pytest.mark.parametrize(
    ("activation", "bound"),
    [
        ("relu", math.sqrt(6 / 50)),
        ("leaky_relu", math.sqrt(6 / 50)),
        ("sin", math.sqrt(6 / 50)),
        ("tanh", math.sqrt(3 / 50)),
        ("sigmoid", math.sqrt(3 / 50)),
        ("linear", math.sqrt(3 / 50)),
    ],
)
def test_the_initialisation_fits_the_activation(activation, bound):
    weights = [w.data for n in Layer(50, 40, activation=activation, rng=rng()).neurons for w in n.w]
    assert 0.99 * bound < max(weights) <= bound
    assert -bound <= min(weights) < -0.99 * bound
    assert sum(weights) / len(weights) == pytest.approx(0.0, abs=0.05 * bound)
    assert all(n.b.data == 0.0 for n in Layer(3, 4, activation=activation).neurons)


@pytest.mark.parametrize("name", INITS)
def test_an_initialisation_can_be_chosen(name):
    weights = [w.data for layer in MLP(30, [30, 30], init=name, rng=rng()).layers for n in layer.neurons for w in n.w]
    bound = INITS[name](30)
    assert 0.95 * bound < max(map(abs, weights)) <= bound


def test_uniform_draws_what_micrograd_draws():
    random.seed(1337)
    model = MLP(2, [16, 16, 1], init="uniform")
    random.seed(1337)
    for layer in model.layers:
        for neuron in layer.neurons:
            assert [w.data for w in neuron.w] == [random.uniform(-1, 1) for _ in neuron.w]


def test_the_same_seed_gives_the_same_network():
    one, two, three = (MLP(3, [4, 1], rng=rng(seed)) for seed in (5, 5, 6))
    assert one.state_dict() == two.state_dict() != three.state_dict()
    before = random.getstate()
    MLP(3, [4, 1], rng=rng())
    assert random.getstate() == before


def test_a_generator_of_ones_own():
    class Halves:
        def uniform(self, low, high):
            return (low + high) / 2 + 0.5

    assert [w.data for w in Neuron(3, rng=Halves()).w] == [0.5] * 3


# --- state


def test_a_state_goes_over_to_another_model():
    one, two = MLP(2, [3, 1], rng=rng(1)), MLP(2, [3, 1], rng=rng(2))
    before = two.parameters()
    two.load_state_dict(one.state_dict())
    assert two.state_dict() == one.state_dict()
    assert all(a is b for a, b in zip(before, two.parameters(), strict=True))
    assert two([0.3, 0.4]).data == one([0.3, 0.4]).data
    assert all(number.__class__ is float for number in one.state_dict().values())


def test_a_state_that_does_not_fit_changes_nothing():
    model = MLP(2, [2, 1], rng=rng())
    kept = model.state_dict()
    message = (
        "the state does not fit this model: missing ['layers[0].neurons[0].b'], unknown ['layers[0].neurons[0].bias']"
    )
    wrong = {name.replace("[0].neurons[0].b", "[0].neurons[0].bias"): 9.0 for name in kept}
    with pytest.raises(ValueError, match=re.escape(message)):
        model.load_state_dict(wrong)
    with pytest.raises(ValueError, match="does not fit this model"):
        model.load_state_dict(MLP(2, [3, 1]).state_dict())
    with pytest.raises(TypeError, match="expected a number, got str: 'a'"):
        model.load_state_dict(dict.fromkeys(kept, 9.0) | {list(kept)[-1]: "a"})
    with pytest.raises(ValueError, match=r"missing \['layers\[0\]"):
        model.load_state_dict({})
    assert model.state_dict() == kept


def test_freeze_and_unfreeze():
    model = MLP(2, [2, 1])
    model.layers[0].freeze()
    assert [p.frozen for p in model.parameters()] == [True] * 6 + [False] * 3
    model.freeze()
    assert all(p.frozen for p in model.parameters())
    model.unfreeze()
    assert not any(p.frozen for p in model.parameters())


def test_a_frozen_parameter_still_has_a_gradient():
    neuron = Neuron(1, nonlin=False)
    neuron.freeze()
    neuron([3.0]).backward()
    assert neuron.w[0].grad == 3.0


def test_a_deep_copy_is_another_model():
    model = MLP(2, [2, 1], rng=rng())
    twin = copy.deepcopy(model)
    twin.layers[0].neurons[0].b.data = 7.0
    assert model.layers[0].neurons[0].b.data == 0.0
    assert {p.label for p in twin.parameters()} == {p.label for p in model.parameters()}


# --- modules of one's own


class Residual(Module):
    def __init__(self):
        self.inner = Layer(2, 2, activation="tanh", rng=rng())
        self.scale = Value(0.5)
        self.tables = [[Value(1.0), Value(2.0)], (Value(3.0),)]
        self.name = "residual"

    def __call__(self, x):
        return [xi + self.scale * hi for xi, hi in zip(x, self.inner(x), strict=True)]


def test_a_module_finds_what_it_holds():
    module = Residual()
    names = [name for name, _ in module.named_parameters()]
    assert names[0] == "inner.neurons[0].w[0]"
    assert names[6:] == ["scale", "tables[0][0]", "tables[0][1]", "tables[1][0]"]
    sum(module([1.0, 2.0])).backward()
    assert module.scale.grad != 0
    assert Module().parameters() == []


def test_parameters_may_be_overridden_as_in_micrograd():
    class Half(Residual):
        def parameters(self):
            return [self.scale]

    module = Half()
    sum(module([1.0, 2.0])).backward()
    module.zero_grad()
    assert module.scale.grad == 0
    assert module.inner.neurons[0].b.grad != 0


def test_a_shared_parameter_is_listed_once():
    tied = Module()
    tied.head = tied.embedding = [Value(1.0), Value(2.0)]
    tied.other = Value(3.0)
    assert tied.parameters() == [*tied.head, tied.other]
    assert list(tied.state_dict()) == ["head[0]", "head[1]", "embedding[0]", "embedding[1]", "other"]


def test_a_network_can_be_differentiated_twice():
    model, x = MLP(2, [3, 1], activation="tanh", rng=rng(2)), [Value(0.1), Value(0.2)]
    slopes = grad(model(x), x)
    sum(slope * slope for slope in slopes).backward()
    assert all(w.grad != 0 for w in model.layers[0].neurons[0].w)


def test_models_never_look_at_the_data():
    class Blind(Value):
        data = property(lambda self: pytest.fail("a model read .data"))

        def __init__(self):
            pass

        @staticmethod
        def apply_op(op, *args):
            return Blind()

        __add__ = __radd__ = __mul__ = __rmul__ = lambda self, other: Blind()

    assert isinstance(MLP(2, [3, 1])([Blind(), Blind()]), Blind)
    assert isinstance(ops.tanh(Blind()), Blind)


# --- refusals


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Neuron(3)([1.0, 2.0]), "ReLUNeuron(3) takes 3 inputs, got 2: [1.0, 2.0]"),
        (lambda: MLP(2, [3, 1])([1.0, 2.0, 3.0]), "ReLUNeuron(2) takes 2 inputs, got 3: [1.0, 2.0, 3.0]"),
        (lambda: MLP(2, [3, 1])(1.0), "ReLUNeuron(2) takes 2 inputs, got 1: [1.0]"),
        (lambda: Neuron(0), "a Neuron takes a whole number of inputs, at least 1; got nin=0"),
        (lambda: Neuron("2"), "a Neuron takes a whole number of inputs, at least 1; got nin='2'"),
        (lambda: Layer(2, 0), "a Layer has a whole number of neurons, at least 1; got nout=0"),
        (lambda: MLP(2, 3), "nouts is a list with the size of each layer, at least one; got 3"),
        (lambda: MLP(2, []), "nouts is a list with the size of each layer, at least one; got []"),
        (lambda: Neuron(2, init="xavier"), "there is no init 'xavier'; there are he, lecun, uniform"),
        (
            lambda: MLP(2, [3, 1], activation="gelu"),
            "there is no activation 'gelu', did you mean 'relu'?",
        ),
        (
            lambda: MLP(2, [3, 1], activation=["tanh"]),
            "an MLP of 2 layers takes as many activations, got 1: ['tanh']",
        ),
    ],
)
def test_wrong_shapes_and_names_are_refused(make, message):
    with pytest.raises(ValueError, match="^" + re.escape(message) + "$"):
        make()
