"""Which trials a sweep makes, in which order, by what came of those before."""

import pytest

from micrograd_mlp.options import SweepOptions
from micrograd_mlp.sweeps.searches import MOST_TRIALS, Rung, Search, halving
from micrograd_mlp.sweeps.space import Space

FIXED = {"epochs": 9, "samples": 40}


def search(space, **settings):
    return Search.of(Space.of(FIXED | space), SweepOptions(**settings))


def first_ones(rung, count):
    return list(range(1, count + 1))


def test_a_grid_makes_each_configuration_with_each_seed():
    made = search({"hidden": "4/8", "lr": "0.1/0.2", "seed": 5}, seeds=2)
    (trials,) = made.stages(first_ones)
    assert made.total == len(trials) == 8
    assert [trial.number for trial in trials] == list(range(1, 9))
    assert [(trial.configuration, trial.options.seed) for trial in trials[:3]] == [(1, 5), (1, 6), (2, 5)]
    assert [(trial.options.hidden, trial.options.lr) for trial in trials[::2]] == [
        ((4,), 0.1), ((4,), 0.2), ((8,), 0.1), ((8,), 0.2),
    ]  # fmt: skip
    assert {trial.options.epochs for trial in trials} == {9}


def test_a_random_search_makes_as_many_as_it_is_told():
    made = search({"lr": "0.01..1"}, search="random", trials=7, seeds=3)
    (trials,) = made.stages(first_ones)
    assert made.total == len(trials) == 21
    assert len({trial.options.lr for trial in trials}) == 7
    assert len(search({"lr": "0.01..1"}, search="random").configurations) == 20
    assert len(search({"hidden": "4/8"}, search="random", trials=9).configurations) == 2


@pytest.mark.parametrize(
    ("configurations", "epochs", "eta", "rungs"),
    [
        (27, 27, 3, [(27, 1), (9, 3), (3, 9), (1, 27)]),
        (20, 40, 3, [(20, 4), (6, 13), (2, 40)]),
        (8, 40, 2, [(8, 5), (4, 10), (2, 20), (1, 40)]),
        (100, 3, 3, [(100, 1), (33, 3)]),
        (2, 40, 3, [(2, 40)]),
        (9, 2, 3, [(9, 2)]),
        (1, 1, 2, [(1, 1)]),
    ],
)
def test_rungs_of_halving(configurations, epochs, eta, rungs):
    assert halving(configurations, epochs, eta) == tuple(Rung(*rung) for rung in rungs)


def test_halving_goes_on_with_the_best():
    made = search({"lr": "0.01..1"}, search="halving", trials=9, eta=3, seeds=2)
    asked = []

    def best(rung, count):
        asked.append((rung, count))
        return [8, 2, 5][:count]

    stages = list(made.stages(best))
    assert asked == [(1, 3), (2, 1)]
    assert [[trial.configuration for trial in trials] for trials in stages[1:]] == [[2, 2, 5, 5, 8, 8], [8, 8]]
    assert [{trial.options.epochs for trial in trials} for trials in stages] == [{1}, {3}, {9}]
    numbers = [trial.number for trials in stages for trial in trials]
    assert numbers == list(range(1, made.total + 1))
    assert stages[2][0].options.lr == stages[0][14].options.lr


@pytest.mark.parametrize(
    ("space", "settings", "message"),
    [
        ({"lr": "0.1..1"}, {}, r"^a grid takes values for lr"),
        ({"batch": "1..9", "lr": "0.1/1"}, {"seeds": 1000}, r"^a grid takes values for batch"),
        ({"epochs": "3/9"}, {"search": "halving"}, r"^epochs takes one number in a halving search, that of the last"),
        ({"seed": 2**32 - 2}, {"seeds": 3}, r"^seeds takes as many as there are from seed 4294967294 to 4294967295$"),
        (
            {"lr": "0.1..1"},
            {"search": "random", "trials": 10**5, "seeds": 2},
            r"would make 200,000 trials; at most 100,",
        ),
        (
            {"lr": "/".join(map(str, range(1, 400))), "l2": "/".join(map(str, range(1, 400)))},
            {},
            r"^this sweep would make 159,201 trials; at most 100,000 are made$",
        ),
        ({"hidden": "4/4,4", "activation": "tanh,sin"}, {}, r"^hidden 4: activation takes one name"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_wrong_is_said_before_the_first_trial(space, settings, message):
    assert MOST_TRIALS == 100_000
    with pytest.raises(ValueError, match=message):
        search(space, **settings)
