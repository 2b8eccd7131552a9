"""Sessions are bounded in number and memory, and the oldest are told why they end."""

import pytest

from micrograd_mlp.play import store as module
from micrograd_mlp.play.run import Run
from micrograd_mlp.play.settings import Settings
from micrograd_mlp.play.store import MOST_SESSIONS, Store

EMPTY = Settings.of({"problem": "own"})


@pytest.fixture
def store():
    made = Store()
    yield made
    made.close_all("done")


def test_the_oldest_makes_room(store):
    sessions = [store.open(Run(EMPTY)) for _ in range(MOST_SESSIONS + 2)]
    assert list(store.sessions.values()) == sessions[2:]
    assert (
        sessions[0].closed == sessions[1].closed == "This run was closed, the oldest of 8 that may be open at a time."
    )
    assert store.get(sessions[2].name) is sessions[2]
    with pytest.raises(ValueError, match="this run is not open any more"):
        store.get(sessions[0].name)
    assert len({session.name for session in sessions}) == len(sessions)


def test_memory_is_bounded_too(store, monkeypatch):
    sessions = [store.open(Run(EMPTY)) for _ in range(3)]
    monkeypatch.setattr(module, "MOST_BYTES", 2 * sessions[0].size + 1)
    sessions.append(store.open(Run(EMPTY)))
    assert list(store.sessions.values()) == sessions[2:]
    monkeypatch.setattr(module, "MOST_BYTES", 1)
    last = store.open(Run(EMPTY))
    assert list(store.sessions.values()) == [last]


def test_a_session_whose_page_is_gone_is_closed_after_a_while(store, monkeypatch):
    left, read = store.open(Run(EMPTY)), store.open(Run(EMPTY))
    read.readers = 1
    store.close_left_alone()
    assert len(store.sessions) == 2
    monkeypatch.setattr(module, "ALONE", -1.0)
    store.close_left_alone()
    assert list(store.sessions.values()) == [read]
    assert left.closed == "This run was closed, for its page was gone."


def test_the_largest_session_there_can_be_is_within_the_bound():
    from micrograd_mlp.play.settings import MOST_PARAMETERS, MOST_POINTS

    assert MOST_SESSIONS * (2_000_000 + 200 * MOST_POINTS + 5_000 * MOST_PARAMETERS) <= module.MOST_BYTES
