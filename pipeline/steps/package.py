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
    return replace(plan, user_source=None), rpmbuild.inputs(plan, root)


def run(plan: Plan, dirs: StepDirs, report: Report) -> None:
    """Write the RPMs into the step directory. Raises PackageError with rpmbuild's last lines."""
    root, folder = dirs.workspace.root, dirs.folder("package")
    sources = folder / "sources"
    sources.mkdir()
    spec.write_sources(plan, root, sources)
    text = spec.render(plan, root, spec.staged(dirs.stage))
    folders = {"staged": dirs.stage, "staged_license": dirs.license, "_sourcedir": sources}
    macros = {name: str(path) for name, path in folders.items()}
    subpackages = plan.subpackages
    with ThreadPoolExecutor(1) as pool:
        if subpackages:
            # rpm writes the platform, and a number of the machine, into all that it packs at once.
            # Packed by themselves, sub-packages are the same for all machines.
            platform = plan.package.platform.format(arch=subpackages[0].arch)
            settings = (text, subpackages[0].file_name, {**macros, "_target_platform": platform})
            first = rpmbuild.for_first_machine(plan)
            packed = pool.submit(rpmbuild.run, first, root, folder / "subpackages", *settings)
        rpmbuild.run(plan, root, folder, text, plan.file_name, macros)
    for subpackage in subpackages:
        place(packed.result().with_name(subpackage.file_name), dirs.packages / subpackage.file_name)
