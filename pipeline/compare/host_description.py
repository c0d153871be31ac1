"""The host that is measured on, in two lines, without its name; a third where it is busy."""

import os
import platform
import re
from importlib.metadata import version
from pathlib import Path

from pipeline.system import process
from pipeline.toolchain import rpmbuild

_BUSY = 0.5


def lines() -> list[str]:
    """Processor, memory, system and tools; and a warning where other programs keep it busy."""
    load = os.getloadavg()[0]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = re.search(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    system = platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    tools = [f"{name} {version(name)}" for name in ("ziglang", "cmake", "ninja", "invoke")]
    tools += [f"rpmbuild {rpmbuild.version()}", *filter(None, map(_tool, ("gcc", "valgrind")))]
    description = [
        f"{model[1] if model else platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB, "
        f"{system}, Linux {platform.release().partition('-')[0]}, "
        f"{' '.join(platform.libc_ver())}, Python {platform.python_version()}",
        ", ".join(tools),
    ]
    if load > _BUSY:
        description.append(
            f"THE MACHINE IS BUSY: a load of {load:.1f} before anything was measured"
        )
    return description


def _tool(program: str) -> str:
    """A program and the version in its first line; empty where the host has no such program."""
    code, output, _ = process.attempt(["env", program, "--version"])
    numbers = re.findall(r"\d+(?:\.\d+)+", output.partition("\n")[0]) if code == 0 else []
    return f"{program} {numbers[-1]}" if numbers else ""
