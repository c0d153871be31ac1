"""What the figures were measured on, in one line, without a name of the machine."""

import os
import platform
import re
from importlib.metadata import version
from pathlib import Path

from pipeline.system import process
from pipeline.toolchain import rpmbuild

_BUSY = 0.5


def lines() -> list[str]:
    """Processor, memory, system and tools; and a warning where others are at work."""
    cores, load = os.cpu_count() or 1, os.getloadavg()[0]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    tools = [f"{name} {version(name)}" for name in ("ziglang", "cmake", "ninja", "invoke")]
    tools += [f"rpmbuild {rpmbuild.version()}", *filter(None, map(_told, ("gcc", "valgrind")))]
    shown = [
        f"{_processor()}, {cores} cores, {memory:.0f} GiB, {_system()}, "
        f"Linux {platform.release().partition('-')[0]}, {' '.join(platform.libc_ver())}, "
        f"Python {platform.python_version()}",
        ", ".join(tools),
    ]
    if load > _BUSY:
        shown.append(f"THE MACHINE IS BUSY: a load of {load:.1f} before anything was measured")
    return shown


def _processor() -> str:
    told = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    found = re.search(r"^model name\s*:\s*(.+)$", told, re.MULTILINE)
    return found[1] if found else platform.machine()


def _system() -> str:
    return platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")


def _told(program: str) -> str:
    """The program and the version in its first line; nothing where there is no such program."""
    code, output, _ = process.attempt(["env", program, "--version"])
    found = re.findall(r"\d+(?:\.\d+)+", output.partition("\n")[0]) if code == 0 else []
    return f"{program} {found[-1]}" if found else ""
