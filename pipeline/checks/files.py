"""Checks of the files of a package: paths, owners, modes, times, links."""

import stat
from collections.abc import Iterator
from difflib import unified_diff
from posixpath import dirname, isabs, join, normpath

from pipeline.model import LICENSES, Facts, FileEntry, Finding, Plan

_OWNER = "root:root"
_LINK_MODE = 0o777


def manifest(facts: Facts, plan: Plan, manifest: tuple[str, ...]) -> Iterator[Finding]:
    """The package lists exactly the paths of its manifest, in that order.

    ``{build_id[:2]}`` and ``{build_id[2:]}`` stand for the two parts of the library's build-id.
    """
    build_id = facts.library.build_id if facts.library else ""
    expected = [
        line.replace("{build_id[:2]}", build_id[:2]).replace("{build_id[2:]}", build_id[2:])
        for line in manifest
    ]
    paths = facts.header.paths
    if expected != list(paths):
        diff = unified_diff(expected, paths, "manifest", "package", lineterm="")
        message = f"the {len(expected)} paths of the manifest of {plan.label}"
        yield Finding("manifest", facts.file_name, message, "\n".join(diff))


def modes(facts: Facts, plan: Plan, manifest: tuple[str, ...]) -> Iterator[Finding]:
    """Every path belongs to root, has the time of the release, and the mode of its kind."""
    released = plan.recipe.moment
    for entry in facts.header.files:
        owner = f"{entry.user}:{entry.group}"
        if owner != _OWNER:
            yield Finding("modes", f"owner of {entry.path}", _OWNER, owner)
        if entry.mtime != released:
            expected = f"{released} (the time of the release)"
            yield Finding("modes", f"time of {entry.path}", expected, str(entry.mtime))
        mode = _mode(entry, plan)
        if mode is None:
            got = stat.filemode(entry.mode)
            yield Finding("modes", f"kind of {entry.path}", "a file, a folder or a link", got)
        elif stat.S_IMODE(entry.mode) != mode:
            got = f"{stat.S_IMODE(entry.mode):04o}"
            yield Finding("modes", f"mode of {entry.path}", f"{mode:04o}", got)


def _mode(entry: FileEntry, plan: Plan) -> int | None:
    """The expected permission bits of a path; None for a kind that no package may contain."""
    if stat.S_ISLNK(entry.mode):
        return _LINK_MODE
    modes = plan.package.modes
    if stat.S_ISDIR(entry.mode):
        return int(modes.folder, 8)
    if not stat.S_ISREG(entry.mode):
        return None
    programs = {path for subpackage in plan.subpackages for path in subpackage.programs}
    if entry.path in programs:
        return int(modes.program, 8)
    return int(modes.library if entry.path == str(plan.library) else modes.file, 8)


def license(facts: Facts, plan: Plan, manifest: tuple[str, ...]) -> Iterator[Finding]:
    """The package has the licence's text, unless only its sub-package has."""
    yield from marked_license(facts, plan.name if plan.has_license else "")


def marked_license(facts: Facts, name: str) -> Iterator[Finding]:
    """The one text that is marked as a licence is in the folder of this name, or there is none."""
    got = ", ".join(entry.path for entry in facts.header.files if entry.is_license) or "none"
    expected = f"{LICENSES}/{name}/LICENSE" if name else "none"
    if got != expected:
        yield Finding("license", facts.file_name, expected, got)


def links(facts: Facts, plan: Plan, manifest: tuple[str, ...]) -> Iterator[Finding]:
    """The library's links have their targets, and every other link resolves to the library.

    Links are relative, so that a package can be used below any folder, and none dangles.
    """
    targets = {entry.path: entry.link for entry in facts.header.files if stat.S_ISLNK(entry.mode)}
    for path, target in plan.links.items():
        if targets.get(path) != target:
            yield Finding("links", path, f"a link to {target}", targets.get(path, "no link"))
    for path, target in targets.items():
        end = normpath(join(dirname(path), target))
        if isabs(target):
            yield Finding("links", path, "a relative link", target)
        elif end not in facts.header.paths:
            yield Finding("links", path, "a link to a path of the package", f"{target} ({end})")
        elif path not in plan.links and end != str(plan.library):
            yield Finding("links", path, f"a link to {plan.library}", f"{target} ({end})")
