"""cmake and ninja: their programs, the toolchain file, the options of a plan."""

from pathlib import Path

from pipeline.model import Plan
from pipeline.toolchain import compiler


def toolchain_file(plan: Plan) -> str:
    """The text of cmake's toolchain file: the compiler, and no look at the host's libraries."""
    command = " ".join(_quoted(word) for word in compiler.command(plan))
    lines = [
        "set(CMAKE_SYSTEM_NAME Linux)",
        f"set(CMAKE_SYSTEM_PROCESSOR {plan.processor.name})",
        f"set(CMAKE_C_COMPILER {command})",
        # Nothing in C++ is compiled; zig's own C++ driver would build a whole libc++ for a probe.
        f"set(CMAKE_CXX_COMPILER {command})",
        'set(CMAKE_FIND_ROOT_PATH "${CMAKE_CURRENT_LIST_DIR}/no-such-folder")',
        *(f"set(CMAKE_FIND_ROOT_PATH_MODE_{kind} ONLY)" for kind in ("LIBRARY", "INCLUDE")),
    ]
    if plan.compiler.target:
        lines += [
            f"set(CMAKE_AR {_quoted(str(compiler.zig()))})",
            'set(CMAKE_C_ARCHIVE_CREATE "<CMAKE_AR> ar qcD <TARGET> <LINK_FLAGS> <OBJECTS>")',
            'set(CMAKE_C_ARCHIVE_FINISH "")',
        ]
    return "\n".join(lines) + "\n"


def program() -> Path:
    """cmake out of its Python package."""
    import cmake as package

    return Path(package.CMAKE_BIN_DIR) / "cmake"


def ninja() -> Path:
    """ninja out of its Python package."""
    import ninja as package

    return Path(package.BIN_DIR) / "ninja"


def _quoted(word: str) -> str:
    """A cmake argument in which nothing is special."""
    return f"[==[{word}]==]"


def options(plan: Plan) -> dict[str, str]:
    """All -D options of a plan, as ``NAME`` or ``NAME:TYPE`` to value."""
    flags = compiler.flags(plan)
    return {
        "CMAKE_C_FLAGS": " ".join(flags.compile),
        # The optimisation is the toolchain's matter; a second one here would overrule it.
        "CMAKE_C_FLAGS_RELEASE": "-DNDEBUG",
        "CMAKE_SHARED_LINKER_FLAGS": " ".join(flags.link),
        **plan.options,
    }
