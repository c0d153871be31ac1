"""Build a published package again, and compare the two byte for byte."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.artifact import statement
from pipeline.build import make, selection
from pipeline.build.order import DEBUGINFO, SRPM
from pipeline.inspect import header, payload
from pipeline.model import Options
from pipeline.model.errors import CheckError, RequestError
from pipeline.system.checksum import sha256_of
from pipeline.system.disk import guarded
from pipeline.system.report import Report
from pipeline.system.temporary import temporary
from pipeline.system.workspace import Workspace, locate

# The data of a checkout that decide what is built.
_DATA = ("recipes", "patches", "buildroot")

# Tags of signatures and checksums: they differ only where something else does.
_DERIVED = re.compile(r"(SIG|RSA|DSA|OPENPGP).*|FILEDIGESTS|SHA(1|256)HEADER|PAYLOADDIGEST(ALT)?")


def run(root: Path, rpm: Path, *, offline: bool) -> dict[str, object]:
    """Build the package of an RPM file in an empty work folder, and compare.

    Signatures are not compared. Raises RequestError if no recipe makes the package, CheckError
    with every difference. The answer is for ``--json``.
    """
    report = Report()
    with guarded(), temporary("verify") as scratch:
        if not rpm.is_file():
            raise RequestError("no such package", file=rpm)
        tags = header.read(rpm, home=scratch).tags
        header.verify_digests(rpm, home=scratch)
        nevra = [tags.get(tag, "") for tag in ("NAME", "VERSION", "RELEASE", "ARCH")]
        plan = selection.by_nevra(root, *nevra)
        report.line(rpm.name)
        checkout, options = _empty(scratch, locate(root)), Options(offline)
        for name in _DATA:
            (checkout.root / name).symlink_to(root / name)
        if tags.get("SOURCEPACKAGE") == "1":
            again = make.step(plan, checkout, report, SRPM.name, options)
        elif nevra[0] == plan.debuginfo.name:
            again = make.step(plan, checkout, report, DEBUGINFO.name, options)
        else:
            built = make.package(plan, checkout, report, options)
            again = built.rpm.with_name("{}-{}-{}.{}.rpm".format(*nevra))
        if statement.signed_content(rpm) != statement.signed_content(again):
            lines = list(differences(rpm, again, scratch, plan.package.limits.unpacked))
            raise CheckError(
                f"{rpm.name} is not what its recipe makes: {len(lines)} difference(s)",
                expected=f"sha256 {sha256_of(again)}",
                got=f"sha256 {sha256_of(rpm)}",
                detail="\n".join(lines),
                file=rpm,
                hint="git log: was it built from another commit of this project?",
                results={"file": rpm, "identical": False, "differences": lines},
            )
    report.line(f"  as its recipe makes it, byte for byte: {rpm}")
    return {"file": rpm, "identical": True, "differences": []}


def _empty(scratch: Path, place: Workspace) -> Workspace:
    """A workspace in which nothing is built or compiled; sources, which have checksums, are there.

    What is in the compiler's cache would be linked as it is.
    """
    empty, sources = Workspace(scratch / "checkout", scratch / "cache"), place.cache / "sha256"
    for folder in (empty.root, empty.cache, sources):
        folder.mkdir(parents=True, exist_ok=True)
    (empty.cache / sources.name).symlink_to(sources)
    return empty


def differences(old: Path, new: Path, scratch: Path, limit: int) -> Iterator[str]:
    """The differences between two packages: tags, then files.

    Raises CheckError for a package that cannot be read, or unpacks to more than ``limit`` bytes.
    """
    got = _content(old, scratch / "old", limit)
    expected = _content(new, scratch / "new", limit)
    for name in {**got, **expected}:
        lines, others = (texts.get(name, "none").splitlines() for texts in (expected, got))
        if lines != others:
            yield f"{name}: expected {_first(lines, others)}, got {_first(others, lines)}"


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


def _first(lines: Sequence[str], others: Sequence[str]) -> str:
    """The first three of the lines that the others do not have."""
    return "; ".join((sorted(set(lines) - set(others)) or lines)[:3])
