"""What is built: a release, its sources, our changes to it, and what all releases share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import PurePosixPath
from typing import Literal


def holds(listing: tuple[str, ...], path: PurePosixPath) -> bool:
    """Whether a path is in a listing of files and folders; folders end in a slash."""
    name = str(path)
    return any(name.startswith(e) if e.endswith("/") else name == e for e in listing)


@dataclass(frozen=True, slots=True)
class Source:
    """One source of a release, pinned by the checksum of its archive.

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
        return "url" if self.url else "sdist" if self.sdist else "debian"

    @property
    def reference(self) -> str:
        """The value of the field that is set."""
        return self.url or self.sdist or self.debian


@dataclass(frozen=True, slots=True)
class Patch:
    """A patch of ours: a file below ``patches/<version>/``, its checksum, and its reason.

    ``test`` is the trial that fails without it, if there is one; ``conformance: <rule>`` is one
    rule of a trial.
    """

    file: str
    sha256: str
    why: str
    test: str = ""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A rule of the conformance probe that a release violates by design, and why that stays so.

    ``flavor`` is the only one that violates it; empty for all.
    """

    rule: str
    why: str
    flavor: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the package's changelog, with its release number and its date."""

    release: int
    date: date
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recipe:
    """One release of mimalloc.

    ``released`` is the time of the tagged commit (UTC) and the only time in a package. ``tree`` is
    the checksum of the files that a build reads, as ``sha256:<hex>``. ``library`` is the file name
    of the shared library. ``folders`` says how an erased package leaves no empty folder: it owns
    its folders, or ``%postun`` removes the empty ones. ``unmarked`` are hardening traits that this
    release is compiled with, but that cannot be seen in its library.
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
    folders: Literal["owned", "swept"] = "owned"
    unmarked: tuple[str, ...] = ()
    cmake: Mapping[str, str] = field(default_factory=dict)
    patch: tuple[Patch, ...] = ()
    accepted: tuple[Accepted, ...] = ()

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
    """The version and the dist of ``invoke build`` without options."""

    version: str
    dist: str


@dataclass(frozen=True, slots=True)
class Modes:
    """The permission bits of installed files, as octal strings."""

    file: str
    folder: str
    library: str


@dataclass(frozen=True, slots=True)
class Limits:
    """The size limits of a source: bytes of the download, bytes and entries when unpacked."""

    download: int
    unpacked: int
    entries: int


@dataclass(frozen=True, slots=True)
class Subpackage:
    """The sub-package with a systemd drop-in that preloads the library into a service.

    ``suffix`` is the end of its name. ``summary`` and ``description`` may contain ``{name}`` and
    ``{version}`` of the main package. The drop-in is ``<folder>/<unit>.d/<file>``.
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
    """A variant of every release.

    ``suffix`` is the end of the names of package and library, ``cmake`` are its options.
    ``omitted`` are files and folders (with a final slash) below the prefix that it does not
    package, because they would conflict with those of the plain package. ``level`` is the secure
    level that the library reports.
    """

    level: int = 0
    suffix: str = ""
    cmake: Mapping[str, str] = field(default_factory=dict)
    omitted: tuple[str, ...] = ()
    subpackage: Subpackage | None = None


@dataclass(frozen=True, slots=True)
class Signing:
    """The kind of signing key, its size, and the digest that the rpm of every dist can verify."""

    algorithm: Literal["rsa"]
    bits: int
    digest: Literal["sha256"]


@dataclass(frozen=True, slots=True)
class Provenance:
    """URIs of the build type and the builder in provenance statements.

    ``upstream`` is the package URL of a release; it contains ``{version}``.
    """

    build_type: str
    builder: str
    upstream: str


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where ``invoke bump`` finds a release that is not pinned yet.

    ``tag`` is the name of its tag, ``archive`` the URL of its tarball, ``sdist`` the
    ``name==version`` of a Python source distribution; they contain ``{version}``. ``tags`` is the
    URL of the list of tags, with ``{count}`` and ``{page}``. ``debian`` is a source package.
    """

    tag: str
    archive: str
    tags: str
    sdist: str = ""
    debian: str = ""


@dataclass(frozen=True, slots=True)
class Hooks:
    """The malloc hooks of C libraries older than ``until``: variables that the library defines.

    ``source`` is the C file below ``buildroot/`` that defines the ``exports``.
    """

    until: str
    source: str
    exports: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Package:
    """What all releases share.

    ``summary`` and ``description`` may contain ``{name}`` and ``{version}``, ``platform``
    ``{arch}``. ``identity`` lists the files and the folders (with a final slash) of a release that
    a build reads; nothing else is unpacked. ``overrides`` are symbols that the library must define.
    ``options`` are options of cmake that are left at upstream's default, and why.
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
    hooks: Hooks
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
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def libraries(self) -> PurePosixPath:
        """The folder that the shared library is installed in."""
        return PurePosixPath(self.prefix) / self.libdir
