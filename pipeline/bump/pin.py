"""A new release, from what upstream tagged to all of it in place; or nothing."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline.bump import (
    changes,
    comparison,
    converge,
    documents,
    inspection,
    patches,
    recipe_writer,
    sources,
    state,
    transaction,
    trial_build,
    upstream_tags,
)
from pipeline.bump.inspection import Release
from pipeline.bump.state import Piece
from pipeline.bump.trial_build import ScratchCheckout
from pipeline.config import load
from pipeline.model import Options, Patch
from pipeline.model.errors import BumpError, RequestError
from pipeline.system import workspace
from pipeline.system.disk import guarded
from pipeline.system.report import Report
from pipeline.system.workspace import Workspace, place_text, remove

_VERSION = re.compile(r"\d+(\.\d+)+[A-Za-z0-9.-]*")


@dataclass(frozen=True, slots=True)
class Request:
    """What is wanted: a release by its version, or the newest of a line.

    ``source`` is a git repository or upstream's tarball; ``draft`` a recipe that somebody wrote
    for this release; ``released`` the time of the tagged commit, for sources that do not know it;
    ``accept`` a comma list of the changes that are meant.
    """

    version: str = ""
    line: str = ""
    source: str = ""
    draft: str = ""
    released: str = ""
    accept: str = ""
    force: bool = False
    dry_run: bool = False
    options: Options = field(default_factory=Options)


def run(root: Path, request: Request) -> None:
    """Pin a release, or find that it is. Raises PackagingError, and then nothing has changed."""
    report = Report()
    changes.names(request.accept)
    request = replace(request, version=_version(root, request, report))
    upstream_tags.line(request.version)
    if not _VERSION.fullmatch(request.version):
        raise RequestError("not a release", expected="such as 2.4.1", got=request.version)
    place = workspace.locate(root)
    if request.dry_run:
        if transaction.unfinished(root):
            report.line("a bump was ended while it put its files in place; the next puts them back")
        with guarded(), TemporaryDirectory(prefix="mimalloc-bump-") as scratch:
            _bump(place, request, Path(scratch), report)
        return
    with converge.alone(place, report):
        folder = place.work / "bump" / request.version
        folder.mkdir(parents=True, exist_ok=True)
        _bump(place, request, folder, report)


def _version(root: Path, request: Request, report: Report) -> str:
    """The version that is wanted. Raises RequestError where none or more than one is named."""
    if bool(request.version) == bool(request.line):
        raise RequestError(
            "which release?", expected="--version or --line, or --list", got="both or neither"
        )
    if request.version:
        return request.version
    released = upstream_tags.versions(load.package(root), request.source, report)
    return upstream_tags.newest(request.line, released)


def _bump(place: Workspace, request: Request, folder: Path, report: Report) -> None:
    pieces = converge.show(place.root, request.version, report)
    pinned = state.is_pinned(place.root, request.version)
    if pinned and not request.force and not request.source:
        _nothing_to_do(request.version, pieces, report)
        return
    other = recipe_writer.nearest(request.version, load.versions(place.root))
    if not other:
        raise BumpError("there is no recipe that this release could take after")
    own = place.root / "recipes" / f"{request.version if pinned else other}.toml"
    base = Path(request.draft).expanduser().absolute() if request.draft else own
    release = _release(place.root, request, base, other, folder, report)
    if pinned and not request.force:
        _refuse_moved(place.root, release)
        _nothing_to_do(request.version, pieces, report)
        return
    text = recipe_writer.recipe(
        base,
        request.version,
        release.tree,
        release.released,
        sources.to_pin(release.origin, release.opinions),
        converge.today(),
    )
    _tell(base, other, text, request, report)
    if not request.dry_run:
        file = folder / f"{request.version}.toml"
        place_text(text, file)
        with converge.hinting(
            f"correct {file}, then\n"
            f"invoke bump --version {request.version} --draft {file} and what else was given"
        ):
            _act(place, request, release, other, text, folder, report)


def _nothing_to_do(version: str, pieces: Sequence[Piece], report: Report) -> None:
    """Say so. Raises BumpError where somebody has pinned the release, but not all of it."""
    left = [piece for piece in pieces if not piece.there]
    if left:
        raise BumpError(
            f"mimalloc {version} is pinned, but not all of it is there",
            detail="\n".join(f"{piece.name}: {piece.fault}" for piece in left),
            hint=f"invoke bump --version {version} --force, which writes its recipe anew",
        )
    report.line("nothing to do")


def _release(
    root: Path, request: Request, base: Path, other: str, folder: Path, report: Report
) -> Release:
    converge.heading(report, "source")
    fetched = folder / "source"
    remove(fetched)
    fetched.mkdir()
    return inspection.inspect(
        request.version,
        load.package(root),
        fetched,
        report,
        stem=recipe_writer.stem(base),
        other=load.recipe(root, other),
        source=request.source,
        released=request.released,
        offline=request.options.offline,
    )


def _refuse_moved(root: Path, release: Release) -> None:
    moved = inspection.difference(release, load.recipe(root, release.version))
    if moved:
        raise BumpError(
            f"the tag of mimalloc {release.version} has moved, or this is not what it was put on",
            detail=moved,
            hint="ask upstream; --force --accept tag pins what was found",
        )


def _tell(base: Path, other: str, text: str, request: Request, report: Report) -> None:
    converge.heading(report, "plan")
    report.line(f"  recipe      as {base.name}, but for what follows; compared with {other}")
    for line in recipe_writer.difference(base, text):
        report.line(f"    {line}")
    report.line("  then        patches, manifests, every package, checks, smoke, README, CHANGELOG")
    if request.dry_run:
        report.line("nothing was touched")


def _act(
    place: Workspace,
    request: Request,
    release: Release,
    other: str,
    text: str,
    folder: Path,
    report: Report,
) -> None:
    root, version = place.root, request.version
    pinned = state.is_pinned(root, version)
    fingerprint = state.fingerprint(root)
    where = Workspace(folder / "checkout", place.cache)
    bench = ScratchCheckout(where, str(release.origin.archive), request.options)
    trial_build.checkout(root, bench.root)
    base = version if pinned else other
    converge.heading(report, "patches")
    text, dropped = patches.settle(text, version, base, root, bench, report)
    converge.heading(report, "file lists")
    found = trial_build.lists(text, version, bench, report)
    converge.heading(report, f"comparison with {other}")
    given = request.source if release.origin.kind == "git" else ""
    former = load.recipe(root, version) if pinned else None
    told = [
        *inspection.changes(release, former),
        *comparison.with_other(version, other, found, bench, given, report),
    ]
    changes.refuse(version, told, changes.names(request.accept))
    converge.heading(report, "packages")
    trial_build.everything(version, bench, report)
    converge.heading(report, "texts")
    _write_texts(bench.root, version, base, dropped)
    converge.settle(root, bench.root, version, fingerprint, report)


def _write_texts(root: Path, version: str, base: str, dropped: Sequence[Patch]) -> None:
    """README's row and the changelog's entry, in the bench."""
    readme, changelog = root / documents.README, root / documents.CHANGELOG
    recipe = load.recipe(root, version)
    text = readme.read_text(encoding="utf-8")
    changed = documents.changed(text, base) if recipe.patch else ""
    readme.write_text(documents.with_row(text, recipe, changed), encoding="utf-8")
    text = changelog.read_text(encoding="utf-8")
    if documents.announces(text, version):
        return
    entry = f"- {documents.PACKAGES} {version}"
    entry += "".join(f"; without {patch.file}, as its fault is gone" for patch in dropped)
    changelog.write_text(documents.with_entry(text, "Added", f"{entry}."), encoding="utf-8")
