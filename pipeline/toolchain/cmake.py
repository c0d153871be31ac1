"""How cmake is run: it writes a build folder for a tree, and for ours must use every option."""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from pipeline.config import load
from pipeline.model import Flags, Plan
from pipeline.model.errors import ConfigureError
from pipeline.system import process
from pipeline.system.workspace import Workspace
from pipeline.toolchain import compiler

# What is added to upstream's project; CMAKE_PROJECT_INCLUDE in the words of cmake.
LIBRARY = Path("buildroot") / "library.cmake"

_IGNORED = r"variables were not used by the project:\s*\n((?:\s*\n|    \S+\n)+)"


def command(tree: Path, build: Path) -> list[str | Path]:
    """The command that writes a build folder for a tree, to which options can be added."""
    make = f"-DCMAKE_MAKE_PROGRAM={compiler.program('ninja')}"
    return [compiler.program("cmake"), "-G", "Ninja", "-S", tree, "-B", build, make]


def library_options(root: Path, flags: Sequence[str] = ()) -> list[str]:
    """The options that compile the shared library from one file, and with further flags."""
    return [f"-DCMAKE_PROJECT_INCLUDE={root / LIBRARY}", f"-DLIBRARY_FLAGS={';'.join(flags)}"]


def configure(plan: Plan, tree: Path, folder: Path, workspace: Workspace, own: Flags) -> Path:
    """Configure ``folder/build`` for a patched tree and these flags; the answer is that folder.

    The log is ``folder/log``. Raises ConfigureError, also for an option that cmake ignores.
    """
    version, log, build = plan.recipe.version, folder / "log", folder / "build"
    toolchain_file = folder / "toolchain.cmake"
    toolchain_file.write_text(compiler.toolchain_file(plan), encoding="utf-8")
    env, objects = compiler.environment(plan, workspace), list[Path]()
    for source in compiler.support(plan, workspace.root):
        objects.append(folder / f"{source.stem}.o")
        argv = [*compiler.command(plan), *own.compile, "-fPIC", "-c"]
        error = ConfigureError(f"{source.name} does not compile")
        process.run([*argv, source, "-o", objects[-1]], log=log, error=error, env=env, cwd=folder)
    process.run(
        [
            *command(tree, build),
            f"-DCMAKE_TOOLCHAIN_FILE={toolchain_file}",
            *library_options(workspace.root, _profile_flags(plan, folder, workspace.root)),
            *(f"-D{name}={value}" for name, value in compiler.options(plan, own).items()),
            "-DCMAKE_C_STANDARD_LIBRARIES=" + " ".join(f'"{file}"' for file in objects),
        ],
        log=log,
        error=ConfigureError(
            f"cmake cannot configure mimalloc {version}", hint="correct the options in the recipe"
        ),
        env=env,
    )
    # cmake only warns of an option that upstream has dropped or renamed.
    if ignored := re.search(_IGNORED, log.read_text(encoding="utf-8", errors="replace")):
        raise ConfigureError(
            f"mimalloc {version} has no option {', '.join(ignored[1].split())}",
            file=log,
            hint=f"remove it from recipes/{version}.toml,\n"
            "or from recipes/package.toml where no release has it",
        )
    return build


def _profile_flags(plan: Plan, folder: Path, root: Path) -> list[str]:
    """The flags for the plan's profile, copied into a folder.

    Its name there is its checksum: the compiler's own cache knows the names of such files only.
    """
    file = load.profile_file(root, plan)
    if not file:
        return []
    copy = folder / f"{plan.profile.removeprefix('sha256:')}.profdata"
    shutil.copyfile(file, copy)
    return [flag.format(file=copy) for flag in plan.compiler.profile]
