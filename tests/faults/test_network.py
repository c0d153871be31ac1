"""A line that breaks anywhere, and servers that speak no HTTP, never end, or never begin."""

from __future__ import annotations

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
from tests.faults.counter import count

WHOLE = bytes(range(256)) * 300
OK = b"HTTP/1.1 200 OK\r\n"

# What a server says to one connection, given the request.
Says = Callable[[bytes], Iterator[bytes]]


@contextmanager
def saying(says: Says) -> Iterator[str]:
    """A server that says whatever it likes; what it is asked by."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    line, _ = server.accept()
                except OSError:
                    return
                with line:
                    try:
                        for part in says(line.recv(1 << 16)):
                            line.sendall(part)
                    except OSError:
                        continue

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/mimalloc.tar.gz"
        server.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def brought(says: Says, part: Path, *, limit: int = len(WHOLE)) -> FetchError | None:
    """The complaint of a download, if it has one."""
    count("servers")
    part.unlink(missing_ok=True)
    with saying(says) as url:
        try:
            download(url, part, limit=limit, report=Report(), pause=lambda _: None)
        except FetchError as problem:
            return problem
    return None


@given(cuts=st.lists(st.integers(0, len(WHOLE) + 200), max_size=len(PAUSES)))
def test_a_line_that_breaks_anywhere(tmp_path: Path, cuts: list[int]) -> None:
    """In the headers or in the file: what has arrived is gone on with, and the file is whole."""
    left = list(cuts)

    def says(asked: bytes) -> Iterator[bytes]:
        start = int(asked.partition(b"bytes=")[2].partition(b"-")[0] or 0)
        rest = WHOLE[start:]
        told = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes %d-%d/%d\r\n" % (
            *(start, len(WHOLE) - 1),
            len(WHOLE),
        )
        answer = (told if start else OK) + b"Content-Length: %d\r\n\r\n" % len(rest) + rest
        yield answer[: left.pop(0)] if left else answer

    part = tmp_path / "part"
    assert brought(says, part) is None
    assert WHOLE == part.read_bytes()


def _endless(head: bytes, more: bytes) -> Says:
    def says(_: bytes) -> Iterator[bytes]:
        yield head
        while True:
            yield more

    return says


def _leading_to(place: bytes) -> Says:
    head = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n"
    return lambda _: iter([head + b"Location: %s\r\n\r\n" % place])


SERVERS = {
    "a body without end": _endless(OK + b"\r\n", WHOLE),
    "chunks without end": _endless(
        OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1000\r\n" + bytes(4096) + b"\r\n"
    ),
    "one chunk without end": _endless(
        OK + b"Transfer-Encoding: chunked\r\n\r\nffffffffffff\r\n", WHOLE
    ),
    "headers without end": _endless(OK, b"X-More: and more\r\n"),
    "one header without end": _endless(OK + b"X-More: ", b"and more"),
    "a status without end": _endless(b"HTTP/1.1 200 ", b"OK"),
    "no HTTP": lambda _: iter([b"SSH-2.0-OpenSSH_9.2\r\n" * 9]),
    "nothing": lambda _: iter([]),
    "a length of words": lambda _: iter([OK + b"Content-Length: many\r\n\r\n", WHOLE + WHOLE]),
    "a length below zero": lambda _: iter([OK + b"Content-Length: -5\r\n\r\n", WHOLE + WHOLE]),
    "two lengths": lambda _: iter(
        [OK + b"Content-Length: 5\r\nContent-Length: 9\r\n\r\n", WHOLE + WHOLE]
    ),
    "chunks of no size": lambda _: iter([OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", WHOLE]),
    **{
        f"a way to {place}": _leading_to(place.encode())
        for place in (
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
def test_a_server_that_is_none(tmp_path: Path, name: str) -> None:
    """It is given up with an error of ours; nothing that it sent lies about as the file."""
    part = tmp_path / "part"

    problem = brought(SERVERS[name], part, limit=len(WHOLE))

    assert problem is not None
    assert 20 == problem.exit_code
    assert not part.exists() or part.stat().st_size <= len(WHOLE)


def test_headers_that_trickle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte comes in time, and the last one never."""
    monkeypatch.setattr("pipeline.system.download._GRACE", 0.2)

    def says(_: bytes) -> Iterator[bytes]:
        yield OK
        for _again in range(200):
            yield b"X"
            threading.Event().wait(0.01)

    problem = brought(says, tmp_path / "part")

    assert problem is not None
    assert "no complete answer within 0.2 seconds" in problem.what
    assert not (tmp_path / "part").exists()


def test_a_trickle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte now and then is no download; it is given up after the tries that others have."""
    now = iter(range(0, 10**9, 20))
    monkeypatch.setattr("pipeline.system.download.time.monotonic", lambda: next(now))

    def says(_: bytes) -> Iterator[bytes]:
        yield OK + b"Content-Length: %d\r\n\r\n" % len(WHOLE)
        for at in range(len(WHOLE)):
            yield WHOLE[at : at + 1]
            threading.Event().wait(0.01)

    problem = brought(says, tmp_path / "part")

    assert problem is not None
    assert "bytes a second" in problem.what
