"""Files of numbers with a description: safetensors with one note in JSON, and a checksum over both.

Nothing in such a file can run: it is read as text and numbers, and refused if a single bit of them is another.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from .names import clean, told
from .reading import json_of, reason_of, tensors_of

Array = np.ndarray[Any, np.dtype[Any]]
Content = TypeVar("Content")


class Kind(NamedTuple):
    """What a file is: the key of its note, the word for it, and the version of its format."""

    key: str
    word: str
    version: int


MODEL = Kind("micrograd-mlp", "model", 1)
CHECKPOINT = Kind("micrograd-mlp-checkpoint", "checkpoint", 1)


def pack(kind: Kind, about: dict[str, Any], tensors: dict[str, Array]) -> bytes:
    """Return the bytes of a file of this kind: the same for the same content."""
    from safetensors.numpy import save

    note = {"format": kind.key, "version": kind.version, **about}
    note["checksum"] = checksum(note, tensors)
    # one key: with several, safetensors writes them in an order that differs from process to process
    return save(tensors, metadata={kind.key: json.dumps(note, sort_keys=True)})


def unpack(path: str | Path, kind: Kind, make: Callable[[dict[str, Any], dict[str, Array]], Content]) -> Content:
    """Return what `make` makes of the note and the numbers in a file of this kind.

    Raises OSError; and ValueError if the file is no such file, is damaged, or `make` cannot use what is in it.
    """
    name = clean(str(path), 200)
    try:
        tensors, metadata = tensors_of(path, kinds="fiub")
    except ValueError as error:
        raise ValueError(f"{name} is no {kind.word} file, or is damaged: {error}") from None
    if kind.key not in metadata:
        found = [other.word for other in (MODEL, CHECKPOINT) if other.key in metadata]
        what = f"holds a {found[0]}" if found else "is a safetensors file"
        raise ValueError(f"{name} {what}, but not of a {MODEL.key} {kind.word}")
    try:
        note = json_of(metadata[kind.key])
        if note["version"] > kind.version:
            version = told(note["version"], 20)
            raise ValueError(f"its format {version} is newer than {kind.version}: a newer {MODEL.key} is needed")
        if note.pop("checksum") != checksum(note, tensors):
            raise ValueError("it is damaged: its checksum does not fit its content")
        return make(note, tensors)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"{name} cannot be used: {reason_of(error)}") from None


def checksum(note: dict[str, Any], tensors: dict[str, Array]) -> str:
    """Return the SHA-256 of a description and its numbers, in hexadecimal."""
    digest = hashlib.sha256(json.dumps(note, sort_keys=True).encode())
    for name in sorted(tensors):
        digest.update(f"{name} {tensors[name].dtype} {tensors[name].shape}".encode() + tensors[name].tobytes())
    return digest.hexdigest()
