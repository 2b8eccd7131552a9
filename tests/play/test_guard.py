"""As an attacker: another page, a rebound name, no token, floods, endless uploads, nonsense. The server stays up."""

import json
import random
import re
import socket
import time

import pytest

pytest.importorskip("starlette", reason="the playground's server is not installed: pip install 'micrograd-mlp[play]'")
pytest.importorskip("uvicorn", reason="the playground's server is not installed: pip install 'micrograd-mlp[play]'")
from served import serve

from micrograd_mlp.play import guard
from micrograd_mlp.play.guard import MOST_BYTES, MOST_CONNECTIONS, MOST_UPLOADED, PUBLIC
from micrograd_mlp.play.messages import MESSAGES


@pytest.fixture(scope="module")
def served():
    with serve() as found:
        yield found
        assert found.process.poll() is None, "the server has died"


@pytest.fixture
def alive(served):
    yield served
    assert served.ask("/")[0] == 200
    assert served.open("problem=own")


ORIGINS = ["http://evil.example", "https://127.0.0.1:{port}", "http://127.0.0.1:1", "http://localhost", "null", ""]
HOSTS = [
    "evil.example",
    "evil.example:{port}",
    "127.0.0.1",
    "127.0.0.1:1",
    "[::1]:{port}",
    "0.0.0.0:{port}",
    "127.0.0.1:{port}.evil.example",
    "",
]


@pytest.mark.parametrize("origin", ORIGINS)
def test_a_foreign_origin(alive, origin):
    for path, body in (("/sessions", {"query": ""}), ("/", None), ("/play.js", None)):
        status, headers, answer = alive.ask(path, body, headers={"Origin": origin.format(port=alive.port)})
        assert (status, json.loads(answer)["error"]) == (403, "the playground takes requests from its own page only")
        assert not any(name.lower().startswith("access-control") for name in headers)
    assert alive.ask("/choices", headers={"Origin": f"http://127.0.0.1:{alive.port}"})[0] == 200


@pytest.mark.parametrize("host", HOSTS)
def test_a_rebound_host_name(alive, host):
    for path in ("/", "/play.js", "/choices"):
        status, _, body = alive.ask(path, headers={"Host": host.format(port=alive.port)})
        assert (status, b"127.0.0.1 and localhost only" in body) == (421, True)
    assert alive.ask("/choices", headers={"Host": f"localhost:{alive.port}"})[0] == 200


def test_two_hosts_or_none(alive):
    for head in (f"Host: 127.0.0.1:{alive.port}\r\nHost: evil.example\r\n", ""):
        with alive.connect() as connection:
            connection.sendall(f"GET /choices?token={alive.token} HTTP/1.1\r\n{head}Connection: close\r\n\r\n".encode())
            assert re.match(rb"HTTP/1.1 4(00|21)", connection.recv(4096))


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_link_or_picture_on_another_page(alive, site):
    assert alive.ask("/", headers={"Sec-Fetch-Site": site})[0] == 403


@pytest.mark.parametrize("token", [None, "", "x", "{token}x", "{token},{token}", "\xff" * 9])
def test_a_missing_or_wrong_token(alive, token):
    path = alive.open("problem=own")
    headers = {} if token is None else {"X-Token": token.format(token=alive.token)}
    asked = [
        ("/", None),
        ("/choices", None),
        ("/sessions", {"query": ""}),
        (f"{path}/stream", None),
        (f"{path}/play", {}),
    ]
    asked += [(f"{path}/get/session", None), (f"{path}/explore", None), (f"{path}/close", {}), (f"{path}/data", b"1")]
    for address, body in asked:
        status, _, answer = alive.ask(address, body, headers=headers, token=False)
        assert (status, "the token is missing or wrong" in answer.decode()) == (403, True)
    for query in ("?token=", "?token=x", f"?token={alive.token}&token=x", f"?token={alive.token}x", "?" + "a=1&" * 500):
        assert alive.ask(f"/{query}", token=False)[0] == 403


def test_what_is_public_tells_nothing(served):
    for path in PUBLIC:
        status, headers, body = served.ask(path, token=False)
        assert status == 200
        assert served.token.encode() not in body
        assert headers["x-content-type-options"] == "nosniff"
    assert served.token.encode() not in served.ask("/")[2]


@pytest.mark.parametrize(
    "path", ["/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/sessions/../play.js", "//etc/passwd", "/play.js/.."]
)
def test_no_path_leads_to_other_files(alive, path):
    status, _, body = alive.ask(path)
    assert status in (404, 405, 307)
    assert b"root:" not in body


def send_without_end(alive, path, head, chunk):
    """Send a body until the server has enough; return how many bytes it took, and its answer."""
    with alive.connect() as connection:
        connection.sendall(
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{alive.port}\r\nX-Token: {alive.token}\r\n{head}\r\n\r\n".encode()
        )
        sent, answer = 0, b""
        connection.settimeout(0.0)
        begin = time.monotonic()
        while sent < 2**30 and time.monotonic() - begin < 20:
            try:
                answer += connection.recv(4096)
                break
            except BlockingIOError:
                pass
            except ConnectionError:
                break
            try:
                sent += connection.send(chunk[sent % len(chunk) :])
            except BlockingIOError:
                time.sleep(0.001)
            except ConnectionError:
                break
        return sent, answer


@pytest.mark.parametrize("path", ["/sessions", "data", "set"])
@pytest.mark.parametrize("chunked", [False, True])
def test_an_upload_of_a_gigabyte_is_refused_early(alive, path, chunked):
    address = path if path[0] == "/" else f"{alive.open('problem=own')}/{path}"
    head, chunk = f"Content-Length: {2**30}", b"1,2,3\n" * 10_000
    if chunked:
        head, chunk = "Transfer-Encoding: chunked", b"%x\r\n%s\r\n" % (len(chunk), chunk)
    sent, answer = send_without_end(alive, address, head, chunk)
    most = MOST_UPLOADED if path != "set" else MOST_BYTES
    assert sent < most + 8 * 2**20  # what lies in the system's buffers
    assert not answer or answer.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("length", ["-1", "x", "1e9", "9" * 400])
def test_lengths_that_are_none(alive, length):
    with alive.connect() as connection:
        connection.sendall(
            f"POST /sessions HTTP/1.1\r\nHost: 127.0.0.1:{alive.port}\r\n"
            f"X-Token: {alive.token}\r\nContent-Length: {length}\r\n\r\n".encode()
        )
        assert re.match(rb"HTTP/1.1 4(00|13) ", connection.recv(4096))


def test_a_thousand_connections_left_hanging(alive):
    path, hanging = alive.open(), []
    try:
        with alive.stream(path) as events:
            next(events)
            alive.ask(f"{path}/play", {})
            for number in range(1000):
                hanging.append(alive.connect())
                if number % 3:
                    hanging[-1].sendall(b"POST /sessions HTTP/1.1\r\nHost: 127.0.0.1"[: 1 + number % 40])
                if len(hanging) > 200:  # this process may not have a thousand files open; the server has closed them
                    hanging.pop(0).close()
                if number % 250 == 0:
                    assert alive.ask("/choices")[0] == 200
            assert alive.ask("/choices")[0] == 200
            last = next(events)["frame"]["epoch"]
            assert any(news["frame"]["epoch"] > last for news in events)
    finally:
        for connection in hanging:
            connection.close()


def test_the_oldest_idle_connections_are_closed_for_new_ones(alive):
    opened = [alive.connect() for _ in range(MOST_CONNECTIONS + 40)]
    try:
        time.sleep(0.3)
        closed = 0
        for connection in opened[:40]:
            connection.settimeout(2)
            try:
                closed += connection.recv(1) == b""
            except ConnectionError:
                closed += 1
            except TimeoutError:
                pass
        assert closed >= 30
    finally:
        for connection in opened:
            connection.close()


def test_ten_thousand_random_messages(alive):
    """Through few connections, as fast as they go: each is answered, none with an error of ours."""
    import http.client

    rng = random.Random(0)
    path = alive.open("samples=10&hidden=2&speed=0")
    wild = [
        None,
        True,
        -1,
        0,
        3,
        1e300,
        "",
        "x",
        "own",
        "tanh",
        [],
        [4, 2],
        [[0, 0, 1]],
        [[1e9, None, "x"]],
        {"a": [1]},
    ]
    names = ["a", "lr", "batch", "name", "value", "rows", "index", "to", "indices", "noise", "visible", "unit", "loss"]
    built = ["hidden", "features", "problem", "kind", "samples"]  # each good one takes a tenth of a second
    messages = [*MESSAGES, "view", "nope", "get/x", "data"]
    connection = http.client.HTTPConnection("127.0.0.1", alive.port, timeout=20)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # head and body at once
    counts = {}
    for number in range(10_000):
        kinds = built if number % 50 == 0 else names
        body = json.dumps({rng.choice(kinds): rng.choice(wild) for _ in range(rng.randrange(3))}).encode()
        if number % 7 == 0:
            body = bytes(rng.randrange(256) for _ in range(rng.randrange(40)))
        connection.request("POST", f"{path}/{rng.choice(messages)}", body, {"X-Token": alive.token})
        answer = connection.getresponse()
        answer.read()
        counts[answer.status] = counts.get(answer.status, 0) + 1
    connection.close()
    assert set(counts) <= {200, 404, 405, 413, 422}, counts
    assert counts[422] > 1000
    assert counts[200] > 100
    status, _, body = alive.ask(f"{path}/get/session")
    assert status == 200
    assert json.loads(body)["format"]


def test_nonsense_on_the_line(alive):
    rng = random.Random(1)
    for _ in range(200):
        with alive.connect() as connection:
            connection.sendall(bytes(rng.randrange(256) for _ in range(rng.randrange(1, 300))) + b"\r\n\r\n")
            connection.shutdown(socket.SHUT_WR)
    with alive.connect() as connection:
        connection.sendall(b"GET /" + b"a" * 100_000)
        assert connection.recv(4096).startswith(b"HTTP/1.1 400")


def test_a_request_that_does_not_come_to_its_end(monkeypatch):
    """Time limits, on a clock of our own."""
    import asyncio

    monkeypatch.setattr(guard, "PATIENCE", 0.05)
    sent = []

    async def app(scope, receive, send):
        while (await receive()).get("more_body"):
            pass

    async def receive():
        await asyncio.sleep(10)

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/sessions",
        "query_string": b"token=t",
        "headers": [(b"host", b"localhost:1")],
    }
    asyncio.run(guard.Guard(app, "t", 1)(scope, receive, send))
    assert sent[0]["status"] == 408
    assert b"did not come in time" in sent[1]["body"]


def test_an_answer_that_nobody_takes(monkeypatch):
    import asyncio

    monkeypatch.setattr(guard, "PATIENCE", 0.05)

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise AssertionError("the answer was taken")

    async def receive():
        return {"type": "http.request"}

    async def send(message):
        await asyncio.sleep(10)

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "query_string": b"token=t",
        "headers": [(b"host", b"localhost:1")],
    }
    asyncio.run(guard.Guard(app, "t", 1)(scope, receive, send))
