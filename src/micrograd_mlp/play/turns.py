"""A door that lets so many through at a time, in the order in which they came: nobody is passed by."""

from __future__ import annotations

from collections import deque
from threading import Lock
from typing import Any


class Turns:
    """Used as `with turns:`. Unlike threading.Semaphore it never lets the one who just left go first again."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._waiting: deque[Any] = deque()  # a closed lock for each who waits
        self._lock = Lock()

    def __enter__(self) -> None:
        with self._lock:
            if self._free and not self._waiting:
                self._free -= 1
                return
            mine = Lock()
            mine.acquire()
            self._waiting.append(mine)
        mine.acquire()

    def __exit__(self, *error: object) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._free += 1
