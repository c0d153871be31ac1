"""The configure step: cmake writes its build folder, and must use every option."""

from pathlib import Path

from pipeline.model import Plan
from pipeline.system.checksum import digest_of_files
from pipeline.system.report import Report
from pipeline.system.workspace import StepDirs
from pipeline.toolchain import cmake, compiler


def inputs(plan: Plan, root: Path) -> object:
    """Compiler, flags and options; not the dist, so that dists can share the result."""
    return (
        *(compiler.options(plan), plan.compiler, plan.target, plan.processor.name),
        plan.recipe.released,  # upstream compiles its build date in, from SOURCE_DATE_EPOCH
        *(compiler.versions(plan), digest_of_files(compiler.support(plan, root))),
        *(plan.profile, digest_of_files([root / cmake.LIBRARY])),
    )


def run(plan: Plan, dirs: StepDirs, report: Report) -> None:
    """Configure the build folder. Raises ConfigureError, also for an option that cmake ignores."""
    folder, own = dirs.folder("configure"), compiler.flags(plan)
    cmake.configure(plan, dirs.patched, folder, dirs.workspace, own)
