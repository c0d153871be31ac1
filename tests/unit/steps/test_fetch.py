"""`fetch`: the first source that can be had, and the cache that is not trusted."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from pipeline.model import Plan, Source
from pipeline.model.errors import FetchError, VerifyError
from pipeline.sources import user
from pipeline.steps import fetch
from pipeline.system.checksum import sha256_of
from pipeline.system.report import Report
from pipeline.system.workspace import StepDirs
from tests.unit import release
from tests.unit.server import Answer, Server

CONTENT = release.tarball()
SUM = sha256(CONTENT).hexdigest()
OTHER = b"not what was pinned"
OTHER_SUM = sha256(OTHER).hexdigest()


@pytest.fixture
def dirs(folder: Callable[..., StepDirs]) -> StepDirs:
    """The room of the step."""
    return folder("fetch")


@pytest.fixture
def cached(dirs: StepDirs) -> Path:
    """Where the cache keeps the release."""
    return dirs.workspace.cache / "sha256" / SUM


@pytest.fixture
def served(plan: Plan, http: Server) -> Plan:
    """The plan, with its one source on the server."""
    http.answers = [Answer(CONTENT, ranges=True)]
    return release.recast(plan, source=(Source(SUM, url=http.url),))


def _run(plan: Plan, dirs: StepDirs) -> None:
    fetch.run(plan, dirs, Report())


def _told(dirs: StepDirs) -> dict[str, str]:
    told: dict[str, str] = json.loads(dirs.fetched.read_text())
    return told


def _kept(dirs: StepDirs) -> list[str]:
    """What the cache has, but for its locks and empty folders."""
    files = (file for file in dirs.workspace.cache.rglob("*") if not file.is_dir())
    names = (file.relative_to(dirs.workspace.cache).as_posix() for file in files)
    return sorted(name for name in names if not name.startswith("locks/"))


# --- pinned sources ------------------------------------------------------------------------------


def test_source_is_fetched_and_kept(served: Plan, dirs: StepDirs, http: Server) -> None:
    """The archive is in the room and in the cache, with a note of where it came from."""
    _run(served, dirs)

    assert CONTENT == dirs.archive.read_bytes()
    assert [f"sha256/{SUM}"] == _kept(dirs)
    assert {"kind": "url", "reference": http.url, "sha256": SUM} == _told(dirs)


def test_source_is_fetched_once(served: Plan, dirs: StepDirs, http: Server) -> None:
    """What the cache has is not asked for again, and not with --offline either."""
    _run(served, dirs)
    _run(served, dirs)
    _run(served, replace(dirs, offline=True))

    assert 1 == len(http.asked)


def test_checksum_mismatch(served: Plan, dirs: StepDirs, http: Server) -> None:
    """The wrong file is set aside; both checksums are shown; afterwards the right one is taken."""
    http.answers = [Answer(OTHER)]
    with pytest.raises(VerifyError) as caught:
        _run(served, dirs)

    text = str(caught.value)
    aside = dirs.workspace.cache / "rejected" / f"{SUM[:16]}-url"
    for part in ("checksum mismatch", f"sha256 {SUM}", f"sha256 {OTHER_SUM}", str(aside)):
        assert part in text
    assert "--source" in caught.value.hint
    assert 21 == caught.value.exit_code
    assert OTHER == aside.read_bytes()
    assert [f"rejected/{SUM[:16]}-url"] == _kept(dirs)
    assert not dirs.archive.exists()
    assert not dirs.fetched.exists()
    http.answers = [Answer(CONTENT)]
    _run(served, dirs)
    assert CONTENT == dirs.archive.read_bytes()


def test_beginning_of_another_file(served: Plan, dirs: StepDirs, http: Server) -> None:
    """Where an old beginning spoils the whole, it is fetched anew before it is condemned."""
    part = dirs.workspace.cache / "parts" / SUM
    part.parent.mkdir(parents=True)
    part.write_bytes(b"old")
    _run(served, dirs)

    assert CONTENT == dirs.archive.read_bytes()
    assert ["bytes=3-", None] == [asked.get("Range") for asked in http.asked]
    assert [f"sha256/{SUM}"] == _kept(dirs)


def test_next_source_is_tried(served: Plan, dirs: StepDirs, http: Server) -> None:
    """A source that fails, or has something else, makes way for the next one."""
    gone, wrong, right = (http.url.replace("v2", name) for name in ("gone", "wrong", "right"))
    sources = tuple(Source(SUM, url=url) for url in (gone, wrong, right))
    http.answers = [Answer(status=404), Answer(OTHER), Answer(CONTENT)]
    _run(release.recast(served, source=sources), dirs)

    assert CONTENT == dirs.archive.read_bytes()
    assert right == _told(dirs)["reference"]


def test_every_source_fails(served: Plan, dirs: StepDirs, http: Server) -> None:
    """Each is listed with its reason, and the message says how to hand over the tarball."""
    sources = (*served.recipe.source, Source(OTHER_SUM, url=http.url.replace("v2", "mirror")))
    http.answers = [Answer(status=404), Answer(status=403)]
    with pytest.raises(FetchError) as caught:
        _run(release.recast(served, source=sources), dirs)

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
    assert [] == _kept(dirs)
    http.answers = [Answer(CONTENT)]
    _run(served, dirs)
    assert CONTENT == dirs.archive.read_bytes()


def test_mismatch_outweighs_a_failure(served: Plan, dirs: StepDirs, http: Server) -> None:
    """That one source had the wrong content is not hidden by another that was gone."""
    sources = (*served.recipe.source, Source(SUM, url=http.url.replace("v2", "mirror")))
    http.answers = [Answer(OTHER), Answer(status=404)]
    with pytest.raises(VerifyError) as caught:
        _run(release.recast(served, source=sources), dirs)

    assert "HTTP 404" in caught.value.detail
    assert OTHER_SUM in caught.value.detail


def test_offline_without_the_source(served: Plan, dirs: StepDirs, http: Server) -> None:
    """Nothing is asked for; the message says what is missing, where, and what to do."""
    with pytest.raises(FetchError) as caught:
        _run(served, replace(dirs, offline=True))

    problem = caught.value
    assert "mimalloc 2.0.6 is not in the cache, and --offline forbids to fetch it" == problem.what
    assert f"url {http.url} sha256 {SUM}" == problem.detail
    assert dirs.workspace.cache == problem.file
    assert "--source" in problem.hint
    assert [] == http.asked
    assert not dirs.archive.exists()


def test_release_without_a_url(plan: Plan, dirs: StepDirs) -> None:
    """Where upstream has no tarball to name, the hint names none."""
    lone = release.recast(plan, source=(Source(SUM, debian="mimalloc=2-1"),))
    with pytest.raises(FetchError) as caught:
        _run(lone, replace(dirs, offline=True))

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
    dirs: StepDirs,
    cached: Path,
    spoil: Callable[[Path], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What was verified once may have been altered since, or swapped for a link."""
    cached.parent.mkdir(parents=True)
    spoil(cached)
    _run(served, dirs)

    assert CONTENT == dirs.archive.read_bytes()
    assert CONTENT == cached.read_bytes()
    assert not cached.is_symlink()
    aside = dirs.workspace.cache / "rejected" / f"{SUM[:16]}-url"
    assert f"a cached source had been altered; set aside as {aside}" in capsys.readouterr().out
    assert aside.is_symlink() or OTHER == aside.read_bytes()


def test_spoilt_entry_is_not_used_offline(served: Plan, dirs: StepDirs, cached: Path) -> None:
    """Offline, an altered entry is as good as none."""
    cached.parent.mkdir(parents=True)
    _altered(cached)
    with pytest.raises(FetchError, match="not in the cache"):
        _run(served, replace(dirs, offline=True))

    assert not cached.exists()
    assert not dirs.archive.exists()


def test_dangling_link_in_the_cache(served: Plan, dirs: StepDirs, cached: Path) -> None:
    """A link to nowhere makes way for the file; what it names is not written."""
    cached.parent.mkdir(parents=True)
    cached.symlink_to(dirs.workspace.root / "nowhere")
    _run(served, dirs)

    assert CONTENT == cached.read_bytes()
    assert not cached.is_symlink()
    assert not (dirs.workspace.root / "nowhere").exists()


def test_entry_that_is_altered_after_it_was_verified(
    served: Plan, dirs: StepDirs, cached: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is verified is what is used, and no other copy of it."""
    cached.parent.mkdir(parents=True)
    cached.write_bytes(CONTENT)

    def seen(file: Path) -> str:
        told = sha256_of(file)
        cached.write_bytes(OTHER)
        return told

    monkeypatch.setattr(fetch, "sha256_of", seen)
    _run(served, dirs)

    assert CONTENT == dirs.archive.read_bytes()


@pytest.mark.parametrize("there", [False, True])
def test_link_where_a_download_goes_on(
    served: Plan, dirs: StepDirs, cached: Path, tmp_path: Path, there: bool
) -> None:
    """Nothing is written to where it leads."""
    elsewhere, part = tmp_path / "mine", dirs.workspace.cache / "parts" / SUM
    part.parent.mkdir(parents=True)
    part.symlink_to(elsewhere)
    if there:
        elsewhere.write_text("mine\n")
    _run(served, dirs)

    assert CONTENT == cached.read_bytes()
    assert there == elsewhere.exists()
    assert not there or "mine\n" == elsewhere.read_text()


def test_two_fetch_the_same_at_once(served: Plan, dirs: StepDirs, http: Server) -> None:
    """Two checkouts share the cache: the second waits, and takes what the first has fetched."""
    other = replace(dirs, keys={**dirs.keys, "fetch": "1" * 64})
    other.folder("fetch").mkdir()
    go = threading.Event()
    http.answers = [Answer(CONTENT, until=go)]
    threads = [threading.Thread(target=_run, args=(served, each)) for each in (dirs, other)]
    for thread in threads:
        thread.start()
    go.set()
    for thread in threads:
        thread.join()

    assert 1 == len(http.asked)
    assert CONTENT == dirs.archive.read_bytes() == other.archive.read_bytes()


# --- what the user hands over --------------------------------------------------------------------


def _handing(plan: Plan, location: Path | str) -> Plan:
    return replace(plan, user_source=user.user_source(str(location), "2.0.6", plan.package))


def test_handed_tarball_is_kept_where_it_is_the_pinned_one(
    plan: Plan, dirs: StepDirs, tmp_path: Path, cached: Path
) -> None:
    """It has to be handed over only once."""
    (tmp_path / "mine.tar.gz").write_bytes(CONTENT)
    _run(_handing(plan, tmp_path / "mine.tar.gz"), dirs)

    assert CONTENT == cached.read_bytes()
    assert {"kind": "archive", "reference": f"sha256:{SUM}", "sha256": SUM} == _told(dirs)
    dirs.archive.unlink()
    _run(plan, replace(dirs, offline=True))
    assert CONTENT == dirs.archive.read_bytes()


def test_handed_tarball_of_another_packing(plan: Plan, dirs: StepDirs, tmp_path: Path) -> None:
    """It is taken, for its tree will be judged, and not kept under a name it has not."""
    packed = release.tarball(packing="xz")
    (tmp_path / "mine.tar.xz").write_bytes(packed)
    _run(_handing(plan, tmp_path / "mine.tar.xz"), dirs)

    assert packed == dirs.archive.read_bytes()
    assert [] == _kept(dirs)


def test_handed_folder_is_only_noted(plan: Plan, dirs: StepDirs, tmp_path: Path) -> None:
    """A folder stays where it is, and its name stays out of the note."""
    _run(_handing(plan, release.unfold(tmp_path / "mine")), dirs)

    assert not dirs.archive.exists()
    assert {"kind": "folder", "reference": release.identity()} == _told(dirs)


def test_handed_url_is_not_fetched_offline(plan: Plan, dirs: StepDirs, http: Server) -> None:
    """Offline is offline, whoever names the URL."""
    http.answers = [Answer(CONTENT)]
    with pytest.raises(FetchError, match="--offline") as caught:
        _run(_handing(plan, http.url), replace(dirs, offline=True))

    assert http.url == caught.value.got
    assert [] == http.asked
    _run(_handing(plan, http.url), dirs)
    assert CONTENT == dirs.archive.read_bytes()
