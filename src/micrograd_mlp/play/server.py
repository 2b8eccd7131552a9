"""The server of the playground: its page, what the page asks for, and the stream of frames. On this machine alone."""

from __future__ import annotations

import asyncio
import html
import json
import secrets
import socket
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..web import asset
from . import documents, messages
from .choices import choices
from .code import code_of
from .explain import explorer_of
from .guard import Connection, Guard, Receive, Refused, Send, refuse
from .run import Run
from .session import Session
from .store import Store

PORT = 8421  # asked for first; another one is taken if it is not free
QUIET = 10.0  # seconds after which an empty line shows that the stream is alive
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="7" fill="#0072b2"/>'
    '<path d="M8 1a7 7 0 0 1 0 14z" fill="#d55e00"/></svg>'
)
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Micrograd-MLP playground</title>
<link rel="icon" href="/favicon.svg">
<link rel="stylesheet" href="/play.css">
</head>
<body>
<div id="page"><noscript>The playground needs JavaScript; everything it runs comes from this machine.</noscript></div>
<script src="/play.js"></script>
</body>
</html>
"""


class Playground:
    """The application: what is answered to each address."""

    def __init__(self) -> None:
        self.store = Store()
        self.app = Starlette(
            routes=[
                Route("/", self.page),
                Route("/play.js", lambda request: _text(asset("play.js"), "text/javascript")),
                Route("/play.css", lambda request: _text(asset("play.css"), "text/css")),
                Route("/licences.txt", lambda request: _text(asset("LICENCES.txt"), "text/plain")),
                Route("/favicon.svg", lambda request: _text(ICON, "image/svg+xml")),
                Route("/choices", _told(self.choices)),
                Route("/sessions", _told(self.open), methods=["POST"]),
                Route("/sessions/{name}/stream", _told(self.stream)),
                Route("/sessions/{name}/close", _told(self.close), methods=["POST"]),
                Route("/sessions/{name}/view", _told(self.view), methods=["POST"]),
                Route("/sessions/{name}/data", _told(self.data), methods=["POST"]),
                Route("/sessions/{name}/get/{what}", _told(self.get)),
                Route("/sessions/{name}/explore", _told(self.explore)),
                Route("/sessions/{name}/{message}", _told(self.message), methods=["POST"]),
            ],
            exception_handlers={Refused: refuse},
        )

    async def page(self, request: Request) -> Response:
        """Return the page."""
        return _text(PAGE, "text/html")

    async def choices(self, request: Request) -> Response:
        """Return what there is to choose from."""
        return JSONResponse(await asyncio.to_thread(choices))

    async def open(self, request: Request) -> Response:
        """Open a session: as an address describes it, or as it was saved."""
        given = messages.read_json(await request.body())
        query = given.get("query")
        if isinstance(query, str):
            run = await asyncio.to_thread(documents.run_of_query, query)
        else:
            run = await asyncio.to_thread(documents.run_of_session, given)
        return JSONResponse({"name": self.store.open(run).name})

    async def close(self, request: Request) -> Response:
        """Close a session, for its page is left."""
        self.store.close(self._session(request), "This run was closed.")
        return JSONResponse({})

    async def view(self, request: Request) -> Response:
        """Take note of what the page shows, and whether it can be seen."""
        session = self._session(request)
        visible, unit, said = messages.view_of(messages.read_json(await request.body()))
        if visible is not None:
            session.see(visible)
        if said:
            session.show(unit)
        return JSONResponse({})

    async def message(self, request: Request) -> Response:
        """Do what a message asks for."""
        session = self._session(request)
        act = messages.message_of(request.path_params["message"], messages.read_json(await request.body()))
        await _asked(session, act)
        return JSONResponse({})

    async def data(self, request: Request) -> Response:
        """Take the points of a CSV file."""
        session = self._session(request)
        name = request.query_params.get("name", "the file")[:80]
        content = await request.body()
        await _asked(session, lambda run: run.load_csv(content, name))
        return JSONResponse({})

    async def get(self, request: Request) -> Response:
        """Return something to take home: the model, the history, the session or the run as a program."""
        makers: dict[str, tuple[Callable[[Run], str | bytes], str, str]] = {
            "model": (documents.model_of, "model.safetensors", "application/octet-stream"),
            "history": (lambda run: run.history.to_csv(), "history.csv", "text/csv"),
            "session": (documents.session_of, "session.json", "application/json"),
            "code": (code_of, "run.py", "text/x-python"),
        }
        what = request.path_params["what"]
        if what not in makers:
            raise ValueError(f"there is {', '.join(makers)} to get, no {what!r:.40}")
        make, name, kind = makers[what]
        content = await _asked(self._session(request), make)
        return Response(content, media_type=kind, headers={"content-disposition": f'attachment; filename="{name}"'})

    async def explore(self, request: Request) -> Response:
        """Return the explorer on the graph of a point's loss, with the weights of this moment."""
        index, name = request.query_params.get("point", ""), request.query_params.get("name", "")
        make = await _asked(
            self._session(request), lambda run: explorer_of(run.machine, run.points, run.epoch, index, name)
        )
        explorer = await asyncio.to_thread(make)
        page = await asyncio.to_thread(lambda: explorer.html)
        return Response(page, media_type="text/html", headers={"content-security-policy": explorer.policy})

    async def stream(self, request: Request) -> Response:
        """Return the frames of a session, as server-sent events."""
        return _Stream(self._session(request))

    def _session(self, request: Request) -> Session:
        session = self.store.get(request.path_params["name"])
        session.last_seen = monotonic()
        return session


class _Stream(Response):
    """Server-sent events: the newest frame as soon as the one before was taken. None waits in a queue."""

    def __init__(self, session: Session) -> None:
        super().__init__(media_type="text/event-stream")
        self.session = session

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        session, loop = self.session, asyncio.get_running_loop()
        gone: asyncio.Future[Any] = asyncio.ensure_future(_until_gone(receive))
        headers = [(b"content-type", b"text/event-stream; charset=utf-8")]
        session.readers += 1
        session.see(True)
        session.restart_frames()
        try:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            closed = False
            while not closed and not gone.done():
                news: asyncio.Future[Any] = loop.create_future()
                session.listen(partial(_hand_over, loop, news))
                if session.closed:
                    _settle(news, {"closed": session.closed})
                while not news.done() and not gone.done():
                    await asyncio.wait({news, gone}, timeout=QUIET, return_when=asyncio.FIRST_COMPLETED)
                    if not news.done() and not gone.done():
                        await send({"type": "http.response.body", "body": b":\n\n", "more_body": True})
                if news.done():
                    closed = "closed" in news.result()
                    body = f"data: {json.dumps(news.result(), allow_nan=False)}\n\n".encode()
                    await send({"type": "http.response.body", "body": body, "more_body": True})
            if not gone.done():
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            gone.cancel()
            session.readers -= 1
            session.last_seen = monotonic()


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _hand_over(loop: asyncio.AbstractEventLoop, future: asyncio.Future[Any], result: Any) -> None:
    with suppress(RuntimeError):  # the loop has ended
        loop.call_soon_threadsafe(_settle, future, result)


def _settle(future: asyncio.Future[Any], result: Any) -> None:
    if not future.done():
        future.set_result(result)


async def _asked(session: Session, what: Callable[[Run], Any]) -> Any:
    return await asyncio.wrap_future(session.ask(what))


def _told(answer: Callable[[Request], Any]) -> Callable[[Request], Any]:
    """Return what answers a request, and tells in one sentence what is wrong with it."""

    async def told(request: Request) -> Response:
        try:
            response: Response = await answer(request)
        except (ValueError, RecursionError) as error:
            return JSONResponse({"error": str(error)[:500]}, 422)
        return response

    return told


def _text(content: str, kind: str) -> Response:
    return Response(content, media_type=kind)


class Server(uvicorn.Server):
    """Ends at once when it is told to, and does not wait for pages that are still open."""

    def handle_exit(self, sig: int, frame: Any) -> None:
        """End: the first Ctrl-C is meant."""
        self.should_exit = self.force_exit = True


def listen(port: int | None) -> socket.socket:
    """Return a socket that listens on this machine alone; without a port on `PORT`, or on any that is free.

    Raises OSError if a port that was asked for is taken.
    """
    for each in (port,) if port is not None else (PORT, 0):
        found = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # or asyncio leaves Nagle on
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # on Windows, so that nobody else listens on the same port
            found.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind(("127.0.0.1", each))
            found.listen(256)
            return found
        except OSError:
            found.close()
            if each != PORT or port is not None:
                raise
    raise OSError("no port is free")


def serve(port: int | None = None, browser: bool = True, tell: Callable[[str], None] = print) -> None:
    """Serve the playground until Ctrl-C, and open its page. Raises OSError if the port is taken."""
    found, token = listen(port), secrets.token_urlsafe(24)
    number = found.getsockname()[1]
    address = f"http://127.0.0.1:{number}/?token={token}"
    playground = Playground()
    config = uvicorn.Config(
        Guard(playground.app, token, number),
        http=Connection,
        ws="none",
        lifespan="off",
        log_level="critical",
        access_log=False,
        server_header=False,
        timeout_keep_alive=10,
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=32 * 1024,
    )
    server = Server(config)

    async def run() -> None:
        sweeper = asyncio.ensure_future(_sweep(playground.store))
        tell(f"The playground is at {html.escape(address)}")
        tell("Ctrl-C ends it.")
        if browser:
            asyncio.get_running_loop().call_later(0.2, lambda: asyncio.ensure_future(_open(address)))
        try:
            await server.serve(sockets=[found])
        finally:
            sweeper.cancel()
            playground.store.close_all("The playground was ended.")

    with suppress(KeyboardInterrupt):
        asyncio.run(run())


async def _sweep(store: Store) -> None:
    while True:
        await asyncio.sleep(2.0)
        store.close_left_alone()


async def _open(address: str) -> None:
    await asyncio.to_thread(webbrowser.open, address)
