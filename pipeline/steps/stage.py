"""The stage step: install below a root of our own, with the modes and times of the package."""

import os
import stat
from pathlib import Path, PurePosixPath

from pipeline.model import Modes, Plan, holds
from pipeline.model.errors import StageError
from pipeline.system import process
from pipeline.system.report import Report
from pipeline.system.workspace import StepDirs
from pipeline.toolchain import cmake, compiler


def inputs(plan: Plan, root: Path) -> object:
    """The modes of files, the library's name, and what the flavor leaves out."""
    return plan.package.modes, plan.recipe.library, plan.flavor


def run(plan: Plan, dirs: StepDirs, report: Report) -> None:
    """Install below a root of our own, with the modes and the time that the package will have."""
    process.run(
        [cmake.program(), "--install", dirs.build],
        log=dirs.log("stage"),
        error=StageError,
        what=f"mimalloc {plan.recipe.version} does not install",
        env={**compiler.environment(plan, dirs.workspace), "DESTDIR": str(dirs.stage)},
    )
    _leave_out(plan, dirs.stage)
    _settle(plan, dirs.stage)


def _leave_out(plan: Plan, root: Path) -> None:
    """Take away what the plain package has under the same names."""
    prefix = root / plan.package.prefix.lstrip("/")
    for file in sorted(prefix.rglob("*"), reverse=True):
        below = PurePosixPath(file.relative_to(prefix).as_posix())
        if file.is_dir() and not file.is_symlink():
            if not any(file.iterdir()):
                file.rmdir()
        elif holds(plan.flavor.omitted, below):
            file.unlink()


def _settle(plan: Plan, root: Path) -> None:
    prefix = PurePosixPath(plan.package.prefix)
    moment = plan.recipe.moment
    for file in sorted(root.rglob("*"), reverse=True):
        installed = PurePosixPath("/", file.relative_to(root).as_posix())
        if not (installed.is_relative_to(prefix) or prefix.is_relative_to(installed)):
            raise StageError("installed out of the prefix", expected=f"{prefix}/...", got=str(file))
        if not file.is_symlink():
            file.chmod(_mode(plan.package.modes, file, installed == plan.library))
        os.utime(file, (moment, moment), follow_symlinks=False)


def _mode(modes: Modes, file: Path, is_library: bool) -> int:
    kind = stat.S_IFMT(file.lstat().st_mode)
    if kind == stat.S_IFDIR:
        return int(modes.folder, 8)
    if kind == stat.S_IFREG:
        return int(modes.library if is_library else modes.file, 8)
    raise StageError("neither a file nor a folder nor a link", got=stat.filemode(kind), file=file)
