"""A session: one run and the thread that trains it, beside the loop that serves the pages.

The thread takes turns: what the page has asked for, a little training, a frame if somebody waits for one. Whoever asks
is answered after a turn, some hundredths of a second.
"""

from __future__ import annotations

import math
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from time import monotonic
from typing import Any, TypeVar

from .frames import Frames, state_of
from .machine import Machine, fastest
from .run import Run
from .turns import Turns

Result = TypeVar("Result")
Listener = Callable[[dict[str, Any]], None]

TURN = 0.008  # seconds of training before the page has its turn
FRAME = 1 / 60  # seconds between two frames at least
_turns = Turns(max(1, (os.cpu_count() or 2) - 1))  # sessions that train at the same moment
_compiling = threading.Lock()  # one program at a time


class Session:
    """A run in a thread of its own. `ask` is how everybody else reaches it; `close` ends it, with a word on why."""

    def __init__(self, run: Run, name: str) -> None:
        self.name, self.closed = name, ""
        self.visible, self.last_seen = True, monotonic()
        self.readers = 0  # pages that read frames
        self._run, self._frames = run, Frames()
        self._asked: deque[tuple[Callable[[Run], Any], Future[Any]]] = deque()
        self._turn = threading.Condition()
        self._wanted = False
        self._listener: Listener = _nobody
        self._seen = -1  # version of the run in the latest state that was sent
        self._shown: tuple[int, ...] = ()  # moment of the run in the latest frame
        self._compiled_for: Any = None
        self._due, self._clock = 0.0, monotonic()  # epochs that may be trained, and when that was reckoned
        self._next_frame = 0.0
        self._thread = threading.Thread(target=self._work, name=f"session {name}", daemon=True)
        self._thread.start()

    def ask(self, what: Callable[[Run], Result]) -> Future[Result]:
        """Return the future result of a function of the run, called by the thread that trains it."""
        future: Future[Result] = Future()
        with self._turn:
            if self.closed:
                future.set_exception(ValueError(self.closed))
                return future
            self._asked.append((what, future))
            self._turn.notify()
        return future

    def show(self, unit: int | None) -> None:
        """Show the map of a unit large; of the output, if None."""
        self._frames.unit = unit
        self.refresh()

    def refresh(self) -> None:
        """Send a new frame, whether or not anything has changed."""
        with self._turn:
            self._shown = ()
            self._turn.notify()

    def see(self, visible: bool) -> None:
        """Note whether the page can be seen; one that cannot does not train."""
        with self._turn:
            self.visible = visible
            self._turn.notify()

    def listen(self, listener: Listener) -> None:
        """Give the next frame, when something has changed, to `listener`, once; it is called in the other thread."""
        with self._turn:
            self._wanted, self._listener = True, listener
            self._turn.notify()

    def restart_frames(self) -> None:
        """Begin with the whole state and history again: somebody new reads on."""
        with self._turn:
            self._seen, self._shown = -1, ()
            self._frames.restart()
            self._turn.notify()

    def close(self, why: str) -> None:
        """End the session and tell whoever reads it why."""
        with self._turn:
            self.closed = self.closed or why
            listener, self._listener = self._listener, _nobody
            self._turn.notify()
        listener({"closed": self.closed})

    @property
    def size(self) -> int:
        """About how many bytes the session holds on to."""
        return 2_000_000 + 200 * len(self._run.points.X) + 5_000 * self._run.settings.parameters

    def _work(self) -> None:
        try:
            while self._take_turn():
                pass
        except Exception as error:
            self.close(f"The session ended by an error: {error!r:.200}")
            raise
        finally:
            for _, future in self._asked:
                future.set_exception(ValueError(self.closed))

    def _take_turn(self) -> bool:
        """Wait until there is something to do, and do it; return whether the session goes on."""
        with self._turn:
            while not self._has_work() and not self.closed:
                self._turn.wait(self._pause())
            asked = [self._asked.popleft() for _ in range(0 if self.closed else len(self._asked))]
        for what, future in asked:
            self._answer(what, future)
        if not self.closed:
            self._compile()
            self._train()
            self._send()
        return not self.closed

    def _has_work(self) -> bool:
        return bool(self._asked) or (self._training and self._epochs_due() >= 1) or self._has_news()

    def _has_news(self) -> bool:
        return self._is_awaited() and monotonic() >= self._next_frame

    def _is_awaited(self) -> bool:
        return self._wanted and self.visible and self._shown != self._run.moment

    def _pause(self) -> float | None:
        """Return how long there is nothing to do at most; None until somebody asks."""
        pauses = []
        if self._training and self._run.settings.speed:
            pauses.append((1 - self._epochs_due()) / self._run.settings.speed)
        if self._is_awaited():
            pauses.append(self._next_frame - monotonic())
        return max(0.001, min(pauses)) if pauses else None

    @property
    def _training(self) -> bool:
        return self._run.playing and self.visible and self.readers > 0

    def _epochs_due(self) -> float:
        """Return how many epochs the clock allows by now; what could not be done in half a second is let go."""
        speed, now = self._run.settings.speed, monotonic()
        if not speed:
            self._due, self._clock = 0.0, now
            return math.inf
        self._due = min(self._due + (now - self._clock) * speed, max(1.0, speed / 2))
        self._clock = now
        return self._due

    def _answer(self, what: Callable[[Run], Any], future: Future[Any]) -> None:
        try:
            future.set_result(what(self._run))
        except Exception as error:
            future.set_exception(error)

    def _train(self) -> None:
        if not self._training:
            self._due, self._clock = 0.0, monotonic()
            return
        due = self._epochs_due()
        if due >= 1:
            with _turns:
                done = self._run.advance(TURN, due if due == math.inf else due // 1)
            self._due -= done if due < math.inf else 0  # full speed runs up no debt

    def _send(self) -> None:
        if not self._has_news():
            return
        news: dict[str, Any] = {}
        moment, version = self._run.moment, self._run.version
        if self._seen != version:
            news["state"] = state_of(self._run)
        with _turns:
            news["frame"] = self._frames.make(self._run)
        self._seen, self._shown = version, moment
        self._next_frame = monotonic() + FRAME
        with self._turn:
            listener, self._listener, self._wanted = self._listener, _nobody, False
        listener(news)

    def _compile(self) -> None:
        """Let native code be made in another thread, if it is wanted and not being made."""
        wanted = self._run.wanted
        if wanted is None or wanted == self._compiled_for:
            return
        self._compiled_for = wanted
        settings, points = self._run.settings, self._run.points

        def make() -> None:
            with _compiling:
                if self.closed or self._run.wanted != wanted:
                    return
                machine = Machine(settings, points, fastest())
                machine.warm_up(points)
            self.ask(lambda run: self._upgrade(run, machine, wanted))

        threading.Thread(target=make, name="compile", daemon=True).start()

    def _upgrade(self, run: Run, machine: Machine, wanted: Any) -> None:
        if run.wanted == wanted:
            run.upgrade(machine)
            run.version += 1
        self._compiled_for = None


def _nobody(news: dict[str, Any]) -> None:
    """Take news that nobody waits for."""
