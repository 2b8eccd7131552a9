"""A folder for what takes long to compute and can be computed again, such as machine code.

It is the folder that the environment variable MICROGRAD_MLP_CACHE names (none if that is empty or 0), else the one that
the system keeps for this. No error ever comes from here: where nothing can be kept, nothing is found.

What is found may be run, so nobody else must be able to write it. On POSIX systems the folder is this user's alone to
write, each folder above belongs to the user or to root, who alone can rename what is in it, and a file is the user's;
otherwise there is no folder. On Windows the system's folder is private by its access rules.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from .files import write_atomically

LIMIT = 256 * 2**20  # bytes in all
_OWN = re.compile(r"[0-9a-f]{64}\.kept|\.[0-9a-f]{50}\.\w+")  # the names of files here, finished and not


def load(key: str) -> bytes | None:
    """Return what was saved under `key`, if it is there and whole; else None."""
    with suppress(OSError, RuntimeError):
        folder = _folder()
        if folder is None or not _is_private(path := folder / _name(key)):
            return None
        content = path.read_bytes()
        check, content = content[:32], content[32:]
        if check == _checksum(path.name, content):
            with suppress(OSError):
                os.utime(path)  # what is not used for long goes first
            return content
    return None


def save(key: str, content: bytes) -> None:
    """Keep `content` under `key`, if that is possible; what was not used for long makes room for it."""
    with suppress(OSError, RuntimeError):
        folder = _folder()
        if folder is None:
            return
        for missing in reversed([place for place in (folder, *folder.parents) if not place.exists()]):
            missing.mkdir(mode=0o700, exist_ok=True)
        if _is_private(folder):
            name = _name(key)
            write_atomically(folder / name, _checksum(name, content) + content, private=True)
            _make_room(folder)


def _name(key: str) -> str:
    return f"{sha256(key.encode()).hexdigest()}.kept"


def _checksum(name: str, content: bytes) -> bytes:
    return sha256(name.encode() + content).digest()


def _folder() -> Path | None:
    """Return the folder, which may have yet to be made; None if there is to be none, or no safe one."""
    place = _place()
    if place is None:
        return None
    folder = Path(os.path.realpath(place))
    return folder if _is_private(folder) else None


def _place() -> Path | None:
    chosen = os.environ.get("MICROGRAD_MLP_CACHE")
    if chosen is not None:
        return None if chosen in ("", "0") else Path(chosen)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME", ""))
        base = base if base.is_absolute() else Path.home() / ".cache"  # the standard says to ignore others
    return base / "micrograd-mlp"


def _is_private(path: Path) -> bool:
    """Return whether this user alone, and root, can write to `path` or put something else in its place."""
    if sys.platform == "win32":
        return True
    user = os.geteuid()
    for place in (path, *path.parents):
        with suppress(FileNotFoundError):
            info = place.lstat()
            above = place != path
            guarded = above and info.st_mode & stat.S_ISVTX  # only the owner renames what is in it, as in /tmp
            if info.st_uid != user and not (above and info.st_uid == 0):
                return False
            if stat.S_ISLNK(info.st_mode) or (info.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not guarded):
                return False
    return True


def _make_room(folder: Path) -> None:
    """Remove files not used for long, until those that are left are within the limit."""
    files = [(path.lstat(), path) for path in folder.iterdir() if _OWN.fullmatch(path.name)]
    size = sum(info.st_size for info, _ in files)
    for info, path in sorted(files, key=lambda file: file[0].st_mtime):
        if size <= LIMIT:
            break
        path.unlink(missing_ok=True)
        size -= info.st_size
