"""The allocators that this project knows: their file names, and those that a host may have."""

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
    """An allocator of the host: its library as the loader names it, and its package on Debian."""

    name: str
    library: str
    package: str


@dataclass(frozen=True, slots=True)
class _File:
    allocator: tuple[HostAllocator, ...]


def host_allocators(root: Path) -> tuple[HostAllocator, ...]:
    """The allocators in host.toml, whether or not this host has them."""
    return load(root / FILE, _File).allocator


def library_file(library: str) -> Path:
    """The file that the loader uses for a library's name. Raises HostError where there is none."""
    _, maps, _ = process.attempt(["cat", "/proc/self/maps"], env={"LD_PRELOAD": library})
    stem = re.escape(library.partition(".so")[0])
    match = re.search(rf"/\S*/{stem}\.so\S*$", maps, re.MULTILINE)
    if not match:
        raise HostError(f"no {library} on this host")
    return Path(match[0])
