"""Pin a release, or raise the release number of a pinned one, once all packages are tried."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from pipeline.bump import (
    changes,
    cmake_options,
    conformance,
    decisions,
    documents,
    inspection,
    patches,
    profile,
    recipe_writer,
    trial_build,
    upstream_tags,
)
from pipeline.bump.changes import Change
from pipeline.bump.inspection import Release
from pipeline.bump.request import Request
from pipeline.bump.scratch import ScratchCheckout, place_files, scratch_checkout
from pipeline.config import load
from pipeline.model import errors
from pipeline.model.errors import BumpError, RequestError
from pipeline.system import workspace
from pipeline.system.report import Report
from pipeline.system.workspace import place_text

# Failures that a corrected recipe may resolve.
_RECIPE_ERRORS = (
    *(errors.RecipeError, errors.ConfigureError, errors.CompileError, errors.StageError),
    *(errors.PackageError, errors.CheckError, errors.SmokeError),
)


def run(root: Path, request: Request) -> dict[str, object]:
    """Pin a release, unless it is pinned already. Raises PackagingError; then it is not pinned.

    The answer is for ``--json``.
    """
    changes.names(request.accept)
    if bool(request.version) == bool(request.line):
        expected = "--version or --line, or --list"
        raise RequestError("which release?", expected=expected, got="both or neither")
    version, place = request.version, workspace.locate(root)
    if request.line or version == load.LATEST:
        versions = upstream_tags.versions(load.package(root), request.source, Report())
        version = upstream_tags.newest(request.line or upstream_tags.line(versions[-1]), versions)
    upstream_tags.line(version)
    with scratch_checkout(place, version, "", request.options, dry_run=request.dry_run) as scratch:
        return {"version": version, **_bump(scratch, request)}


def raise_number(root: Path, request: Request) -> None:
    """Raise the release number, unless it is raised already. Raises BumpError for a lower one."""
    number, reason, place = request.number, " ".join(request.reason.split()), workspace.locate(root)
    if not reason:
        raise RequestError("--reason", expected="a sentence for the changelog", got="none")
    version = load.checked_name("version", request.version, load.versions(root))
    with scratch_checkout(place, version, request.source, request.options) as scratch:
        recipe, report = load.recipe(scratch.root, version), scratch.report
        report.line(f"mimalloc {version}, release {recipe.release} -> {number}")
        if recipe.release == number and recipe.changelog[0].notes == (reason,):
            report.line("nothing to do")
            return
        if number <= recipe.release:
            raise BumpError(
                f"the release number of mimalloc {version} must rise",
                expected=f"{recipe.release + 1} or more",
                got=str(number),
                hint=f"--release {recipe.release + 1}: a published number is not used again",
            )
        text = scratch.recipe.read_text(encoding="utf-8")
        text = recipe_writer.with_entry(text, number, recipe_writer.today(), reason)
        scratch.recipe.write_text(text, encoding="utf-8")
        report.line("packages")
        trial_build.every_package(scratch)
        report.line("documents")
        entry = f"- {documents.PACKAGES} {version}, release {number}: {reason}"
        documents.add_entry(scratch.root, "Changed", entry)
        place_files(scratch)


def _bump(scratch: ScratchCheckout, request: Request) -> dict[str, object]:
    version, report, versions = scratch.version, scratch.report, load.versions(scratch.root)
    pinned = version in versions
    report.line(f"mimalloc {version} {'is' if pinned else 'is not'} pinned")
    if pinned and not request.force:
        if request.source:
            _refuse_moved_tag(scratch, request)
        report.line("nothing to do")
        return {"pinned": True, "written": []}
    others = recipe_writer.relatives(version, versions)
    if not others:
        raise BumpError("there is no recipe of another release to begin with")
    release = _inspect(scratch, request, version if pinned else others[0])
    others = _relatives(scratch, request, release)
    other = others[0]
    base = version if pinned else other
    text = _draft(scratch, request, base, release)
    text = decisions.carry(scratch, text, release.tree.options, others)
    comparison = decisions.compare(scratch, other, release.tree.options, text)
    known = [*_known(scratch, release, other, pinned), *decisions.changes(comparison)]
    files, misfits = patches.find(scratch, text, [base, *others], release.folder)
    report.line("  then        patches, profile, manifests, packages, checks, smoke, documents")
    if request.dry_run:
        prediction = _predict(scratch, request, known, comparison.undecided)
        return {**prediction, "to_rewrite": misfits}
    draft = scratch.root.with_name(f"{version}.toml")
    place_text(recipe_writer.MADE_FROM.format(version=other) + text, draft)
    scratch.recipe.write_text(text, encoding="utf-8")
    command = request.command(version, draft=str(draft))
    decisions.refuse(scratch, comparison, draft, command)
    changes.refuse(
        *(version, known, changes.names(request.accept)),
        request.command(version, draft=str(draft), accept=""),
    )
    decisions.write(scratch, release.tree.options, release.tree.cmake)
    scratch = replace(scratch, source=str(release.archive))
    try:
        return {"pinned": True, "written": _try_and_place(scratch, request, files, base, other)}
    except _RECIPE_ERRORS as problem:
        problem.hint = f"correct {draft}, or a patch in patches/{version}/, then\n{command}"
        raise


def _relatives(scratch: ScratchCheckout, request: Request, release: Release) -> list[str]:
    """The releases to begin and to compare with, the nearest first; the draft's comes first."""
    versions = load.versions(scratch.root)
    differences = cmake_options.differences(scratch.root, versions, release.tree.options)
    others = recipe_writer.relatives(scratch.version, versions, differences)
    drafted = recipe_writer.made_from(request.file) if request.draft else ""
    return sorted(others, key=lambda other: other != drafted)


def _known(scratch: ScratchCheckout, release: Release, other: str, pinned: bool) -> list[Change]:
    """The changes that are known before anything is built."""
    former = load.recipe(scratch.checkout, scratch.version) if pinned else None
    _, cmake = cmake_options.recorded(scratch.root, other)
    old, package = load.recipe(scratch.root, other), load.package(scratch.root)
    of_tree = changes.of_tree(package, old, cmake, release.tree, release.folder)
    return [*inspection.changes(release, former), *of_tree]


def _predict(
    scratch: ScratchCheckout, request: Request, known: list[Change], undecided: Collection[str]
) -> dict[str, object]:
    """What a dry run says last: what will stop it unless it is accepted, and the command."""
    accept = changes.accepting(known, changes.names(request.accept))
    place = "a reason in [options] of package.toml, or a value in [cmake] of a draft"
    for name in undecided:
        scratch.report.line(f"  to decide   {name}: {place}")
    for change in known:
        scratch.report.line(f"  to accept   {change.name}: {change.evidence.splitlines()[0]}")
    scratch.report.line("  known once it is built: files, libraries, settings")
    scratch.report.line("nothing was written; to do it:")
    command = request.command(scratch.version, accept=accept)
    scratch.report.line(command)
    return {
        "pinned": False,
        "to_decide": sorted(undecided),
        "to_accept": {change.name: change.evidence for change in known},
        "command": command,
    }


def _refuse_moved_tag(scratch: ScratchCheckout, request: Request) -> None:
    """Raise BumpError where ``--source`` is not what is pinned."""
    version = scratch.version
    release = _inspect(scratch, request, version)
    if moved := inspection.difference(release, load.recipe(scratch.root, version)):
        raise BumpError(
            f"the tag of mimalloc {version} has moved, or this is not what it was put on",
            detail=moved,
            hint="ask upstream; --force --accept tag pins this source",
        )


def _inspect(scratch: ScratchCheckout, request: Request, base: str) -> Release:
    scratch.report.line("source")
    recipe = load.recipe(scratch.root, base)
    return inspection.inspect(scratch, request.source, request.released, recipe)


def _draft(scratch: ScratchCheckout, request: Request, base: str, release: Release) -> str:
    """The new recipe; how it differs from the one that it was made from is printed."""
    file = scratch.root / "recipes" / f"{base}.toml"
    if request.draft:
        file = request.file
    text = recipe_writer.recipe(file, scratch.version, release, recipe_writer.today())
    scratch.report.line("plan")
    scratch.report.line(f"  recipe      as {file.name}, with these differences")
    for line in recipe_writer.difference(file, text):
        scratch.report.line(f"    {line}")
    return text


def _try_and_place(
    scratch: ScratchCheckout, request: Request, files: Mapping[str, Path], base: str, other: str
) -> list[str]:
    """Try the recipe that is in the scratch checkout, and place it with all that belongs to it.

    ``files`` are those of its patches, by name. Returns the paths of what was placed.
    """
    version, report = scratch.version, scratch.report
    profile.unpin_missing(scratch)
    report.line("patches")
    dropped = patches.select(scratch, files)
    if request.train:
        report.line("profile")
        profile.make_where_possible(scratch, request.train)
    report.line("file lists")
    plans = trial_build.write_manifests(scratch)
    report.line(f"comparison with {other}")
    differences = list(changes.with_other(scratch, other, plans, request.source))
    accepted = changes.names(request.accept)
    changes.refuse(version, differences, accepted, request.command(version, accept=""))
    report.line("packages")
    try:
        trial_build.every_package(scratch)
    except errors.CheckError:
        _compare_conformance(scratch, other)
        raise
    _compare_conformance(scratch, other)
    report.line("documents")
    documents.add_row(scratch.root, load.recipe(scratch.root, version), base)
    if base != version:
        entry = f"- {documents.PACKAGES} {version}"
        entry += "".join(f"; without {patch.file}, as its fault is gone" for patch in dropped)
        documents.add_entry(scratch.root, "Added", f"{entry}.")
    return place_files(scratch)


def _compare_conformance(scratch: ScratchCheckout, other: str) -> None:
    """Print which rules of conformance the packages violate, and those of ``other`` do not."""
    file = scratch.recipe.with_name(f"{other}.toml")
    old, accepted = (
        recipe_writer.accepted(recipe.read_text(encoding="utf-8"))
        for recipe in (file, scratch.recipe)
    )
    new = conformance.violations(trial_build.check_logs(scratch))
    for line in conformance.comparison(old, new, accepted):
        scratch.report.line(f"  conformance, {other} -> {scratch.version}: {line}")
