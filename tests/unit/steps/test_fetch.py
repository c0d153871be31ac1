"""`fetch`: the first source that is available, and the cache that is not trusted."""

import json
import threading
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from pipeline.model import Options, Plan, Source
from pipeline.model.errors import FetchError, VerifyError
from pipeline.sources import user
from pipeline.steps import fetch
from pipeline.system import download
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
def dirs(make_dirs: Callable[..., StepDirs]) -> StepDirs:
    """The directory of the step."""
    return make_dirs("fetch")


@pytest.fixture
def cached(dirs: StepDirs) -> Path:
    """The release's entry in the cache."""
    return dirs.workspace.cache / "sha256" / SUM


@pytest.fixture
def served(plan: Plan, http: Server) -> Plan:
    """The plan, with its one source on the server."""
    http.answers = [Answer(CONTENT, ranges=True)]
    return release.recast(plan, source=(Source(SUM, url=http.url),))


def _run(plan: Plan, dirs: StepDirs) -> None:
    fetch.run(plan, dirs, Report())


def _offline(dirs: StepDirs) -> StepDirs:
    return replace(dirs, options=Options(offline=True))


def _origin(dirs: StepDirs) -> dict[str, str]:
    origin: dict[str, str] = json.loads(dirs.origin("fetch").read_text())
    return origin


def _cache_files(dirs: StepDirs) -> list[str]:
    """The files in the cache, except for locks."""
    files = (file for file in dirs.workspace.cache.rglob("*") if not file.is_dir())
    names = (file.relative_to(dirs.workspace.cache).as_posix() for file in files)
    return sorted(name for name in names if not name.startswith("locks/"))


# --- pinned sources ------------------------------------------------------------------------------


def test_source_is_fetched_and_cached(served: Plan, dirs: StepDirs, http: Server) -> None:
    """The archive is in the step directory and in the cache, with a note of its origin."""
    _run(served, dirs)

    assert CONTENT == dirs.archive.read_bytes()
    assert [f"sha256/{SUM}"] == _cache_files(dirs)
    assert {"kind": "url", "reference": http.url, "sha256": SUM} == _origin(dirs)


def test_source_is_fetched_once(served: Plan, dirs: StepDirs, http: Server) -> None:
    """What is in the cache is not requested again, with --offline and without."""
    _run(served, dirs)
    _run(served, dirs)
    _run(served, _offline(dirs))

    assert 1 == len(http.requests)


def test_checksum_mismatch(served: Plan, dirs: StepDirs, http: Server) -> None:
    """The wrong file is moved aside; both checksums are shown; the right one is accepted later."""
    http.answers = [Answer(OTHER)]
    with pytest.raises(VerifyError) as caught:
        _run(served, dirs)

    text = str(caught.value)
    rejected = dirs.workspace.cache / "rejected" / f"{SUM[:16]}-url"
    for part in ("checksum mismatch", f"sha256 {SUM}", f"sha256 {OTHER_SUM}", str(rejected)):
        assert part in text
    assert "--source" in caught.value.hint
    assert 21 == caught.value.exit_code
    assert OTHER == rejected.read_bytes()
    assert [f"rejected/{SUM[:16]}-url"] == _cache_files(dirs)
    assert not dirs.archive.exists()
    assert not dirs.origin("fetch").exists()
    http.answers = [Answer(CONTENT)]
    _run(served, dirs)
    assert CONTENT == dirs.archive.read_bytes()


def test_partial_download_of_another_file(served: Plan, dirs: StepDirs, http: Server) -> None:
    """It is resumed, does not verify and is moved aside; the next run starts from nothing."""
    part = dirs.workspace.cache / "parts" / SUM
    part.parent.mkdir(parents=True)
    part.write_bytes(b"old")
    with pytest.raises(VerifyError, match="checksum mismatch"):
        _run(served, dirs)
    assert [f"rejected/{SUM[:16]}-url"] == _cache_files(dirs)

    _run(served, dirs)
    assert CONTENT == dirs.archive.read_bytes()
    assert ["bytes=3-", None] == [headers.get("Range") for headers in http.requests]


def test_next_source_is_tried(served: Plan, dirs: StepDirs, http: Server) -> None:
    """After a source that fails or has another content, the next one is tried."""
    gone, wrong, right = (http.url.replace("v2", name) for name in ("gone", "wrong", "right"))
    sources = tuple(Source(SUM, url=url) for url in (gone, wrong, right))
    http.answers = [Answer(status=404), Answer(OTHER), Answer(CONTENT)]
    _run(release.recast(served, source=sources), dirs)

    assert CONTENT == dirs.archive.read_bytes()
    assert right == _origin(dirs)["reference"]


def test_every_source_fails(served: Plan, dirs: StepDirs, http: Server) -> None:
    """Each is listed with its reason, and the message says how to use another source."""
    sources = (*served.recipe.source, Source(OTHER_SUM, url=http.url.replace("v2", "mirror")))
    http.answers = [Answer(status=404), Answer(status=403)]
    with pytest.raises(FetchError) as caught:
        _run(release.recast(served, source=sources), dirs)

    problem = caught.value
    assert "no source of mimalloc 2.0.6 is available" == problem.what
    assert [
        f"url {sources[0].url} sha256 {SUM}",
        f"fetch: {sources[0].url}: HTTP 404 Not Found",
        f"url {sources[1].url} sha256 {OTHER_SUM}",
        f"fetch: {sources[1].url}: HTTP 403 Forbidden",
    ] == [line.strip() for line in problem.detail.splitlines()]
    hint = "invoke fetch --version 2.0.6 --source TARBALL|FOLDER|GIT-REPOSITORY|URL"
    assert hint == problem.hint
    assert 20 == problem.exit_code
    assert [] == _cache_files(dirs)
    http.answers = [Answer(CONTENT)]
    _run(served, dirs)
    assert CONTENT == dirs.archive.read_bytes()


def test_mismatch_has_priority_over_a_failure(served: Plan, dirs: StepDirs, http: Server) -> None:
    """The wrong content of one source is not hidden by another source that is missing."""
    sources = (*served.recipe.source, Source(SUM, url=http.url.replace("v2", "mirror")))
    http.answers = [Answer(OTHER), Answer(status=404)]
    with pytest.raises(VerifyError) as caught:
        _run(release.recast(served, source=sources), dirs)

    assert "HTTP 404" in caught.value.detail
    assert OTHER_SUM in caught.value.detail


def test_offline_without_the_source(served: Plan, dirs: StepDirs, http: Server) -> None:
    """Nothing is requested; the message says what is missing, where, and what to do."""
    with pytest.raises(FetchError) as caught:
        _run(served, _offline(dirs))

    problem = caught.value
    assert (
        "mimalloc 2.0.6 is not in the cache, and --offline forbids downloading it" == problem.what
    )
    assert f"url {http.url} sha256 {SUM}" == problem.detail
    assert dirs.workspace.cache == problem.file
    assert "--source" in problem.hint
    assert [] == http.requests
    assert not dirs.archive.exists()


# --- the cache -----------------------------------------------------------------------------------


def _alter(entry: Path) -> None:
    entry.write_bytes(OTHER)


def _link(entry: Path) -> None:
    """The right content, but somebody else can replace it."""
    (entry.parent / "elsewhere").write_bytes(CONTENT)
    entry.symlink_to("elsewhere")


@pytest.mark.parametrize("damage", [_alter, _link])
def test_altered_entry_is_fetched_again(
    served: Plan,
    dirs: StepDirs,
    cached: Path,
    damage: Callable[[Path], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A verified entry may have been altered since, or replaced by a link."""
    cached.parent.mkdir(parents=True)
    damage(cached)
    _run(served, dirs)

    assert CONTENT == dirs.archive.read_bytes()
    assert CONTENT == cached.read_bytes()
    assert not cached.is_symlink()
    rejected = dirs.workspace.cache / "rejected" / f"{SUM[:16]}-url"
    assert f"a cached source was altered; moved to {rejected}" in capsys.readouterr().out
    assert rejected.is_symlink() or OTHER == rejected.read_bytes()


def test_altered_entry_is_not_used_offline(served: Plan, dirs: StepDirs, cached: Path) -> None:
    """Offline, an altered entry is the same as none."""
    cached.parent.mkdir(parents=True)
    _alter(cached)
    with pytest.raises(FetchError, match="not in the cache"):
        _run(served, _offline(dirs))

    assert not cached.exists()
    assert not dirs.archive.exists()


def test_dangling_link_in_the_cache(served: Plan, dirs: StepDirs, cached: Path) -> None:
    """It is replaced by the file; its target is not written."""
    cached.parent.mkdir(parents=True)
    cached.symlink_to(dirs.workspace.root / "nowhere")
    _run(served, dirs)

    assert CONTENT == cached.read_bytes()
    assert not cached.is_symlink()
    assert not (dirs.workspace.root / "nowhere").exists()


def test_entry_that_is_altered_after_it_was_verified(
    served: Plan, dirs: StepDirs, cached: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy that is verified is the copy that is used."""
    cached.parent.mkdir(parents=True)
    cached.write_bytes(CONTENT)

    def alter_afterwards(file: Path) -> str:
        checksum = sha256_of(file)
        cached.write_bytes(OTHER)
        return checksum

    monkeypatch.setattr(fetch, "sha256_of", alter_afterwards)
    _run(served, dirs)

    assert CONTENT == dirs.archive.read_bytes()


@pytest.mark.parametrize("exists", [False, True])
def test_link_in_place_of_a_partial_download(
    served: Plan, dirs: StepDirs, cached: Path, tmp_path: Path, exists: bool
) -> None:
    """Nothing is written to its target."""
    elsewhere, part = tmp_path / "mine", dirs.workspace.cache / "parts" / SUM
    part.parent.mkdir(parents=True)
    part.symlink_to(elsewhere)
    if exists:
        elsewhere.write_text("mine\n")
    _run(served, dirs)

    assert CONTENT == cached.read_bytes()
    assert exists == elsewhere.exists()
    assert not exists or "mine\n" == elsewhere.read_text()


def test_two_fetch_the_same_at_once(
    served: Plan, dirs: StepDirs, http: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two checkouts share the cache: the second waits, and uses what the first has fetched."""
    other = replace(dirs, keys={**dirs.keys, "fetch": "1" * 64})
    other.folder("fetch").mkdir()
    go = threading.Event()
    http.answers = [Answer(CONTENT, until=go)]
    # The deadline of a download is a signal, which threads do not get.
    monkeypatch.setattr(download, "_deadline", nullcontext)
    threads = [threading.Thread(target=_run, args=(served, own)) for own in (dirs, other)]
    for thread in threads:
        thread.start()
    go.set()
    for thread in threads:
        thread.join()

    assert 1 == len(http.requests)
    assert CONTENT == dirs.archive.read_bytes() == other.archive.read_bytes()


# --- sources of the user -------------------------------------------------------------------------


def _with_source(plan: Plan, location: Path | str) -> Plan:
    return replace(plan, user_source=user.user_source(str(location), "2.0.6", plan.package))


def test_users_tarball_is_cached_if_it_is_the_pinned_one(
    plan: Plan, dirs: StepDirs, tmp_path: Path, cached: Path
) -> None:
    """So --source is needed only once."""
    (tmp_path / "mine.tar.gz").write_bytes(CONTENT)
    _run(_with_source(plan, tmp_path / "mine.tar.gz"), dirs)

    assert CONTENT == cached.read_bytes()
    assert {"kind": "archive", "reference": f"sha256:{SUM}", "sha256": SUM} == _origin(dirs)
    dirs.archive.unlink()
    _run(plan, _offline(dirs))
    assert CONTENT == dirs.archive.read_bytes()


def test_users_tarball_with_another_compression(plan: Plan, dirs: StepDirs, tmp_path: Path) -> None:
    """It is used, because its tree will be verified, but not cached."""
    packed = release.tarball(packing="xz")
    (tmp_path / "mine.tar.xz").write_bytes(packed)
    _run(_with_source(plan, tmp_path / "mine.tar.xz"), dirs)

    assert packed == dirs.archive.read_bytes()
    assert [] == _cache_files(dirs)


def test_users_folder_is_not_copied(plan: Plan, dirs: StepDirs, tmp_path: Path) -> None:
    """A folder stays where it is, and its name is not in the note."""
    _run(_with_source(plan, release.unfold(tmp_path / "mine")), dirs)

    assert not dirs.archive.exists()
    assert {"kind": "folder", "reference": release.identity()} == _origin(dirs)


def test_users_url_is_not_fetched_offline(plan: Plan, dirs: StepDirs, http: Server) -> None:
    """--offline holds for a URL of the user, too."""
    http.answers = [Answer(CONTENT)]
    with pytest.raises(FetchError, match="--offline") as caught:
        _run(_with_source(plan, http.url), _offline(dirs))

    assert http.url == caught.value.got
    assert [] == http.requests
    _run(_with_source(plan, http.url), dirs)
    assert CONTENT == dirs.archive.read_bytes()
