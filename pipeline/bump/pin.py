"""A new release, from what upstream tagged to all of it in place; or nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline import recipes, workspace
from pipeline.bump import (
    changes,
    compare,
    converge,
    draft,
    land,
    look,
    patches,
    prove,
    releases,
    sources,
    state,
    texts,
)
from pipeline.bump.look import Release
from pipeline.bump.prove import Bench
from pipeline.bump.state import Piece
from pipeline.disk import guarded
from pipeline.errors import BumpError, RequestError
from pipeline.model import Patch
from pipeline.report import Report
from pipeline.workspace import Workspace, place_text, remove

_VERSION = re.compile(r"\d+(\.\d+)+[A-Za-z0-9.-]*")


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for.

    ``source`` is a git repository or upstream's tarball; ``written`` a recipe that somebody wrote
    for this release; ``released`` the time of the tagged commit, for sources that do not know it;
    ``accept`` names the changes that are meant. To ``rehearse`` is to touch nothing.
    """

    version: str
    source: str = ""
    written: str = ""
    released: str = ""
    accept: frozenset[str] = frozenset()
    force: bool = False
    rehearse: bool = False
    offline: bool = False
    jobs: int = 0


def run(root: Path, order: Order, report: Report) -> None:
    """Pin a release, or find that it is. Raises PackagingError, and then nothing has changed."""
    releases.line(order.version)
    if not _VERSION.fullmatch(order.version):
        raise RequestError("not a release", expected="such as 2.4.1", got=order.version)
    place = workspace.locate(root)
    if order.rehearse:
        if land.unfinished(root):
            report.line("a bump was ended while it put its files in place; the next puts them back")
        with guarded(), TemporaryDirectory(prefix="mimalloc-bump-") as scratch:
            _bump(place, order, Path(scratch), report)
        return
    with converge.alone(place, report):
        room = place.work / "bump" / order.version
        room.mkdir(parents=True, exist_ok=True)
        _bump(place, order, room, report)


def _bump(place: Workspace, order: Order, room: Path, report: Report) -> None:
    pieces = converge.show(place.root, order.version, report)
    pinned = state.is_pinned(place.root, order.version)
    if pinned and not order.force and not order.source:
        _nothing_to_do(order.version, pieces, report)
        return
    other = draft.nearest(order.version, recipes.versions(place.root))
    if not other:
        raise BumpError("there is no recipe that this release could take after")
    own = place.root / "recipes" / f"{order.version if pinned else other}.toml"
    base = Path(order.written).expanduser().absolute() if order.written else own
    release = _release(place.root, order, base, other, room, report)
    if pinned and not order.force:
        _refuse_moved(place.root, release)
        _nothing_to_do(order.version, pieces, report)
        return
    text = draft.recipe(
        base,
        order.version,
        release.tree,
        release.released,
        sources.pinned(release.origin, release.opinions),
        converge.today(),
    )
    _tell(base, other, text, order, report)
    if not order.rehearse:
        file = room / f"{order.version}.toml"
        place_text(text, file)
        with converge.hinting(
            f"correct {file}, then\n"
            f"invoke bump --version {order.version} --draft {file} and what else was given"
        ):
            _act(place, order, release, other, text, room, report)


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
    root: Path, order: Order, base: Path, other: str, room: Path, report: Report
) -> Release:
    converge.heading(report, "source")
    fetched = room / "source"
    remove(fetched)
    fetched.mkdir()
    return look.at(
        order.version,
        recipes.package(root),
        fetched,
        report,
        stem=draft.stem(base),
        other=recipes.recipe(root, other),
        source=order.source,
        released=order.released,
        offline=order.offline,
    )


def _refuse_moved(root: Path, release: Release) -> None:
    moved = look.difference(release, recipes.recipe(root, release.version))
    if moved:
        raise BumpError(
            f"the tag of mimalloc {release.version} has moved, or this is not what it was put on",
            detail=moved,
            hint="ask upstream; --force --accept tag pins what was found",
        )


def _tell(base: Path, other: str, text: str, order: Order, report: Report) -> None:
    converge.heading(report, "plan")
    report.line(f"  recipe      as {base.name}, but for what follows; compared with {other}")
    for line in draft.difference(base, text):
        report.line(f"    {line}")
    report.line("  then        patches, manifests, every package, checks, smoke, README, CHANGELOG")
    if order.rehearse:
        report.line("nothing was touched")


def _act(
    place: Workspace,
    order: Order,
    release: Release,
    other: str,
    text: str,
    room: Path,
    report: Report,
) -> None:
    root, version = place.root, order.version
    pinned = state.is_pinned(root, version)
    seal = state.seal(root)
    where = Workspace(room / "checkout", place.cache)
    bench = Bench(where, str(release.origin.archive), order.offline, order.jobs)
    prove.checkout(root, bench.root)
    base = version if pinned else other
    converge.heading(report, "patches")
    text, dropped = patches.settle(text, version, base, root, bench, report)
    converge.heading(report, "file lists")
    found = prove.lists(text, version, bench, report)
    converge.heading(report, f"comparison with {other}")
    given = order.source if release.origin.kind == "git" else ""
    former = recipes.recipe(root, version) if pinned else None
    told = [
        *look.changes(release, former),
        *compare.with_other(version, other, found, bench, given, report),
    ]
    changes.refuse(version, told, order.accept)
    converge.heading(report, "packages")
    prove.everything(version, bench, report)
    converge.heading(report, "texts")
    _write_texts(bench.root, version, base, dropped)
    converge.settle(root, bench.root, version, seal, report)


def _write_texts(root: Path, version: str, base: str, dropped: Sequence[Patch]) -> None:
    """README's row and the changelog's entry, in the bench."""
    readme, changelog = root / texts.README, root / texts.CHANGELOG
    recipe = recipes.recipe(root, version)
    text = readme.read_text(encoding="utf-8")
    changed = texts.changed(text, base) if recipe.patch else ""
    readme.write_text(texts.with_row(text, recipe, changed), encoding="utf-8")
    text = changelog.read_text(encoding="utf-8")
    if texts.announces(text, version):
        return
    entry = f"- {texts.PACKAGES} {version}"
    entry += "".join(f"; without {patch.file}, as its fault is gone" for patch in dropped)
    changelog.write_text(texts.with_entry(text, "Added", f"{entry}."), encoding="utf-8")
