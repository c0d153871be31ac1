"""The configure step: cmake writes its build folder, and may ignore no option."""

import re
from pathlib import Path

from pipeline.model import Plan
from pipeline.model.errors import ConfigureError
from pipeline.system import process
from pipeline.system.checksum import digest_of_files
from pipeline.system.report import Report
from pipeline.system.workspace import StepDirs
from pipeline.toolchain import cmake, compiler


def inputs(plan: Plan, root: Path) -> object:
    """Compiler, flags and options: the C library and not the dist's name, so that dists share it."""
    return (
        *(cmake.options(plan), plan.compiler, plan.target, plan.processor.name),
        # Upstream compiles its build date in, from SOURCE_DATE_EPOCH.
        plan.recipe.released,
        compiler.versions(plan),
        digest_of_files(compiler.support(plan, root)),
    )


def run(plan: Plan, dirs: StepDirs, report: Report) -> None:
    """Let cmake write its build folder. Raises ConfigureError, also for an option it ignored."""
    folder, log = dirs.folder("configure"), dirs.log("configure")
    toolchain_file = folder / "toolchain.cmake"
    toolchain_file.write_text(cmake.toolchain_file(plan), encoding="utf-8")
    linked = _support(plan, dirs)
    process.run(
        [
            *(cmake.program(), "-G", "Ninja", "-S", dirs.patched, "-B", dirs.build),
            f"-DCMAKE_MAKE_PROGRAM={cmake.ninja()}",
            f"-DCMAKE_TOOLCHAIN_FILE={toolchain_file}",
            *(f"-D{name}={value}" for name, value in cmake.options(plan).items()),
            f"-DCMAKE_C_STANDARD_LIBRARIES={' '.join(linked)}",
        ],
        log=log,
        error=ConfigureError,
        what=f"cmake cannot configure mimalloc {plan.recipe.version}",
        env=compiler.environment(plan, dirs.workspace),
        hint="correct the options in the recipe",
    )
    _refuse_ignored(plan, log)


def _support(plan: Plan, dirs: StepDirs) -> list[str]:
    """Compile what the toolchain adds to the library; the answer is quoted for a link line."""
    objects = []
    for source in compiler.support(plan, dirs.workspace.root):
        target = dirs.folder("configure") / f"{source.stem}.o"
        flags = compiler.flags(plan).compile
        process.run(
            [*compiler.command(plan), *flags, "-fPIC", "-c", source, "-o", target],
            log=dirs.log("configure"),
            error=ConfigureError,
            what=f"{source.name} does not compile",
            env=compiler.environment(plan, dirs.workspace),
        )
        objects.append(f'"{target}"')
    return objects


def _refuse_ignored(plan: Plan, log: Path) -> None:
    """An option that upstream has dropped or renamed must not vanish in silence."""
    text = log.read_text(encoding="utf-8", errors="replace")
    told = re.search(r"variables were not used by the project:\s*\n((?:\s*\n|    \S+\n)+)", text)
    if told:
        raise ConfigureError(
            f"mimalloc {plan.recipe.version} does not know {', '.join(told[1].split())}",
            file=log,
            hint=f"take the option out of recipes/{plan.recipe.version}.toml,\n"
            "or out of recipes/package.toml where no release knows it",
        )
