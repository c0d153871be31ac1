"""The checked package gets its final name in ``dist/``, with its statement and its bill."""

import json
from dataclasses import replace
from pathlib import Path

from pipeline.artifact import provenance, statement
from pipeline.artifact.provenance import Artifact
from pipeline.inspect import payload
from pipeline.model import PLAIN, Built, Plan
from pipeline.model.errors import RequestError
from pipeline.system import contents, locks
from pipeline.system.checksum import sha256_of
from pipeline.system.workspace import StepDirs, Workspace, place, place_text
from pipeline.toolchain import compiler, rpmbuild

# The names of the artifacts' keys, each of the last step's key and the code of this module.
ARTIFACTS = PACKAGE, DEBUGINFO, SOURCE_PACKAGE = "artifact", "debug-artifact", "source-artifact"


def debug_folder(arch: str) -> str:
    """The folder of a dist for the debug information of an architecture's packages."""
    return f"{arch}-debug"


def destination(plan: Plan, workspace: Workspace) -> Path:
    """The final name of a plan's package."""
    return workspace.dist / plan.root.dist / plan.arch / plan.file_name


def existing(plan: Plan, workspace: Workspace) -> Path:
    """The package in ``dist/``, up to date or not. Raises RequestError if there is none."""
    rpm = destination(plan, workspace)
    if not rpm.exists():
        raise RequestError("there is no such package yet", file=rpm, hint=build_command(plan))
    return rpm


def build_command(plan: Plan) -> str:
    """The command that builds a package."""
    flavor = "" if plan.variant == PLAIN else f" --flavor {plan.variant}"
    words = f"--version {plan.recipe.version} --dist {plan.root.dist} --arch {plan.arch}{flavor}"
    return f"invoke build {words}"


def finished(plan: Plan, dirs: StepDirs, *, locked: bool = False) -> Built | None:
    """The package in ``dist/``, if it is complete and up to date.

    With ``locked``, the caller holds the package's lock, and an interrupted signing is finished
    first.
    """
    target = destination(plan, dirs.workspace)
    files = [target.with_name(name) for name in plan.file_names]
    for file in files if locked else ():
        statement.finish_interrupted_signing(file)
    if not all(statement.matches(file, key=dirs.keys[PACKAGE]) for file in files):
        return None
    return Built(plan, target, sha256_of(target), target.stat().st_size, fresh=False)


def place_package(plan: Plan, dirs: StepDirs) -> Built:
    """Give the checked package and its sub-packages their final names.

    They go into the same folder, where a repository of that architecture takes packages of no
    architecture from, too. Raises WorkspaceError if they are not what was checked.
    """
    target, rpm_tools = destination(plan, dirs.workspace), {"rpmbuild": rpmbuild.version()}
    package = Artifact(
        plan=plan,
        name=plan.name,
        arch=plan.arch,
        key=dirs.keys[PACKAGE],
        origin=json.loads(dirs.origin("patch").read_text(encoding="utf-8")),
        options=compiler.options(plan),
        tools={**compiler.versions(plan), **rpm_tools},
        files=_regular_files(dirs.unpacked),
    )
    _verify(dirs, "patch", "package", "check")
    artifacts = {plan.file_name: package}
    for planned in plan.subpackages:
        artifacts[planned.file_name] = replace(
            package,
            name=planned.name,
            arch=planned.arch,
            options={},
            tools=rpm_tools,
            files=_regular_files(payload.root(dirs.of_subpackage(planned.name))),
        )
    for name, artifact in artifacts.items():
        _place(artifact, dirs.packages / name, target.with_name(name), dirs.workspace.root)
    return Built(plan, target, sha256_of(target), target.stat().st_size, fresh=True)


def place_source_package(plan: Plan, dirs: StepDirs) -> Path:
    """Give the source package its final name, if it is not up to date there."""
    folder = dirs.folder("srpm")
    files = [folder / f"{plan.name}.spec", *sorted((folder / "sources").iterdir())]
    package = Artifact(
        plan=plan,
        name=plan.name,
        arch="src",
        key=dirs.keys[SOURCE_PACKAGE],
        origin=json.loads(dirs.origin("fetch").read_text(encoding="utf-8")),
        options=plan.options,
        tools={"rpmbuild": rpmbuild.version()},
        files={file.name: file for file in files},
    )
    return _place_alone(
        package, folder / "rpms" / plan.source_name, "source", dirs, "fetch", "srpm"
    )


def place_debuginfo(plan: Plan, dirs: StepDirs) -> Path:
    """Give the package of debug information its final name, if it is not up to date there.

    It has a folder of its own, and so a repository that is only for those who look for a defect.
    """
    folder = dirs.folder("debuginfo")
    package = Artifact(
        plan=plan,
        name=plan.debuginfo.name,
        arch=plan.arch,
        key=dirs.keys[DEBUGINFO],
        origin=json.loads(dirs.origin("patch").read_text(encoding="utf-8")),
        options=compiler.options(plan),
        tools={**compiler.versions(plan), "rpmbuild": rpmbuild.version()},
        files=_regular_files(payload.root(folder / "check")),
    )
    rpm = folder / "package" / "rpms" / plan.debuginfo.file_name
    return _place_alone(package, rpm, debug_folder(plan.arch), dirs, "patch", "debuginfo")


def _place_alone(artifact: Artifact, made: Path, folder: str, dirs: StepDirs, *steps: str) -> Path:
    """Place a package that no other is made with, of the results of ``steps``."""
    workspace = dirs.workspace
    target = workspace.dist / artifact.plan.root.dist / folder / made.name
    with locks.locked(workspace.locks, made.name):
        statement.finish_interrupted_signing(target)
        if not statement.matches(target, key=str(artifact.key)):
            _verify(dirs, *steps)
            _place(artifact, made, target, workspace.root)
    return target


def _verify(dirs: StepDirs, *steps: str) -> None:
    for step in steps:
        contents.verify(dirs.folder(step), dirs.done(step))


def _place(artifact: Artifact, made: Path, target: Path, root: Path) -> None:
    """Place package, bill and statement, in this order: the statement names the other two.

    A signed file with the same content stays in place, with its signature.
    """
    from pipeline.artifact import sbom

    statement_file, bill = statement.accompanying_files(target)
    bill_text = sbom.bill(artifact, root)
    signer = statement.signer(target, made)
    if not signer:
        place(made, target)
    place_text(bill_text, bill)
    content = provenance.statement(artifact, made, bill)
    if signer:
        statement.set_signer(content, sha256_of(target), signer)
    statement.write(content, statement_file)


def _regular_files(root: Path) -> dict[str, Path]:
    """The regular files of an unpacked package, by their installed paths."""
    files = payload.entries(root)
    return {path: file for path, file in files if file.is_file() and not file.is_symlink()}
