"""A run as a program of Python against this library: the same points, the same first weights, the same training."""

from __future__ import annotations

from .features import FEATURES
from .problems import PROBLEMS
from .run import Run

_HEAD = '''"""{title}

It makes the same points and the same first weights, and trains as the playground did with these settings.
"""
'''


def code_of(run: Run) -> str:
    """Return the program; own points stand in it. It prints the history's last row. ValueError without points."""
    if run.machine is None:
        raise ValueError("there are no points yet; paint some, or load a file")
    s = run.settings
    plain = s.features == ("x1", "x2")
    parts = [_HEAD.format(title=f"A run of the playground: {s.problem}, {run.epoch} epochs."), _imports(run, plain)]
    parts += [_points(run), _model(run, plain), _training(run)]
    return "\n".join(parts)


def _imports(run: Run, plain: bool) -> str:
    s = run.settings
    names = "MLP" if plain else "MLP, Module, ops"
    lines = ["import random", "", "import numpy as np", "", f"from micrograd_mlp import {names}"]
    if not plain and any(name.startswith("sin") for name in s.features):
        lines.insert(0, "import math")
    if not run.edited:
        lines += ["from micrograd_mlp.classifier import Scaling"]
        if PROBLEMS[s.problem].kind == "classification":
            lines += ["from micrograd_mlp.datasets import PROBLEMS"]
        else:
            lines += ["from micrograd_mlp.play.problems import PROBLEMS"]
    if s.kind == "regression":
        lines += [f"from micrograd_mlp.losses import {s.sample_loss.__name__}"]
    lines += [
        f"from micrograd_mlp.optim import SCHEDULES, {_optimizer(run)}",
        "from micrograd_mlp.training import fit",
    ]
    return "\n".join(lines) + "\n"


def _points(run: Run) -> str:
    s, points = run.settings, run.points
    if run.edited:
        rows = ",\n".join(
            f"    ({x1!r}, {x2!r}, {y!r}, {held})"
            for (x1, x2), y, held in zip(points.X.tolist(), points.y.tolist(), points.held.tolist(), strict=True)
        )
        kind = "int" if s.kind == "classification" else "float"
        return (
            f"POINTS = [  # x1, x2, target, whether it is held out\n{rows},\n]\n"
            "X = np.array([point[:2] for point in POINTS])\n"
            f"y = np.array([point[2] for point in POINTS], dtype={kind})\n"
            "held = np.array([point[3] for point in POINTS])\n"
        )
    make = f'PROBLEMS["{s.problem}"]' + ("" if s.kind == "classification" else ".make")
    return (
        f"X, y = {make}(n={s.samples}, noise={s.noise!r}, seed={s.seed})\n"
        "X = Scaling.of(X)(X)  # mean 0 and deviation 1\n"
        "held = np.zeros(len(X), dtype=bool)\n"
        f"held[np.random.default_rng({s.seed}).permutation(len(X))[: round({s.test_share!r} * len(X))]] = True\n"
    )


def _model(run: Run, plain: bool) -> str:
    s = run.settings
    init = "" if s.init == "auto" else f', init="{s.init}"'
    mlp = (
        f"MLP({len(s.features)}, {list(s.sizes)}, activation={list(s.activations)}, "
        f"rng=random.Random({s.init_seed}){init})"
    )
    if plain:
        return f"model = {mlp}\n"
    features = ", ".join(FEATURES[name][2] for name in s.features)
    return (
        "\nclass Network(Module):\n"
        '    """Features of a point, then layers."""\n\n'
        "    def __init__(self):\n"
        f"        self.layers = {mlp}.layers\n\n"
        "    def __call__(self, x):\n"
        "        x1, x2 = x\n"
        f"        h = [{features}]\n"
        "        for layer in self.layers:\n"
        "            h = layer(h)\n"
        "        return h\n\n\n"
        "model = Network()\n"
    ).replace("Module, ops", "Module")


def _training(run: Run) -> str:
    s = run.settings
    tested = bool(run.points.held.any())
    momentum = f", momentum={s.momentum!r}" if s.momentum and s.optimizer in ("sgd", "rmsprop") else ""
    options = [f'loss="{s.loss}"' if s.kind == "classification" else f"loss={s.sample_loss.__name__}"]
    options += ["optimizer=rule", f"epochs={max(1, run.epoch)}", f"seed={s.seed}"]
    options += [f"batch_size={s.batch}"] if s.batch else []
    options += [f"{s.regularization}={s.rate!r}"] if s.regularization != "none" else []
    options += ["X_test=X[held]", "y_test=y[held]"] if tested else []
    per_epoch = f"-(-np.sum(~held) // {s.batch})" if s.batch else "1"
    return (
        f'schedule = SCHEDULES["{s.schedule}"](int({s.horizon} * {per_epoch}))\n'
        f"rule = {_optimizer(run)}(model.parameters(), lr={s.lr!r}{momentum}, schedule=schedule)\n"
        f"history = fit(\n    model,\n    X[~held],\n    y[~held],\n    {(',' + chr(10) + '    ').join(options)},\n)\n"
        "print(history.message, history.epochs[-1])\n"
    )


def _optimizer(run: Run) -> str:
    return {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW", "rmsprop": "RMSprop"}[run.settings.optimizer]
