"""The source of a new release: where it comes from, and which other places have the same tree."""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from pipeline.bump import source_tree
from pipeline.bump.changes import Change
from pipeline.bump.scratch import ScratchCheckout
from pipeline.bump.source_tree import Tree
from pipeline.config import load
from pipeline.model import Recipe, Source, UserSource
from pipeline.model.errors import BumpError, FetchError, PackagingError, RequestError
from pipeline.sources import debian, pinned, user
from pipeline.system.checksum import sha256_of
from pipeline.system.workspace import remove

_AGREES, _DISAGREES = "agrees", "DISAGREES"


@dataclass(frozen=True, slots=True)
class Release:
    """The source of a release: its archive, its tree, the time of the tagged commit.

    ``origin`` is where the archive comes from, pinned to it. ``verdicts`` is what the other places
    have: the same tree, another one, or nothing, and why. ``packing`` says how git's archive of a
    pinned release differs from the pinned one, if it does.
    """

    archive: Path
    origin: Source
    tree: Tree
    released: datetime
    verdicts: Mapping[Source, str]
    packing: str = ""

    @property
    def folder(self) -> Path:
        """The folder of the tree."""
        return self.archive.with_name("tree")

    def sources(self) -> list[Source]:
        """The sources for a recipe, upstream's first: the origin, and those that agree.

        Raises BumpError where upstream's own tarball has another tree.
        """
        sources = {self.origin.kind: self.origin}
        for source, verdict in self.verdicts.items():
            if source.url and verdict == _DISAGREES:
                raise BumpError(
                    "upstream's tarball has another tree than --source",
                    got=source.url,
                    hint="leave out --source",
                )
            # The checksum of upstream's own tarball replaces that of one that was packed here.
            if verdict == _AGREES:
                sources[source.kind] = source
        return [sources[kind] for kind in ("url", "sdist", "debian") if kind in sources]


def inspect(scratch: ScratchCheckout, location: str, released: str, base: Recipe) -> Release:
    """Fetch the release from ``location``, else from the first place that has it; read its tree.

    ``released`` is the time of the tagged commit, for sources that do not contain it; ``base`` is
    the recipe to begin with. Raises FetchError, RequestError, VerifyError, BumpError.
    """
    report, folder = scratch.report, scratch.root.with_name("source")
    if scratch.options.offline and not location:
        raise FetchError(
            f"--offline: mimalloc {scratch.version} cannot be fetched",
            hint="add --source GIT-REPOSITORY|TARBALL, or leave out --offline",
        )
    remove(folder)
    folder.mkdir(parents=True)
    archive = folder / "archive"
    origin = _from_user(scratch, location, archive) if location else _from_first(scratch, archive)
    report.line(f"  source      {location or origin.reference}")
    package = load.package(scratch.root)
    source_tree.extract(archive, folder / "tree", package)
    stem, dot, _ = base.soname.partition(".so")
    tree = source_tree.read(folder / "tree", scratch.version, stem + dot)
    commit, tagged = source_tree.commit_of(archive, package) if origin.url else ("", None)
    moment = _released(tagged, released)
    report.line(f"  commit      {commit or 'unknown'}, of {moment:%FT%TZ}")
    report.line(f"  archive     {archive.stat().st_size} bytes, sha256 {origin.sha256}")
    report.line(f"  tree        {tree.identity}")
    report.line(f"  version     mi_version {tree.mi_version}, {tree.soname}, {tree.library}")
    places = [] if scratch.options.offline else _places(scratch)
    others = [place for place in places if location or place.kind != origin.kind]
    verdicts = dict(_verdict(scratch, place, folder, tree.identity) for place in others)
    packing = _packing(scratch, location, base, folder / "other") if location else ""
    return Release(archive, origin, tree, moment, verdicts, packing)


def changes(release: Release, former: Recipe | None) -> Iterator[Change]:
    """What must be accepted of a source; ``former`` is the recipe that pins this version now."""
    lines = [
        f"{source.kind} {source.reference} has another tree"
        for source, verdict in release.verdicts.items()
        if verdict == _DISAGREES
    ]
    if not release.origin.url:
        lines.insert(0, f"not upstream's archive: the tree is that of {release.origin.reference}")
    lines += [release.packing] if release.packing else []
    if lines:
        yield Change("source", "\n".join(lines))
    if former and (moved := difference(release, former)):
        yield Change("tag", moved)


def difference(release: Release, former: Recipe) -> str:
    """How a release differs from what is pinned under its version; empty where it does not."""
    if release.tree.identity != former.tree:
        return f"pinned: {former.tree}\ngot:    {release.tree.identity}"
    origin = release.origin
    checksums = [source.sha256 for source in former.source if source.kind == origin.kind]
    if checksums and origin.sha256 not in checksums:
        return (
            f"the same tree, but another archive ({origin.kind}):\n"
            f"pinned: sha256 {checksums[0]}\ngot:    sha256 {origin.sha256}"
        )
    return ""


def _places(scratch: ScratchCheckout) -> list[Source]:
    """Every place that may have the version, unpinned, in the order of a recipe."""
    upstream, version = load.package(scratch.root).upstream, scratch.version
    places = [Source("", url=upstream.archive.format(version=version))]
    if upstream.sdist:
        places.append(Source("", sdist=upstream.sdist.format(version=version)))
    if upstream.debian:
        places.append(Source("", debian=f"{upstream.debian}={version}"))
    return places


def _from_user(scratch: ScratchCheckout, location: str, archive: Path) -> Source:
    """Fetch the release from ``--source``: a git repository, or upstream's tarball.

    Raises RequestError for what has no checksum to pin, FetchError for a repository without the
    tag.
    """
    source = _deliver(scratch, location, scratch.version, archive)
    package = load.package(scratch.root)
    if source.kind == "folder" or not source_tree.commit_of(archive, package)[0]:
        raise RequestError(
            "--source has no checksum that a recipe could pin: git has not packed it",
            expected="a git repository, or upstream's tarball",
            got=location,
        )
    upstream, *_ = _places(scratch)
    return replace(upstream, sha256=sha256_of(archive))


def _packing(scratch: ScratchCheckout, location: str, base: Recipe, archive: Path) -> str:
    """How git packs a pinned release, where that is not the tarball that is pinned.

    Another gzip than GNU's writes other bytes, and a repository may have changed: then the checksum
    that was computed for the new release is not that of upstream's tarball, either.
    """
    pins = [source.sha256 for source in base.source if source.url]
    if base.version == scratch.version or not pins:
        return ""
    with suppress(FetchError):  # no tag of that release
        source = _deliver(scratch, location, base.version, archive)
        if source.kind == "git" and (packed := sha256_of(archive)) not in pins:
            checksums = f"pinned: sha256 {pins[0]}\ngot:    sha256 {packed}"
            return f"git packs {base.version} differently:\n{checksums}"
    return ""


def _deliver(scratch: ScratchCheckout, location: str, version: str, archive: Path) -> UserSource:
    """Bring a version from ``--source`` into ``archive``, unless it is a folder."""
    package = load.package(scratch.root)
    source = user.user_source(location, version, package)
    if source.kind != "folder":
        limit, log = package.limits.download, archive.with_name("log")
        name = f"mimalloc-{version}"
        user.deliver(source, archive, name, limit=limit, report=scratch.report, log=log)
    return source


def _from_first(scratch: ScratchCheckout, archive: Path) -> Source:
    """Fetch the release from the first place that has it. Raises FetchError with all failures."""
    lines: list[str] = []
    for place in _places(scratch):
        try:
            return _obtain(scratch, place, archive)
        except FetchError as problem:
            lines += problem.lines()
    raise FetchError(
        f"no place has mimalloc {scratch.version}",
        detail="\n".join(lines),
        hint=f"invoke bump --version {scratch.version} --source GIT-REPOSITORY|TARBALL",
    )


def _verdict(
    scratch: ScratchCheckout, source: Source, folder: Path, identity: str
) -> tuple[Source, str]:
    """What a place has under this version, compared with the identity of the release's tree."""
    archive, tree = folder / source.kind, folder / f"{source.kind}-tree"
    try:
        source = _obtain(scratch, source, archive)
        same = source_tree.extract(archive, tree, load.package(scratch.root)) == identity
        verdict = _AGREES if same else _DISAGREES
    except PackagingError as problem:
        verdict = f"none: {problem.what.removeprefix(f'{source.reference}: ')}"
    scratch.report.line(f"  {source.kind:<11} {source.reference}: {verdict}")
    return source, verdict


def _obtain(scratch: ScratchCheckout, source: Source, archive: Path) -> Source:
    """Fetch the archive of a place; returns the place, pinned to it."""
    if source.debian:
        source = replace(source, debian=_debian(*source.debian.split("=")))
    limit, log = load.package(scratch.root).limits.download, archive.with_name("log")
    pinned.obtain(source, archive, limit=limit, report=scratch.report, log=log)
    return replace(source, sha256=sha256_of(archive))


def _debian(name: str, version: str) -> str:
    """The newest version of a Debian source package that is made of this upstream version."""
    # Debian adds a word where it has left something out, such as +ds, and a revision of its own.
    pattern = re.compile(rf"{re.escape(version)}(?:[+~][A-Za-z]\w*)*-\S+")
    newest = next(filter(pattern.fullmatch, debian.versions(name)), None)
    if not newest:
        raise FetchError(f"{name}: not of this version in the archives that apt is set up for")
    return f"{name}={newest}"


def _released(tagged: datetime | None, text: str) -> datetime:
    """The time of the tagged commit: from the archive, else from ``--released``."""
    expected = f"{tagged:%FT%TZ}, as tagged" if tagged else "such as 2026-07-15T00:09:51Z"
    try:
        moment = datetime.fromisoformat(text) if text else tagged
    except ValueError as problem:
        raise RequestError("--released", expected=expected, got=text) from problem
    if not moment:
        raise BumpError(
            "the time of the tagged commit is unknown: only git and upstream's tarball have it",
            hint="add --released 2026-07-15T00:09:51Z, with the time that upstream's page shows",
        )
    if moment.utcoffset() is None or (tagged and moment != tagged):
        raise RequestError("--released", expected=expected, got=text)
    return moment
