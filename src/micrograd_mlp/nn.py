"""Neurons, layers and networks, made of Values and nothing else."""

from __future__ import annotations

import math
import operator
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from . import ops
from .engine import Value
from .ieee import as_float
from .names import chosen

ACTIVATIONS: dict[str, tuple[Callable[[Any], Any], str, str]] = {  # function, name in a repr, initialisation fit for it
    "relu": (ops.relu, "ReLU", "he"),
    "leaky_relu": (ops.leaky_relu, "LeakyReLU", "he"),
    "tanh": (ops.tanh, "TanH", "lecun"),
    "sigmoid": (ops.sigmoid, "Sigmoid", "lecun"),
    "sin": (ops.sin, "Sin", "he"),
    "linear": (lambda a: a, "Linear", "lecun"),
}
INITS: dict[str, Callable[[int], float]] = {  # r(n_in): weights are drawn from [-r, r]. He 2015; LeCun 1998; micrograd
    "he": lambda n_in: math.sqrt(6 / n_in),
    "lecun": lambda n_in: math.sqrt(3 / n_in),
    "uniform": lambda n_in: 1.0,
}


class Module:
    """Anything that has parameters: Values, lists of them, or further Modules, in its attributes."""

    def named_parameters(self) -> Iterator[tuple[str, Value]]:
        """Yield (name, Value) for every parameter, named by its place: `layers[0].neurons[3].w[1]`."""
        for name, attribute in vars(self).items():
            yield from _named(attribute, name)

    def parameters(self) -> list[Value]:
        """Return every parameter once, shared ones too; a subclass may override this, as in micrograd."""
        return list(dict.fromkeys(parameter for _, parameter in self.named_parameters()))

    def zero_grad(self) -> None:
        """Set the gradient of every parameter to 0."""
        for parameter in self.parameters():
            parameter.grad = 0

    def freeze(self, frozen: bool = True) -> None:
        """Let optimisers leave the parameters of this module as they are. Their gradients are still computed."""
        for parameter in self.parameters():
            parameter.frozen = frozen

    def unfreeze(self) -> None:
        """Let optimisers change the parameters of this module again."""
        self.freeze(False)

    def state_dict(self) -> dict[str, float]:
        """Return the number in each parameter by its name."""
        return {name: parameter.data for name, parameter in self.named_parameters()}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Set each parameter to the number under its name. ValueError, and nothing set, if the names differ."""
        own = dict(self.named_parameters())
        missing, unknown = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
        if missing or unknown:
            raise ValueError(f"the state does not fit this model: missing {missing[:3]}, unknown {unknown[:3]}")
        numbers = {name: as_float(state[name]) for name in own}
        for name, parameter in own.items():
            parameter.data = numbers[name]


def _named(thing: Any, name: str) -> Iterator[tuple[str, Value]]:
    if isinstance(thing, Value):
        yield name, thing
    elif isinstance(thing, Module):
        yield from ((f"{name}.{inner}", value) for inner, value in thing.named_parameters())
    elif isinstance(thing, list | tuple):
        for index, item in enumerate(thing):
            yield from _named(item, f"{name}[{index}]")


class Neuron(Module):
    """activation(b + sum of w[i] * x[i]) over `nin` inputs, with weights drawn from `rng` by `init` and b = 0."""

    def __init__(self, nin: int, nonlin: bool = True, activation: str = "relu", rng: Any = random, init: str = ""):
        if not hasattr(nin, "__index__") or nin < 1:
            raise ValueError(f"a Neuron takes a whole number of inputs, at least 1; got nin={nin!r}")
        self.nonlin, self.activation = nonlin, activation if nonlin else "linear"
        fit = chosen(self.activation, ACTIVATIONS, "activation")[2]
        bound = chosen(init or fit, INITS, "init")(nin)
        self.w = [Value(rng.uniform(-bound, bound), label=f"w[{i}]") for i in range(nin)]
        self.b = Value(0.0, label="b")

    def __call__(self, x: Any) -> Any:
        """Return the output for `x`, a sequence of `nin` numbers or Values; ValueError for another length."""
        if len(x) != len(self.w):
            raise ValueError(f"{self!r} takes {len(self.w)} inputs, got {len(x)}: {x!r}")
        return ACTIVATIONS[self.activation][0](sum(map(operator.mul, self.w, x), self.b))

    def __repr__(self) -> str:
        return f"{ACTIVATIONS[self.activation][1]}Neuron({len(self.w)})"


class Layer(Module):
    """`nout` neurons side by side over the same `nin` inputs; `options` are those of Neuron."""

    def __init__(self, nin: int, nout: int, **options: Any) -> None:
        if not hasattr(nout, "__index__") or nout < 1:
            raise ValueError(f"a Layer has a whole number of neurons, at least 1; got nout={nout!r}")
        self.neurons = [Neuron(nin, **options) for _ in range(nout)]

    def __call__(self, x: Any) -> Any:
        """Return the list of outputs, or as in micrograd the only one; a single number or Value is one input."""
        x = x if hasattr(x, "__len__") else [x]
        out = [neuron(x) for neuron in self.neurons]
        return out[0] if len(out) == 1 else out

    def __repr__(self) -> str:
        return f"Layer of [{', '.join(map(str, self.neurons))}]"


class MLP(Module):
    """A multilayer perceptron: layers of `nouts` neurons one after the other, over `nin` inputs, the last one linear.

    `activation` is one name for all hidden layers, or a list with a name for each layer, the last included.
    """

    def __init__(self, nin: int, nouts: Sequence[int], activation: str | Sequence[str] = "relu", **options: Any):
        if isinstance(nouts, int) or len(nouts) == 0:
            raise ValueError(f"nouts is a list with the size of each layer, at least one; got {nouts!r}")
        if isinstance(activation, str):
            chosen(activation, ACTIVATIONS, "activation")  # a single layer would not ask for it
        names = [activation] * (len(nouts) - 1) + ["linear"] if isinstance(activation, str) else list(activation)
        if len(names) != len(nouts):
            raise ValueError(f"an MLP of {len(nouts)} layers takes as many activations, got {len(names)}: {names}")
        plan = zip([nin, *nouts[:-1]], nouts, names, strict=True)
        self.layers = [Layer(i, o, activation=name, nonlin=name != "linear", **options) for i, o, name in plan]
        for name, parameter in self.named_parameters():
            parameter.label = name

    def __call__(self, x: Any) -> Any:
        """Return what the last layer makes of `x`: a list of Values, or one Value if it has one neuron."""
        for layer in self.layers:
            x = layer(x)
        return x

    def __repr__(self) -> str:
        return f"MLP of [{', '.join(map(str, self.layers))}]"
