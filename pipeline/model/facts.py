"""What is in a package, as read from its RPM, and what is wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One path in an RPM header; ``mode`` is the full ``st_mode``."""

    path: str
    mode: int
    user: str
    group: str
    mtime: int
    link: str = ""
    is_license: bool = False


@dataclass(frozen=True, slots=True)
class Header:
    """An RPM's header.

    ``tags`` maps rpm's tag names to their text; the values of an array are joined by newlines.
    Dependencies are written as rpm prints them: ``name [op version]``. ``scriptlets`` maps names in
    a spec, such as ``postun``, to ``<interpreter>: <text>``. ``changelog`` has the newest entry
    first: a line with day and author, and lines with notes.
    """

    tags: Mapping[str, str]
    provides: tuple[str, ...]
    requires: tuple[str, ...]
    scriptlets: Mapping[str, str]
    changelog: tuple[str, ...]
    files: tuple[FileEntry, ...]

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths of the package, in the order of ``rpm -qlp``."""
        return tuple(entry.path for entry in self.files)


@dataclass(frozen=True, slots=True)
class VersionedSymbol:
    """A symbol that a library imports, with the version and the library that defines it.

    ``version`` and ``file`` are empty for an unversioned symbol; ``name`` is empty for a version
    that is required without a symbol.
    """

    name: str
    version: str
    file: str


@dataclass(frozen=True, slots=True)
class Library:
    """A shared library, read from its ELF file.

    ``hardening`` are traits in the words of the build roots. ``tls`` is the size of the
    thread-local storage in bytes; ``static_tls`` says that every access is initial-exec.
    ``load_alignment`` is the least alignment of a segment, in bytes. ``leftovers`` are sections
    that ``strip`` removes. ``instructions`` maps feature group to mnemonic to count; the group is
    empty for instructions without one, and ``undecoded`` for bytes that capstone cannot decode.
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
class Image:
    """What a program has of an ELF file in its memory, and what a debugger reads in it.

    ``memory`` maps segments and allocated sections to their addresses and contents. ``tables`` are
    the names of the other sections, ``sources`` the paths of the files in the tables of lines.
    """

    build_id: str
    memory: Mapping[str, str]
    tables: frozenset[str]
    sources: frozenset[str]


@dataclass(frozen=True, slots=True)
class Trial:
    """One program that ran on the package's files: its last lines, and whether it passed."""

    name: str
    passed: bool
    output: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What is in one RPM.

    ``host_names`` are the paths and names of the build host in it, as (place, name). ``texts`` are
    the contents of the text files that checks read, by path. ``trials`` are the programs that ran
    on the package, and ``required`` the names of those that must have run.
    """

    file_name: str
    header: Header
    library: Library | None
    host_names: tuple[tuple[str, str], ...]
    texts: Mapping[str, str]
    trials: tuple[Trial, ...] = ()
    required: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault of a package: the check that reports it, its subject, and the two values."""

    check: str
    subject: str
    expected: str
    got: str

    def lines(self) -> list[str]:
        """The lines of the finding as the user sees it."""
        start = f"{self.check}: {self.subject}: expected {self.expected}, got"
        if "\n" in self.got:
            return [f"{start}:", *(f"  {line}" for line in self.got.splitlines())]
        return [f"{start} {self.got}"]
