"""The programs that must be on this host: which are there, at which version, what to install."""

import re
import shutil
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from pathlib import Path

from pipeline.model.errors import HostError, RecipeError
from pipeline.system import process

PROGRAMS = Path("buildroot") / "host-programs.txt"

# Python packages of the environment that decide what is built.
PINNED = ("ziglang", "cmake", "ninja", "invoke")

_LIBRARY = re.compile(r"lib\S+\.so\.\d+")


@dataclass(frozen=True, slots=True)
class Program:
    """A program or library, and its package on this host; the path is empty where it is missing.

    ``uses`` says what it is needed for: ``build`` for every task, else see host-programs.txt.
    """

    name: str
    package: str
    uses: tuple[str, ...]
    purpose: str
    path: str
    version: str


def programs(root: Path) -> list[Program]:
    """Every program that we may start, as this host has it."""
    file = root / PROGRAMS
    lines = file.read_text(encoding="utf-8").splitlines()
    return [_program(line, file) for line in lines if line.strip() and not line.startswith("#")]


def pinned() -> dict[str, str]:
    """The versions of the Python packages that decide what is built."""
    return {name: installed_version(name) for name in PINNED}


def _program(line: str, file: Path) -> Program:
    columns = line.split(maxsplit=4)
    if len(columns) != 5:
        raise RecipeError("not a line of five columns", got=line, file=file)
    name, debian, el, uses, purpose = columns
    on_el = not shutil.which("apt-get") and (shutil.which("dnf") or shutil.which("yum"))
    is_library = _LIBRARY.fullmatch(name)
    path = _library_path(name) if is_library else shutil.which(name) or ""
    version = (Path(path).name if is_library else _version(path)) if path else ""
    package = el if on_el else debian
    return Program(name, package, tuple(uses.split(",")), purpose, path, version)


def _library_path(library: str) -> str:
    """The path of a library that the loader finds; empty where it finds none."""
    code, output, _ = process.attempt(["/sbin/ldconfig", "-p"], timeout=10)
    path = re.search(rf"^\s*{re.escape(library)} .*=> (\S+)$", output, re.MULTILINE)
    return path[1] if code == 0 and path else ""


def _version(path: str) -> str:
    """The first number with a dot that the program prints of itself."""
    try:
        code, output, errors = process.attempt([path, "--version"], timeout=10)
        if code != 0:
            code, output, errors = process.attempt([path, "-v"], timeout=10)
    except HostError:  # a program of another machine: it is there, but does not run
        return "?"
    version = re.search(r"\d+(\.\d+)+", output + errors)
    return version[0] if version else "?"
