"""The finished package: its final name, and beside it what it was made from and what is in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline import cmake, content, provenance, rpmbuild, srpm, toolchain
from pipeline.checksum import sha256_of
from pipeline.errors import CheckError
from pipeline.locks import locked
from pipeline.model import Built, Plan
from pipeline.provenance import PREDICATE, SOURCE, STATEMENT, Making, descriptor
from pipeline.workspace import Site, Workspace, place, place_text

_PROVENANCE, _BILL = ".provenance.json", ".cdx.json"


def finished(plan: Plan, site: Site) -> Built | None:
    """The package in ``dist/``, where it is whole and made of just what the plan asks for."""
    target = destination(plan, site.workspace)
    files = [target.with_name(name) for name in plan.file_names]
    if not all(_accounted(file, site.keys["check"]) for file in files):
        return None
    return Built(plan, target, sha256_of(target), target.stat().st_size, fresh=False)


def settled(plan: Plan, site: Site) -> Built | None:
    """The same, for those who hold the package's lock: also what a killed signing has signed."""
    target = destination(plan, site.workspace)
    for name in plan.file_names:
        settle(target.with_name(name))
    return finished(plan, site)


def destination(plan: Plan, workspace: Workspace, *, source: bool = False) -> Path:
    """The final name of a plan's package, or of the package that it is built from."""
    if source:
        return workspace.dist / plan.root.dist / "source" / plan.source_name
    return workspace.dist / plan.root.dist / plan.arch / plan.file_name


def beside(rpm: Path) -> tuple[Path, Path]:
    """What accounts for a package: what it was made from, and its bill of materials."""
    stem = rpm.name.removesuffix(".rpm")
    return rpm.with_name(stem + _PROVENANCE), rpm.with_name(stem + _BILL)


def vouches(rpm: Path) -> bool:
    """Whether a package is the file that its statement names, with its bill of materials."""
    statement = _statement(rpm)
    return statement is not None and _agree(statement, rpm)


def publish(plan: Plan, site: Site) -> Built:
    """Give the checked package its final name, and put beside it what accounts for it.

    The same is done for its sub-package: in the folder of the machine, where a repository of that
    machine looks for packages of no machine, too.
    """
    target, rpm = destination(plan, site.workspace), {"rpmbuild": rpmbuild.version()}
    making = Making(
        name=plan.name,
        arch=plan.arch,
        key=site.keys["check"],
        origin=json.loads(site.origin.read_text(encoding="utf-8")),
        options=cmake.options(plan),
        tools={**toolchain.versions(plan), **rpm},
    )
    _publish(plan, making, _checked(plan.file_name, site), target, _regular(site.unpacked), site)
    if switched := plan.switched:
        beside = replace(making, name=switched.name, arch=switched.arch, options={}, tools=rpm)
        made, files = _checked(switched.file_name, site), _regular(site.unpacked_switch)
        _publish(plan, beside, made, target.with_name(switched.file_name), files, site)
    return Built(plan, target, sha256_of(target), target.stat().st_size, fresh=True)


def publish_source(plan: Plan, site: Site) -> Path:
    """Do the same for the source package, where it is not there already."""
    target = destination(plan, site.workspace, source=True)
    with locked(site.workspace.locks, plan.source_name):
        settle(target)
        if not _accounted(target, site.keys["srpm"]):
            _publish_source(plan, target, site)
    return target


def _publish_source(plan: Plan, target: Path, site: Site) -> None:
    making = Making(
        name=plan.name,
        arch=SOURCE,
        key=site.keys["srpm"],
        origin=json.loads(site.fetched.read_text(encoding="utf-8")),
        options=plan.options,
        tools={"rpmbuild": rpmbuild.version()},
    )
    files = {file.name: file for file in srpm.contents(plan, site)}
    _publish(plan, making, srpm.made(plan, site), target, files, site)


def _checked(name: str, site: Site) -> Path:
    """A package that was made. Raises CheckError where it is not the one that was checked."""
    made = site.packages / name
    if f"{sha256_of(made)}  {name}" not in site.checked.read_text().splitlines():
        raise CheckError(f"{name} is not the file that was checked", file=made, hint="invoke clean")
    return made


def resign(rpm: Path, signed: Path, signer: str) -> None:
    """Put a signed file in a package's place, and make its statement one about the signed file.

    ``signer`` is the key's fingerprint. The checksum that the package was built with stays in the
    statement. Whoever is stopped in between leaves the new statement beside the old one, and
    ``settle`` finds which of the two the package is for.
    """
    statement = json.loads(beside(rpm)[0].read_text(encoding="utf-8"))
    place_text(_text(_resigned(statement, rpm, sha256_of(signed), signer)), _upcoming(rpm))
    place(signed, rpm)
    _upcoming(rpm).replace(beside(rpm)[0])


def _resigned(statement: dict[str, Any], rpm: Path, sha256: str, signer: str) -> dict[str, Any]:
    """A statement about a package, made one about the signed file."""
    (before,) = statement["subject"]
    statement["subject"] = [descriptor(rpm.name, sha256, annotations={"signer": signer})]
    if "annotations" not in before:
        byproducts = statement["predicate"]["runDetails"]["byproducts"]
        byproducts.append({**before, "annotations": {"state": "as built, not signed"}})
    return statement


def settle(rpm: Path) -> None:
    """End a signing of a package that was stopped, if it was: forwards, else backwards."""
    upcoming = _upcoming(rpm)
    if not upcoming.exists():
        return
    statement = _statement(rpm, upcoming)
    if statement is not None and _agree(statement, rpm):
        upcoming.replace(beside(rpm)[0])
    else:
        upcoming.unlink()


def _upcoming(rpm: Path) -> Path:
    """The statement of a signed file that is about to take the package's place."""
    statement = beside(rpm)[0]
    return statement.with_name(f".{statement.name}.next")


def _publish(
    plan: Plan, making: Making, made: Path, target: Path, files: Mapping[str, Path], site: Site
) -> None:
    """Package, bill and statement get their names in turn: the last vouches for the others.

    A signed file with just this content stays: its signature is good, and is nobody's to lose.
    """
    from pipeline import sbom

    statement, bill = beside(target)
    text, signer = sbom.bill(plan, making, files, site.workspace.root), _signer(target, made)
    if not signer:
        place(made, target)
    place_text(text, bill)
    subject = descriptor(target.name, sha256_of(made))
    told = provenance.statement(plan, making, subject, [descriptor(bill.name, sha256_of(bill))])
    if signer:
        told = _resigned(told, target, sha256_of(target), signer)
    place_text(_text(told), statement)


def _signer(signed: Path, made: Path) -> str:
    """Whose signature the package in ``dist/`` has, if it has one, and is what was made otherwise.

    Empty where it is another package, or is not the file that its statement names.
    """
    statement = _statement(signed)
    if statement is None or not signed.is_file() or sha256_of(signed) != _sum(statement):
        return ""
    try:
        signer = statement["subject"][0]["annotations"]["signer"]
        same = content.signed(signed) == content.signed(made)
    except (KeyError, TypeError, CheckError):
        return ""
    return str(signer) if same else ""


def _regular(root: Path) -> dict[str, Path]:
    """The regular files of an unpacked package, by the paths that they are installed as."""
    files = (file for file in sorted(root.rglob("*")) if file.is_file() and not file.is_symlink())
    return {f"/{file.relative_to(root)}": file for file in files}


def _text(statement: Mapping[str, Any]) -> str:
    return json.dumps(statement, indent=2) + "\n"


def _statement(rpm: Path, file: Path | None = None) -> Mapping[str, Any] | None:
    """The statement beside a package, where it can be read and has what we look for in it."""
    file = file or beside(rpm)[0]
    try:
        if not file.is_file():  # a pipe would be waited at
            return None
        statement = json.loads(file.read_text(encoding="utf-8"))
        _key(statement), _sum(statement), _bill_sum(statement)
        (subject,) = statement["subject"]
        is_ours = (statement["_type"], statement["predicateType"]) == (STATEMENT, PREDICATE)
        if not is_ours or subject["name"] != rpm.name:
            return None
    except (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError):
        return None
    return dict(statement)


def _accounted(rpm: Path, key: str) -> bool:
    """Whether a package is whole, and its statement has this key."""
    statement = _statement(rpm)
    return statement is not None and _key(statement) == key and _agree(statement, rpm)


def _agree(statement: Mapping[str, Any], rpm: Path) -> bool:
    files = (rpm, beside(rpm)[1])
    if not all(file.is_file() for file in files):
        return False
    sums = tuple(sha256_of(file) for file in files)
    return sums == (_sum(statement), _bill_sum(statement))


def _key(statement: Mapping[str, Any]) -> str:
    return str(statement["predicate"]["buildDefinition"]["internalParameters"]["key"])


def _sum(statement: Mapping[str, Any]) -> str:
    return str(statement["subject"][0]["digest"]["sha256"])


def _bill_sum(statement: Mapping[str, Any]) -> str:
    return str(statement["predicate"]["runDetails"]["byproducts"][0]["digest"]["sha256"])
