"""A release looked at before anything is built: where it is from, what it is, what others say."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from pipeline.bump import source_tree, sources
from pipeline.bump.changes import Change
from pipeline.bump.source_tree import Tree
from pipeline.bump.sources import Opinion, Origin
from pipeline.model import Package, Recipe
from pipeline.model.errors import BumpError, FetchError, RequestError
from pipeline.system.report import Report


@dataclass(frozen=True, slots=True)
class Release:
    """What is known of a release: its archive, its tree, what others say, the tagged commit's time.

    ``origin`` is where it came from, ``released`` what the recipe will say, ``misfit`` what speaks
    against the checksum of a tarball that was packed here.
    """

    version: str
    origin: Origin
    tree: Tree
    opinions: tuple[Opinion, ...]
    released: datetime
    misfit: str = ""


def inspect(
    version: str,
    package: Package,
    folder: Path,
    report: Report,
    *,
    stem: str,
    other: Recipe,
    source: str,
    released: str,
    offline: bool,
) -> Release:
    """Fetch a release and study it; ``stem`` is what the library's file name begins with.

    ``other`` is pinned: where its tarball can be packed here too, that must be the pinned one.

    Raises FetchError, RequestError or VerifyError, and BumpError where the time of the tagged
    commit is not known.
    """
    if offline and not source:
        raise FetchError(
            f"--offline forbids to fetch mimalloc {version}",
            hint="add --source GIT-REPOSITORY|TARBALL, or leave out --offline",
        )
    if source:
        origin = sources.given(source, version, package, folder, report)
    else:
        origin = sources.found(version, package, folder, report)
    report.line(f"  source      {origin.told}")
    source_tree.of_archive(origin.archive, folder / "tree", package)
    tree = source_tree.read(folder / "tree", version, stem)
    origin = replace(origin, released=_moment(origin, released))
    _tell(origin, tree, report)
    opinions = []
    if not offline:
        for opinion in sources.opinions(origin, tree.identity, version, package, folder, report):
            report.line(
                f"  {opinion.source.kind:<11} {opinion.source.reference}: {opinion.verdict}"
            )
            opinions.append(opinion)
    assert origin.released is not None, "or _moment would have raised"
    misfit = ""
    if origin.kind == "git":
        misfit = _misfit(source, other, package, folder, report)
    return Release(version, origin, tree, tuple(opinions), origin.released, misfit)


def _misfit(source: str, other: Recipe, package: Package, folder: Path, report: Report) -> str:
    """What is wrong with the tarball of a pinned release, packed from the same repository.

    Another gzip than GNU's gives other bytes, and a repository may not be what it was.
    """
    try:
        packed = sources.given(source, other.version, package, folder / "other", report)
    except FetchError:
        report.line(f"  packing     cannot be tried: no tag of {other.version} in the repository")
        return ""
    pinned = {each.sha256 for each in other.source if each.url}
    if packed.pin.sha256 in pinned:
        report.line(f"  packing     tried on {other.version}: gives the tarball that is pinned")
        return ""
    return (
        f"of {other.version} the repository gives another tarball than is pinned:\n"
        f"sha256 {packed.pin.sha256}"
    )


def changes(release: Release, former: Recipe | None) -> Iterator[Change]:
    """What must be accepted of where it comes from; ``former`` is what is pinned under its name."""
    lines = []
    if not release.origin.authentic:
        lines.append(f"upstream was not to be had; the tree is that of {release.origin.told}")
    lines += [
        f"{each.source.kind} {each.source.reference} has another tree"
        for each in release.opinions
        if each.contradicts
    ]
    lines += [release.misfit] if release.misfit else []
    if lines:
        yield Change("source", "\n".join(lines))
    moved = difference(release, former) if former else ""
    if moved:
        yield Change("tag", moved)


def difference(release: Release, former: Recipe) -> str:
    """In which way a release is not the one that is pinned under its name; empty where it is."""
    if release.tree.identity != former.tree:
        return f"pinned is the tree {former.tree},\nfound was {release.tree.identity}"
    kind, found = release.origin.pin.kind, release.origin.pin.sha256
    pinned = [source.sha256 for source in former.source if source.kind == kind]
    if pinned and found not in pinned:
        told = f"pinned is sha256 {pinned[0]},\nfound was {found}"
        return f"the same tree, but another archive ({kind}):\n{told}"
    return ""


def _moment(origin: Origin, told: str) -> datetime:
    """The time of the tagged commit: what the archive knows, else what the user says."""
    try:
        moment = datetime.fromisoformat(told) if told else None
    except ValueError as problem:
        raise RequestError(
            "--released", expected="such as 2026-07-15T00:09:51Z", got=told
        ) from problem
    if moment and moment.utcoffset() is None:
        raise RequestError("--released", expected="a time with its offset, such as Z", got=told)
    if origin.released and moment and origin.released != moment:
        raise RequestError("--released", expected=f"{origin.released:%FT%TZ}, as tagged", got=told)
    if not origin.released and not moment:
        raise BumpError(
            "the time of the tagged commit is not known: only git and upstream's tarball tell it",
            got=origin.told,
            hint="add --released 2026-07-15T00:09:51Z, with the time that upstream's page shows",
        )
    return origin.released or moment  # type: ignore[return-value]  # one of them is there


def _tell(origin: Origin, tree: Tree, report: Report) -> None:
    size = origin.archive.stat().st_size
    report.line(f"  commit      {origin.commit or 'unknown'}, of {origin.released:%FT%TZ}")
    report.line(f"  archive     {size} bytes, sha256 {origin.pin.sha256}")
    report.line(f"  tree        {tree.identity}")
    report.line(
        f"  it says     mi_version {tree.mi_version}, {tree.soname}, {tree.library}, "
        f"for cmake {tree.cmake} and newer"
    )
