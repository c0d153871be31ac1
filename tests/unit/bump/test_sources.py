"""`bump.sources` and `bump.look`: where a release is from, and who has the same tree."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.bump import inspection, sources
from pipeline.bump.inspection import Release
from pipeline.config import load
from pipeline.model import Package, Recipe, Source
from pipeline.model.errors import BumpError, FetchError, RequestError
from pipeline.sources import user
from pipeline.system.checksum import sha256_of
from pipeline.system.report import Report
from tests.unit import release
from tests.unit.bump import upstream
from tests.unit.bump.conftest import NEW, OLD

# What the archives of a place are; a place that is not named has none.
Shelf = dict[str, bytes]

SAME = release.tarball(
    release.entry(f"repackaged/mimalloc/{name}", text) for name, text in upstream.tree(NEW).items()
)
OTHER = release.tarball(
    release.entry(f"x/{name}", f"{text}/* */") for name, text in upstream.tree(NEW).items()
)


@pytest.fixture
def package(project: Path) -> Package:
    """What all releases share."""
    return load.package(project)


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """The archives that can be had, by the kind of place; Debian has many versions."""
    found: Shelf = {}

    def obtain(source: Source, part: Path, **_: object) -> bool:
        if source.kind not in found:
            raise FetchError(f"{source.reference}: not there")
        part.write_bytes(found[source.kind])
        return False

    monkeypatch.setattr(user, "obtain", obtain)
    known = ["2.2.90-1", f"{NEW}+ds-2", f"{NEW}-1", "2.2.8-1"]
    monkeypatch.setattr(user, "debian_versions", lambda _: known)
    return found


@pytest.fixture
def at(package: Package, tmp_path: Path, project: Path) -> Callable[..., Release]:
    """Looks at the new release; the pinned one is the other."""
    own = load.recipe(project, OLD)

    def run(source: Path | str = "", released: str = "", other: Recipe = own) -> Release:
        folder = tmp_path / "room"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return inspection.inspect(
            NEW,
            package,
            folder,
            Report(),
            stem="libmimalloc.so",
            other=other,
            source=str(source),
            released=released,
            offline=False,
        )

    return run


At = Callable[..., Release]


@pytest.fixture
def tarball(repository: Path, tmp_path: Path) -> Path:
    """The release as upstream's host packs it."""
    target = tmp_path / "upstream.tar.gz"
    upstream.git(
        repository, "archive", "--format=tar.gz", f"--prefix=m-{NEW}/", "-o", str(target), f"v{NEW}"
    )
    return target


def _told(release: Release) -> dict[str, str]:
    return {each.source.reference: each.verdict for each in release.opinions}


def test_who_has_the_same_tree_agrees(at: At, shelf: Shelf, repository: Path) -> None:
    """Whatever is packed beside it, and however; the recipe gets all of them, upstream first."""
    shelf |= {"sdist": SAME, "debian": SAME}
    found = at(repository)
    pinned = sources.pinned(found.origin, found.opinions)

    assert ["url", "sdist", "debian"] == [source.kind for source in pinned]
    assert f"mimalloc={NEW}+ds-2" == pinned[2].debian
    assert [] == list(inspection.changes(found, None))


def test_who_has_another_tree_is_not_pinned_and_stops_it(
    at: At, shelf: Shelf, repository: Path
) -> None:
    """Until somebody has accepted that."""
    shelf["sdist"] = OTHER
    found = at(repository)
    (change,) = inspection.changes(found, None)

    assert "DISAGREES" == _told(found)[f"cmeel-mimalloc=={NEW}"]
    assert ["url"] == [source.kind for source in sources.pinned(found.origin, found.opinions)]
    assert "source" == change.name
    assert "sdist" in change.evidence


def test_who_has_it_not_says_why(at: At, shelf: Shelf, repository: Path) -> None:
    """An index without the version, a Debian without it, a broken archive."""
    shelf["debian"] = b"no archive"
    told = _told(at(repository))

    assert "none: not there" == told[f"cmeel-mimalloc=={NEW}"]
    assert "none: the archive is truncated or broken" == told[f"mimalloc={NEW}"]


def test_upstream_itself_is_asked_first(at: At, shelf: Shelf, tarball: Path) -> None:
    """Its tarball tells commit and time, and is not asked for a second opinion."""
    shelf |= {"url": tarball.read_bytes(), "sdist": SAME}
    found = at()

    assert (True, upstream.WHEN) == (found.origin.authentic, found.released.isoformat())
    assert 40 == len(found.origin.commit)
    assert [f"cmeel-mimalloc=={NEW}", f"mimalloc={NEW}"] == list(_told(found))


def test_the_bytes_of_upstreams_own_tarball_count(
    at: At, shelf: Shelf, repository: Path, tarball: Path
) -> None:
    """Where it can be had; it may be packed by another gzip than ours."""
    shelf["url"] = tarball.read_bytes()
    found = at(repository)
    (pinned,) = sources.pinned(found.origin, found.opinions)

    assert sha256_of(tarball) == pinned.sha256
    assert found.origin.pin.sha256 != pinned.sha256


def test_a_repository_that_is_not_upstreams_is_found_out(
    at: At, shelf: Shelf, repository: Path, tarball: Path
) -> None:
    """Its tag is on another tree than upstream's tarball holds."""
    shelf["url"] = tarball.read_bytes()
    upstream.tag(repository, f"v{NEW}", {"src/alloc.c": "int evil;\n"})
    found = at(repository)

    with pytest.raises(BumpError, match="another tree than what was handed over"):
        sources.pinned(found.origin, found.opinions)


def test_a_tarball_can_be_handed_over(at: At, shelf: Shelf, tarball: Path, tmp_path: Path) -> None:
    """Upstream's; one that somebody else has packed is not taken for it."""
    assert sha256_of(tarball) == at(tarball).origin.pin.sha256
    (tmp_path / "other.tar.gz").write_bytes(SAME)

    with pytest.raises(RequestError, match="not a tarball that git has packed"):
        at(tmp_path / "other.tar.gz")


def test_a_tree_that_is_packaged_again_must_be_accepted(at: At, shelf: Shelf) -> None:
    """It is pinned under its own name, and does not know the time of the commit."""
    shelf["sdist"] = SAME
    with pytest.raises(BumpError, match="time of the tagged commit is not known") as caught:
        at()
    assert "--released" in caught.value.hint
    found = at(released=upstream.WHEN)
    (change,) = inspection.changes(found, None)

    assert "source" == change.name
    assert f"cmeel-mimalloc=={NEW}" in change.evidence
    assert ["sdist"] == [source.kind for source in sources.pinned(found.origin, found.opinions)]


@pytest.mark.parametrize("told", ["yesterday", "2026-03-01T12:00:00", "2026-03-01T12:00:01Z"])
def test_a_time_that_is_none_or_another_is_refused(
    at: At, shelf: Shelf, repository: Path, told: str
) -> None:
    """A time has an offset, and is that of the tag."""
    with pytest.raises(RequestError, match="--released"):
        at(repository, released=told)


def test_packing_is_tried_on_what_is_pinned(
    at: At,
    shelf: Shelf,
    repository: Path,
    project: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Where the repository has the tag of the pinned release, it must give the pinned tarball."""
    upstream.tag(repository, f"v{OLD}", upstream.tree(OLD))
    (change,) = inspection.changes(at(repository), None)
    assert "source" == change.name
    assert f"of {OLD} the repository gives another tarball" in change.evidence

    own = load.recipe(project, OLD)
    packed = Source(sha256_of(tmp_path / "room" / "other" / "archive"), url=own.source[0].url)
    found = at(repository, other=replace(own, source=(packed,)))
    assert [] == list(inspection.changes(found, None))
    assert f"tried on {OLD}: gives the tarball that is pinned" in capsys.readouterr().out


def test_where_nobody_has_it_each_says_why(at: At, shelf: Shelf) -> None:
    """And the way out is to hand it over."""
    with pytest.raises(FetchError, match=f"no source of mimalloc {NEW}") as caught:
        at()

    assert 3 == caught.value.detail.count("not there")
    assert "--source" in caught.value.hint


def test_places_that_are_not_named_are_not_asked(package: Package) -> None:
    """Nobody need package the tree again."""
    bare = replace(package, upstream=replace(package.upstream, sdist="", debian=""))

    assert ["url"] == [source.kind for source in sources.places(NEW, bare)]
