"""What a sweep tries: one text for several values, wherever it is given, and draws that anybody can repeat."""

import math
import random

import numpy as np
import pytest

from micrograd_mlp.options import SEARCHED, Options
from micrograd_mlp.sweeps.space import BY_FACTORS, BY_STEPS, Between, Space, describe, text_of


def test_slashes_part_values_and_commas_stay_in_them():
    space = Space.of({"hidden": "16, 16/32/none", "activation": "tanh/relu", "lr": " 0.1 / 1e-2", "seed": "3"})
    assert space.varied == {
        "hidden": ((16, 16), (32,), ()),
        "activation": (("tanh",), ("relu",)),
        "lr": (0.1, 0.01),
    }
    assert space.fixed == {"seed": 3}
    assert (space.size, len(list(space.grid()))) == (12, 12)


@pytest.mark.parametrize(
    ("listed", "text"),
    [
        ({"lr": [0.1, 0.01]}, {"lr": "0.1/0.01"}),
        ({"lr": (0.1, "0.001..0.01")}, {"lr": "0.1/0.001..0.01"}),
        ({"lr": np.array([0.5, 0.25])}, {"lr": "0.5/0.25"}),
        ({"batch": range(1, 4)}, {"batch": "1/2/3"}),
        ({"optimizer": ["adam", "sgd"], "batch": [7]}, {"optimizer": "adam/sgd", "batch": 7}),
        ({"hidden": [[16], [32, 32], []]}, {"hidden": "16/32,32/none"}),
        ({"hidden": [16, 16]}, {"hidden": "16,16"}),
        ({"hidden": np.array([16, 8])}, {"hidden": "16,8"}),
        (
            {"hidden": [4, 4], "activation": [["tanh"], ["sin", "tanh"]]},
            {"hidden": "4,4", "activation": "tanh/sin,tanh"},
        ),
    ],
    ids=str,
)
def test_a_list_is_several_values_as_slashes_are(listed, text):
    assert Space.of(listed) == Space.of(text)


def test_one_value_is_what_it_is_in_a_training_run():
    given = {"hidden": [8, 4], "activation": "tanh,relu", "lr": 0.1, "batch": 7}
    space = Space.of(given)
    assert (space.varied, list(space.grid())) == ({}, [()])
    assert space.options(()) == Options.of(given)


def test_a_grid_changes_the_last_option_first():
    grid = [describe(values) for values in Space.of({"lr": "0.1/0.2", "hidden": "4/5,6"}).grid()]
    assert grid == ["hidden 4, lr 0.1", "hidden 4, lr 0.2", "hidden 5,6, lr 0.1", "hidden 5,6, lr 0.2"]


def test_draws_come_from_the_seed_and_are_all_different():
    space = Space.of({"hidden": "4/8", "lr": "0.001..0.1", "batch": "1..3"})
    draws = space.draws(50, random.Random(0))
    assert draws == space.draws(50, random.Random(0))
    assert draws != space.draws(50, random.Random(1))
    assert len(set(draws)) == 50
    assert {dict(values)["batch"] for values in draws} == {1, 2, 3}
    assert all(0.001 <= dict(values)["lr"] <= 0.1 for values in draws)
    assert space.options(draws[0]).lr == dict(draws[0])["lr"]


def test_rates_are_drawn_by_factors_with_three_digits():
    drawn = [Between(1e-6, 1.0, whole=False).draw(random.Random(seed)) for seed in range(2000)]
    assert sum(number < 1e-3 for number in drawn) == pytest.approx(1000, abs=100)
    assert all(float(f"{number:.3g}") == number for number in drawn)


def test_the_ends_of_a_range_are_not_left_by_rounding():
    between = Between(0.12345, 0.12349, whole=False)
    assert all(between.low <= between.draw(random.Random(seed)) <= between.high for seed in range(20))


def test_draws_end_where_there_is_no_more():
    assert len(Space.of({"hidden": "4/8", "batch": "1..3"}).draws(100, random.Random(0))) == 6
    assert Space.of({"lr": "0.1..0.2"}).size == math.inf


def test_a_range_may_stand_among_values():
    space = Space.of({"l2": "0/1e-4..1e-2"})
    drawn = {dict(values)["l2"] for values in space.draws(30, random.Random(0))}
    assert 0.0 in drawn
    assert all(number == 0 or 1e-4 <= number <= 1e-2 for number in drawn)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"lr": "0.1/x"}, r"^lr takes a number above 0, got 'x'$"),
        ({"lr": "0.1//0.2"}, r"^lr takes a number above 0, got ''$"),
        ({"lr": [0.1, 0.1]}, r"^lr takes different values; 0.1 is there twice$"),
        ({"lr": []}, r"^lr takes a number above 0, got \[\]$"),
        ({"lr": [0.1, [0.2]]}, r"^lr takes a number above 0, got \[0.2\]$"),
        ({"seed": [1, 2]}, r"^seed takes a whole number from 0 to 4294967295, got \[1, 2\]$"),
        ({"lr": "0.1/0.1"}, r"^lr takes different values; 0.1 is there twice$"),
        ({"hidden": "4/4.0"}, r"^hidden takes different values; 4 is there twice$"),
        (
            {"lr": "0.2..0.1"},
            r"^lr takes a range from a number above 0 to a larger one, as 0.001..0.1; got '0.2..0.1'$",
        ),
        ({"l2": "0..0.1"}, r"^l2 takes a range from a number above 0 to a larger one, as 0.001..0.1; got '0..0.1'$"),
        ({"lr": "0.1.."}, r"^lr takes a number above 0, got ''$"),
        ({"hidden": "8..16"}, r"^hidden takes values with slashes between them; ranges are for numbers, got '8..16'$"),
        ({"seed": "1/2"}, r"^seed takes a whole number from 0 to 4294967295, got '1/2'$"),
        ({"hiden": "4"}, r"^there is no option 'hiden', did you mean 'hidden'\?$"),
        (
            {"hidden": "4/4,4", "activation": "tanh,relu/relu,tanh"},
            r"^hidden 4, activation tanh,relu: activation takes one name, or one for each of 1 hidden layers",
        ),
    ],
    ids=str,
)
def test_what_is_wrong_is_named(given, message):
    with pytest.raises(ValueError, match=message):
        _ = Space.of(given).base


def test_a_grid_has_no_ranges():
    message = (
        r"^a grid takes values for lr, such as 0.001/0.1; the range 0.001..0.1 is for a random or a halving search$"
    )
    with pytest.raises(ValueError, match=message):
        list(Space.of({"lr": "0.001..0.1"}).grid())


def test_texts_give_the_values_back():
    assert [text_of(value) for value in ((16, 8), (), 0.1, 2.0, 1e-6, 8, "tanh", None)] == [
        "16,8", "none", "0.1", "2", "1e-06", "8", "tanh", "None",
    ]  # fmt: skip
    for text in ("4/8,8/none", "0.001..0.1", "1..64"):
        name = {"4": "hidden", "0": "lr", "1": "batch"}[text[0]]
        values = Space.of({name: text}).varied[name]
        assert "/".join(map(text_of, values)) == text


def test_what_is_searched_are_options():
    assert {*BY_FACTORS, *BY_STEPS} < set(SEARCHED) < set(Options.__dataclass_fields__)
