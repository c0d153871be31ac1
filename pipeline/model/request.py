"""What the user asks for: which packages, of which source, and how they are built."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class UserSource:
    """A source that the user names instead of the pinned ones.

    ``fingerprint`` is a checksum, a commit or a URL; it contains nothing of this host.
    """

    kind: Literal["archive", "folder", "git", "url"]
    location: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Options:
    """Options of a build that do not change its result.

    ``offline`` forbids the network. ``jobs`` is the number of packages to build at once,
    ``threads`` that of compiler processes for each; 0 means one per core.
    """

    offline: bool = False
    jobs: int = 0
    threads: int = 0


@dataclass(frozen=True, slots=True)
class Selection:
    """The packages that the user means, in the words of the command line.

    All but ``toolchain`` and ``source`` may be comma lists or ``all``. Empty is the default: that
    of ``recipes/package.toml``, this host's architecture, the plain flavor, the pinned sources.
    """

    version: str = ""
    dist: str = ""
    arch: str = ""
    flavor: str = ""
    toolchain: str = "zig"
    source: str = ""
