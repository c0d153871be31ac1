"""The finished package: its final name, and beside it what it was made from and what is in it."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pipeline.artifact import provenance, statement
from pipeline.artifact.provenance import SOURCE, Making, descriptor
from pipeline.model import Built, Plan
from pipeline.model.errors import CheckError
from pipeline.steps import srpm
from pipeline.system.checksum import sha256_of
from pipeline.system.locks import locked
from pipeline.system.workspace import StepDirs, Workspace, place, place_text
from pipeline.toolchain import cmake, compiler, rpmbuild

# The keys of what is placed: that of the last step, and of the code that accounts for it.
PACKAGE, SOURCE_PACKAGE = "artifact", "source-artifact"


def finished(plan: Plan, dirs: StepDirs) -> Built | None:
    """The package in ``dist/``, where it is whole and made of just what the plan asks for."""
    target = destination(plan, dirs.workspace)
    files = [target.with_name(name) for name in plan.file_names]
    if not all(statement.accounted(file, dirs.keys[PACKAGE]) for file in files):
        return None
    return Built(plan, target, sha256_of(target), target.stat().st_size, fresh=False)


def settled(plan: Plan, dirs: StepDirs) -> Built | None:
    """The same, for those who hold the package's lock: also what a killed signing has signed."""
    target = destination(plan, dirs.workspace)
    for name in plan.file_names:
        statement.settle(target.with_name(name))
    return finished(plan, dirs)


def destination(plan: Plan, workspace: Workspace, *, source: bool = False) -> Path:
    """The final name of a plan's package, or of the package that it is built from."""
    if source:
        return workspace.dist / plan.root.dist / "source" / plan.source_name
    return workspace.dist / plan.root.dist / plan.arch / plan.file_name


def publish(plan: Plan, dirs: StepDirs) -> Built:
    """Give the checked package its final name, and put beside it what accounts for it.

    The same is done for its sub-package: in the folder of the machine, where a repository of that
    machine looks for packages of no machine, too.
    """
    target, rpm = destination(plan, dirs.workspace), {"rpmbuild": rpmbuild.version()}
    making = Making(
        name=plan.name,
        arch=plan.arch,
        key=dirs.keys[PACKAGE],
        origin=json.loads(dirs.origin.read_text(encoding="utf-8")),
        options=cmake.options(plan),
        tools={**compiler.versions(plan), **rpm},
    )
    _publish(plan, making, _checked(plan.file_name, dirs), target, _regular(dirs.unpacked), dirs)
    if subpackage := plan.subpackage:
        beside = replace(making, name=subpackage.name, arch=subpackage.arch, options={}, tools=rpm)
        made, files = _checked(subpackage.file_name, dirs), _regular(dirs.unpacked_subpackage)
        _publish(plan, beside, made, target.with_name(subpackage.file_name), files, dirs)
    return Built(plan, target, sha256_of(target), target.stat().st_size, fresh=True)


def publish_source(plan: Plan, dirs: StepDirs) -> Path:
    """Do the same for the source package, where it is not there already."""
    target = destination(plan, dirs.workspace, source=True)
    with locked(dirs.workspace.locks, plan.source_name):
        statement.settle(target)
        if not statement.accounted(target, dirs.keys[SOURCE_PACKAGE]):
            _publish_source(plan, target, dirs)
    return target


def _publish_source(plan: Plan, target: Path, dirs: StepDirs) -> None:
    making = Making(
        name=plan.name,
        arch=SOURCE,
        key=dirs.keys[SOURCE_PACKAGE],
        origin=json.loads(dirs.fetched.read_text(encoding="utf-8")),
        options=plan.options,
        tools={"rpmbuild": rpmbuild.version()},
    )
    files = {file.name: file for file in srpm.contents(plan, dirs)}
    _publish(plan, making, srpm.made(plan, dirs), target, files, dirs)


def _checked(name: str, dirs: StepDirs) -> Path:
    """A package that was made. Raises CheckError where it is not the one that was checked."""
    made = dirs.packages / name
    if f"{sha256_of(made)}  {name}" not in dirs.checked.read_text().splitlines():
        raise CheckError(f"{name} is not the file that was checked", file=made, hint="invoke clean")
    return made


def _publish(
    plan: Plan, making: Making, made: Path, target: Path, files: Mapping[str, Path], dirs: StepDirs
) -> None:
    """Package, bill and statement get their names in turn: the last vouches for the others.

    A signed file with just this content stays: its signature is good, and is nobody's to lose.
    """
    from pipeline.artifact import sbom

    file, bill = statement.beside(target)
    text = sbom.bill(plan, making, files, dirs.workspace.root)
    signer = statement.signer(target, made)
    if not signer:
        place(made, target)
    place_text(text, bill)
    subject = descriptor(target.name, sha256_of(made))
    content = provenance.statement(plan, making, subject, [descriptor(bill.name, sha256_of(bill))])
    if signer:
        content = statement.resigned(content, target, sha256_of(target), signer)
    place_text(statement.text(content), file)


def _regular(root: Path) -> dict[str, Path]:
    """The regular files of an unpacked package, by the paths that they are installed as."""
    files = (file for file in sorted(root.rglob("*")) if file.is_file() and not file.is_symlink())
    return {f"/{file.relative_to(root)}": file for file in files}
