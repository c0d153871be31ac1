"""The compiler of a plan: its command, its flags, its environment, its version."""

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
    """The program of the compiler, and the arguments that it always gets."""
    if not plan.compiler.target:
        return (_native(),)
    return (str(zig()), "cc", "-target", plan.target)


def flags(plan: Plan) -> Flags:
    """All flags of a plan: the compiler's own, the instruction set's, the build root's."""
    isa = Flags(compile=plan.compiler.isa[plan.machine.isa])
    parts = (plan.compiler.flags, isa, plan.root.flags, plan.machine.flags)
    return Flags(
        compile=tuple(flag for part in parts for flag in part.compile),
        link=tuple(flag for part in parts for flag in part.link),
    )


def support(plan: Plan, root: Path) -> list[Path]:
    """The C files that the toolchain adds to the library."""
    folder = root / "buildroot" / "toolchains" / plan.compiler.name
    return [folder / name for name in plan.compiler.support]


def environment(plan: Plan, workspace: Workspace) -> Mapping[str, str]:
    """The environment variables of the compiler and of cmake."""
    name = Path("zig", installed_version("ziglang"))
    cache = workspace.cache / name
    # Another user's cache may be read-only.
    existing = next(folder for folder in (cache, *cache.parents) if folder.exists())
    folder = str(cache if os.access(existing, os.W_OK) else workspace.work / name)
    return {
        "SOURCE_DATE_EPOCH": str(plan.recipe.moment),
        "ZIG_GLOBAL_CACHE_DIR": folder,
        "ZIG_LOCAL_CACHE_DIR": folder,
    }


def versions(plan: Plan) -> dict[str, str]:
    """The versions of the tools that decide what is compiled, by name."""
    tools = {name: installed_version(name) for name in ("cmake", "ninja")}
    if plan.compiler.target:
        return {"zig": installed_version("ziglang"), **tools}
    return {Path(_native()).name: _native_version(_native()), **tools}


def zig() -> Path:
    """The compiler in its Python package, started without an interpreter."""
    import ziglang

    return Path(ziglang.__file__).parent / "zig"


@cache
def _native() -> str:
    path = next((path for name in _NATIVE if (path := shutil.which(name))), None)
    if not path:
        raise HostError("no compiler on this host", expected=" or ".join(_NATIVE))
    return path


@cache
def _native_version(compiler: str) -> str:
    what = f"{compiler} does not print its version"
    return process.read([compiler, "--version"], error=ConfigureError(what)).splitlines()[0]
