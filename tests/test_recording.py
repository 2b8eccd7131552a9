"""The parameters after each epoch, in bounded memory."""

import random
from itertools import pairwise

import numpy as np
import pytest

from micrograd_mlp import MLP, Recording, fit
from micrograd_mlp.datasets import moons
from micrograd_mlp.training import Epoch


def epoch(number):
    return Epoch(number, 1.0 / number, 0.5, 0.0, 0.0, 0.1)


def test_fit_fills_it():
    X, y = moons(n=20, noise=0.1, seed=0)
    model, record = MLP(2, [2, 1], rng=random.Random(0)), Recording()
    start = [parameter.data for parameter in model.parameters()]
    history = fit(model, X, y, epochs=3, record=record, engine="python")
    assert [moment.epoch for moment in record.moments] == [0, 1, 2, 3]
    assert record.moments[0].weights.tolist() == start
    assert record.moments[-1].weights.tolist() == [parameter.data for parameter in model.parameters()]
    assert [moment.loss for moment in record.moments][1:] == history.loss
    assert record.names[0] == "layers[0].neurons[0].w[0]"
    assert repr(record) == "<Recording: 4 moments of 9 parameters, epochs 0 to 3>"


def test_a_long_run_is_thinned_out_and_keeps_both_ends():
    model, record = MLP(1, [1]), Recording(most=10)
    record.begin(model)
    for number in range(1, 1001):
        model.parameters()[0].data = float(number)
        record(epoch(number), model)
        assert len(record.moments) <= 11
    epochs = [moment.epoch for moment in record.moments]
    assert epochs[0] == 0
    assert epochs[-1] == 1000
    assert len(epochs) >= 5
    assert all(moment.weights[0] == moment.epoch for moment in record.moments[1:])
    steps = {b - a for a, b in pairwise(epochs[:-1])}
    assert len(steps) == 1  # evenly spread


def test_as_a_callback_it_begins_with_the_first_epoch():
    model, record = MLP(1, [1]), Recording()
    record(epoch(1), model)
    record(epoch(2), model)
    assert [moment.epoch for moment in record.moments] == [1, 2]


def test_a_new_run_begins_anew():
    model, record = MLP(1, [1]), Recording()
    for _ in range(2):
        record.begin(model)
        record(epoch(1), model)
    assert [moment.epoch for moment in record.moments] == [0, 1]
    assert repr(Recording()) == "<Recording: 0 moments of 0 parameters, nothing yet>"


def test_too_few_moments_are_refused():
    with pytest.raises(ValueError, match="at least 2 moments, the start and the latest; got most=1"):
        Recording(most=1)


@pytest.mark.parametrize("epochs", [np.array([0.0, np.inf]), np.array([0.0, 1.0])])
def test_epochs_that_are_no_whole_numbers_are_refused(epochs):
    model, record = MLP(1, [1]), Recording()
    record.begin(model)
    state = {"stride": 1, "kept": 2, "epochs": epochs, "losses": np.zeros(2), "weights": np.zeros((2, 2))}
    with pytest.raises(ValueError, match="the epochs of a recording are whole numbers, got float64"):
        record.load_state_dict(state)
    record.load_state_dict(state | {"epochs": epochs.astype(bool).astype(int)})
    assert [moment.epoch for moment in record.moments] == [0, 1]
