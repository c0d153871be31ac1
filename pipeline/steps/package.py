"""The package step: let rpmbuild wrap up the staged files."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from pipeline.model import Plan, PlannedSubpackage
from pipeline.model.errors import PackageError
from pipeline.system.report import Report
from pipeline.system.workspace import StepDirs, place
from pipeline.toolchain import rpmbuild, spec

_MODE = ("-bb", "--with", "prebuilt")


def inputs(plan: Plan, root: Path) -> object:
    """The whole plan, rpmbuild, and the texts that the spec is made from."""
    plan = replace(plan, user_source=None)
    return plan, rpmbuild.version(), spec.templates_digest(root), rpmbuild.attributes_digest(root)


def run(plan: Plan, dirs: StepDirs, report: Report) -> None:
    """Write the RPMs into the step's room. Raises PackageError with rpmbuild's last lines."""
    folder, root = dirs.folder("package"), dirs.workspace.root
    text = spec.render(plan, root, spec.staged(plan, dirs.stage), plan.options)
    file = _written(text, folder, plan)
    places = {"_rpmdir": dirs.packages, "staged": dirs.stage}
    with ThreadPoolExecutor(1) as pool:
        subpackage = plan.subpackage
        beside = pool.submit(_switch, plan, subpackage, dirs, text) if subpackage else None
        rpmbuild.run(_MODE, file, plan, root, places, dirs.log("package"))
        _there(dirs.packages / plan.file_name, dirs.log("package"))
        if beside and subpackage:
            place(beside.result(), dirs.packages / subpackage.file_name)


def _switch(plan: Plan, subpackage: PlannedSubpackage, dirs: StepDirs, text: str) -> Path:
    """The sub-package, packed on a platform of no machine.

    rpm writes one platform into all that it packs at once, and a number of the machine before it:
    so a package for all machines would differ from one to the other.
    """
    folder = dirs.folder("package") / "switch"
    folder.mkdir()
    places = {"_rpmdir": folder / "rpms", "staged": dirs.stage}
    platform = plan.package.platform.format(arch=subpackage.arch)
    file, log = _written(text, folder, plan), folder / "log"
    first = replace(plan, arch=next(iter(plan.root.machine)))
    rpmbuild.run(_MODE, file, first, dirs.workspace.root, places, log, platform=platform)
    return _there(folder / "rpms" / subpackage.file_name, log)


def _there(rpm: Path, log: Path) -> Path:
    """A package that was written: a wrapper in rpmbuild's place may have left that out."""
    if not rpm.is_file():
        raise PackageError(f"rpmbuild has not written {rpm.name}", file=log, hint="invoke doctor")
    return rpm


def _written(text: str, folder: Path, plan: Plan) -> Path:
    file = folder / f"{plan.name}.spec"
    file.write_text(text, encoding="utf-8")
    return file
