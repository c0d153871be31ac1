"""Which releases upstream has, from its host's list of tags or a repository."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.bump import pin, upstream_tags
from pipeline.bump.request import Request
from pipeline.config import load
from pipeline.model import Package
from pipeline.model.errors import BumpError, FetchError, RequestError
from pipeline.system.report import Report
from tests.unit.bump import upstream
from tests.unit.server import Answer, Server

TAGS = ["v3.0.0-alpha", "v2.1.7a", "v2.1.7", "v2.10.0", "v2.9.1", "v3.0.2-beta", "win-m4", "M3"]


@pytest.fixture
def package(project: Path, http: Server) -> Package:
    """What all releases share; upstream's host is this machine."""
    package = load.package(project)
    tags = f"http://127.0.0.1:{http.server_port}/tags?per_page={{count}}&page={{page}}"
    return replace(package, upstream=replace(package.upstream, tags=tags))


def _page(names: Sequence[str]) -> Answer:
    """A page of the list as the host gives it."""
    entries = [{"name": name, "commit": {"sha": "0" * 40}, "zipball_url": ""} for name in names]
    return Answer(json.dumps(entries).encode())


def test_plain_releases_come_in_the_order_of_their_versions(http: Server, package: Package) -> None:
    """2.10 is newer than 2.9; alphas, betas, letters and other tags are left out."""
    http.answers = [_page(TAGS)]

    assert ["2.1.7", "2.9.1", "2.10.0"] == upstream_tags.versions(package, "", Report())
    assert 1 == len(http.requests)


def test_every_page_is_requested(http: Server, package: Package) -> None:
    """Up to the first that is not full."""
    names = [f"v1.0.{number}" for number in range(250)]
    http.answers = [_page(names[:100]), _page(names[100:200]), _page(names[200:])]

    assert 250 == len(upstream_tags.versions(package, "", Report()))
    assert 3 == len(http.requests)


def test_a_list_that_does_not_end_is_given_up(
    http: Server, package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that sends the same full page again and again does not keep us for ever."""
    monkeypatch.setattr(upstream_tags, "PAGES", 3)
    http.answers = [_page([f"v1.0.{number}" for number in range(100)])]

    assert 100 == len(upstream_tags.versions(package, "", Report()))
    assert 3 == len(http.requests)


@pytest.mark.parametrize("body", [b"<html>", b'{"message": "Not Found"}', b"[1]", b'[{"a": 1}]'])
def test_what_is_no_list_of_tags_is_refused(http: Server, package: Package, body: bytes) -> None:
    """The message shows the beginning of the answer, and the other way."""
    http.answers = [Answer(body)]

    with pytest.raises(FetchError, match="not a list of tags") as caught:
        upstream_tags.versions(package, "", Report())
    assert body.decode() == caught.value.got
    assert "--source" in caught.value.hint


def test_a_host_that_refuses_is_an_error(http: Server, package: Package) -> None:
    """Such as one with a limit of requests."""
    http.answers = [Answer(b"{}", status=403)]

    with pytest.raises(FetchError, match="HTTP 403"):
        upstream_tags.versions(package, "", Report())


def test_a_repository_has_tags(tmp_path: Path, package: Package) -> None:
    """Bare or not; what is no repository is an error."""
    folder = upstream.create(tmp_path / "upstream")
    for name in TAGS:
        upstream.tag(folder, name, {"file": name})
    upstream.git(tmp_path, "clone", "--quiet", "--bare", "upstream", "bare.git")

    for source in (folder, tmp_path / "bare.git"):
        assert ["2.1.7", "2.9.1", "2.10.0"] == upstream_tags.versions(
            package, str(source), Report()
        )
    with pytest.raises(FetchError, match="no git repository"):
        upstream_tags.versions(package, "/nonexistent", Report())


def test_the_list_is_shown(
    root: Path, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A row for each line, with what is pinned and what is newer, by version."""
    upstream.tag(repository, "v2.5.0", upstream.tree("2.5.0"))
    upstream.tag(repository, "v2.10.0", upstream.tree("2.10.0"))
    upstream.tag(repository, "v1.9.9", upstream.tree("1.9.9"))
    upstream_tags.show(root, str(repository))

    assert [
        ["line", "pinned", "newer"],
        ["v1", "none", "1.9.9", "is", "the", "newest;", "none", "is", "pinned"],
        ["v2", "2.4.1", "2.5.0,", "2.10.0"],
        ["v3", "3.4.3", "none"],
    ] == [line.split() for line in capsys.readouterr().out.splitlines()]


def test_the_newest_of_a_line() -> None:
    """Of no other line; a line without a release is an error."""
    assert "2.10.0" == upstream_tags.newest("v2", ["2.9.0", "2.10.0", "3.0.0"])
    assert "3.0.0" == upstream_tags.newest("3", ["2.9.0", "2.10.0", "3.0.0"])
    with pytest.raises(BumpError, match="no release of the line v4"):
        upstream_tags.newest("v4", ["3.0.0"])


@pytest.mark.parametrize(("version", "line"), [("", ""), ("2.4.1", "v2")])
def test_exactly_one_release_must_be_named(root: Path, version: str, line: str) -> None:
    """By its version or by its line."""
    with pytest.raises(RequestError, match="which release"):
        pin.run(root, Request(version, line))
