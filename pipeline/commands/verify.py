"""Make a published package anew, and compare the two byte for byte."""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from pipeline.artifact import signed_content
from pipeline.build import make, selection
from pipeline.inspect import header, payload
from pipeline.model import Header, Options, Plan
from pipeline.model.errors import CheckError, RequestError
from pipeline.system.checksum import sha256_of
from pipeline.system.disk import guarded
from pipeline.system.report import Report
from pipeline.system.workspace import Workspace, locate

# What a checkout holds that decides what is built.
_DATA = ("recipes", "patches", "buildroot")

# What follows from the rest of a package; a difference in it is never the only one.
_DERIVED = ("SIGMD5", "SIGSIZE", "SHA1HEADER", "SHA256HEADER", "PAYLOADDIGEST", "PAYLOADDIGESTALT")

# Lines of a value that a difference shows.
_SHOWN = 3


def run(root: Path, rpm: Path, *, offline: bool) -> None:
    """Make the package of an RPM file anew, with nothing of what was made before, and compare.

    Signatures are left out of the comparison. Raises RequestError for a package that the recipes
    do not make, CheckError with every difference.
    """
    report = Report()
    with guarded(), tempfile.TemporaryDirectory(prefix="mimalloc-verify-") as scratch:
        _verify(rpm, locate(root), Path(scratch), report, Options(offline))
    report.line(f"  as its recipe makes it, byte for byte: {rpm}")


def _verify(rpm: Path, place: Workspace, scratch: Path, report: Report, options: Options) -> None:
    tags = header.read(rpm, home=scratch).tags if rpm.is_file() else {}
    plan = _plan(rpm, tags, place.root)
    checkout = _checkout(place, scratch)
    if tags.get("SOURCEPACKAGE") == "1":
        report.line(plan.source_name)
        again = make.source_package(plan, checkout, report, options)
    else:
        report.line(plan.nevra)
        again = make.package(plan, checkout, report, options).rpm
        if plan.subpackage and plan.subpackage.name == tags.get("NAME"):
            again = again.with_name(plan.subpackage.file_name)
    if signed_content.signed(rpm) != signed_content.signed(again):
        lines = list(differences(rpm, again, scratch, plan.package.limits.unpacked))
        raise CheckError(
            f"{rpm.name} is not what its recipe makes: {len(lines)} difference(s)",
            expected=f"sha256 {sha256_of(again)}",
            got=f"sha256 {sha256_of(rpm)}",
            detail="\n".join(lines),
            file=rpm,
            hint="git log: was it made from another state of this project?",
        )


def _plan(rpm: Path, tags: Mapping[str, str], root: Path) -> Plan:
    """The plan of what a header tells of."""
    if not tags:
        raise RequestError("no such package", file=rpm)
    fields = (tags.get(tag, "") for tag in ("NAME", "VERSION", "RELEASE", "ARCH"))
    return selection.named(root, *fields)


def _checkout(place: Workspace, scratch: Path) -> Workspace:
    """A checkout with the same data and the same cache of sources, in which nothing is made yet."""
    root = scratch / "checkout"
    root.mkdir()
    for name in _DATA:
        (root / name).symlink_to(place.root / name)
    return Workspace(root, place.cache)


def differences(old: Path, new: Path, scratch: Path, limit: int) -> Iterator[str]:
    """What differs between two packages: tags, then files.

    Raises CheckError for a package that cannot be read, or has more than ``limit`` bytes in it.
    """
    tags = [header.read(rpm, home=scratch) for rpm in (old, new)]
    yield from _of_tags(*tags)
    contents = []
    for name, rpm in (("old", old), ("new", new)):
        folder = scratch / name
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
