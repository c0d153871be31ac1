"""What must hold of an nginx on the library, the requests that it gets, and how it is started."""

import gzip
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from pipeline.smoke import nginx, preload
from pipeline.smoke.preload import CompletedProgram, LibraryUnderTest
from pipeline.smoke.probe import PROBES

LIBRARY = LibraryUnderTest(Path("/opt/libmimalloc.so.3"), 30403)
MAPPED = ["/lib/libc.so.6", str(LIBRARY.path)]
PROCESSES = {"master": MAPPED, "worker 1": MAPPED, "worker 2": MAPPED}
NOTICE = "2026/01/01 00:00:00 [notice] 1#1: start worker process 2\n"
LOG = "process init: 0x1\n" + NOTICE + "process done: 0x1\n" * 5
HARMLESS = "nginx: [alert] could not open error log file: open() failed (13: Permission denied)\n"
HALF = nginx.CONNECTIONS * nginx.REQUESTS

PROGRAM = CompletedProgram(
    exit_code=0,
    output="",
    errors=LOG,
    traces=[
        "\n".join(
            f"binding file nginx [0] to {LIBRARY.path} [0]: normal symbol `{name}'"
            for name in preload.ENTRY_POINTS
        )
    ],
)
GOOD: dict[str, Any] = {
    "program": PROGRAM,
    "responses": Counter({"page gzip": HALF, "page identity": HALF}),
    "before": PROCESSES,
    "after": PROCESSES,
}
MAPPED_BY = "mapped by master, worker 1, worker 2"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"before": {**PROCESSES, "worker 2": []}}, [MAPPED_BY]),
        ({"after": {**PROCESSES, "worker 2": []}}, [MAPPED_BY]),
        ({"before": {"master": MAPPED, "worker 1": MAPPED}}, ["processes"]),
        (
            {"after": {"master": MAPPED, "worker 1": MAPPED}},
            ["processes after a reload, the workers new"],
        ),
        (
            {"program": replace(PROGRAM, errors=LOG.replace("done", "gone", 1))},
            ["messages 'process done' of mimalloc"],
        ),
        ({"responses": Counter({"page gzip": 2 * HALF})}, ["responses"]),
        ({"program": replace(PROGRAM, exit_code=-11)}, ["exit code"]),
        (
            {"program": replace(PROGRAM, errors=f"{LOG}x [alert] 1#1: worker exited\n")},
            ["warnings in its log"],
        ),
        ({"program": replace(PROGRAM, errors=f"{LOG}{HARMLESS}")}, []),
        (
            {"program": replace(PROGRAM, traces=[""])},
            ["the program is bound to the library"],
        ),
    ],
)
def test_each_assertion_is_needed(changes: dict[str, Any], expected: list[str]) -> None:
    """Wrong evidence breaks its own assertion and no other.

    The host's log that a user may not write is no warning of this nginx.
    """
    checked = nginx.nginx_assertions(LIBRARY, **{**GOOD, **changes})

    failed = [assertion.what for assertion in checked if not assertion.holds]
    assert expected == [what.partition(": ")[0] for what in failed]


# --- requests ------------------------------------------------------------------------------------

PAGE = b"page " * 100


@contextmanager
def serving(body: bytes, packed: bytes | None = None) -> Iterator[int]:
    """A server that sends this body, compressed where it is accepted; yields its port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            zipped = self.headers["Accept-Encoding"] == "gzip"
            sent = (packed or gzip.compress(body)) if zipped else body
            self.send_response(200)
            if zipped:
                self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        yield http.server_port
        http.shutdown()
        thread.join()


@pytest.mark.parametrize(("body", "content"), [(PAGE, "page"), (b"x", "200, another page,")])
def test_every_response_is_counted(body: bytes, content: str) -> None:
    """Compressed every other time."""
    with serving(body) as port:
        responses = nginx.request_all(port, PAGE)

    assert {f"{content} {kind}": HALF // 2 for kind in ("gzip", "identity")} == responses


@pytest.mark.parametrize(
    ("packed", "error"),
    [
        (gzip.compress(PAGE)[:10] + b"\xff" * 20, "error"),
        (gzip.compress(PAGE)[:20], "EOFError"),
        (b"no gzip at all", "BadGzipFile"),
    ],
    ids=["zlib.error", "EOFError", "BadGzipFile"],
)
def test_broken_compression_is_a_response(packed: bytes, error: str) -> None:
    """And no traceback: a library that loses content is what this looks for."""
    with serving(PAGE, packed) as port:
        responses = nginx.request_all(port, PAGE)

    assert [error] == [text.partition(":")[0] for text in responses if not text.startswith("page")]


def test_a_server_that_has_ended_is_a_response() -> None:
    """Its error is counted, and not raised."""
    with serving(PAGE) as port:
        pass

    (response,) = nginx.request_all(port, PAGE)

    assert response.startswith("ConnectionRefusedError")


# --- start ---------------------------------------------------------------------------------------


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """An nginx that prints only how it is built."""
    file = tmp_path / "nginx"
    file.write_text("#!/bin/sh\necho configure arguments: --without-http_uwsgi_module >&2\n")
    file.chmod(0o755)
    return file


def configuration(folder: Path, program: Path) -> str:
    """The configuration that is made for it."""
    with nginx.started(program, folder, PROBES / nginx.CONFIGURATION, {"port": 8123}, {}):
        return (folder / nginx.CONFIGURATION).read_text()


def test_all_temporary_files_are_in_our_own_folder(tmp_path: Path, program: Path) -> None:
    """For each module that nginx is built with; without a module there is no such directive."""
    text = configuration(tmp_path / "a", program)

    assert "listen 127.0.0.1:8123;" in text
    assert "fastcgi_temp_path temporary/fastcgi;" in text
    assert "uwsgi" not in text
    assert (tmp_path / "a" / "temporary").is_dir()


def test_only_root_names_a_user(
    tmp_path: Path, program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """nginx warns of the directive where it cannot follow it."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "user root root;" in configuration(tmp_path / "a", program)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert "user " not in configuration(tmp_path / "b", program)


def test_old_workers_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a reload they must have ended; whoever is there in the end is the answer."""
    monkeypatch.setattr(nginx, "TIMEOUT", 0.1)
    argv = ["sh", "-c", f"{sys.executable} -c 'print(1, flush=True); input()'; :"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as master:
        assert master.stdout
        master.stdout.readline()
        first = nginx.wait_for_workers(master, 1)
        again = nginx.wait_for_workers(master, 1, first)
        master.communicate(b"\n")

    assert [master.pid] == [first[0].pid, *(worker.pid for worker in first[2:])]
    assert [master.pid] == [process.pid for process in again]
    assert first[1].mapped
