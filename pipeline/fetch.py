"""The fetch step: the first source that can be had, verified, kept in a cache by its content."""

from __future__ import annotations

import json
import shutil
import stat
from pathlib import Path

from pipeline import origins
from pipeline.checksum import sha256_of
from pipeline.errors import FetchError, PackagingError, VerifyError
from pipeline.locks import cache_locks, locked
from pipeline.model import Handed, Plan, Source
from pipeline.report import Report
from pipeline.workspace import Site, Workspace, place, place_text, remove


def run(plan: Plan, site: Site, report: Report) -> None:
    """Put the release's archive, and the note of where it came from, into the step's room.

    A pinned archive is held to its checksum here; what the user hands over is held, as everything
    is, to the identity of its tree after it is unpacked. Raises FetchError or VerifyError.
    """
    if plan.handed:
        told = {"kind": plan.handed.kind, "reference": plan.handed.seal}
        _delivered(plan, plan.handed, site, report)
    else:
        source = _pinned(plan, site, report)
        told = {"kind": source.kind, "reference": source.reference}
    if site.archive.exists():
        told["sha256"] = sha256_of(site.archive)
    place_text(json.dumps(told, indent=2) + "\n", site.fetched)


def _delivered(plan: Plan, given: Handed, site: Site, report: Report) -> None:
    if site.offline and given.kind == "url":
        raise FetchError(
            "--offline forbids to fetch the source that was handed over",
            got=given.seal,
            hint="leave out --offline, or hand over a file",
        )
    limit, log = plan.package.limits.download, site.log("fetch")
    name = f"mimalloc-{plan.recipe.version}"
    origins.deliver(given, site.archive, name, limit=limit, report=report, log=log)
    if not site.archive.exists():
        return
    got = sha256_of(site.archive)
    for source in plan.recipe.source:
        # Kept, so that it has to be handed over only once.
        if source.sha256 == got:
            with locked(cache_locks(site.workspace), source.sha256):
                if not _cached(source, site, report):
                    place(site.archive, _entry(source, site.workspace))


def _pinned(plan: Plan, site: Site, report: Report) -> Source:
    """Fill the step's room with an archive that is what its source pins; the answer is which."""
    sources = plan.recipe.source
    for source in sources:
        if _cached(source, site, report):
            return source
    reasons: list[PackagingError] = []
    if not site.offline:
        for source in sources:
            try:
                with locked(cache_locks(site.workspace), source.sha256):
                    _obtain(source, plan, site, report)
                    return source
            except (FetchError, VerifyError) as problem:
                reasons.append(problem)
                report.line(f"  {problem.what}")
    raise _nothing(plan, site, reasons)


def _entry(source: Source, workspace: Workspace) -> Path:
    return workspace.cache / "sha256" / source.sha256


def _cached(source: Source, site: Site, report: Report) -> bool:
    """Whether the cache has it: if so, a copy is in the room, and it is the copy that was verified.

    What was verified once may have been altered since, also between a look at it and its use.
    """
    entry = _entry(source, site.workspace)
    try:
        kind = entry.lstat().st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISREG(kind):
        shutil.copyfile(entry, site.archive)
        if sha256_of(site.archive) == source.sha256:
            return True
        site.archive.unlink()
    aside = _set_aside(entry, source, site.workspace)
    report.line(f"  a cached source had been altered; set aside as {aside}")
    return False


def _obtain(source: Source, plan: Plan, site: Site, report: Report) -> None:
    workspace = site.workspace
    if _cached(source, site, report):
        return
    part = workspace.cache / "parts" / source.sha256
    part.parent.mkdir(parents=True, exist_ok=True)
    if part.is_symlink() or not part.is_file():
        # Bytes that go on with a link would go where it leads.
        remove(part)
    limit, log = plan.package.limits.download, site.log("fetch")
    resumed = origins.obtain(source, part, limit=limit, report=report, log=log)
    if resumed and sha256_of(part) != source.sha256:
        # The beginning may have been another file's; once more from there before it is condemned.
        part.unlink()
        origins.obtain(source, part, limit=limit, report=report, log=log)
    got = sha256_of(part)
    if got != source.sha256:
        raise VerifyError(
            "checksum mismatch, the file is set aside",
            expected=f"sha256 {source.sha256}",
            got=f"sha256 {got}",
            file=_set_aside(part, source, workspace),
        )
    shutil.copyfile(part, site.archive)
    place(part, _entry(source, workspace))
    part.unlink()


def _set_aside(file: Path, source: Source, workspace: Workspace) -> Path:
    aside = workspace.cache / "rejected" / f"{source.sha256[:16]}-{source.kind}"
    aside.parent.mkdir(parents=True, exist_ok=True)
    remove(aside)
    file.rename(aside)
    return aside


def _nothing(plan: Plan, site: Site, reasons: list[PackagingError]) -> PackagingError:
    version = plan.recipe.version
    upstream = next((source for source in plan.recipe.source if source.url), None)
    hint = f"invoke fetch --version {version} --source TARBALL|FOLDER|GIT-REPOSITORY|URL"
    if upstream:
        hint += f"\nthe tarball is {upstream.url}\nwith sha256 {upstream.sha256}"
    if site.offline:
        wanted = [f"{s.kind} {s.reference} sha256 {s.sha256}" for s in plan.recipe.source]
        return FetchError(
            f"mimalloc {version} is not in the cache, and --offline forbids to fetch it",
            file=site.workspace.cache,
            detail="\n".join(wanted),
            hint=hint,
        )
    mismatch = any(isinstance(reason, VerifyError) for reason in reasons)
    lines = []
    for source, reason in zip(plan.recipe.source, reasons, strict=True):
        lines.append(f"{source.kind} {source.reference}")
        lines += [f"  {line.strip()}" for line in reason.lines()]
    error = VerifyError if mismatch else FetchError
    return error(
        f"no source of mimalloc {version} could be had", detail="\n".join(lines), hint=hint
    )
