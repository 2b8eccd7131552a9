"""Losses against their definitions in plain arithmetic, and at the edges where naive forms fail."""

import math

import pytest

from micrograd_mlp import Value, grad, losses
from micrograd_mlp.losses import LOSSES


def test_hinge_is_zero_beyond_the_margin_and_linear_before_it():
    assert losses.hinge(2.0, 1.0) == 0.0
    assert losses.hinge(-0.5, 1.0) == 1.5
    score = Value(0.25)
    losses.hinge(score, -1.0).backward()
    assert score.grad == 1.0


@pytest.mark.parametrize("target", [0.0, 1.0])
@pytest.mark.parametrize("logit", [-3.0, -0.1, 0.0, 0.7, 5.0])
def test_binary_cross_entropy_is_minus_the_log_of_the_probability(logit, target):
    probability = 1 / (1 + math.exp(-logit))
    expected = -math.log(probability if target else 1 - probability)
    assert losses.binary_cross_entropy(logit, target) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(("logit", "target", "loss", "slope"), [(800, 1, 0, 0), (800, 0, 800, 1), (-800, 1, 800, -1)])
def test_binary_cross_entropy_is_exact_where_probabilities_are_0_or_1(logit, target, loss, slope):
    logit = Value(logit)
    out = losses.binary_cross_entropy(logit, target)
    out.backward()
    assert (out.data, logit.grad) == (loss, slope)


def test_cross_entropy_has_the_gradient_softmax_minus_one_hot():
    logits = [Value(z) for z in (0.3, -1.2, 2.0)]
    losses.cross_entropy(logits, 1).backward()
    powers = [math.exp(z.data) for z in logits]
    for k, (z, power) in enumerate(zip(logits, powers, strict=True)):
        assert z.grad == pytest.approx(power / sum(powers) - (k == 1), rel=1e-14)


@pytest.mark.parametrize(("target", "loss"), [(0, 0.0), (1, 1600.0)])
def test_cross_entropy_is_exact_at_800(target, loss):
    logits = [Value(800.0), Value(-800.0)]
    out = losses.cross_entropy(logits, target)
    out.backward()
    assert out.data == loss
    assert [z.grad for z in logits] == ([0.0, 0.0] if target == 0 else [1.0, -1.0])


def test_cross_entropy_takes_an_index_that_is_no_int_as_well():
    logits = [0.3, -1.2, 2.0]
    assert losses.cross_entropy(logits, 2.0) == pytest.approx(losses.cross_entropy(logits, 2), rel=1e-15)


@pytest.mark.parametrize("target", [-1, 3])
def test_cross_entropy_refuses_a_class_that_is_not_there(target):
    with pytest.raises(ValueError, match=rf"^target is a class in range\(3\), got {target}$"):
        losses.cross_entropy([0.0, 0.0, 0.0], target)


def test_cross_entropy_differentiates_twice():
    logits = [Value(z) for z in (0.3, -1.2)]
    first = grad(losses.cross_entropy(logits, 0), logits)
    p = 1 / (1 + math.exp(-1.5))
    assert float(grad(first[0], logits[0])) == pytest.approx(p * (1 - p), rel=1e-13)  # the Hessian of log-sum-exp


def test_mean_squared_error_and_mean():
    assert losses.mean_squared_error([1.0, 2.0], [0.0, 4.0]) == 2.5
    with pytest.raises(ValueError, match="longer"):
        losses.mean_squared_error([1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match=r"^mean takes at least one value, got none$"):
        losses.mean([])
    assert losses.total([]) == 0.0


def test_the_losses_of_a_prediction():
    assert losses.REGRESSION["squared_error"](3.0, 1.0) == 2.0
    assert losses.REGRESSION["absolute_error"](1.0, 3.0) == 2.0
    prediction = Value(3.0)
    losses.REGRESSION["squared_error"](prediction, 1.0).backward()
    assert prediction.grad == 2.0
    losses.absolute_error(prediction, 1.0).backward()
    assert prediction.grad == 3.0


def test_penalties():
    parameters = [Value(-2.0), Value(0.0), Value(3.0)]
    assert losses.l1(parameters).data == 5.0
    assert losses.l2(parameters).data == 13.0
    losses.l1(parameters).backward()
    assert [p.grad for p in parameters] == [-1.0, 0.0, 1.0]


@pytest.mark.parametrize("name", LOSSES)
def test_every_named_loss_is_smallest_for_scores_that_are_right(name):
    right = LOSSES[name]([-1.0, 1.0, -1.0], 1)
    wrong = LOSSES[name]([1.0, -1.0, -1.0], 1)
    assert right < wrong
    assert LOSSES[name](1.0, 1) < LOSSES[name](-1.0, 1)
    assert LOSSES[name](-1.0, 0) < LOSSES[name](1.0, 0)


def test_one_score_and_two_scores_mean_the_same_in_cross_entropy():
    assert LOSSES["cross_entropy"](0.7, 1) == pytest.approx(losses.cross_entropy([0.0, 0.7], 1), rel=1e-15)


def test_the_absolute_error():
    prediction = Value(-1.5)
    loss = losses.absolute_error(prediction, 0.5)
    loss.backward()
    assert (loss.data, prediction.grad) == (2.0, -1.0)
