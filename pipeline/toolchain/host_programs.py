"""The host: the programs that it must have, with versions and packages; what it is, in words."""

import os
import platform
import re
import shutil
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from pathlib import Path

from pipeline.config.allocators import library_file
from pipeline.model.errors import HostError, RecipeError
from pipeline.system import process

PROGRAMS = Path("buildroot") / "host-programs.txt"

# The load average from which on other programs disturb a measurement.
_BUSY = 0.5

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
    return {name: installed_version(name) for name in ("ziglang", "cmake", "ninja", "invoke")}


def description() -> list[str]:
    """Processor, memory, system and tools; and a warning where other programs keep it busy."""
    load = os.getloadavg()[0]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = re.search(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    system = platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    paths = {name: shutil.which(name) for name in ("rpmbuild", "gcc", "valgrind")}
    tools = pinned() | {name: _version(path) for name, path in paths.items() if path}
    lines = [
        f"{model[1] if model else platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB, "
        f"{system}, Linux {platform.release().partition('-')[0]}, "
        f"{' '.join(platform.libc_ver())}, Python {platform.python_version()}",
        ", ".join(f"{name} {version}" for name, version in tools.items()),
    ]
    if load > _BUSY:
        lines.append(f"THE MACHINE IS BUSY: a load of {load:.1f} before anything was measured")
    return lines


def _program(line: str, file: Path) -> Program:
    columns = line.split(maxsplit=4)
    if len(columns) != 5:
        raise RecipeError("not a line of five columns", got=line, file=file)
    name, debian, el, uses, purpose = columns
    on_el = not shutil.which("apt-get") and (shutil.which("dnf") or shutil.which("yum"))
    path, version = shutil.which(name) or "", ""
    if _LIBRARY.fullmatch(name):
        with suppress(HostError):
            file = library_file(name)
            path, version = str(file), file.name
    elif path:
        version = _version(path)
    package = el if on_el else debian
    return Program(name, package, tuple(uses.split(",")), purpose, path, version)


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
