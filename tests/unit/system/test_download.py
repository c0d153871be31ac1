"""`download`: broken connections, busy servers, and servers that violate the protocol."""

import gzip
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from pipeline.model.errors import FetchError
from pipeline.system.download import PAUSES, _resumes, download
from pipeline.system.report import Report
from tests.unit.server import Answer, Server

CONTENT = bytes(range(256)) * 40
HALF = len(CONTENT) // 2
# A connection that breaks midway: the header promises more than is sent.
BROKEN = Answer(CONTENT[:HALF], length=len(CONTENT))

Fetch = Callable[..., None]


@pytest.fixture
def pauses() -> list[float]:
    """The pauses between tries; no test waits for one."""
    return []


@pytest.fixture
def part(tmp_path: Path) -> Path:
    """Where the download goes: a folder that does not exist yet."""
    return tmp_path / "parts" / "part"


@pytest.fixture
def partial(part: Path) -> Path:
    """What an interrupted run has left."""
    part.parent.mkdir()
    part.write_bytes(CONTENT[:100])
    return part


@pytest.fixture
def fetch(http: Server, part: Path, pauses: list[float], report: Report) -> Fetch:
    """Downloads from a server that gives these answers in turn."""

    def run(*answers: Answer, limit: int = len(CONTENT), url: str = "") -> None:
        http.answers = list(answers)
        download(url or http.url, part, limit=limit, report=report, pause=pauses.append)

    return run


def _ranges(server: Server) -> list[str | None]:
    return [headers.get("Range") for headers in server.requests]


def test_file_is_downloaded_as_it_is(
    fetch: Fetch, part: Path, http: Server, pauses: list[float]
) -> None:
    """One request, without a pause, and not for content that is compressed once more."""
    fetch(Answer(CONTENT))

    assert CONTENT == part.read_bytes()
    assert ([None], []) == (_ranges(http), pauses)
    assert "identity" == http.requests[0]["Accept-Encoding"]


def test_content_encoding_is_not_decoded(fetch: Fetch, part: Path) -> None:
    """A server that declares a .tar.gz as gzip-encoded does not get it unpacked."""
    compressed = gzip.compress(CONTENT)
    fetch(Answer(compressed, headers={"Content-Encoding": "gzip"}))

    assert compressed == part.read_bytes()


def test_busy_server_is_tried_again(
    fetch: Fetch, part: Path, pauses: list[float], capsys: pytest.CaptureFixture[str], http: Server
) -> None:
    """After a 5xx answer comes another try, and the user sees why it takes so long."""
    fetch(Answer(status=500), Answer(status=503), Answer(CONTENT))

    assert CONTENT == part.read_bytes()
    assert list(PAUSES[:2]) == pauses
    assert [
        f"  {http.url}: HTTP 500 Internal Server Error; trying again",
        f"  {http.url}: HTTP 503 Service Unavailable; trying again",
    ] == capsys.readouterr().out.splitlines()


def test_tries_are_limited(fetch: Fetch, part: Path, pauses: list[float], http: Server) -> None:
    """A server that stays busy is an error; a later call succeeds once it recovers."""
    with pytest.raises(FetchError) as caught:
        fetch(Answer(status=502))

    assert f"{http.url}: HTTP 502 Bad Gateway" == caught.value.what
    assert f"{len(PAUSES) + 1} tries failed" == caught.value.got
    assert 20 == caught.value.exit_code
    assert list(PAUSES) == pauses
    assert not part.exists()
    fetch(Answer(CONTENT))
    assert CONTENT == part.read_bytes()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 429])
def test_client_errors_are_final(
    fetch: Fetch, part: Path, pauses: list[float], http: Server, status: int
) -> None:
    """A 4xx answer is not requested twice."""
    with pytest.raises(FetchError, match=f"HTTP {status}"):
        fetch(Answer(status=status, body=b"<html>"))

    assert (1, []) == (len(http.requests), pauses)
    assert not part.exists()


def test_broken_connection_is_resumed(fetch: Fetch, part: Path, http: Server) -> None:
    """What has arrived is not requested again, however often the connection breaks."""
    rest = Answer(
        CONTENT[HALF : HALF + 10],
        status=206,
        headers={"Content-Range": f"bytes {HALF}-{len(CONTENT) - 1}/{len(CONTENT)}"},
        length=len(CONTENT) - HALF,
    )
    fetch(BROKEN, rest, Answer(CONTENT, ranges=True))

    assert CONTENT == part.read_bytes()
    assert [None, f"bytes={HALF}-", f"bytes={HALF + 10}-"] == _ranges(http)


def test_earlier_download_is_resumed(fetch: Fetch, partial: Path, http: Server) -> None:
    """A new run goes on where an interrupted run has stopped."""
    fetch(Answer(CONTENT, ranges=True))

    assert ["bytes=100-"] == _ranges(http)
    assert CONTENT == partial.read_bytes()


def test_server_that_ignores_the_range(fetch: Fetch, partial: Path) -> None:
    """The whole file replaces the part."""
    fetch(Answer(CONTENT))

    assert CONTENT == partial.read_bytes()


def test_server_that_ignores_the_range_after_a_break(fetch: Fetch, part: Path) -> None:
    """The whole file is not appended to its own beginning."""
    fetch(BROKEN, Answer(CONTENT))

    assert CONTENT == part.read_bytes()


def test_part_that_is_larger_than_the_file(fetch: Fetch, partial: Path, http: Server) -> None:
    """An answer 416 starts the download over."""
    partial.write_bytes(CONTENT + b"more")
    fetch(Answer(CONTENT, ranges=True))

    assert CONTENT == partial.read_bytes()
    assert [f"bytes={len(CONTENT) + 4}-", None] == _ranges(http)


def test_server_that_sends_another_part(fetch: Fetch, partial: Path, http: Server) -> None:
    """A part that was not requested is not used."""
    wrong = {"Content-Range": f"bytes 500-599/{len(CONTENT)}"}
    fetch(Answer(CONTENT[500:600], status=206, headers=wrong), Answer(CONTENT, ranges=True))

    assert CONTENT == partial.read_bytes()
    assert ["bytes=100-", None] == _ranges(http)


@pytest.mark.parametrize("has_length", [True, False], ids=["length", "chunked"])
def test_file_that_is_too_large(fetch: Fetch, part: Path, has_length: bool) -> None:
    """A file without end does not fill the disk, whether or not its size is declared."""
    headers = {} if has_length else {"Content-Length": "0", "Transfer-Encoding": "chunked"}
    body = CONTENT if has_length else b"%x\r\n%s\r\n0\r\n\r\n" % (len(CONTENT), CONTENT)
    with pytest.raises(FetchError, match="too large") as caught:
        fetch(Answer(body, headers=headers), limit=1000)

    assert "at most 1000 bytes" == caught.value.expected
    assert not part.exists()


def test_content_after_the_declared_length(fetch: Fetch, part: Path) -> None:
    """It does not belong to the file; the checksum will differ."""
    fetch(Answer(CONTENT, length=100))

    assert CONTENT[:100] == part.read_bytes()


def test_declared_length_that_is_never_reached(fetch: Fetch, http: Server, part: Path) -> None:
    """The tries are limited, and what has arrived stays for the next run."""
    with pytest.raises(FetchError, match=r"bytes|IncompleteRead") as caught:
        fetch(Answer(CONTENT, length=len(CONTENT) + 10))

    assert "5 tries failed" == caught.value.got
    assert len(PAUSES) + 1 == len(http.requests)
    assert CONTENT == part.read_bytes()


def test_redirect_is_followed(fetch: Fetch, http: Server, part: Path) -> None:
    """Upstream's release page redirects to another host."""
    fetch(Answer(status=302, headers={"Location": http.url}), Answer(CONTENT))

    assert CONTENT == part.read_bytes()


def test_redirect_in_a_circle(fetch: Fetch, http: Server) -> None:
    """A circle is a permanent error."""
    with pytest.raises(FetchError, match="redirects"):
        fetch(Answer(status=302, headers={"Location": http.url}))


@pytest.mark.parametrize(
    "hops", [["http://plain.invalid/x"], ["http://plain.invalid/x", "https://back.invalid/x"]]
)
def test_redirect_to_plain_http_is_refused(hops: list[str]) -> None:
    """Https stays https at every hop. The answer is made up, since no test has a certificate."""
    answers = []
    for url in ("https://upstream.invalid/x", *hops):
        answer = requests.Response()
        answer.url, answer.status_code = url, 200
        answers.append(answer)
    last = answers[-1]
    last.history = answers[:-1]
    with pytest.raises(FetchError, match=r"redirected to http://plain\.invalid/x") as caught:
        _resumes(last, "https://upstream.invalid/x", Path(), 0)

    assert "https all the way" == caught.value.expected


def test_host_that_cannot_be_reached(fetch: Fetch, pauses: list[float], part: Path) -> None:
    """Without a connection, another source is better than another try."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/x"
        with pytest.raises(FetchError) as caught:
            fetch(url=url)

    assert caught.value.what.startswith(f"{url}: ")
    assert caught.value.what.endswith("Connection refused")
    assert ([], False) == (pauses, part.exists())


@pytest.mark.parametrize("url", ["http://", "http://[", "ftp://x.invalid/x"])
def test_malformed_url(fetch: Fetch, url: str) -> None:
    """An address that cannot be requested is named."""
    with pytest.raises(FetchError) as caught:
        fetch(url=url)

    assert caught.value.what.startswith(f"{url}: ")


def test_password_is_not_shown(
    fetch: Fetch, http: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    """An index may be set up with a password; no message contains it."""
    url = http.url.replace("//", "//me:secret@")
    with pytest.raises(FetchError) as caught:
        fetch(Answer(status=500), Answer(status=404), url=url)

    assert http.url in caught.value.what
    assert "secret" not in str(caught.value) + capsys.readouterr().out
