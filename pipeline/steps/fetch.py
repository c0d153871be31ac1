"""The fetch step: the first source that can be had, verified, kept in a cache by its content."""

import json
import shutil
import stat
from pathlib import Path

from pipeline.model import Plan, Source, UserSource
from pipeline.model.errors import FetchError, PackagingError, VerifyError
from pipeline.sources import pinned, user
from pipeline.system.checksum import sha256_of
from pipeline.system.locks import cache_locks, locked
from pipeline.system.report import Report
from pipeline.system.workspace import StepDirs, Workspace, place, place_text, remove


def inputs(plan: Plan, root: Path) -> object:
    """The sources that are pinned, or the one that the user names instead."""
    return plan.recipe.source, plan.user_source


def run(plan: Plan, dirs: StepDirs, report: Report) -> None:
    """Put the release's archive, and the note of where it came from, into the step's room.

    A pinned archive is held to its checksum here; what the user hands over is held, as everything
    is, to the identity of its tree after it is unpacked. Raises FetchError or VerifyError.
    """
    if plan.user_source:
        told = {"kind": plan.user_source.kind, "reference": plan.user_source.fingerprint}
        _delivered(plan, plan.user_source, dirs, report)
    else:
        source = _pinned(plan, dirs, report)
        told = {"kind": source.kind, "reference": source.reference}
    if dirs.archive.exists():
        told["sha256"] = sha256_of(dirs.archive)
    place_text(json.dumps(told, indent=2) + "\n", dirs.fetched)


def _delivered(plan: Plan, given: UserSource, dirs: StepDirs, report: Report) -> None:
    if dirs.options.offline and given.kind == "url":
        raise FetchError(
            "--offline forbids to fetch the source that was handed over",
            got=given.fingerprint,
            hint="leave out --offline, or hand over a file",
        )
    limit, log = plan.package.limits.download, dirs.log("fetch")
    name = f"mimalloc-{plan.recipe.version}"
    user.deliver(given, dirs.archive, name, limit=limit, report=report, log=log)
    if not dirs.archive.exists():
        return
    got = sha256_of(dirs.archive)
    for source in plan.recipe.source:
        # Kept, so that it has to be handed over only once.
        if source.sha256 == got:
            with locked(cache_locks(dirs.workspace), source.sha256):
                if not _cached(source, dirs, report):
                    place(dirs.archive, _entry(source, dirs.workspace))


def _pinned(plan: Plan, dirs: StepDirs, report: Report) -> Source:
    """Fill the step's room with an archive that is what its source pins; the answer is which."""
    sources = plan.recipe.source
    for source in sources:
        if _cached(source, dirs, report):
            return source
    reasons: list[PackagingError] = []
    if not dirs.options.offline:
        for source in sources:
            try:
                with locked(cache_locks(dirs.workspace), source.sha256):
                    _obtain(source, plan, dirs, report)
                    return source
            except (FetchError, VerifyError) as problem:
                reasons.append(problem)
                report.line(f"  {problem.what}")
    raise _nothing(plan, dirs, reasons)


def _entry(source: Source, workspace: Workspace) -> Path:
    return workspace.cache / "sha256" / source.sha256


def _cached(source: Source, dirs: StepDirs, report: Report) -> bool:
    """Whether the cache has it: if so, a copy is in the room, and it is the copy that was verified.

    What was verified once may have been altered since, also between a look at it and its use.
    """
    entry = _entry(source, dirs.workspace)
    try:
        kind = entry.lstat().st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISREG(kind):
        shutil.copyfile(entry, dirs.archive)
        if sha256_of(dirs.archive) == source.sha256:
            return True
        dirs.archive.unlink()
    aside = _set_aside(entry, source, dirs.workspace)
    report.line(f"  a cached source had been altered; set aside as {aside}")
    return False


def _obtain(source: Source, plan: Plan, dirs: StepDirs, report: Report) -> None:
    workspace = dirs.workspace
    if _cached(source, dirs, report):
        return
    part = workspace.cache / "parts" / source.sha256
    part.parent.mkdir(parents=True, exist_ok=True)
    if part.is_symlink() or not part.is_file():
        # Bytes that go on with a link would go where it leads.
        remove(part)
    limit, log = plan.package.limits.download, dirs.log("fetch")
    resumed = pinned.obtain(source, part, limit=limit, report=report, log=log)
    if resumed and sha256_of(part) != source.sha256:
        # The beginning may have been another file's; once more from there before it is condemned.
        part.unlink()
        pinned.obtain(source, part, limit=limit, report=report, log=log)
    got = sha256_of(part)
    if got != source.sha256:
        raise VerifyError(
            "checksum mismatch, the file is set aside",
            expected=f"sha256 {source.sha256}",
            got=f"sha256 {got}",
            file=_set_aside(part, source, workspace),
        )
    shutil.copyfile(part, dirs.archive)
    place(part, _entry(source, workspace))
    part.unlink()


def _set_aside(file: Path, source: Source, workspace: Workspace) -> Path:
    aside = workspace.cache / "rejected" / f"{source.sha256[:16]}-{source.kind}"
    aside.parent.mkdir(parents=True, exist_ok=True)
    remove(aside)
    file.rename(aside)
    return aside


def _nothing(plan: Plan, dirs: StepDirs, reasons: list[PackagingError]) -> PackagingError:
    version = plan.recipe.version
    upstream = next((source for source in plan.recipe.source if source.url), None)
    hint = f"invoke fetch --version {version} --source TARBALL|FOLDER|GIT-REPOSITORY|URL"
    if upstream:
        hint += f"\nthe tarball is {upstream.url}\nwith sha256 {upstream.sha256}"
    if dirs.options.offline:
        wanted = [f"{s.kind} {s.reference} sha256 {s.sha256}" for s in plan.recipe.source]
        return FetchError(
            f"mimalloc {version} is not in the cache, and --offline forbids to fetch it",
            file=dirs.workspace.cache,
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
