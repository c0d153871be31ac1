"""The compiler of a plan: command, flags, environment, version; and how cmake gets all that."""

import os
import shlex
import shutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path, PurePosixPath

from pipeline.config import load
from pipeline.model import Flags, Plan
from pipeline.model.errors import ConfigureError, HostError, RecipeError
from pipeline.system import owners, process
from pipeline.system.workspace import Workspace

# Names of the host's own compiler, the preferred first.
_NATIVE = ("gcc", "clang", "cc")


def command(plan: Plan) -> tuple[str, ...]:
    """The program of the compiler, and the arguments that it always gets."""
    if not plan.compiler.target:
        return (_native(), *plan.compiler.options)
    return (str(program("zig")), "cc", "-target", plan.target, *plan.compiler.options)


def flags(plan: Plan) -> Flags:
    """All flags of a plan: the compiler's own, the instruction set's, the build root's."""
    isa = Flags(compile=plan.compiler.isa[plan.machine.isa])
    parts = (plan.compiler.flags, isa, plan.root.flags, plan.machine.flags)
    return Flags(
        compile=tuple(flag for part in parts for flag in part.compile),
        link=tuple(flag for part in parts for flag in part.link),
    )


def debug_flags(plan: Plan, folders: Mapping[Path, PurePosixPath], build_id: str) -> Flags:
    """The flags that make the same library, with this build-id, and with debug information.

    In it, ``folders`` of this host have the names that they are mapped to.
    """
    own, debug = flags(plan), plan.compiler.debug
    compile, link = (
        [word for flag in part for word in debug.get(flag, (flag,))]
        for part in (own.compile, own.link)
    )
    compile += [f"-fdebug-prefix-map={folder}={name}" for folder, name in folders.items()]
    return Flags(tuple(compile), (*link, f"-Wl,--build-id=0x{build_id}"))


def support(plan: Plan, root: Path) -> list[Path]:
    """The C files that are added to the library: the toolchain's, and that of the malloc hooks.

    Raises RecipeError for a missing one.
    """
    folder = root / "buildroot" / "toolchains" / plan.compiler.name
    files = [*(folder / name for name in plan.compiler.support), *load.hooks(root, plan)]
    if missing := [file for file in files if not file.is_file()]:
        raise RecipeError("no such file, which is linked into the library", file=missing[0])
    return files


def environment(plan: Plan, workspace: Workspace) -> Mapping[str, str]:
    """The environment variables of the compiler and of cmake."""
    name = Path("zig", _installed("ziglang"))
    folder = str((workspace.cache if _is_own(workspace.cache / name) else workspace.work) / name)
    return {
        "SOURCE_DATE_EPOCH": str(plan.recipe.moment),
        "ZIG_GLOBAL_CACHE_DIR": folder,
        "ZIG_LOCAL_CACHE_DIR": folder,
    }


def _is_own(cache: Path) -> bool:
    """Whether this user can write to the compiler's cache that checkouts share, and no other can.

    The compiler links what it finds there: who can change it decides what a library does.
    """
    chain = [cache, *cache.parents[:3]]  # the version, the compiler, the layout, all of the cache
    existing = next(folder for folder in (*chain, *cache.parents) if folder.exists())
    folders = [folder for folder in (*chain, *cache.glob("*/")) if folder.is_dir()]
    return os.access(existing, os.W_OK) and not any(map(owners.others, folders))


def versions(plan: Plan) -> dict[str, str]:
    """The versions of the tools that decide what is compiled, by name."""
    tools = {name: _installed(name) for name in ("cmake", "ninja")}
    if plan.compiler.target:
        return {"zig": _installed("ziglang"), **tools}
    error = ConfigureError(f"{_native()} does not print its version")
    output = process.read([_native(), "--version"], error=error)
    return {Path(_native()).name: output.splitlines()[0], **tools}


def program(name: str) -> Path:
    """The path of zig, cmake or ninja in its Python package, to be started by itself."""
    import cmake
    import ninja
    import ziglang

    zig = str(Path(ziglang.__file__).parent)
    return Path({"cmake": cmake.CMAKE_BIN_DIR, "ninja": ninja.BIN_DIR, "zig": zig}[name], name)


def options(plan: Plan, own: Flags | None = None) -> dict[str, str]:
    """All -D options of a plan, as ``NAME`` or ``NAME:TYPE`` to value, with its flags or others."""
    own = own or flags(plan)
    return {
        "CMAKE_C_FLAGS": shlex.join(own.compile),
        # Without an optimisation level: it would override that of the toolchain.
        "CMAKE_C_FLAGS_RELEASE": "-DNDEBUG",
        "CMAKE_SHARED_LINKER_FLAGS": shlex.join(own.link),
        **plan.options,
    }


def toolchain_file(plan: Plan) -> str:
    """The text of cmake's toolchain file: the compiler, and no use of the host's libraries."""
    words = " ".join(map(_quoted, command(plan)))
    # Nothing in C++ is compiled but cmake's test of the compiler. For that, zig's C++ driver would
    # build a whole libc++, and zig without -O a sanitizer's runtime.
    text = f"""\
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR {plan.processor.name})
set(CMAKE_C_COMPILER {words})
set(CMAKE_CXX_COMPILER {words})
set(CMAKE_CXX_FLAGS_INIT {_quoted(" ".join(flags(plan).compile))})
set(CMAKE_FIND_ROOT_PATH "${{CMAKE_CURRENT_LIST_DIR}}/no-such-folder")
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
"""
    if plan.compiler.target:
        text += f"""\
set(CMAKE_AR {_quoted(str(program("zig")))})
set(CMAKE_C_ARCHIVE_CREATE "<CMAKE_AR> ar qcD <TARGET> <LINK_FLAGS> <OBJECTS>")
set(CMAKE_C_ARCHIVE_FINISH "")
"""
    return text


def _quoted(word: str) -> str:
    """A cmake argument without special characters."""
    return f"[==[{word}]==]"


@cache
def _installed(name: str) -> str:
    """The version of a Python package, which takes longer to find out than a key to make."""
    from importlib.metadata import version

    return version(name)


@cache
def _native() -> str:
    path = next((path for name in _NATIVE if (path := shutil.which(name))), None)
    if not path:
        raise HostError("no compiler on this host", expected=" or ".join(_NATIVE))
    return path
