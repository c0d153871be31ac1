"""Build a published package again, and compare the two byte for byte."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pipeline.artifact import signed_content
from pipeline.build import make, selection
from pipeline.inspect import header, payload
from pipeline.model import Options
from pipeline.model.errors import CheckError, RequestError
from pipeline.system.checksum import sha256_of
from pipeline.system.disk import guarded
from pipeline.system.report import Report
from pipeline.system.workspace import Workspace, locate

# The data of a checkout that decide what is built.
_DATA = ("recipes", "patches", "buildroot")

# Tags of signatures and checksums: they differ only where something else does.
_DERIVED = re.compile(r"(SIG|RSA|DSA|OPENPGP).*|FILEDIGESTS|SHA(1|256)HEADER|PAYLOADDIGEST(ALT)?")

# Lines of a tag that a difference shows.
_SHOWN_LINES = 3


def run(root: Path, rpm: Path, *, offline: bool) -> None:
    """Build the package of an RPM file in an empty work folder, and compare.

    Signatures are not compared. Raises RequestError if no recipe makes the package, CheckError
    with every difference.
    """
    report = Report()
    with guarded(), tempfile.TemporaryDirectory(prefix="mimalloc-verify-") as scratch:
        _verify(rpm, locate(root), Path(scratch), report, Options(offline))
    report.line(f"  as its recipe makes it, byte for byte: {rpm}")


def _verify(rpm: Path, place: Workspace, scratch: Path, report: Report, options: Options) -> None:
    if not rpm.is_file():
        raise RequestError("no such package", file=rpm)
    tags = header.read(rpm, home=scratch).tags
    fields = (tags.get(tag, "") for tag in ("NAME", "VERSION", "RELEASE", "ARCH"))
    plan = selection.by_nevra(place.root, *fields)
    checkout = _checkout(place, scratch)
    report.line(rpm.name)
    if tags.get("SOURCEPACKAGE") == "1":
        again = make.source_package(plan, checkout, report, options)
    else:
        again = make.package(plan, checkout, report, options).rpm
        if plan.subpackage and plan.subpackage.name == tags["NAME"]:
            again = again.with_name(plan.subpackage.file_name)
    if signed_content.read(rpm) != signed_content.read(again):
        lines = list(differences(rpm, again, scratch, plan.package.limits.unpacked))
        raise CheckError(
            f"{rpm.name} is not what its recipe makes: {len(lines)} difference(s)",
            expected=f"sha256 {sha256_of(again)}",
            got=f"sha256 {sha256_of(rpm)}",
            detail="\n".join(lines),
            file=rpm,
            hint="git log: was it built from another commit of this project?",
        )


def _checkout(place: Workspace, scratch: Path) -> Workspace:
    """A checkout with the same data and cache, in which nothing is built yet."""
    root = scratch / "checkout"
    root.mkdir()
    for name in _DATA:
        (root / name).symlink_to(place.root / name)
    return Workspace(root, place.cache)


def differences(old: Path, new: Path, scratch: Path, limit: int) -> Iterator[str]:
    """The differences between two packages: tags, then files.

    Raises CheckError for a package that cannot be read, or unpacks to more than ``limit`` bytes.
    """
    got = _content(old, scratch / "old", limit)
    expected = _content(new, scratch / "new", limit)
    for name in {**got, **expected}:
        values = expected.get(name, "none"), got.get(name, "none")
        if values[0] != values[1]:
            shown = [_other_lines(values[0], values[1]), _other_lines(values[1], values[0])]
            yield f"{name}: expected {shown[0]}, got {shown[1]}"


def _content(rpm: Path, scratch: Path, limit: int) -> dict[str, str]:
    """The tags of a package by name, and its files by path, without what is derived from them."""
    scratch.mkdir()
    tags = header.read(rpm, home=scratch).tags
    content = {tag: tags[tag] for tag in sorted(tags) if not _DERIVED.fullmatch(tag)}
    for path, file in payload.entries(payload.unpack(rpm, scratch, limit=limit)):
        if file.is_symlink():
            content[path] = f"a link to {file.readlink()}"
        else:
            content[path] = f"sha256 {sha256_of(file)}" if file.is_file() else "a folder"
    return content


def _other_lines(value: str, other: str) -> str:
    """The first lines of a value that another one does not have."""
    lines = sorted(set(value.splitlines()) - set(other.splitlines()))
    return "; ".join(lines[:_SHOWN_LINES] or [value])
