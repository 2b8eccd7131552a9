"""Optimisers and losses beside torch: 50 steps of the same descent agree to 1e-12 in float64."""

import math

import pytest
import torch

from micrograd_mlp import Value, losses, ops, optim

STEPS = 50
START = [1.5, -0.7, 0.3]

CASES = [
    ("SGD", {"lr": 0.02}),
    ("SGD", {"lr": 0.02, "momentum": 0.9}),
    ("SGD", {"lr": 0.005, "momentum": 0.9, "nesterov": True}),
    ("SGD", {"lr": 0.02, "momentum": 0.5, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.05}),
    ("Adam", {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-6, "weight_decay": 0.1}),
    ("AdamW", {"lr": 0.05}),
    ("AdamW", {"lr": 0.05, "weight_decay": 0.3}),
    ("RMSprop", {"lr": 0.02}),
    ("RMSprop", {"lr": 0.02, "alpha": 0.9, "momentum": 0.9, "weight_decay": 0.1}),
]


def valley(x, y, z):
    """A curved valley with a wave in it, from operations that both sides have."""
    return (1 - x) ** 2 + 5 * (y - x * x) ** 2 + (z * y).tanh() + z * z


def ours(optimizer, parameters):
    for _ in range(STEPS):
        optimizer.zero_grad()
        valley(*parameters).backward()
        optimizer.step()
        yield [p.data for p in parameters]


def theirs(optimizer, parameters, scheduler=None):
    for _ in range(STEPS):
        optimizer.zero_grad()
        valley(*parameters).backward()
        optimizer.step()
        if scheduler:
            scheduler.step()
        yield [p.item() for p in parameters]


def tensors():
    return [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in START]


@pytest.mark.parametrize(("name", "options"), CASES)
def test_trajectories(name, options):
    values, twins = [Value(x) for x in START], tensors()
    pairs = zip(
        ours(getattr(optim, name)(values, **options), values),
        theirs(getattr(torch.optim, name)(twins, **options), twins),
        strict=True,
    )
    for step, (mine, reference) in enumerate(pairs):
        assert mine == pytest.approx(reference, rel=1e-12), step
    assert math.dist(mine, START) > 0.1  # it went somewhere


@pytest.mark.parametrize(
    ("schedule", "scheduler"),
    [
        (optim.linear(30, end=0.1), lambda o: torch.optim.lr_scheduler.LinearLR(o, 1.0, 0.1, 30)),
        (optim.cosine(STEPS), lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, STEPS)),
        (optim.stepwise(10, factor=0.5), lambda o: torch.optim.lr_scheduler.StepLR(o, 10, 0.5)),
        (optim.constant(), lambda o: torch.optim.lr_scheduler.ConstantLR(o, 1.0)),
    ],
)
@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_trajectories_under_schedules(name, schedule, scheduler):
    values, twins = [Value(x) for x in START], tensors()
    reference = getattr(torch.optim, name)(twins, lr=0.02)
    pairs = zip(
        ours(getattr(optim, name)(values, lr=0.02, schedule=schedule), values),
        theirs(reference, twins, scheduler(reference)),
        strict=True,
    )
    for step, (mine, other) in enumerate(pairs):
        assert mine == pytest.approx(other, rel=1e-12), step


def both(loss, reference, scores):
    """Return value and gradients of a loss of `scores`, ours and torch's."""
    values, twins = [Value(s) for s in scores], torch.tensor(scores, dtype=torch.float64, requires_grad=True)
    out, other = loss(values), reference(twins)
    out.backward()
    other.backward()
    return [out.data, *(v.grad for v in values)], [other.item(), *twins.grad.tolist()]


@pytest.mark.parametrize("scores", [[0.3], [-2.0], [800.0], [-800.0], [0.0]])
@pytest.mark.parametrize("target", [0.0, 1.0])
def test_binary_cross_entropy(scores, target):
    function = torch.nn.functional.binary_cross_entropy_with_logits
    mine, reference = both(
        lambda z: losses.binary_cross_entropy(z[0], target),
        lambda z: function(z, torch.tensor([target], dtype=torch.float64)),
        scores,
    )
    assert mine == pytest.approx(reference, rel=1e-12, abs=1e-300)


@pytest.mark.parametrize("scores", [[0.3, -1.0, 2.0], [800.0, -800.0, 0.0], [5.0, 5.0, 5.0]])
@pytest.mark.parametrize("target", [0, 1, 2])
def test_cross_entropy(scores, target):
    mine, reference = both(
        lambda z: losses.cross_entropy(z, target),
        lambda z: torch.nn.functional.cross_entropy(z[None], torch.tensor([target])),
        scores,
    )
    assert mine == pytest.approx(reference, rel=1e-12, abs=1e-15)


def test_hinge_and_squared_error():
    targets = [1.0, -1.0, 1.0]
    signs = torch.tensor(targets, dtype=torch.float64)
    mine, reference = both(
        lambda z: losses.mean(map(losses.hinge, z, targets)), lambda z: (1 - signs * z).relu().mean(), [0.3, -1.5, 1.0]
    )
    assert mine == pytest.approx(reference, rel=1e-12)
    mine, reference = both(
        lambda z: losses.mean_squared_error(z, targets), lambda z: ((z - signs) ** 2).mean(), [0.3, -1.5, 1.0]
    )
    assert mine == pytest.approx(reference, rel=1e-12)


def test_softplus_is_not_cut_off_at_20_as_in_torch():
    assert ops.softplus(25.0) > 25.0  # torch's returns its argument there, 1e-11 less
