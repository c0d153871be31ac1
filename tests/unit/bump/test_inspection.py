"""Where a release comes from, and which other places have the same tree."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.bump import inspection, source_tree
from pipeline.bump.inspection import Release
from pipeline.bump.scratch import scratch_checkout
from pipeline.config import load
from pipeline.model import Options, Source
from pipeline.model.errors import BumpError, FetchError, RequestError
from pipeline.sources import debian, pinned
from pipeline.system.checksum import sha256_of
from pipeline.system.workspace import Workspace
from tests.unit import release
from tests.unit.bump import upstream
from tests.unit.bump.conftest import NEW, OLD

# The archive of each place; a place that is not named has none.
Archives = dict[str, bytes]

SAME = release.tarball(
    release.entry(f"repackaged/mimalloc/{name}", text) for name, text in upstream.tree(NEW).items()
)
OTHER = release.tarball(
    release.entry(f"x/{name}", f"{text}/* */") for name, text in upstream.tree(NEW).items()
)


@pytest.fixture
def archives(monkeypatch: pytest.MonkeyPatch) -> Archives:
    """The archives that can be fetched, by the kind of place; Debian has many versions."""
    archives: Archives = {}

    def obtain(source: Source, part: Path, **_: object) -> bool:
        if source.kind not in archives:
            raise FetchError(f"{source.reference}: not there")
        part.write_bytes(archives[source.kind])
        return False

    monkeypatch.setattr(pinned, "obtain", obtain)
    versions = ["2.2.90-1", f"{NEW}+ds-2", f"{NEW}-1", "2.2.8-1"]
    monkeypatch.setattr(debian, "versions", lambda _: versions)
    return archives


@pytest.fixture
def inspect(checkout: Path, workspace: Workspace) -> Callable[..., Release]:
    """Inspects the new release."""

    def run(source: Path | str = "", released: str = "", *pinned: Source) -> Release:
        base = load.recipe(checkout, OLD)
        base = replace(base, source=pinned or base.source)
        with scratch_checkout(workspace, NEW, "", Options()) as scratch:
            return inspection.inspect(scratch, str(source), released, base)

    return run


Inspect = Callable[..., Release]


@pytest.fixture
def tarball(repository: Path, tmp_path: Path) -> Path:
    """The release as upstream's host packs it."""
    target = tmp_path / "upstream.tar.gz"
    upstream.git(
        repository, "archive", "--format=tar.gz", f"--prefix=m-{NEW}/", "-o", str(target), f"v{NEW}"
    )
    return target


def _verdicts(release: Release) -> dict[str, str]:
    return {source.reference: verdict for source, verdict in release.verdicts.items()}


def test_places_with_the_same_tree_are_pinned(
    inspect: Inspect, archives: Archives, repository: Path
) -> None:
    """Whatever else they pack, and however; the recipe gets all of them, upstream first."""
    archives |= {"sdist": SAME, "debian": SAME}
    inspected = inspect(repository)
    pinned = inspected.sources()

    assert ["url", "sdist", "debian"] == [source.kind for source in pinned]
    assert f"mimalloc={NEW}+ds-2" == pinned[2].debian
    assert [] == list(inspection.changes(inspected, None))


def test_a_place_with_another_tree_is_a_change_and_not_pinned(
    inspect: Inspect, archives: Archives, repository: Path
) -> None:
    """It must be accepted."""
    archives["sdist"] = OTHER
    inspected = inspect(repository)
    (change,) = inspection.changes(inspected, None)

    assert "DISAGREES" == _verdicts(inspected)[f"cmeel-mimalloc=={NEW}"]
    assert ["url"] == [source.kind for source in inspected.sources()]
    assert "source" == change.name
    assert "sdist" in change.evidence


def test_a_place_without_the_release_is_shown_with_the_reason(
    inspect: Inspect, archives: Archives, repository: Path
) -> None:
    """An index without the version, a Debian without it, a broken archive."""
    archives["debian"] = b"no archive"
    verdicts = _verdicts(inspect(repository))

    assert "none: not there" == verdicts[f"cmeel-mimalloc=={NEW}"]
    assert "none: the archive is truncated or broken" == verdicts[f"mimalloc={NEW}+ds-2"]


def test_upstream_is_the_first_place(
    inspect: Inspect, archives: Archives, tarball: Path, project: Path
) -> None:
    """Its tarball has commit and time, and is not compared with itself."""
    archives |= {"url": tarball.read_bytes(), "sdist": SAME}
    inspected = inspect()

    assert 40 == len(source_tree.commit_of(inspected.archive, load.package(project))[0])
    assert ("url", upstream.WHEN) == (inspected.origin.kind, inspected.released.isoformat())
    assert [f"cmeel-mimalloc=={NEW}", f"mimalloc={NEW}"] == list(_verdicts(inspected))


def test_the_checksum_of_upstreams_own_tarball_is_pinned(
    inspect: Inspect, archives: Archives, repository: Path, tarball: Path
) -> None:
    """Where it can be fetched; it may be packed by another gzip than ours."""
    archives["url"] = tarball.read_bytes()
    inspected = inspect(repository)
    (pinned,) = inspected.sources()

    assert sha256_of(tarball) == pinned.sha256
    assert inspected.origin.sha256 != pinned.sha256


def test_a_repository_that_is_not_upstreams_is_refused(
    inspect: Inspect, archives: Archives, repository: Path, tarball: Path
) -> None:
    """Its tag is on another tree than upstream's tarball holds."""
    archives["url"] = tarball.read_bytes()
    upstream.tag(repository, f"v{NEW}", {"src/alloc.c": "int evil;\n"})
    inspected = inspect(repository)

    with pytest.raises(BumpError, match="another tree than --source"):
        inspected.sources()


def test_the_source_can_be_a_tarball(
    inspect: Inspect, archives: Archives, tarball: Path, tmp_path: Path
) -> None:
    """Upstream's; one that somebody else has packed is refused."""
    assert sha256_of(tarball) == inspect(tarball).origin.sha256
    (tmp_path / "other.tar.gz").write_bytes(SAME)

    with pytest.raises(RequestError, match="git has not packed it"):
        inspect(tmp_path / "other.tar.gz")


def test_a_tree_that_is_packaged_again_must_be_accepted(
    inspect: Inspect, archives: Archives
) -> None:
    """It is pinned under its own name, and has not the time of the commit."""
    archives["sdist"] = SAME
    with pytest.raises(BumpError, match="time of the tagged commit is unknown") as caught:
        inspect()
    assert "--released" in caught.value.hint
    inspected = inspect(released=upstream.WHEN)
    (change,) = inspection.changes(inspected, None)

    assert "source" == change.name
    assert f"cmeel-mimalloc=={NEW}" in change.evidence
    assert ["sdist"] == [source.kind for source in inspected.sources()]


@pytest.mark.parametrize("released", ["yesterday", "2026-03-01T12:00:00", "2026-03-01T12:00:01Z"])
def test_another_or_an_incomplete_time_is_refused(
    inspect: Inspect, archives: Archives, repository: Path, released: str
) -> None:
    """A time has an offset, and is that of the tag."""
    with pytest.raises(RequestError, match="--released"):
        inspect(repository, released=released)


def test_where_no_place_has_it_each_reason_is_shown(inspect: Inspect, archives: Archives) -> None:
    """And the hint is --source."""
    with pytest.raises(FetchError, match=f"no place has mimalloc {NEW}") as caught:
        inspect()

    assert 3 == caught.value.detail.count("not there")
    assert "--source" in caught.value.hint


def test_places_that_are_not_named_are_left_out(
    inspect: Inspect, archives: Archives, checkout: Path, repository: Path
) -> None:
    """Upstream may be the only one."""
    file = checkout / "recipes" / "package.toml"
    file.write_text(re.sub(r"(?m)^(sdist|debian) .*\n", "", file.read_text()))

    assert ["url"] == [source.kind for source in inspect(repository).verdicts]


def test_packing_is_tried_on_the_pinned_release(
    inspect: Inspect, archives: Archives, repository: Path, workspace: Workspace
) -> None:
    """Where the repository has its tag, git must give the pinned tarball."""
    upstream.tag(repository, f"v{OLD}", upstream.tree(OLD))
    (change,) = inspection.changes(inspect(repository), None)
    packed = sha256_of(workspace.work / "bump" / NEW / "source" / "other")
    pinned = Source(packed, url="https://upstream.invalid/v.tar.gz")

    assert "source" == change.name
    assert f"git packs {OLD} differently" in change.evidence
    assert packed in change.evidence
    assert [] == list(inspection.changes(inspect(repository, "", pinned), None))
