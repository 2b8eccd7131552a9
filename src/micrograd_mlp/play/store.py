"""The sessions that are open: bounded in number and in memory, the oldest closed with a word when another one comes."""

from __future__ import annotations

import secrets
from time import monotonic

from .run import Run
from .session import Session

MOST_SESSIONS = 8
MOST_BYTES = 512 * 2**20  # of all sessions, as they reckon it themselves
ALONE = 15.0  # seconds that a session nobody reads is kept: long enough to load a page again


class Store:
    """Sessions by their names, which cannot be guessed, in the order in which they were opened."""

    def __init__(self) -> None:
        self.sessions: dict[str, Session] = {}

    def open(self, run: Run) -> Session:
        """Return a new session for a run; the oldest ones make room for it."""
        session = Session(run, secrets.token_urlsafe(9))
        self.sessions[session.name] = session
        while len(self.sessions) > MOST_SESSIONS or (
            len(self.sessions) > 1 and sum(each.size for each in self.sessions.values()) > MOST_BYTES
        ):
            oldest = next(iter(self.sessions.values()))
            self.close(oldest, f"This run was closed, the oldest of {MOST_SESSIONS} that may be open at a time.")
        return session

    def get(self, name: str) -> Session:
        """Return the session of this name. Raises ValueError if there is none any more."""
        if name not in self.sessions:
            raise ValueError("this run is not open any more; load the page again")
        return self.sessions[name]

    def close(self, session: Session, why: str) -> None:
        """Close a session, and tell its page why."""
        self.sessions.pop(session.name, None)
        session.close(why)

    def close_left_alone(self) -> None:
        """Close the sessions whose page is gone."""
        for session in list(self.sessions.values()):
            if session.closed or (session.readers == 0 and monotonic() - session.last_seen > ALONE):
                self.close(session, "This run was closed, for its page was gone.")

    def close_all(self, why: str) -> None:
        """Close every session."""
        for session in list(self.sessions.values()):
            self.close(session, why)
