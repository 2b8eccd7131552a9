"""Files that others wrote, as plain values and arrays: JSON and safetensors, or one sentence on what is wrong.

Nothing in here runs what is read: there is no pickle among what is opened.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from .names import clean, told

Array = np.ndarray[Any, np.dtype[Any]]


MOST_DIGITS = 400  # of a whole number; the largest float has 309


def json_of(text: bytes | str, finite: bool = False) -> Any:
    """Return what JSON stands for; if `finite`, without NaN and infinities. Raises ValueError for what is none."""
    try:
        return json.loads(text, parse_int=_whole, parse_constant=_refused if finite else None)
    except json.JSONDecodeError as error:
        raise ValueError(f"it is no JSON: {error}") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"it is no JSON in UTF-8 (byte {error.start})") from None
    except RecursionError:
        raise ValueError("it is JSON that is nested too deeply") from None


def _whole(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"it holds a whole number of {len(digits):,} digits")
    return int(digits)


def _refused(name: str) -> Any:
    raise ValueError(f"{name} is no number in JSON")


def tensors_of(path: str | Path, kinds: str = "f") -> tuple[dict[str, Array], dict[str, str]]:
    """Return the arrays in a safetensors file, of NumPy's `kinds` of numbers, and the texts of its metadata.

    Raises ValueError for another file, or other numbers, and OSError.
    """
    from safetensors import SafetensorError, safe_open

    with open(path, "rb"):  # for the system's own word on a missing or unreadable file
        pass
    try:
        with safe_open(str(path), framework="numpy") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no dict
            metadata = dict(file.metadata() or {})
    except SafetensorError as error:
        raise ValueError(clean(str(error), 200)) from None
    except (TypeError, AttributeError, KeyError):  # kinds of numbers that NumPy has not
        raise ValueError("its numbers are of a kind that NumPy has not") from None
    for name, tensor in tensors.items():
        if tensor.dtype.kind not in kinds:
            raise ValueError(f"{clean(name)} holds numbers of type {tensor.dtype}")
    return tensors, metadata


def reason_of(error: Exception) -> str:
    """Return what is wrong with a description: what its checks say, or what Python says, in our words."""
    if isinstance(error, KeyError):
        return f"no {told(error.args[0], 60)}"
    return str(error) if isinstance(error, ValueError) else "a part of its description is of another kind than needed"
