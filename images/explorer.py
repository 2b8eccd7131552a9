"""Make the pictures of the explorer again, light and dark: screenshots of the page in chromium."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from importlib.util import find_spec
from pathlib import Path

from micrograd_mlp import MLP, Recording, Value, explore, fit
from micrograd_mlp.datasets import moons
from micrograd_mlp.losses import binary_cross_entropy

HERE = Path(__file__).parent


def page() -> str:
    """Return the page on the loss of a small trained network at one point, opened at one of its weights."""
    X, y = moons(n=100, noise=0.1, seed=0)
    model, record = MLP(2, [2, 1], activation="tanh", rng=random.Random(2)), Recording()
    fit(model, X, y, loss="bce", epochs=50, record=record)
    score = model([Value(x, label=f"x{index + 1}") for index, x in enumerate(X[y == 1][0])])
    score.label = "score"
    loss = binary_cross_entropy(score, 1.0)
    loss.label = "loss"
    weight = model.layers[0].neurons[1].w[0]
    html: str = explore(loss, model=model, record=record, select=weight, title="A small network").html
    return html


def main() -> None:
    """Take the pictures in the middle of the backward pass; say so where there is no browser."""
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not (chromium and find_spec("playwright")):
        print("The pictures of the explorer stay as they are: they need chromium and playwright.")
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "explorer.html"
        path.write_text(page(), encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for theme in ("light", "dark"):
            opened = browser.new_page(
                viewport={"width": 1280, "height": 760}, device_scale_factor=1.5, color_scheme=theme
            )
            opened.goto(path.as_uri())
            opened.evaluate(
                "explorer.actions.current.go(explorer.steps.gradAt(explorer.actions.current.state.selected))"
            )
            opened.evaluate("explorer.view.fit(); explorer.view.zoom(1.75, 0, 330)")  # so that all texts can be read
            opened.wait_for_timeout(600)
            picture = HERE / f"explorer-{theme}.png"
            opened.screenshot(path=picture)
            print(f"{picture.name} {picture.stat().st_size // 1024} KB")
        browser.close()


if __name__ == "__main__":
    main()
