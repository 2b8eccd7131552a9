"""The server does what the page asks for, and ends at once."""

import json
import re
import signal
import socket
import time
from itertools import pairwise

import pytest

pytest.importorskip("starlette", reason="the playground's server is not installed: pip install 'micrograd-mlp[play]'")
pytest.importorskip("uvicorn", reason="the playground's server is not installed: pip install 'micrograd-mlp[play]'")
from served import serve

from micrograd_mlp.play.server import PORT, listen


@pytest.fixture(scope="module")
def served():
    with serve() as found:
        yield found


def read_until(events, fits):
    for news in events:
        if fits(news):
            return news
    raise AssertionError("the stream has ended")


def test_the_page_and_its_files(served):
    status, headers, body = served.ask("/")
    assert status == 200
    assert headers["content-security-policy"].startswith("default-src 'self'; ")
    assert "script-src" not in headers["content-security-policy"]  # so that it is 'self': no inline script, no eval
    assert re.findall(rb"<script[^>]*>(.*?)</script>", body) == [b""]
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    for path, kind in [
        ("/play.js", "javascript"),
        ("/play.css", "css"),
        ("/licences.txt", "plain"),
        ("/favicon.svg", "svg"),
    ]:
        status, headers, body = served.ask(path, token=False)
        assert (status, kind in headers["content-type"]) == (200, True)
        assert body
    assert served.ask("/nothing")[0] == 404
    assert served.ask("/sessions/x/play", method="GET")[0] == 405


def test_a_session_is_opened_asked_and_closed(served):
    path = served.open("problem=blobs&samples=40&hidden=3&speed=0")
    with served.stream(path) as events:
        first = next(events)
        assert first["state"]["settings"]["problem"] == "blobs"
        assert served.ask(f"{path}/play", {})[0] == 200
        read_until(events, lambda news: news["frame"]["epoch"] > 10)
        assert served.ask(f"{path}/set", {"lr": 0.5})[0] == 200
        assert read_until(events, lambda news: "state" in news and news["state"]["settings"]["lr"] == 0.5)["state"][
            "playing"
        ]
        assert served.ask(f"{path}/view", {"unit": 0})[0] == 200
        assert served.ask(f"{path}/data?name=own.csv", b"1,2,a\n2,3,b\n3,1,a\n", "POST")[0] == 200
        assert read_until(events, lambda news: "state" in news and news["state"]["edited"])["state"]["classes"] == [
            "a",
            "b",
        ]
        status, _, body = served.ask(f"{path}/data?name=own.csv", b"1,2,a\n2,x,b\n", "POST")
        assert (status, "own.csv, line 2, column 2" in json.loads(body)["error"]) == (422, True)
        assert served.ask(f"{path}/close", {})[0] == 200
        assert read_until(events, lambda news: "closed" in news) == {"closed": "This run was closed."}
        assert list(events) == []
    assert served.ask(f"{path}/play", {})[0] == 422


def test_what_can_be_taken_home_can_be_brought_back(served):
    path = served.open()
    served.ask(f"{path}/step", {})
    for what, kind, begin in [
        ("history", "text/csv", b"epoch,loss,accuracy"),
        ("code", "text/x-python", b'"""A run of the playground'),
        ("model", "application/octet-stream", b""),
        ("session", "application/json", b'{"format"'),
    ]:
        status, headers, body = served.ask(f"{path}/get/{what}")
        assert (status, headers["content-type"].partition(";")[0]) == (200, kind)
        assert headers["content-disposition"].startswith("attachment; ")
        assert body.startswith(begin)
    status, _, body = served.ask("/sessions", body)
    assert status == 200
    with served.stream(f"/sessions/{json.loads(body)['name']}") as events:
        assert next(events)["frame"]["epoch"] == 1
    assert served.ask(f"{path}/get/passwd")[0] == 422


def test_the_explorer_comes_with_its_own_policy(served):
    path = served.open()
    status, headers, body = served.ask(f"{path}/explore?point=2&name=layers%5B0%5D.neurons%5B1%5D.w%5B0%5D")
    assert status == 200
    assert "The loss at point 2 after 0 epochs" in body.decode()
    assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'sha256-")
    status, _, body = served.ask(f"{path}/explore?point=99&name=")
    assert (status, json.loads(body)["error"]) == (422, "point takes a whole number from 0 to 39, got '99'")


def test_a_page_that_is_left_stops_training(served):
    path = served.open()
    with served.stream(path) as events:
        next(events)
        served.ask(f"{path}/play", {})
        read_until(events, lambda news: news["frame"]["epoch"] > 5)
    lengths = (len(served.ask(f"{path}/get/history")[2]) for _ in range(20) if time.sleep(0.3) is None)
    assert any(one == after for one, after in pairwise(lengths))  # it may take a while to be noticed


def test_the_ninth_session_closes_the_first_with_a_word(served):
    first = served.open()
    with served.stream(first) as events:
        next(events)
        for _ in range(8):
            served.open("problem=own")
        assert "the oldest of 8" in read_until(events, lambda news: "closed" in news)["closed"]


def test_ctrl_c_ends_at_once_though_a_page_is_open():
    with serve() as found:
        path = found.open()
        with found.stream(path) as events:
            next(events)
            found.ask(f"{path}/play", {})
            found.process.send_signal(signal.SIGINT)
            assert found.process.wait(5) == 0
            assert found.process.stderr.read() == ""


def test_it_listens_on_this_machine_alone_and_finds_a_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            listen(taken.getsockname()[1])
    with listen(None) as first, listen(None) as second:
        assert first.getsockname()[0] == second.getsockname()[0] == "127.0.0.1"
        assert PORT not in (second.getsockname()[1],) or first.getsockname()[1] != PORT
