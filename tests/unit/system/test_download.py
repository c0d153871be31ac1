"""`download`: broken lines, busy servers, and servers that do as they like."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from pipeline.model.errors import FetchError
from pipeline.system import download
from pipeline.system.download import PAUSES, download
from pipeline.system.report import Report
from tests.unit.server import Answer, Server

WHOLE = bytes(range(256)) * 40
HALF = len(WHOLE) // 2
# A line that breaks midway: the header promises more than comes.
BROKEN = Answer(WHOLE[:HALF], length=len(WHOLE))

Bring = Callable[..., bool]


@pytest.fixture
def pauses() -> list[float]:
    """The pauses that were made; no test waits for one."""
    return []


@pytest.fixture
def part(tmp_path: Path) -> Path:
    """Where the download goes: a folder that is not there yet."""
    return tmp_path / "parts" / "part"


@pytest.fixture
def bring(http: Server, part: Path, pauses: list[float], report: Report) -> Bring:
    """Downloads from the server that gives these answers in turn."""

    def run(*answers: Answer, limit: int = len(WHOLE), url: str = "") -> bool:
        http.answers = list(answers)
        return download(url or http.url, part, limit=limit, report=report, pause=pauses.append)

    return run


def _ranges(server: Server) -> list[str | None]:
    return [asked.get("Range") for asked in server.asked]


def test_file_arrives(bring: Bring, part: Path, http: Server, pauses: list[float]) -> None:
    """One request, the bytes as they are, no pause."""
    resumed = bring(Answer(WHOLE))

    assert WHOLE == part.read_bytes()
    assert (False, [None], []) == (resumed, _ranges(http), pauses)


def test_server_is_asked_for_the_bytes_as_they_are(bring: Bring, http: Server) -> None:
    """A tarball that is packed once more on its way has another checksum."""
    bring(Answer(WHOLE))

    assert "identity" == http.asked[0]["Accept-Encoding"]


def test_packing_that_was_not_asked_for_is_kept(bring: Bring, part: Path) -> None:
    """A server that calls a .tar.gz gzip-encoded does not get it unpacked."""
    packed = gzip.compress(WHOLE)
    bring(Answer(packed, headers={"Content-Encoding": "gzip"}))

    assert packed == part.read_bytes()


def test_busy_server_is_asked_again(
    bring: Bring, part: Path, pauses: list[float], capsys: pytest.CaptureFixture[str], http: Server
) -> None:
    """After a 5xx answer comes another try, and the user is told why it takes so long."""
    bring(Answer(status=500), Answer(status=503), Answer(WHOLE))

    assert WHOLE == part.read_bytes()
    assert list(PAUSES[:2]) == pauses
    assert [
        f"  {http.url}: HTTP 500 Internal Server Error; trying again",
        f"  {http.url}: HTTP 503 Service Unavailable; trying again",
    ] == capsys.readouterr().out.splitlines()


def test_busy_server_is_given_up(
    bring: Bring, part: Path, pauses: list[float], http: Server
) -> None:
    """The tries come to an end; a later call finds the server well again."""
    with pytest.raises(FetchError) as caught:
        bring(Answer(status=502))

    assert f"{http.url}: HTTP 502 Bad Gateway" == caught.value.what
    assert f"{len(PAUSES) + 1} tries failed" == caught.value.got
    assert 20 == caught.value.exit_code
    assert list(PAUSES) == pauses
    assert not part.exists()
    bring(Answer(WHOLE))
    assert WHOLE == part.read_bytes()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 429])
def test_refusal_is_taken_for_an_answer(
    bring: Bring, part: Path, pauses: list[float], http: Server, status: int
) -> None:
    """A 4xx answer is not asked for twice."""
    with pytest.raises(FetchError, match=f"HTTP {status}"):
        bring(Answer(status=status, body=b"<html>"))

    assert (1, []) == (len(http.asked), pauses)
    assert not part.exists()


def test_broken_line_is_gone_on_with(bring: Bring, part: Path, http: Server) -> None:
    """What has arrived is not asked for again."""
    resumed = bring(BROKEN, Answer(WHOLE, ranges=True))

    assert WHOLE == part.read_bytes()
    assert (True, [None, f"bytes={HALF}-"]) == (resumed, _ranges(http))


def test_line_that_breaks_again_and_again(bring: Bring, part: Path, http: Server) -> None:
    """Each try brings some more."""
    rest = Answer(
        WHOLE[HALF : HALF + 10],
        status=206,
        headers={"Content-Range": f"bytes {HALF}-{len(WHOLE) - 1}/{len(WHOLE)}"},
        length=len(WHOLE) - HALF,
    )
    bring(BROKEN, rest, Answer(WHOLE, ranges=True))

    assert WHOLE == part.read_bytes()
    assert [None, f"bytes={HALF}-", f"bytes={HALF + 10}-"] == _ranges(http)


def test_earlier_download_is_gone_on_with(bring: Bring, part: Path, http: Server) -> None:
    """What an interrupted run has left is used."""
    part.parent.mkdir()
    part.write_bytes(WHOLE[:100])
    resumed = bring(Answer(WHOLE, ranges=True))

    assert (True, ["bytes=100-"]) == (resumed, _ranges(http))
    assert WHOLE == part.read_bytes()


def test_server_that_ignores_the_range(bring: Bring, part: Path) -> None:
    """The whole takes the place of what was there, and nothing was gone on with."""
    part.parent.mkdir()
    part.write_bytes(b"other bytes")
    resumed = bring(Answer(WHOLE))

    assert (False, WHOLE) == (resumed, part.read_bytes())


def test_server_that_ignores_the_range_after_a_break(bring: Bring, part: Path) -> None:
    """The whole once more, and not behind its own beginning."""
    bring(BROKEN, Answer(WHOLE))

    assert WHOLE == part.read_bytes()


def test_server_that_has_fewer_bytes_than_we(bring: Bring, part: Path, http: Server) -> None:
    """An answer 416 starts the download over."""
    part.parent.mkdir()
    part.write_bytes(WHOLE + b"more")
    resumed = bring(Answer(WHOLE, ranges=True))

    assert (False, WHOLE) == (resumed, part.read_bytes())
    assert [f"bytes={len(WHOLE) + 4}-", None] == _ranges(http)


def test_server_that_sends_another_part(bring: Bring, part: Path, http: Server) -> None:
    """A part of the middle is not taken for the whole."""
    part.parent.mkdir()
    part.write_bytes(WHOLE[:100])
    wrong = {"Content-Range": f"bytes 500-599/{len(WHOLE)}"}
    bring(Answer(WHOLE[500:600], status=206, headers=wrong), Answer(WHOLE, ranges=True))

    assert WHOLE == part.read_bytes()
    assert ["bytes=100-", None] == _ranges(http)


@pytest.mark.parametrize("told", [True, False], ids=["told", "found out"])
def test_file_that_is_too_large(bring: Bring, part: Path, told: bool) -> None:
    """A file without end does not fill the disk, whether or not its size is told."""
    headers = {} if told else {"Content-Length": "0", "Transfer-Encoding": "chunked"}
    body = WHOLE if told else b"%x\r\n%s\r\n0\r\n\r\n" % (len(WHOLE), WHOLE)
    with pytest.raises(FetchError, match="too large") as caught:
        bring(Answer(body, headers=headers), limit=1000)

    assert "at most 1000 bytes" == caught.value.expected
    assert not part.exists()


def test_file_of_just_the_limit(bring: Bring, part: Path) -> None:
    """The limit itself is allowed."""
    bring(Answer(WHOLE), limit=len(WHOLE))

    assert WHOLE == part.read_bytes()


def test_length_that_is_too_short(bring: Bring, part: Path) -> None:
    """What comes behind the promised length is not of this file; its checksum will tell."""
    bring(Answer(WHOLE, length=100))

    assert WHOLE[:100] == part.read_bytes()


def test_length_that_is_too_long(bring: Bring, http: Server, part: Path) -> None:
    """A server that promises more than it ever sends is given up; what came stays for next time."""
    with pytest.raises(FetchError, match=r"tries failed"):
        bring(Answer(WHOLE, length=len(WHOLE) + 10))

    assert len(PAUSES) + 1 == len(http.asked)
    assert WHOLE == part.read_bytes()


def test_redirect_is_followed(bring: Bring, http: Server, part: Path) -> None:
    """Upstream's release page sends to another host."""
    bring(Answer(status=302, headers={"Location": http.url}), Answer(WHOLE))

    assert WHOLE == part.read_bytes()


def test_redirect_in_a_circle(bring: Bring, http: Server) -> None:
    """A circle is no failure that passes."""
    with pytest.raises(FetchError, match="redirects"):
        bring(Answer(status=302, headers={"Location": http.url}))


@pytest.mark.parametrize(
    "hops", [["http://plain.invalid/x"], ["http://plain.invalid/x", "https://back.invalid/x"]]
)
def test_redirect_to_plain_http_is_refused(hops: list[str]) -> None:
    """Https stays https, at every hop: the answer is judged, as no test has a certificate."""
    answers = []
    for url in ("https://upstream.invalid/x", *hops):
        answer = requests.Response()
        answer.url, answer.status_code = url, 200
        answers.append(answer)
    last = answers[-1]
    last.history = answers[:-1]
    with pytest.raises(FetchError, match=r"redirected to http://plain\.invalid/x") as caught:
        download._judge("https://upstream.invalid/x", last)

    assert "https all the way" == caught.value.expected


def test_host_that_is_not_there(bring: Bring, pauses: list[float], part: Path) -> None:
    """Where there never was a connection, another source is a better idea than another try."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/x"
        with pytest.raises(FetchError) as caught:
            bring(url=url)

    assert caught.value.what.startswith(f"{url}: ")
    assert caught.value.what.endswith("Connection refused")
    assert ([], False) == (pauses, part.exists())


@pytest.mark.parametrize("url", ["http://", "http://[", "ftp://x.invalid/x"])
def test_url_that_is_none(bring: Bring, url: str) -> None:
    """An address that cannot be asked is told as it is."""
    with pytest.raises(FetchError) as caught:
        bring(url=url)

    assert caught.value.what.startswith(f"{url}: ")


def test_password_is_not_shown(
    bring: Bring, http: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    """An index may be set up with a password; no message has it."""
    url = http.url.replace("//", "//me:secret@")
    with pytest.raises(FetchError) as caught:
        bring(Answer(status=500), Answer(status=404), url=url)

    assert http.url in caught.value.what
    assert "secret" not in str(caught.value) + capsys.readouterr().out
