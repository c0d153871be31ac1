"""A server on this machine that does to a download what servers and lines do."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Answer:
    """What the server says to one request.

    ``length`` is the Content-Length where it is not that of the body; ``ranges`` is whether it
    honours a Range; it waits for ``until`` before it says anything.
    """

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None
    ranges: bool = False
    until: threading.Event | None = None


class Server(ThreadingHTTPServer):
    """Gives its answers in turn, the last one again and again, and keeps what it was asked."""

    # A socket that a test leaves half read must not hold up its end.
    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[Answer] = []
        self.asked: list[dict[str, str]] = []

    @property
    def url(self) -> str:
        """The address of a tarball on it."""
        return f"http://127.0.0.1:{self.server_port}/v2.0.6.tar.gz"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: that a client goes away is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server = self.server
        server.asked.append(dict(self.headers))
        answer = server.answers[min(len(server.asked), len(server.answers)) - 1]
        if answer.until:
            answer.until.wait(10)
        status, body, headers = self._shaped(answer)
        self.send_response(status)
        length = len(body) if answer.length is None else answer.length
        for name, value in {"Content-Length": str(length), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _shaped(self, answer: Answer) -> tuple[int, bytes, dict[str, str]]:
        told = self.headers.get("Range")
        if not (answer.ranges and told):
            return answer.status, answer.body, dict(answer.headers)
        start, whole = int(told.removeprefix("bytes=").rstrip("-")), len(answer.body)
        if start >= whole:
            return 416, b"", {"Content-Range": f"bytes */{whole}"}
        return 206, answer.body[start:], {"Content-Range": f"bytes {start}-{whole - 1}/{whole}"}

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a test's output is its failures."""


@contextmanager
def serving() -> Iterator[Server]:
    """A server that runs until the block ends."""
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
