"""The playground in a process of its own, as a user starts it, for tests that come from outside."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager


class Served:
    """An address, a token, and how to ask there."""

    def __init__(self, process, address):
        self.process, self.address = process, address
        self.base, self.token = address.split("/?token=")
        self.port = int(self.base.rpartition(":")[2])

    def ask(self, path, body=None, method=None, headers=(), token=True):
        """Return the status, the headers and the body of an answer. A body that is no bytes is sent as JSON."""
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        own = {"X-Token": self.token} if token else {}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method or ("GET" if body is None else "POST"), path, content, {**own, **dict(headers)})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def open(self, query="samples=40&hidden=3&speed=0"):
        """Open a session and return the path of its addresses."""
        status, _, body = self.ask("/sessions", {"query": query})
        assert status == 200, body
        return f"/sessions/{json.loads(body)['name']}"

    def connect(self):
        """Return a bare connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    @contextmanager
    def stream(self, path):
        """Give an iterator over what a session sends."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request("GET", f"{path}/stream?token={self.token}")
        answer = connection.getresponse()
        assert answer.status == 200

        def events():
            while line := answer.readline():
                if line.startswith(b"data: "):
                    yield json.loads(line[6:])

        try:
            yield events()
        finally:
            connection.close()


@contextmanager
def serve():
    """Start `micrograd-mlp play` on a free port and end it by Ctrl-C."""
    command = [sys.executable, "-m", "micrograd_mlp", "play", "--no-browser", "--port", "0"]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        line = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+/\?token=\S+", line)
        assert found, line + process.stderr.read()
        yield Served(process, found[0])
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        process.stdout.close()
        process.stderr.close()
