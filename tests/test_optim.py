"""Optimisers: by hand on one step, on a problem with a known answer, and in what they refuse."""

import math

import pytest

from micrograd_mlp import Value, grad, optim
from micrograd_mlp.optim import OPTIMIZERS, SCHEDULES, SGD, Adam, AdamW, Optimizer, RMSprop


def step(optimizer, parameter, slope):
    parameter.grad = slope
    optimizer.step()
    return parameter.data


def test_sgd_goes_down_the_gradient():
    p = Value(1.0)
    assert step(SGD([p], lr=0.1), p, 2.0) == 0.8


def test_momentum_carries_on_and_nesterov_looks_ahead():
    p, q = Value(0.0), Value(0.0)
    plain, ahead = SGD([p], lr=1.0, momentum=0.5), SGD([q], lr=1.0, momentum=0.5, nesterov=True)
    assert [step(plain, p, -1.0), step(plain, p, 0.0)] == [1.0, 1.5]
    assert [step(ahead, q, -1.0), step(ahead, q, 0.0)] == [1.5, 1.75]


@pytest.mark.parametrize("slope", [1e-4, 1.0, 1e4])
def test_the_first_step_of_adam_is_lr_whatever_the_gradient(slope):
    p = Value(0.0)
    assert step(Adam([p], lr=0.01, eps=1e-30), p, slope) == pytest.approx(-0.01, rel=1e-12)


def test_adamw_decays_the_weight_itself_and_adam_its_gradient():
    p, q = Value(2.0), Value(2.0)
    assert step(AdamW([p], lr=0.1, weight_decay=0.5), p, 0.0) == pytest.approx(2.0 * (1 - 0.05), rel=1e-15)
    assert step(Adam([q], lr=0.1, weight_decay=0.5), q, 0.0) == pytest.approx(1.9, rel=1e-7)


def test_rmsprop_divides_by_the_root_mean_square():
    p = Value(0.0)
    assert step(RMSprop([p], lr=0.1, alpha=0.75), p, 4.0) == pytest.approx(-0.1 * 4 / 2, rel=1e-7)


def test_rmsprop_decays_the_gradient():
    p, q = Value(2.0), Value(2.0)
    decayed = step(RMSprop([p], lr=0.1, alpha=0.75, weight_decay=0.5), p, 3.0)
    assert decayed == step(RMSprop([q], lr=0.1, alpha=0.75), q, 4.0) < 2.0


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_each_finds_the_minimum_of_a_bowl(name):
    x, y = Value(3.0), Value(-2.0)
    rate = 0.05
    optimizer = OPTIMIZERS[name]([x, y], lr=rate, schedule=optim.linear(400))
    for _ in range(400):
        optimizer.zero_grad()
        ((x - 1) ** 2 + 4 * (y + 0.5) ** 2).backward()
        optimizer.step()
    assert x.data == pytest.approx(1.0, abs=0.02)  # AdamW's weight decay pulls a little towards 0
    assert y.data == pytest.approx(-0.5, abs=0.02)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_frozen_parameter_stays(name):
    p, q = Value(1.0), Value(1.0)
    p.frozen = True
    optimizer = OPTIMIZERS[name]([p, q], lr=0.1)
    p.grad = q.grad = 1.0
    optimizer.step()
    assert p.data == 1.0
    assert q.data < 1.0


def test_update_changes_nothing_and_runs_on_values():
    p, lr = Value(1.0), Value(0.1)
    optimizer = Adam([p], lr=0.1)
    (new,), _ = optimizer.update([p], [Value(2.0)], optimizer.memories, lr, 1)
    assert p.data == 1.0
    assert new.data == pytest.approx(0.9, rel=1e-7)
    assert float(grad(new, lr)) == pytest.approx(-1.0, rel=1e-7)  # so a step can be differentiated by its rate


def test_zero_grad():
    p = Value(1.0)
    p.grad = 5.0
    SGD([p]).zero_grad()
    assert p.grad == 0


def test_schedules():
    assert [optim.linear(4)(k) for k in range(6)] == [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
    assert [optim.cosine(2, end=0.5)(k) for k in range(4)] == pytest.approx([1.0, 0.75, 0.5, 0.5])
    assert [optim.stepwise(2, factor=0.5)(k) for k in range(5)] == [1.0, 1.0, 0.5, 0.5, 0.25]
    assert [optim.constant()(k) for k in range(3)] == [1.0, 1.0, 1.0]
    for name, schedule in SCHEDULES.items():
        assert schedule(10)(0) == 1.0, name
    p = Value(0.0)
    optimizer = SGD([p], lr=1.0, schedule=optim.linear(2))
    assert [step(optimizer, p, -1.0) for _ in range(4)] == [1.0, 1.5, 1.5, 1.5]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SGD([], lr=0.1), "SGD takes the parameters of a model, got none"),
        (lambda: SGD([Value(1)], lr=0.0), "lr is a number above 0, got 0.0"),
        (lambda: SGD([Value(1)], lr=math.nan), "lr is a number above 0, got nan"),
        (lambda: SGD([Value(1)], nesterov=True), "nesterov takes a momentum above 0, got 0; try momentum=0.9"),
        (lambda: SGD([Value(1)], momentum=1.0), "momentum is a number from 0 up to, not including, 1, got 1.0"),
        (lambda: Adam([Value(1)], betas=(0.9, 1.0)), "betas[1] is a number from 0 up to, not including, 1, got 1.0"),
        (lambda: Adam([Value(1)], eps=0.0), "eps is a number above 0, got 0.0"),
        (lambda: RMSprop([Value(1)], weight_decay=-1.0), "weight_decay is a number of at least 0, got -1.0"),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # the whole message is compared
        make()
    assert str(caught.value) == message


def test_an_optimizer_without_a_rule_says_so():
    with pytest.raises(TypeError, match=r"^Optimizer has no rule; use SGD, Adam, AdamW or RMSprop, or define one$"):
        Optimizer([Value(1.0)], lr=0.1).step()
