"""A session trains in a thread of its own, answers between two turns, and ends when it is told to."""

import queue
import threading
import time

import pytest

from micrograd_mlp.play import session as module
from micrograd_mlp.play.run import Run
from micrograd_mlp.play.session import Session
from micrograd_mlp.play.settings import Settings


@pytest.fixture
def opened():
    sessions = []

    def make(**given):
        sessions.append(Session(Run(Settings.of({"samples": 40, "hidden": "3", "speed": 0} | given)), "name"))
        return sessions[-1]

    yield make
    for session in sessions:
        session.close("done")
        session._thread.join(5)
        assert not session._thread.is_alive()


class Reader:
    """Reads frames as the server does."""

    def __init__(self, session):
        self.session, self.news = session, queue.Queue()
        session.readers += 1

    def next(self):
        self.session.listen(self.news.put)
        return self.news.get(timeout=20)

    def until(self, fits):
        for _ in range(3000):
            news = self.next()
            if fits(news):
                return news
        raise AssertionError("nothing fits")


def ask(session, what):
    return session.ask(what).result(timeout=20)


def test_it_tells_the_state_then_frames_while_it_trains(opened):
    session = opened()
    reader = Reader(session)
    first = reader.next()
    assert first["state"]["playing"] is False
    assert first["frame"]["epoch"] == 0
    ask(session, Run.play)
    assert reader.until(lambda news: news["frame"]["epoch"] > 20)["frame"]["playing"]
    ask(session, Run.pause)
    epoch = ask(session, lambda run: run.epoch)
    assert reader.until(lambda news: not news["frame"]["playing"])["frame"]["epoch"] == epoch
    assert ask(session, lambda run: run.epoch) == epoch


def test_native_code_takes_over_while_it_trains(opened):
    if module.fastest() == "numpy":
        pytest.skip("llvmlite is not installed, so there is no native code to take over")
    session = opened()
    reader = Reader(session)
    ask(session, Run.play)
    state = reader.until(lambda news: news.get("state", {}).get("backend") == "llvm")["state"]
    assert state["playing"]
    epoch = ask(session, lambda run: run.epoch)
    reader.until(lambda news: news["frame"]["epoch"] > epoch + 50)
    ask(session, lambda run: run.change({"hidden": "2"}))
    ask(session, lambda run: run.change({"hidden": "3"}))
    reader.until(lambda news: news.get("state", {}).get("backend") == "llvm")


@pytest.mark.parametrize("how", ["hidden", "left"])
def test_a_page_that_nobody_sees_does_not_train(opened, how):
    session = opened()
    reader = Reader(session)
    ask(session, Run.play)
    reader.until(lambda news: news["frame"]["epoch"] > 3)
    if how == "hidden":
        session.see(False)
    else:
        session.readers -= 1
    epoch = ask(session, lambda run: run.epoch)
    time.sleep(0.2)
    assert ask(session, lambda run: run.epoch) == epoch
    if how == "hidden":
        session.see(True)
        reader.until(lambda news: news["frame"]["epoch"] > epoch)


def test_it_goes_as_slowly_as_it_is_told(opened):
    session = opened(speed=20)
    reader = Reader(session)
    ask(session, Run.play)
    reader.until(lambda news: news["frame"]["epoch"] >= 2)
    begin, epoch = time.monotonic(), ask(session, lambda run: run.epoch)
    reader.until(lambda news: news["frame"]["epoch"] >= epoch + 10)
    assert time.monotonic() - begin > 0.2  # ten epochs take half a second, less what had been saved up
    ask(session, lambda run: run.change({"speed": 0}))
    reader.until(lambda news: news["frame"]["epoch"] > epoch + 100)
    ask(session, lambda run: run.change({"speed": 20}))
    epoch = ask(session, lambda run: run.epoch)
    reader.until(lambda news: news["frame"]["epoch"] >= epoch + 3)


def test_full_speed_runs_up_no_debt(opened):
    """What was trained at full speed does not keep a slower speed waiting."""
    session = opened(speed=0)
    reader = Reader(session)
    ask(session, Run.play)
    reader.until(lambda news: news["frame"]["epoch"] > 20)

    def slow_down(run):
        session._train()  # a turn at full speed, right before
        run.change({"speed": 20})
        return session._epochs_due()

    assert 0 <= ask(session, slow_down) < 20


def test_nothing_is_sent_that_has_not_changed(opened):
    session = opened()
    reader = Reader(session)
    reader.next()
    module_wait = reader.news
    session.listen(module_wait.put)
    if module.fastest() == "llvm":
        assert "state" in module_wait.get(timeout=20)  # native code has come
        session.listen(module_wait.put)
    with pytest.raises(queue.Empty):
        module_wait.get(timeout=0.2)
    session.show(1)
    assert "map" in module_wait.get(timeout=5)["frame"]


def test_errors_come_to_whoever_asked_and_the_session_goes_on(opened):
    session = opened()
    with pytest.raises(ValueError, match="lr takes"):
        ask(session, lambda run: run.change({"lr": -1}))
    with pytest.raises(ZeroDivisionError):
        ask(session, lambda run: 1 / 0)
    assert ask(session, lambda run: run.settings.lr) == 0.03


def test_a_closed_session_says_why(opened):
    session = opened()
    reader = Reader(session)
    reader.next()
    session.listen(reader.news.put)
    session.close("It was the oldest.")
    news = reader.news.get(timeout=5)
    while "closed" not in news:
        session.listen(reader.news.put)
        news = reader.news.get(timeout=5)
    assert news == {"closed": "It was the oldest."}
    session.close("again")
    with pytest.raises(ValueError, match=r"It was the oldest\."):
        ask(session, Run.play)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_error_of_ours_ends_the_session_with_a_word(opened, monkeypatch):
    session = opened()
    monkeypatch.setattr(module, "state_of", lambda run: 1 / 0)
    reader = Reader(session)
    session.listen(reader.news.put)
    assert "division by zero" in reader.news.get(timeout=5)["closed"]
    session._thread.join(5)


def test_sessions_train_beside_each_other(opened):
    sessions = [opened() for _ in range(3)]
    readers = [Reader(session) for session in sessions]
    for session in sessions:
        ask(session, Run.play)
    for reader in readers:
        reader.until(lambda news: news["frame"]["epoch"] > 5)
    assert sum(thread.name == "session name" for thread in threading.enumerate()) >= 3
