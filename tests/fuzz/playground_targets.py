"""What the page of the playground, an address or a saved file gives: settings, points, sessions, messages."""

import ast
import json
from urllib.parse import quote

import hostile
import targets
from judge import Target

from micrograd_mlp.nn import ACTIVATIONS, INITS
from micrograd_mlp.optim import OPTIMIZERS, SCHEDULES
from micrograd_mlp.play import documents, messages, points_text, problems
from micrograd_mlp.play.code import code_of
from micrograd_mlp.play.explain import explorer_of
from micrograd_mlp.play.features import FEATURES
from micrograd_mlp.play.frames import Frames, state_of
from micrograd_mlp.play.run import Run
from micrograd_mlp.play.settings import LOSSES, Settings

GOOD = {
    "kind": [*LOSSES], "problem": ["circles", "moons", "own", "hills"], "samples": ["20", 30], "noise": [0.1, "0"],
    "seed": [1, "2"], "test_share": [0.3, "0"], "classes": [2, "3"], "batch": [0, "10"],
    "features": [*FEATURES, "x1,x2", ["x1", "sinx2"]], "hidden": ["2", "none", [2, 2], "2,3"],
    "activation": [*ACTIVATIONS, ["tanh", "relu"]], "output": [*ACTIVATIONS], "init": ["auto", *INITS],
    "init_seed": [3], "loss": [name for each in LOSSES.values() for name in each], "optimizer": [*OPTIMIZERS],
    "lr": [0.03, "1"], "momentum": [0.9], "schedule": [*SCHEDULES], "horizon": [100], "regularization": ["none", "l1"],
    "rate": [0.01], "stop_epochs": [2], "stop_loss": [0.1], "stop_accuracy": [0.9], "patience": [3], "speed": [0, 30],
    "show_test": [True, "false"], "discretize": ["true"],
}  # fmt: skip
SMALL = {"samples": 20, "hidden": "2", "batch": 0}


def run_settings(given):
    settings = Settings.of(given)
    assert Settings.from_query(settings.to_query()) == settings


def query(rng):
    """Return the query of an address."""
    parts = []
    for name, value in targets.options(rng, GOOD).items():
        text = ",".join(map(hostile.as_text, value)) if isinstance(value, list) else hostile.as_text(value)
        parts.append(f"{name}={quote(text, safe=',', errors='replace') if rng.random() < 0.9 else text}")
    made = rng.choice(("", "?", "#")) + "&".join(parts)
    return (
        made if rng.random() < 0.9 else hostile.spoil(rng, made.encode("utf-8", "replace")).decode("utf-8", "replace")
    )


def run_query(text):
    Settings.from_query(text.removeprefix("?").removeprefix("#"))


def points(rng):
    """Return points as the text of an address."""
    plane = problems.of_problem("moons", rng.choice((4, 5, 8, 30)), 0.1, rng.randrange(100), 0.0)
    made = points_text.to_text(plane)
    draw = rng.random()
    if draw < 0.3:
        return made
    if draw < 0.9:
        return hostile.spoil(rng, made.encode()).decode("latin-1")
    return hostile.text(rng)


def run_points(case):
    text, kind, classes = case
    plane = points_text.from_text(text, kind, classes)
    assert 1 <= len(plane.X) <= points_text.MOST


def run_address(text):
    look_at(documents.run_of_query(text))


def make_address(rng):
    small = "&".join(f"{name}={value}" for name, value in SMALL.items())
    if rng.random() < 0.5:
        return f"{small}&{query(rng).strip('?#')}"
    return f"problem=own&{small}&points={points(rng)}&{query(rng).strip('?#')}"


def look_at(run):
    """Do with a run what its page does: look, train a little, take the program home, ask why."""
    json.dumps(state_of(run), allow_nan=False)
    json.dumps(Frames().make(run), allow_nan=False)
    if run.machine:
        run.advance(0.001, 1)
        explorer_of(run.machine, run.points, run.epoch, 0, "")()
        ast.parse(code_of(run))
    json.loads(documents.session_of(run))


def saved():
    """Return sessions as they are saved, to be spoilt."""
    own = Run(Settings.of({"problem": "own", "classes": 2, "hidden": "2"}))
    own.add_points([[0.1, 0.2, 0], [0.5, -0.5, 1], [1.0, 1.0, 1]])
    runs = [
        Run(Settings.of(SMALL | given))
        for given in ({}, {"kind": "regression"}, {"optimizer": "adam", "hidden": "none"})
    ]
    return [json.loads(documents.session_of(run)) for run in (own, own, *runs)]


SAVED = saved()


def make_session(rng):
    document = rng.choice(SAVED)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        document = hostile.spoil_value(rng, document)
    text = hostile.as_json(document) if rng.random() < 0.98 else hostile.nested(rng)
    return hostile.encoded(rng, text, 0.9)


def run_session(content):
    look_at(documents.run_of_session(messages.read_json(content)))


def message(rng):
    """Return the name and the fields of a message."""
    name = rng.choice(("set", "step", "weight", "weight", "add", "move", "delete", "clear", "rewind", "view"))
    good = {
        "set": targets.options(rng, {name: each for name, each in GOOD.items() if name not in ("hidden", "samples")}),
        "weight": {
            "name": rng.choice(("layers[0].neurons[1].b", "layers[0].neurons[1].w[0]", hostile.name(rng))),
            "value": hostile.number(rng),
        },
        "add": {"rows": [[rng.gauss(0, 1), 0.5, rng.choice((0, 1, 2))] for _ in range(rng.choice((0, 1, 3)))]},
        "move": {"index": rng.choice((0, 1, 100, hostile.number(rng))), "to": [0.5, rng.choice((0.1, 1e9))]},
        "delete": {"indices": [rng.randrange(25) for _ in range(rng.choice((0, 1, 30)))]},
        "view": {"visible": rng.choice((True, False, "true")), "unit": rng.choice((0, 1, None, 10**9))},
    }  # fmt: skip
    fields = good.get(name, {})
    if rng.random() < 0.5:
        fields = hostile.spoil_value(rng, fields)
    if rng.random() < 0.02:
        name = hostile.text(rng)
    return name, hostile.encoded(rng, hostile.as_json(fields), 0.95)


def run_messages(case):
    kept, sent = Run(Settings.of(SMALL)), None
    for name, content in case:
        try:
            fields = messages.read_json(content)
            messages.view_of(fields) if name == "view" else messages.message_of(name, fields)(kept)
        except ValueError as error:
            sent = error
    json.dumps(state_of(kept), allow_nan=False)
    json.dumps(Frames().make(kept), allow_nan=False)
    if sent:
        raise sent


def run_csv(case):
    content, name, kind = case
    plane = problems.of_csv(content, name, kind, 0.3, 0, 10_000, 7)
    assert plane.reach > 0


TARGETS = {
    "play settings": Target(lambda rng: targets.options(rng, GOOD), run_settings, 60),
    "play query": Target(query, run_query, 50),
    "play points": Target(lambda rng: (points(rng), rng.choice([*LOSSES]), rng.choice((2, 3))), run_points, 40),
    "play csv": Target(
        lambda rng: (targets.csv_bytes(rng), hostile.text(rng)[:80], rng.choice([*LOSSES])), run_csv, 40
    ),
    "play address": Target(make_address, run_address, 2),
    "play session": Target(make_session, run_session, 6),
    "play messages": Target(lambda rng: [message(rng) for _ in range(4)], run_messages, 0.6),
}
