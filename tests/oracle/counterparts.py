"""What each row of the table is called elsewhere. Where a choice had to be made, it is said here."""

import autograd.numpy as anp
import torch
from autograd.scipy.special import expit

torch.set_num_threads(1)  # the machine may be shared, and the tensors are small


def prelu(a, b):
    """F.leaky_relu takes its slope as a fixed number; prelu has a gradient by it too, but takes one slope at a time."""
    if b.numel() == 1:
        return torch.nn.functional.prelu(a.reshape(1, 1), b.reshape(1)).reshape(a.shape)
    return torch.stack([prelu(x, y) for x, y in zip(a, b, strict=True)])


TORCH = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "neg": torch.neg,
    "pow": torch.pow,
    "exp": torch.exp,
    "expm1": torch.expm1,
    "log": torch.log,
    "log1p": torch.log1p,
    "sqrt": torch.sqrt,
    "sin": torch.sin,
    "cos": torch.cos,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softplus": lambda a: torch.logaddexp(a, torch.zeros_like(a)),  # F.softplus is a itself from 20 on
    "relu": torch.relu,
    "leaky_relu": prelu,
    "abs": torch.abs,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "step": lambda a: (a > 0).double(),  # heaviside needs a value at 0, and has no gradient
    "equal": lambda a, b: (a == b).double(),  # has no gradient either
    "where": lambda a, b, c: torch.where(a != 0, b, c),
    "detach": torch.detach,
}

AUTOGRAD = {
    "add": anp.add,
    "sub": anp.subtract,
    "mul": anp.multiply,
    "div": anp.true_divide,
    "neg": anp.negative,
    "pow": anp.power,
    "exp": anp.exp,
    "expm1": anp.expm1,
    "log": anp.log,
    "log1p": anp.log1p,
    "sqrt": anp.sqrt,
    "sin": anp.sin,
    "cos": anp.cos,
    "tanh": anp.tanh,
    "sigmoid": expit,
    "softplus": lambda a: anp.logaddexp(a, 0.0),
    "relu": lambda a: anp.maximum(a, 0.0),  # at the kink its slope is 1/2, ours and PyTorch's 0
    "leaky_relu": lambda a, b: anp.where(a > 0, a, b * a),
    "abs": anp.abs,
    "maximum": anp.maximum,
    "minimum": anp.minimum,
    "where": lambda a, b, c: anp.where(a != 0, b, c),
}
