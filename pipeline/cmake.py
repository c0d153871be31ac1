"""The configure, compile and stage steps: from the patched tree to what a package will hold."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path, PurePosixPath

from pipeline import process, toolchain
from pipeline.errors import CompileError, ConfigureError, StageError
from pipeline.model import Modes, Plan, holds
from pipeline.report import Report
from pipeline.workspace import Site

# The object file that all of mimalloc is in, as upstream's CMakeLists has it built.
_UNITY = re.compile(r"^build (CMakeFiles/mimalloc-obj\.dir/\S+\.o):", re.MULTILINE)

# Longer than the chain from any other file to a finished library.
_CHAIN = tuple(f"waits-{number}" for number in range(6))


def options(plan: Plan) -> dict[str, str]:
    """All -D options of a plan, as ``NAME`` or ``NAME:TYPE`` to value."""
    flags = toolchain.flags(plan)
    return {
        "CMAKE_C_FLAGS": " ".join(flags.compile),
        # The optimisation is the toolchain's matter; a second one here would overrule it.
        "CMAKE_C_FLAGS_RELEASE": "-DNDEBUG",
        "CMAKE_SHARED_LINKER_FLAGS": " ".join(flags.link),
        **plan.options,
    }


def configure(plan: Plan, site: Site, report: Report) -> None:
    """Let cmake write its build folder. Raises ConfigureError, also for an option it ignored."""
    room, log = site.room("configure"), site.log("configure")
    toolchain_file = room / "toolchain.cmake"
    toolchain_file.write_text(toolchain.cmake_file(plan), encoding="utf-8")
    linked = _support(plan, site)
    process.run(
        [
            *(toolchain.cmake(), "-G", "Ninja", "-S", site.patched, "-B", site.build),
            f"-DCMAKE_MAKE_PROGRAM={toolchain.ninja()}",
            f"-DCMAKE_TOOLCHAIN_FILE={toolchain_file}",
            *(f"-D{name}={value}" for name, value in options(plan).items()),
            f"-DCMAKE_C_STANDARD_LIBRARIES={' '.join(linked)}",
        ],
        log=log,
        error=ConfigureError,
        what=f"cmake cannot configure mimalloc {plan.recipe.version}",
        env=toolchain.environment(plan, site.workspace),
        hint="correct the options in the recipe",
    )
    _refuse_ignored(plan, log)


def _support(plan: Plan, site: Site) -> list[str]:
    """Compile what the toolchain adds to the library; the answer is quoted for a link line."""
    objects = []
    for source in toolchain.support(plan, site.workspace.root):
        target = site.room("configure") / f"{source.stem}.o"
        flags = toolchain.flags(plan).compile
        process.run(
            [*toolchain.command(plan), *flags, "-fPIC", "-c", source, "-o", target],
            log=site.log("configure"),
            error=ConfigureError,
            what=f"{source.name} does not compile",
            env=toolchain.environment(plan, site.workspace),
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


def compile(plan: Plan, site: Site, report: Report) -> None:
    """Compile and link in the build folder. Raises CompileError with the compiler's last lines."""
    first = _begin_with_the_longest(site.build / "build.ninja")
    process.run(
        [toolchain.ninja(), "-C", site.build, f"-j{site.threads}", "all", *first],
        log=site.log("compile"),
        error=CompileError,
        what=f"mimalloc {plan.recipe.version} does not compile",
        env=toolchain.environment(plan, site.workspace),
        telling=r"\berror:|undefined symbol|^ninja: ",
        hint="read the log; if a patch or an option of ours is to blame, correct it there",
    )


def _begin_with_the_longest(rules: Path) -> tuple[str, ...]:
    """Have ninja begin with the object file that all of mimalloc is in; the answer is its target.

    It takes as long as a third of the rest, and comes last otherwise, alone on one core. ninja
    begins with what the longest chain waits for, so we add a chain that does nothing.
    """
    text = rules.read_text(encoding="utf-8") if rules.is_file() else ""
    found = _UNITY.search(text)
    if not found or _CHAIN[0] in text:
        return _CHAIN[-1:] if found else ()
    waits = zip(_CHAIN, (found[1], *_CHAIN), strict=False)
    chain = [f"build {name}: wait {before}\n" for name, before in waits]
    rules.write_text(f"{text}\nrule wait\n  command = true\n{''.join(chain)}", encoding="utf-8")
    return _CHAIN[-1:]


def stage(plan: Plan, site: Site, report: Report) -> None:
    """Install below a root of our own, with the modes and the time that the package will have."""
    process.run(
        [toolchain.cmake(), "--install", site.build],
        log=site.log("stage"),
        error=StageError,
        what=f"mimalloc {plan.recipe.version} does not install",
        env={**toolchain.environment(plan, site.workspace), "DESTDIR": str(site.stage)},
    )
    _leave_out(plan, site.stage)
    _settle(plan, site.stage)


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
