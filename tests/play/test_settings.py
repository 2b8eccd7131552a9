"""Every setting is checked by itself, says what is wrong with it, and goes through an address unchanged."""

import math
import re
from dataclasses import asdict, fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from micrograd_mlp.play.features import Network
from micrograd_mlp.play.settings import MOST_PARAMETERS, Settings

NAMES = [each.name for each in fields(Settings)]
ABSURD = [
    math.nan,
    math.inf,
    -math.inf,
    -1e300,
    10**400,
    None,
    True,
    [],
    {},
    [[1]],
    "x" * 100_000,
    "NaN",
    "1e999",
    b"1",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", ABSURD, ids=lambda value: f"{value!r:.12}")
def test_absurd_values_are_refused_by_name_or_made_good(name, value):
    good = name in ("show_test", "discretize") and value is True  # a truth value
    if good or (name == "hidden" and value == []):  # no hidden layers
        settings = Settings().changed({name: value})
        assert all(not isinstance(each, float) or math.isfinite(each) for each in asdict(settings).values())
    else:
        with pytest.raises(ValueError, match=f"^{name.replace('_', '-')} takes .{{,300}}$"):
            Settings().changed({name: value})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"lr": 0}, "lr takes a number from 0 to 1000 (0 excluded), got 0"),
        ({"noise": -1}, "noise takes a number from 0 to 10, got -1"),
        ({"samples": 10**9}, "samples takes a whole number from 8 to 10000, got 1000000000"),
        ({"hidden": [4, 0]}, "hidden takes a whole number from 1 to 128, got 0"),
        ({"hidden": [1] * 17}, "hidden takes at most 16 hidden layers, got 17"),
        ({"hidden": [128, 128]}, "hidden takes layers with at most 10000 weights and biases in all; 128,128 has 17025"),
        ({"features": ["x1", "x1"]}, "features takes each feature once and at least one of x1, x2, x1x1,"),
        ({"features": "x3"}, "features takes one of x1, x2, x1x1, x2x2, x1x2, sinx1, sinx2; got 'x3'"),
        (
            {"hidden": "3,3,3", "activation": "tanh,relu"},
            "activation takes one name, or one for each of 3 hidden layers",
        ),
        ({"loss": "absolute"}, "loss takes one of hinge, bce, mse, cross_entropy for classification; got 'absolute'"),
        ({"problem": "hills"}, "problem takes one of moons, circles,"),
        ({"momentum": 1}, "momentum takes a number from 0 to 1 (1 excluded), got 1"),
        ({"learning_rate": 1}, "there is no setting 'learning_rate'"),
        ({"show_test": "yes"}, "show-test takes true or false, got 'yes'"),
        ([("lr", 1)], "settings are given by name, got"),
    ],
)
def test_what_is_wrong_is_said(given, message):
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        Settings().changed(given)


def test_what_does_not_fit_any_more_follows():
    other = Settings.of({"activation": ["relu", "tanh"], "loss": "hinge"})
    assert other.changed({"hidden": [4, 2, 3]}).activation == ("relu", "tanh", "tanh")
    assert other.changed({"hidden": [4]}).activation == ("relu",)
    regression = other.changed({"kind": "regression"})
    assert (regression.problem, regression.loss, regression.outputs) == ("slope", "mse", 1)
    assert regression.changed({"kind": "classification"}).loss == "hinge"
    assert Settings.of({"hidden": "none"}).activations == ("linear",)


@pytest.mark.parametrize(("problem", "outputs"), [("moons", 1), ("blobs", 3), ("rings", 3), ("yinyang", 3), ("own", 5)])
def test_many_classes_have_an_output_each(problem, outputs):
    assert Settings.of({"problem": problem, "classes": 5}).outputs == outputs


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "lr": st.floats(1e-9, 1000),
            "noise": st.floats(0, 10),
            "hidden": st.lists(st.integers(1, 40), max_size=5),
            "features": st.lists(st.sampled_from(["x1", "x2", "x1x2", "sinx1"]), min_size=1, unique=True),
            "optimizer": st.sampled_from(["sgd", "adam", "adamw", "rmsprop"]),
            "problem": st.sampled_from(["moons", "rings", "own"]),
            "discretize": st.booleans(),
            "batch": st.integers(0, 10_000),
            "activation": st.sampled_from(["relu", "sin", "leaky_relu"]),
        },
    )
)
def test_an_address_keeps_every_setting(given):
    settings = Settings.of(given)
    assert Settings.from_query(settings.to_query()) == settings
    network = Network(settings.features, settings.sizes, settings.activations, 0)
    assert len(network.parameters()) == settings.parameters <= MOST_PARAMETERS


def test_the_defaults_are_an_empty_address():
    assert Settings().to_query() == ""
    assert Settings.from_query("") == Settings()
    assert Settings.of({"hidden": [8, 8], "lr": 0.1, "show_test": True}).to_query() == (
        "hidden=8,8&lr=0.1&show_test=true"
    )


@pytest.mark.parametrize(
    "query", ["lr", "lr=1&&x", "nothing=1", "lr=nan", "a=1" * 2000, "&".join(f"a{n}=1" for n in range(200))]
)
def test_other_addresses_are_refused(query):
    with pytest.raises(ValueError, match="the address of the page cannot be read"):
        Settings.from_query(query)


def test_what_is_wrong_with_an_address_is_said_briefly():
    with pytest.raises(ValueError, match="^the address of the page cannot be read: bad query field: ") as caught:
        Settings.from_query("x" * 99_999)
    assert len(str(caught.value)) < 400


def test_a_very_long_address_is_not_read():
    with pytest.raises(
        ValueError, match="^the address of the page cannot be read: it has more than 100,000 characters$"
    ):
        Settings.from_query("hidden=" + "%31," * 1_000_000)
