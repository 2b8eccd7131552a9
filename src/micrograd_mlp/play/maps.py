"""Heat maps as bytes: 0 is -1, 127 is 0, 254 is 1, and 255 stands for what is inf or nan."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Bytes = np.ndarray[Any, np.dtype[np.uint8]]

NOT_FINITE = 255
FINE, COARSE = 100, 24  # cells a side of the map of the output, and of each unit


def grid(reach: float, cells: int) -> Array:
    """Return the centres of cells by cells fields of the square from -reach to reach: by rows, the top one first."""
    centres = (np.arange(cells) + 0.5) * (2 * reach / cells) - reach
    x1, x2 = np.meshgrid(centres, -centres)
    return np.stack([x1.ravel(), x2.ravel()], axis=1)


def shades(numbers: Array) -> Bytes:
    """Return a byte for each number, as the head of this file says; what lies beyond -1 and 1 is cut."""
    with np.errstate(invalid="ignore"):
        rounded = np.rint(np.clip(numbers, -1.0, 1.0) * 127.0 + 127.0)
    out: Bytes = np.where(np.isfinite(numbers), rounded, NOT_FINITE).astype(np.uint8)
    return out


def fitted(values: Array) -> Bytes:
    """Return the shades of the numbers in each row, divided by the largest in size where that is above 1."""
    with np.errstate(invalid="ignore"):
        largest = np.max(np.abs(values), axis=-1, keepdims=True, where=np.isfinite(values), initial=1.0)
        return shades(values / largest)


def of_scores(scores: Array, loss: str) -> tuple[Bytes, Bytes | None]:
    """Return the shades of an output, of shape (n, outputs), and for several outputs the class in each place.

    What a loss makes of a score decides its shade: of a probability p it is 2p - 1, else it is the score itself. For
    several outputs the shade is how far the probability of the class is above that of a guess, from 0 to 1.
    """
    if scores.shape[1] == 1:
        score = scores[:, 0]
        return shades(np.tanh(score / 2) if loss in ("cross_entropy", "bce") else score), None
    with np.errstate(invalid="ignore", over="ignore"):
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        share = powers.max(axis=1) / powers.sum(axis=1)
    guess = 1 / scores.shape[1]
    return shades((share - guess) / (1 - guess)), scores.argmax(axis=1).astype(np.uint8)
