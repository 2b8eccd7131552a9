"""Writing files so that nothing that was on disk is lost: the new content is there whole, or the old one still is."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path


def write_atomically(path: str | Path, content: bytes | str, *, private: bool = False) -> Path:
    """Write `content` (text as UTF-8) to `path` in one step, and return the path.

    A reader sees the old file or the new one, never a part; on any error the old file stays as it was. A link stays a
    link, a file keeps its permissions, and a device or a pipe is written to. A `private` file is its owner's alone to
    read and write. Raises OSError.
    """
    path, data = Path(path), content.encode() if isinstance(content, str) else content
    if path.exists() and not path.is_file():
        path.write_bytes(data)
        return path
    target = Path(os.path.realpath(path))
    try:
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:50]}.")
    except OSError as error:
        raise type(error)(error.errno, error.strerror, str(path)) from None  # not the name of the temporary file
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if not private:  # as the temporary file is
            os.chmod(temporary, target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask())
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def refuse_same(path: str | Path, sources: Iterable[str | Path]) -> None:
    """Raise ValueError if writing to `path` would replace one of the `sources`, files that are read."""
    for source in sources:
        if os.path.exists(path) and os.path.exists(source) and os.path.samefile(path, source):
            raise ValueError(f"{path} would replace {source}, which is read here; name another file to write")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
