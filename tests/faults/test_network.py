"""Connections that break anywhere, and servers that speak no HTTP, never end, or never begin."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.model.errors import FetchError
from pipeline.system.download import PAUSES, download
from pipeline.system.report import Report
from tests.tally import count

CONTENT = bytes(range(256)) * 300
OK = b"HTTP/1.1 200 OK\r\n"

# What a server sends on one connection, after the request.
Answer = Callable[[bytes], Iterator[bytes]]


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """A server that sends any bytes; yields its URL."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    try:
                        for part in answer(connection.recv(1 << 16)):
                            connection.sendall(part)
                    except OSError:
                        continue

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/mimalloc.tar.gz"
        server.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def failure(answer: Answer, part: Path, *, limit: int = len(CONTENT)) -> FetchError | None:
    """The error of a download, if there is one."""
    count("servers")
    part.unlink(missing_ok=True)
    with serving(answer) as url:
        try:
            download(url, part, limit=limit, report=Report(), pause=lambda _: None)
        except FetchError as problem:
            return problem
    return None


@given(cuts=st.lists(st.integers(0, len(CONTENT) + 200), max_size=len(PAUSES)))
def test_a_connection_that_breaks_anywhere(tmp_path: Path, cuts: list[int]) -> None:
    """In the headers or in the file: the download is resumed, and the file is complete."""
    remaining = list(cuts)

    def answer(request: bytes) -> Iterator[bytes]:
        start = int(request.partition(b"bytes=")[2].partition(b"-")[0] or 0)
        rest = CONTENT[start:]
        partial = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes %d-%d/%d\r\n" % (
            *(start, len(CONTENT) - 1),
            len(CONTENT),
        )
        whole = (partial if start else OK) + b"Content-Length: %d\r\n\r\n" % len(rest) + rest
        yield whole[: remaining.pop(0)] if remaining else whole

    part = tmp_path / "part"
    assert failure(answer, part) is None
    assert CONTENT == part.read_bytes()


def _endless(head: bytes, more: bytes) -> Answer:
    def answer(_: bytes) -> Iterator[bytes]:
        yield head
        while True:
            yield more

    return answer


def _redirecting(location: bytes) -> Answer:
    head = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n"
    return lambda _: iter([head + b"Location: %s\r\n\r\n" % location])


SERVERS = {
    "a body without end": _endless(OK + b"\r\n", CONTENT),
    "chunks without end": _endless(
        OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1000\r\n" + bytes(4096) + b"\r\n"
    ),
    "one chunk without end": _endless(
        OK + b"Transfer-Encoding: chunked\r\n\r\nffffffffffff\r\n", CONTENT
    ),
    "headers without end": _endless(OK, b"X-More: and more\r\n"),
    "one header without end": _endless(OK + b"X-More: ", b"and more"),
    "a status without end": _endless(b"HTTP/1.1 200 ", b"OK"),
    "no HTTP": lambda _: iter([b"SSH-2.0-OpenSSH_9.2\r\n" * 9]),
    "nothing": lambda _: iter([]),
    "a length of words": lambda _: iter([OK + b"Content-Length: many\r\n\r\n", CONTENT + CONTENT]),
    "a length below zero": lambda _: iter([OK + b"Content-Length: -5\r\n\r\n", CONTENT + CONTENT]),
    "two lengths": lambda _: iter(
        [OK + b"Content-Length: 5\r\nContent-Length: 9\r\n\r\n", CONTENT + CONTENT]
    ),
    "chunks of no size": lambda _: iter(
        [OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", CONTENT]
    ),
    **{
        f"a redirect to {location}": _redirecting(location.encode())
        for location in (
            "file:///etc/passwd",
            "ftp://x.invalid/x",
            "data:,x",
            "http://[",
            "//",
            "\xff",
        )
    },
}


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_that_violates_the_protocol(tmp_path: Path, name: str) -> None:
    """The download ends with an error, and with no more bytes than the limit."""
    part = tmp_path / "part"

    problem = failure(SERVERS[name], part, limit=len(CONTENT))

    assert problem is not None
    assert 20 == problem.exit_code
    assert not part.exists() or part.stat().st_size <= len(CONTENT)


def test_headers_that_trickle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte arrives in time, and the last one never."""
    monkeypatch.setattr("pipeline.system.download._GRACE", 0.2)

    def answer(_: bytes) -> Iterator[bytes]:
        yield OK
        for _tick in range(200):
            yield b"X"
            threading.Event().wait(0.01)

    problem = failure(answer, tmp_path / "part")

    assert problem is not None
    assert "no complete answer within 0.2 seconds" in problem.what
    assert not (tmp_path / "part").exists()


def test_a_trickle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that sends a byte now and then is given up after the usual tries."""
    now = iter(range(0, 10**9, 20))
    monkeypatch.setattr("pipeline.system.download.time.monotonic", lambda: next(now))

    def answer(_: bytes) -> Iterator[bytes]:
        yield OK + b"Content-Length: %d\r\n\r\n" % len(CONTENT)
        for start in range(len(CONTENT)):
            yield CONTENT[start : start + 1]
            threading.Event().wait(0.01)

    problem = failure(answer, tmp_path / "part")

    assert problem is not None
    assert "bytes a second" in problem.what
