"""Writing files so that nothing that was on disk is lost: the new content is there whole, or the old one still is."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


def write_atomically(path: str | Path, content: bytes | str, *, private: bool = False) -> Path:
    """Write `content` (text as UTF-8) to `path` in one step, and return the path.

    A reader sees the old file or the new one, never a part, also after a power cut; on any error the old file stays as
    it was. A link stays a link, a file keeps its permissions, and a device or a pipe is written to. A `private` file is
    its owner's alone to read and write. Raises OSError.
    """
    path, data = Path(path), content.encode() if isinstance(content, str) else content
    if path.exists() and not path.is_file():
        path.write_bytes(data)
        return path
    target = Path(os.path.realpath(path))
    try:
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=_prefix(target))
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
    except BaseException as error:
        with suppress(OSError):
            Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno:  # the name of the temporary file says nothing
            raise type(error)(error.errno, error.strerror, str(path)) from None
        raise
    _settle(target.parent)
    return path


def _prefix(target: Path) -> str:
    """Return how the names of the temporary files of a file begin."""
    return f".{target.name[:50]}.tmp-"


def _settle(folder: Path) -> None:
    """Have the system put on disk which files are in the folder, where it can do that for folders."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def clear_temporaries(path: str | Path) -> None:
    """Remove what a killed process left of a file at `path` that it was writing. Nobody may be writing it now."""
    target = Path(os.path.realpath(path))
    with suppress(OSError):
        for each in list(target.parent.iterdir()):
            if each.name.startswith(_prefix(target)):
                each.unlink(missing_ok=True)


@contextmanager
def locked(path: str | Path, what: str) -> Iterator[None]:
    """Within this block, no other process is in a block that locks the same file, which is made and removed.

    The system frees the lock when the process ends, however it ends. Raises ValueError if another process has it, which
    is named, and `what` it is that it writes; and OSError if the file cannot be made.
    """
    handle = _lock(Path(path), what)
    try:
        yield
    finally:
        with suppress(OSError):  # while it is still held, so that nobody else's file is removed
            Path(path).unlink(missing_ok=True)
        os.close(handle)


def _lock(path: Path, what: str) -> int:
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _claim(handle)
            if os.path.exists(path) and os.path.samestat(os.fstat(handle), os.stat(path)):  # not just removed
                with suppress(OSError):  # who has it is good to know, no more
                    os.ftruncate(handle, 0)
                    os.write(handle, f"{os.getpid()}\n".encode())
                return handle
            os.close(handle)
        except BlockingIOError:
            holder = os.pread(handle, 20, 0).decode("ascii", "replace").strip() if hasattr(os, "pread") else ""
            os.close(handle)
            who = f"process {holder}" if holder.isdecimal() else "another process"
            raise ValueError(f"{what} is being written by {who}: wait for its end, or name another place") from None
        except BaseException:
            os.close(handle)
            raise


def _claim(handle: int) -> None:
    """Lock an open file. Raises BlockingIOError if another process has; where there are no locks, it is left open."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK):
            raise BlockingIOError from None


def refuse_same(path: str | Path, sources: Iterable[str | Path]) -> None:
    """Raise ValueError if writing to `path` would replace one of the `sources`, files that are read."""
    for source in sources:
        if os.path.exists(path) and os.path.exists(source) and os.path.samefile(path, source):
            raise ValueError(f"{path} would replace {source}, which is read here; name another file to write")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
