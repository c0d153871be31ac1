"""What is built: a release, where it comes from, what we change, what all releases share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import PurePosixPath
from typing import Literal

Folders = Literal["owned", "swept"]


def holds(listing: tuple[str, ...], path: PurePosixPath) -> bool:
    """Whether a path is in a listing of files and folders; folders end in a slash."""
    name = str(path)
    return any(name.startswith(e) if e.endswith("/") else name == e for e in listing)


@dataclass(frozen=True, slots=True)
class Source:
    """One place a release can come from, pinned by the checksum of the archive that it hands out.

    Exactly one of ``url``, ``sdist`` (``name==version`` of a Python source distribution) and
    ``debian`` (``name=version`` of a Debian source package) is set.
    """

    sha256: str
    url: str = ""
    sdist: str = ""
    debian: str = ""

    @property
    def kind(self) -> str:
        """The name of the field that is set."""
        return next(kind for kind in ("url", "sdist", "debian") if getattr(self, kind))

    @property
    def reference(self) -> str:
        """Where the archive is, in the language of its kind."""
        return str(getattr(self, self.kind))


@dataclass(frozen=True, slots=True)
class Patch:
    """A change of ours: a file below ``patches/<version>/``, its checksum, and why it is needed.

    ``test`` is the trial that a package without it does not stand, where there is one.
    """

    file: str
    sha256: str
    why: str
    test: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the package's changelog, which ``release`` it came with, and when."""

    release: int
    date: date
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recipe:
    """One release of mimalloc.

    ``released`` is the time of the tagged commit (UTC) and the only time that a package holds.
    ``tree`` is the identity of the files that a build reads, as ``sha256:<hex>``. ``library`` is
    the file name of the shared library. ``folders`` says how a removal leaves no folder behind:
    the package owns them, or sweeps the empty ones in ``%postun``. ``unmarked`` are hardening
    traits that this release is compiled with, but that leave no mark in its library.
    """

    version: str
    line: str
    released: datetime
    soname: str
    library: str
    mi_version: int
    tree: str
    source: tuple[Source, ...]
    changelog: tuple[Change, ...]
    folders: Folders = "owned"
    unmarked: tuple[str, ...] = ()
    cmake: Mapping[str, str] = field(default_factory=dict)
    patch: tuple[Patch, ...] = ()

    @property
    def release(self) -> int:
        """The release number of the package: that of its newest changelog entry."""
        return self.changelog[0].release

    @property
    def moment(self) -> int:
        """``released`` in Unix seconds."""
        return int(self.released.timestamp())


@dataclass(frozen=True, slots=True)
class Default:
    """What ``invoke build`` builds when it is not told."""

    version: str
    dist: str


@dataclass(frozen=True, slots=True)
class Modes:
    """The permission bits of what a package carries, as octal strings."""

    file: str
    folder: str
    library: str


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a source may be: bytes of the download, bytes and entries of what it unpacks to."""

    download: int
    unpacked: int
    entries: int


@dataclass(frozen=True, slots=True)
class Subpackage:
    """The sub-package that switches a service of systemd's on to the library.

    ``suffix`` is what its name ends in; ``summary`` and ``description`` may hold ``{name}`` and
    ``{version}`` of the package with the library. The drop-in is ``file`` in the folder of the
    ``unit`` below ``folder``, that of systemd's vendors.
    """

    suffix: str
    summary: str
    description: str
    unit: str
    folder: str
    file: str
    arch: str


@dataclass(frozen=True, slots=True)
class Flavor:
    """A way to build every release, beside the plain one.

    ``suffix`` is what the names of package and library end in, ``cmake`` the options that make it.
    ``omitted`` are files and folders (with a final slash) below the prefix that it leaves out,
    because those of the plain package have the same names and another content. ``level`` is what
    the library says of itself as its secure level. ``subpackage`` is its sub-package, if it has one.
    """

    level: int = 0
    suffix: str = ""
    cmake: Mapping[str, str] = field(default_factory=dict)
    omitted: tuple[str, ...] = ()
    subpackage: Subpackage | None = None


@dataclass(frozen=True, slots=True)
class Signing:
    """What a signing key must be, so that every dist's rpm can verify with it.

    ``algorithm`` of the key, its size in ``bits``, and the ``digest`` that is signed.
    """

    algorithm: Literal["rsa"]
    bits: int
    digest: Literal["sha256"]


@dataclass(frozen=True, slots=True)
class Provenance:
    """What names our way to build, and the host that does it, in statements about packages.

    Both are URIs; ``upstream`` is the package URL of a release, with ``{version}`` in it.
    """

    build_type: str
    builder: str
    upstream: str


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where releases come from, seen from a version that is not pinned yet.

    All but ``debian`` hold ``{version}``, or what pages of a list are asked by. ``tag`` is the name
    of a release's tag, ``archive`` the URL of its tarball, ``tags`` the URL of the list of tags, a
    page of ``{count}`` at a time. ``sdist`` and ``debian`` are those who package the same tree
    again: ``name==version`` of a Python source distribution, the name of a Debian source package.
    """

    tag: str
    archive: str
    tags: str
    sdist: str = ""
    debian: str = ""


@dataclass(frozen=True, slots=True)
class Package:
    """What all releases share: the names, the places and the promises of the package.

    ``summary`` and ``description`` may hold ``{name}`` and ``{version}``, ``platform`` ``{arch}``.
    ``identity`` lists the files and the folders (with a final slash) of a release that a build
    reads; nothing else is unpacked. ``overrides`` are the symbols that the library must define
    itself.
    """

    name: str
    prefix: str
    libdir: str
    summary: str
    description: str
    url: str
    license: str
    vendor: str
    packager: str
    build_host: str
    platform: str
    identity: tuple[str, ...]
    overrides: tuple[str, ...]
    tls_ceiling: int
    default: Default
    upstream: Upstream
    modes: Modes
    limits: Limits
    signing: Signing
    provenance: Provenance
    cmake: Mapping[str, str]
    macros: Mapping[str, str]
    flavor: Mapping[str, Flavor]

    def reads(self, path: PurePosixPath) -> bool:
        """Whether a build reads this path of a release's tree."""
        return holds(self.identity, path)

    @property
    def libraries(self) -> PurePosixPath:
        """The folder that the shared library is installed in."""
        return PurePosixPath(self.prefix) / self.libdir
