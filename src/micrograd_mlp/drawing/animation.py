"""The decision boundary while it is learned, as a GIF."""

from __future__ import annotations

import copy
import io
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..files import write_atomically
from ..training import Epoch
from .boundary import Boundary
from .theme import Theme, network_of

if TYPE_CHECKING:
    from PIL.Image import Image


class Snapshot(NamedTuple):
    """The weights of a model (its `state_dict`) after an epoch."""

    epoch: Epoch
    state: dict[str, float]


class BoundaryFrames:
    """A callback for `fit` that keeps `snapshots` of the weights for `animate_boundary`.

    Kept are the first epoch, each that comes a tenth later than the one kept before, and the latest: early epochs, in
    which most happens, are kept all, and a run of any length leaves few.
    """

    def __init__(self) -> None:
        self.snapshots: list[Snapshot] = []

    def __call__(self, epoch: Epoch, model: Any) -> None:
        """Keep the weights of `model` as they are after `epoch`."""
        kept = self.snapshots
        if len(kept) > 1 and kept[-1].epoch.epoch < 1.1 * kept[-2].epoch.epoch:
            kept.pop()
        kept.append(Snapshot(epoch, model.state_dict()))

    def state_dict(self) -> dict[str, Any]:
        """Return what was kept as arrays and what JSON holds, for a checkpoint."""
        return {
            "names": list(self.snapshots[0].state) if self.snapshots else [],
            "epochs": np.array([astuple(snapshot.epoch) for snapshot in self.snapshots], dtype=np.float64),
            "weights": np.array([list(snapshot.state.values()) for snapshot in self.snapshots], dtype=np.float64),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on with what other frames of the same model have kept."""
        self.snapshots = [
            Snapshot(Epoch(int(epoch[0]), *epoch[1:]), dict(zip(state["names"], weights, strict=True)))
            for epoch, weights in zip(state["epochs"].tolist(), state["weights"].tolist(), strict=True)
        ]


def animate_boundary(
    frames: BoundaryFrames,
    model: Any,
    X: Any,
    y: Any,
    path: str | Path,
    *,
    X_test: Any = None,
    y_test: Any = None,
    classes: Any = None,
    features: Any = None,
    theme: str = "light",
    most: int = 40,
) -> Path:
    """Write a GIF of the decision boundary while it learns, of at most `most` frames, and return its path.

    `model` and the points are those of `plot_boundary`; the model stays as it is, each frame draws a copy of it with
    the weights in `frames`. The title gives epoch, loss and accuracy; the last frame stays for 3 seconds. Raises
    ValueError if there are no frames, `path` does not end in .gif, or for what `plot_boundary` refuses; and OSError.
    """
    if Path(path).suffix.lower() != ".gif":
        raise ValueError(f"an animation is written to a file that ends in .gif, got {str(path)!r}")
    if not frames.snapshots:
        raise ValueError("no frames were kept: give a BoundaryFrames to fit, as one of its callbacks")
    count = len(frames.snapshots)
    places = np.linspace(count - 1, 0, max(1, min(most, count))).round().astype(int)[::-1]  # the last one always
    shown = [frames.snapshots[place] for place in places]
    picture = Boundary(model, X, y, X_test, y_test, classes, features, theme, cells=90, bands=12)
    images, learner = [], copy.deepcopy(model)
    for snapshot in shown:
        network_of(learner).load_state_dict(snapshot.state)
        picture.draw(learner, _frame_title(snapshot.epoch))
        images.append(picture.image(dpi=80))
    return write_atomically(path, _gif(images, [120] * (len(images) - 1) + [3000], picture.colours))


def _frame_title(epoch: Epoch) -> str:
    tested = np.isfinite(epoch.test_accuracy)
    accuracy, whose = (epoch.test_accuracy, "held-out") if tested else (epoch.accuracy, "training")
    return f"epoch {epoch.epoch}: loss {epoch.loss:.3f}, {whose} accuracy {accuracy:.1%}"


def _gif(images: Sequence[Image], durations: Sequence[int], colours: Theme) -> bytes:
    """Return the bytes of a GIF that repeats for ever; `durations` are in milliseconds. All frames share a palette."""
    from PIL import Image

    palette = _palette(images, colours)
    frames = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:], duration=list(durations), loop=0)
    return buffer.getvalue()


def _palette(images: Sequence[Image], colours: Theme) -> Image:
    """Return an image whose palette suits four of the images, with the colours of the theme in it as they are."""
    from matplotlib.colors import to_rgba_array
    from PIL import Image

    width, height = images[0].size
    montage = Image.new("RGB", (width, 4 * height))
    for place, index in enumerate(np.linspace(0, len(images) - 1, 4).round().astype(int)):
        montage.paste(images[index], (0, place * height))
    palette = montage.quantize(118, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    exact = (255 * to_rgba_array([colours.paper, colours.ink, *colours.colours])[:, :3]).round().astype(int)
    chosen = np.array(palette.getpalette()).reshape(-1, 3)
    for colour in exact:  # white paper stays white: its neighbours would take its place
        chosen[np.abs(chosen - colour).max(axis=1) < 8] = colour
    palette.putpalette(np.concatenate([chosen, exact]).ravel().tolist())
    return palette
