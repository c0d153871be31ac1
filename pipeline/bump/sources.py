"""Where a new release is had from, and who else has the same tree."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from pipeline.bump import source_tree
from pipeline.model import Package, Source
from pipeline.model.errors import BumpError, FetchError, PackagingError, RequestError
from pipeline.sources import debian, user
from pipeline.sources.pinned import obtain as obtain_pinned
from pipeline.system.checksum import sha256_of
from pipeline.system.report import Report


@dataclass(frozen=True, slots=True)
class Origin:
    """A release's archive, what a recipe pins of it, and what is known of its tag.

    ``kind`` is that of a source, or of what the user hands over. ``authentic`` is whether it is
    upstream's own and not packaged again; what is knows neither ``commit`` nor ``released``.
    """

    kind: str
    archive: Path
    told: str
    pin: Source
    authentic: bool
    commit: str = ""
    released: datetime | None = None


@dataclass(frozen=True, slots=True)
class Opinion:
    """What another place says of the tree: ``agrees``, ``DISAGREES``, or why it says nothing."""

    source: Source
    verdict: str

    @property
    def agrees(self) -> bool:
        """Whether it has the same tree."""
        return self.verdict == "agrees"

    @property
    def contradicts(self) -> bool:
        """Whether it has another tree under the same version."""
        return self.verdict == "DISAGREES"


def given(source: str, version: str, package: Package, folder: Path, report: Report) -> Origin:
    """The release as the user hands it over: a git repository, or upstream's tarball.

    Raises RequestError for what has no checksum to pin, FetchError for a repository without the
    tag.
    """
    user_source = user.user_source(source, version, package)
    archive, name = folder / "archive", f"mimalloc-{version}"
    folder.mkdir(exist_ok=True)
    if user_source.kind == "folder":
        raise RequestError(
            "a folder has no checksum that a recipe could pin",
            got=source,
            expected="a git repository, or upstream's tarball",
        )
    limit, log = package.limits.download, folder / "log"
    user.deliver(user_source, archive, name, limit=limit, report=report, log=log)
    commit, released = source_tree.stamp(archive)
    if not commit:
        raise RequestError(
            "this is not a tarball that git has packed, so not upstream's",
            got=source,
            expected="a git repository, or upstream's tarball",
        )
    url, sha256 = package.upstream.archive.format(version=version), sha256_of(archive)
    told = "handed over, as upstream's tarball"
    if user_source.kind == "git":
        told = "a git repository, packed as upstream's tarball is, to the same bytes"
    return Origin(user_source.kind, archive, told, Source(sha256, url=url), True, commit, released)


def found(version: str, package: Package, folder: Path, report: Report) -> Origin:
    """The release from the first place that has it, upstream before all others.

    Raises FetchError with what each of them said.
    """
    reasons: list[PackagingError] = []
    for source in places(version, package):
        archive = folder / "archive"
        try:
            pin = _obtain(source, archive, package, folder, report)
        except FetchError as problem:
            reasons.append(problem)
            continue
        commit, released = source_tree.stamp(archive) if pin.url else ("", None)
        return Origin(pin.kind, archive, pin.reference, pin, bool(pin.url), commit, released)
    raise FetchError(
        f"no source of mimalloc {version} could be had",
        detail="\n".join(line for reason in reasons for line in reason.lines()),
        hint=f"invoke bump --version {version} --source GIT-REPOSITORY|TARBALL",
    )


def opinions(
    origin: Origin, tree: str, version: str, package: Package, room: Path, report: Report
) -> Iterator[Opinion]:
    """What every other place has under this version, by the identity of its tree."""
    for source in places(version, package):
        if source.kind == origin.kind:
            continue
        archive, folder = room / source.kind, room / f"{source.kind}-tree"
        try:
            pin = _obtain(source, archive, package, room, report)
            same = source_tree.of_archive(archive, folder, package) == tree
        except PackagingError as problem:
            yield Opinion(source, f"none: {problem.what.removeprefix(f'{source.reference}: ')}")
            continue
        yield Opinion(pin, "agrees" if same else "DISAGREES")


def places(version: str, package: Package) -> Iterator[Source]:
    """Every place that may have a version, unpinned, in the order in which a recipe names them."""
    upstream = package.upstream
    yield Source("", url=upstream.archive.format(version=version))
    if upstream.sdist:
        yield Source("", sdist=upstream.sdist.format(version=version))
    if upstream.debian:
        yield Source("", debian=f"{upstream.debian}={version}")


def to_pin(origin: Origin, others: Sequence[Opinion]) -> list[Source]:
    """The sources of a recipe, upstream's first: what the release came from, and who agrees.

    Raises BumpError where upstream's own tarball was had, and holds another tree.
    """
    for other in others:
        if other.source.url and other.contradicts:
            raise BumpError(
                "upstream's tarball holds another tree than what was handed over",
                got=other.source.url,
                hint="leave out --source",
            )
    kinds = {other.source.kind: other.source for other in others if other.agrees}
    # Where upstream's tarball was had, its own bytes count, whoever has packed them.
    kinds.setdefault(origin.pin.kind, origin.pin)
    return [kinds[kind] for kind in ("url", "sdist", "debian") if kind in kinds]


def _obtain(source: Source, part: Path, package: Package, folder: Path, report: Report) -> Source:
    """Bring the archive of a place into ``part``; the answer is the place, pinned to it."""
    if source.debian:
        source = replace(source, debian=_debian(*source.debian.split("=")))
    limit, log = package.limits.download, folder / "log"
    obtain_pinned(source, part, limit=limit, report=report, log=log)
    return replace(source, sha256=sha256_of(part))


def _debian(name: str, version: str) -> str:
    """The newest version of a Debian source package that is made of this upstream version."""
    # Debian adds a word where it has left something out, such as +ds, and a revision of its own.
    ours = re.compile(rf"{re.escape(version)}(?:[+~][A-Za-z]\w*)*-\S+")
    known = [each for each in debian.versions(name) if ours.fullmatch(each)]
    if not known:
        raise FetchError(f"{name}: not of this version in the archives that apt is set up for")
    return f"{name}={known[0]}"
