"""The stage step: install below a folder, with the modes and the time of the package."""

import os
import shutil
from pathlib import Path, PurePosixPath

from pipeline.model import Plan, holds
from pipeline.model.errors import StageError
from pipeline.system import process
from pipeline.system.report import Report
from pipeline.system.workspace import StepDirs
from pipeline.toolchain import compiler


def inputs(plan: Plan, root: Path) -> object:
    """The modes of files, the library's name, and what the flavor omits."""
    return plan.package.modes, plan.recipe.library, plan.flavor


def run(plan: Plan, dirs: StepDirs, report: Report) -> None:
    """Install below the stage folder, without empty folders and what the flavor omits.

    The licence's text is put beside that folder: packages have it in folders of their own.
    All gets the modes and the time of the package. Raises StageError, also for a file outside
    of the prefix.
    """
    stage, moment = dirs.stage, plan.recipe.moment
    prefix, modes = PurePosixPath(plan.package.prefix), plan.package.modes
    process.run(
        [compiler.program("cmake"), "--install", dirs.build],
        log=dirs.log("stage"),
        error=StageError(f"mimalloc {plan.recipe.version} does not install"),
        env={**compiler.environment(plan, dirs.workspace), "DESTDIR": str(dirs.stage)},
    )
    for file in sorted(stage.rglob("*"), reverse=True):  # a folder comes after its files
        path = PurePosixPath("/", file.relative_to(stage).as_posix())
        if not (path.is_relative_to(prefix) or prefix.is_relative_to(path)):
            raise StageError("installed out of the prefix", expected=f"{prefix}/...", got=str(file))
        is_folder = file.is_dir() and not file.is_symlink()
        if is_folder and not any(file.iterdir()):
            file.rmdir()
        elif not is_folder and holds(plan.flavor.omitted, path.relative_to(prefix)):
            file.unlink()
        else:
            if not file.is_symlink():
                mode = modes.library if path == plan.library else modes.file
                file.chmod(int(modes.folder if is_folder else mode, 8))
            os.utime(file, (moment, moment), follow_symlinks=False)
    license_file = shutil.copyfile(dirs.patched / "LICENSE", dirs.license)
    license_file.chmod(int(modes.file, 8))
    os.utime(license_file, (moment, moment))
