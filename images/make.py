"""Make every picture in this folder again, byte for byte: the drawn graphs, the boundary, the curves, the animation."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from micrograd_mlp import MLP, Value
from micrograd_mlp.classifier import Classifier, Scaling
from micrograd_mlp.compiler import jit
from micrograd_mlp.datasets import moons
from micrograd_mlp.drawing import draw
from micrograd_mlp.drawing.plots import (
    BoundaryFrames,
    animate_boundary,
    plot_boundary,
    plot_curves,
    save_figure,
)
from micrograd_mlp.losses import binary_cross_entropy, hinge, l2, mean
from micrograd_mlp.training import fit

HERE = Path(__file__).parent


def network() -> None:
    """Draw the loss of a small trained network at one point: every number in it, and the gradient of the loss by it."""
    X, y = moons(n=100, noise=0.1, seed=0)
    model = MLP(2, [2, 1], activation="tanh", rng=random.Random(2))
    fit(model, X, y, loss="bce", epochs=50)
    model.zero_grad()
    point = [Value(x, label=f"x{index + 1}") for index, x in enumerate(X[y == 1][0])]
    score = model(point)
    score.label = "score"
    loss = binary_cross_entropy(score, 1.0)
    loss.label = "loss"
    loss.backward()
    draw(loss, renderer="pygraphviz").save(HERE / "network.svg")


def program() -> None:
    """Draw what the compiler makes of the moons loss: the arrays, and the equations between them."""
    model = MLP(2, [16, 16, 1], rng=random.Random(0))

    @jit(backend="numpy")
    def loss(X: Any, y: Any) -> Any:
        return mean(hinge(model(x), t) for x, t in zip(X, y, strict=True)) + 1e-4 * l2(model.parameters())

    X, y = moons(n=100, noise=0.1, seed=0)
    loss(X, 2.0 * y - 1.0)
    loss.program.draw(renderer="pygraphviz").save(HERE / "program.svg")


def training() -> None:
    """Train on the moons, and draw how it went and what came of it."""
    X, y = moons(n=200, noise=0.1, seed=0)
    scaling = Scaling.of(X[:150])
    model = MLP(2, [16, 16, 1], rng=random.Random(0))
    frames = BoundaryFrames()
    history = fit(
        model,
        scaling(X[:150]),
        y[:150],
        X_test=scaling(X[150:]),
        y_test=y[150:],
        lr=0.01,
        epochs=60,
        batch_size=25,
        callbacks=[frames],
    )
    classifier = Classifier(model, scaling, ("x1", "x2"), ("0", "1"))
    split = (X[:150], y[:150]), {"X_test": X[150:], "y_test": y[150:]}
    for theme in ("light", "dark"):
        figure = plot_boundary(classifier, *split[0], **split[1], theme=theme)
        save_figure(figure, HERE / f"boundary-{theme}.png")
    save_figure(plot_curves(history), HERE / "curves.png")
    animate_boundary(frames, classifier, *split[0], HERE / "learning.gif", **split[1])


if __name__ == "__main__":
    network()
    program()
    training()
    for path in sorted(HERE.iterdir()):
        if path.suffix != ".py":
            print(f"{path.name} {path.stat().st_size // 1024} KB")
