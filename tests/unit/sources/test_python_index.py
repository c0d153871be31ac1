"""`python_index`: a source distribution from the index that pip is set up for."""

import socket
from pathlib import Path

import certifi
import pytest

from pipeline.model import Source
from pipeline.model.errors import FetchError
from pipeline.sources import pinned, python_index
from pipeline.system.report import Report
from tests.unit.server import Answer, Server

REQUIREMENT = "cmeel-mimalloc==3.4.3"
FILE = "cmeel_mimalloc-3.4.3.tar.gz"
PAGE = Answer(f'<a href="../../{FILE}">{FILE}</a>'.encode(), headers={"Content-Type": "text/html"})


def _obtain(part: Path, requirement: str = REQUIREMENT) -> None:
    log = part.with_name("log")
    pinned.obtain(Source("0", sdist=requirement), part, limit=1 << 20, report=Report(), log=log)


def _configure(monkeypatch: pytest.MonkeyPatch, **settings: str) -> None:
    options = {name.replace("_", "-"): value for name, value in settings.items()}
    monkeypatch.setattr(python_index, "_pip_settings", lambda: options)


def _index(http: Server) -> str:
    return http.url.replace("v2.0.6.tar.gz", "simple")


def test_pips_own_settings_are_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, part: Path
) -> None:
    """A folder that the environment names to pip is searched, and wheels are ignored."""
    (tmp_path / "links").mkdir()
    for name in (FILE, "cmeel_mimalloc-3.4.3-py3-none-any.whl"):
        (tmp_path / "links" / name).write_text(name)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "links"))
    _obtain(part)

    assert FILE == part.read_text()


def test_sdist_is_downloaded_from_the_index(
    monkeypatch: pytest.MonkeyPatch, http: Server, part: Path
) -> None:
    """The index is asked for the page, then for the file."""
    http.answers = [PAGE, Answer(b"content")]
    _configure(monkeypatch, index_url=_index(http))
    _obtain(part)

    assert b"content" == part.read_bytes()
    assert "identity" == http.requests[-1]["Accept-Encoding"]


def test_password_of_the_index_is_used_for_the_file(
    monkeypatch: pytest.MonkeyPatch, http: Server, part: Path
) -> None:
    """A private index requires it for the page and for the file."""
    http.answers = [PAGE, Answer(b"content")]
    _configure(monkeypatch, index_url=_index(http).replace("//", "//me:secret@"))
    _obtain(part)

    assert ["Basic bWU6c2VjcmV0"] * 2 == [headers["Authorization"] for headers in http.requests]


def test_password_is_not_sent_to_another_host(
    monkeypatch: pytest.MonkeyPatch, http: Server, part: Path
) -> None:
    """An index may link to files on another host."""
    file = http.url.replace("127.0.0.1", "localhost").replace("v2.0.6.tar.gz", FILE)
    page = f'<a href="{file}">{FILE}</a>'.encode()
    http.answers = [Answer(page, headers={"Content-Type": "text/html"}), Answer(b"content")]
    _configure(monkeypatch, index_url=_index(http).replace("//", "//me:secret@"))
    _obtain(part)

    assert "Authorization" not in http.requests[-1]


def test_sdist_that_no_index_has(
    monkeypatch: pytest.MonkeyPatch, part: Path, tmp_path: Path
) -> None:
    """It is named, and no file is left."""
    _configure(monkeypatch, no_index="1", find_links=str(tmp_path))
    with pytest.raises(FetchError, match="cmeel-mimalloc==9: not on the package index"):
        _obtain(part, "cmeel-mimalloc==9")

    assert not part.exists()


def test_index_that_fails(monkeypatch: pytest.MonkeyPatch, http: Server, part: Path) -> None:
    """An index without an answer is an error that names the requirement."""
    http.answers = [Answer(status=404)]
    _configure(monkeypatch, index_url=http.url)
    with pytest.raises(FetchError) as caught:
        _obtain(part)

    assert caught.value.what.startswith(f"{REQUIREMENT}: ")


def test_index_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch, part: Path) -> None:
    """A machine without a network gets a reason."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        _configure(monkeypatch, index_url=f"http://127.0.0.1:{unused.getsockname()[1]}/simple")
        with pytest.raises(FetchError, match=r"3.4.3: the package index: .*refused"):
            _obtain(part)

    assert not part.exists()


def test_pips_certificates_are_trusted(
    monkeypatch: pytest.MonkeyPatch, http: Server, part: Path
) -> None:
    """They are used for the page and for the file."""
    http.answers = [PAGE]
    _configure(monkeypatch, index_url=_index(http), cert=certifi.where())
    certificates: list[str] = []
    monkeypatch.setattr(
        python_index, "download", lambda *_, **options: certificates.append(options["certificates"])
    )
    _obtain(part)

    assert [certifi.where()] == certificates


def test_missing_certificates(monkeypatch: pytest.MonkeyPatch, part: Path) -> None:
    """A wrong setting of pip is an error."""
    _configure(monkeypatch, cert="/no/such/file")
    with pytest.raises(FetchError, match=r"No such file"):
        _obtain(part)

    assert not part.exists()


def test_environment_without_pip(monkeypatch: pytest.MonkeyPatch, part: Path) -> None:
    """Some tools make environments without pip; no index is guessed then."""
    monkeypatch.setattr("pipeline.sources.python_index.sys.executable", "/bin/false")
    with pytest.raises(FetchError, match="pip does not list its settings") as caught:
        _obtain(part)

    assert "./bootstrap" == caught.value.hint
