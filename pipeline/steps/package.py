"""The package step: rpmbuild packs the staged files."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from pipeline.model import Plan
from pipeline.system.report import Report
from pipeline.system.workspace import StepDirs, place
from pipeline.toolchain import rpmbuild, spec


def inputs(plan: Plan, root: Path) -> object:
    """The whole plan, rpmbuild, and the files that it reads."""
    return replace(plan, user_source=None), rpmbuild.inputs(root)


def run(plan: Plan, dirs: StepDirs, report: Report) -> None:
    """Write the RPMs into the step directory. Raises PackageError with rpmbuild's last lines."""
    folder, root = dirs.folder("package"), dirs.workspace.root
    text = spec.render(plan, root, spec.staged(dirs.stage))
    macros = {"staged": str(dirs.stage)}
    build = rpmbuild.Build(plan, folder, text, plan.file_name, rpmbuild.STAGED, macros)
    with ThreadPoolExecutor(1) as pool:
        subpackage = pool.submit(_pack_subpackage, build, root)
        rpmbuild.run(build, root)
    if rpm := subpackage.result():
        place(rpm, dirs.packages / rpm.name)


def _pack_subpackage(build: rpmbuild.Build, root: Path) -> Path | None:
    """The sub-package, if there is one, packed for a platform without a machine.

    rpm writes the platform, and a number of the machine, into all that it packs at once. So the
    sub-package that it packs with the package differs from machine to machine. This one does not.
    """
    plan, subpackage = build.plan, build.plan.subpackage
    if subpackage is None:
        return None
    platform = plan.package.platform.format(arch=subpackage.arch)
    return rpmbuild.run(
        replace(
            build,
            plan=rpmbuild.for_first_machine(plan),
            folder=build.folder / "subpackage",
            result=subpackage.file_name,
            macros={**build.macros, "_target_platform": platform},
        ),
        root,
    )
