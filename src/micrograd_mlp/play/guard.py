"""What stands before the server: who may come in, how much may be sent, and how long one may take.

Any page in any browser can send requests to a port of this machine, and any program can open connections to it. So a
request needs a Host that is ours (or a foreign name could be made to point here), an Origin that is ours or none, and,
unless it asks for a public file, the token that only the opened address holds. Connections are bounded in number: a new
one closes the oldest that is doing nothing.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs

from starlette.responses import JSONResponse, Response
from uvicorn.protocols.http.h11_impl import H11Protocol

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

PUBLIC = ("/play.js", "/play.css", "/licences.txt", "/favicon.svg")  # the same for everybody
MOST_BYTES = 64 * 1024  # of a request
MOST_UPLOADED = 8 * 2**20  # of a file
UPLOADS = ("/data", "/sessions")  # how the paths end that take files
PATIENCE = 10.0  # seconds for a request to come in, or for a part of an answer to be taken
MOST_CONNECTIONS = 128

HEADERS = [
    (b"content-security-policy", b"default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
     b"object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
]  # fmt: skip


class Refused(Exception):  # noqa: N818  # it is said to whoever asked, and is no error here
    """A request that is not answered: the status and one sentence."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status, self.why = status, why


class Gone(Exception):  # noqa: N818  # as above
    """Whoever asked does not take the answer."""


async def refuse(request: Any, refused: Exception) -> Response:
    """Answer a request that is refused while it is read: for the application's handlers of exceptions."""
    assert isinstance(refused, Refused)
    return JSONResponse({"error": refused.why}, refused.status, headers={"connection": "close"})


class Guard:
    """Lets requests through to an application, or refuses them; adds the headers that keep a page to itself."""

    def __init__(self, app: Any, token: str, port: int) -> None:
        self.app, self.token = app, token
        self.hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":  # websockets are not spoken here; uvicorn ends them
            return
        sender = _Sender(send)
        try:
            self.check(scope)
            await self.app(scope, _limited(scope, receive), sender)
        except Refused as refused:
            if not sender.begun:
                await (await refuse(None, refused))(scope, receive, sender)
        except Gone:
            pass

    def check(self, scope: Any) -> None:
        """Raise Refused for whoever has no business here."""
        headers: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name, []).append(value)
        hosts = [value.decode("latin-1").lower() for value in headers.get(b"host", [])]
        if len(hosts) != 1 or hosts[0] not in self.hosts:
            raise Refused(421, "the playground answers to 127.0.0.1 and localhost only")
        for value in headers.get(b"origin", []):
            if value.decode("latin-1").lower() not in {f"http://{host}" for host in self.hosts}:
                raise Refused(403, "the playground takes requests from its own page only")
        if headers.get(b"sec-fetch-site", [b"none"]) not in ([b"none"], [b"same-origin"]):
            raise Refused(403, "the playground takes requests from its own page only")
        if scope["path"] not in PUBLIC and not self._knows_token(headers, scope):
            raise Refused(403, "the token is missing or wrong; open the address that `micrograd-mlp play` has printed")

    def _knows_token(self, headers: dict[bytes, list[bytes]], scope: Any) -> bool:
        given = headers.get(b"x-token", [])
        if not given:
            try:
                query = parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=20)
            except ValueError:
                return False
            given = [value.encode() for value in query.get("token", [])]
        return len(given) == 1 and secrets.compare_digest(given[0], self.token.encode())


class _Sender:
    """Sends an answer with our headers, and does not wait for ever for somebody to take it."""

    def __init__(self, send: Send) -> None:
        self.begun = False
        self._send = send

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            own = {name for name, _ in message.get("headers", [])}
            more = [(name, value) for name, value in HEADERS if name not in own]
            message = {**message, "headers": [*message.get("headers", []), *more]}
        try:
            async with asyncio.timeout(PATIENCE):
                await self._send(message)
        except TimeoutError:
            raise Gone from None


def _limited(scope: Any, receive: Receive) -> Receive:
    """Return `receive` with a limit on how much comes, and how long it takes."""
    is_upload = scope["path"].endswith(UPLOADS)
    most = MOST_UPLOADED if is_upload else MOST_BYTES
    refusal = Refused(413, f"at most {most // 1024} KB are taken here")
    announced = dict(scope["headers"]).get(b"content-length", b"0")
    if not announced.isdigit() or int(announced[:20]) > most:
        raise refusal
    until = asyncio.get_running_loop().time() + PATIENCE * (3 if is_upload else 1)
    taken, whole = 0, False

    async def limited() -> Message:
        nonlocal taken, whole
        if whole:  # what comes after the request is that the other side hangs up, at any time
            return await receive()
        try:
            async with asyncio.timeout_at(until):
                message = await receive()
        except TimeoutError:
            raise Refused(408, "the request did not come in time") from None
        taken += len(message.get("body", b""))
        whole = not message.get("more_body", False)
        if taken > most:
            raise refusal
        return message

    return limited


class Connection(H11Protocol):
    """A connection that says what it wants within `PATIENCE`; a new one closes the oldest idle one of too many."""

    opened: dict[Connection, None] = {}  # noqa: RUF012  # all of the process, in the order in which they came

    def connection_made(self, transport: Any) -> None:
        """Take a connection, and set it a time."""
        super().connection_made(transport)
        with suppress(OSError):  # frames that wait in the system's memory are old when they arrive
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * 1024)
        if len(self.opened) >= MOST_CONNECTIONS:
            idle = [each for each in self.opened if each.is_idle()]
            (min(idle, key=lambda each: each.cycle is not None) if idle else self).hang_up()
        self.opened[self] = None
        self._asked_before: Any = None  # the request that was there when the alarm last rang
        self._alarm = self.loop.call_later(PATIENCE, self._ring)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection."""
        self.opened.pop(self, None)
        self._alarm.cancel()
        super().connection_lost(exc)

    def is_idle(self) -> bool:
        """Return whether no request is being answered here."""
        return self.cycle is None or self.cycle.response_complete

    def hang_up(self) -> None:
        """Close at once."""
        self.opened.pop(self, None)
        self.transport.abort()

    def _ring(self) -> None:
        """Close, if no request has come since the alarm last rang."""
        if self.is_idle() and self.cycle is self._asked_before:
            self.hang_up()
        else:
            self._asked_before = self.cycle
            self._alarm = self.loop.call_later(PATIENCE, self._ring)
