"""The files of a package: which, whose, how old, and where its links lead."""

import stat
from collections.abc import Iterator
from difflib import unified_diff
from posixpath import dirname, isabs, join, normpath

from pipeline.model import Facts, FileEntry, Finding, Plan

_OWNER = "root:root"
_LINK_MODE = 0o777


def manifest(facts: Facts, plan: Plan, manifest: tuple[str, ...]) -> Iterator[Finding]:
    """The package lists the paths of its manifest, in that order, and no other.

    ``{build_id[:2]}`` and ``{build_id[2:]}`` stand for the two parts of the library's build-id.
    """
    build_id = facts.library.build_id if facts.library else ""
    parts = {"{build_id[:2]}": build_id[:2], "{build_id[2:]}": build_id[2:]}
    expected = [_filled(line, parts) for line in manifest]
    if expected != list(facts.listing):
        diff = unified_diff(expected, facts.listing, "manifest", "package", lineterm="")
        message = f"the {len(expected)} paths of the manifest of {plan.label}"
        yield Finding("manifest", facts.file_name, message, "\n".join(diff))


def _filled(line: str, parts: dict[str, str]) -> str:
    for name, value in parts.items():
        line = line.replace(name, value)
    return line


def modes(facts: Facts, plan: Plan, manifest: tuple[str, ...]) -> Iterator[Finding]:
    """Every path belongs to root, is as old as the release, and has the mode of its kind."""
    released = plan.recipe.moment
    for entry in facts.header.files:
        owner = f"{entry.user}:{entry.group}"
        if owner != _OWNER:
            yield Finding("modes", f"owner of {entry.path}", _OWNER, owner)
        if entry.mtime != released:
            expected = f"{released} (the time of the release)"
            yield Finding("modes", f"time of {entry.path}", expected, str(entry.mtime))
        wanted = _mode(entry, plan)
        if wanted is None:
            got = stat.filemode(entry.mode)
            yield Finding("modes", f"kind of {entry.path}", "a file, a folder or a link", got)
        elif stat.S_IMODE(entry.mode) != wanted:
            got = f"{stat.S_IMODE(entry.mode):04o}"
            yield Finding("modes", f"mode of {entry.path}", f"{wanted:04o}", got)


def _mode(entry: FileEntry, plan: Plan) -> int | None:
    """The permission bits that a path of this kind must have; None for a kind we do not ship."""
    if stat.S_ISLNK(entry.mode):
        return _LINK_MODE
    wanted = plan.package.modes
    if stat.S_ISDIR(entry.mode):
        return int(wanted.folder, 8)
    if not stat.S_ISREG(entry.mode):
        return None
    return int(wanted.library if entry.path == str(plan.library) else wanted.file, 8)


def links(facts: Facts, plan: Plan, manifest: tuple[str, ...]) -> Iterator[Finding]:
    """The library's links are there and lead on as they should; every other leads to the library.

    No link is absolute, so a package can be tried below any folder, and none dangles.
    """
    found = {entry.path: entry.link for entry in facts.header.files if stat.S_ISLNK(entry.mode)}
    for path, target in plan.links.items():
        if found.get(path) != target:
            yield Finding("links", path, f"a link to {target}", found.get(path, "no link"))
    paths = {entry.path for entry in facts.header.files}
    for path, target in found.items():
        end = normpath(join(dirname(path), target))
        if isabs(target):
            yield Finding("links", path, "a relative link", target)
        elif end not in paths:
            yield Finding("links", path, "a link to a path of the package", f"{target} ({end})")
        elif path not in plan.links and end != str(plan.library):
            yield Finding("links", path, f"a link to {plan.library}", f"{target} ({end})")
