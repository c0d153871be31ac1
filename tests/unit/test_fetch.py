"""`fetch`: the first source that can be had, and the cache that is not trusted."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from pipeline import fetch, origins
from pipeline.checksum import sha256_of
from pipeline.errors import FetchError, VerifyError
from pipeline.model import Plan, Source
from pipeline.report import Report
from pipeline.workspace import Site
from tests.unit import release
from tests.unit.server import Answer, Server

CONTENT = release.tarball()
SUM = sha256(CONTENT).hexdigest()
OTHER = b"not what was pinned"
OTHER_SUM = sha256(OTHER).hexdigest()


@pytest.fixture
def site(room: Callable[..., Site]) -> Site:
    """The room of the step."""
    return room("fetch")


@pytest.fixture
def cached(site: Site) -> Path:
    """Where the cache keeps the release."""
    return site.workspace.cache / "sha256" / SUM


@pytest.fixture
def served(plan: Plan, http: Server) -> Plan:
    """The plan, with its one source on the server."""
    http.answers = [Answer(CONTENT, ranges=True)]
    return release.recast(plan, source=(Source(SUM, url=http.url),))


def _run(plan: Plan, site: Site) -> None:
    fetch.run(plan, site, Report())


def _told(site: Site) -> dict[str, str]:
    told: dict[str, str] = json.loads(site.fetched.read_text())
    return told


def _kept(site: Site) -> list[str]:
    """What the cache has, but for its locks and empty folders."""
    files = (file for file in site.workspace.cache.rglob("*") if not file.is_dir())
    names = (file.relative_to(site.workspace.cache).as_posix() for file in files)
    return sorted(name for name in names if not name.startswith("locks/"))


# --- pinned sources ------------------------------------------------------------------------------


def test_source_is_fetched_and_kept(served: Plan, site: Site, http: Server) -> None:
    """The archive is in the room and in the cache, with a note of where it came from."""
    _run(served, site)

    assert CONTENT == site.archive.read_bytes()
    assert [f"sha256/{SUM}"] == _kept(site)
    assert {"kind": "url", "reference": http.url, "sha256": SUM} == _told(site)


def test_source_is_fetched_once(served: Plan, site: Site, http: Server) -> None:
    """What the cache has is not asked for again, and not with --offline either."""
    _run(served, site)
    _run(served, site)
    _run(served, replace(site, offline=True))

    assert 1 == len(http.asked)


def test_checksum_mismatch(served: Plan, site: Site, http: Server) -> None:
    """The wrong file is set aside; both checksums are shown; afterwards the right one is taken."""
    http.answers = [Answer(OTHER)]
    with pytest.raises(VerifyError) as caught:
        _run(served, site)

    text = str(caught.value)
    aside = site.workspace.cache / "rejected" / f"{SUM[:16]}-url"
    for part in ("checksum mismatch", f"sha256 {SUM}", f"sha256 {OTHER_SUM}", str(aside)):
        assert part in text
    assert "--source" in caught.value.hint
    assert 21 == caught.value.exit_code
    assert OTHER == aside.read_bytes()
    assert [f"rejected/{SUM[:16]}-url"] == _kept(site)
    assert not site.archive.exists()
    assert not site.fetched.exists()
    http.answers = [Answer(CONTENT)]
    _run(served, site)
    assert CONTENT == site.archive.read_bytes()


def test_beginning_of_another_file(served: Plan, site: Site, http: Server) -> None:
    """Where an old beginning spoils the whole, it is fetched anew before it is condemned."""
    part = site.workspace.cache / "parts" / SUM
    part.parent.mkdir(parents=True)
    part.write_bytes(b"old")
    _run(served, site)

    assert CONTENT == site.archive.read_bytes()
    assert ["bytes=3-", None] == [asked.get("Range") for asked in http.asked]
    assert [f"sha256/{SUM}"] == _kept(site)


def test_next_source_is_tried(served: Plan, site: Site, http: Server) -> None:
    """A source that fails, or has something else, makes way for the next one."""
    gone, wrong, right = (http.url.replace("v2", name) for name in ("gone", "wrong", "right"))
    sources = tuple(Source(SUM, url=url) for url in (gone, wrong, right))
    http.answers = [Answer(status=404), Answer(OTHER), Answer(CONTENT)]
    _run(release.recast(served, source=sources), site)

    assert CONTENT == site.archive.read_bytes()
    assert right == _told(site)["reference"]


def test_every_source_fails(served: Plan, site: Site, http: Server) -> None:
    """Each is listed with its reason, and the message says how to hand over the tarball."""
    sources = (*served.recipe.source, Source(OTHER_SUM, url=http.url.replace("v2", "mirror")))
    http.answers = [Answer(status=404), Answer(status=403)]
    with pytest.raises(FetchError) as caught:
        _run(release.recast(served, source=sources), site)

    problem = caught.value
    assert "no source of mimalloc 2.0.6 could be had" == problem.what
    assert [
        f"url {sources[0].url}",
        f"fetch: {sources[0].url}: HTTP 404 Not Found",
        f"url {sources[1].url}",
        f"fetch: {sources[1].url}: HTTP 403 Forbidden",
    ] == [line.strip() for line in problem.detail.splitlines()]
    assert [
        "invoke fetch --version 2.0.6 --source TARBALL|FOLDER|GIT-REPOSITORY|URL",
        f"the tarball is {http.url}",
        f"with sha256 {SUM}",
    ] == problem.hint.splitlines()
    assert 20 == problem.exit_code
    assert [] == _kept(site)
    http.answers = [Answer(CONTENT)]
    _run(served, site)
    assert CONTENT == site.archive.read_bytes()


def test_mismatch_outweighs_a_failure(served: Plan, site: Site, http: Server) -> None:
    """That one source had the wrong content is not hidden by another that was gone."""
    sources = (*served.recipe.source, Source(SUM, url=http.url.replace("v2", "mirror")))
    http.answers = [Answer(OTHER), Answer(status=404)]
    with pytest.raises(VerifyError) as caught:
        _run(release.recast(served, source=sources), site)

    assert "HTTP 404" in caught.value.detail
    assert OTHER_SUM in caught.value.detail


def test_offline_without_the_source(served: Plan, site: Site, http: Server) -> None:
    """Nothing is asked for; the message says what is missing, where, and what to do."""
    with pytest.raises(FetchError) as caught:
        _run(served, replace(site, offline=True))

    problem = caught.value
    assert "mimalloc 2.0.6 is not in the cache, and --offline forbids to fetch it" == problem.what
    assert f"url {http.url} sha256 {SUM}" == problem.detail
    assert site.workspace.cache == problem.file
    assert "--source" in problem.hint
    assert [] == http.asked
    assert not site.archive.exists()


def test_release_without_a_url(plan: Plan, site: Site) -> None:
    """Where upstream has no tarball to name, the hint names none."""
    lone = release.recast(plan, source=(Source(SUM, debian="mimalloc=2-1"),))
    with pytest.raises(FetchError) as caught:
        _run(lone, replace(site, offline=True))

    assert 1 == len(caught.value.hint.splitlines())


# --- the cache -----------------------------------------------------------------------------------


def _altered(entry: Path) -> None:
    entry.write_bytes(OTHER)


def _linked(entry: Path) -> None:
    """The right content, but for as long as somebody else likes."""
    (entry.parent / "elsewhere").write_bytes(CONTENT)
    entry.symlink_to("elsewhere")


@pytest.mark.parametrize("spoil", [_altered, _linked])
def test_spoilt_entry_is_fetched_again(
    served: Plan,
    site: Site,
    cached: Path,
    spoil: Callable[[Path], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What was verified once may have been altered since, or swapped for a link."""
    cached.parent.mkdir(parents=True)
    spoil(cached)
    _run(served, site)

    assert CONTENT == site.archive.read_bytes()
    assert CONTENT == cached.read_bytes()
    assert not cached.is_symlink()
    aside = site.workspace.cache / "rejected" / f"{SUM[:16]}-url"
    assert f"a cached source had been altered; set aside as {aside}" in capsys.readouterr().out
    assert aside.is_symlink() or OTHER == aside.read_bytes()


def test_spoilt_entry_is_not_used_offline(served: Plan, site: Site, cached: Path) -> None:
    """Offline, an altered entry is as good as none."""
    cached.parent.mkdir(parents=True)
    _altered(cached)
    with pytest.raises(FetchError, match="not in the cache"):
        _run(served, replace(site, offline=True))

    assert not cached.exists()
    assert not site.archive.exists()


def test_dangling_link_in_the_cache(served: Plan, site: Site, cached: Path) -> None:
    """A link to nowhere makes way for the file; what it names is not written."""
    cached.parent.mkdir(parents=True)
    cached.symlink_to(site.workspace.root / "nowhere")
    _run(served, site)

    assert CONTENT == cached.read_bytes()
    assert not cached.is_symlink()
    assert not (site.workspace.root / "nowhere").exists()


def test_entry_that_is_altered_after_it_was_verified(
    served: Plan, site: Site, cached: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is verified is what is used, and no other copy of it."""
    cached.parent.mkdir(parents=True)
    cached.write_bytes(CONTENT)

    def seen(file: Path) -> str:
        told = sha256_of(file)
        cached.write_bytes(OTHER)
        return told

    monkeypatch.setattr(fetch, "sha256_of", seen)
    _run(served, site)

    assert CONTENT == site.archive.read_bytes()


@pytest.mark.parametrize("there", [False, True])
def test_link_where_a_download_goes_on(
    served: Plan, site: Site, cached: Path, tmp_path: Path, there: bool
) -> None:
    """Nothing is written to where it leads."""
    elsewhere, part = tmp_path / "mine", site.workspace.cache / "parts" / SUM
    part.parent.mkdir(parents=True)
    part.symlink_to(elsewhere)
    if there:
        elsewhere.write_text("mine\n")
    _run(served, site)

    assert CONTENT == cached.read_bytes()
    assert there == elsewhere.exists()
    assert not there or "mine\n" == elsewhere.read_text()


def test_two_fetch_the_same_at_once(served: Plan, site: Site, http: Server) -> None:
    """Two checkouts share the cache: the second waits, and takes what the first has fetched."""
    other = replace(site, keys={**site.keys, "fetch": "1" * 64})
    other.room("fetch").mkdir()
    go = threading.Event()
    http.answers = [Answer(CONTENT, until=go)]
    threads = [threading.Thread(target=_run, args=(served, each)) for each in (site, other)]
    for thread in threads:
        thread.start()
    go.set()
    for thread in threads:
        thread.join()

    assert 1 == len(http.asked)
    assert CONTENT == site.archive.read_bytes() == other.archive.read_bytes()


# --- what the user hands over --------------------------------------------------------------------


def _handing(plan: Plan, location: Path | str) -> Plan:
    return replace(plan, handed=origins.handed(str(location), "2.0.6", plan.package))


def test_handed_tarball_is_kept_where_it_is_the_pinned_one(
    plan: Plan, site: Site, tmp_path: Path, cached: Path
) -> None:
    """It has to be handed over only once."""
    (tmp_path / "mine.tar.gz").write_bytes(CONTENT)
    _run(_handing(plan, tmp_path / "mine.tar.gz"), site)

    assert CONTENT == cached.read_bytes()
    assert {"kind": "archive", "reference": f"sha256:{SUM}", "sha256": SUM} == _told(site)
    site.archive.unlink()
    _run(plan, replace(site, offline=True))
    assert CONTENT == site.archive.read_bytes()


def test_handed_tarball_of_another_packing(plan: Plan, site: Site, tmp_path: Path) -> None:
    """It is taken, for its tree will be judged, and not kept under a name it has not."""
    packed = release.tarball(packing="xz")
    (tmp_path / "mine.tar.xz").write_bytes(packed)
    _run(_handing(plan, tmp_path / "mine.tar.xz"), site)

    assert packed == site.archive.read_bytes()
    assert [] == _kept(site)


def test_handed_folder_is_only_noted(plan: Plan, site: Site, tmp_path: Path) -> None:
    """A folder stays where it is, and its name stays out of the note."""
    _run(_handing(plan, release.unfold(tmp_path / "mine")), site)

    assert not site.archive.exists()
    assert {"kind": "folder", "reference": release.identity()} == _told(site)


def test_handed_url_is_not_fetched_offline(plan: Plan, site: Site, http: Server) -> None:
    """Offline is offline, whoever names the URL."""
    http.answers = [Answer(CONTENT)]
    with pytest.raises(FetchError, match="--offline") as caught:
        _run(_handing(plan, http.url), replace(site, offline=True))

    assert http.url == caught.value.got
    assert [] == http.asked
    _run(_handing(plan, http.url), site)
    assert CONTENT == site.archive.read_bytes()
