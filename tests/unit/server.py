"""An HTTP server on this machine that fails in the ways in which servers and networks fail."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Answer:
    """The answer to one request.

    ``length`` is the Content-Length if it is not that of the body, ``ranges`` says whether the
    server supports Range, and the answer is delayed until ``until`` is set.
    """

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None
    ranges: bool = False
    until: threading.Event | None = None


class Server(ThreadingHTTPServer):
    """Sends its answers in turn, the last one again and again, and records the requests."""

    # A connection that a test leaves half read must not delay the end.
    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[Answer] = []
        # The headers of each request.
        self.requests: list[dict[str, str]] = []

    @property
    def url(self) -> str:
        """The address of a tarball on it."""
        return f"http://127.0.0.1:{self.server_port}/v2.0.6.tar.gz"

    def handle_error(self, request: object, client_address: object) -> None:
        """Print nothing: some tests make the client close the connection."""


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server = self.server
        server.requests.append(dict(self.headers))
        answer = server.answers[min(len(server.requests), len(server.answers)) - 1]
        if answer.until:
            answer.until.wait(10)
        status, body, headers = self._part_of(answer)
        self.send_response(status)
        length = len(body) if answer.length is None else answer.length
        for name, value in {"Content-Length": str(length), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _part_of(self, answer: Answer) -> tuple[int, bytes, dict[str, str]]:
        requested = self.headers.get("Range")
        if not (answer.ranges and requested):
            return answer.status, answer.body, dict(answer.headers)
        start, size = int(requested.removeprefix("bytes=").rstrip("-")), len(answer.body)
        if start >= size:
            return 416, b"", {"Content-Range": f"bytes */{size}"}
        return 206, answer.body[start:], {"Content-Range": f"bytes {start}-{size - 1}/{size}"}

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


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
