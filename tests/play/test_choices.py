"""The page is told of everything that the settings take."""

import json
from dataclasses import fields

from micrograd_mlp.play.choices import choices
from micrograd_mlp.play.problems import PROBLEMS
from micrograd_mlp.play.settings import Settings


def test_they_are_those_of_the_settings():
    told = json.loads(json.dumps(choices(), allow_nan=False))
    assert set(told["meanings"]) == {each.name for each in fields(Settings)}
    assert [each["name"] for each in told["problems"]] == list(PROBLEMS)
    for kind, losses in told["losses"].items():
        for loss in losses:
            assert Settings.of({"kind": kind, "loss": loss}).loss == loss
    for name, told_as in (
        ("activation", "activations"),
        ("optimizer", "optimizers"),
        ("schedule", "schedules"),
        ("init", "inits"),
    ):
        for each in told[told_as]:
            assert getattr(Settings.of({name: each}), name) in (each, (each, each))
    for problem in told["problems"]:
        assert all(abs(x) <= 1 and abs(y) <= 1 for x, y, _ in problem["points"])
