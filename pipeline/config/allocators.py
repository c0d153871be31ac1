"""The allocators of this host that ours are compared with, and where the loader finds them."""

import re
from dataclasses import dataclass
from pathlib import Path

from pipeline.config.toml import load
from pipeline.model.errors import HostError
from pipeline.system import process

# Libraries that are an allocator, ours among them, by the beginning of their names.
ALLOCATORS = re.compile(
    r"lib(mimalloc|jemalloc|tcmalloc|snmalloc|hoard|rpmalloc|mtmalloc|dmalloc)(?![a-z])"
)

FILE = Path("buildroot") / "allocators" / "host.toml"


@dataclass(frozen=True, slots=True)
class HostAllocator:
    """An allocator of the host: the name the loader finds it by, and the package that brings it."""

    name: str
    library: str
    package: str


@dataclass(frozen=True, slots=True)
class _Allocators:
    allocator: tuple[HostAllocator, ...]


def known(root: Path) -> tuple[HostAllocator, ...]:
    """All that are known, whether or not this host has them."""
    return load(root / FILE, _Allocators).allocator


def on_host(library: str) -> Path:
    """The file that the loader finds by a library's name. Raises HostError where it finds none."""
    env = {"LD_PRELOAD": library}
    _, maps, _ = process.attempt(["cat", "/proc/self/maps"], env=env)
    stem = library.partition(".so")[0]
    files = {Path(line.split()[-1]) for line in maps.splitlines() if "/" in line}
    found = sorted(file for file in files if file.name.startswith(f"{stem}.so"))
    if not found:
        raise HostError(f"no {library} on this host")
    return found[0]
