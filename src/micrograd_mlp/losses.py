"""Losses of one sample, and what closes a batch. Made of operations, they run on numbers and on Values alike.

A score (or logit) is the raw output of a network. `LOSSES` holds what `fit` knows by name; `REGRESSION`
losses of a prediction and a number, for a network with one output.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from typing import Any

from . import ops

Number = Any  # a float, a Value, or anything else that records


def total(values: Iterable[Number]) -> Number:
    """Return the sum of `values`; 0.0 if there are none."""
    if hasattr(values, "total"):  # a batch of the compiler
        return values.total()
    values = list(values)
    return reduce(operator.add, values) if values else 0.0


def mean(values: Any) -> Number:
    """Return the arithmetic mean of `values`. Raises ValueError if there are none."""
    if hasattr(values, "total"):
        return values.mean()
    values = list(values)
    if not values:
        raise ValueError("mean takes at least one value, got none")
    return total(values) * (1.0 / len(values))


def hinge(score: Number, target: Number) -> Number:
    """Return max(0, 1 - target * score), the max-margin loss, for a `target` of -1 or +1.

    Source: Cortes and Vapnik, Support-vector networks (1995).
    """
    return ops.relu(1.0 - target * score)


def binary_cross_entropy(logit: Number, target: Number) -> Number:
    """Return -ln of the probability sigmoid(`logit`) gives to `target`, 0 or 1 (or between), in nats.

    Written as softplus(logit) - target * logit, which neither overflows nor loses digits at any logit.
    Source: Goodfellow, Bengio and Courville, Deep Learning (2016), section 6.2.2.2.
    """
    return ops.softplus(logit) - target * logit


def squared_error(prediction: Number, target: Number) -> Number:
    """Return (prediction - target) ** 2."""
    difference = prediction - target
    return difference * difference


def absolute_error(prediction: Number, target: Number) -> Number:
    """Return |prediction - target|."""
    return ops.abs(prediction - target)


def mean_squared_error(predictions: Sequence[Number], targets: Sequence[Number]) -> Number:
    """Return the mean of the squared errors; ValueError if the lengths differ or are 0."""
    return mean(squared_error(prediction, target) for prediction, target in zip(predictions, targets, strict=True))


def cross_entropy(logits: Sequence[Number], target: Number) -> Number:
    """Return -ln softmax(logits)[target], in nats.

    `logits` holds one score per class; `target` is the index of the true class. The largest score is subtracted
    first, so no exponential overflows. Raises ValueError if an integer `target` is not in range(len(logits)).
    Source: Goodfellow, Bengio and Courville, Deep Learning (2016), section 6.2.2.3.
    """
    if isinstance(target, int):
        if not 0 <= target < len(logits):
            raise ValueError(f"target is a class in range({len(logits)}), got {target}")
        chosen = logits[target]
    else:  # an index that is known only later
        chosen = total(ops.equal(target, float(k)) * logit for k, logit in enumerate(logits))
    largest = ops.detach(reduce(ops.maximum, logits))
    return ops.log(total(ops.exp(logit - largest) for logit in logits)) + largest - chosen


def l1(parameters: Iterable[Number]) -> Number:
    """Return the sum of absolute values: the lasso penalty. Source: Tibshirani (1996)."""
    return total(ops.abs(parameter) for parameter in parameters)


def l2(parameters: Iterable[Number]) -> Number:
    """Return the sum of squares: the ridge penalty. Source: Hoerl and Kennard (1970)."""
    return total(parameter * parameter for parameter in parameters)


def _one_against_rest(loss: Callable[[Number, Number], Number], no: float) -> Callable[[Any, Number], Number]:
    """Return a loss over classes from one over yes (1) and `no`: of one score for two classes, else of one for each."""

    def sample_loss(scores: Any, target: Number) -> Number:
        if not isinstance(scores, list):
            return loss(scores, no + (1.0 - no) * target)
        return total(loss(score, no + (1.0 - no) * ops.equal(target, float(k))) for k, score in enumerate(scores))

    return sample_loss


def _softmax_loss(scores: Any, target: Number) -> Number:
    return cross_entropy(scores, target) if isinstance(scores, list) else binary_cross_entropy(scores, target)


LOSSES: dict[str, Callable[[Any, Number], Number]] = {
    "hinge": _one_against_rest(hinge, no=-1.0),
    "bce": _one_against_rest(binary_cross_entropy, no=0.0),
    "mse": _one_against_rest(squared_error, no=-1.0),
    "cross_entropy": _softmax_loss,
}

REGRESSION: dict[str, Callable[[Number, Number], Number]] = {
    "squared_error": lambda prediction, target: 0.5 * squared_error(prediction, target),
    "absolute_error": absolute_error,
}
