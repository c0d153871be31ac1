"""The words of the trade, as frozen dataclasses: what steps take, facts hold, checks say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path, PurePosixPath
from typing import Literal

Folders = Literal["owned", "swept"]

# --- what is built: recipes/ ---------------------------------------------------------------------


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
    """A change of ours: a file below ``patches/<version>/``, its checksum, and why it is needed."""

    file: str
    sha256: str
    why: str


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
class Package:
    """What all releases share: the names, the places and the promises of the package.

    ``summary`` and ``description`` may hold ``{version}``, and ``platform`` ``{arch}``.
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
    modes: Modes
    limits: Limits
    cmake: Mapping[str, str]
    macros: Mapping[str, str]

    def reads(self, path: PurePosixPath) -> bool:
        """Whether a build reads this path of a release's tree."""
        name = str(path)
        return any(
            name.startswith(entry) if entry.endswith("/") else name == entry
            for entry in self.identity
        )

    @property
    def libraries(self) -> PurePosixPath:
        """The folder that the shared library is installed in."""
        return PurePosixPath(self.prefix) / self.libdir


# --- where it must run: buildroot/ ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Support:
    """Until when a dist's vendor maintains it, and who says so."""

    until: date
    source: str


@dataclass(frozen=True, slots=True)
class Rpm:
    """The rpm of a dist: its version, the ``rpmlib()`` features it knows, what we set for it."""

    version: str
    features: tuple[str, ...]
    macros: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Flags:
    """Flags for the compiler and for the linker."""

    compile: tuple[str, ...] = ()
    link: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Machine:
    """What a dist demands on one architecture: the instruction set, more flags, more hardening."""

    isa: str
    flags: Flags = field(default_factory=Flags)
    hardening: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BuildRoot:
    """One dist: the newest C library symbols, libraries and rpm features that a package may use."""

    dist: str
    title: str
    glibc: str
    libraries: tuple[str, ...]
    hardening: tuple[str, ...]
    support: Support
    rpm: Rpm
    flags: Flags
    machine: Mapping[str, Machine]


@dataclass(frozen=True, slots=True)
class Isa:
    """One level of an instruction set, in the words of the disassembler (capstone).

    ``groups`` are the feature groups that its processors have. ``harmless`` are instructions of
    other groups that older processors run all the same; ``foreign`` are instructions that the
    disassembler puts in no group, and that these processors lack.
    """

    groups: tuple[str, ...]
    harmless: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Compiler:
    """A kind of compiler: ``target`` names machine and C library, ``isa`` has flags per level.

    ``support`` are C files below ``buildroot/toolchains/<name>/`` that the library is linked with.
    """

    name: str
    flags: Flags
    isa: Mapping[str, tuple[str, ...]]
    target: str = ""
    support: tuple[str, ...] = ()


# --- one package to be made ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Handed:
    """A source that the user hands over: where it is, what kind it is, and what identifies it.

    ``seal`` is a checksum, a commit or a URL: it names the source without naming this machine.
    """

    kind: Literal["archive", "folder", "git", "url"]
    location: str
    seal: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that decides what one package is: recipe, build root, architecture, compiler."""

    package: Package
    recipe: Recipe
    root: BuildRoot
    arch: str
    compiler: Compiler
    isa: Isa
    handed: Handed | None = None

    @property
    def machine(self) -> Machine:
        """The build root's demands on this architecture."""
        return self.root.machine[self.arch]

    @property
    def release(self) -> str:
        """Release with its dist tag, such as ``1.el7``."""
        return f"{self.recipe.release}.{self.root.dist}"

    @property
    def nevra(self) -> str:
        """Name, version, release and architecture; there is no epoch."""
        return f"{self.package.name}-{self.recipe.version}-{self.release}.{self.arch}"

    @property
    def label(self) -> str:
        """The plan's name in messages and lock files."""
        return f"{self.recipe.version} {self.root.dist} {self.arch}"

    @property
    def library(self) -> PurePosixPath:
        """The installed path of the shared library."""
        return self.package.libraries / self.recipe.library

    @property
    def links(self) -> Mapping[str, str]:
        """The library's symbolic links: installed path to link target."""
        folder, recipe = self.package.libraries, self.recipe
        bare = recipe.soname.partition(".so")[0] + ".so"
        return {
            str(folder / recipe.soname): recipe.library,
            str(folder / bare): recipe.soname,
        }


# --- what is there: facts ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One path of an RPM as its header tells it; ``mode`` is the whole ``st_mode``."""

    path: str
    mode: int
    user: str
    group: str
    mtime: int
    size: int
    link: str = ""


@dataclass(frozen=True, slots=True)
class Scriptlet:
    """A program that rpm runs at an event, and what it is given to run."""

    program: str
    body: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of an RPM's changelog: its day, its author line, its notes."""

    day: date
    author: str
    text: str


@dataclass(frozen=True, slots=True)
class Header:
    """An RPM's header.

    ``tags`` holds every tag that has text or numbers, under rpm's own name; a tag of many values
    has one a line. Dependencies are ``name [op version]``, as rpm prints them. ``scriptlets`` go by
    their names in a spec (``pre``, ``postun``, ``triggers``). Files are in the header's order, and
    changelog entries from the newest down.
    """

    tags: Mapping[str, str]
    provides: tuple[str, ...]
    requires: tuple[str, ...]
    scriptlets: Mapping[str, Scriptlet]
    changelog: tuple[Entry, ...]
    files: tuple[FileEntry, ...]


@dataclass(frozen=True, slots=True)
class VersionedSymbol:
    """A symbol that a library needs, from which file and at which version.

    ``version`` and ``file`` are empty where the linker knew neither; ``name`` is empty where the
    library demands a version without a symbol.
    """

    name: str
    version: str
    file: str


@dataclass(frozen=True, slots=True)
class Library:
    """A shared library, read from its ELF file.

    ``hardening`` are the traits found, in the build roots' words. ``tls`` is the size of its
    thread-local storage in bytes; ``static_tls`` is true where every access is initial-exec.
    ``load_alignment`` is the least alignment of its segments in bytes: no kernel with larger pages
    can load it. ``leftovers`` are sections that a stripped library does not have.
    ``instructions`` is feature group to instruction to count; instructions of no group are under
    ``""``, and bytes that the disassembler cannot read under ``undecoded``.
    """

    machine: str
    soname: str
    needed: tuple[str, ...]
    rpath: str
    build_id: str
    symbols: tuple[VersionedSymbol, ...]
    exports: frozenset[str]
    hardening: frozenset[str]
    tls: int
    static_tls: bool
    load_alignment: int
    leftovers: tuple[str, ...]
    instructions: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Trial:
    """One program run on the package's files: its last lines, and whether all was right."""

    name: str
    passed: bool
    output: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What is in one RPM.

    ``traces`` are words of the build host found in it: (place, word). ``texts`` are the contents
    of the small files that checks read, by path. Whoever runs programs on the package adds their
    ``trials``, and in ``required`` the names of those that must be among them.
    """

    file_name: str
    listing: tuple[str, ...]
    header: Header
    library: Library | None
    traces: tuple[tuple[str, str], ...]
    texts: Mapping[str, str]
    trials: tuple[Trial, ...] = ()
    required: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong with a package: which check says so, about what, and the evidence."""

    check: str
    subject: str
    expected: str
    got: str

    def lines(self) -> list[str]:
        """The finding as the user sees it."""
        if "\n" in self.got:
            return [f"{self.check}: {self.subject}: {self.expected}", *self.got.splitlines()]
        return [f"{self.check}: {self.subject}: expected {self.expected}, got {self.got}"]


@dataclass(frozen=True, slots=True)
class Built:
    """A package in its final place."""

    plan: Plan
    rpm: Path
    sha256: str
    size: int
    fresh: bool
