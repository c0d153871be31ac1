"""The programs that must be on this host: which are there, at which version, what to install."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from pathlib import Path

from pipeline.model.errors import HostError, RecipeError
from pipeline.system import process

PROGRAMS = Path("buildroot") / "host-programs.txt"

# What comes with the Python environment, pinned, and decides what is built.
PINNED = ("ziglang", "cmake", "ninja", "invoke", "nox")

_LIBRARY = re.compile(r"lib\S+\.so\.\d+")
_FAMILIES = {"apt-get": 1, "dnf": 2, "yum": 2}


@dataclass(frozen=True, slots=True)
class Program:
    """A program, the package that brings it on this host, and whether we can do without it."""

    name: str
    package: str
    need: str
    purpose: str
    path: str
    version: str

    @property
    def missing(self) -> bool:
        """Whether it is not on this host."""
        return not self.path


def programs(root: Path) -> list[Program]:
    """Every program that we may start, as this host has it."""
    return list(_programs(root / PROGRAMS))


def pinned() -> dict[str, str]:
    """The versions of what the environment pins."""
    return {name: installed_version(name) for name in PINNED}


def _programs(file: Path) -> Iterator[Program]:
    column = next((i for name, i in _FAMILIES.items() if shutil.which(name)), 1)
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        words = line.split(maxsplit=4)
        if len(words) != 5:
            raise RecipeError("not a line of five columns", got=line, file=file)
        library = _LIBRARY.fullmatch(words[0])
        path = _loaded(words[0]) if library else shutil.which(words[0]) or ""
        version = (Path(path).name if library else _version(path)) if path else ""
        yield Program(words[0], words[column], words[3], words[4], path, version)


def _loaded(library: str) -> str:
    """Where the loader finds a library; empty where it finds none."""
    code, output, _ = process.attempt(["/sbin/ldconfig", "-p"], timeout=10)
    found = re.search(rf"^\s*{re.escape(library)} .*=> (\S+)$", output, re.MULTILINE)
    return found[1] if code == 0 and found else ""


def _version(path: str) -> str:
    """The first number with a dot that the program prints of itself."""
    try:
        code, output, complaint = process.attempt([path, "--version"], timeout=10)
        if code != 0:
            code, output, complaint = process.attempt([path, "-v"], timeout=10)
    except HostError:  # a program of another machine: it is there, and that is all we ask
        return "?"
    found = re.search(r"\d+(\.\d+)+", output + complaint)
    return found[0] if found else "?"
