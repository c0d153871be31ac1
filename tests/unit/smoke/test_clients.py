"""Many requests over several connections, against a small server of this machine."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from pipeline.smoke import clients

PAGE = b"page " * 100
ALL = clients.CONNECTIONS * clients.REQUESTS


@contextmanager
def serving(body: bytes) -> Iterator[int]:
    """A server that sends this body, compressed where it is asked for that; yields its port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            zipped = self.headers["Accept-Encoding"] == "gzip"
            sent = gzip.compress(body, mtime=0) if zipped else body
            self.send_response(200)
            if zipped:
                self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_every_request_gets_the_page() -> None:
    """Compressed every other time; the answers of one kind are the same to the byte."""
    with serving(PAGE) as port:
        visit = clients.ask(port, "/page.txt", PAGE)

    assert (ALL, ALL) == (visit.right, visit.asked)
    assert ["gzip", "identity"] == sorted(answer.split()[1] for answer in visit.answers)
    assert ALL == visit.answers.total()


def test_another_page_is_not_right() -> None:
    """Answered, and wrong."""
    with serving(b"another") as port:
        visit = clients.ask(port, "/page.txt", PAGE)

    assert 0 == visit.right
    assert ALL == visit.answers.total()


def test_a_server_that_is_gone_is_told() -> None:
    """Each connection tells the error, and none raises it."""
    with serving(PAGE) as port:
        pass
    visit = clients.ask(port, "/page.txt", PAGE)

    (answer,) = visit.answers
    assert answer.startswith("ConnectionRefusedError")
    assert 0 == visit.right
