"""Which compiler, for which floor: its command, its flags, its environment, its cmake file."""

import os
import shutil
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version as installed_version
from pathlib import Path

from pipeline.model import Flags, Plan
from pipeline.model.errors import ConfigureError, HostError
from pipeline.system import process
from pipeline.system.workspace import Workspace

# Names of the host's own compiler, the preferred first.
_NATIVE = ("gcc", "clang", "cc")


def command(plan: Plan) -> tuple[str, ...]:
    """The compiler as an argument list: the program and what it must always be given."""
    if not plan.compiler.target:
        return (_native(),)
    return (str(zig()), "cc", "-target", plan.target)


def flags(plan: Plan) -> Flags:
    """All flags of a plan: the compiler's own, the instruction set's, the build root's."""
    parts = (
        plan.compiler.flags,
        Flags(compile=plan.compiler.isa[plan.machine.isa]),
        plan.root.flags,
        plan.machine.flags,
    )
    return Flags(
        compile=tuple(flag for part in parts for flag in part.compile),
        link=tuple(flag for part in parts for flag in part.link),
    )


def support(plan: Plan, root: Path) -> list[Path]:
    """The C files that the toolchain adds to the library."""
    folder = root / "buildroot" / "toolchains" / plan.compiler.name
    return [folder / name for name in plan.compiler.support]


def environment(plan: Plan, workspace: Workspace) -> Mapping[str, str]:
    """What the compiler and cmake must find in their environment."""
    zig_cache = str(_kept(workspace))
    return {
        "SOURCE_DATE_EPOCH": str(plan.recipe.moment),
        "ZIG_GLOBAL_CACHE_DIR": zig_cache,
        "ZIG_LOCAL_CACHE_DIR": zig_cache,
    }


def _kept(workspace: Workspace) -> Path:
    """Where zig keeps what it has compiled: in the cache, where we may write to that."""
    name = Path("zig", installed_version("ziglang"))
    folder = workspace.cache / name
    nearest = next(each for each in (folder, *folder.parents) if each.exists())
    return folder if os.access(nearest, os.W_OK) else workspace.work / name


def versions(plan: Plan) -> dict[str, str]:
    """The versions of the tools that decide what is compiled, by name."""
    found = {name: installed_version(name) for name in ("cmake", "ninja")}
    if plan.compiler.target:
        return {"zig": installed_version("ziglang"), **found}
    return {Path(_native()).name: _native_version(_native()), **found}


def zig() -> Path:
    """The compiler out of its Python package, without the interpreter in between."""
    import ziglang

    return Path(ziglang.__file__).parent / "zig"


@cache
def _native() -> str:
    found = next((path for name in _NATIVE if (path := shutil.which(name))), None)
    if not found:
        raise HostError("no compiler on this host", expected=" or ".join(_NATIVE))
    return found


@cache
def _native_version(compiler: str) -> str:
    text = process.read(
        [compiler, "--version"], error=ConfigureError, what=f"{compiler} does not tell its version"
    )
    return text.splitlines()[0]
