"""Random networks are trained alike by every engine, and what is compared would show a wrong rule, or a lost one."""

import importlib.util
import sys
from collections import Counter
from random import Random

import numpy as np
import pytest
from random_networks import Tally, check, main, random_network, trained

from micrograd_mlp import losses
from micrograd_mlp.compiler.backends.numpy import RULES
from micrograd_mlp.nn import ACTIVATIONS, INITS
from micrograd_mlp.optim import OPTIMIZERS

AVAILABLE = ("numpy", "native") if importlib.util.find_spec("llvmlite") else ("numpy",)


def test_engines_agree():
    tally = Tally()
    for seed in range(16):
        check(random_network(seed), tally, AVAILABLE if seed < 3 else ("numpy",))
    assert tally.wrong == []
    assert tally.tight > 0.6 * tally.numbers
    assert tally.again < 0.2 * tally.networks


def test_a_seed_is_a_run():
    for seed in range(10):
        one, two = (random_network(seed) for _ in range(2))
        np.testing.assert_array_equal(one.X, two.X)
        outcomes = [trained(network, "numpy") for network in (one, two)]
        assert outcomes[0].end == outcomes[1].end
        np.testing.assert_array_equal(outcomes[0].flat, outcomes[1].flat)


def test_networks_are_of_many_kinds():
    drawn = [random_network(seed) for seed in range(400)]
    assert {len(network.sizes) for network in drawn} == {1, 2, 3, 4, 5}
    assert {network.n_in for network in drawn} | {size for n in drawn for size in n.sizes} == set(range(1, 13))
    assert {name for network in drawn for name in network.activations} == set(ACTIVATIONS)
    assert {network.init for network in drawn} == {"", *INITS}
    assert {network.loss for network in drawn} == {*losses.LOSSES, *losses.REGRESSION.values()}
    assert {network.rule[0] for network in drawn} == set(OPTIMIZERS)
    assert {network.sizes[-1] for network in drawn} == set(range(1, 6))
    assert {len(network.X) for network in drawn} >= {1, 2, *range(3, 13), 40}
    assert {network.options["epochs"] for network in drawn} == {1, 2, 3, 4}
    sizes = Counter(len(n.X) % (n.options["batch_size"] or len(n.X)) == 0 for n in drawn)
    assert min(sizes.values()) > 40  # the last batch is shorter
    for option in ("l1", "l2"):
        assert 80 < sum(network.options[option] > 0.0 for network in drawn) < 160


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("tanh", lambda a: np.tanh(a) * (1.0 + 1e-13)),
        ("mul", lambda a, b: np.multiply(a, b) * (1.0 + 1e-14)),
        ("step", lambda a: np.where(a >= 0.0, 1.0, 0.0)),
    ],
)
def test_a_wrong_rule_is_seen(monkeypatch, name, rule):
    monkeypatch.setitem(RULES, name, rule)
    monkeypatch.setattr("random_networks.NOISY", (3,))
    tally, seeds = Tally(), iter(range(60))
    while not tally.wrong:
        check(random_network(next(seeds)), tally, ("numpy",))
    assert "numpy: " in tally.wrong[0]


def test_noise_is_taken_away_again():
    network = random_network(0)
    before = trained(network, "python").flat
    trained(network, "python", Random(0))
    np.testing.assert_array_equal(trained(network, "python").flat, before)


def test_what_is_wrong_is_reported_by_its_seed(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["random_networks.py", "--seed", "3", "--engines", "numpy"])
    monkeypatch.setitem(RULES, "mul", lambda a, b: np.multiply(a, b) * 1.5)
    monkeypatch.setattr("random_networks.NOISY", (3,))
    main()
    assert "seed 3: numpy: " in capsys.readouterr().out
