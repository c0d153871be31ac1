"""The configure step: cmake writes its build folder, and must use every option."""

import re
from pathlib import Path

from pipeline.model import Plan
from pipeline.model.errors import ConfigureError
from pipeline.system import process
from pipeline.system.checksum import digest_of_files
from pipeline.system.report import Report
from pipeline.system.workspace import StepDirs
from pipeline.toolchain import compiler

_IGNORED = r"variables were not used by the project:\s*\n((?:\s*\n|    \S+\n)+)"


def inputs(plan: Plan, root: Path) -> object:
    """Compiler, flags and options; not the dist, so that dists can share the result."""
    return (
        *(compiler.options(plan), plan.compiler, plan.target, plan.processor.name),
        plan.recipe.released,  # upstream compiles its build date in, from SOURCE_DATE_EPOCH
        *(compiler.versions(plan), digest_of_files(compiler.support(plan, root))),
    )


def run(plan: Plan, dirs: StepDirs, report: Report) -> None:
    """Configure the build folder. Raises ConfigureError, also for an option that cmake ignores."""
    version, log = plan.recipe.version, dirs.log("configure")
    toolchain_file = dirs.folder("configure") / "toolchain.cmake"
    toolchain_file.write_text(compiler.toolchain_file(plan), encoding="utf-8")
    env, objects = compiler.environment(plan, dirs.workspace), list[Path]()
    for source in compiler.support(plan, dirs.workspace.root):
        objects.append(dirs.folder("configure") / f"{source.stem}.o")
        argv = [*compiler.command(plan), *compiler.flags(plan).compile, "-fPIC"]
        error = ConfigureError(f"{source.name} does not compile")
        process.run([*argv, "-c", source, "-o", objects[-1]], log=log, error=error, env=env)
    process.run(
        [
            *(compiler.program("cmake"), "-G", "Ninja", "-S", dirs.patched, "-B", dirs.build),
            f"-DCMAKE_MAKE_PROGRAM={compiler.program('ninja')}",
            f"-DCMAKE_TOOLCHAIN_FILE={toolchain_file}",
            *(f"-D{name}={value}" for name, value in compiler.options(plan).items()),
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
