"""cmake and ninja: their programs, the toolchain file, the options of a plan."""

from pathlib import Path

from pipeline.model import Plan
from pipeline.toolchain import compiler


def toolchain_file(plan: Plan) -> str:
    """The text of cmake's toolchain file: the compiler, and no use of the host's libraries."""
    command = " ".join(_quoted(word) for word in compiler.command(plan))
    # Nothing in C++ is compiled; zig's own C++ driver would build a whole libc++ for cmake's test.
    text = f"""\
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR {plan.processor.name})
set(CMAKE_C_COMPILER {command})
set(CMAKE_CXX_COMPILER {command})
set(CMAKE_FIND_ROOT_PATH "${{CMAKE_CURRENT_LIST_DIR}}/no-such-folder")
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
"""
    if plan.compiler.target:
        text += f"""\
set(CMAKE_AR {_quoted(str(compiler.zig()))})
set(CMAKE_C_ARCHIVE_CREATE "<CMAKE_AR> ar qcD <TARGET> <LINK_FLAGS> <OBJECTS>")
set(CMAKE_C_ARCHIVE_FINISH "")
"""
    return text


def _quoted(word: str) -> str:
    """A cmake argument without special characters."""
    return f"[==[{word}]==]"


def program() -> Path:
    """The path of cmake in its Python package."""
    import cmake as package

    return Path(package.CMAKE_BIN_DIR) / "cmake"


def ninja() -> Path:
    """The path of ninja in its Python package."""
    import ninja as package

    return Path(package.BIN_DIR) / "ninja"


def options(plan: Plan) -> dict[str, str]:
    """All -D options of a plan, as ``NAME`` or ``NAME:TYPE`` to value."""
    flags = compiler.flags(plan)
    return {
        "CMAKE_C_FLAGS": " ".join(flags.compile),
        # Without an optimisation level: it would override that of the toolchain.
        "CMAKE_C_FLAGS_RELEASE": "-DNDEBUG",
        "CMAKE_SHARED_LINKER_FLAGS": " ".join(flags.link),
        **plan.options,
    }
