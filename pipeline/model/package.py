"""What all releases share: the metadata, the flavors and the limits of ``recipes/package.toml``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Literal

from packaging.version import Version

# Where Enterprise Linux has the texts of licences, in a folder of each package.
LICENSES = "/usr/share/licenses"

# Where rpm links a library by its build-id, from 4.14 on.
BUILD_IDS = "/usr/lib/.build-id"

Guards = Literal["", "pages", "segments"]


def holds(listing: tuple[str, ...], path: PurePosixPath) -> bool:
    """Whether a path is in a listing of files and folders; folders end in a slash."""
    name = str(path)
    return any(name.startswith(e) if e.endswith("/") else name == e for e in listing)


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
    program: str


@dataclass(frozen=True, slots=True)
class Limits:
    """The size limits of a source: bytes of the download, bytes and entries when unpacked."""

    download: int
    unpacked: int
    entries: int


@dataclass(frozen=True, slots=True)
class SubpackageFile:
    """A file of a sub-package: its installed path, and its source below ``recipes/``.

    The drop-in has no source: it is generated. ``program`` says that the file can be executed.
    """

    path: str
    source: str = ""
    program: bool = False


@dataclass(frozen=True, slots=True)
class Setting:
    """A variable that a drop-in sets, as ``NAME=value``, and why.

    ``since`` and ``until`` are the first and the last release that know it; empty: there is none.
    """

    variable: str
    why: str
    since: str = ""
    until: str = ""

    def known(self, version: str) -> bool:
        """Whether a release has the variable."""
        first, last = Version(self.since or version), Version(self.until or version)
        return first <= Version(version) <= last


@dataclass(frozen=True, slots=True)
class Subpackage:
    """A sub-package, of no architecture.

    ``suffix`` is the end of its name. ``summary`` and ``description`` may contain ``{name}`` and
    ``{version}`` of the main package. ``folders`` are those that it owns. With a ``unit``, one of
    its files is a drop-in that starts this unit on the library of the same version and release,
    with those variables of ``setting`` that the release knows.
    """

    suffix: str
    summary: str
    description: str
    file: tuple[SubpackageFile, ...]
    folders: tuple[str, ...] = ()
    unit: str = ""
    setting: tuple[Setting, ...] = ()

    def environment(self, version: str) -> tuple[str, ...]:
        """The variables for a release, as ``NAME=value``."""
        return tuple(one.variable for one in self.setting if one.known(version))


@dataclass(frozen=True, slots=True)
class Debuginfo:
    """The package of debug information.

    ``suffix`` is the end of its name. ``summary`` and ``description`` may contain ``{name}`` and
    ``{version}``. ``folder`` and ``sources`` are where debuggers look, and ``headers`` is the name
    that the folder of the compiler's own headers has in the debug information.
    """

    suffix: str
    summary: str
    description: str
    folder: str
    sources: str
    headers: str


@dataclass(frozen=True, slots=True)
class Flavor:
    """A variant of every release.

    ``suffix`` is the end of the names of package and library, ``cmake`` are its options.
    ``description`` replaces that of the plain package, which names what every release is for.
    ``omitted`` are files and folders (with a final slash) below the prefix that it does not
    package, because they would conflict with those of the plain package. ``level`` is the secure
    level that the library reports. ``guards`` says what has a guard page behind it: each page of
    blocks, each segment of pages, or nothing.
    """

    level: int = 0
    guards: Guards = ""
    suffix: str = ""
    description: str = ""
    cmake: Mapping[str, str] = field(default_factory=dict)
    omitted: tuple[str, ...] = ()
    subpackage: tuple[Subpackage, ...] = ()


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
    a build reads; nothing else is unpacked. ``overrides`` are symbols that the library must define,
    ``exports`` patterns of those that it may define besides.
    ``license_text`` is the checksum of the text that ``license`` names, as a bump computes it.
    ``options`` are options of cmake that are left at upstream's default, and why.
    """

    name: str
    prefix: str
    libdir: str
    summary: str
    description: str
    url: str
    license: str
    license_text: str
    vendor: str
    packager: str
    build_host: str
    platform: str
    identity: tuple[str, ...]
    overrides: tuple[str, ...]
    exports: tuple[str, ...]
    hooks: Hooks
    tls_ceiling: int
    default: Default
    upstream: Upstream
    modes: Modes
    limits: Limits
    signing: Signing
    provenance: Provenance
    debuginfo: Debuginfo
    cmake: Mapping[str, str]
    macros: Mapping[str, str]
    flavor: Mapping[str, Flavor]
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def libraries(self) -> PurePosixPath:
        """The folder that the shared library is installed in."""
        return PurePosixPath(self.prefix) / self.libdir
