"""The fetch step: the first source that is available, verified, and cached by its checksum."""

import json
import shutil
from pathlib import Path

from pipeline.model import Plan, Source, UserSource
from pipeline.model.errors import FetchError, VerifyError
from pipeline.sources import pinned, user
from pipeline.system.checksum import sha256_of
from pipeline.system.locks import cache_locks, locked
from pipeline.system.report import Report
from pipeline.system.workspace import StepDirs, Workspace, place, place_text, remove


def inputs(plan: Plan, root: Path) -> object:
    """The sources that are pinned, or the one that the user names instead."""
    return plan.recipe.source, plan.user_source


def run(plan: Plan, dirs: StepDirs, report: Report) -> None:
    """Put the release's archive, and a note of its origin, into the step directory.

    A pinned archive is verified by its checksum. A source of the user is verified later, as every
    source is: by the identity of the unpacked tree. Raises FetchError or VerifyError.
    """
    if plan.user_source:
        _fetch_user_source(plan, plan.user_source, dirs, report)
        origin = {"kind": plan.user_source.kind, "reference": plan.user_source.fingerprint}
    else:
        source = _fetch_pinned(plan, dirs, report)
        origin = {"kind": source.kind, "reference": source.reference}
    if dirs.archive.exists():
        origin["sha256"] = sha256_of(dirs.archive)
    place_text(json.dumps(origin, indent=2) + "\n", dirs.origin("fetch"))


def _fetch_user_source(plan: Plan, source: UserSource, dirs: StepDirs, report: Report) -> None:
    if dirs.options.offline and source.kind == "url":
        raise FetchError(
            "--offline forbids downloading the source",
            got=source.fingerprint,
            hint="leave out --offline, or name a file",
        )
    limit, log = plan.package.limits.download, dirs.log("fetch")
    name = f"mimalloc-{plan.recipe.version}"
    user.deliver(source, dirs.archive, name, limit=limit, report=report, log=log)
    checksum = sha256_of(dirs.archive) if dirs.archive.exists() else ""
    if checksum in [pin.sha256 for pin in plan.recipe.source]:
        # It is what a recipe pins: once it is cached, --source is needed no more.
        with locked(cache_locks(dirs.workspace), checksum):
            place(dirs.archive, _cache_entry(checksum, dirs.workspace))


def _fetch_pinned(plan: Plan, dirs: StepDirs, report: Report) -> Source:
    """Copy a pinned archive into the step directory, from the cache if it is there.

    Otherwise the error lists every source, and what is wrong with it.
    """
    version, sources = plan.recipe.version, plan.recipe.source
    for source in sources:
        if _copy_cached(source, dirs, report):
            return source
    what = f"no source of mimalloc {version} is available"
    if dirs.options.offline:
        what = f"mimalloc {version} is not in the cache, and --offline forbids downloading it"
    error: type[FetchError | VerifyError] = FetchError
    lines = list[str]()
    for source in sources:
        lines.append(f"{source.kind} {source.reference} sha256 {source.sha256}")
        if dirs.options.offline:
            continue
        try:
            with locked(cache_locks(dirs.workspace), source.sha256):
                # Another run may have cached it while this one waited for the lock.
                if not _copy_cached(source, dirs, report):
                    _download(source, plan, dirs, report)
            return source
        except (FetchError, VerifyError) as problem:
            error = VerifyError if isinstance(problem, VerifyError) else error
            lines += [f"  {line.strip()}" for line in problem.lines()]
            report.line(f"  {problem.what}")
    raise error(
        what,
        file=dirs.workspace.cache,
        detail="\n".join(lines),
        hint=f"invoke fetch --version {version} --source TARBALL|FOLDER|GIT-REPOSITORY|URL",
    )


def _cache_entry(checksum: str, workspace: Workspace) -> Path:
    return workspace.cache / "sha256" / checksum


def _copy_cached(source: Source, dirs: StepDirs, report: Report) -> bool:
    """Copy an archive from the cache and verify the copy: the entry may have been altered."""
    entry = _cache_entry(source.sha256, dirs.workspace)
    try:
        entry.lstat()
    except FileNotFoundError:
        return False
    if entry.is_file() and not entry.is_symlink():
        shutil.copyfile(entry, dirs.archive)
        if sha256_of(dirs.archive) == source.sha256:
            return True
        dirs.archive.unlink()
    rejected = _reject(entry, source, dirs.workspace)
    report.line(f"  a cached source was altered; moved to {rejected}")
    return False


def _download(source: Source, plan: Plan, dirs: StepDirs, report: Report) -> None:
    part = dirs.workspace.cache / "parts" / source.sha256
    part.parent.mkdir(parents=True, exist_ok=True)
    if part.is_symlink() or not part.is_file():
        remove(part)  # a download must not be written through a link
    limit, log = plan.package.limits.download, dirs.log("fetch")
    pinned.obtain(source, part, limit=limit, report=report, log=log)
    checksum = sha256_of(part)
    if checksum != source.sha256:
        raise VerifyError(
            "checksum mismatch, the file was moved aside",
            expected=f"sha256 {source.sha256}",
            got=f"sha256 {checksum}",
            file=_reject(part, source, dirs.workspace),
        )
    shutil.copyfile(part, dirs.archive)
    place(part, _cache_entry(source.sha256, dirs.workspace))
    part.unlink()


def _reject(file: Path, source: Source, workspace: Workspace) -> Path:
    """Move a file with the wrong content out of use, where the user can inspect it."""
    rejected = workspace.cache / "rejected" / f"{source.sha256[:16]}-{source.kind}"
    rejected.parent.mkdir(parents=True, exist_ok=True)
    remove(rejected)
    return file.rename(rejected)
