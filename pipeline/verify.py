"""Is a published package what it says it is? It is made anew, and the two are compared."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from pipeline import build, content, request
from pipeline.checksum import sha256_of
from pipeline.errors import CheckError, RequestError
from pipeline.facts import header, payload
from pipeline.model import Header, Plan
from pipeline.report import Report
from pipeline.workspace import Workspace

# What a checkout holds that decides what is built.
_DATA = ("recipes", "patches", "buildroot")

# What follows from the rest of a package; a difference in it is never the only one.
_DERIVED = ("SIGMD5", "SIGSIZE", "SHA1HEADER", "SHA256HEADER", "PAYLOADDIGEST", "PAYLOADDIGESTALT")

# Lines of a value that a difference shows.
_SHOWN = 3


def run(rpm: Path, place: Workspace, report: Report, *, offline: bool = False) -> Path:
    """Make the package of an RPM file anew, with nothing of what was made before, and compare.

    Signatures are left out of the comparison. Raises RequestError for a package that the recipes
    do not make, CheckError with every difference.
    """
    with tempfile.TemporaryDirectory(prefix="mimalloc-verify-") as scratch:
        room = Path(scratch)
        tags = header.read(rpm, home=room).tags if rpm.is_file() else {}
        plan = _plan(rpm, tags, place.root)
        checkout = _checkout(place, room)
        if tags.get("SOURCEPACKAGE") == "1":
            report.line(plan.source_name)
            again = build.source(plan, checkout, report, offline=offline)
        else:
            report.line(plan.nevra)
            again = build.build(plan, checkout, report, offline=offline).rpm
            if plan.switched and plan.switched.name == tags.get("NAME"):
                again = again.with_name(plan.switched.file_name)
        if content.signed(rpm) != content.signed(again):
            lines = list(differences(rpm, again, room, plan.package.limits.unpacked))
            raise CheckError(
                f"{rpm.name} is not what its recipe makes: {len(lines)} difference(s)",
                expected=f"sha256 {sha256_of(again)}",
                got=f"sha256 {sha256_of(rpm)}",
                detail="\n".join(lines),
                file=rpm,
                hint="git log: was it made from another state of this project?",
            )
    return rpm


def _plan(rpm: Path, tags: Mapping[str, str], root: Path) -> Plan:
    """The plan of what a header tells of."""
    if not tags:
        raise RequestError("no such package", file=rpm)
    named = (tags.get(tag, "") for tag in ("NAME", "VERSION", "RELEASE", "ARCH"))
    return request.named(root, *named)


def _checkout(place: Workspace, room: Path) -> Workspace:
    """A checkout with the same data and the same cache of sources, in which nothing is made yet."""
    root = room / "checkout"
    root.mkdir()
    for name in _DATA:
        (root / name).symlink_to(place.root / name)
    return Workspace(root, place.cache)


def differences(old: Path, new: Path, room: Path, limit: int) -> Iterator[str]:
    """What differs between two packages: tags, then files.

    Raises CheckError for a package that cannot be read, or has more than ``limit`` bytes in it.
    """
    tags = [header.read(rpm, home=room) for rpm in (old, new)]
    yield from _of_tags(*tags)
    contents = []
    for name, rpm in (("old", old), ("new", new)):
        folder = room / name
        folder.mkdir()
        files = payload.entries(payload.unpack(rpm, folder, limit=limit))
        contents.append({path: _content(file) for path, file in files})
    yield from _of_files(*contents)


def _of_tags(old: Header, new: Header) -> Iterator[str]:
    for tag in sorted({*old.tags, *new.tags} - set(_DERIVED)):
        if tag.startswith(("SIG", "RSA", "DSA", "OPENPGP", "FILEDIGESTS")):
            continue
        values = (old.tags.get(tag, "none"), new.tags.get(tag, "none"))
        if values[0] != values[1]:
            lines = [
                sorted(set(a.splitlines()) - set(b.splitlines()))[:_SHOWN] or [a]
                for a, b in (values, values[::-1])
            ]
            yield f"{tag}: expected {'; '.join(lines[1])}, got {'; '.join(lines[0])}"


def _of_files(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for path in sorted({*old, *new}):
        values = (new.get(path, "no such path"), old.get(path, "no such path"))
        if values[0] != values[1]:
            yield f"{path}: expected {values[0]}, got {values[1]}"


def _content(file: Path) -> str:
    if file.is_symlink():
        return f"a link to {file.readlink()}"
    return f"sha256 {sha256_of(file)}" if file.is_file() else "a folder"
