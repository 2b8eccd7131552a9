"""What a model can be exported to, and the writing of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

from ..files import refuse_same, write_atomically
from ..names import refuse_unknown
from ..trained import Trained
from .plain import DTYPES, Files

TARGETS: dict[str, tuple[str, str]] = {  # the endings of the files, the first one that of the name given; what they are
    "onnx": (".onnx", "ONNX, opset 18: for onnxruntime and whatever else reads it"),
    "torch": (".py", "a PyTorch module in Python, and its state_dict in a safetensors file beside it"),
    "c": (".c", "one C99 file that needs the C library only"),
    "python": (".py", "one Python file that needs the standard library only"),
    "json": (".json", "numbers and names, to be read by anything"),
}
ROUNDED = ("onnx", "torch", "c")  # may be written in float32


def export(
    model: Trained,
    to: str,
    path: str | Path,
    *,
    dtype: str = "float64",
    train_step: bool = False,
    sources: Iterable[str | Path] = (),
    **training: Any,
) -> list[Path]:
    """Write a Classifier or a Regressor to `path` as one of TARGETS; return the paths written, `path` the last one.

    With the dtype "float32", ONNX, PyTorch and C code compute in it, in half the memory, to some six digits. With
    `train_step`, C code gets a training step as well, by the `loss`, `optimizer`, `l1` and `l2` given, or else those
    that the model was trained by. Each file is written in one step, and none over one of `sources`. Raises ValueError
    for what cannot be exported, TypeError for what is no such model, and OSError.
    """
    if not isinstance(model, Trained):
        raise TypeError(
            f"export takes a Classifier or a Regressor, got {type(model).__name__}; of an estimator,"
            " micrograd_mlp.imports.from_sklearn makes one"
        )
    refuse_unknown(to, TARGETS, "target")
    refuse_unknown(dtype, DTYPES, "dtype")
    if dtype != "float64" and to not in ROUNDED:
        raise ValueError(f"{to} is written in float64 only; {dtype} is for {', '.join(ROUNDED)}")
    if (train_step or training) and to != "c":
        raise ValueError(f"a training step is written in C only, to='c'; got to={to!r}")
    files: Callable[..., Files] = import_module(f".{to}", __package__).files
    path = Path(path)
    more: dict[str, Any] = {"train_step": True, **training} if train_step else {}
    more |= {} if dtype == "float64" else {"dtype": dtype}
    contents = files(model, path.name, **more)
    written = {path.with_suffix(ending) if ending else path: content for ending, content in contents.items()}
    if len(written) < len(contents):
        raise ValueError(f"{to} is written into {len(contents)} files; name the one that ends in {TARGETS[to][0]}")
    for each in written:
        refuse_same(each, sources)
    return [write_atomically(each, content) for each, content in written.items()]
